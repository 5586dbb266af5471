// SPDX-License-Identifier: GPL-3.0-or-later
//! Where the broadcast is pushed to.
//!
//! Each output is a task (a recording with a pipeline of its own); nothing it does reaches the program or another output. A new
//! output is one file here, one variant of [`Target`] and one arm in `run`.

mod address;
mod drive;
mod icecast;
mod listeners;
mod numbers;
mod record;
mod retry;
mod rtmp;
mod srt;
mod webrtc;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use gst::prelude::*;
use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use icecast::{About, IcecastTarget, Relay};
pub use numbers::{MountNumbers, OutputNumbers};
pub use record::{
    KINDS as RECORD_KINDS, Kind as RecordKind, Split, check as check_recording,
    endings as record_endings, literal as literal_name,
};
pub use retry::Backoff;
pub use rtmp::RtmpTarget;
pub use srt::{SrtMode, SrtTarget};
pub use webrtc::{Mode as WebRtcMode, Peer as WebRtcPeer, WebRtcTarget};

use crate::{
    audience::Audience,
    encode::{Encoders, Tracks},
    error::{OutputError, SpecError},
    message::{OutputState, OutputStatus},
    mux::Muxes,
    navigation::Navigation,
    now_playing::NowPlaying,
    program::{ProgramOut, StudioClock},
};

/// One output as the user wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputSpec {
    /// Unique among the outputs.
    pub name: String,
    /// Switched on.
    pub enabled: bool,
    /// Where to.
    pub target: Target,
}

/// Where an output goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// An Icecast server, while live.
    Icecast(IcecastTarget),
    /// An RTMP server, while live.
    Rtmp(RtmpTarget),
    /// A receiver over SRT, while live.
    Srt(SrtTarget),
    /// A peer that speaks WebRTC, while live.
    WebRtc(WebRtcTarget),
    /// A file, while live or not. What kind, its ending says.
    Record {
        /// The file; never overwritten unless `overwrite`. Its name is a pattern, with the codes of strftime and `%n`
        /// for the number of a part; a percent sign is `%%`.
        path: PathBuf,
        /// Whether an existing file may be replaced.
        overwrite: bool,
        /// When a new file is begun, without losing a picture. `None`: never.
        split: Option<Split>,
    },
}

impl Target {
    /// A target from its kind and address, as in a profile, on the command line and over the API. A recording is
    /// `record` and a path, and never replaces a file.
    pub fn parse(kind: &str, url: &str) -> Result<Target, SpecError> {
        match kind.to_ascii_lowercase().as_str() {
            "icecast" => url.parse().map(Target::Icecast),
            "rtmp" => url.parse().map(Target::Rtmp),
            "srt" => url.parse().map(Target::Srt),
            "whip" => WebRtcTarget::whip(url).map(Target::WebRtc),
            "webrtc" | "janus" | "webrtcsink" | "livekit" | "kvs" => {
                WebRtcTarget::webrtc(url).map(Target::WebRtc)
            }
            "record" => {
                let path = PathBuf::from(url.strip_prefix("file:").unwrap_or(url));
                check_recording(&path, false, None)?;
                Ok(Target::Record {
                    path,
                    overwrite: false,
                    split: None,
                })
            }
            _ => Err(SpecError::OutputKind(kind.chars().take(20).collect())),
        }
    }

    /// The word of the status object.
    pub fn kind(&self) -> &'static str {
        match self {
            Target::Icecast(_) => "icecast",
            Target::Rtmp(_) => "rtmp",
            Target::Srt(_) => "srt",
            Target::WebRtc(target) => target.peer.kind(),
            Target::Record { .. } => "record",
        }
    }

    /// Where it goes, without any password.
    pub fn url(&self) -> String {
        match self {
            Target::Icecast(target) => target.public_url(),
            Target::Rtmp(target) => target.public_url(),
            Target::Srt(target) => target.public_url(),
            Target::WebRtc(target) => target.public_url(),
            Target::Record { path, .. } => format!("file:{}", path.display()),
        }
    }

    /// Where it goes, passwords and all: to be changed, never to be shown.
    pub fn full_url(&self) -> String {
        match self {
            Target::Icecast(target) => target.full_url().into(),
            Target::Rtmp(target) => target.full_url().into(),
            Target::Srt(target) => target.full_url().into(),
            Target::WebRtc(target) => target.full_url().into(),
            Target::Record { .. } => self.url(),
        }
    }

    /// Whether it could be begun now, of a program with these tracks.
    pub(crate) fn check(&self, tracks: Tracks) -> Result<(), SpecError> {
        match self {
            Target::Record {
                path,
                overwrite,
                split,
            } => {
                record::check_tracks(path, tracks)?;
                check_recording(path, *overwrite, *split)
            }
            Target::Icecast(_) | Target::Rtmp(_) | Target::Srt(_) | Target::WebRtc(_) => Ok(()),
        }
    }

    /// Whether it runs only while the program is on the air.
    fn needs_air(&self) -> bool {
        match self {
            Target::Icecast(_) | Target::Rtmp(_) | Target::Srt(_) | Target::WebRtc(_) => true,
            Target::Record { .. } => false,
        }
    }
}

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

