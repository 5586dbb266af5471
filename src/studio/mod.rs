// SPDX-License-Identifier: GPL-3.0-or-later
//! The engine's one handle.

mod demo;
mod director;
mod essentials;
mod keep;
mod rates;
mod snapshot;
mod wires;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    runtime::Runtime,
    sync::{broadcast, mpsc, oneshot, watch},
};

use crate::{
    audience::{Audience, Ban, Change, Viewer, Visit},
    encode::{self, EncodeSettings, Encoders, Tracks},
    error::{SpecError, StudioError},
    hush,
    message::{AirState, Command, Event, Outcome, OutputStatus, Progress, SourceId, SourceStatus},
    mux::Muxes,
    navigation::Navigation,
    now_playing::NowPlaying,
    output::{self, OutputSpec, Outputs, Supplies},
    program::{
        Levels, Program, Thumbnail,
        scene::{Arrangement, Layout, Overlays},
    },
    serve::{Bound, Keys, Passes, Reach, Server, Serving, Tls},
    settings::{Origin, Sharing, tokens::TokenBook},
    source::{
        AudioSpec, Board, Device, Sources, Spec, Surroundings, VideoSpec, Watch, frames::Inboxes,
        guest::Seats,
    },
    stats::Status,
    title::{self, TitleSource},
};
use director::Director;
use essentials::essentials;
use rates::Rates;
use wires::{control, source_news, tell_devices, tell_title};

/// Events a slow listener may be behind before it misses some (and had better take a snapshot).
const EVENT_QUEUE: usize = 4096;
/// The program gives its first frame within a fraction of this.
const FIRST_FRAME: Duration = Duration::from_secs(10);
/// Recordings are finished within this time.
const END_TIME: Duration = Duration::from_secs(6);

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
    /// Web sites that may show the watch page in theirs.
    pub embed: Vec<Origin>,
    /// Token of the control routes.
    pub api_token: String,
    /// Who may watch, and how.
    pub sharing: Sharing,
    /// Token of those who may only look.
    pub read_token: Option<String>,
    /// Where tokens that are handed out are kept; `None` keeps them as long as the engine runs.
    pub token_file: Option<PathBuf>,
    /// Remote controls made for OBS, if they are let in.
    pub obs: Option<ObsOptions>,
    /// Outputs there from the start.
    pub outputs: Vec<OutputSpec>,
    /// Where the title of what plays now comes from; `None` if it is typed.
    pub now_playing: Option<TitleSource>,
    /// How the sources are put together; `None` is all pictures in a grid.
    pub scene: Option<Arrangement>,
    /// So many made-up viewers, to try the program with.
    pub demo: Option<usize>,
}

/// How remote controls made for OBS are let in.
#[derive(Debug, Clone)]
pub struct ObsOptions {
    /// Where they are listened for; port 0 is any free one.
    pub listen: SocketAddr,
    /// What they must know.
    pub password: String,
}

/// The engine. Clones are handles of the same; when the last is dropped, everything ends.
#[derive(Clone)]
pub struct Studio(Arc<Inner>);

struct Inner {
    // Taken when everything ends.
    runtime: Option<Runtime>,
    orders: mpsc::UnboundedSender<Order>,
    shared: Arc<Shared>,
    obs_address: Option<SocketAddr>,
    _trials: encode::Trials,
}

enum Order {
    Do(Command),
    /// The same, for somebody who wants to hear what became of it.
    Ask(Command, oneshot::Sender<Result<Outcome, StudioError>>),
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
    sources: Board,
    seats: Seats,
    layout: Mutex<Layout>,
    overlays: Mutex<Overlays>,
    /// To the director, as long as there is one.
    orders: mpsc::WeakUnboundedSender<Order>,
    outputs: output::Board,
    now_playing: NowPlaying,
    rates: Mutex<Rates>,
    passes: Passes,
    tls: Option<Tls>,
    /// Where the built-in server listens.
    address: Mutex<SocketAddr>,
}

