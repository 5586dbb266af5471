// SPDX-License-Identifier: GPL-3.0-or-later
//! What is sent to one viewer: which frames, and when they change over to the other size.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use str0m::{
    bwe::Bitrate,
    media::{Mid, Pt},
    rtp::{RtpWrite, SeqNo},
};

use super::{Frame, Session, Turn};
use crate::{
    encode::{Codec, Size},
    message::MediaKind,
    serve::webrtc::{
        choice::{Act, CALM, LATE, Signs, TOO_LATE, Wish},
        tracks::Needs,
    },
};

/// Packets that may be sent again, and for how long.
const REPEATED: (usize, Duration) = (2000, Duration::from_secs(3));
/// Share of repeats in what is sent.
const REPEATS_AT_MOST: Option<f32> = Some(0.25);
/// A millisecond of video: between frames sent together.
const CATCH_UP_TICKS: u32 = 90;

/// A frame that would wait this long is not sent, nor what follows it up to a key frame. If more waited, the stack would send
/// faster than the line carries.
const LATEST: Duration = Duration::from_millis(500);
/// The same as long as what was queued of the full picture is before the small one.
const LATEST_AFTER_FULL: Duration = Duration::from_millis(1500);

/// What may be sent next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Any frame.
    Any,
    /// A key frame, because there was none yet, or some were lost on their way to us.
    Key,
    /// A key frame, because the line carries no more.
    KeyInTime,
}

/// One track of a viewer.
pub(super) struct Lane {
    pub(super) codec: &'static Codec,
    pub(super) mid: Mid,
    pt: Pt,
    seq: SeqNo,
    next: Next,
    /// Of the frames sent.
    size: Size,
    /// Frames of the other size wait before those of this one.
    behind: bool,
    /// RTP time of the frame sent last.
    last: Option<u32>,
}

impl Lane {
    pub(super) fn new(codec: &'static Codec, mid: Mid, pt: Pt, is_video: bool) -> Lane {
        Lane {
            codec,
            mid,
            pt,
            seq: SeqNo::default(),
            next: if is_video { Next::Key } else { Next::Any },
            size: Size::Full,
            behind: false,
            last: None,
        }
    }

    /// Time goes on, also where the other size was ahead.
    fn after_last(&self, ticks: u32) -> u32 {
        match self.last {
            Some(last) if ticks.wrapping_sub(last).wrapping_sub(1) > u32::MAX / 2 => {
                last.wrapping_add(CATCH_UP_TICKS)
            }
            Some(_) | None => ticks,
        }
    }
}

impl Session {
    /// Whether frames of this size are sent to it, or are to be.
    pub(in crate::serve::webrtc) fn needs(&self, size: Size) -> bool {
        let sent = self.video.as_ref().map_or(Size::Full, |lane| lane.size);
        size == sent || size == self.choice.size()
    }

    /// Whether a key frame would be of use to it: not if it is left out, and all up to the next.
    pub(super) fn may_ask_for_key(&self) -> bool {
        let mut lanes = self.video.iter();
        lanes.any(|lane| lane.next != Next::KeyInTime)
    }

    /// The size that it is to get.
    pub(in crate::serve::webrtc) fn size(&self) -> Size {
        self.choice.size()
    }

    /// The feed lost these many frames of the picture of this size.
    pub(in crate::serve::webrtc) fn skip(&mut self, size: Size, frames: u64) {
        match &mut self.video {
            Some(lane) if lane.size == size => lane.next = Next::Key,
            Some(_) | None => return,
        }
        self.miss(frames);
    }

    fn miss(&mut self, frames: u64) {
        self.missed += frames;
        if let Some(guard) = &self.guard {
            guard.counters().set_dropped(self.missed);
        }
    }

    /// Queue frames for sending, and choose what is sent from now on. `None`: there is nothing to do.
    pub(in crate::serve::webrtc) fn write(
        &mut self,
        frames: &[Arc<Frame>],
        needs: Needs,
        now: Instant,
    ) -> Option<Turn> {
        if !self.connected {
            return None;
        }
        let queue = self.queue(now);
        let mut any = false;
        for frame in frames {
            any |= self.put(frame, frame.ticks, queue);
        }
        let mut turn = Turn::default();
        if frames.iter().any(|f| f.kind == MediaKind::Video) {
            turn = self.choose(queue, needs, now);
        }
        (any || turn.wants_key.is_some()).then_some(turn)
    }

    /// The viewer chooses.
    pub(in crate::serve::webrtc) fn wish(
        &mut self,
        wish: Wish,
        needs: Needs,
        now: Instant,
    ) -> Turn {
        let act = self.choice.wish(wish, now);
        self.act(act, needs)
    }

    fn choose(&mut self, queue: Duration, needs: Needs, now: Instant) -> Turn {
        if self.video.is_none() {
            return Turn::default();
        }
        if let Some(guard) = &self.guard {
            let ms = u32::try_from(queue.as_millis()).unwrap_or(u32::MAX);
            guard.counters().set_queue_ms(ms);
        }
        let signs = Signs {
            queue,
            estimate: self.estimate,
            loss: self.loss,
            is_local: self.is_local,
        };
        let act = self.choice.step(signs, needs, now);
        self.act(act, needs)
    }

