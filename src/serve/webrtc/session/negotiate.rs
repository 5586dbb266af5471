// SPDX-License-Identifier: GPL-3.0-or-later
//! Offers, answers and addresses.

use std::{net::SocketAddr, time::Instant};

use str0m::{
    Candidate, RtcConfig,
    change::{SdpAnswer, SdpOffer},
    media::{Direction, MediaKind as Kind, Mid},
    net::Protocol,
};

use super::{Around, Lane, Session, Turn};
use crate::{
    audience::Who,
    encode::Codec,
    error::ServeError,
    serve::webrtc::{SessionId, choice::Choice, payload::Row},
};

/// Name of the one stream to which picture and sound belong: browsers keep in step what is of one stream.
const STREAM: &str = "aerial";

/// A codec on the air and its row here.
#[derive(Clone, Copy)]
pub(in crate::serve::webrtc) struct Offered {
    pub(in crate::serve::webrtc) codec: &'static Codec,
    pub(in crate::serve::webrtc) row: &'static Row,
}

/// What is on the air.
#[derive(Clone, Copy, Default)]
pub(in crate::serve::webrtc) struct OnAir {
    pub(in crate::serve::webrtc) video: Option<Offered>,
    pub(in crate::serve::webrtc) audio: Option<Offered>,
}

impl OnAir {
    fn of(&self, kind: Kind) -> Option<Offered> {
        if kind.is_video() {
            self.video
        } else {
            self.audio
        }
    }

    fn all(&self) -> impl Iterator<Item = Offered> {
        self.video.into_iter().chain(self.audio)
    }

    fn labels(&self) -> String {
        let labels: Vec<_> = self.all().map(|o| o.codec.label).collect();
        labels.join(" and ")
    }
}

/// The error for a description that cannot be used, in one line.
pub(in crate::serve) fn refused(e: impl std::fmt::Display) -> ServeError {
    // One line, whatever the parser quotes.
    let words = e.to_string();
    let mut words: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.len() > 200 {
        let cut = (0..=200)
            .rev()
            .find(|n| words.is_char_boundary(*n))
            .unwrap_or(0);
        words.truncate(cut);
    }
    ServeError::Sdp(words.trim_end_matches('.').to_string())
}

/// The answer with all its tracks in one stream; the protocol stack makes one for each.
fn one_stream(answer: &str) -> String {
    let mut out = String::with_capacity(answer.len());
    for line in answer.lines() {
        if let Some((before, ids)) = line.split_once("msid:")
            && (before == "a=" || before.starts_with("a=ssrc:"))
            && let Some((_, track)) = ids.split_once(' ')
        {
            out += &format!("{before}msid:{STREAM} {track}\r\n");
        } else if line.starts_with("a=msid-semantic:") {
            out += &format!("a=msid-semantic: WMS {STREAM}\r\n");
        } else {
            out += line;
            out += "\r\n";
        }
    }
    out
}

impl Session {
    fn new(
        config: RtcConfig,
        addresses: &[SocketAddr],
        on_air: OnAir,
        who: Who,
        now: Instant,
    ) -> Result<Session, ServeError> {
        if on_air.all().next().is_none() {
            return Err(refused(
                "nothing is on the air that a browser could play this way",
            ));
        }
        let mut config = config.clear_codecs();
        for offered in on_air.all() {
            config = (offered.row.enable)(config);
        }
        let mut rtc = config.build(now);
        for address in addresses {
            if let Ok(candidate) = Candidate::host(*address, Protocol::Udp) {
                rtc.add_local_candidate(candidate);
            }
        }
        let ufrag = rtc.direct_api().local_ice_credentials().ufrag;
        Ok(Session {
            id: SessionId::random(),
            ufrag,
            addresses: Vec::new(),
            due: now,
            queued: None,
            rtc,
            on_air,
            who,
            guard: None,
            pending: None,
            mids: Vec::new(),
            video: None,
            audio: None,
            born: now,
            connected: false,
            missed: 0,
            choice: Choice::new(),
            estimate: None,
            tells_arrival: false,
            is_local: false,
            loss: 0.0,
        })
    }

