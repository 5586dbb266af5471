// SPDX-License-Identifier: GPL-3.0-or-later
//! The command line: `aerial live | devices | check`, and the window without any of them.

use std::{
    fmt::Display,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr, ToSocketAddrs},
    path::PathBuf,
    process::ExitCode,
    str::FromStr,
    time::Duration,
};

use clap::{Args, Parser, Subcommand, ValueEnum, error::ErrorKind};
use serde_json::json;
use studio::{
    Studio, StudioOptions,
    encode::{Codec, EncodeSettings},
    error::{Remedy, ServeError, SpecError, StudioError},
    message::{AirState, Command as Order, Event, MediaKind, OutputState, SourceState},
    output::{OutputSpec, Target, check_recording},
    settings::{self, Profile, units},
    source::{AudioSpec, VideoSpec, Watch},
};
use tokio::sync::broadcast::error::RecvError;

use crate::check;

/// Where the built-in server listens unless told otherwise.
const LISTEN: &str = "127.0.0.1:8080";
const BAD_ARGUMENTS: u8 = 2;

#[derive(Parser)]
#[command(
    name = "aerial",
    version,
    about = "Broadcast to browsers and Icecast at once",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// Broadcast without a window
    Live(Box<Live>),
    /// List cameras and microphones
    Devices {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell what is installed and what is missing
    Check,
}

#[derive(Args, Default)]
struct Live {
    /// Take options from a saved profile or a TOML file; options given here go first
    #[arg(long, value_name = "NAME|FILE")]
    profile: Option<String>,
    /// Picture: test, camera[:NAME], file:PATH or none; several are tiled [default: test]
    #[arg(long, value_name = "SPEC")]
    video: Vec<String>,
    /// Sound: tone, mic[:NAME], file:PATH, silence or none; several are mixed [default: silence]
    #[arg(long, value_name = "SPEC")]
    audio: Vec<String>,
    /// Size of the picture [default: 1280x720]
    #[arg(long, value_name = "WxH")]
    size: Option<String>,
    /// Pictures per second [default: 30]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=120))]
    fps: Option<u32>,
    /// Codec of the picture: vp8 or vp9 [default: vp8]
    #[arg(long, value_name = "CODEC")]
    video_codec: Option<String>,
    /// Bitrate of the picture [default: 2500k]
    #[arg(long, value_name = "BITRATE")]
    video_bitrate: Option<String>,
    /// Codec of the sound: opus [default: opus]
    #[arg(long, value_name = "CODEC")]
    audio_codec: Option<String>,
    /// Bitrate of the sound [default: 128k]
    #[arg(long, value_name = "BITRATE")]
    audio_bitrate: Option<String>,
    /// Longest time between two key frames [default: 2s]
    #[arg(long, value_name = "TIME")]
    key_interval: Option<String>,
    /// Serve viewers at this address; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Serve everybody on this network, at port 8080
    #[arg(long)]
    share: bool,
    /// Send to an Icecast server: icecast://USER:PASSWORD@HOST:PORT/MOUNT.webm
    #[arg(long, value_name = "URL")]
    icecast: Vec<String>,
    /// Record to a .webm or .mkv file
    #[arg(long, value_name = "FILE")]
    record: Vec<PathBuf>,
    /// Let --record replace existing files
    #[arg(long)]
    overwrite: bool,
    /// End by itself this long after going live
    #[arg(long, value_name = "SECONDS")]
    duration: Option<String>,
    /// How to tell what happens
    #[arg(long, value_enum, default_value_t = Style::Text)]
    status: Style,
    /// Token for the control routes [default: AERIAL_API_TOKEN, else one made at the first start]
    #[arg(
        long,
        value_name = "TOKEN",
        env = "AERIAL_API_TOKEN",
        hide_env_values = true
    )]
    api_token: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
enum Style {
    /// A line of words
    #[default]
    Text,
    /// An object a line
    Json,
}