    fn act(&mut self, act: Act, needs: Needs) -> Turn {
        let mut turn = Turn::default();
        match act {
            Act::Stay => (),
            Act::Rest | Act::Turn(Size::Low) => self.look_into_line(needs.narrow()),
            Act::Turn(Size::Full | Size::Gif) => self.look_into_line(needs.wide()),
            Act::Ask => {
                self.look_into_line(needs.wide());
                // Begun anew, the estimator sends its first bursts.
                self.rtc.bwe().reset(Bitrate::bps(needs.question()));
            }
            Act::Trust => self.rtc.bwe().reset(Bitrate::bps(needs.first_estimate())),
            Act::Doubt => {
                self.look_into_line(needs.narrow());
                self.rtc.bwe().reset(Bitrate::bps(needs.narrow()));
            }
        }
        if act != Act::Stay {
            tracing::debug!(session = %self.id, ?act, estimate = ?self.estimate, "WebRTC picture");
        }
        if self
            .video
            .as_ref()
            .is_some_and(|l| l.size != self.choice.size())
        {
            turn.wants_key = Some(self.choice.size());
        }
        turn
    }

    /// Look for the line's bandwidth up to this.
    pub(super) fn look_into_line(&mut self, bits: u64) {
        self.rtc.bwe().set_desired_bitrate(Bitrate::bps(bits));
    }

    /// How long the oldest frame waits to be sent.
    fn queue(&mut self, now: Instant) -> Duration {
        let Some(mid) = self.video.as_ref().map(|lane| lane.mid) else {
            return Duration::ZERO;
        };
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(mid, None);
        let info = stream.as_ref().and_then(|s| s.queue_info());
        let first = info.and_then(|info| info.first_unsent());
        first.map_or(Duration::ZERO, |at| now.saturating_duration_since(at))
    }

    /// Queue what was sent since the last key frame, for one who has just come. The times are drawn together, so that
    /// it is decoded at once and leaves no delay.
    pub(in crate::serve::webrtc) fn catch_up(&mut self, frames: &[Arc<Frame>]) {
        let Some(last) = frames.last() else { return };
        for (before, frame) in (0..frames.len() as u32).rev().zip(frames) {
            let ticks = last.ticks.wrapping_sub(before * CATCH_UP_TICKS);
            self.put(frame, ticks, Duration::ZERO);
        }
    }

    /// Queue a frame, if it is one for this viewer. `queue` is how long others wait already.
    fn put(&mut self, frame: &Frame, ticks: u32, queue: Duration) -> bool {
        let is_video = frame.kind == MediaKind::Video;
        let wanted = self.choice.size();
        let lane = if is_video {
            &mut self.video
        } else {
            &mut self.audio
        };
        let Some(lane) = lane else { return false };
        let mut ticks = ticks;
        let mut turns = false;
        if is_video {
            turns = frame.size == wanted && wanted != lane.size && frame.key;
            if frame.size != lane.size && !turns {
                return false;
            }
            lane.behind &= queue >= CALM;
            let late = match lane.next {
                // On the way to the small picture nothing of the full one is added to what waits, and the first small one
                // passes.
                _ if wanted == Size::Low && lane.size == Size::Full => !turns && queue >= CALM,
                Next::KeyInTime => queue >= LATE,
                Next::Any | Next::Key if lane.size == Size::Full => queue >= TOO_LATE,
                Next::Any | Next::Key if lane.behind => queue >= LATEST_AFTER_FULL,
                Next::Any | Next::Key => queue >= LATEST,
            };
            if late {
                lane.next = Next::KeyInTime;
            }
            if late || lane.next != Next::Any && !frame.key {
                if lane.next == Next::KeyInTime {
                    self.miss(1);
                }
                return false;
            }
            if turns {
                lane.size = wanted;
                lane.behind = true;
                if let Some(guard) = &self.guard {
                    guard.counters().set_low(wanted == Size::Low);
                }
            }
            ticks = lane.after_last(ticks);
        }
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(lane.mid, None) else {
            return false;
        };
        if is_video && (turns || lane.last.is_none()) {
            // Begun anew: repeats of what the key frame makes needless would only be in its way.
            let (packets, age) = REPEATED;
            stream.set_rtx_cache(packets, age, REPEATS_AT_MOST);
        }
        lane.next = Next::Any;
        lane.last = Some(ticks);
        let last = frame.payloads.len().saturating_sub(1);
        for (n, payload) in frame.payloads.iter().enumerate() {
            let seq = lane.seq.inc();
            let packet = RtpWrite::new(lane.pt, seq, ticks, frame.wallclock, payload.clone());
            stream.write_rtp(packet.marker(is_video && n == last).nackable(is_video));
        }
        !frame.payloads.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_picture_goes_on_when_the_other_size_was_ahead() {
        let mut lane = Lane::new(Codec::named("vp8").unwrap(), "0".into(), 96.into(), true);
        assert_eq!(lane.after_last(5), 5);
        lane.last = Some(9000);
        assert_eq!(lane.after_last(12_000), 12_000);
        assert_eq!(lane.after_last(9000), 9090);
        assert_eq!(lane.after_last(6000), 9090);
        // It wraps.
        lane.last = Some(u32::MAX - 10);
        assert_eq!(lane.after_last(3000), 3000);
        lane.last = Some(10);
        assert_eq!(lane.after_last(u32::MAX - 10), 100);
    }
}
