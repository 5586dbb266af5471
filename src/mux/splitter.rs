// SPDX-License-Identifier: GPL-3.0-or-later
//! Tells a muxer of fragmented MP4 where fragments begin: at each key frame.
//!
//! A fragment duration of next to nothing would do the same for the picture, but then the muxer writes sound once per
//! fragment only, and it would come seconds after its picture.

use std::time::Duration;

use gst::prelude::*;

use crate::{encode::Packet, message::MediaKind};

/// How long a fragment of sound alone is, where every packet would be a place to begin.
const SOUND: Duration = Duration::from_millis(100);

/// Follows the track that leads: the picture, or sound where it is alone.
#[derive(Debug)]
pub(super) struct Splitter {
    muxer: gst::Element,
    cutter: Cutter,
}

impl Splitter {
    pub(super) fn new(muxer: gst::Element, leader: MediaKind) -> Self {
        let cutter = Cutter {
            sound: leader == MediaKind::Audio,
            begun: None,
            last: Duration::ZERO,
        };
        Splitter { muxer, cutter }
    }

    /// To be told of each packet before it is handed over.
    pub(super) fn see(&mut self, packet: &Packet) {
        if let Some(time) = self.cutter.cut(packet) {
            let time = gst::ClockTime::from_nseconds(time.as_nanos() as u64);
            self.muxer
                .emit_by_name::<()>("split-at-running-time", &[&time]);
        }
    }
}

#[derive(Debug)]
struct Cutter {
    sound: bool,
    begun: Option<Duration>,
    last: Duration,
}

impl Cutter {
    /// When to end the fragment before this packet, if it begins another.
    ///
    /// A chunk that is full between the last picture and the key frame ends with that picture, and so where the fragment
    /// should: then gst-plugin-fmp4 0.14.5 takes the fragment for unfinished until another key frame has come. So the
    /// fragment is said to end right after the time of the last picture; the muxer completes it up to the key frame.
    fn cut(&mut self, packet: &Packet) -> Option<Duration> {
        let last = std::mem::replace(&mut self.last, packet.pts);
        let begins = packet.key && self.begins(packet.pts);
        begins.then_some(match self.sound {
            true => packet.pts,
            false => last + Duration::from_nanos(1),
        })
    }

    /// Whether a fragment begins with this packet, where a reader can begin. The first begins by itself.
    fn begins(&mut self, pts: Duration) -> bool {
        let Some(begun) = self.begun else {
            self.begun = Some(pts);
            return false;
        };
        let begins = !self.sound || pts.saturating_sub(begun) >= SOUND;
        if begins {
            self.begun = Some(pts);
        }
        begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begins(sound: bool, step_ms: u64) -> Vec<bool> {
        let mut cutter = Cutter {
            sound,
            begun: None,
            last: Duration::ZERO,
        };
        let times = (0..8).map(|n| Duration::from_millis(n * step_ms));
        times.map(|pts| cutter.begins(pts)).collect()
    }

    #[test]
    fn each_key_frame_but_the_first_begins_a_fragment() {
        let mut all = begins(false, 500);
        assert!(!all.remove(0));
        assert_eq!(all, [true; 7]);
    }

    #[test]
    fn a_fragment_of_pictures_is_said_to_end_right_after_its_last_picture() {
        let packet = |ms: u64, key| Packet {
            pts: Duration::from_millis(ms),
            duration: Duration::ZERO,
            key,
            data: bytes::Bytes::new(),
        };
        let mut cutter = Cutter {
            sound: false,
            begun: None,
            last: Duration::ZERO,
        };
        let cuts: Vec<_> = [(0, true), (66, false), (133, false), (200, true)]
            .iter()
            .map(|(ms, key)| cutter.cut(&packet(*ms, *key)))
            .collect();
        let after_133 = Duration::from_millis(133) + Duration::from_nanos(1);
        assert_eq!(cuts, [None, None, None, Some(after_133)]);
    }

    #[test]
    fn sound_alone_is_cut_by_time() {
        let found: Vec<_> = (0..8).filter(|n| begins(true, 30)[*n]).collect();
        assert_eq!(found, [4]);
    }
}