impl Studio {
    /// Start everything. Returns when the server listens. Not to be called inside an async context.
    pub fn start(options: StudioOptions) -> Result<Studio, StudioError> {
        hush::hide(&options.api_token);
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
            output.target.check(tracks)?;
        }
        let book = TokenBook::open(options.token_file)?;
        let keys = Keys::new(options.api_token.clone(), options.read_token, book);
        // Each viewer is a descriptor. What the system refuses, it refuses.
        let _ = rlimit::increase_nofile_limit(u64::MAX);
        let bound = Bound::bind(options.listen)?;
        let obs = options.obs.map(|obs| {
            let bound = Bound::bind_for_remotes(obs.listen)?;
            Ok::<_, StudioError>((bound, obs.password))
        });
        let obs = obs.transpose()?;
        let obs_address = obs.as_ref().map(|(bound, _)| bound.address());
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
        let trials = encode::find_out({
            let tell = tell(&events);
            move || tell(Event::Abilities)
        });
        let clock = program.out().clock().clone();
        let muxes = Muxes::new(handle.clone(), encoders.clone(), clock.clone());
        let audience = Audience::new({
            let tell = tell(&events);
            move |change| {
                tell(match change {
                    Change::Joined(viewer) => Event::ViewerJoined(viewer),
                    Change::Noted(viewer) => Event::ViewerNoted(viewer),
                    Change::Left(id, end) => Event::ViewerLeft(id, end),
                    Change::Bans(bans) => Event::Bans(bans),
                })
            }
        });
        audience.limit(options.sharing.limits);
        let shared = !bound.address().ip().is_loopback();
        let passes = Passes::new(
            &options.sharing,
            bound.address().port(),
            shared || !options.sharing.hosts.is_empty(),
            &options.api_token,
            audience.clone(),
        )?;
        let tls = options.sharing.https.as_ref().map(|https| {
            // Those of the network, too: it may be shared later.
            let mut addresses = crate::serve::reachable(bound.address().ip());
            addresses.extend(crate::serve::reachable(
                std::net::Ipv6Addr::UNSPECIFIED.into(),
            ));
            Tls::new(https, &addresses, &options.sharing.hosts)
        });
        let tls = tls.transpose()?;
        let now_playing = NowPlaying::default();
        let navigation = Navigation::new(options.encoding.fps);
        let outputs = Outputs::new(
            Supplies {
                runtime: handle.clone(),
                clock: clock.clone(),
                program: program.out().clone(),
                encoders: encoders.clone(),
                muxes: muxes.clone(),
                audience: audience.clone(),
                now_playing: now_playing.clone(),
                navigation: navigation.clone(),
            },
            {
                let tell = tell(&events);
                move |status| tell(Event::Output(status))
            },
        );
        let devices = Watch::start();
        let inboxes = Inboxes::default();
        let seats = Seats::default();
        let (orders, taken) = mpsc::unbounded_channel();
        let sources = {
            let orders = orders.downgrade();
            let events = events.clone();
            Sources::new(
                Surroundings {
                    runtime: handle.clone(),
                    clock,
                    watch: devices.clone(),
                    settings: options.encoding.clone(),
                    inboxes: inboxes.clone(),
                    navigation: navigation.clone(),
                    seats: seats.clone(),
                },
                move |news| source_news(&events, &orders, news),
            )
        };
        let shared = Arc::new(Shared {
            events: events.clone(),
            air: watch::Sender::new(AirState::Off),
            encoding: Mutex::new(options.encoding.clone()),
            encoders: encoders.clone(),
            audience: audience.clone(),
            program,
            devices: devices.clone(),
            sources: sources.board(),
            seats: seats.clone(),
            layout: Mutex::default(),
            overlays: Mutex::default(),
            orders: orders.downgrade(),
            outputs: outputs.board(),
            now_playing: now_playing.clone(),
            rates: Mutex::default(),
            passes: passes.clone(),
            tls: tls.clone(),
            address: Mutex::new(bound.address()),
        });
        let on_air = watch::Sender::new(false);
        let server = Server::start(
            &handle,
            bound,
            Serving {
                muxes,
                audience,
                on_air: on_air.subscribe(),
                embed: options.embed,
                keys,
                status: Arc::new({
                    let shared = Arc::downgrade(&shared);
                    move || shared.upgrade().map(|s| s.snapshot()).unwrap_or_default()
                }),
                meters: Arc::new({
                    let shared = Arc::downgrade(&shared);
                    let meters = |s: Arc<Shared>| s.rates.lock().meters.clone();
                    move || shared.upgrade().map(meters).unwrap_or_default()
                }),
                events: events.clone(),
                obs,
                encoders,
                inboxes,
                navigation,
                control: control(Arc::downgrade(&shared)),
                seats,
                now_playing: now_playing.clone(),
                passes,
                limits: options.sharing.limits,
                tls,
                reach: Arc::new({
                    let shared = Arc::downgrade(&shared);
                    move || shared.upgrade().map(|s| s.reach()).unwrap_or_default()
                }),
                scene: Arc::new({
                    let shared = Arc::downgrade(&shared);
                    move || {
                        let shared = shared.upgrade();
                        shared.map(|s| (s.layout.lock().clone(), s.overlays.lock().clone()))
                    }
                }),
            },
        )?;
        handle.spawn(tell_devices(Arc::downgrade(&shared), devices));
        handle.spawn(rates::follow(Arc::downgrade(&shared)));
        handle.spawn(tell_title(Arc::downgrade(&shared), now_playing.subscribe()));
        if let Some(crowd) = options.demo {
            handle.spawn(demo::run(
                shared.audience.clone(),
                shared.air.subscribe(),
                crowd,
            ));
        }
        let director = Director {
            _title: options
                .now_playing
                .map(|source| title::follow(&handle, source, now_playing)),
            shared: shared.clone(),
            on_air,
            sources,
            outputs,
            preview: None,
            server,
        };
        let specs = specs(options.video, options.audio);
        handle.spawn(director.run(taken, options.outputs, specs, options.scene));
        Ok(Studio(Arc::new(Inner {
            runtime: Some(runtime),
            orders,
            shared,
            obs_address,
            _trials: trials,
        })))
    }

    /// Ask for something; what comes of it is told as events. Never waits.
    pub fn command(&self, command: Command) {
        // The director ends only with the last handle, which is this one.
        let _ = self.0.orders.send(Order::Do(command));
    }

    /// Ask for something, and hear what came of it.
    pub async fn ask(&self, command: Command) -> Result<Outcome, StudioError> {
        let (tell, told) = oneshot::channel();
        let ended = |()| StudioError::Program("it is being ended".into());
        let sent = self.0.orders.send(Order::Ask(command, tell));
        sent.map_err(|_| ended(()))?;
        told.await.map_err(|_| ended(()))?
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

    /// The next frame of this picture, so small that it fits in this box. Comes when the source gives one; `None` if it
    /// goes before, or somebody else asks meanwhile.
    pub async fn thumbnail(&self, id: SourceId, size: (u32, u32)) -> Option<Thumbnail> {
        let frame = self.0.shared.sources.next_frame(id)?.await.ok()?;
        let runtime = self.0.runtime.as_ref()?;
        let made = runtime.spawn_blocking(move || Thumbnail::of(&frame, size));
        made.await.ok()?
    }

    /// Where the built-in server listens.
    pub fn address(&self) -> SocketAddr {
        *self.0.shared.address.lock()
    }

    /// Addresses at which remote controls made for OBS are let in; none if they are not.
    pub fn obs_links(&self) -> Vec<String> {
        let Some(address) = self.0.obs_address else {
            return vec![];
        };
        let ips = crate::serve::reachable(address.ip()).into_iter();
        ips.map(|ip| format!("ws://{}", SocketAddr::new(ip, address.port())))
            .collect()
    }

    /// Addresses under which viewers on this computer (and, if it listens there, on the network) reach the server.
    pub fn links(&self) -> Vec<String> {
        self.0.shared.links()
    }

    /// What viewers need to open a path there, with the token where they need it.
    pub fn watch_link(&self, base: &str, path: &str) -> String {
        self.0.shared.watch_link(base, path)
    }

    /// The token in viewers' links; `None` if everybody may watch.
    pub fn viewer_token(&self) -> Option<String> {
        self.0.shared.passes.word()
    }

    /// SHA-256 of the certificate, if the server has one: what a browser shows of it is to be the same.
    pub fn fingerprint(&self) -> Option<&str> {
        self.0.shared.tls.as_ref().map(Tls::fingerprint)
    }

    /// State of the broadcast.
    pub fn air(&self) -> AirState {
        *self.0.shared.air.borrow()
    }

    /// Sources of the program.
    pub fn sources(&self) -> Vec<SourceStatus> {
        self.0.shared.sources.list()
    }

    /// Loudness of one source now, of a sound.
    pub fn source_levels(&self, id: SourceId) -> Option<Levels> {
        self.0.shared.sources.levels(id)
    }

    /// Where a source is in its file, if it plays one.
    pub fn progress(&self, id: SourceId) -> Option<Progress> {
        self.0.shared.sources.progress(id)
    }

    /// Where the guest of this source comes in, as long as nobody used the invitation: a path on the built-in server.
    pub fn invitation(&self, id: SourceId) -> Option<String> {
        let word = self.0.shared.seats.invitation(id)?;
        Some(format!("/join#{word}"))
    }

    /// Make a new invitation for the guest of this source; the one before is void.
    pub fn invite(&self, id: SourceId) -> Option<String> {
        let word = self.0.shared.seats.invite(id)?;
        Some(format!("/join#{word}"))
    }

    /// All invitations that nobody used, in the order of the sources.
    pub fn invitations(&self) -> Vec<String> {
        let words = self.0.shared.seats.invitations();
        words.iter().map(|word| format!("/join#{word}")).collect()
    }

    /// What is on screen, and how.
    pub fn layout(&self) -> Layout {
        self.0.shared.layout.lock().clone()
    }

    /// What lies over all pictures.
    pub fn overlays(&self) -> Overlays {
        self.0.shared.overlays.lock().clone()
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

    /// An output as it was asked for, to be changed; it holds passwords.
    pub fn output(&self, name: &str) -> Option<OutputSpec> {
        self.0.shared.outputs.spec(name)
    }

    /// Everybody who watches.
    pub fn viewers(&self) -> Vec<Viewer> {
        self.0.shared.audience.viewers()
    }

    /// Who came to this broadcast, in order of joining.
    pub fn visits(&self) -> Vec<Visit> {
        self.0.shared.audience.visits()
    }

    /// Who may not watch.
    pub fn bans(&self) -> Vec<Ban> {
        self.0.shared.audience.bans()
    }

    /// The most who watched at one time.
    pub fn peak_viewers(&self) -> usize {
        self.0.shared.audience.peak()
    }

    /// What plays now, in one line; empty is nothing.
    pub fn now_playing(&self) -> String {
        self.0.shared.now_playing.get()
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

/// Pictures first, each list in its order.
fn specs(video: Vec<VideoSpec>, audio: Vec<AudioSpec>) -> Vec<Spec> {
    let video = video.into_iter().filter(|v| *v != VideoSpec::None);
    let audio = audio.into_iter().filter(|a| *a != AudioSpec::None);
    video
        .map(Spec::Video)
        .chain(audio.map(Spec::Audio))
        .collect()
}

impl Shared {
    /// Addresses under which viewers reach the server.
    fn links(&self) -> Vec<String> {
        let address = *self.address.lock();
        crate::serve::reachable(address.ip())
            .into_iter()
            .map(|ip| {
                let secure = self.tls.is_some() && !ip.is_loopback();
                let scheme = if secure { "https" } else { "http" };
                format!("{scheme}://{}", SocketAddr::new(ip, address.port()))
            })
            .collect()
    }

    /// What viewers need to open a path there, with the token where they need it.
    fn watch_link(&self, base: &str, path: &str) -> String {
        let local = url::Url::parse(base).is_ok_and(|url| match url.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(_)) | None => false,
        });
        match self.passes.word().filter(|_| !local) {
            Some(token) => format!("{base}{path}?t={token}"),
            None => format!("{base}{path}"),
        }
    }

    /// Whether others on the network can watch, and the links of the watch page.
    fn reach(&self) -> Reach {
        let links = self.links();
        let links = links.iter().map(|base| self.watch_link(base, "/"));
        Reach {
            network: !self.address.lock().ip().is_loopback(),
            links: links.collect(),
        }
    }

    fn tell(&self, event: Event) {
        // Nobody listening is nobody's fault.
        let _ = self.events.send(event);
    }
}
