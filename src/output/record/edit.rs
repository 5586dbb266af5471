// SPDX-License-Identifier: GPL-3.0-or-later
//! What becomes of each packet: where in which file it goes. Times only, so it is tested without an encoder.
//!
//! Packets come in the order of their times. The leading track (the picture, where there is one) decides: a file begins
//! at one of its key frames, and so does what follows a pause.

use std::time::Duration;

use super::Split;

/// A key frame is asked for again when it has not come by then.
const ASK_AGAIN: Duration = Duration::from_millis(700);

/// Tracks that have given nothing by then are not waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is to be known of a packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    /// Number of its track; 0 leads.
    pub(super) track: usize,
    pub(super) key: bool,
    /// Time in the program.
    pub(super) pts: Duration,
    pub(super) duration: Duration,
    pub(super) size: usize,
}

/// Where a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goes {
    /// Nowhere.
    Away,
    /// Into the present file, at this time.
    Here(Duration),
    /// Into the next file, as its first, at time 0.
    Next,
}

/// The scissors of one recording.
#[derive(Debug)]
pub(super) struct Edit {
    split: Option<Split>,
    /// Which tracks have given anything.
    begun: Vec<bool>,
    /// Since when the others are waited for.
    waits_since: Option<Duration>,
    phase: Phase,
    held: bool,
    /// Time in the program at which the present file would have begun, had there been no pause.
    origin: Duration,
    /// Where in the file the leading track ends so far.
    end: Duration,
    /// Bytes of the present file, without what the container adds.
    bytes: u64,
    /// Time in the program at which a key frame was last asked for.
    asked: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// There is no file yet.
    Before,
    Running,
    /// The leading track is cut at `end`; the others are still to come up to there.
    Cut,
}

impl Edit {
    /// For so many tracks.
    pub(super) fn new(tracks: usize, split: Option<Split>, held: bool) -> Edit {
        Edit {
            split,
            begun: vec![false; tracks],
            waits_since: None,
            phase: Phase::Before,
            held,
            origin: Duration::ZERO,
            end: Duration::ZERO,
            bytes: 0,
            asked: None,
        }
    }

    /// Pause, or go on at the next key frame. The time between is cut out.
    pub(super) fn hold(&mut self, held: bool) {
        self.held = held;
        self.asked = None;
        if held && self.phase == Phase::Running {
            self.phase = Phase::Cut;
        }
    }

    /// Whether a key frame is waited for, and it is time to ask for it.
    pub(super) fn asks(&mut self, now: Duration) -> bool {
        let wanted = match self.phase {
            Phase::Before | Phase::Cut => !self.held,
            Phase::Running => self.is_due(),
        };
        let asked_lately = self.asked.is_some_and(|at| now < at + ASK_AGAIN);
        if wanted && !asked_lately {
            self.asked = Some(now);
        }
        wanted && !asked_lately
    }

    pub(super) fn take(&mut self, piece: Piece) -> Goes {
        if let Some(begun) = self.begun.get_mut(piece.track) {
            *begun = true;
        }
        let since = *self.waits_since.get_or_insert(piece.pts);
        // A file in which one track begins late is a nuisance to edit.
        let all = self.begun.iter().all(|b| *b) || piece.pts > since + PATIENCE;
        let leads = piece.track == 0;
        let begins = leads && piece.key && !self.held;
        match self.phase {
            Phase::Before if begins && all => self.begin(piece),
            Phase::Before => Goes::Away,
            Phase::Running if begins && self.is_due() => self.begin(piece),
            Phase::Running => self.put(piece),
            Phase::Cut if begins => {
                self.origin = piece.pts.saturating_sub(self.end);
                self.phase = Phase::Running;
                self.asked = None;
                self.put(piece)
            }
            Phase::Cut if leads || piece.pts >= self.origin + self.end => Goes::Away,
            Phase::Cut => self.put(piece),
        }
    }

    fn begin(&mut self, piece: Piece) -> Goes {
        self.phase = Phase::Running;
        self.origin = piece.pts;
        self.end = Duration::ZERO;
        self.bytes = 0;
        self.asked = None;
        self.put(piece);
        Goes::Next
    }

    fn put(&mut self, piece: Piece) -> Goes {
        let Some(at) = piece.pts.checked_sub(self.origin) else {
            return Goes::Away;
        };
        if piece.track == 0 {
            self.end = at + piece.duration;
        }
        // The container adds a head to each packet.
        self.bytes += piece.size as u64 + 16;
        Goes::Here(at)
    }

