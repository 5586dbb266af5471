// SPDX-License-Identifier: GPL-3.0-or-later
//! For tests: a running broadcast, and a viewer of our own over real sockets.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc,
    change::{SdpAnswer, SdpPendingOffer},
    format::{Codec as Format, CodecExtra, Vp8CodecExtra},
    media::{Direction, MediaKind as Kind, Mid},
    net::{Protocol, Receive},
};
use tokio::{net::UdpSocket, sync::mpsc};

use super::{Leg, SessionId};
use crate::{
    audience::{Audience, Change, Transport, Who},
    encode::{self, EncodeSettings, Encoders, Tracks},
    program::Program,
};

pub(in crate::serve) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Far more than anything here takes, on a machine that is busy.
pub(in crate::serve) const PATIENCE: Duration = Duration::from_secs(30);

pub(in crate::serve) fn who() -> Who {
    Who {
        transport: Transport::Webrtc,
        format: String::new(),
        address: "127.0.0.1".into(),
        agent: "test".into(),
    }
}

/// A running broadcast.
pub(in crate::serve) struct Rig {
    pub(in crate::serve) leg: Leg,
    pub(in crate::serve) encoders: Encoders,
    pub(in crate::serve) audience: Audience,
    changes: mpsc::UnboundedReceiver<Change>,
    _program: Program,
}

pub(in crate::serve) fn settings() -> EncodeSettings {
    EncodeSettings {
        width: 160,
        height: 120,
        fps: 30,
        video_bitrate: 300_000,
        ..EncodeSettings::default()
    }
}

pub(in crate::serve) fn rig(settings: EncodeSettings) -> Rig {
    gst::init().unwrap();
    let tracks = Tracks {
        video: true,
        audio: true,
    };
    let program = Program::start(&settings, tracks, |e| panic!("{e}")).unwrap();
    let encoders = Encoders::new(program.out().clone(), settings, |e| panic!("{e}"));
    let (tell, changes) = mpsc::unbounded_channel();
    let audience = Audience::new(move |change| {
        let _ = tell.send(change);
    });
    let leg = Leg::start(encoders.clone(), audience.clone(), vec![LOOPBACK]).unwrap();
    Rig {
        leg,
        encoders,
        audience,
        changes,
        _program: program,
    }
}

impl Rig {
    pub(in crate::serve) async fn change(&mut self) -> Change {
        tokio::time::timeout(PATIENCE, self.changes.recv())
            .await
            .unwrap()
            .unwrap()
    }

    pub(in crate::serve) async fn joined(&mut self) -> crate::audience::Viewer {
        match self.change().await {
            Change::Joined(viewer) => viewer,
            other @ (Change::Noted(_) | Change::Left(..) | Change::Bans(_)) => panic!("{other:?}"),
        }
    }

    pub(in crate::serve) async fn left(&mut self) -> u64 {
        match self.change().await {
            Change::Left(id, _) => id,
            other @ (Change::Joined(_) | Change::Noted(_) | Change::Bans(_)) => panic!("{other:?}"),
        }
    }

    /// All readers are gone: what remains is the encoder's own grace.
    pub(in crate::serve) fn assert_unused(&self) {
        for rung in self.encoders.rungs_of(encode::Format::WebRtc) {
            let lease = self.encoders.lease(rung).unwrap();
            // This lease, the encoders' own, and the encoder that lingers. The leg would add a lease and a feed.
            let holders = Arc::strong_count(lease.stream());
            assert!(holders <= 3, "{rung:?} has {holders} holders");
        }
    }
}

/// What the viewer received.
#[derive(Debug)]
pub(in crate::serve) enum Got {
    Frame {
        mid: Mid,
        key: bool,
        format: Format,
        time: Duration,
        contiguous: bool,
    },
    Closed,
}

pub(in crate::serve) struct Viewer {
    pub(in crate::serve) rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    buffer: Vec<u8>,
    /// Drop every so many media datagrams.
    pub(in crate::serve) lose_every: Option<usize>,
    received: usize,
}