/// Read the command line and do what it says.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            let _ = e.print();
            return ExitCode::SUCCESS;
        }
        Err(e) => {
            // Clap's first line says what; its usage dump is left out.
            let text = e.to_string();
            let what = text
                .lines()
                .next()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            let what = what.trim_end_matches(':');
            complain(
                &format!("{what}."),
                "\"aerial live --help\" lists the options.",
            );
            return ExitCode::from(BAD_ARGUMENTS);
        }
    };
    if let Err(e) = gst::init() {
        complain(
            &format!("GStreamer cannot be started: {e}."),
            "Install GStreamer 1.22 or newer.",
        );
        return ExitCode::FAILURE;
    }
    match cli.command {
        Some(What::Live(live)) => self::live(&live),
        Some(What::Devices { json }) => devices(json),
        Some(What::Check) => check::run(),
        None => window(),
    }
}

#[cfg(feature = "ui")]
fn window() -> ExitCode {
    match options(&Live::default()) {
        // The window looks itself what is there to be shown.
        Ok(options) => crate::ui::run(StudioOptions {
            video: vec![],
            audio: vec![],
            ..options
        }),
        Err(e) => refuse(&e),
    }
}

#[cfg(not(feature = "ui"))]
fn window() -> ExitCode {
    complain(
        "This Aerial was built without its window.",
        "Use \"aerial live\".",
    );
    ExitCode::from(BAD_ARGUMENTS)
}

/// One sentence and one remedy, at most two lines.
fn complain(what: &str, remedy: &str) {
    let _ = writeln!(
        io::stderr(),
        "aerial: {}\n{}",
        what.replace('\n', " "),
        remedy.replace('\n', " ")
    );
}

fn say_error(e: &(impl Display + Remedy)) {
    complain(&e.to_string(), &e.remedy());
}

fn refuse(e: &StudioError) -> ExitCode {
    say_error(e);
    match e {
        StudioError::Spec(_) => ExitCode::from(BAD_ARGUMENTS),
        StudioError::Serve(ServeError::Listen { .. })
        | StudioError::Serve(_)
        | StudioError::Source(_)
        | StudioError::Output(_)
        | StudioError::Incomplete { .. }
        | StudioError::Program(_)
        | StudioError::Encoder { .. }
        | StudioError::OnlyOffAir(_)
        | StudioError::OnlyAtStart(_)
        | StudioError::Token { .. }
        | StudioError::NoSuchViewer
        | StudioError::NoSuchOutput(_) => ExitCode::FAILURE,
    }
}

/// The words of the command line and the profile, checked.
fn options(live: &Live) -> Result<StudioOptions, StudioError> {
    let profile = match &live.profile {
        Some(name) => Profile::load(name)?,
        None => Profile::default(),
    };
    let first = |a: &Option<String>, b: &Option<String>| a.clone().or_else(|| b.clone());
    let mut encoding = EncodeSettings::default();
    if let Some(text) = first(&live.size, &profile.size) {
        (encoding.width, encoding.height) = units::size(&text)?;
    }
    if let Some(fps) = live.fps.or(profile.fps) {
        encoding.fps = fps.clamp(1, 120);
    }
    if let Some(name) = first(&live.video_codec, &profile.video_codec) {
        encoding.video = Codec::find(&name, MediaKind::Video)?;
    }
    if let Some(name) = first(&live.audio_codec, &profile.audio_codec) {
        encoding.audio = Codec::find(&name, MediaKind::Audio)?;
    }
    if let Some(text) = first(&live.video_bitrate, &profile.video_bitrate) {
        encoding.video_bitrate = units::bitrate(&text)?;
    }
    if let Some(text) = first(&live.audio_bitrate, &profile.audio_bitrate) {
        // Opus itself allows no more.
        encoding.audio_bitrate = units::bitrate(&text)?.min(510_000);
    }
    if let Some(text) = first(&live.key_interval, &profile.key_interval) {
        encoding.key_interval = units::time(&text)?;
    }
    if live.share && live.listen.is_some() {
        return Err(SpecError::Conflict("--share", "--listen").into());
    }
    let listen = match first(&live.listen, &profile.listen) {
        _ if live.share => (Ipv4Addr::UNSPECIFIED, 8080).into(),
        Some(text) => address(&text)?,
        None if profile.share => (Ipv4Addr::UNSPECIFIED, 8080).into(),
        None => address(LISTEN)?,
    };
    let mut outputs = Vec::new();
    let records = if live.record.is_empty() {
        &profile.record
    } else {
        &live.record
    };
    for (i, path) in records.iter().enumerate() {
        check_recording(path, live.overwrite)?;
        outputs.push(OutputSpec {
            name: numbered("record", i),
            enabled: true,
            target: Target::Record {
                path: path.clone(),
                overwrite: live.overwrite,
            },
        });
    }
    let servers = if live.icecast.is_empty() {
        &profile.icecast
    } else {
        &live.icecast
    };
    for (i, url) in servers.iter().enumerate() {
        outputs.push(OutputSpec {
            name: numbered("icecast", i),
            enabled: true,
            target: Target::Icecast(url.parse()?),
        });
    }
    let video = specs(&live.video, &profile.video, VideoSpec::Test)?;
    let audio = specs(&live.audio, &profile.audio, AudioSpec::Silence)?;
    if video.len() > 1 && video.contains(&VideoSpec::None) {
        return Err(SpecError::Conflict("--video none", "another --video").into());
    }
    if audio.len() > 1 && audio.contains(&AudioSpec::None) {
        return Err(SpecError::Conflict("--audio none", "another --audio").into());
    }
    Ok(StudioOptions {
        video,
        audio,
        encoding,
        listen,
        api_token: match live.api_token.clone().filter(|t| !t.is_empty()) {
            Some(token) => token,
            None => settings::api_token()?,
        },
        outputs,
    })
}

