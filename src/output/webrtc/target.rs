// SPDX-License-Identifier: GPL-3.0-or-later
//! The addresses of peers that speak WebRTC.

use std::fmt;

use url::Url;

use super::peer::{Mode, Peer};
use crate::{
    error::SpecError,
    output::address::{Form, Parameters, host_and_port},
};

/// Parts of a path that are longer than this may be keys.
const SHOWN: usize = 15;

const WHIP: Form = Form {
    kind: "WHIP",
    form: "https://HOST/PATH#token=TOKEN",
    schemes: &["http", "https"],
};

const WEBRTC: Form = Form {
    kind: "WebRTC",
    form: "janus+ws://HOST:8188/?room=1234, webrtcsink+ws://HOST:8443, livekit+wss://HOST?room=NAME&token=TOKEN or kvs://CHANNEL",
    schemes: &[
        "janus+ws",
        "janus+wss",
        "webrtcsink+ws",
        "webrtcsink+wss",
        "livekit+ws",
        "livekit+wss",
        "kvs",
    ],
};

/// Where to push to.
#[derive(Clone, PartialEq)]
pub struct WebRtcTarget {
    /// Who is there.
    pub peer: Peer,
    /// Without secrets, as shown.
    shown: String,
    host: String,
    /// A STUN server; none unless it is asked for.
    pub stun: Option<String>,
    /// TURN servers; none unless they are asked for.
    pub turn: Vec<String>,
    given: String,
}

impl fmt::Debug for WebRtcTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl WebRtcTarget {
    /// `http[s]://[TOKEN@]HOST/PATH[#token=TOKEN&stun=stun://…&turn=turn://…]`. What stands after `#` is for us; all
    /// before it belongs to the server.
    pub fn whip(text: &str) -> Result<WebRtcTarget, SpecError> {
        let mut url = WHIP.parse(text)?;
        let mut given = WHIP.parameters(url.fragment())?;
        url.set_fragment(None);
        let user = WHIP.decode(url.username())?;
        let token = given
            .take("token")
            .or(Some(user).filter(|user| !user.is_empty()));
        // As it is sent in a header.
        if token
            .as_ref()
            .is_some_and(|t| !t.bytes().all(|b| b.is_ascii_graphic()))
        {
            return Err(WHIP.bad("a token is made of letters, digits and signs"));
        }
        if url.password().is_some() {
            return Err(WHIP.bad("WHIP has tokens, not users with passwords"));
        }
        // Cannot fail: there is a host.
        let _ = url.set_username("");
        let shown = shown(&url, "");
        let host = host_and_port(&url, 443);
        let peer = Peer::Whip {
            endpoint: url.to_string(),
            token,
        };
        finish(WHIP, peer, shown, host, given).map(|target| target.given_as(text))
    }

    /// `janus+ws://…`, `webrtcsink+ws://…`, `livekit+wss://…` or `kvs://…`, with what each needs after `?`.
    pub fn webrtc(text: &str) -> Result<WebRtcTarget, SpecError> {
        let url = WEBRTC.parse(text)?;
        let mut given = WEBRTC.parameters(url.query())?;
        let (kind, transport) = url.scheme().split_once('+').unwrap_or((url.scheme(), ""));
        let host = host_and_port(&url, if transport == "wss" { 443 } else { 80 });
        // The same address without our words in front.
        let bare = format!("{transport}://{host}{}", url.path());
        let (peer, room) = match kind {
            "janus" => janus(bare, &mut given)?,
            "webrtcsink" => (signalling(bare, &mut given)?, None),
            "livekit" => livekit(bare, &mut given)?,
            _ => (kvs(&url)?, None),
        };
        let mut shown = shown(&url, "");
        if let Some(room) = room {
            shown = format!("{shown}?room={room}");
        }
        finish(WEBRTC, peer, shown, host, given).map(|target| target.given_as(text))
    }

    /// Address as it was given, secrets and all: to be changed, never to be shown.
    pub fn full_url(&self) -> &str {
        &self.given
    }

