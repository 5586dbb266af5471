// SPDX-License-Identifier: GPL-3.0-or-later
//! The engine's one handle.

mod rates;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use tokio::{
    runtime::Runtime,
    sync::{broadcast, mpsc, oneshot, watch},
};

use crate::{
    audience::{Audience, Change, Viewer},
    encode::{EncodeSettings, Encoders, Tracks},
    error::{SpecError, StudioError},
    message::{AirState, Command, Event, OutputStatus, SourceId, SourceState, SourceStatus},
    mux::WebM,
    output::{self, Board, OutputSpec, Outputs, Supplies, Target},
    program::{Levels, PreviewPipeline, Program},
    serve::{Bound, Server, Serving},
    source::{AudioSpec, Device, SourceNews, Sources, VideoSpec, Watch},
    stats::{self, OutputRow, SourceRow, Status, ViewerRow},
};
use rates::Rates;

/// Events a slow listener may be behind before it misses some (and had better take a snapshot).
const EVENT_QUEUE: usize = 4096;
/// The program gives its first frame within a fraction of this.
const FIRST_FRAME: Duration = Duration::from_secs(10);
/// Recordings are finished within this time.
const END_TIME: Duration = Duration::from_secs(6);
/// Elements without which nothing works, and their Debian packages.
const ESSENTIAL: [(&str, &str); 7] = [
    ("compositor", "gstreamer1.0-plugins-base"),
    ("audiomixer", "gstreamer1.0-plugins-base"),
    ("videoconvert", "gstreamer1.0-plugins-base"),
    ("audioresample", "gstreamer1.0-plugins-base"),
    ("imagefreeze", "gstreamer1.0-plugins-good"),
    ("level", "gstreamer1.0-plugins-good"),
    ("webmmux", "gstreamer1.0-plugins-good"),
];

/// How to start.
#[derive(Debug, Clone)]
pub struct StudioOptions {
    /// Pictures; empty is the slate, `[VideoSpec::None]` a broadcast of sound only.
    pub video: Vec<VideoSpec>,
    /// Sounds; empty is silence, `[AudioSpec::None]` a broadcast of pictures only.
    pub audio: Vec<AudioSpec>,
    /// Codecs, bitrates, size and rate.
    pub encoding: EncodeSettings,
    /// Where the built-in server listens; port 0 is any free one.
    pub listen: SocketAddr,
    /// Token of the control routes.
    pub api_token: String,
    /// Outputs there from the start.
    pub outputs: Vec<OutputSpec>,
}

/// The engine. Clones are handles of the same; when the last is dropped, everything ends.
#[derive(Clone)]
pub struct Studio(Arc<Inner>);

struct Inner {
    // Taken when everything ends.
    runtime: Option<Runtime>,
    orders: mpsc::UnboundedSender<Order>,
    shared: Arc<Shared>,
    address: SocketAddr,
}

enum Order {
    Do(Command),
    End(oneshot::Sender<()>),
}

/// What can be read from anywhere.
struct Shared {
    events: broadcast::Sender<Event>,
    air: watch::Sender<AirState>,
    encoding: Mutex<EncodeSettings>,
    encoders: Encoders,
    audience: Audience,
    program: Program,
    devices: Watch,
    sources: Mutex<BTreeMap<SourceId, SourceStatus>>,
    outputs: Board,
    rates: Mutex<Rates>,
}