fn numbered(word: &str, i: usize) -> String {
    match i {
        0 => word.to_string(),
        n => format!("{word}-{}", n + 1),
    }
}

fn specs<T: FromStr<Err = SpecError>>(
    given: &[String],
    saved: &[String],
    default: T,
) -> Result<Vec<T>, SpecError> {
    let words = if given.is_empty() { saved } else { given };
    if words.is_empty() {
        return Ok(vec![default]);
    }
    words.iter().map(|w| w.parse()).collect()
}

fn address(text: &str) -> Result<SocketAddr, SpecError> {
    text.to_socket_addrs()
        .ok()
        .and_then(|mut all| all.next())
        .ok_or_else(|| SpecError::Listen(text.to_string()))
}

fn devices(as_json: bool) -> ExitCode {
    let watch = Watch::start();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        complain(
            "The system gives no more resources.",
            "Close other programs.",
        );
        return ExitCode::FAILURE;
    };
    runtime.block_on(watch.ready(Duration::from_secs(5)));
    let found = watch.list();
    let mut out = io::stdout().lock();
    if as_json {
        let _ = writeln!(out, "{}", json!(found));
        return ExitCode::SUCCESS;
    }
    if found.is_empty() {
        let _ = writeln!(out, "No camera and no microphone is plugged in.");
    }
    for device in found {
        let word = match device.kind {
            MediaKind::Video => "camera",
            MediaKind::Audio => "mic",
        };
        let _ = writeln!(out, "{word}:{}\t{}", device.name, device.id);
    }
    ExitCode::SUCCESS
}

fn live(live: &Live) -> ExitCode {
    let duration = match live.duration.as_deref().map(units::time).transpose() {
        Ok(duration) => duration,
        Err(e) => return refuse(&e.into()),
    };
    let options = match options(live) {
        Ok(options) => options,
        Err(e) => return refuse(&e),
    };
    let token = options.api_token.clone();
    let studio = match Studio::start(options) {
        Ok(studio) => studio,
        Err(e) => return refuse(&e),
    };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        complain(
            "The system gives no more resources.",
            "Close other programs.",
        );
        return ExitCode::FAILURE;
    };
    say_links(&studio, &token, live.status);
    let code = runtime.block_on(follow(&studio, duration, live.status));
    // Ends outputs, finishes recordings.
    drop(studio);
    code
}