    /// Address without secrets.
    pub fn public_url(&self) -> String {
        self.shown.clone()
    }

    fn given_as(self, text: &str) -> WebRtcTarget {
        WebRtcTarget {
            given: text.to_string(),
            ..self
        }
    }

    /// Host and port.
    pub(super) fn host(&self) -> String {
        self.host.clone()
    }
}

/// Scheme, host and path, without parts that may be keys.
fn shown(url: &Url, query: &str) -> String {
    let path: Vec<&str> = url
        .path()
        .split('/')
        .map(|part| if part.len() > SHOWN { "…" } else { part })
        .collect();
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
    format!("{}://{host}{port}{}{query}", url.scheme(), path.join("/"))
}

fn finish(
    form: Form,
    peer: Peer,
    shown: String,
    host: String,
    mut given: Parameters,
) -> Result<WebRtcTarget, SpecError> {
    let server = |text: &String, schemes: &[&str]| {
        Url::parse(text).is_ok_and(|url| schemes.contains(&url.scheme()) && url.has_host())
    };
    let stun = given.take("stun");
    if stun.as_ref().is_some_and(|text| !server(text, &["stun"])) {
        return Err(form.bad("its stun is not written as stun://HOST:PORT"));
    }
    let turn = given.take_all("turn");
    if !turn.iter().all(|text| server(text, &["turn", "turns"])) {
        return Err(form.bad("its turn is not written as turn://USER:PASSWORD@HOST:PORT"));
    }
    given.end()?;
    Ok(WebRtcTarget {
        peer,
        shown,
        host,
        stun,
        turn,
        given: String::new(),
    })
}

fn janus(endpoint: String, given: &mut Parameters) -> Result<(Peer, Option<String>), SpecError> {
    let room = given
        .take("room")
        .ok_or_else(|| WEBRTC.bad("it names no room"))?;
    // A room whose name is no number can only be of a Janus with names.
    let names =
        given.word("ids", &["numbers", "names"])? == Some("names") || room.parse::<u64>().is_err();
    let feed = given.take("feed");
    if let Some(feed) = &feed
        && !names
        && feed.parse::<u64>().is_err()
    {
        return Err(WEBRTC.bad("its feed is not a number"));
    }
    let peer = Peer::Janus {
        endpoint,
        room: room.clone(),
        feed,
        display: given.take("display"),
        secret: given.take("apisecret"),
        names,
    };
    Ok((peer, Some(room)))
}

fn signalling(uri: String, given: &mut Parameters) -> Result<Peer, SpecError> {
    let mut headers = Vec::new();
    for header in given.take_all("header") {
        let (name, value) = header
            .split_once(':')
            .ok_or_else(|| WEBRTC.bad("a header is written as NAME: VALUE"))?;
        let (name, value) = (name.trim().to_string(), value.trim().to_string());
        let word = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if !word || !value.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            return Err(WEBRTC.bad("a header has a sign in it that none may have"));
        }
        headers.push((name, value));
    }
    let mode = match given.word("mode", &["share", "adaptive"])? {
        Some("adaptive") => Mode::Adaptive,
        _ => Mode::Share,
    };
    Ok(Peer::Signalling {
        uri,
        headers,
        mode,
        display: given.take("display"),
        navigation: given.word("navigation", &["0", "1"])? == Some("1"),
    })
}

fn livekit(url: String, given: &mut Parameters) -> Result<(Peer, Option<String>), SpecError> {
    if !cfg!(feature = "livekit") {
        return Err(SpecError::NotBuilt {
            what: "LiveKit",
            feature: "livekit",
        });
    }
    let room = given
        .take("room")
        .ok_or_else(|| WEBRTC.bad("it names no room"))?;
    let token = given.take("token");
    let key = given.take("key").zip(given.take("secret"));
    if token.is_none() && key.is_none() {
        return Err(WEBRTC.bad("it has neither a token nor a key with its secret"));
    }
    let peer = Peer::LiveKit {
        url,
        room: room.clone(),
        token,
        key,
        identity: given.take("identity"),
        display: given.take("display"),
    };
    Ok((peer, Some(room)))
}

