// SPDX-License-Identifier: GPL-3.0-or-later
//! For tests: a guest of our own over real sockets.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::{SdpAnswer, SdpPendingOffer},
    media::{Direction, Frequency, MediaKind as Kind, MediaTime, Mid},
    net::{Protocol, Receive},
};
use tokio::net::UdpSocket;

pub(in crate::serve) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Far more than anything here takes, on a machine that is busy.
pub(in crate::serve) const PATIENCE: Duration = Duration::from_secs(30);

/// The first bytes of a VP8 key frame of 16x16, and of one that is none.
const KEY: [u8; 12] = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0, 0, 0];
const DELTA: [u8; 12] = [0x11; 12];

/// A guest who sends.
pub(in crate::serve) struct Sender {
    rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    video: Mid,
    audio: Mid,
    pub(in crate::serve) asked_for_key: usize,
    frames: u64,
    buffer: Vec<u8>,
}

impl Sender {
    pub(in crate::serve) async fn new() -> (Sender, String, SdpPendingOffer) {
        let socket = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let mut rtc = Rtc::builder().build(Instant::now());
        rtc.add_local_candidate(Candidate::host(address, Protocol::Udp).unwrap());
        let mut change = rtc.sdp_api();
        let video = change.add_media(Kind::Video, Direction::SendOnly, None, None, None);
        let audio = change.add_media(Kind::Audio, Direction::SendOnly, None, None, None);
        let (offer, pending) = change.apply().unwrap();
        let sender = Sender {
            rtc,
            socket,
            address,
            video,
            audio,
            asked_for_key: 0,
            frames: 0,
            buffer: vec![0; 65_536],
        };
        (sender, offer.to_sdp_string(), pending)
    }

    pub(in crate::serve) fn accept(&mut self, answer: &str, pending: SdpPendingOffer) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
    }

    fn write(&mut self, mid: Mid, frame: &[u8]) {
        let Some(writer) = self.rtc.writer(mid) else {
            return;
        };
        let vp8 = |p: &str| p.starts_with("VP8") || p.starts_with("opus");
        let pt = writer
            .payload_params()
            .find(|p| vp8(&p.spec().codec.to_string()))
            .map(|p| p.pt())
            .unwrap();
        let time = MediaTime::new(self.frames * 3000, Frequency::NINETY_KHZ);
        writer
            .write(pt, Instant::now(), time, frame.to_vec())
            .unwrap();
    }

    /// Send a frame of each kind, and let a moment pass; `false` when the other side ended it.
    pub(in crate::serve) async fn send(&mut self, key: bool) -> bool {
        if self.rtc.is_connected() {
            self.frames += 1;
            self.write(self.video, if key { &KEY } else { &DELTA });
            self.write(self.audio, &[0xf8, 0xff, 0xfe]);
        }
        let end = Instant::now() + Duration::from_millis(20);
        loop {
            let due = match self.rtc.poll_output().unwrap() {
                Output::Timeout(due) => due.min(end),
                Output::Transmit(t) => {
                    let _ = self.socket.send_to(&t.contents, t.destination).await;
                    continue;
                }
                Output::Event(Event::KeyframeRequest(_)) => {
                    self.asked_for_key += 1;
                    continue;
                }
                Output::Event(Event::Closed) => return false,
                Output::Event(_) => continue,
            };
            if !self.rtc.is_alive() {
                return false;
            }
            let now = Instant::now();
            if now >= end {
                return true;
            }
            let wait = due
                .saturating_duration_since(now)
                .max(Duration::from_millis(1));
            let read = tokio::time::timeout(wait, self.socket.recv_from(&mut self.buffer));
            let input = match read.await {
                Ok(Ok((n, source))) => Input::Receive(
                    Instant::now(),
                    Receive::new(Protocol::Udp, source, self.address, &self.buffer[..n]).unwrap(),
                ),
                Ok(Err(_)) | Err(_) => Input::Timeout(Instant::now()),
            };
            self.rtc.handle_input(input).unwrap();
        }
    }

    /// Send until it is connected.
    pub(in crate::serve) async fn connected(&mut self) {
        let end = Instant::now() + PATIENCE;
        while !self.rtc.is_connected() {
            assert!(Instant::now() < end, "it does not connect");
            assert!(self.send(false).await, "it was ended");
        }
    }

    /// Send until the other side ends it.
    pub(in crate::serve) async fn closed(&mut self) {
        let end = Instant::now() + PATIENCE;
        while self.send(false).await {
            assert!(Instant::now() < end, "it goes on");
        }
    }
}
