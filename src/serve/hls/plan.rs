// SPDX-License-Identifier: GPL-3.0-or-later
//! Where segments begin: one plan for all renditions, so that a player can change between them at any segment. The same
//! number means the same time in each, and a discontinuity is one in all (RFC 8216, section 6.2.4).

use std::{collections::VecDeque, time::Duration};

use crate::encode::Format;

/// Length of the second segment: a player needs something to begin with.
const SECOND: Duration = Duration::from_secs(1);
/// How long before its time a key frame is asked for: longer than a chunk is under way, so that it comes in time, and no
/// longer than who joins may have to wait.
const AHEAD: Duration = Duration::from_millis(700);
/// Cuts are no closer than this: key frames cost bits.
const APART: Duration = Duration::from_millis(450);
/// Cuts that are kept: more than renditions are ever apart.
const KEPT: usize = 16;

/// The beginning of a segment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cut {
    pub(super) number: u64,
    /// The first key frame from this time on begins it.
    pub(super) at: Duration,
    /// When it really began, in the rendition that came first.
    begun: Option<Duration>,
    /// Whether it has nothing to do with what was before.
    pub(super) discontinuity: bool,
    /// Discontinuities before it.
    pub(super) gone: u64,
}

/// The plan. Knows neither encoders nor clocks.
#[derive(Debug, Default)]
pub(super) struct Plan {
    cuts: VecDeque<Cut>,
    next: u64,
    gone: u64,
    /// Cuts since the last beginning.
    since: usize,
    /// Length of the first segment, of a usual one, and of a frame.
    first: Duration,
    whole: Duration,
    frame: Duration,
    /// Renditions that somebody wants, and how many are made now.
    wanted: Vec<Format>,
    living: usize,
    /// Renditions whose encoders began with the last beginning and that have not joined yet.
    invited: Vec<Format>,
}

impl Plan {
    /// Lengths that hold from the next cut on. Without a picture there are no frames.
    pub(super) fn set(&mut self, whole: Duration, frame: Duration) {
        self.whole = whole;
        self.frame = frame;
    }

    /// Somebody wants this rendition.
    pub(super) fn want(&mut self, format: Format) {
        if !self.wanted.contains(&format) {
            self.wanted.push(format);
        }
    }

    /// Nobody does any more.
    pub(super) fn forget(&mut self, format: Format) {
        self.wanted.retain(|f| *f != format);
    }

    /// All that somebody wants.
    pub(super) fn wanted(&self) -> Vec<Format> {
        self.wanted.clone()
    }

    /// A rendition begins to be made.
    pub(super) fn join(&mut self) {
        self.living += 1;
    }

    /// It is no longer made.
    pub(super) fn leave(&mut self) {
        self.living -= 1;
    }

    /// Whether the encoder of this rendition began with the last beginning.
    pub(super) fn accept(&mut self, format: Format) -> bool {
        let before = self.invited.len();
        self.invited.retain(|f| *f != format);
        self.invited.len() < before
    }

    /// All encoders have a key frame at this time, and another is possible so much later; these have begun with it. Where nothing was made before, it is a
    /// new beginning. It is left out if it would come between two cuts that are too close.
    pub(super) fn begin(&mut self, at: Duration, first: Duration, invited: Vec<Format>) {
        self.invited = invited;
        self.first = first;
        if self.living == 0 {
            // What was planned and did not come is not waited for.
            while let Some(cut) = self.cuts.back().copied().filter(|cut| cut.begun.is_none()) {
                self.cuts.pop_back();
                self.next = cut.number;
                self.gone = cut.gone;
            }
            self.push(at, self.next > 0);
            self.since = 1;
        } else if self.last() == Some(at) {
            self.since = 1;
        } else if self.last().is_none_or(|last| at >= last + APART) {
            self.push(at, false);
            self.since = 1;
        }
    }

    /// The time that was planned last, if what is made now keeps to it.
    pub(super) fn last(&self) -> Option<Duration> {
        let last = self.cuts.back().map(|cut| cut.at);
        last.filter(|_| self.living > 0)
    }

