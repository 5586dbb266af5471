// SPDX-License-Identifier: GPL-3.0-or-later
//! The command line: `aerial live | devices | check`, and the window without any of them.

mod links;
mod live;
mod manual;
mod options;
mod sharing;
#[cfg(feature = "ui")]
mod window;

use std::{
    ffi::OsString,
    fmt::Display,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{
    Arg, ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
    error::ErrorKind, value_parser,
};
use serde_json::json;
use studio::{
    error::{Remedy, StudioError},
    message::MediaKind,
    source::{Watch, choices},
};

use crate::check;

/// Write man pages and completions to this folder: `make install` does.
const MANUAL: &str = "write-manual";
/// The session bus starts the window, and says next what to do.
const SERVICE: &str = "gapplication-service";

/// The options cannot be used.
const BAD_ARGUMENTS: u8 = 2;

#[derive(Parser)]
#[command(
    name = "aerial",
    version,
    about = "Broadcast to browsers and Icecast at once",
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<What>,
    #[command(flatten)]
    window: Opening,
}

/// Without a command: the window.
#[derive(Args)]
struct Opening {
    /// Files or links to show and play in the window, or a profile (.toml)
    #[arg(value_name = "FILE|LINK")]
    files: Vec<OsString>,
    /// Go live at once
    #[arg(long)]
    go_live: bool,
    /// Record at once
    #[arg(long)]
    record: bool,
    /// Try it with a test card, a tone and made-up viewers, so many while live
    #[arg(long, value_name = "VIEWERS", num_args = 0..=1, default_missing_value = "24")]
    demo: Option<usize>,
}

/// Options for other programs: neither the help nor the manual shows them.
fn with_inner_options(command: clap::Command) -> clap::Command {
    let folder = Arg::new(MANUAL)
        .long(MANUAL)
        .hide(true)
        .value_parser(value_parser!(PathBuf));
    let service = Arg::new(SERVICE)
        .long(SERVICE)
        .hide(true)
        .action(ArgAction::SetTrue);
    command.arg(folder).arg(service)
}

#[derive(Subcommand)]
enum What {
    /// Broadcast without a window
    Live(Box<Live>),
    /// List cameras, microphones, screens and windows
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
    /// Picture: test, camera[:NAME], screen[:WHICH], file:PATH, a link, folder:DIR, frames:NAME, stdin:rgba:640x480@30, guest or
    /// none; several are tiled [default: test]
    #[arg(long, value_name = "SPEC")]
    video: Vec<String>,
    /// Sound: tone, mic[:NAME], desktop, file:PATH, a link, silence or none; several are mixed [default: silence]
    #[arg(long, value_name = "SPEC")]
    audio: Vec<String>,
    /// Size of the picture [default: 1280x720]
    #[arg(long, value_name = "WxH")]
    size: Option<String>,
    /// Pictures per second [default: 30]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=120))]
    fps: Option<u32>,
    /// Codec of the picture wherever it fits: vp8, vp9, h264, av1 or theora, with an encoder if you like
    /// (h264:openh264enc) [default: vp8]
    #[arg(long, value_name = "CODEC")]
    video_codec: Option<String>,
    /// Bitrate of the picture [default: 2500k]
    #[arg(long, value_name = "BITRATE")]
    video_bitrate: Option<String>,
    /// Codec of the sound wherever it fits: opus, vorbis, aac or mp3 [default: opus]
    #[arg(long, value_name = "CODEC")]
    audio_codec: Option<String>,
    /// Bitrate of the sound [default: 128k]
    #[arg(long, value_name = "BITRATE")]
    audio_bitrate: Option<String>,
    /// Longest time between two key frames [default: 2s]
    #[arg(long, value_name = "TIME")]
    key_interval: Option<String>,
    /// Width and pictures per second of /live.gif [default: 480@8]
    #[arg(long, value_name = "WIDTH@FPS")]
    gif: Option<String>,
    /// Pictures per second of /live.mjpeg [default: @10]
    #[arg(long, value_name = "@FPS")]
    mjpeg: Option<String>,
    /// Serve viewers at this address; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Serve everybody on this network, at port 8080
    #[arg(long)]
    share: bool,
    /// Token that the links of viewers on other computers carry [default: AERIAL_VIEWER_TOKEN, else one made when first
    /// shared]
    #[arg(
        long,
        value_name = "TOKEN",
        env = "AERIAL_VIEWER_TOKEN",
        hide_env_values = true
    )]
    viewer_token: Option<String>,
    /// Ask viewers who come without that token for this password [default: AERIAL_VIEWER_PASSWORD, else none]
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "AERIAL_VIEWER_PASSWORD",
        hide_env_values = true
    )]
    viewer_password: Option<String>,
    /// Let everybody watch who reaches this computer, without token or password
    #[arg(long)]
    open: bool,
    /// Answer to this host name too, for example that of a proxy before Aerial
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// No more viewers than this at one time; 0 is any number [default: 0]
    #[arg(long, value_name = "NUMBER")]
    max_viewers: Option<usize>,
    /// No more viewers of one address than this, other than this computer's; 0 is any number [default: 64]
    #[arg(long, value_name = "NUMBER")]
    max_viewers_per_address: Option<usize>,
    /// Let a viewer go whose connection takes nothing for this long [default: 20s]
    #[arg(long, value_name = "TIME")]
    max_stall: Option<String>,
    /// Serve HTTPS, with a certificate that Aerial makes
    #[arg(long)]
    tls: bool,
    /// Serve HTTPS with this certificate (PEM)
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The key of that certificate (PEM)
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Let this web site show the watch page in its own: https://example.org
    #[arg(long, value_name = "ORIGIN")]
    embed: Vec<String>,
    /// Send to an Icecast server: icecast://USER:PASSWORD@HOST:PORT/MOUNT.webm, icecasts:// over TLS; the ending tells the
    /// format: webm, ogg, oga, opus, flac, mp3 or aac
    #[arg(long, value_name = "URL")]
    icecast: Vec<String>,
    /// Push to an RTMP server: rtmp://HOST/APPLICATION/KEY, or rtmps://
    #[arg(long, value_name = "URL")]
    rtmp: Vec<String>,
    /// Send over SRT: srt://HOST:PORT, with ?mode=listener to be called
    #[arg(long, value_name = "URL")]
    srt: Vec<String>,
    /// Push over WHIP: https://HOST/PATH#token=TOKEN
    #[arg(long, value_name = "URL")]
    whip: Vec<String>,
    /// Push over WebRTC: janus+ws://HOST:8188/?room=1234, webrtcsink+ws://HOST:8443, livekit+wss://HOST or kvs://CHANNEL
    #[arg(long, value_name = "URL")]
    webrtc: Vec<String>,
    /// Tell listeners what plays now: the first line of file:PATH, or mpris for the music player of this desktop
    #[arg(long, value_name = "SOURCE")]
    now_playing: Option<String>,
    /// Record to a .webm, .mkv, .mp4 or .ogg file, or sound alone to .mp3, .opus or .oga. The name may have date and time in
    /// it, as in show-%Y-%m-%d_%H-%M-%S.webm, and %n for the number of a part
    #[arg(long, value_name = "FILE")]
    record: Vec<PathBuf>,
    /// Begin a new file after this time or size, without losing a picture: 90s, 30m, 2h, 500M, 2G
    #[arg(long, value_name = "TIME|SIZE")]
    record_split: Option<String>,
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
    /// Another token, for programs that may look and change nothing
    #[arg(
        long,
        value_name = "TOKEN",
        env = "AERIAL_READ_TOKEN",
        hide_env_values = true
    )]
    read_token: Option<String>,
    /// Let remote controls made for OBS (obs-websocket 5) in at this port or address [default: 127.0.0.1:4455]
    #[arg(long, value_name = "PORT|ADDRESS", num_args = 0..=1, default_missing_value = "4455")]
    obs_websocket: Option<String>,
    /// Password for them [default: AERIAL_OBS_PASSWORD, else one made at the first time]
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "AERIAL_OBS_PASSWORD",
        hide_env_values = true
    )]
    obs_password: Option<String>,
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
    let matches = match with_inner_options(Cli::command()).try_get_matches() {
        Ok(matches) => matches,
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
    if let Some(folder) = matches.get_one::<PathBuf>(MANUAL) {
        return manual::write(folder);
    }
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    if let Err(e) = gst::init() {
        complain(
            &format!("GStreamer cannot be started: {e}."),
            "Install GStreamer 1.22 or newer.",
        );
        return ExitCode::FAILURE;
    }
    studio::hush::hush_gstreamer();
    match cli.command {
        Some(What::Live(live)) => live::live(&live),
        Some(What::Devices { json }) => devices(json),
        Some(What::Check) => check::run(),
        None => window(cli.window, matches.get_flag(SERVICE)),
    }
}

