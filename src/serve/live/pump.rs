// SPDX-License-Identifier: GPL-3.0-or-later
//! Sends to all viewers who have caught up, in turn.
//!
//! A task per viewer, woken for each chunk, costs half as much again as the sending itself. So there is one task per
//! processor and format instead, woken once per chunk, which does what the barest loop would do: write to one socket
//! after the other. A socket that takes nothing is passed over, so nobody waits for anybody.

use std::{
    collections::HashMap,
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::yield_now,
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

use super::viewer::{Sent, Viewer};
use crate::{encode::Format, fanout::Join, mux::Chunk};

/// While nothing is published, viewers are looked at this often: who is let go must not wait for a picture.
const LOOK: Duration = Duration::from_millis(250);
/// After so many viewers other tasks get their turn: at some 10 µs each, in less than a millisecond.
const TURN: usize = 64;
/// More tasks than this would only wait for the network card.
const MOST_SHARES: usize = 4;

/// The pumps of all formats. They run only while they have viewers.
pub(in crate::serve) struct Pumps {
    shares: usize,
    running: Mutex<HashMap<(Format, usize), UnboundedSender<Viewer>>>,
    ended: CancellationToken,
}

impl Pumps {
    /// No pump yet; all end with the token.
    pub(in crate::serve) fn new(ended: CancellationToken) -> Pumps {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Pumps {
            shares: processors.min(MOST_SHARES),
            running: Mutex::default(),
            ended,
        }
    }

    /// Take over somebody who has caught up.
    pub(super) fn hand(&self, mut viewer: Viewer) {
        let format = viewer.lease.container().format;
        let place = (format, viewer.guard.id() as usize % self.shares);
        let mut running = self.running.lock();
        if let Some(pump) = running.get(&place) {
            match pump.send(viewer) {
                Ok(()) => return,
                // That pump has ended, for want of viewers.
                Err(unsent) => viewer = unsent.0,
            }
        }
        let (pump, newcomers) = unbounded_channel();
        tokio::spawn(Pump::of(viewer, newcomers).run(self.ended.clone()));
        running.insert(place, pump);
    }
}

/// The viewers of one pump.
struct Pump {
    viewers: Vec<Viewer>,
    newcomers: UnboundedReceiver<Viewer>,
    /// Lent to each viewer in turn.
    batch: Vec<Chunk>,
}

impl Pump {
    fn of(first: Viewer, newcomers: UnboundedReceiver<Viewer>) -> Pump {
        Pump {
            viewers: vec![first],
            newcomers,
            batch: vec![],
        }
    }

    /// Until there are no viewers, or the server ends.
    async fn run(mut self, ended: CancellationToken) {
        // Tells when something was published. The viewers read it, each from its own place.
        let stream = self.viewers[0].lease.stream().clone();
        let mut published = stream.subscribe(Join::NextKey);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.is_over() {
            tokio::select! {
                () = published.changed() => self.send().await,
                _ = look.tick() => self.send().await,
                Some(viewer) = self.newcomers.recv() => self.greet(viewer),
                () = ended.cancelled() => return,
            }
        }
    }

    /// Send to everybody what there is.
    async fn send(&mut self) {
        let mut next = 0;
        while next < self.viewers.len() {
            if next % TURN == TURN - 1 {
                yield_now().await;
            }
            match self.viewers[next].send(&mut self.batch, Instant::now()) {
                Sent::All | Sent::Some => next += 1,
                // The last one takes its place, and its turn.
                Sent::Ended(end) => self.viewers.swap_remove(next).part(end),
            }
        }
    }

    /// Send a newcomer what was published on its way here.
    fn greet(&mut self, mut viewer: Viewer) {
        match viewer.send(&mut self.batch, Instant::now()) {
            Sent::All | Sent::Some => self.viewers.push(viewer),
            Sent::Ended(end) => viewer.part(end),
        }
    }

    /// Whether nobody is there and nobody comes any more.
    fn is_over(&mut self) -> bool {
        if !self.viewers.is_empty() {
            return false;
        }
        // From here on newcomers get another pump; those who were sent before are still taken in.
        self.newcomers.close();
        while let Ok(viewer) = self.newcomers.try_recv() {
            self.viewers.push(viewer);
        }
        self.viewers.is_empty()
    }
}