impl Studio {
    /// Start everything. Returns when the server listens. Not to be called inside an async context.
    pub fn start(options: StudioOptions) -> Result<Studio, StudioError> {
        essentials()?;
        options.encoding.installed()?;
        let tracks = Tracks {
            video: options.video != [VideoSpec::None],
            audio: options.audio != [AudioSpec::None],
        };
        if !tracks.video && !tracks.audio {
            return Err(SpecError::Conflict("--video none", "--audio none").into());
        }
        for output in &options.outputs {
            if let Target::Record { path, overwrite } = &output.target {
                output::check_recording(path, *overwrite)?;
            }
        }
        // Each viewer is a descriptor. What the system refuses, it refuses.
        let _ = rlimit::increase_nofile_limit(u64::MAX);
        let bound = Bound::bind(options.listen)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("studio")
            .enable_all()
            .build()
            .map_err(|e| StudioError::Program(e.to_string()))?;
        let handle = runtime.handle().clone();

        let events = broadcast::Sender::new(EVENT_QUEUE);
        let tell = |events: &broadcast::Sender<Event>| {
            let events = events.clone();
            // Nobody listening is nobody's fault.
            move |event| drop(events.send(event))
        };
        let refuse = || {
            let tell = tell(&events);
            move |e| tell(Event::Refused(e))
        };
        let program = Program::start(&options.encoding, tracks, refuse())?;
        let encoders = Encoders::new(program.out().clone(), options.encoding.clone(), refuse());
        let clock = program.out().clock().clone();
        let webm = WebM::new(handle.clone(), encoders.clone(), clock.clone());
        let audience = Audience::new({
            let tell = tell(&events);
            move |change| {
                tell(match change {
                    Change::Joined(viewer) => Event::ViewerJoined(viewer),
                    Change::Left(id) => Event::ViewerLeft(id),
                })
            }
        });
        let outputs = Outputs::new(
            Supplies {
                runtime: handle.clone(),
                clock: clock.clone(),
                encoders: encoders.clone(),
                audience: audience.clone(),
            },
            {
                let tell = tell(&events);
                move |status| tell(Event::Output(status))
            },
        );
        let devices = Watch::start();
        let shared = Arc::new(Shared {
            events: events.clone(),
            air: watch::Sender::new(AirState::Off),
            encoding: Mutex::new(options.encoding.clone()),
            encoders: encoders.clone(),
            audience: audience.clone(),
            program,
            devices: devices.clone(),
            sources: Mutex::default(),
            outputs: outputs.board(),
            rates: Mutex::default(),
        });
        let sources = Sources::new(
            handle.clone(),
            clock,
            devices.clone(),
            options.encoding.clone(),
            {
                let shared = Arc::downgrade(&shared);
                move |news| {
                    if let Some(shared) = shared.upgrade() {
                        shared.source_news(news);
                    }
                }
            },
        );
        let on_air = watch::Sender::new(false);
        let server = Server::start(
            &handle,
            bound,
            Serving {
                webm,
                audience,
                on_air: on_air.subscribe(),
                api_token: options.api_token,
                status: Arc::new({
                    let shared = Arc::downgrade(&shared);
                    move || shared.upgrade().map(|s| s.snapshot()).unwrap_or_default()
                }),
                encoders,
            },
        )?;
        let address = server.address();
        let (orders, taken) = mpsc::unbounded_channel();
        handle.spawn(tell_devices(Arc::downgrade(&shared), devices));
        handle.spawn(rates::follow(Arc::downgrade(&shared)));
        let director = Director {
            shared: shared.clone(),
            on_air,
            video: options.video,
            audio: options.audio,
            sources,
            outputs,
            preview: None,
            _server: server,
        };
        handle.spawn(director.run(taken, options.outputs));
        Ok(Studio(Arc::new(Inner {
            runtime: Some(runtime),
            orders,
            shared,
            address,
        })))
    }

    /// Ask for something; what comes of it is told as events. Never waits.
    pub fn command(&self, command: Command) {
        // The director ends only with the last handle, which is this one.
        let _ = self.0.orders.send(Order::Do(command));
    }

    /// All that happens from now on. A listener that is 4096 events behind misses some.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.0.shared.events.subscribe()
    }

    /// Everything at this moment; rates are of the last second.
    pub fn snapshot(&self) -> Status {
        self.0.shared.snapshot()
    }

    /// Loudness of the program now.
    pub fn levels(&self) -> Levels {
        self.0.shared.program.levels()
    }

    /// Where the built-in server listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Links under which viewers on this computer (and, if it listens there, on the network) reach the server.
    pub fn links(&self) -> Vec<String> {
        crate::serve::reachable(self.0.address.ip())
            .into_iter()
            .map(|ip| format!("http://{}", SocketAddr::new(ip, self.0.address.port())))
            .collect()
    }

    /// State of the broadcast.
    pub fn air(&self) -> AirState {
        *self.0.shared.air.borrow()
    }

    /// Sources of the program.
    pub fn sources(&self) -> Vec<SourceStatus> {
        self.0.shared.sources.lock().values().cloned().collect()
    }

    /// Outputs, running or not.
    pub fn outputs(&self) -> Vec<OutputStatus> {
        self.0
            .shared
            .outputs
            .list()
            .into_iter()
            .map(|(status, _)| status)
            .collect()
    }

    /// Everybody who watches.
    pub fn viewers(&self) -> Vec<Viewer> {
        self.0.shared.audience.viewers()
    }

    /// The most who watched at one time.
    pub fn peak_viewers(&self) -> usize {
        self.0.shared.audience.peak()
    }

    /// Cameras and microphones plugged in.
    pub fn devices(&self) -> Vec<Device> {
        self.0.shared.devices.list()
    }

    /// Codecs, bitrates, size and rate.
    pub fn encoding(&self) -> EncodeSettings {
        self.0.shared.encoding.lock().clone()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let (tell, told) = oneshot::channel();
        if let Some(runtime) = self.runtime.take() {
            if self.orders.send(Order::End(tell)).is_ok() {
                let _ = runtime.block_on(async { tokio::time::timeout(END_TIME, told).await });
            }
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
    }
}

