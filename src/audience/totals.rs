// SPDX-License-Identifier: GPL-3.0-or-later
//! Numbers of everybody who ever came.

use super::{End, Transport, Viewer};

/// Counted since the engine started, over all broadcasts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Who watches now, in the order of [`Transport::ALL`].
    present: [u64; Transport::ALL.len()],
    joined: [u64; Transport::ALL.len()],
    ends: [u64; End::ALL.len()],
    bytes: u64,
    missed: u64,
}

impl Totals {
    /// Count one who left.
    pub(super) fn add(&mut self, viewer: &Viewer, end: End) {
        self.joined[viewer.who.transport as usize] += 1;
        self.ends[end as usize] += 1;
        self.bytes += viewer.counters.bytes();
        self.missed += viewer.counters.dropped();
    }

    /// Count one who is there.
    pub(super) fn add_present(&mut self, viewer: &Viewer) {
        self.joined[viewer.who.transport as usize] += 1;
        self.present[viewer.who.transport as usize] += 1;
        self.bytes += viewer.counters.bytes();
        self.missed += viewer.counters.dropped();
    }

    /// How many watch now in this way.
    pub fn present(&self, transport: Transport) -> u64 {
        self.present[transport as usize]
    }

    /// How many ever came in this way.
    pub fn joined(&self, transport: Transport) -> u64 {
        self.joined[transport as usize]
    }

    /// How many left for this reason.
    pub fn ended(&self, end: End) -> u64 {
        self.ends[end as usize]
    }

    /// Bytes that viewers took.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Frames that viewers missed because they were too slow.
    pub fn missed(&self) -> u64 {
        self.missed
    }
}