#[cfg(feature = "ui")]
fn window(opening: Opening, service: bool) -> ExitCode {
    window::open(opening, service)
}

#[cfg(not(feature = "ui"))]
fn window(_: Opening, _: bool) -> ExitCode {
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
        StudioError::Serve(_)
        | StudioError::Source(_)
        | StudioError::Output(_)
        | StudioError::Incomplete { .. }
        | StudioError::Program(_)
        | StudioError::Encoder { .. }
        | StudioError::OnlyOffAir(_)
        | StudioError::OnlyAtStart(_)
        | StudioError::Token { .. }
        | StudioError::NoSuchViewer
        | StudioError::NoAddress
        | StudioError::NoHost(_)
        | StudioError::NotBanned(_)
        | StudioError::NoSuchOutput(_)
        | StudioError::NotPausable(_)
        | StudioError::NoSuchSource(_)
        | StudioError::NotForThis(_)
        | StudioError::WouldLoop
        | StudioError::NoTrack(_)
        | StudioError::NoOverlay
        | StudioError::Logo { .. } => ExitCode::FAILURE,
    }
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
    let others = runtime.block_on(choices());
    let mut out = io::stdout().lock();
    let word = |kind| match kind {
        MediaKind::Video => "camera",
        MediaKind::Audio => "mic",
    };
    if as_json {
        let devices = found.iter().map(|d| {
            let spec = format!("{}:{}", word(d.kind), d.id);
            json!({"kind": d.kind, "id": d.id, "name": d.name, "spec": spec, "asks": false})
        });
        let others = others.iter().map(|c| {
            json!({"kind": c.kind, "id": c.spec, "name": c.name, "spec": c.spec, "asks": c.asks})
        });
        let all: Vec<_> = devices.chain(others).collect();
        let _ = writeln!(out, "{}", json!(all));
        return ExitCode::SUCCESS;
    }
    if found.is_empty() {
        let _ = writeln!(out, "No camera and no microphone is plugged in.");
    }
    for device in found {
        let _ = writeln!(out, "{}:{}\t{}", word(device.kind), device.name, device.id);
    }
    for choice in others {
        let asks = if choice.asks {
            " (the desktop asks)"
        } else {
            ""
        };
        let _ = writeln!(out, "{}\t{}{asks}", choice.spec, choice.name);
    }
    ExitCode::SUCCESS
}