fn essentials() -> Result<(), StudioError> {
    let missing: Vec<_> = ESSENTIAL
        .iter()
        .filter(|(element, _)| gst::ElementFactory::find(element).is_none())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    Err(StudioError::Incomplete {
        elements: missing
            .iter()
            .map(|(element, _)| *element)
            .collect::<Vec<_>>()
            .join(", "),
        packages: packages.join(" and "),
    })
}

async fn tell_devices(shared: Weak<Shared>, devices: Watch) {
    let mut changes = devices.changes();
    drop(devices);
    loop {
        changes.next().await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        shared.tell(Event::Devices(shared.devices.list()));
    }
}

impl Shared {
    fn tell(&self, event: Event) {
        // Nobody listening is nobody's fault.
        let _ = self.events.send(event);
    }

    fn source_news(&self, news: SourceNews) {
        match news {
            SourceNews::Changed(status) => {
                self.sources.lock().insert(status.id, status.clone());
                self.tell(Event::Source(status));
            }
            SourceNews::Removed(id) => {
                self.sources.lock().remove(&id);
                self.tell(Event::SourceRemoved(id));
            }
        }
    }

    fn snapshot(&self) -> Status {
        let air = *self.air.borrow();
        let rates = self.rates.lock();
        let sources = self.sources.lock().values().map(source_row).collect();
        let outputs = self.outputs.list();
        let mut status = Status {
            air: air.word().into(),
            since: match air {
                AirState::Live { since } => Some(stats::seconds(since)),
                AirState::Off | AirState::Starting | AirState::Stopping => None,
            },
            encoders: rates.encoders.clone(),
            sources,
            outputs: outputs
                .iter()
                .map(|(status, bytes)| output_row(status, *bytes, rates.of_output(&status.name)))
                .collect(),
            viewers: self
                .audience
                .viewers()
                .iter()
                .map(ViewerRow::from)
                .collect(),
            health: String::new(),
        };
        status.health = stats::health(&status, rates.dropped_lately);
        status
    }
}

fn with_remedy(error: &(impl std::fmt::Display + crate::error::Remedy)) -> String {
    format!("{error} {}", error.remedy())
}

fn source_row(s: &SourceStatus) -> SourceRow {
    SourceRow {
        id: s.id,
        kind: s.kind,
        spec: s.spec.clone(),
        state: s.state.word().into(),
        error: match &s.state {
            SourceState::Lost { error, .. } => Some(with_remedy(error)),
            SourceState::Starting | SourceState::Live => None,
        },
    }
}

fn output_row(s: &OutputStatus, bytes: u64, bitrate: u64) -> OutputRow {
    OutputRow {
        name: s.name.clone(),
        kind: s.kind.into(),
        state: s.state.word().into(),
        url: s.url.clone(),
        bitrate,
        bytes,
        error: s.state.error().map(with_remedy),
    }
}

/// Carries out what is asked, one thing after the other.
struct Director {
    shared: Arc<Shared>,
    on_air: watch::Sender<bool>,
    video: Vec<VideoSpec>,
    audio: Vec<AudioSpec>,
    sources: Sources,
    outputs: Outputs,
    preview: Option<PreviewPipeline>,
    _server: Server,
}