/// What one output's task works with.
pub(crate) struct Context {
    runtime: Handle,
    clock: StudioClock,
    program: ProgramOut,
    encoders: Encoders,
    /// One mux per format, for outputs that send the same bytes as the built-in server.
    muxes: Muxes,
    audience: Audience,
    now_playing: NowPlaying,
    /// What viewers do with a picture goes there.
    navigation: Navigation,
    stop: CancellationToken,
    /// Pipelines that end in threads of their own.
    endings: TaskTracker,
    /// Whether the user wants it to pause.
    hold: watch::Receiver<bool>,
    cell: Arc<Cell>,
    told: Arc<dyn Fn(OutputStatus) + Send + Sync>,
}

impl Context {
    /// Go to a state, and say so if it is a new one.
    fn tell(&self, state: OutputState) {
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
    fn warn(&self, warning: Option<OutputError>) {
        let old = std::mem::replace(&mut *self.cell.warning.lock(), warning.clone());
        if old != warning {
            (self.told)(self.cell.status());
        }
    }

    /// Say which file is being written.
    fn writes(&self, file: PathBuf) {
        self.cell.file.lock().replace(file);
        (self.told)(self.cell.status());
    }

    /// Done when the output is to end.
    async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Follow the progress of a sink: bytes are counted, and the state is live from the first accepted buffer on. Done
    /// when nothing was accepted for `stall`: then "live" would not be true any more.
    async fn report(&self, progress: &Progress, stall: Duration) {
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
    async fn report_visits(&self, progress: &Progress, pause: Duration) {
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

/// What a sink has really taken. A buffer counts as taken when the sink asks for the next one: its streaming thread
/// comes back only after the first was written.
pub(crate) struct Progress {
    accepted: Arc<AtomicU64>,
    moved: Arc<Notify>,
}

impl Progress {
    /// Nothing yet; somebody counts and calls [`set`](Progress::set).
    fn counted() -> Progress {
        Progress {
            accepted: Arc::default(),
            moved: Arc::default(),
        }
    }

    /// Done when something was taken since the last time.
    async fn moved(&self) {
        self.moved.notified().await;
        // Not used up: it is news for others too.
        self.moved.notify_one();
    }

    /// So many bytes were taken so far.
    fn set(&self, bytes: u64) {
        self.accepted.store(bytes, Relaxed);
        self.moved.notify_one();
    }

    fn new() -> Progress {
        Progress {
            accepted: Arc::default(),
            moved: Arc::default(),
        }
    }

    /// Count what this sink takes too.
    fn follow(&self, sink: &gst::Element) {
        let (accepted, moved) = (self.accepted.clone(), self.moved.clone());
        let (pending, any) = (AtomicU64::new(0), AtomicBool::new(false));
        if let Some(pad) = sink.static_pad("sink") {
            let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
            pad.add_probe(kinds, move |_, info| {
                let size = match &info.data {
                    Some(gst::PadProbeData::Buffer(buffer)) => buffer.size(),
                    Some(gst::PadProbeData::BufferList(list)) => list.calculate_size(),
                    _ => 0,
                };
                let taken = pending.swap(size as u64, Relaxed);
                if any.swap(true, Relaxed) {
                    accepted.fetch_add(taken, Relaxed);
                    moved.notify_one();
                }
                gst::PadProbeReturn::Ok
            });
        }
    }
}