impl Viewer {
    pub(in crate::serve) async fn new() -> Viewer {
        let socket = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let mut rtc = Rtc::builder().build(Instant::now());
        rtc.add_local_candidate(Candidate::host(address, Protocol::Udp).unwrap());
        Viewer {
            rtc,
            socket,
            address,
            buffer: vec![0; 65_536],
            lose_every: None,
            received: 0,
        }
    }

    pub(in crate::serve) fn offer(&mut self) -> (String, SdpPendingOffer) {
        let mut change = self.rtc.sdp_api();
        change.add_media(Kind::Video, Direction::RecvOnly, None, None, None);
        change.add_media(Kind::Audio, Direction::RecvOnly, None, None, None);
        let (offer, pending) = change.apply().unwrap();
        (offer.to_sdp_string(), pending)
    }

    pub(in crate::serve) fn accept(&mut self, answer: &str, pending: SdpPendingOffer) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
    }

    /// The way of WHEP.
    pub(in crate::serve) async fn watch(leg: &Leg) -> (Viewer, SessionId) {
        let mut viewer = Viewer::new().await;
        let (offer, pending) = viewer.offer();
        let (id, answer) = leg.accept(offer, who()).await.unwrap();
        viewer.accept(&answer, pending);
        (viewer, id)
    }

    /// The next thing of interest.
    pub(in crate::serve) async fn next(&mut self) -> Got {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "nothing came");
            let due = match self.rtc.poll_output().unwrap() {
                Output::Timeout(due) => due,
                Output::Transmit(t) => {
                    // The other side may be gone already.
                    let _ = self.socket.send_to(&t.contents, t.destination).await;
                    continue;
                }
                Output::Event(Event::MediaData(data)) => {
                    return Got::Frame {
                        mid: data.mid,
                        // The other codecs here have nothing but key frames.
                        key: if let CodecExtra::Vp8(Vp8CodecExtra { is_keyframe, .. }) =
                            data.codec_extra
                        {
                            is_keyframe
                        } else if let CodecExtra::Vp9(vp9) = data.codec_extra {
                            vp9.is_keyframe
                        } else {
                            true
                        },
                        format: data.params.spec().codec,
                        time: Duration::from_secs_f64(data.time.as_seconds()),
                        contiguous: data.contiguous,
                    };
                }
                Output::Event(Event::Closed)
                | Output::Event(Event::IceConnectionStateChange(
                    IceConnectionState::Disconnected,
                )) => return Got::Closed,
                Output::Event(_) => continue,
            };
            let wait = due.saturating_duration_since(Instant::now());
            let read = tokio::time::timeout(wait, self.socket.recv_from(&mut self.buffer));
            let now = Instant::now();
            let input = match read.await {
                Ok(Ok((n, source))) => {
                    let bytes = &self.buffer[..n];
                    if bytes[0] & 0xC0 == 0x80 {
                        self.received += 1;
                        if self
                            .lose_every
                            .is_some_and(|n| self.received.is_multiple_of(n))
                        {
                            continue;
                        }
                    }
                    Input::Receive(
                        Instant::now(),
                        Receive::new(Protocol::Udp, source, self.address, bytes).unwrap(),
                    )
                }
                Ok(Err(_)) | Err(_) => Input::Timeout(now.max(due)),
            };
            self.rtc.handle_input(input).unwrap();
        }
    }

    /// Wait for so many frames of each kind; the first of the picture and all of it in order.
    pub(in crate::serve) async fn frames(
        &mut self,
        many: usize,
    ) -> BTreeMap<String, Vec<(bool, Duration, bool)>> {
        let mut got: BTreeMap<String, Vec<_>> = BTreeMap::new();
        loop {
            match self.next().await {
                Got::Frame {
                    key,
                    format,
                    time,
                    contiguous,
                    ..
                } => got
                    .entry(format.to_string())
                    .or_default()
                    .push((key, time, contiguous)),
                Got::Closed => panic!("closed after {got:?}"),
            }
            if got.len() == 2 && got.values().all(|frames| frames.len() >= many) {
                return got;
            }
        }
    }

    pub(in crate::serve) async fn closed(&mut self) {
        while !matches!(self.next().await, Got::Closed) {}
    }
}