impl Director {
    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>, outputs: Vec<OutputSpec>) {
        for output in outputs {
            self.outputs.set(output).await;
        }
        self.set_sources().await;
        while let Some(order) = orders.recv().await {
            match order {
                Order::Do(command) => {
                    if let Err(error) = self.carry_out(command).await {
                        self.shared.tell(Event::Refused(error));
                    }
                }
                Order::End(told) => {
                    self.end().await;
                    let _ = told.send(());
                    return;
                }
            }
        }
    }

    async fn set_sources(&mut self) {
        self.sources
            .set(&self.shared.program, &self.video, &self.audio)
            .await;
    }

    async fn carry_out(&mut self, command: Command) -> Result<(), StudioError> {
        match command {
            Command::SetVideo(specs) => {
                self.video = specs;
                self.set_sources().await;
                Ok(())
            }
            Command::SetAudio(specs) => {
                self.audio = specs;
                self.set_sources().await;
                Ok(())
            }
            Command::SetEncoding(settings) => self.set_encoding(settings),
            Command::GoLive => self.go_live().await,
            Command::EndLive => {
                self.end_live().await;
                Ok(())
            }
            Command::SetOutput(spec) => {
                if let Target::Record { path, overwrite } = &spec.target {
                    output::check_recording(path, *overwrite)?;
                }
                self.outputs.set(spec).await;
                Ok(())
            }
            Command::RemoveOutput(name) => {
                if !self.outputs.remove(&name).await {
                    return Err(StudioError::NoSuchOutput(name));
                }
                self.shared.tell(Event::OutputRemoved(name));
                Ok(())
            }
            Command::EnableOutput(name, on) => match self.outputs.enable(&name, on).await {
                true => Ok(()),
                false => Err(StudioError::NoSuchOutput(name)),
            },
            Command::Kick(id) => match self.shared.audience.kick(id) {
                true => Ok(()),
                false => Err(StudioError::NoSuchViewer),
            },
            Command::Preview(preview) => self.set_preview(preview).await,
        }
    }

    fn set_encoding(&mut self, settings: EncodeSettings) -> Result<(), StudioError> {
        settings.installed()?;
        let old = self.shared.encoding.lock().clone();
        if (old.width, old.height, old.fps) != (settings.width, settings.height, settings.fps) {
            return Err(StudioError::OnlyAtStart("The size and rate of the picture"));
        }
        let codecs = |s: &EncodeSettings| (s.video, s.audio, s.key_interval);
        if codecs(&old) != codecs(&settings) && *self.shared.air.borrow() != AirState::Off {
            return Err(StudioError::OnlyOffAir("The codec"));
        }
        *self.shared.encoding.lock() = settings.clone();
        self.shared.encoders.set(settings.clone());
        self.shared.tell(Event::Encoding(settings));
        Ok(())
    }

    fn set_air(&self, state: AirState) {
        self.shared.air.send_replace(state);
        self.on_air
            .send_replace(matches!(state, AirState::Live { .. }));
        self.shared.tell(Event::Air(state));
    }

    async fn go_live(&mut self) -> Result<(), StudioError> {
        if *self.shared.air.borrow() != AirState::Off {
            return Ok(());
        }
        self.set_air(AirState::Starting);
        let mut running = self.shared.program.running();
        let first = tokio::time::timeout(FIRST_FRAME, running.wait_for(|runs| *runs))
            .await
            .is_ok_and(|runs| runs.is_ok());
        if !first {
            self.set_air(AirState::Off);
            return Err(StudioError::Program("it gives no frames".into()));
        }
        self.set_air(AirState::Live {
            since: SystemTime::now(),
        });
        self.outputs.set_air(true).await;
        Ok(())
    }

    async fn end_live(&mut self) {
        if *self.shared.air.borrow() == AirState::Off {
            return;
        }
        self.set_air(AirState::Stopping);
        self.outputs.set_air(false).await;
        self.set_air(AirState::Off);
    }

    async fn set_preview(
        &mut self,
        preview: Option<crate::program::Preview>,
    ) -> Result<(), StudioError> {
        // Starting and stopping a pipeline may block.
        let old = self.preview.take();
        let out = self.shared.program.out().clone();
        let size = {
            let encoding = self.shared.encoding.lock();
            (encoding.width, encoding.height)
        };
        let made = tokio::task::spawn_blocking(move || {
            drop(old);
            preview
                .map(|p| PreviewPipeline::start(&out, size, p))
                .transpose()
        })
        .await
        .map_err(|e| StudioError::Program(e.to_string()))?;
        self.preview = made?;
        Ok(())
    }

    /// Everything, in the order that loses nothing: viewers hear of it, recordings are finished, sources last.
    async fn end(&mut self) {
        self.end_live().await;
        self.outputs.end_all().await;
        let preview = self.preview.take();
        let _ = tokio::task::spawn_blocking(move || drop(preview)).await;
        self.sources.end_all().await;
    }
}
