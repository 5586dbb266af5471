// SPDX-License-Identifier: GPL-3.0-or-later
//! Where picture and sound come from.
//!
//! Each source is a pipeline of its own, looked after by a task: when it fails, the slate or silence stands in and
//! the task tries again, for devices as soon as they are seen. The program never notices more than missing frames.

mod open;
mod spec;
mod watch;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use spec::{AudioSpec, VideoSpec};
pub(crate) use watch::Changes;
pub use watch::Watch;

use crate::{
    encode::EncodeSettings,
    error::SourceError,
    message::{MediaKind, SourceId, SourceState, SourceStatus},
    output::Backoff,
    program::{Input, Program, StudioClock},
};
use open::{Open, Places, Said, Surroundings};

/// A camera that gives no frame for this long is opened anew.
const STALL: Duration = Duration::from_secs(3);
/// Devices need a moment after they appear.
const SETTLE: Duration = Duration::from_millis(300);

/// A camera or microphone that is plugged in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Device {
    /// Picture or sound.
    pub kind: MediaKind,
    /// Stable id (PipeWire's node name, or the device's path).
    pub id: String,
    /// The name people know.
    pub name: String,
}

/// What the sources tell.
#[derive(Debug, Clone)]
pub(crate) enum SourceNews {
    Changed(SourceStatus),
    Removed(SourceId),
}

/// The sources of the program.
pub(crate) struct Sources {
    runtime: Handle,
    around: Surroundings,
    told: Arc<dyn Fn(SourceNews) + Send + Sync>,
    next: SourceId,
    running: Vec<Running>,
}

/// One task and the specs it serves: one, or the picture and sound of one file.
struct Running {
    parts: Vec<Part>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Spec {
    Video(VideoSpec),
    Audio(AudioSpec),
}

impl Spec {
    fn kind(&self) -> MediaKind {
        match self {
            Spec::Video(_) => MediaKind::Video,
            Spec::Audio(_) => MediaKind::Audio,
        }
    }
    fn text(&self) -> String {
        match self {
            Spec::Video(v) => v.to_string(),
            Spec::Audio(a) => a.to_string(),
        }
    }
    fn device_kind(&self) -> Option<MediaKind> {
        match self {
            Spec::Video(VideoSpec::Camera(_)) | Spec::Audio(AudioSpec::Mic(_)) => Some(self.kind()),
            Spec::Video(VideoSpec::Test | VideoSpec::File(_) | VideoSpec::None) => None,
            Spec::Audio(
                AudioSpec::Tone | AudioSpec::File(_) | AudioSpec::Silence | AudioSpec::None,
            ) => None,
        }
    }
}

/// One source as seen from outside.
#[derive(Clone)]
struct Part {
    id: SourceId,
    spec: Spec,
    state: Arc<Mutex<SourceState>>,
    told: Arc<dyn Fn(SourceNews) + Send + Sync>,
}

impl Part {
    fn status(&self) -> SourceStatus {
        SourceStatus {
            id: self.id,
            kind: self.spec.kind(),
            spec: self.spec.text(),
            state: self.state.lock().clone(),
        }
    }

    fn tell(&self, state: SourceState) {
        let new = {
            let mut old = self.state.lock();
            let differs = *old != state;
            *old = state;
            differs
        };
        if new {
            (self.told)(SourceNews::Changed(self.status()));
        }
    }
}

impl Sources {
    /// None yet. `told` hears of every change and must not wait.
    pub(crate) fn new(
        runtime: Handle,
        clock: StudioClock,
        watch: Watch,
        settings: EncodeSettings,
        told: impl Fn(SourceNews) + Send + Sync + 'static,
    ) -> Self {
        Sources {
            runtime,
            around: Surroundings {
                clock,
                watch,
                settings,
            },
            told: Arc::new(told),
            next: 1,
            running: Vec::new(),
        }
    }

