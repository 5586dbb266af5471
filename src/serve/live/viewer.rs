// SPDX-License-Identifier: GPL-3.0-or-later
//! One viewer of an endless stream: a place in the ring, a socket, and what the socket has not taken yet.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use super::super::{icy::Weaver, rooms::Room, unsent::Unsent, wire::Wire};
use crate::{
    audience::Guard,
    fanout::Taken,
    mux::{Chunk, ChunkFeed, MuxLease},
};

/// How often a viewer whose connection takes nothing is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Chunks taken from the ring at once: enough to catch up quickly, few enough to skip soon.
const BATCH: usize = 16;

/// Somebody who watches. While its socket takes nothing it keeps its place until the ring moves on; then it continues
/// at the newest key frame.
pub(super) struct Viewer<W> {
    pub(super) socket: W,
    pub(super) unsent: Unsent,
    pub(super) weaver: Option<Weaver>,
    pub(super) feed: ChunkFeed,
    /// Since when the socket has taken nothing.
    pub(super) stuck: Option<Instant>,
    /// How long it may take nothing.
    pub(super) stall: Duration,
    pub(super) guard: Guard,
    /// Keeps the muxer going.
    pub(super) lease: MuxLease,
    #[expect(
        dead_code,
        reason = "a place among the connections, held as long as this one"
    )]
    pub(super) room: Room,
}

/// What came of sending.
pub(super) enum Sent {
    /// All there is.
    All,
    /// As much as the socket takes now.
    Some,
    /// The last there is.
    Ended(End),
}

/// How a stream to one viewer ended.
pub(super) enum End {
    /// There is no more, or the viewer is let go.
    Over,
    /// The viewer closed the connection.
    Gone,
    /// The viewer took nothing for too long.
    Slow,
}

impl<W: Wire> Viewer<W> {
    /// Send until there is nothing more, or it ends.
    pub(super) async fn catch_up(&mut self) -> Option<End> {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            match self.send(&mut batch, Instant::now()) {
                Sent::All => return None,
                Sent::Ended(end) => return Some(end),
                Sent::Some => tokio::select! {
                    // An error is found by the next writing.
                    _ = self.socket.tcp().writable() => (),
                    () = tokio::time::sleep(LOOK) => (),
                    () = self.guard.kicked() => (),
                },
            }
        }
    }

    /// Send what there is, as far as the socket takes it. `batch` is empty before and after; it is lent, so that its
    /// memory serves all.
    pub(super) fn send(&mut self, batch: &mut Vec<Chunk>, now: Instant) -> Sent {
        if self.guard.is_kicked() {
            return Sent::Ended(End::Over);
        }
        let counters = self.guard.counters();
        loop {
            while !self.unsent.is_done(&self.socket) {
                match self.unsent.write(&mut self.socket) {
                    Ok(n) => {
                        counters.add_bytes(n as u64);
                        self.stuck = None;
                    }
                    Err(e) if e.kind() == ErrorKind::WouldBlock => {
                        counters.set_queue_ms(self.feed.lag().as_millis() as u32);
                        let since = *self.stuck.get_or_insert(now);
                        return match now.saturating_duration_since(since) >= self.stall {
                            true => Sent::Ended(End::Slow),
                            false => Sent::Some,
                        };
                    }
                    Err(_) => return Sent::Ended(End::Gone),
                }
            }
            match self.feed.poll(batch, BATCH) {
                Taken::Items(_) => counters.set_dropped(self.feed.skipped()),
                Taken::Nothing => {
                    counters.set_queue_ms(0);
                    return Sent::All;
                }
                Taken::Ended => return Sent::Ended(End::Over),
            }
            for chunk in batch.drain(..) {
                match &mut self.weaver {
                    Some(weaver) => weaver.weave(chunk.data, &mut self.unsent),
                    None => self.unsent.push(chunk.data),
                }
            }
        }
    }

    /// Let it go.
    pub(super) fn part(mut self, end: End) {
        match end {
            End::Over => self.socket.finish(),
            End::Gone => (),
            End::Slow => self.guard.audience().let_slow_go(self.guard.id()),
        }
    }
}
