// SPDX-License-Identifier: GPL-3.0-or-later
//! Sound that is known to come from the right microphone.
//!
//! `PulseAudio` moves a recording to another microphone when one is unplugged, does not ask, and cannot be told not to
//! (`PipeWire` can, see [`device`](super::device)). So each block of sound waits here until the server, asked after the
//! block had come, still names the chosen microphone. It costs a tenth of a second.

use std::{
    collections::VecDeque,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use gst::prelude::*;
use parking_lot::Mutex;

use super::{Said, Tell};
use crate::{error::SourceError, program::Pusher};

/// How often the server is asked.
const ASK: Duration = Duration::from_millis(30);
/// Sound comes this much later, so that it is checked in time.
const HELD: gst::ClockTime = gst::ClockTime::from_mseconds(100);
/// More than this never waits: the server does not answer.
const MOST: usize = 200;

/// What waits, and since when.
#[derive(Clone)]
struct Waiting<T>(Arc<Mutex<VecDeque<(Instant, T)>>>);

impl<T> Waiting<T> {
    fn new() -> Self {
        Waiting(Arc::default())
    }

    fn put(&self, what: T, now: Instant) {
        let mut waiting = self.0.lock();
        waiting.push_back((now, what));
        if waiting.len() > MOST {
            waiting.pop_front();
        }
    }

    /// All that came before this time.
    fn before(&self, time: Instant) -> Vec<T> {
        let mut waiting = self.0.lock();
        let count = waiting.partition_point(|(came, _)| *came < time);
        waiting.drain(..count).map(|(_, what)| what).collect()
    }
}

type Block = (Pusher, gst::Sample, gst::ClockTime);

/// Lets sound through while the microphone is the right one; ends when dropped.
pub(super) struct Certain {
    waiting: Waiting<Block>,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Certain {
    /// Ask this element for its `current-device`, which should be `right`; otherwise tell this error.
    pub(super) fn start(
        element: &gst::Element,
        right: String,
        wrong: SourceError,
        tell: Tell,
    ) -> std::io::Result<Certain> {
        let waiting = Waiting::<Block>::new();
        let (stop, stopped) = mpsc::channel();
        let (element, through) = (element.clone(), waiting.clone());
        let thread = thread::Builder::new()
            .name("microphone".into())
            .spawn(move || {
                while stopped.recv_timeout(ASK) == Err(mpsc::RecvTimeoutError::Timeout) {
                    let asked = Instant::now();
                    let now: Option<String> = element.property("current-device");
                    match now.as_deref() {
                        // Not connected yet.
                        None | Some("") => (),
                        Some(now) if now == right => {
                            for (pusher, sample, base) in through.before(asked) {
                                pusher.push(&sample, base + HELD);
                            }
                        }
                        Some(_) => return drop(tell.send(Said::Failed(wrong))),
                    }
                }
            })?;
        Ok(Certain {
            waiting,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// How to put in what comes from the microphone.
    pub(super) fn way_in(
        &self,
    ) -> impl Fn(&Pusher, &gst::Sample, gst::ClockTime) + Clone + Send + Sync + 'static {
        let waiting = self.waiting.clone();
        move |pusher, sample, base| {
            waiting.put((pusher.clone(), sample.clone(), base), Instant::now());
        }
    }
}

impl Drop for Certain {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_before_the_question_is_let_through() {
        let waiting = Waiting::new();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        for (what, ms) in [("a", 0), ("b", 10), ("c", 20)] {
            waiting.put(what, at(ms));
        }
        assert_eq!(waiting.before(at(20)), ["a", "b"]);
        assert_eq!(waiting.before(at(20)), Vec::<&str>::new());
        assert_eq!(waiting.before(at(21)), ["c"]);
    }

    #[test]
    fn a_server_that_does_not_answer_costs_no_memory() {
        let waiting = Waiting::new();
        let now = Instant::now();
        (0..MOST + 5).for_each(|n| waiting.put(n, now));
        let left = waiting.before(now + Duration::from_secs(1));
        assert_eq!((left.len(), left[0]), (MOST, 5));
    }
}
