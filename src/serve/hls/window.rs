// SPDX-License-Identifier: GPL-3.0-or-later
//! The last seconds of one rendition as segments, and these as parts. Knows neither sockets nor clocks.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;

use super::plan::Plan;
use crate::mux::Chunk;

/// The longest part: five chunks, and how far sound and picture are apart in them. Viewers are three parts behind the newest, as the standard (RFC 8216bis) wants it.
pub(super) const PART_TARGET: Duration = Duration::from_millis(550);
/// A part that is this long is complete: the standard wants 85 hundredths of the longest.
const PART_LEAST: Duration = Duration::from_millis(468);
/// Complete segments that are listed.
const LISTED: usize = 6;
/// Complete segments that are kept: those who are slow may still ask for what was listed when they looked.
const KEPT: usize = LISTED + 3;
/// What is left of a segment after its last whole chunk may be as good as nothing, but no part lasts no time.
const SHORTEST: Duration = Duration::from_millis(1);

/// A piece of a segment, to be fetched before the segment is complete.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) number: u64,
    pub(super) duration: Duration,
    /// Whether a player can begin here.
    pub(super) key: bool,
    pieces: Vec<Bytes>,
}

/// What a player fetches as a whole.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// Time in the program.
    pub(super) begin: Duration,
    pub(super) parts: Vec<Part>,
    /// Which head it needs.
    pub(super) epoch: u64,
    /// Whether it has nothing to do with the one before.
    pub(super) discontinuity: bool,
    /// Discontinuities before it.
    gone: u64,
}

impl Segment {
    pub(super) fn duration(&self) -> Duration {
        self.parts.iter().map(|p| p.duration).sum()
    }
}

/// The part that is being put together.
#[derive(Debug)]
struct Open {
    begin: Duration,
    last: Duration,
    key: bool,
    pieces: Vec<Bytes>,
}

/// What somebody asked for.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// There it is.
    Pieces(Vec<Bytes>),
    /// It is what comes next.
    Soon,
    /// It is over, or was never told of.
    Nowhere,
}

/// Complete segments, and one that grows.
#[derive(Debug)]
pub(super) struct Window {
    complete: VecDeque<Segment>,
    growing: Option<Segment>,
    open: Option<Open>,
    /// Numbers only grow, over restarts too.
    next_segment: u64,
    next_part: u64,
    epoch: u64,
    heads: VecDeque<(u64, Bytes)>,
    longest_part: Duration,
}

impl Default for Window {
    fn default() -> Self {
        Window {
            complete: VecDeque::new(),
            growing: None,
            open: None,
            next_segment: 0,
            next_part: 0,
            epoch: 0,
            heads: VecDeque::new(),
            longest_part: PART_TARGET,
        }
    }
}

impl Window {
    /// A muxer has begun: what comes now needs this head.
    pub(super) fn begin(&mut self, head: Bytes) {
        // What was not told of yet is lost with the muxer.
        if self.open.take().is_some() {
            self.next_part += 1;
        }
        self.close_segment();
        self.epoch += 1;
        self.heads.push_back((self.epoch, head));
    }

    /// Forget everything; numbers go on.
    pub(super) fn clear(&mut self) {
        self.complete.clear();
        self.growing = None;
        if self.open.take().is_some() {
            self.next_part += 1;
        }
        self.heads.clear();
        self.longest_part = PART_TARGET;
    }

    /// Take the next chunk; whether there is something new to tell.
    pub(super) fn take(&mut self, chunk: Chunk, plan: &mut Plan) -> bool {
        let Chunk { pts, key, data } = chunk;
        let mut new = false;
        let cut = key.then(|| plan.cut(pts)).flatten();
        let cut = cut.filter(|cut| cut.number >= self.next_segment);
        if let Some(open) = &self.open {
            let length = pts.saturating_sub(open.begin);
            let step = pts.saturating_sub(open.last);
            let ends = cut.is_some();
            if ends || length >= PART_LEAST || length + step > PART_TARGET {
                self.close_part(pts);
                new = true;
            }
            if ends {
                self.close_segment();
            }
        }
        if let Some(open) = &mut self.open {
            open.pieces.push(data);
            open.last = pts;
            return new;
        }
        if self.growing.is_none() {
            let last = self.complete.back().map(|s| (s.number, s.epoch));
            let follows = last.is_some_and(|(_, epoch)| epoch == self.epoch);
            // The first of a muxer begins where the others do, or with the next.
            let Some(cut) = cut.filter(|cut| follows || plan.is_in_time(cut, pts)) else {
                return new;
            };
            let next = last.is_some_and(|(number, _)| number + 1 == cut.number);
            if !(next && (follows || cut.discontinuity)) {
                // A list has no holes.
                self.complete.clear();
                self.forget_heads();
            }
            self.growing = Some(Segment {
                number: cut.number,
                begin: pts,
                parts: vec![],
                epoch: self.epoch,
                discontinuity: cut.discontinuity,
                gone: cut.gone,
            });
            self.next_segment = cut.number + 1;
        }
        self.open = Some(Open {
            begin: pts,
            last: pts,
            key,
            pieces: vec![data],
        });
        new
    }