    /// A session that we offer.
    pub(in crate::serve::webrtc) fn offering(
        config: RtcConfig,
        addresses: &[SocketAddr],
        on_air: OnAir,
        who: Who,
        now: Instant,
    ) -> Result<(Session, String), ServeError> {
        let mut session = Session::new(config, addresses, on_air, who, now)?;
        let mut mids = Vec::new();
        let mut change = session.rtc.sdp_api();
        let stream = || Some(STREAM.to_string());
        for (kind, offered) in [(Kind::Video, on_air.video), (Kind::Audio, on_air.audio)] {
            if offered.is_some() {
                mids.push(change.add_media(kind, Direction::SendOnly, stream(), None, None));
            }
        }
        let (offer, pending) = change
            .apply()
            .ok_or_else(|| refused("there is nothing to offer"))?;
        session.pending = Some(pending);
        session.mids = mids;
        Ok((session, offer.to_sdp_string()))
    }

    /// A session that the viewer offers.
    pub(in crate::serve::webrtc) fn accepting(
        config: RtcConfig,
        addresses: &[SocketAddr],
        on_air: OnAir,
        who: Who,
        offer: &str,
        around: &mut Around<'_>,
        now: Instant,
    ) -> Result<(Session, String), ServeError> {
        let offer = SdpOffer::from_sdp_string(offer).map_err(refused)?;
        let mut session = Session::new(config, addresses, on_air, who, now)?;
        let answer = session.rtc.sdp_api().accept_offer(offer).map_err(refused)?;
        let answer = answer.to_sdp_string();
        // The stack tells of its tracks only when connected; their names stand in the answer.
        session.mids = answer
            .lines()
            .filter_map(|line| line.strip_prefix("a=mid:"))
            .map(|mid| Mid::from(mid.trim_end()))
            .collect();
        session.negotiated(around, now)?;
        Ok((session, one_stream(&answer)))
    }

    /// The viewer's answer to our offer.
    pub(in crate::serve::webrtc) fn answer(
        &mut self,
        answer: &str,
        around: &mut Around<'_>,
        now: Instant,
    ) -> Result<(), ServeError> {
        let answer = SdpAnswer::from_sdp_string(answer).map_err(refused)?;
        let pending = self
            .pending
            .take()
            .ok_or_else(|| refused("it answers no offer"))?;
        self.rtc
            .sdp_api()
            .accept_answer(pending, answer)
            .map_err(refused)?;
        self.negotiated(around, now)
    }

    fn negotiated(&mut self, around: &mut Around<'_>, now: Instant) -> Result<(), ServeError> {
        for mid in std::mem::take(&mut self.mids) {
            self.add_lane(mid);
        }
        self.look_into_line(around.needs.wide());
        if self.drive(around, now).over {
            return Err(refused("the connection ended at once"));
        }
        if self.video.is_none() && self.audio.is_none() {
            let labels = self.on_air.labels();
            return Err(refused(format!(
                "it asks for neither picture nor sound in {labels}"
            )));
        }
        Ok(())
    }

    /// An address of the viewer. Names (mDNS) are left out: the viewer will be heard from.
    pub(in crate::serve::webrtc) fn candidate(
        &mut self,
        candidate: &str,
        around: &mut Around<'_>,
        now: Instant,
    ) -> Turn {
        let candidate = candidate.trim();
        let candidate = candidate.strip_prefix("a=").unwrap_or(candidate);
        match Candidate::from_sdp_string(candidate) {
            Ok(candidate) => {
                self.rtc.add_remote_candidate(candidate);
                self.drive(around, now)
            }
            Err(_) => Turn::default(),
        }
    }

    fn add_lane(&mut self, mid: Mid) {
        let Some(media) = self.rtc.media(mid) else {
            return;
        };
        let kind = media.kind();
        let wanted = media.direction().is_sending() && !media.disabled();
        let Some(offered) = self.on_air.of(kind).filter(|_| wanted) else {
            return;
        };
        let params = self.rtc.codec_config().params();
        let pt = media.remote_pts().iter().copied().find(|pt| {
            params
                .iter()
                .any(|p| p.pt() == *pt && p.spec().codec == offered.row.format)
        });
        let lane = pt.map(|pt| Lane::new(offered.codec, mid, pt, kind.is_video()));
        let place = if kind.is_video() {
            &mut self.video
        } else {
            &mut self.audio
        };
        // Only the first of each kind: there is one picture and one sound.
        if place.is_none() {
            *place = lane;
        }
    }
}
