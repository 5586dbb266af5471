// SPDX-License-Identifier: GPL-3.0-or-later
//! Who can be pushed to, and the element that does it.

use gst::{glib, prelude::*};

use super::WebRtcTarget;
use crate::{encode::Codec, message::MediaKind};

/// A server that does not answer for this long, in seconds.
const ANSWER: u32 = 15;

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq)]
pub enum Peer {
    /// A server that takes WHIP.
    Whip {
        /// Its address.
        endpoint: String,
        /// Sent as a bearer token.
        token: Option<String>,
    },
    /// A room of Janus' VideoRoom plugin.
    Janus {
        /// Its WebSocket.
        endpoint: String,
        /// Number or name of the room.
        room: String,
        /// Our number or name among its publishers; Janus chooses one unless it is given.
        feed: Option<String>,
        /// Our name in the room.
        display: Option<String>,
        /// The secret of its API, if it has one.
        secret: Option<String>,
        /// Whether its rooms have names instead of numbers.
        names: bool,
    },
    /// A gst-webrtc-signalling-server, where viewers find us as a producer.
    Signalling {
        /// Its WebSocket.
        uri: String,
        /// Sent with the request for the WebSocket.
        headers: Vec<(String, String)>,
        /// Who encodes.
        mode: Mode,
        /// Our name in its list.
        display: Option<String>,
        /// Whether viewers may point and type, for sources that take it.
        navigation: bool,
    },
    /// A room of LiveKit.
    LiveKit {
        /// Its WebSocket.
        url: String,
        /// Name of the room.
        room: String,
        /// A ready-made token.
        token: Option<String>,
        /// Or API key and secret, to make one.
        key: Option<(String, String)>,
        /// Who we are.
        identity: Option<String>,
        /// Our name in the room.
        display: Option<String>,
    },
    /// A channel of Amazon Kinesis Video Streams. Region and credentials come from where AWS's own programs take them.
    Kvs {
        /// Name of the channel.
        channel: String,
    },
}

/// Who encodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everybody gets the broadcast's own encode.
    Share,
    /// Each viewer has an encoder that follows their network: costs a lot of CPU for each.
    Adaptive,
}

impl Peer {
    /// The word of the status object.
    pub(in crate::output) fn kind(&self) -> &'static str {
        match self {
            Peer::Whip { .. } => "whip",
            Peer::Janus { .. } => "janus",
            Peer::Signalling { .. } => "webrtcsink",
            Peer::LiveKit { .. } => "livekit",
            Peer::Kvs { .. } => "kvs",
        }
    }

    /// The element.
    pub(super) fn element(&self) -> &'static str {
        match self {
            Peer::Whip { .. } => "whipclientsink",
            Peer::Janus { .. } => "janusvrwebrtcsink",
            Peer::Signalling { .. } => "webrtcsink",
            Peer::LiveKit { .. } => "livekitwebrtcsink",
            Peer::Kvs { .. } => "awskvswebrtcsink",
        }
    }

    /// Who encodes.
    pub(super) fn mode(&self) -> Mode {
        match self {
            Peer::Signalling { mode, .. } => *mode,
            Peer::Whip { .. } | Peer::Janus { .. } | Peer::LiveKit { .. } | Peer::Kvs { .. } => {
                Mode::Share
            }
        }
    }

    /// Whether its viewers may point and type.
    pub(super) fn navigation(&self) -> bool {
        matches!(
            self,
            Peer::Signalling {
                navigation: true,
                ..
            }
        )
    }

    /// Whether people come to us through it; else it is one connection.
    pub(super) fn visited(&self) -> bool {
        matches!(self, Peer::Signalling { .. } | Peer::Kvs { .. })
    }
}