    /// Whether the present file is as large or as long as it may be.
    fn is_due(&self) -> bool {
        match self.split {
            None => false,
            Some(Split::Time(limit)) => self.end >= limit,
            Some(Split::Size(limit)) => {
                // A second before: until the key frame has come, and for the index at the end.
                let second = self.bytes as f64 / self.end.as_secs_f64().max(1.0);
                self.bytes as f64 + second.min(limit as f64 / 4.0) >= limit as f64 * 0.98
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: u64 = 40;
    const BLOCK: u64 = 20;

    /// Picture and sound of so many milliseconds, in the order of their times, with a key frame every `gop` frames.
    fn program(from: u64, to: u64, gop: u64) -> Vec<Piece> {
        let ms = Duration::from_millis;
        let track = |track, step: u64| {
            (from / step..to / step).map(move |i| Piece {
                track,
                key: track == 1 || i % gop == 0,
                pts: ms(i * step),
                duration: ms(step),
                size: 1000,
            })
        };
        let mut all: Vec<_> = track(0, FRAME).chain(track(1, BLOCK)).collect();
        all.sort_by_key(|p| (p.pts, p.track));
        all
    }

    /// Of two tracks, of which the second has begun.
    fn edit(split: Option<Split>, held: bool) -> Edit {
        let mut edit = Edit::new(2, split, held);
        let first = program(0, BLOCK, 1)[0];
        assert_eq!((first.track, edit.take(first)), (1, Goes::Away));
        edit
    }

    fn files(edit: &mut Edit, pieces: &[Piece], into: &mut Vec<Vec<(bool, u64)>>) {
        for piece in pieces {
            match edit.take(*piece) {
                Goes::Away => (),
                Goes::Next => into.push(vec![(piece.track == 0, 0)]),
                Goes::Here(at) => into
                    .last_mut()
                    .unwrap()
                    .push((piece.track == 0, at.as_millis() as u64)),
            }
        }
    }

    fn times(file: &[(bool, u64)], leads: bool) -> Vec<u64> {
        let of = |(l, at): &(bool, u64)| (*l == leads).then_some(*at);
        file.iter().filter_map(of).collect()
    }

    fn whole(from: u64, to: u64, step: u64) -> Vec<u64> {
        (from / step..to / step).map(|i| i * step).collect()
    }

    #[test]
    fn a_file_begins_at_zero_with_a_key_frame_and_its_sound() {
        let mut got = vec![];
        files(&mut edit(None, false), &program(120, 2000, 25), &mut got);
        assert_eq!(got.len(), 1);
        assert_eq!(times(&got[0], true), whole(0, 1000, FRAME));
        assert_eq!(times(&got[0], false), whole(0, 1000, BLOCK));
    }

    #[test]
    fn a_file_begins_when_all_tracks_have() {
        let mut late = Edit::new(2, None, false);
        let mut got = vec![];
        let sounds_later = |p: &Piece| p.track == 0 || p.pts >= Duration::from_millis(1500);
        let mut pieces = program(0, 3000, 25);
        pieces.retain(sounds_later);
        files(&mut late, &pieces, &mut got);
        assert_eq!(times(&got[0], true), whole(0, 1000, FRAME));
        assert_eq!(times(&got[0], false), whole(0, 1000, BLOCK));
        // One that never begins is not waited for for ever.
        let mut never = Edit::new(2, None, false);
        let mut pieces = program(0, 4000, 25);
        pieces.retain(|p| p.track == 0);
        let mut got = vec![];
        files(&mut never, &pieces, &mut got);
        assert_eq!(times(&got[0], true), whole(0, 1000, FRAME));
    }

    #[test]
    fn a_pause_leaves_no_gap_in_either_track() {
        let mut edit = edit(None, false);
        let mut got = vec![];
        files(&mut edit, &program(0, 1200, 25), &mut got);
        edit.hold(true);
        assert!(
            !edit.asks(Duration::from_secs(1)),
            "nobody needs a key frame"
        );
        files(&mut edit, &program(1200, 4480, 25), &mut got);
        edit.hold(false);
        assert!(edit.asks(Duration::from_secs(5)) && !edit.asks(Duration::from_secs(5)));
        files(&mut edit, &program(4480, 7000, 25), &mut got);
        // Resumed at the key frame at 5000: 3800 ms are cut out.
        assert_eq!(got.len(), 1);
        assert_eq!(times(&got[0], true), whole(0, 3200, FRAME));
        assert_eq!(times(&got[0], false), whole(0, 3200, BLOCK));
    }

    #[test]
    fn sound_that_comes_late_is_taken_up_to_the_cut() {
        let mut edit = edit(None, false);
        let mut got = vec![];
        let pieces = program(0, 1000, 25);
        files(&mut edit, &pieces[..pieces.len() - 1], &mut got);
        edit.hold(true);
        files(&mut edit, &pieces[pieces.len() - 1..], &mut got);
        assert_eq!(times(&got[0], false), whole(0, 1000, BLOCK));
    }

    #[test]
    fn who_begins_paused_has_no_file_until_it_goes_on() {
        let mut edit = edit(None, true);
        let mut got = vec![];
        files(&mut edit, &program(0, 2000, 25), &mut got);
        assert!(got.is_empty());
        edit.hold(false);
        files(&mut edit, &program(2000, 3000, 25), &mut got);
        assert_eq!(times(&got[0], true), whole(0, 1000, FRAME));
    }

    #[test]
    fn parts_join_without_a_lost_or_doubled_packet() {
        let limit = Duration::from_millis(1500);
        let mut edit = edit(Some(Split::Time(limit)), false);
        let pieces = program(0, 8000, 10);
        let mut got = vec![];
        files(&mut edit, &pieces, &mut got);
        assert_eq!(got.len(), 5, "1600 ms each");
        for leads in [true, false] {
            let there: usize = got.iter().map(|f| times(f, leads).len()).sum();
            assert_eq!(
                there,
                pieces.iter().filter(|p| (p.track == 0) == leads).count()
            );
            for file in &got {
                assert_eq!(times(file, leads)[0], 0);
            }
        }
    }

    #[test]
    fn a_key_frame_is_asked_for_when_a_part_is_full_and_none_is_larger() {
        let limit = 500_000;
        let mut edit = edit(Some(Split::Size(limit)), false);
        let mut got = vec![];
        let mut asked = 0;
        let mut pieces = program(0, 30_000, 1000);
        let mut wanted = false;
        for piece in &mut pieces {
            if piece.track == 0 && wanted {
                piece.key = true;
                wanted = false;
            }
            files(&mut edit, std::slice::from_ref(piece), &mut got);
            if edit.asks(piece.pts) {
                asked += 1;
                wanted = true;
            }
        }
        assert!(got.len() > 3 && asked >= got.len() - 1);
        for file in &got {
            assert!(file.len() as u64 * 1016 <= limit);
        }
    }
}
