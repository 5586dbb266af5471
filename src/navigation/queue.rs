// SPDX-License-Identifier: GPL-3.0-or-later
//! Events that wait for one listener.
//!
//! There is room for [`MOST`]. A move takes the place of the one before it, and moves are handed out once per frame of
//! the program at most; what comes after one waits with it, so the order is kept. Where there is no room the oldest
//! move goes, and only where there is none the oldest of all.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Event;

/// Much more than anybody does in a second.
const MOST: usize = 256;

pub(super) struct Queue {
    frame: Duration,
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<Event>,
    /// When moves were handed out.
    moved: Option<Instant>,
    ended: bool,
    lost: u64,
}

/// What there is now.
#[derive(Debug, PartialEq)]
enum Now {
    Events(Vec<Event>),
    /// Only moves, for which it is too early.
    Later(Instant),
    Nothing,
    Ended,
}

impl Queue {
    pub(super) fn new(frame: Duration) -> Queue {
        Queue {
            frame,
            waiting: Mutex::default(),
            news: Notify::new(),
        }
    }

    /// One more. Never waits.
    pub(super) fn push(&self, event: Event) {
        self.waiting.lock().push(event);
        self.news.notify_one();
    }

    /// There will be no more.
    pub(super) fn end(&self) {
        self.waiting.lock().ended = true;
        self.news.notify_one();
    }

    /// What came, once there is something; `None` at the end.
    pub(super) async fn next(&self) -> Option<Vec<Event>> {
        loop {
            let now = self.waiting.lock().take(Instant::now(), self.frame);
            match now {
                Now::Events(events) => return Some(events),
                Now::Later(time) => {
                    // What comes meanwhile waits with it.
                    tokio::time::sleep_until(time.into()).await;
                }
                Now::Nothing => self.news.notified().await,
                Now::Ended => return None,
            }
        }
    }
}

impl Waiting {
    fn push(&mut self, event: Event) {
        let moves = self.events.iter_mut().rev().take_while(|e| e.is_move());
        for earlier in moves {
            if event.replaces(earlier) {
                *earlier = event;
                return;
            }
        }
        if self.events.len() >= MOST {
            let oldest = self.events.iter().position(Event::is_move).unwrap_or(0);
            self.events.remove(oldest);
            self.lost += 1;
        }
        self.events.push_back(event);
    }

    fn take(&mut self, now: Instant, frame: Duration) -> Now {
        let due = self.moved.map_or(now, |moved| moved + frame);
        let mut taken = Vec::new();
        let mut moves = due <= now;
        while let Some(event) = self.events.front() {
            if event.is_move() {
                if !moves {
                    break;
                }
                moves = false;
                self.moved = Some(now);
                // Those of several fingers.
                while self.events.front().is_some_and(Event::is_move) {
                    taken.extend(self.events.pop_front());
                }
            } else {
                taken.extend(self.events.pop_front());
            }
        }
        match (taken.is_empty(), self.events.is_empty()) {
            (false, _) => Now::Events(taken),
            (true, false) => Now::Later(due),
            (true, true) if self.ended => Now::Ended,
            (true, true) => Now::Nothing,
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let lost = self.waiting.get_mut().lost;
        if lost > 0 {
            tracing::warn!(lost, "a listener was too slow for what viewers did");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::navigation::{At, Kind};

    const FRAME: Duration = Duration::from_millis(40);

    fn to(x: f64) -> Event {
        let at = At {
            x,
            y: 0.0,
            width: 10,
            height: 10,
        };
        Event {
            at: Some(at),
            ..Event::of(Kind::PointerMove)
        }
    }

    fn finger(touch: u32, x: f64) -> Event {
        Event {
            touch: Some(touch),
            event: Kind::TouchMove,
            ..to(x)
        }
    }

    fn key(name: &str) -> Event {
        Event {
            key: Some(name.into()),
            ..Event::of(Kind::KeyPress)
        }
    }

    #[test]
    fn moves_come_once_per_frame_and_the_last_one_is_never_lost() {
        let mut queue = Waiting::default();
        let begin = Instant::now();
        queue.push(to(1.0));
        assert_eq!(queue.take(begin, FRAME), Now::Events(vec![to(1.0)]));
        for x in 2..=9 {
            queue.push(to(f64::from(x)));
        }
        assert_eq!(queue.take(begin, FRAME), Now::Later(begin + FRAME));
        // What comes after a move is not told before it.
        queue.push(key("a"));
        queue.push(to(10.0));
        let later = begin + FRAME;
        let both = vec![to(9.0), key("a")];
        assert_eq!(queue.take(later, FRAME), Now::Events(both));
        assert_eq!(queue.take(later, FRAME), Now::Later(later + FRAME));
        let last = queue.take(later + FRAME, FRAME);
        assert_eq!(last, Now::Events(vec![to(10.0)]));
        assert_eq!(queue.take(later + FRAME, FRAME), Now::Nothing);
    }

    #[test]
    fn each_finger_has_its_own_moves() {
        let mut queue = Waiting::default();
        for x in 0..100 {
            queue.push(finger(1, f64::from(x)));
            queue.push(finger(2, f64::from(x)));
        }
        let all = queue.take(Instant::now(), FRAME);
        assert_eq!(all, Now::Events(vec![finger(1, 99.0), finger(2, 99.0)]));
    }

    #[test]
    fn who_does_not_listen_loses_the_oldest_moves_first() {
        let mut queue = Waiting::default();
        for n in 0..MOST / 2 {
            queue.push(to(n as f64));
            queue.push(key(&n.to_string()));
        }
        for n in 0..MOST / 2 {
            queue.push(key(&format!("more {n}")));
        }
        assert_eq!((queue.events.len(), queue.lost), (MOST, MOST as u64 / 2));
        assert!(queue.events.iter().all(|e| !e.is_move()));
        queue.push(key("one more"));
        assert_eq!(queue.events.front(), Some(&key("1")));
        assert_eq!(queue.events.len(), MOST);
        queue.ended = true;
        let Now::Events(all) = queue.take(Instant::now(), FRAME) else {
            panic!("what was there is told before the end");
        };
        assert_eq!(all.len(), MOST);
        assert_eq!(queue.take(Instant::now(), FRAME), Now::Ended);
    }
}