    /// Plan the next cut if it is time to, for it needs key frames.
    pub(super) fn due(&mut self, now: Duration) -> Option<Duration> {
        let last = self.cuts.back()?;
        let length = match self.since {
            1 => self.first.min(self.whole),
            2 => SECOND.min(self.whole),
            _ => self.whole,
        };
        let at = match last.begun {
            _ if self.since == 1 => last.at + length,
            // A little before the frame at which an encoder makes a key frame by its own count.
            Some(begun) => begun + length - self.frame * 3 / 2,
            // A key frame that did not come for so long will not come.
            None if now > last.at + self.whole => last.at + length,
            None => return None,
        };
        if now + AHEAD < at {
            return None;
        }
        self.push(at, false);
        self.since += 1;
        if self.since > 2 {
            self.invited.clear();
        }
        Some(at)
    }

    /// The segment that begins with a key frame of this time, or began before it.
    pub(super) fn cut(&mut self, key: Duration) -> Option<Cut> {
        let cut = self.cuts.iter_mut().rfind(|cut| cut.at <= key)?;
        cut.begun.get_or_insert(key);
        Some(*cut)
    }

    /// Whether a rendition whose first key frame is at this time may begin with this segment, or is too late for it.
    pub(super) fn is_in_time(&self, cut: &Cut, key: Duration) -> bool {
        key <= cut.begun.unwrap_or(cut.at + self.frame) + self.frame * 3 / 2
    }

    fn push(&mut self, at: Duration, discontinuity: bool) {
        self.cuts.push_back(Cut {
            number: self.next,
            at,
            begun: None,
            discontinuity,
            gone: self.gone,
        });
        self.next += 1;
        self.gone += u64::from(discontinuity);
        if self.cuts.len() > KEPT {
            self.cuts.pop_front();
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) const FRAME: Duration = Duration::from_millis(100);

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Segments of two seconds, the first of which begins at this time.
    pub(in super::super) fn plan(first: u64) -> Plan {
        let mut plan = Plan::default();
        plan.set(ms(2000), FRAME);
        plan.begin(ms(first), ms(500), vec![]);
        plan.join();
        plan
    }

    #[test]
    fn the_first_segments_are_short_and_the_others_whole() {
        let mut plan = plan(1000);
        assert_eq!(plan.due(ms(1000)), Some(ms(1500)), "at once");
        assert_eq!(
            plan.due(ms(1100)),
            None,
            "the first key frame is yet to come"
        );
        assert_eq!(plan.cut(ms(1040)).unwrap().number, 0);
        assert_eq!(plan.cut(ms(1540)).unwrap().number, 1);
        assert_eq!(plan.due(ms(1600)), None, "not so soon");
        assert_eq!(plan.due(ms(1700)), Some(ms(2390)));
        assert_eq!(plan.cut(ms(2540)).unwrap().number, 2);
        assert_eq!(plan.due(ms(3600)), None);
        assert_eq!(plan.due(ms(3700)), Some(ms(4390)));
        // A key frame that came late is where the next is counted from.
        assert_eq!(plan.cut(ms(4700)).unwrap().number, 3);
        assert_eq!(plan.due(ms(6000)), Some(ms(6550)));
        assert_eq!(plan.last(), Some(ms(6550)));
    }

    #[test]
    fn who_comes_later_joins_with_a_cut_for_all_and_short_segments() {
        let mut plan = plan(0);
        plan.due(ms(0));
        plan.cut(ms(500));
        plan.begin(ms(700), ms(500), vec![]);
        assert_eq!(plan.last(), Some(ms(500)), "too close");
        plan.begin(ms(1100), ms(500), vec![Format::Mp4]);
        assert!(plan.accept(Format::Mp4) && !plan.accept(Format::Mp4));
        let cut = plan.cut(ms(1130)).unwrap();
        assert_eq!((cut.number, cut.discontinuity), (2, false));
        assert!(plan.is_in_time(&cut, ms(1230)));
        assert!(!plan.is_in_time(&cut, ms(1330)));
        assert_eq!(plan.due(ms(1200)), Some(ms(1600)));
    }

    #[test]
    fn a_new_beginning_is_a_discontinuity_that_all_count() {
        let mut plan = plan(0);
        let first = plan.cut(ms(10)).unwrap();
        plan.leave();
        plan.begin(ms(100), ms(500), vec![]);
        let second = plan.cut(ms(110)).unwrap();
        assert_eq!((first.discontinuity, first.gone), (false, 0));
        assert_eq!((second.discontinuity, second.gone), (true, 0));
        plan.join();
        plan.due(ms(110));
        assert_eq!(plan.cut(ms(620)).unwrap().gone, 1);
    }
}
