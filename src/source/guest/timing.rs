// SPDX-License-Identifier: GPL-3.0-or-later
//! When a guest's frames are due in the program.
//!
//! A sender counts time on a clock of its own, one count for the picture and one for the sound. Here each count is
//! laid beside our clock by the frames that travelled fastest, and followed as it drifts. The sender's reports say how
//! its two counts lie to each other, so that lips and words stay together. A delay that is as short as the network
//! allows keeps late frames from being too late.

use std::time::Duration;

use crate::message::MediaKind;

/// The fastest frame of so many seconds counts (of twice as many at most): clocks drift.
const FAST_WINDOW: u32 = 5;
/// The slowest one is remembered for longer: what happened once happens again.
const SLOW_WINDOW: u32 = 20;
/// The delay: what it begins with, and its limits. The program keeps no more than 200 ms for a source. Less would be
/// possible on a good line and an idle computer, but a gap in somebody's words is worse than a tenth of a second.
const DELAY_FIRST: f64 = 0.12;
const DELAY: std::ops::RangeInclusive<f64> = 0.08..=0.17;
/// Between the slowest frame's arrival and the moment it is due: time to decode it, and to be kept waiting by others.
const MARGIN: f64 = 0.05;
/// Seconds that times are moved per second. Clocks drift a hundred times less; nobody sees or hears it.
const SLEW: f64 = 0.02;
const DELAY_UP: f64 = 0.1;
const DELAY_DOWN: f64 = 0.01;
/// Further away than this is not drift: the sender began to count anew.
const JUMP: f64 = 2.0;
/// Reports that set picture and sound further apart than this are not believed.
const APART: f64 = 0.4;

/// A sender's report: one moment on its wall clock and in the count of a track, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Report {
    /// On the wall clock.
    pub(crate) wall: f64,
    /// In the count.
    pub(crate) count: f64,
}

/// Times of one guest's connection.
#[derive(Debug)]
pub(crate) struct Timing {
    video: Track,
    audio: Track,
    delay: f64,
}

#[derive(Debug, Default)]
struct Track {
    /// Our time less the sender's count: the least of late.
    fastest: Lowest<FAST_WINDOW>,
    /// How much later than the fastest the slowest came, less than nothing.
    slowest: Lowest<SLOW_WINDOW>,
    /// The sender's wall clock less its count.
    wall: Option<f64>,
    /// What is added to the count now, and since when.
    shift: Option<(f64, f64)>,
}

/// The least of the last seconds: of one to two windows.
#[derive(Debug, Default)]
struct Lowest<const SECONDS: u32> {
    before: Option<f64>,
    now: Option<(f64, f64)>,
}

impl<const SECONDS: u32> Lowest<SECONDS> {
    fn add(&mut self, time: f64, value: f64) {
        match &mut self.now {
            Some((since, least)) if time - *since < f64::from(SECONDS) => *least = least.min(value),
            _ => {
                self.before = self.now.map(|(_, least)| least);
                self.now = Some((time, value));
            }
        }
    }

    fn get(&self) -> Option<f64> {
        let (_, now) = self.now?;
        Some(self.before.map_or(now, |before| before.min(now)))
    }
}

impl Track {
    /// How far the wall clock lies from ours, by the frames of this track.
    fn wall_shift(&self) -> Option<f64> {
        Some(self.fastest.get()? - self.wall?)
    }
}

/// `now` on its way to `aim`, at this many seconds per second.
fn slew(now: f64, aim: f64, passed: f64, up: f64, down: f64) -> f64 {
    now + (aim - now).clamp(-down * passed, up * passed)
}

impl Timing {
    /// For a new connection.
    pub(crate) fn new() -> Self {
        Timing {
            video: Track::default(),
            audio: Track::default(),
            delay: DELAY_FIRST,
        }
    }

    fn tracks(&mut self, kind: MediaKind) -> (&mut Track, &Track) {
        match kind {
            MediaKind::Video => (&mut self.video, &self.audio),
            MediaKind::Audio => (&mut self.audio, &self.video),
        }
    }

    /// When a frame is due in the program that came at `arrival` (in the program) and has this time in the sender's
    /// count.
    pub(crate) fn place(
        &mut self,
        kind: MediaKind,
        arrival: Duration,
        count: f64,
        report: Option<Report>,
    ) -> Duration {
        let arrival = arrival.as_secs_f64();
        let (track, other) = self.tracks(kind);
        let way = arrival - count;
        if track.shift.is_some_and(|(s, _)| (way - s).abs() > JUMP) {
            *track = Track::default();
        }
        track.fastest.add(arrival, way);
        if let Some(report) = report {
            track.wall = Some(report.wall - report.count);
        }
        let own = track.fastest.get().unwrap_or(way);
        // By the wall clock the faster of the two tracks sets the time for both.
        let together = track
            .wall_shift()
            .zip(other.wall_shift())
            .zip(track.wall)
            .map(|((a, b), wall)| a.min(b) + wall)
            .filter(|shift| (own - shift).abs() < APART);
        let aim = together.unwrap_or(own);
        let (shift, passed) = match track.shift {
            Some((shift, at)) => {
                let passed = (arrival - at).clamp(0.0, 1.0);
                (slew(shift, aim, passed, SLEW, SLEW), passed)
            }
            None => (aim, 0.0),
        };
        track.shift = Some((shift, arrival));
        track.slowest.add(arrival, shift - way);
        let late = [&self.video, &self.audio].map(|t| t.slowest.get().map_or(0.0, |late| -late));
        let wanted = (late[0].max(late[1]) + MARGIN).clamp(*DELAY.start(), *DELAY.end());
        self.delay = slew(self.delay, wanted, passed, DELAY_UP, DELAY_DOWN);
        Duration::try_from_secs_f64(count + shift + self.delay).unwrap_or_default()
    }

