// SPDX-License-Identifier: GPL-3.0-or-later
//! One viewer: its connection, what it is sent, and its place in the audience.

mod lane;
mod negotiate;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use str0m::{
    Event, IceConnectionState, Input, Output, Rtc, RtcError, bwe::BweKind, change::SdpPendingOffer,
    media::Mid, net::Receive,
};

use super::{SessionId, choice::Choice, socket::Wire, tracks::Needs};
use crate::{
    audience::{Audience, Guard, Transport, Who},
    encode::{Codec, Size},
    message::MediaKind,
};
use lane::Lane;
pub(in crate::serve) use negotiate::refused;
pub(super) use negotiate::{Offered, OnAir};

/// From offer or answer to a connection. Longer than any handshake, shorter than a visitor who went away is worth.
const CONNECT_WITHIN: Duration = Duration::from_secs(20);

/// The line of a new viewer is tried with bursts of packets; that is over by then.
const LINE_KNOWN_AFTER: Duration = Duration::from_secs(15);

/// Turns without a packet after which the stack waits, whatever it says.
const IDLE_ROUNDS: usize = 2;

/// A frame as all viewers get it.
pub(super) struct Frame {
    pub(super) kind: MediaKind,
    /// Of the picture.
    pub(super) size: Size,
    pub(super) key: bool,
    /// RTP time.
    pub(super) ticks: u32,
    /// When it was made.
    pub(super) wallclock: Instant,
    pub(super) payloads: Vec<Arc<[u8]>>,
}

/// What driving a session needs from around it.
pub(super) struct Around<'a> {
    pub(super) wire: &'a mut Wire,
    pub(super) audience: &'a Audience,
    /// What a line must carry.
    pub(super) needs: Needs,
}

/// What came out of driving a session.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Turn {
    /// It is connected now, and has no picture yet.
    pub(super) came: bool,
    /// It needs a key frame of this size.
    pub(super) wants_key: Option<Size>,
    /// It is over.
    pub(super) over: bool,
}

impl Turn {
    pub(super) const OVER: Turn = Turn {
        came: false,
        wants_key: None,
        over: true,
    };
}

pub(super) struct Session {
    pub(super) id: SessionId,
    /// Its name in connectivity checks, by which the first datagrams are told apart.
    pub(super) ufrag: String,
    /// Where it was heard from.
    pub(super) addresses: Vec<SocketAddr>,
    /// When it wants to be driven next.
    pub(super) due: Instant,
    /// The earliest entry for it among the timers.
    pub(super) queued: Option<Instant>,
    rtc: Rtc,
    on_air: OnAir,
    who: Who,
    guard: Option<Guard>,
    pending: Option<SdpPendingOffer>,
    /// Tracks being negotiated.
    mids: Vec<Mid>,
    video: Option<Lane>,
    audio: Option<Lane>,
    born: Instant,
    connected: bool,
    missed: u64,
    choice: Choice,
    /// Bits per second that the line carries, where the viewer tells what arrives.
    estimate: Option<u64>,
    tells_arrival: bool,
    /// It is on this computer.
    is_local: bool,
    loss: f32,
}

impl Session {
    /// When it began.
    pub(super) fn born(&self) -> Instant {
        self.born
    }

    /// Let it wait at least until then.
    pub(super) fn not_before(&mut self, at: Instant) {
        self.due = self.due.max(at);
    }

    /// Whether it is listed as a viewer.
    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    /// Whether nothing is being found out about its line, for which packets have to leave at their very moment.
    pub(super) fn is_at_rest(&self, now: Instant) -> bool {
        let known = now.saturating_duration_since(self.born) > LINE_KNOWN_AFTER;
        self.connected && (self.is_local || known && self.choice.is_settled())
    }

