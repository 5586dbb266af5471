// SPDX-License-Identifier: GPL-3.0-or-later
//! Numbers of an output beyond its bytes.

use std::{sync::atomic::Ordering::Relaxed, time::SystemTime};

use super::{Board, Context};
use crate::message::OutputState;

/// What is known of an output beyond state and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutputNumbers {
    /// Pieces of the stream that were left out because the other side was too slow.
    pub dropped: u64,
    /// What the server says of the mount, where it may be asked.
    pub mount: Option<MountNumbers>,
}

/// What an Icecast server says of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MountNumbers {
    /// Listeners now, relays among them.
    pub listeners: u64,
    /// The most at one time.
    pub peak: u64,
    /// Bytes sent to listeners.
    pub bytes: u64,
}

impl Board {
    /// Numbers of the output of this name.
    pub(crate) fn numbers(&self, name: &str) -> OutputNumbers {
        let cells = self.0.lock();
        cells
            .get(name)
            .map(|cell| *cell.numbers.lock())
            .unwrap_or_default()
    }
}

impl Context {
    /// The other side took so many bytes just now: the output is live.
    pub(super) fn took(&self, bytes: usize) {
        self.cell.bytes.fetch_add(bytes as u64, Relaxed);
        if !matches!(*self.cell.state.borrow(), OutputState::Live { .. }) {
            self.tell(OutputState::Live {
                since: SystemTime::now(),
            });
        }
    }

    /// So many pieces were left out.
    pub(super) fn skipped(&self, pieces: u64) {
        self.cell.numbers.lock().dropped += pieces;
    }

    /// What the server says of the mount now.
    pub(super) fn note_mount(&self, mount: Option<MountNumbers>) {
        self.cell.numbers.lock().mount = mount;
    }
}