    /// The delay now.
    #[cfg(test)]
    fn delay(&self) -> f64 {
        self.delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sender: its counts begin anywhere, its clock runs at `rate`, its picture takes `slow` longer than its sound.
    struct Sender {
        timing: Timing,
        rate: f64,
        slow: f64,
        reports: bool,
    }

    const COUNTS: [f64; 2] = [5000.0, 90.0];

    impl Sender {
        fn new(rate: f64, slow: f64, reports: bool) -> Sender {
            Sender {
                timing: Timing::new(),
                rate,
                slow,
                reports,
            }
        }

        /// Captured at this time of ours; when it is due, after how long.
        fn send(&mut self, kind: MediaKind, captured: f64, jitter: f64) -> f64 {
            let (start, way) = match kind {
                MediaKind::Video => (COUNTS[0], 0.02 + self.slow),
                MediaKind::Audio => (COUNTS[1], 0.02),
            };
            let theirs = captured * self.rate;
            let report = self.reports.then_some(Report {
                wall: 1.7e9 + theirs,
                count: start + theirs,
            });
            let arrival = Duration::from_secs_f64(captured + way + jitter);
            let due = self.timing.place(kind, arrival, start + theirs, report);
            due.as_secs_f64() - captured
        }

        /// So many seconds; the last delays from capture to due of picture and sound.
        fn run(&mut self, from: f64, seconds: f64) -> (f64, f64) {
            let mut last = (0.0, 0.0);
            for n in 0..(seconds * 50.0) as u32 {
                let at = from + f64::from(n) / 50.0;
                last.1 = self.send(MediaKind::Audio, at, 0.0);
                if n % 2 == 0 {
                    // Every tenth picture takes 10 ms longer.
                    let jitter = if n % 20 == 0 { 0.01 } else { 0.0 };
                    last.0 = self.send(MediaKind::Video, at, jitter);
                }
            }
            last
        }
    }

    #[test]
    fn frames_are_due_after_they_came_and_soon() {
        let mut sender = Sender::new(1.0, 0.0, false);
        for n in 0..500 {
            let at = 100.0 + f64::from(n) / 25.0;
            let due = sender.send(MediaKind::Video, at, f64::from(n % 7) / 1000.0);
            assert!((0.02..0.2).contains(&due), "frame {n} is due after {due}");
        }
        assert!(sender.timing.delay() < DELAY_FIRST);
    }

    #[test]
    fn lips_and_words_stay_together_when_the_picture_takes_longer() {
        let mut sender = Sender::new(1.0, 0.07, true);
        let (video, audio) = sender.run(10.0, 20.0);
        assert!((video - audio).abs() < 0.002, "{video} and {audio}");
        // And the picture still comes in time.
        assert!(video > 0.02 + 0.07 + 0.01, "{video}");
    }

    #[test]
    fn a_clock_that_drifts_is_followed() {
        for rate in [1.0002, 0.9998] {
            let mut sender = Sender::new(rate, 0.03, true);
            let early = sender.run(10.0, 30.0);
            let late = sender.run(40.0, 1200.0);
            // 1200 s at 200 in a million are 240 ms.
            assert!((late.0 - early.0).abs() < 0.02, "{early:?} then {late:?}");
            assert!((late.0 - late.1).abs() < 0.01, "{late:?}");
        }
    }

    #[test]
    fn one_who_counts_anew_is_followed_at_once() {
        let mut timing = Timing::new();
        let at = |n: u32| Duration::from_millis(u64::from(n) * 40);
        for n in 0..50 {
            timing.place(MediaKind::Video, at(n), f64::from(n) * 0.04, None);
        }
        let due = timing.place(MediaKind::Video, at(50), 77_777.0, None);
        assert!(due > at(50) && due < at(56), "{due:?}");
    }

    #[test]
    fn nonsense_in_reports_does_no_harm() {
        let mut timing = Timing::new();
        for n in 0..200u32 {
            let at = f64::from(n) * 0.02;
            let arrival = Duration::from_secs_f64(at + 0.02);
            let wall = if n % 2 == 0 { 0.0 } else { 1e9 };
            let kind = if n % 2 == 0 {
                MediaKind::Audio
            } else {
                MediaKind::Video
            };
            let due = timing.place(kind, arrival, at, Some(Report { wall, count: 3.0 }));
            let after = due.as_secs_f64() - at;
            assert!((0.02..0.25).contains(&after), "{n}: {after}");
        }
        let due = timing.place(MediaKind::Audio, Duration::ZERO, f64::NAN, None);
        assert_eq!(due, Duration::ZERO);
    }
}