    fn close_part(&mut self, end: Duration) {
        let (Some(open), Some(segment)) = (self.open.take(), &mut self.growing) else {
            return;
        };
        let duration = end.saturating_sub(open.begin).max(SHORTEST);
        self.longest_part = self.longest_part.max(duration);
        segment.parts.push(Part {
            number: self.next_part,
            duration,
            key: open.key,
            pieces: open.pieces,
        });
        self.next_part += 1;
    }

    fn close_segment(&mut self) {
        let Some(segment) = self.growing.take() else {
            return;
        };
        if segment.parts.is_empty() {
            // Nobody was told of it.
            return;
        }
        self.complete.push_back(segment);
        if self.complete.len() > KEPT {
            self.complete.pop_front();
        }
        self.forget_heads();
    }

    /// Those that no segment needs any more.
    fn forget_heads(&mut self) {
        let oldest = self.complete.front().map_or(self.epoch, |s| s.epoch);
        self.heads.retain(|(epoch, _)| *epoch >= oldest);
    }

    /// Whether a player finds something to begin with: a whole segment.
    pub(super) fn is_ready(&self) -> bool {
        !self.complete.is_empty()
    }

    /// Whether this part of this segment (or without one, the whole of it) can be told of. `None` if that is too far ahead.
    pub(super) fn tells(&self, segment: u64, part: Option<u64>) -> Option<bool> {
        if segment > self.next_segment + 1 {
            return None;
        }
        let complete = self.complete.back().map(|s| s.number);
        if complete.is_some_and(|newest| segment < newest) {
            return Some(true);
        }
        let parts = |s: &Segment| s.parts.len() as u64;
        let growing = self.growing.as_ref();
        Some(match part {
            None => complete.is_some_and(|newest| segment <= newest),
            Some(part) => {
                if let Some(last) = self.complete.back().filter(|s| s.number == segment) {
                    // A part that a segment did not get is the first of the next.
                    part < parts(last) || growing.is_some_and(|s| parts(s) > 0)
                } else {
                    growing.is_some_and(|s| s.number == segment && part < parts(s))
                }
            }
        })
    }

    /// Complete segments that are to be listed.
    pub(super) fn listed(&self) -> impl ExactSizeIterator<Item = &Segment> {
        let skip = self.complete.len().saturating_sub(LISTED);
        self.complete.range(skip..)
    }

    /// The segment that grows.
    pub(super) fn growing(&self) -> Option<&Segment> {
        self.growing.as_ref()
    }

    /// Number of the part that comes next.
    pub(super) fn next_part(&self) -> u64 {
        self.next_part
    }

    /// Number of the segment that comes first in the list.
    pub(super) fn first(&self) -> u64 {
        let first = self.listed().next().or(self.growing.as_ref());
        first.map_or(self.next_segment, |s| s.number)
    }

    /// Discontinuities before the list.
    pub(super) fn discontinuities(&self) -> u64 {
        let first = self.listed().next().or(self.growing.as_ref());
        first.map_or(0, |s| s.gone)
    }

    /// The longest part there was.
    pub(super) fn part_target(&self) -> Duration {
        self.longest_part
    }

    pub(super) fn head(&self, epoch: u64) -> Found {
        let head = self.heads.iter().find(|(e, _)| *e == epoch);
        head.map_or(Found::Nowhere, |(_, head)| {
            Found::Pieces(vec![head.clone()])
        })
    }