fn kvs(url: &Url) -> Result<Peer, SpecError> {
    if !cfg!(feature = "aws") {
        return Err(SpecError::NotBuilt {
            what: "Amazon Kinesis Video Streams",
            feature: "aws",
        });
    }
    Ok(Peer::Kvs {
        channel: url.host_str().unwrap_or_default().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_headers_and_turn_passwords_are_never_shown() {
        let whip = WebRtcTarget::whip(
            "https://live.example/app/0123456789abcdef0123?k=s3cret#token=s3cret+/=&turn=turn://me:s3cret@t:3478",
        )
        .unwrap();
        let Peer::Whip { endpoint, token } = &whip.peer else {
            panic!("{whip:?}");
        };
        assert_eq!(
            endpoint,
            "https://live.example/app/0123456789abcdef0123?k=s3cret"
        );
        assert_eq!(token.as_deref(), Some("s3cret+/="));
        assert_eq!(whip.turn, ["turn://me:s3cret@t:3478"]);
        assert_eq!(whip.public_url(), "https://live.example/app/…");
        let short = WebRtcTarget::whip("http://s3cret@[::1]:8080/whip").unwrap();
        let Peer::Whip { endpoint, token } = &short.peer else {
            panic!("{short:?}");
        };
        assert_eq!(endpoint, "http://[::1]:8080/whip");
        assert_eq!(token.as_deref(), Some("s3cret"));
        let janus =
            WebRtcTarget::webrtc("janus+ws://j.example:8188/?room=1234&apisecret=s3cret").unwrap();
        assert_eq!(janus.public_url(), "janus+ws://j.example:8188/?room=1234");
        let own = WebRtcTarget::webrtc(
            "webrtcsink+wss://s.example:8443/a?header=Authorization:%20Bearer%20s3cret&mode=adaptive",
        )
        .unwrap();
        assert_eq!(own.peer.mode(), Mode::Adaptive);
        for target in [whip, short, janus, own] {
            let all = format!("{target:?} {} {}", target.public_url(), target.host());
            assert!(!all.contains("s3cret"), "{all}");
            assert_eq!(target.stun, None, "no third party unless it is asked for");
        }
    }

    #[test]
    fn a_wrong_address_is_explained_without_its_secrets() {
        for bad in [
            "janus+ws://h/?apisecret=s3cret",
            "janus+ws://h/?room=1&pin=s3cret",
            "webrtcsink+ws://h?mode=s3cret",
            "webrtcsink+ws://h?header=s3cret",
            "webrtcsink+ws://h?navigation=s3cret",
            "webrtcsink+ws://h?turn=s3cret",
            "ws://s3cret@h",
        ] {
            let error = WebRtcTarget::webrtc(bad).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
        for bad in [
            "wss://h#token=s3cret",
            "https://h/#token=s3cret%0a",
            "https://u:s3cret@h/",
        ] {
            let error = WebRtcTarget::whip(bad).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn viewers_point_and_type_only_where_that_was_asked_for() {
        for (text, wanted) in [
            ("webrtcsink+ws://h", false),
            ("webrtcsink+ws://h?navigation=0", false),
            ("webrtcsink+ws://h?navigation=1&mode=adaptive", true),
            ("janus+ws://h/?room=1", false),
        ] {
            let target = WebRtcTarget::webrtc(text).unwrap();
            assert_eq!(target.peer.navigation(), wanted, "{text}");
        }
        assert!(WebRtcTarget::webrtc("janus+ws://h/?room=1&navigation=1").is_err());
    }

    #[test]
    #[cfg(not(any(feature = "livekit", feature = "aws")))]
    fn what_was_left_out_is_said() {
        for text in ["livekit+wss://h?room=a&token=b", "kvs://channel"] {
            let error = WebRtcTarget::webrtc(text).unwrap_err();
            assert!(matches!(error, SpecError::NotBuilt { .. }), "{error}");
        }
    }
}
