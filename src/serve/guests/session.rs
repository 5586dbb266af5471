// SPDX-License-Identifier: GPL-3.0-or-later
//! One guest's connection.

use std::{
    net::SocketAddr,
    time::{Duration, Instant, UNIX_EPOCH},
};

use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig, RtcError,
    change::SdpOffer,
    format::Codec as Format,
    media::{KeyframeRequestKind, MediaData, MediaKind as Kind, Mid},
    net::{Protocol, Receive},
    rtp::{Extension, ExtensionMap},
};

use super::{NotReceived, SitDown};
use crate::{
    serve::webrtc::{SessionId, refused, socket::Wire},
    source::guest::{Coded, Coding, Report, Sitting},
};

/// From the offer to a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(20);
/// Between two requests for a key frame: one takes as long to come as to send, and many would fill the line.
const KEY_EVERY: Duration = Duration::from_millis(500);

/// How to set up a connection, on top of keys and certificates.
pub(super) fn configure(config: RtcConfig) -> RtcConfig {
    // No word about the camera's orientation: then the sender turns the picture itself.
    let mut extensions = ExtensionMap::empty();
    extensions.set(2, Extension::AbsoluteSendTime);
    extensions.set(3, Extension::TransportSequenceNumber);
    extensions.set(4, Extension::RtpMid);
    let mut config = config
        .clear_codecs()
        .enable_vp8(true)
        .enable_vp9(true)
        .enable_h264(true)
        .enable_opus(true, false)
        .set_extension_map(extensions)
        // A lost packet is sent again within this time, or never mind.
        .set_reordering_timeout_video(Some(Duration::from_millis(250)))
        .set_reordering_timeout_audio(Some(Duration::from_millis(60)))
        .set_stats_interval(Some(Duration::from_secs(1)));
    // One who vanished is noticed after 10 s instead of 22.
    config.set_max_stun_rto(Duration::from_secs(2));
    config.set_max_stun_retransmits(6);
    config
}

pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) sitting: Sitting,
    /// When it wants to be driven next.
    pub(super) due: Instant,
    rtc: Rtc,
    video: Option<Mid>,
    audio: Option<Mid>,
    born: Instant,
    connected: bool,
    over: bool,
    needs_key: bool,
    asked_key: Option<Instant>,
    bytes: u64,
    counted: Instant,
}

fn coding(format: Format) -> Option<Coding> {
    if format == Format::Vp8 {
        Some(Coding::Vp8)
    } else if format == Format::Vp9 {
        Some(Coding::Vp9)
    } else if format == Format::H264 {
        Some(Coding::H264)
    } else if format == Format::Opus {
        Some(Coding::Opus)
    } else {
        None
    }
}

impl Session {
    /// Accept a guest's offer; the answer.
    pub(super) fn accepting(
        config: RtcConfig,
        addresses: &[SocketAddr],
        offer: &str,
        sit: SitDown,
        now: Instant,
    ) -> Result<(Session, String), NotReceived> {
        let offer = SdpOffer::from_sdp_string(offer).map_err(refused)?;
        let mut rtc = config.build(now);
        for address in addresses {
            if let Ok(candidate) = Candidate::host(*address, Protocol::Udp) {
                rtc.add_local_candidate(candidate);
            }
        }
        let answer = rtc.sdp_api().accept_offer(offer).map_err(refused)?;
        let answer = answer.to_sdp_string();
        // The stack tells of its tracks only when connected; their names stand in the answer.
        let mids = answer
            .lines()
            .filter_map(|line| line.strip_prefix("a=mid:"))
            .map(|mid| Mid::from(mid.trim_end()));
        let (mut video, mut audio) = (None, None);
        for mid in mids {
            let place = match usable(&rtc, mid) {
                Some(kind) if kind.is_video() => &mut video,
                Some(_) => &mut audio,
                None => continue,
            };
            // Only the first of each kind: a guest has one picture and one sound.
            place.get_or_insert(mid);
        }
        if video.is_none() && audio.is_none() {
            return Err(
                refused("it sends neither picture nor sound in VP8, VP9, H.264 or Opus").into(),
            );
        }
        let session = Session {
            id: SessionId::random(),
            sitting: sit()?,
            due: now,
            rtc,
            video,
            audio,
            born: now,
            connected: false,
            over: false,
            needs_key: video.is_some(),
            asked_key: None,
            bytes: 0,
            counted: now,
        };
        Ok((session, answer))
    }

    /// Whether the datagram is for this session.
    pub(super) fn accepts(&self, input: &Input<'_>) -> bool {
        self.rtc.accepts(input)
    }

    /// A datagram of the guest.
    pub(super) fn receive(&mut self, datagram: Receive<'_>, wire: &mut Wire, now: Instant) {
        match self.rtc.handle_input(Input::Receive(now, datagram)) {
            Ok(()) => self.drain(wire),
            Err(e) => self.broken(&e),
        }
    }

