// SPDX-License-Identifier: GPL-3.0-or-later
//! What an output's task works with, and tells of itself.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use tokio::{runtime::Handle, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Cell, Progress};
use crate::{
    audience::Audience,
    encode::Encoders,
    error::OutputError,
    message::{OutputState, OutputStatus},
    mux::Muxes,
    navigation::Navigation,
    now_playing::NowPlaying,
    program::{ProgramOut, StudioClock},
};

/// What one output's task works with.
pub(crate) struct Context {
    pub(super) runtime: Handle,
    pub(super) clock: StudioClock,
    pub(super) program: ProgramOut,
    pub(super) encoders: Encoders,
    /// One mux per format, for outputs that send the same bytes as the built-in server.
    pub(super) muxes: Muxes,
    pub(super) audience: Audience,
    pub(super) now_playing: NowPlaying,
    /// What viewers do with a picture goes there.
    pub(super) navigation: Navigation,
    pub(super) stop: CancellationToken,
    /// Pipelines that end in threads of their own.
    pub(super) endings: TaskTracker,
    /// Whether the user wants it to pause.
    pub(super) hold: watch::Receiver<bool>,
    pub(super) cell: Arc<Cell>,
    pub(super) told: Arc<dyn Fn(OutputStatus) + Send + Sync>,
}

impl Context {
    /// Go to a state, and say so if it is a new one.
    pub(super) fn tell(&self, state: OutputState) {
        let new = self.cell.state.send_if_modified(|old| {
            let differs = *old != state;
            *old = state;
            differs
        });
        if new {
            (self.told)(self.cell.status());
        }
    }

    /// Warn of what will stop it soon, or do not any more.
    pub(super) fn warn(&self, warning: Option<OutputError>) {
        let old = std::mem::replace(&mut *self.cell.warning.lock(), warning.clone());
        if old != warning {
            (self.told)(self.cell.status());
        }
    }

    /// Warn of this no more.
    pub(super) fn calm(&self, of: &OutputError) {
        let warned = self.cell.warning.lock().as_ref() == Some(of);
        if warned {
            self.warn(None);
        }
    }

    /// Say which file is being written.
    pub(super) fn writes(&self, file: PathBuf) {
        self.cell.file.lock().replace(file);
        (self.told)(self.cell.status());
    }

    /// Done when the output is to end.
    pub(super) async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Follow the progress of a sink: bytes are counted, and the state is live from the first accepted buffer on. Done
    /// when nothing was accepted for `stall`: then "live" would not be true any more.
    pub(super) async fn report(&self, progress: &Progress, stall: Duration) {
        let before = self.cell.bytes.load(Relaxed);
        loop {
            let accepted = progress.accepted.load(Relaxed);
            if accepted == 0 {
                progress.moved.notified().await;
                continue;
            }
            self.cell.bytes.store(before + accepted, Relaxed);
            if !matches!(*self.cell.state.borrow(), OutputState::Live { .. }) {
                self.tell(OutputState::Live {
                    since: SystemTime::now(),
                });
            }
            if tokio::time::timeout(stall, progress.moved.notified())
                .await
                .is_err()
            {
                return;
            }
        }
    }

    /// The same for an output that waits to be visited: while nobody takes anything it is not live, and has not
    /// failed either. Never done.
    pub(super) async fn report_visits(&self, progress: &Progress, pause: Duration) {
        let before = self.cell.bytes.load(Relaxed);
        loop {
            progress.moved.notified().await;
            self.tell(OutputState::Live {
                since: SystemTime::now(),
            });
            loop {
                let accepted = progress.accepted.load(Relaxed);
                self.cell.bytes.store(before + accepted, Relaxed);
                let more = tokio::time::timeout(pause, progress.moved.notified());
                if more.await.is_err() {
                    break;
                }
            }
            self.tell(OutputState::Connecting { attempt: 1 });
        }
    }
}
