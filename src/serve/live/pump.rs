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
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::yield_now,
    time::MissedTickBehavior,
};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::{
    super::wire::Wire,
    viewer::{Sent, Viewer},
};
use crate::{encode::Format, fanout::Join, mux::Chunk};

/// While nothing is published, viewers are looked at this often: who is let go must not wait for a picture.
const LOOK: Duration = Duration::from_millis(250);
/// After so many viewers other tasks get their turn: at some 10 µs each, in less than a millisecond.
const TURN: usize = 64;
/// More tasks than this would only wait for the network card.
const MOST_SHARES: usize = 4;

/// The pumps of both kinds of connection.
pub(in crate::serve) struct Pumps {
    pub(in crate::serve) plain: Pump<TcpStream>,
    pub(in crate::serve) secure: Pump<TlsStream<TcpStream>>,
}

impl Pumps {
    /// At rest; all ends with the token.
    pub(in crate::serve) fn new(ended: &CancellationToken) -> Pumps {
        Pumps {
            plain: Pump::new(ended.clone()),
            secure: Pump::new(ended.clone()),
        }
    }
}

type Door<W> = UnboundedSender<Viewer<W>>;

/// Sends in all formats. Its tasks run only while they have viewers.
pub(in crate::serve) struct Pump<W> {
    shares: usize,
    /// Where newcomers are handed to, by format and number of the share.
    running: Mutex<HashMap<(Format, usize), Door<W>>>,
    ended: CancellationToken,
}

impl<W: Wire> Pump<W> {
    fn new(ended: CancellationToken) -> Pump<W> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Pump {
            shares: processors.min(MOST_SHARES),
            running: Mutex::default(),
            ended,
        }
    }

    /// Take over somebody who has caught up.
    pub(super) fn hand(&self, mut viewer: Viewer<W>) {
        let format = viewer.lease.container().format;
        let place = (format, viewer.guard.id() as usize % self.shares);
        let mut running = self.running.lock();
        if let Some(share) = running.get(&place) {
            match share.send(viewer) {
                Ok(()) => return,
                // That share has ended, for want of viewers.
                Err(unsent) => viewer = unsent.0,
            }
        }
        let (newcomer, newcomers) = unbounded_channel();
        let share = Share {
            viewers: vec![viewer],
            newcomers,
            batch: vec![],
        };
        tokio::spawn(share.run(self.ended.clone()));
        running.insert(place, newcomer);
    }
}

/// The viewers of one task.
struct Share<W> {
    viewers: Vec<Viewer<W>>,
    newcomers: UnboundedReceiver<Viewer<W>>,
    /// Lent to each viewer in turn.
    batch: Vec<Chunk>,
}

impl<W: Wire> Share<W> {
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
    fn greet(&mut self, mut viewer: Viewer<W>) {
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
