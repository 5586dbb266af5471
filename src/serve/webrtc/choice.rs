// SPDX-License-Identifier: GPL-3.0-or-later
//! Which size of the picture a viewer gets: a pure machine, told what is known of the line.
//!
//! ```text
//!         frames wait                    time to ask
//! Full ───────────────▶ Low ◀──────────────────────────▶ Asking
//!   ▲                            the line carries less       │
//!   └────────────────────────────────────────────────────────┘
//!                      the line carries the full picture
//! ```
//!
//! *Frames wait*, and the estimate is low, is the sign to go down: what is sent is paced by the estimate of the line, so they wait exactly when
//! they are more than the line carries. The sign to go up must be asked for: what is sent of the small picture tells
//! nothing of more. So the line is asked now and then by a burst of padding; and the first seconds with the full picture
//! are a trial, which ends sooner and makes the next question later if it fails.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::tracks::Needs;
use crate::encode::Size;

/// A frame that waits this long to be sent is one of a picture too large for the line, if the estimate says so too.
pub(super) const LATE: Duration = Duration::from_millis(400);
/// And if it waits this long, whatever the estimate says, which is taken twice a second.
pub(super) const TOO_LATE: Duration = Duration::from_millis(800);
/// An estimate of less than this share of the need says it clearly.
const FAR_BELOW: f64 = 0.7;
/// The same in a trial, or where the estimate says it clearly.
const TRIAL_LATE: Duration = Duration::from_millis(200);
/// With frames waiting longer than this, the line is not asked.
pub(super) const CALM: Duration = Duration::from_millis(100);
/// How long the full picture is a trial.
const TRIAL: Duration = Duration::from_secs(5);
/// From the question to the answer: the burst, its way and back, and a look at the estimate.
const ANSWER: Duration = Duration::from_millis(1600);
/// From the small picture to the first question; each question that says no makes the next one later.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Between questions at most, so that the picture is full again within 20 s after the line is wide: also if one finds it
/// busy.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// After trials that failed, at most.
const LONGEST_BREAK: Duration = Duration::from_secs(12);
/// Where nothing is known of the line, each question is a trial, and disturbs.
const BLIND_PAUSE: Duration = Duration::from_secs(60);
/// Lost for this long, this share is more than repeats make good; of the small picture less is lost. It is also the sign of
/// a narrow line where there is no estimate.
const LOSSY: (Duration, f32) = (Duration::from_secs(3), 0.1);
/// From the small picture to when an estimate that is too low for it is doubted, at first; doubling, up to this.
const DOUBT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(16));
/// The line must carry this much more than is needed: a picture is not equally large all the time.
const MARGIN: f64 = 1.2;

/// What a viewer asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wish {
    /// What its line carries.
    #[default]
    Auto,
    /// The picture as it is, whatever its line carries.
    Full,
    /// The small picture.
    #[serde(alias = "half")]
    Low,
}

/// What is known of the line to a viewer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Signs {
    /// How long the oldest frame waits to be sent.
    pub(super) queue: Duration,
    /// Bits per second that it carries. `None` where the viewer does not tell what arrives when.
    pub(super) estimate: Option<u64>,
    /// Share of packets lost.
    pub(super) loss: f32,
    /// It ends on this computer: there is no line, and what seems one is that the processor is busy, which a second encoder
    /// would make worse.
    pub(super) is_local: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Nothing new.
    Stay,
    /// Ask the line what it carries.
    Ask,
    /// Ask no more.
    Rest,
    /// Begin the estimate anew with what the small picture needs.
    Doubt,
    /// Begin the estimate anew as at first.
    Trust,
    /// Change over to this size, with its next key frame.
    Turn(Size),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The full picture; until then it is a trial.
    Full { trial: Option<Instant> },
    /// The small one, and when to ask.
    Low { ask_at: Instant },
    /// The small one, while the line is asked; when the answer is there.
    Asking { answer_at: Instant },
}

/// The choice for one viewer.
#[derive(Debug)]
pub(super) struct Choice {
    wish: Wish,
    state: State,
    /// To the next question, or the one after a trial.
    pause: Duration,
    lossy_since: Option<Instant>,
    /// When a low estimate is doubted, and how long after that again.
    doubt: Option<(Instant, Duration)>,
}

impl Choice {
    pub(super) fn new() -> Choice {
        Choice {
            wish: Wish::Auto,
            state: State::Full { trial: None },
            pause: FIRST_PAUSE,
            lossy_since: None,
            doubt: None,
        }
    }