    /// So many bytes came.
    pub(super) fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// Let time pass, and send what is to be sent.
    pub(super) fn drive(&mut self, wire: &mut Wire, now: Instant) {
        match self.rtc.handle_input(Input::Timeout(now)) {
            Ok(()) => self.drain(wire),
            Err(e) => self.broken(&e),
        }
    }

    /// An address of the guest. Names (mDNS) are left out: the guest will be heard from.
    pub(super) fn candidate(&mut self, candidate: &str, wire: &mut Wire, now: Instant) {
        let candidate = candidate.trim();
        let candidate = candidate.strip_prefix("a=").unwrap_or(candidate);
        if let Ok(candidate) = Candidate::from_sdp_string(candidate) {
            self.rtc.add_remote_candidate(candidate);
            self.drive(wire, now);
        }
    }

    /// Tell the guest that this is the end.
    pub(super) fn close(&mut self, wire: &mut Wire) {
        if self.rtc.close().is_ok() {
            self.drain(wire);
        }
        self.over = true;
    }

    /// Whether it is to be ended: by the guest, by the broadcaster, or because nobody ever came.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let stale = !self.connected && now.saturating_duration_since(self.born) > CONNECT_WITHIN;
        self.over || stale || self.sitting.is_over()
    }

    /// Ask for a key frame if one is wanted and was not asked for just now; `true` if there is something to send.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        self.needs_key |= self.sitting.wants_key();
        let lately = |at: Instant| now.saturating_duration_since(at) < KEY_EVERY;
        if !self.needs_key || !self.connected || self.asked_key.is_some_and(lately) {
            return false;
        }
        let writer = self.video.and_then(|mid| self.rtc.writer(mid));
        let asked = writer.is_some_and(|mut writer| {
            // Not before the first packet came, and a sender's first picture is a key frame anyway.
            writer
                .request_keyframe(None, KeyframeRequestKind::Pli)
                .is_ok()
        });
        if asked {
            self.asked_key = Some(now);
            self.needs_key = false;
        }
        asked
    }

    fn broken(&mut self, e: &RtcError) {
        tracing::debug!(error = %e, "a guest's connection failed");
        self.over = true;
    }

    fn drain(&mut self, wire: &mut Wire) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.due = at;
                    break;
                }
                Ok(Output::Transmit(t)) => wire.send(t.source, t.destination, &t.contents),
                Ok(Output::Event(event)) => self.event(event),
                Err(e) => {
                    self.broken(&e);
                    break;
                }
            }
        }
        wire.flush();
        self.over |= !self.rtc.is_alive();
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "the protocol stack may add events at any time"
    )]
    fn event(&mut self, event: Event) {
        match event {
            Event::Connected => self.connected = true,
            Event::MediaData(data) => self.media(data),
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) | Event::Closed => {
                self.over = true;
            }
            Event::PeerStats(stats) => {
                let path = stats.selected_candidate_pair;
                let path_rtt = path.and_then(|p| p.current_round_trip_time);
                let rtt = stats.rtt.or(path_rtt);
                let rtt = rtt.map(|rtt| u32::try_from(rtt.as_millis()).unwrap_or(u32::MAX));
                let passed = stats.timestamp.saturating_duration_since(self.counted);
                let bitrate = (passed > Duration::ZERO)
                    .then(|| (self.bytes as f64 * 8.0 / passed.as_secs_f64()) as u64);
                self.bytes = 0;
                self.counted = stats.timestamp;
                self.sitting
                    .set_numbers(rtt, bitrate, stats.ingress_loss_fraction);
            }
            // The rest is about sending, data channels and bandwidth estimation.
            _ => (),
        }
    }

    fn media(&mut self, data: MediaData) {
        let ours = [self.video, self.audio].contains(&Some(data.mid));
        let Some(coding) = coding(data.params.spec().codec).filter(|_| ours) else {
            return;
        };
        // Muted senders may send packets with nothing in them.
        if data.data.is_empty() {
            return;
        }
        let is_video = self.video == Some(data.mid);
        let report = data.last_sender_info.and_then(|info| {
            let wall = info.ntp_time.duration_since(UNIX_EPOCH).ok()?;
            Some(Report {
                wall: wall.as_secs_f64(),
                count: info.rtp_time.as_seconds(),
            })
        });
        let key = !is_video || data.is_keyframe();
        let taken = self.sitting.push(Coded {
            coding,
            key,
            contiguous: data.contiguous,
            arrival: data.network_time,
            count: data.time.as_seconds(),
            report,
            data: data.data,
        });
        if is_video && !taken {
            self.needs_key = true;
        }
    }
}

/// What kind of track this is, if it brings something that is understood here.
fn usable(rtc: &Rtc, mid: Mid) -> Option<Kind> {
    let media = rtc.media(mid)?;
    if media.disabled() || !media.direction().is_receiving() {
        return None;
    }
    let params = rtc.codec_config().params();
    let understood = media.remote_pts().iter().any(|pt| {
        let mut params = params.iter().filter(|p| p.pt() == *pt);
        params.any(|p| coding(p.spec().codec).is_some())
    });
    understood.then(|| media.kind())
}