/// The element for a target, not yet in a pipeline.
pub(super) fn sink(
    target: &WebRtcTarget,
    codecs: &[&'static Codec],
) -> Result<gst::Element, glib::BoolError> {
    let mut builder = gst::ElementFactory::make(target.peer.element()).name("peer");
    if let Peer::Janus { names: true, .. } = target.peer {
        builder = builder.property("use-string-ids", true);
    }
    let adaptive = target.peer.mode() == Mode::Adaptive;
    let sink = builder
        .property("stun-server", target.stun.as_deref())
        .property("turn-servers", gst::Array::new(target.turn.iter()))
        // With coded pictures it would double all bytes.
        .property("do-fec", adaptive)
        .property("do-retransmission", true)
        .property_from_str(
            "congestion-control",
            if adaptive { "gcc" } else { "disabled" },
        )
        .build()?;
    if target.peer.navigation() {
        sink.set_property("enable-data-channel-navigation", true);
        // A viewer points in the picture that they get, and nobody tells us when it was made smaller for one of them.
        sink.set_property_from_str("enable-mitigation-modes", "downsampled");
    }
    // Offer what the broadcast has, and nothing that would have to be tried first.
    for codec in codecs {
        let (property, caps) = match codec.media {
            MediaKind::Video => ("video-caps", format!("video/x-{}", codec.name)),
            MediaKind::Audio => ("audio-caps", format!("audio/x-{}", codec.name)),
        };
        sink.set_property(property, gst::Caps::new_empty_simple(caps));
    }
    let signaller: glib::Object = sink.property("signaller");
    let set = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            signaller.set_property(name, value);
        }
    };
    match &target.peer {
        Peer::Whip { endpoint, token } => {
            signaller.set_property("whip-endpoint", endpoint);
            signaller.set_property("timeout", ANSWER);
            set("auth-token", token);
        }
        Peer::Janus {
            endpoint,
            room,
            feed,
            display,
            secret,
            names,
        } => {
            signaller.set_property("janus-endpoint", endpoint);
            let ids = [("room-id", Some(room)), ("feed-id", feed.as_ref())];
            for (property, id) in ids.into_iter().filter_map(|(p, id)| Some((p, id?))) {
                match id.parse::<u64>() {
                    Ok(number) if !names => signaller.set_property(property, number),
                    _ => signaller.set_property(property, id),
                }
            }
            set("display-name", display);
            set("secret-key", secret);
        }
        Peer::Signalling {
            uri,
            headers,
            display,
            ..
        } => {
            signaller.set_property("uri", uri);
            if !headers.is_empty() {
                let mut all = gst::Structure::new_empty("headers");
                for (name, value) in headers {
                    all.set(name.as_str(), value);
                }
                signaller.set_property("headers", all);
            }
            if let Some(display) = display {
                let meta = gst::Structure::builder("meta").field("name", display);
                sink.set_property("meta", meta.build());
            }
        }
        Peer::LiveKit {
            url,
            room,
            token,
            key,
            identity,
            display,
        } => {
            signaller.set_property("ws-url", url);
            signaller.set_property("room-name", room);
            set("auth-token", token);
            let (key, secret) = key.clone().unzip();
            set("api-key", &key);
            set("secret-key", &secret);
            set("identity", identity);
            set("participant-name", display);
        }
        Peer::Kvs { channel } => signaller.set_property("channel-name", channel),
    }
    Ok(sink)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_channel_is_offered_only_on_request_and_then_no_picture_is_made_smaller() {
        gst::init().unwrap();
        crate::plugins::register();
        for (more, channel, downscaled) in [
            ("mode=share", false, true),
            ("mode=adaptive", false, true),
            ("mode=adaptive&navigation=1", true, false),
            ("navigation=1", true, false),
        ] {
            let target = WebRtcTarget::webrtc(&format!("webrtcsink+ws://h?{more}")).unwrap();
            let sink = sink(&target, &[]).unwrap();
            assert_eq!(
                sink.property::<bool>("enable-data-channel-navigation"),
                channel,
                "{more}"
            );
            let modes = sink.property_value("enable-mitigation-modes");
            let (_, modes) = glib::FlagsValue::from_value(&modes).unwrap();
            let smaller = modes.iter().any(|mode| mode.nick() == "downscaled");
            assert_eq!(smaller, downscaled, "{more}");
        }
    }
}
