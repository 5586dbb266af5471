// SPDX-License-Identifier: GPL-3.0-or-later
//! Where the broadcast is pushed to.
//!
//! Each output is a task (a recording with a pipeline of its own); nothing it does reaches the program or another output. A new
//! output is one file here, one variant of [`Target`] and one arm in `run`.

mod address;
mod context;
mod drive;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod icecast;
mod listeners;
mod numbers;
mod progress;
mod record;
mod retry;
mod rtmp;
mod spec;
mod srt;
mod webrtc;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::watch, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use icecast::{About, IcecastTarget, Relay};
pub use numbers::{MountNumbers, OutputNumbers};
pub use record::{
    KINDS as RECORD_KINDS, Kind as RecordKind, Split, check as check_recording,
    endings as record_endings, literal as literal_name,
};
pub use retry::Backoff;
pub use rtmp::RtmpTarget;
pub use spec::{OutputSpec, Target};
pub use srt::{SrtMode, SrtTarget};
pub use webrtc::{Mode as WebRtcMode, Peer as WebRtcPeer, WebRtcTarget};

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
pub(crate) use context::Context;
pub(crate) use progress::Progress;

/// What an output may use.
#[derive(Clone)]
pub(crate) struct Supplies {
    pub(crate) runtime: Handle,
    pub(crate) clock: StudioClock,
    /// For those that encode themselves.
    pub(crate) program: ProgramOut,
    pub(crate) encoders: Encoders,
    pub(crate) muxes: Muxes,
    pub(crate) audience: Audience,
    pub(crate) now_playing: NowPlaying,
    pub(crate) navigation: Navigation,
}

/// All outputs.
pub(crate) struct Outputs {
    supplies: Supplies,
    told: Arc<dyn Fn(OutputStatus) + Send + Sync>,
    on_air: bool,
    entries: BTreeMap<String, Entry>,
    board: Board,
}

/// State and bytes of all outputs, to read from anywhere.
#[derive(Clone, Default)]
pub(crate) struct Board(Arc<Mutex<BTreeMap<String, Arc<Cell>>>>);

impl Board {
    /// One as the user wants it.
    pub(crate) fn spec(&self, name: &str) -> Option<OutputSpec> {
        let cells = self.0.lock();
        cells.get(name).map(|cell| cell.spec.lock().clone())
    }

    /// All of them, with the bytes each has passed on.
    pub(crate) fn list(&self) -> Vec<(OutputStatus, u64)> {
        let cells = self.0.lock();
        cells
            .values()
            .map(|c| (c.status(), c.bytes.load(Relaxed)))
            .collect()
    }
}

struct Entry {
    spec: OutputSpec,
    cell: Arc<Cell>,
    running: Option<Running>,
}

/// An output's task.
struct Running {
    stop: CancellationToken,
    held: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// State and bytes of one output, read from outside.
struct Cell {
    spec: Mutex<OutputSpec>,
    state: watch::Sender<OutputState>,
    bytes: AtomicU64,
    numbers: Mutex<OutputNumbers>,
    /// The file that is written, of a recording that has begun.
    file: Mutex<Option<PathBuf>>,
    /// What will stop it soon.
    warning: Mutex<Option<OutputError>>,
}

impl Cell {
    fn status(&self) -> OutputStatus {
        let spec = self.spec.lock();
        OutputStatus {
            name: spec.name.clone(),
            kind: spec.target.kind(),
            url: match &*self.file.lock() {
                Some(file) => format!("file:{}", file.display()),
                None => spec.target.url(),
            },
            enabled: spec.enabled,
            state: self.state.borrow().clone(),
            warning: self.warning.lock().clone(),
        }
    }
}

impl Outputs {
    /// None yet. `told` hears of every change and must not wait.
    pub(crate) fn new(
        supplies: Supplies,
        told: impl Fn(OutputStatus) + Send + Sync + 'static,
    ) -> Self {
        Outputs {
            supplies,
            told: Arc::new(told),
            on_air: false,
            entries: BTreeMap::new(),
            board: Board::default(),
        }
    }

    /// State and bytes, to read from anywhere.
    pub(crate) fn board(&self) -> Board {
        self.board.clone()
    }