    pub(super) fn segment(&self, number: u64) -> Found {
        match self.complete.iter().find(|s| s.number == number) {
            Some(segment) => {
                let pieces = segment.parts.iter().flat_map(|p| p.pieces.iter().cloned());
                Found::Pieces(pieces.collect())
            }
            None if self.growing.as_ref().is_some_and(|s| s.number == number) => Found::Soon,
            None => Found::Nowhere,
        }
    }

    pub(super) fn part(&self, number: u64) -> Found {
        let mut segments = self.complete.iter().chain(&self.growing);
        match segments.find_map(|s| s.parts.iter().find(|p| p.number == number)) {
            Some(part) => Found::Pieces(part.pieces.clone()),
            None if number == self.next_part && !self.heads.is_empty() => Found::Soon,
            None => Found::Nowhere,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::plan::tests::plan, *};

    const FIRST: Duration = Duration::from_millis(500);

    fn chunk(n: u64, key: bool) -> Chunk {
        Chunk {
            pts: Duration::from_millis(n * 100),
            key,
            data: Bytes::from(n.to_string()),
        }
    }

    /// Chunks of 100 ms with a key frame every two seconds, beginning at number `from`. The first segments are as long as
    /// the others, for there are no other key frames.
    pub(in super::super) fn fill(
        window: &mut Window,
        plan: &mut Plan,
        from: u64,
        count: u64,
    ) -> Vec<bool> {
        (from..from + count)
            .map(|n| {
                let new = window.take(chunk(n, n % 20 == 0), plan);
                plan.due(Duration::from_millis(n * 100));
                new
            })
            .collect()
    }

    fn numbers(window: &Window) -> Vec<u64> {
        window.listed().map(|s| s.number).collect()
    }

    #[test]
    fn segments_begin_at_key_frames_and_parts_are_half_a_second() {
        let (mut window, mut plan) = (Window::default(), plan(2000));
        window.begin(Bytes::from_static(b"head"));
        // The first key frame is number 20.
        fill(&mut window, &mut plan, 13, 28);
        assert_eq!(numbers(&window), [0]);
        let segment = window.listed().next().unwrap();
        assert_eq!(segment.begin, Duration::from_secs(2));
        assert_eq!(segment.duration(), Duration::from_secs(2));
        let parts: Vec<_> = segment.parts.iter().map(|p| p.duration).collect();
        assert_eq!(parts, [Duration::from_millis(500); 4]);
        let keys: Vec<_> = segment.parts.iter().map(|p| p.key).collect();
        assert_eq!(keys, [true, false, false, false]);
        let Found::Pieces(pieces) = window.segment(0) else {
            panic!()
        };
        assert_eq!((pieces.len(), &pieces[0][..]), (20, &b"20"[..]));
        assert_eq!(window.segment(1), Found::Soon);
        assert_eq!(window.segment(2), Found::Nowhere);
        assert_eq!(window.part(4), Found::Soon);
        assert_eq!(window.part(5), Found::Nowhere);
        assert!(fill(&mut window, &mut plan, 41, 5)[4], "a part is there");
        assert!(matches!(window.part(4), Found::Pieces(p) if p.len() == 5));
    }

    #[test]
    fn a_player_can_wait_for_a_part_and_is_told_when_it_asks_too_far_ahead() {
        let (mut window, mut plan) = (Window::default(), plan(0));
        window.begin(Bytes::new());
        fill(&mut window, &mut plan, 0, 46);
        // Segments 0 and 1 are complete, 2 has one part.
        assert_eq!(window.tells(1, None), Some(true));
        assert_eq!(window.tells(2, None), Some(false));
        assert_eq!(window.tells(2, Some(0)), Some(true));
        assert_eq!(window.tells(2, Some(1)), Some(false));
        assert_eq!(window.tells(1, Some(9)), Some(true), "the next one's first");
        assert_eq!(window.tells(5, None), None);
    }

    #[test]
    fn a_key_frame_that_was_not_planned_does_not_end_a_segment() {
        let (mut window, mut plan) = (Window::default(), plan(0));
        window.begin(Bytes::new());
        fill(&mut window, &mut plan, 0, 21);
        window.take(chunk(23, true), &mut plan);
        assert_eq!(numbers(&window), [0]);
    }

    #[test]
    fn what_is_kept_is_bounded_and_numbers_go_on_over_restarts() {
        let (mut window, mut plan) = (Window::default(), plan(0));
        window.begin(Bytes::from_static(b"1"));
        fill(&mut window, &mut plan, 0, 20 * 30 + 1);
        assert_eq!(numbers(&window), [24, 25, 26, 27, 28, 29]);
        assert!(
            matches!(window.segment(21), Found::Pieces(_)),
            "kept a while"
        );
        assert_eq!(window.segment(20), Found::Nowhere);
        assert_eq!(window.first(), 24);

        let again = |plan: &mut Plan, at| {
            plan.leave();
            plan.begin(Duration::from_secs(at), FIRST, vec![]);
            plan.join();
        };
        again(&mut plan, 200);
        window.begin(Bytes::from_static(b"2"));
        fill(&mut window, &mut plan, 20 * 100, 41);
        let last: Vec<_> = window.listed().collect();
        // One chunk of number 30 was there, of which nobody was told.
        assert_eq!(last[0].number, 31, "a list has no holes");
        assert_eq!(
            (last[0].discontinuity, last[1].discontinuity),
            (true, false)
        );
        assert_eq!(window.head(1), Found::Nowhere, "nobody needs it any more");
        assert_eq!(window.discontinuities(), 0, "before the list");

        // Five more chunks are a part, and with that number 33 is one.
        fill(&mut window, &mut plan, 20 * 102 + 1, 6);
        again(&mut plan, 300);
        window.begin(Bytes::from_static(b"3"));
        fill(&mut window, &mut plan, 20 * 150, 21);
        let last: Vec<_> = window
            .listed()
            .map(|s| (s.number, s.discontinuity))
            .collect();
        assert_eq!(last, [(31, true), (32, false), (33, false), (34, true)]);
        assert!(matches!(window.head(2), Found::Pieces(_)));
        fill(&mut window, &mut plan, 20 * 151 + 1, 20 * 8);
        assert_eq!(window.discontinuities(), 2);

        window.clear();
        assert!(!window.is_ready());
        again(&mut plan, 0);
        window.begin(Bytes::from_static(b"4"));
        fill(&mut window, &mut plan, 0, 21);
        assert!(window.listed().next().unwrap().discontinuity);
        assert_eq!(window.discontinuities(), 2);
    }

    /// Number and beginning of what two renditions list of the same plan.
    fn begins(window: &Window) -> Vec<(u64, Duration)> {
        window.listed().map(|s| (s.number, s.begin)).collect()
    }

    #[test]
    fn who_joins_later_has_the_same_segments_from_then_on() {
        let mut plan = plan(0);
        let (mut full, mut low) = (Window::default(), Window::default());
        full.begin(Bytes::new());
        fill(&mut full, &mut plan, 0, 90);
        // Its encoder began at once, but its first key frame is none that the other has.
        low.begin(Bytes::new());
        low.take(chunk(90, true), &mut plan);
        for n in 91..170 {
            fill(&mut full, &mut plan, n, 1);
            low.take(chunk(n, n % 20 == 0), &mut plan);
        }
        let begun = begins(&low);
        assert_eq!(begun[0], (5, Duration::from_secs(10)));
        assert!(begins(&full).ends_with(&begun));
        assert_eq!(begun.len(), 3);
    }

    #[test]
    fn what_one_rendition_misses_it_does_not_count() {
        let mut plan = plan(0);
        let (mut full, mut low) = (Window::default(), Window::default());
        full.begin(Bytes::new());
        low.begin(Bytes::new());
        for n in 0..200 {
            fill(&mut full, &mut plan, n, 1);
            // It was too slow for the key frames of 4 and 6 seconds.
            low.take(chunk(n, n % 20 == 0 && n != 40 && n != 60), &mut plan);
        }
        assert_eq!(begins(&full).len(), 6);
        let begun = begins(&low);
        assert_eq!(begun[0], (4, Duration::from_secs(8)));
        assert!(begins(&full).ends_with(&begun));
    }

    #[test]
    fn sound_alone_is_cut_by_time() {
        let mut plan = Plan::default();
        plan.set(Duration::from_secs(2), Duration::ZERO);
        plan.begin(Duration::ZERO, FIRST, vec![]);
        plan.join();
        let mut window = Window::default();
        window.begin(Bytes::new());
        for n in 0..60 {
            window.take(chunk(n, true), &mut plan);
            plan.due(Duration::from_millis(n * 100));
        }
        let lengths: Vec<_> = window.listed().map(|s| s.duration().as_millis()).collect();
        assert_eq!(lengths, [500, 1000, 2000, 2000]);
    }
}