fn say_links(studio: &Studio, token: &str, style: Style) {
    let links = studio.links();
    let base = links.first().cloned().unwrap_or_default();
    let mut out = io::stdout().lock();
    let _ = match style {
        Style::Json => writeln!(
            out,
            "{}",
            json!({
                "event": "serving",
                "links": {
                    "watch": format!("{base}/"),
                    "webm": format!("{base}/live.webm"),
                    "whep": format!("{base}/whep"),
                    "signalling": format!("{}/signalling", base.replacen("http", "ws", 1)),
                    "status": format!("{base}/api/v1/status"),
                    "all": links,
                },
                "api_token": token,
            })
        ),
        Style::Text => {
            for link in &links {
                let _ = writeln!(out, "Watch at   {link}/");
            }
            let _ = writeln!(out, "WebM at    {base}/live.webm");
            writeln!(out, "API token  {token}")
        }
    };
    let _ = out.flush();
}

/// Go live and tell what happens, until asked to end.
async fn follow(studio: &Studio, duration: Option<Duration>, style: Style) -> ExitCode {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        complain("Signals cannot be received.", "Start Aerial again.");
        return ExitCode::FAILURE;
    };
    let mut events = studio.events();
    let mut complaints = Complaints::default();
    for source in studio.sources() {
        complaints.source(&source.spec, &source.state);
    }
    for output in studio.outputs() {
        complaints.output(&output.name, &output.state);
    }
    studio.command(Order::GoLive);
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let mut end = None;
    loop {
        let over = async {
            match end {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => return ExitCode::SUCCESS,
            _ = terminate.recv() => return ExitCode::SUCCESS,
            () = over => return ExitCode::SUCCESS,
            _ = ticks.tick() => say_status(studio, style),
            event = events.recv() => match event {
                Ok(Event::Air(state)) => {
                    if let (AirState::Live { .. }, None, Some(duration)) = (state, end, duration) {
                        end = Some(tokio::time::Instant::now() + duration);
                    }
                    say_status(studio, style);
                }
                Ok(Event::Source(source)) => {
                    complaints.source(&source.spec, &source.state);
                    say_status(studio, style);
                }
                Ok(Event::Output(output)) => {
                    complaints.output(&output.name, &output.state);
                    say_status(studio, style);
                }
                Ok(Event::Refused(error)) => {
                    say_error(&error);
                    if matches!(error, StudioError::Program(_)) {
                        return ExitCode::FAILURE;
                    }
                }
                Ok(
                    Event::SourceRemoved(_)
                    | Event::OutputRemoved(_)
                    | Event::ViewerJoined(_)
                    | Event::ViewerLeft(_)
                    | Event::Devices(_)
                    | Event::Encoding(_),
                ) | Err(RecvError::Lagged(_)) => (),
                Err(RecvError::Closed) => return ExitCode::FAILURE,
            },
        }
    }
}

fn say_status(studio: &Studio, style: Style) {
    let status = studio.snapshot();
    let line = match style {
        Style::Json => match serde_json::to_string(&status) {
            Ok(line) => line,
            Err(_) => return,
        },
        Style::Text => {
            let rate: u64 = status.encoders.iter().map(|e| e.bitrate).sum();
            format!(
                "{:<8} {} encoder(s), {} viewer(s), {:.1} Mbit/s. {}",
                status.air,
                status.encoders.len(),
                status.viewers.len(),
                rate as f64 / 1e6,
                status.health
            )
        }
    };
    // A reader that went away is no reason to stop broadcasting.
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Says each trouble once, until it is another one.
#[derive(Default)]
struct Complaints(std::collections::BTreeMap<String, String>);

impl Complaints {
    fn source(&mut self, name: &str, state: &SourceState) {
        match state {
            SourceState::Lost { error, .. } => self.say(name, error),
            SourceState::Live => drop(self.0.remove(name)),
            SourceState::Starting => (),
        }
    }

    fn output(&mut self, name: &str, state: &OutputState) {
        match state {
            OutputState::Waiting { error, .. } | OutputState::Failed(error) => {
                self.say(name, error)
            }
            OutputState::Live { .. } => drop(self.0.remove(name)),
            OutputState::Off | OutputState::Connecting { .. } => (),
        }
    }

    fn say(&mut self, name: &str, error: &(impl Display + Remedy)) {
        let text = error.to_string();
        if self.0.get(name) != Some(&text) {
            say_error(error);
            self.0.insert(name.to_string(), text);
        }
    }
}