    /// Whether it should have connected by now.
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        !self.connected && now.saturating_duration_since(self.born) > CONNECT_WITHIN
    }

    /// Whether somebody let it go.
    pub(super) fn is_kicked(&self) -> bool {
        self.guard.as_ref().is_some_and(Guard::is_kicked)
    }

    /// Whether it was negotiated with another codec than this one.
    pub(super) fn differs(&self, kind: MediaKind, codec: &Codec) -> bool {
        let lane = match kind {
            MediaKind::Video => &self.video,
            MediaKind::Audio => &self.audio,
        };
        lane.as_ref().is_some_and(|lane| lane.codec != codec)
    }

    /// Whether the datagram is for this session.
    pub(super) fn accepts(&self, input: &Input<'_>) -> bool {
        self.rtc.accepts(input)
    }

    /// A datagram of the viewer.
    pub(super) fn receive(
        &mut self,
        datagram: Receive<'_>,
        around: &mut Around<'_>,
        now: Instant,
    ) -> Turn {
        match self.rtc.handle_input(Input::Receive(now, datagram)) {
            // What follows from a report is done with the next packets, or with the timers of this turn.
            Ok(()) if self.connected => {
                self.due = now;
                Turn::default()
            }
            Ok(()) => self.drain(around),
            Err(e) => self.broken(&e),
        }
    }

    /// Let time pass, and send what is to be sent.
    pub(super) fn drive(&mut self, around: &mut Around<'_>, now: Instant) -> Turn {
        match self.rtc.handle_input(Input::Timeout(now)) {
            Ok(()) => self.drain(around),
            Err(e) => self.broken(&e),
        }
    }

    /// Tell the viewer that this is the end.
    pub(super) fn close(&mut self, around: &mut Around<'_>) {
        if self.rtc.close().is_ok() {
            self.drain(around);
        }
    }

    fn broken(&mut self, e: &RtcError) -> Turn {
        tracing::debug!(error = %e, "WebRTC session failed");
        Turn::OVER
    }

    fn drain(&mut self, around: &mut Around<'_>) -> Turn {
        let mut turn = Turn::default();
        let mut sent = 0;
        // Packets are paced one by one: after each, the stack wants to be driven again, at once as long as there are more
        // to send. What is sent together leaves together.
        let mut idle = 0;
        let now = Instant::now();
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.due = at;
                    let now = Instant::now();
                    idle += 1;
                    if idle > IDLE_ROUNDS || at > now {
                        break;
                    }
                    if let Err(e) = self.rtc.handle_input(Input::Timeout(now)) {
                        turn = self.broken(&e);
                        break;
                    }
                }
                Ok(Output::Transmit(t)) => {
                    idle = 0;
                    sent += t.contents.len() as u64;
                    let to = t.destination.ip();
                    self.is_local = to == t.source.ip() || to.is_loopback();
                    around.wire.send(t.source, t.destination, &t.contents);
                    // The stack's pacer gives out one packet each time it is driven.
                    if let Err(e) = self.rtc.handle_input(Input::Timeout(now)) {
                        turn = self.broken(&e);
                        break;
                    }
                }
                Ok(Output::Event(event)) => self.event(event, around.audience, &mut turn),
                Err(e) => {
                    turn = self.broken(&e);
                    break;
                }
            }
        }
        around.wire.flush();
        if let (Some(guard), true) = (&self.guard, sent > 0) {
            guard.counters().add_bytes(sent);
        }
        turn.over |= !self.rtc.is_alive();
        turn
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "the protocol stack may add events at any time"
    )]
    fn event(&mut self, event: Event, audience: &Audience, turn: &mut Turn) {
        match event {
            Event::Connected => {
                self.connected = true;
                turn.came = self.video.is_some();
                let joined = audience.join(Who {
                    transport: Transport::Webrtc,
                    format: self.format(),
                    ..self.who.clone()
                });
                match joined {
                    Ok(guard) => self.guard = Some(guard),
                    // Banned while it was connecting.
                    Err(_) => turn.over = true,
                }
            }
            Event::KeyframeRequest(_) if self.may_ask_for_key() => {
                turn.wants_key = Some(self.choice.size());
            }
            Event::EgressBitrateEstimate(BweKind::Twcc { can_probe, .. }) => {
                self.tells_arrival = can_probe;
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) | Event::Closed => {
                turn.over = true;
            }
            Event::PeerStats(stats) => {
                // As it is now; the event's is a mean of seconds.
                let estimate = stats.bwe_tx.filter(|_| self.tells_arrival);
                self.estimate = estimate.map(|bits| bits.as_u64());
                let Some(guard) = &self.guard else { return };
                let path = stats.selected_candidate_pair;
                let path_rtt = path.and_then(|p| p.current_round_trip_time);
                if let Some(rtt) = stats.rtt.or(path_rtt) {
                    let ms = u32::try_from(rtt.as_millis()).unwrap_or(u32::MAX);
                    guard.counters().set_rtt_ms(ms);
                }
                if let Some(loss) = stats.egress_loss_fraction {
                    self.loss = loss;
                    guard.counters().set_loss(loss);
                }
            }
            Event::MediaEgressStats(stats) => {
                let video = self.video.as_ref().is_some_and(|l| l.mid == stats.mid);
                // Who tells of each packet tells more exactly.
                let video = video && self.estimate.is_none();
                if let (Some(guard), Some(loss), true) = (&self.guard, stats.loss, video) {
                    self.loss = loss;
                    guard.counters().set_loss(loss);
                }
            }
            // The rest is about receiving, data channels and bandwidth estimation.
            _ => (),
        }
    }

    /// Such as `vp8+opus`.
    fn format(&self) -> String {
        let lanes = self.video.iter().chain(&self.audio);
        lanes.map(|l| l.codec.name).collect::<Vec<_>>().join("+")
    }
}