    /// Have these sources and no others. Those that stay are not touched.
    pub(crate) async fn set(
        &mut self,
        program: &Program,
        video: &[VideoSpec],
        audio: &[AudioSpec],
    ) {
        let mut wanted: Vec<Vec<Spec>> = Vec::new();
        for v in video.iter().filter(|v| **v != VideoSpec::None) {
            wanted.push(vec![Spec::Video(v.clone())]);
        }
        for a in audio.iter().filter(|a| **a != AudioSpec::None) {
            // Picture and sound of one file come from one pipeline.
            let partner = wanted.iter_mut().find(|group| match (group.as_slice(), a) {
                ([Spec::Video(VideoSpec::File(v))], AudioSpec::File(a)) => v == a,
                _ => false,
            });
            match partner {
                Some(group) => group.push(Spec::Audio(a.clone())),
                None => wanted.push(vec![Spec::Audio(a.clone())]),
            }
        }
        let mut before = std::mem::take(&mut self.running);
        for specs in wanted {
            let same = |r: &Running| r.parts.iter().map(|p| &p.spec).eq(specs.iter());
            match before.iter().position(same) {
                Some(i) => self.running.push(before.swap_remove(i)),
                None => self.start(program, specs),
            }
        }
        for gone in before {
            gone.end().await;
        }
    }

    /// End all.
    pub(crate) async fn end_all(&mut self) {
        for gone in std::mem::take(&mut self.running) {
            gone.end().await;
        }
    }