    /// The size to be sent.
    pub(super) fn size(&self) -> Size {
        match self.state {
            State::Full { .. } => Size::Full,
            State::Low { .. } | State::Asking { .. } => Size::Low,
        }
    }

    /// The viewer chooses.
    pub(super) fn wish(&mut self, wish: Wish, now: Instant) -> Act {
        let before = self.size();
        self.wish = wish;
        self.pause = FIRST_PAUSE;
        self.lossy_since = None;
        match wish {
            Wish::Full => self.state = State::Full { trial: None },
            Wish::Low => self.state = State::Low { ask_at: now },
            Wish::Auto => (),
        }
        match self.size() {
            after if after == before => Act::Stay,
            after => Act::Turn(after),
        }
    }

    /// Draw the consequences of these signs.
    pub(super) fn step(&mut self, signs: Signs, needs: Needs, now: Instant) -> Act {
        if signs.is_local {
            return self.local(signs, now);
        }
        if self.size() == Size::Low && self.is_doubtful(signs, needs, now) {
            return Act::Doubt;
        }
        if self.wish != Wish::Auto {
            return Act::Stay;
        }
        match self.state {
            State::Full { trial } => self.full(signs, trial, needs, now),
            State::Low { ask_at } if now < ask_at => Act::Stay,
            State::Low { .. } if signs.queue > CALM => Act::Stay,
            State::Low { .. } if signs.estimate.is_some_and(|bits| bits < needs.low) => Act::Stay,
            State::Low { .. } if signs.estimate.is_none() => self.try_full(now),
            State::Low { .. } => {
                let answer_at = now + ANSWER;
                self.state = State::Asking { answer_at };
                Act::Ask
            }
            State::Asking { .. } if signs.queue > TRIAL_LATE => self.carries_less(now),
            State::Asking { answer_at } if now < answer_at => Act::Stay,
            State::Asking { .. } => {
                let enough = needs.full as f64 * MARGIN;
                match signs.estimate {
                    Some(bits) if bits as f64 >= enough && signs.loss < LOSSY.1 => {
                        self.try_full(now)
                    }
                    Some(_) | None => self.carries_less(now),
                }
            }
        }
    }

    fn local(&mut self, signs: Signs, now: Instant) -> Act {
        if self.wish == Wish::Auto && self.size() == Size::Low {
            self.state = State::Full { trial: None };
            return Act::Turn(Size::Full);
        }
        let (at, pause) = *self.doubt.get_or_insert((now, DOUBT.0));
        if now < at || signs.queue < CALM {
            return Act::Stay;
        }
        self.doubt = Some((now + pause, pause));
        Act::Trust
    }

    fn full(&mut self, signs: Signs, trial: Option<Instant>, needs: Needs, now: Instant) -> Act {
        let on_trial = trial.is_some_and(|until| now < until);
        if trial.is_some() && !on_trial {
            self.state = State::Full { trial: None };
            self.pause = FIRST_PAUSE;
        }
        let late = match signs.estimate {
            _ if on_trial => TRIAL_LATE,
            Some(bits) if bits > needs.full => TOO_LATE,
            Some(bits) if (bits as f64) < needs.full as f64 * FAR_BELOW => TRIAL_LATE,
            Some(_) | None => LATE,
        };
        if signs.queue < late && !self.is_lossy(signs, now) {
            return Act::Stay;
        }
        self.lossy_since = None;
        self.doubt = Some((now + DOUBT.0, DOUBT.0));
        self.pause = match (on_trial, signs.estimate) {
            (_, None) => BLIND_PAUSE,
            (true, Some(_)) => (self.pause * 2).min(LONGEST_BREAK),
            (false, Some(_)) => FIRST_PAUSE,
        };
        let ask_at = now + self.pause;
        self.state = State::Low { ask_at };
        Act::Turn(Size::Low)
    }

    /// What is sent is never more than the estimate for long, so an estimate that fell too low, as it does when much was
    /// lost at once, hears of no more and rises for half a minute.
    fn is_doubtful(&mut self, signs: Signs, needs: Needs, now: Instant) -> bool {
        let (at, pause) = *self.doubt.get_or_insert((now + DOUBT.0, DOUBT.0));
        let low = signs.estimate.is_some_and(|bits| bits < needs.low);
        if now < at || !low || signs.queue < LATE {
            return false;
        }
        let pause = (pause * 2).min(DOUBT.1);
        self.doubt = Some((now + pause, pause));
        true
    }