    /// Add one, or replace the one of that name (which is ended first).
    pub(crate) async fn set(&mut self, spec: OutputSpec) {
        self.end(&spec.name).await;
        let cell = Arc::new(Cell {
            spec: Mutex::new(spec.clone()),
            state: watch::Sender::new(OutputState::Off),
            bytes: AtomicU64::new(0),
            numbers: Mutex::default(),
            file: Mutex::default(),
            warning: Mutex::default(),
        });
        let name = spec.name.clone();
        self.board.0.lock().insert(name.clone(), cell.clone());
        (self.told)(cell.status());
        let entry = Entry {
            spec,
            cell,
            running: None,
        };
        self.entries.insert(name.clone(), entry);
        self.settle(&name).await;
    }

    /// Remove one; `false` if there is none of that name.
    pub(crate) async fn remove(&mut self, name: &str) -> bool {
        self.end(name).await;
        self.board.0.lock().remove(name);
        self.entries.remove(name).is_some()
    }

    /// Switch one on or off; `false` if there is none of that name.
    pub(crate) async fn enable(&mut self, name: &str, on: bool) -> bool {
        let Some(entry) = self.entries.get_mut(name) else {
            return false;
        };
        entry.spec.enabled = on;
        entry.cell.spec.lock().enabled = on;
        (self.told)(entry.cell.status());
        self.settle(name).await;
        true
    }

    /// Pause a recording that runs, or let it go on. `None` if there is no output of that name, `false` if it cannot
    /// pause.
    pub(crate) fn pause(&self, name: &str, on: bool) -> Option<bool> {
        let entry = self.entries.get(name)?;
        let running = entry.running.as_ref().filter(|r| !r.task.is_finished());
        Some(match (&entry.spec.target, running) {
            (Target::Record { .. }, Some(running)) => {
                running.held.send_replace(on);
                true
            }
            (
                Target::Record { .. }
                | Target::Icecast(_)
                | Target::Rtmp(_)
                | Target::Srt(_)
                | Target::WebRtc(_),
                _,
            ) => false,
        })
    }

    /// The program went on or off the air.
    pub(crate) async fn set_air(&mut self, on: bool) {
        self.on_air = on;
        for name in self.entries.keys().cloned().collect::<Vec<_>>() {
            self.settle(&name).await;
        }
    }

    /// End all; recordings are finished.
    pub(crate) async fn end_all(&mut self) {
        let ending: Vec<_> = self
            .entries
            .values_mut()
            .filter_map(|e| e.running.take())
            .inspect(|running| running.stop.cancel())
            .collect();
        for running in ending {
            let _ = running.task.await;
        }
    }

    async fn end(&mut self, name: &str) {
        if let Some(running) = self.entries.get_mut(name).and_then(|e| e.running.take()) {
            running.stop.cancel();
            let _ = running.task.await;
        }
    }

    async fn settle(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        let wanted = entry.spec.enabled && (self.on_air || !entry.spec.target.needs_air());
        let runs = entry
            .running
            .as_ref()
            .is_some_and(|r| !r.task.is_finished());
        if wanted && !runs {
            let stop = CancellationToken::new();
            let (held, hold) = watch::channel(false);
            entry.cell.warning.lock().take();
            let context = Context {
                runtime: self.supplies.runtime.clone(),
                clock: self.supplies.clock.clone(),
                program: self.supplies.program.clone(),
                encoders: self.supplies.encoders.clone(),
                muxes: self.supplies.muxes.clone(),
                audience: self.supplies.audience.clone(),
                now_playing: self.supplies.now_playing.clone(),
                navigation: self.supplies.navigation.clone(),
                stop: stop.clone(),
                endings: TaskTracker::new(),
                hold,
                cell: entry.cell.clone(),
                told: self.told.clone(),
            };
            let target = entry.spec.target.clone();
            let task = self.supplies.runtime.spawn(async move {
                match target {
                    Target::Icecast(target) => icecast::run(context, target).await,
                    Target::Rtmp(target) => rtmp::run(context, target).await,
                    Target::Srt(target) => srt::run(context, target).await,
                    Target::WebRtc(target) => webrtc::run(context, target).await,
                    Target::Record {
                        path,
                        overwrite,
                        split,
                    } => record::run(context, path, overwrite, split).await,
                }
            });
            entry.running = Some(Running { stop, held, task });
        } else if !wanted {
            self.end(name).await;
        }
    }
}