    fn start(&mut self, program: &Program, specs: Vec<Spec>) {
        let mut inputs = Vec::new();
        let mut places = Places::default();
        let mut parts = Vec::new();
        for spec in specs {
            let Some(input) = program.input(spec.kind()) else {
                continue;
            };
            match spec.kind() {
                MediaKind::Video => places.video = Some(input.pusher()),
                MediaKind::Audio => places.audio = Some(input.pusher()),
            }
            inputs.push(input);
            parts.push(Part {
                id: self.next,
                spec,
                state: Arc::new(Mutex::new(SourceState::Starting)),
                told: self.told.clone(),
            });
            self.next += 1;
        }
        for part in &parts {
            (self.told)(SourceNews::Changed(part.status()));
        }
        let stop = CancellationToken::new();
        let keeper = Keeper {
            parts: parts.clone(),
            around: self.around.clone(),
            places,
            stop: stop.clone(),
        };
        let task = self.runtime.spawn(keeper.run(inputs));
        self.running.push(Running {
            parts,
            stop,
            task: Some(task),
        });
    }
}

impl Running {
    async fn end(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
        for part in &self.parts {
            (part.told)(SourceNews::Removed(part.id));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Keeps one source going.
struct Keeper {
    parts: Vec<Part>,
    around: Surroundings,
    places: Places,
    stop: CancellationToken,
}

impl Keeper {
    async fn run(self, inputs: Vec<Input>) {
        let stop = self.stop.clone();
        tokio::select! {
            () = self.keep() => (),
            () = stop.cancelled() => (),
        }
        // Giving up a place in the mixer may block.
        let _ = tokio::task::spawn_blocking(move || drop(inputs)).await;
    }

    fn tell(&self, state: SourceState) {
        for part in &self.parts {
            part.tell(state.clone());
        }
    }

    /// Open, watch over, and open again, for ever.
    async fn keep(&self) {
        let mut delays = Backoff::new();
        loop {
            self.tell(SourceState::Starting);
            let mut changes = self.around.watch.changes();
            let error = match self.open().await {
                Ok((open, said)) => {
                    let mut closing = Closing(Some(open));
                    let error = self
                        .watch_over(&mut closing, said, &mut changes, &mut delays)
                        .await;
                    closing.close().await;
                    error
                }
                Err(error) => error,
            };
            let device = self.parts.iter().find_map(|p| p.spec.device_kind());
            let retry_in = match (&error, device) {
                // Only a change of the list can help, or of the file.
                (
                    SourceError::NoDevice { .. }
                    | SourceError::NoDeviceAtAll(_)
                    | SourceError::Unplugged { .. },
                    _,
                ) => None,
                (SourceError::NotMedia { .. }, _) => None,
                (
                    SourceError::Stalled(_)
                    | SourceError::Failed { .. }
                    | SourceError::Missing { .. },
                    _,
                ) => delays.next(),
            };
            self.tell(SourceState::Lost { error, retry_in });
            let wait = async {
                match retry_in {
                    Some(delay) => tokio::time::sleep(delay).await,
                    None => std::future::pending().await,
                }
            };
            let plugged = async {
                match device {
                    Some(_) => changes.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => (),
                () = plugged => tokio::time::sleep(SETTLE).await,
            }
        }
    }

    async fn open(&self) -> Result<(Open, mpsc::UnboundedReceiver<Said>), SourceError> {
        if self.parts.iter().any(|p| p.spec.device_kind().is_some()) {
            self.around.watch.ready(Duration::from_secs(5)).await;
        }
        let (tell, said) = mpsc::unbounded_channel();
        let (around, places) = (self.around.clone(), self.places.clone());
        let spec = self.parts.first().map(|p| p.spec.clone());
        let name = spec.as_ref().map(Spec::text).unwrap_or_default();
        let opened = tokio::task::spawn_blocking(move || match spec {
            Some(Spec::Video(spec)) => open::video(&spec, &around, &places, &tell),
            Some(Spec::Audio(spec)) => open::audio(&spec, &around, &places, &tell),
            None => Err(SourceError::Failed {
                spec: String::new(),
                why: "there is nothing to open".into(),
            }),
        })
        .await;
        match opened {
            Ok(result) => result.map(|open| (open, said)),
            Err(e) => Err(SourceError::Failed {
                spec: name,
                why: e.to_string(),
            }),
        }
    }

    /// Done when the source has failed; says why.
    async fn watch_over(
        &self,
        closing: &mut Closing,
        mut said: mpsc::UnboundedReceiver<Said>,
        changes: &mut Changes,
        delays: &mut Backoff,
    ) -> SourceError {
        let device = closing.device();
        let mut seen = 0;
        let mut watchdog = tokio::time::interval_at(tokio::time::Instant::now() + STALL, STALL);
        loop {
            tokio::select! {
                what = said.recv() => match what {
                    Some(Said::First(kind)) => {
                        *delays = Backoff::new();
                        for part in self.parts.iter().filter(|p| p.spec.kind() == kind) {
                            part.tell(SourceState::Live);
                        }
                    }
                    Some(Said::End) => if !closing.rewind().await {
                        return SourceError::Failed { spec: self.text(), why: "it cannot start over".into() };
                    },
                    Some(Said::Missing(kind, error)) => {
                        if self.parts.iter().all(|p| p.spec.kind() == kind) {
                            return error;
                        }
                        for part in self.parts.iter().filter(|p| p.spec.kind() == kind) {
                            part.tell(SourceState::Lost { error: error.clone(), retry_in: None });
                        }
                    }
                    Some(Said::Failed(error)) => return match &device {
                        // A device that fails as it is pulled out was pulled out.
                        Some(device) if !self.around.watch.has(&device.id) => unplugged(device),
                        _ => error,
                    },
                    None => return SourceError::Failed { spec: self.text(), why: "it ended".into() },
                },
                () = changes.next() => if let Some(device) = &device
                    && !self.around.watch.has(&device.id)
                {
                    return unplugged(device);
                },
                _ = watchdog.tick() => if let Some(device) = &device {
                    let now = closing.samples();
                    if now == seen && device.kind == MediaKind::Video {
                        return SourceError::Stalled(device.name.clone());
                    }
                    seen = now;
                },
            }
        }
    }

    fn text(&self) -> String {
        self.parts
            .first()
            .map(|p| p.spec.text())
            .unwrap_or_default()
    }
}

fn unplugged(device: &Device) -> SourceError {
    SourceError::Unplugged {
        kind: match device.kind {
            MediaKind::Video => "camera",
            MediaKind::Audio => "microphone",
        },
        name: device.name.clone(),
    }
}

/// An open source that is closed on a thread that may block, on every way out.
struct Closing(Option<Open>);

impl Closing {
    fn device(&self) -> Option<Device> {
        self.0.as_ref().and_then(|o| o.device.clone())
    }
    fn samples(&self) -> u64 {
        self.0.as_ref().map_or(0, |o| o.samples.load(Relaxed))
    }
    async fn rewind(&mut self) -> bool {
        let Some(open) = self.0.take() else {
            return false;
        };
        match tokio::task::spawn_blocking(move || (open.rewind(), open)).await {
            Ok((done, open)) => {
                self.0 = Some(open);
                done
            }
            Err(_) => false,
        }
    }
    async fn close(mut self) {
        if let Some(open) = self.0.take() {
            let _ = tokio::task::spawn_blocking(move || drop(open)).await;
        }
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(open) = self.0.take() {
            // Inside a task there is a runtime; at its end, blocking is all right.
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn_blocking(move || drop(open))),
                Err(_) => drop(open),
            }
        }
    }
}
