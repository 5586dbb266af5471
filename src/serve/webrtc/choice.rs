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

#[cfg(test)]
mod tests;

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

    /// The full picture, and no trial of it: the line is not being asked.
    pub(super) fn is_settled(&self) -> bool {
        self.state == State::Full { trial: None }
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
            Some(bits) if bits > needs.full && on_trial => LATE,
            Some(bits) if bits > needs.full => TOO_LATE,
            _ if on_trial => TRIAL_LATE,
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