    fn is_lossy(&mut self, signs: Signs, now: Instant) -> bool {
        let (long, share) = LOSSY;
        if signs.loss < share {
            self.lossy_since = None;
            return false;
        }
        now.saturating_duration_since(*self.lossy_since.get_or_insert(now)) >= long
    }

    fn try_full(&mut self, now: Instant) -> Act {
        let trial = Some(now + TRIAL);
        self.state = State::Full { trial };
        Act::Turn(Size::Full)
    }

    fn carries_less(&mut self, now: Instant) -> Act {
        self.pause = (self.pause * 3 / 2).min(LONGEST_PAUSE.max(self.pause));
        let ask_at = now + self.pause;
        self.state = State::Low { ask_at };
        Act::Rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDS: Needs = Needs {
        full: 2_500_000,
        low: 700_000,
    };

    fn signs(queue: u64, estimate: u64) -> Signs {
        Signs {
            queue: Duration::from_millis(queue),
            estimate: Some(estimate),
            ..Signs::default()
        }
    }

    /// A choice, and its time.
    struct Line {
        choice: Choice,
        now: Instant,
    }

    impl Line {
        fn new() -> Line {
            Line {
                choice: Choice::new(),
                now: Instant::now(),
            }
        }

        /// The same signs for so long, as 30 frames a second see them; what was done.
        fn pass(&mut self, ms: u64, signs: Signs) -> Vec<Act> {
            let end = self.now + Duration::from_millis(ms);
            let mut acts = vec![];
            while self.now < end {
                self.now += Duration::from_millis(33);
                let act = self.choice.step(signs, NEEDS, self.now);
                acts.extend((act != Act::Stay).then_some(act));
            }
            acts
        }
    }

    const DOWN: Act = Act::Turn(Size::Low);
    const UP: Act = Act::Turn(Size::Full);

    #[test]
    fn a_line_that_carries_it_keeps_the_full_picture() {
        let mut line = Line::new();
        // As a key frame makes it, and with an estimate that was disturbed.
        assert_eq!(line.pass(60_000, signs(150, 1_900_000)), []);
        assert_eq!(line.pass(60_000, signs(700, 2_600_000)), []);
        assert_eq!(line.choice.size(), Size::Full);
    }

    #[test]
    fn frames_that_wait_bring_the_small_picture_at_once_and_the_line_is_asked_after_a_while() {
        let mut line = Line::new();
        assert_eq!(line.pass(33, signs(200, 1_000_000)), [DOWN]);
        assert_eq!(line.pass(4900, signs(0, 1_100_000)), []);
        assert_eq!(line.pass(200, signs(0, 1_100_000)), [Act::Ask]);
        assert_eq!(line.choice.size(), Size::Low);
        assert_eq!(line.pass(2000, signs(0, 1_100_000)), [Act::Rest]);
    }

    #[test]
    fn the_full_picture_is_back_within_20_s_whatever_was_before() {
        let mut line = Line::new();
        line.pass(33, signs(400, 1_000_000));
        // Trials that fail, as a line makes them that lets bursts through.
        for _ in 0..10 {
            while !line.pass(33, signs(0, 9_000_000)).contains(&UP) {}
            assert_eq!(line.pass(33, signs(200, 1_000_000)), [DOWN]);
        }
        // And a line that is narrow for a long time.
        line.pass(300_000, signs(0, 1_000_000));
        let wide = line.now;
        while !line.pass(33, signs(0, 9_000_000)).contains(&UP) {}
        let took = line.now - wide;
        assert!(took < Duration::from_secs(16), "{took:?}");
    }

    #[test]
    fn a_trial_that_fails_makes_the_next_one_later_until_one_succeeds() {
        let mut line = Line::new();
        let mut pauses = vec![];
        line.pass(33, signs(400, 1_000_000));
        for _ in 0..4 {
            let down = line.now;
            while !line.pass(33, signs(0, 9_000_000)).contains(&UP) {}
            pauses.push((line.now - down).as_secs());
            line.pass(33, signs(250, 1_000_000));
        }
        assert_eq!(pauses, [6, 11, 13, 13]);
        while !line.pass(33, signs(0, 9_000_000)).contains(&UP) {}
        assert_eq!(line.pass(6000, signs(250, 9_000_000))[0], DOWN);
        while !line.pass(33, signs(0, 9_000_000)).contains(&UP) {}
        assert_eq!(line.pass(6000, signs(0, 9_000_000)), []);
        assert_eq!(line.pass(33, signs(400, 1_000_000)), [DOWN]);
        let down = line.now;
        while !line.pass(33, signs(0, 9_000_000)).contains(&UP) {}
        assert_eq!((line.now - down).as_secs(), 6);
    }

    #[test]
    fn a_line_is_not_asked_while_even_the_small_picture_waits() {
        let mut line = Line::new();
        line.pass(33, signs(400, 300_000));
        assert_eq!(line.pass(60_000, signs(300, 800_000)), []);
        assert_eq!(line.pass(60_000, signs(0, 300_000)), []);
        assert_eq!(line.pass(33, signs(0, 800_000)), [Act::Ask]);
        assert_eq!(line.pass(33, signs(300, 800_000)), [Act::Rest]);
    }

    #[test]
    fn an_estimate_too_low_for_the_small_picture_is_doubted_less_and_less_often() {
        let mut line = Line::new();
        line.pass(33, signs(400, 300_000));
        assert_eq!(line.pass(900, signs(1000, 300_000)), []);
        let mut when = vec![];
        while when.len() < 6 {
            let start = line.now;
            while line.pass(33, signs(1000, 300_000)) != [Act::Doubt] {}
            when.push((line.now - start).as_millis() / 1000);
        }
        assert_eq!(when, [0, 2, 4, 8, 16, 16]);
        // One that is enough is not, whatever waits.
        assert_eq!(line.pass(60_000, signs(1000, 800_000)), []);
    }

    #[test]
    fn who_tells_nothing_of_the_line_is_judged_by_loss_and_tried_seldom() {
        let mut line = Line::new();
        let blind = |loss| Signs {
            loss,
            ..Signs::default()
        };
        assert_eq!(line.pass(60_000, blind(0.05)), []);
        assert_eq!(line.pass(2900, blind(0.2)), []);
        assert_eq!(line.pass(200, blind(0.2)), [DOWN]);
        assert_eq!(line.pass(59_000, blind(0.0)), []);
        assert_eq!(line.pass(2000, blind(0.0)), [UP]);
    }

    #[test]
    fn while_very_much_is_lost_the_picture_is_small_whatever_the_line_carries() {
        let mut line = Line::new();
        let lossy = |loss| Signs {
            loss,
            ..signs(0, 9_000_000)
        };
        assert_eq!(line.pass(60_000, lossy(0.06)), []);
        assert_eq!(line.pass(4000, lossy(0.15)), [DOWN]);
        assert_eq!(line.pass(8000, lossy(0.15)), [Act::Ask, Act::Rest]);
        assert!(line.pass(20_000, lossy(0.0)).contains(&UP));
    }

    #[test]
    fn on_this_computer_there_is_no_line_and_an_estimate_of_one_is_not_believed() {
        let mut line = Line::new();
        let here = |queue| Signs {
            is_local: true,
            ..signs(queue, 300_000)
        };
        assert_eq!(line.pass(60_000, here(0)), []);
        let acts = line.pass(10_000, here(1000));
        assert!(acts.iter().all(|act| *act == Act::Trust), "{acts:?}");
        assert_eq!(acts.len(), 10);
        assert_eq!(line.choice.wish(Wish::Low, line.now), DOWN);
        assert_eq!(line.pass(10_000, here(0)), []);
        line.choice.wish(Wish::Auto, line.now);
        assert_eq!(line.pass(33, here(0)), [UP]);
    }

    #[test]
    fn what_the_viewer_asks_for_counts_for_more_than_the_line() {
        let mut line = Line::new();
        assert_eq!(line.choice.wish(Wish::Low, line.now), DOWN);
        assert_eq!(line.choice.wish(Wish::Low, line.now), Act::Stay);
        assert_eq!(line.pass(60_000, signs(0, 9_000_000)), []);
        assert_eq!(line.choice.wish(Wish::Full, line.now), UP);
        assert_eq!(line.pass(60_000, signs(2000, 100_000)), []);
        assert_eq!(line.choice.wish(Wish::Auto, line.now), Act::Stay);
        assert_eq!(line.pass(33, signs(2000, 100_000)), [DOWN]);
        let wish = |text| serde_json::from_str::<Wish>(text).unwrap();
        assert_eq!((wish("\"auto\""), wish("\"low\"")), (Wish::Auto, Wish::Low));
    }
}
