// SPDX-License-Identifier: GPL-3.0-or-later
//! The status object: what `--status json`, `GET /api/v1/status` and the window all show.

mod health;
mod process;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use health::{health, is_too_slow};
pub use process::Process;

use crate::{
    audience::{Transport, Viewer},
    message::{MediaKind, Progress},
    program::scene::{Framing, Strip},
    source::guest::GuestRow,
};

/// Everything at one moment. Its JSON shape is fixed: others rely on it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// `off`, `starting`, `live` or `stopping`.
    pub air: String,
    /// When it went live, as seconds since 1970.
    pub since: Option<f64>,
    /// Encoders that run now.
    pub encoders: Vec<EncoderRow>,
    /// Sources of the program.
    pub sources: Vec<SourceRow>,
    /// Outputs, running or not.
    pub outputs: Vec<OutputRow>,
    /// Everybody who watches.
    pub viewers: Vec<ViewerRow>,
    /// One sentence: fine, or the one thing that is worst and what to do about it.
    pub health: String,
}

/// One running encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderRow {
    /// Its word on the command line.
    pub codec: String,
    /// The GStreamer element that encodes.
    #[serde(default)]
    pub element: String,
    /// `full` for a picture of the program's size, `low` and `gif` for smaller ones, `audio` for sound.
    pub rung: String,
    /// Pixels; 0 for sound.
    pub width: u32,
    /// Pixels; 0 for sound.
    pub height: u32,
    /// Packets per second over the last second.
    pub fps: f64,
    /// Bits per second over the last second.
    pub bitrate: u64,
    /// Raw frames it had no time for, since it was first started.
    pub dropped: u64,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceRow {
    /// Number.
    pub id: u64,
    /// `video` or `audio`.
    pub kind: MediaKind,
    /// As on the command line.
    pub spec: String,
    /// `starting`, `live`, `ended` or `lost`.
    pub state: String,
    /// Why it is lost or has ended, and what to do.
    pub error: Option<String>,
    /// What it left out although it goes on, and what to do.
    pub warning: Option<String>,
    /// Number of its other half (the sound of the same film), if it has one.
    pub partner: Option<u64>,
    /// Of a picture: whether it is on screen.
    pub shown: Option<bool>,
    /// Of a picture: how it is fitted to its place.
    pub framing: Option<Framing>,
    /// Of a sound: how it is mixed.
    pub strip: Option<Strip>,
    /// Of a sound: how loud it is.
    pub levels: Option<LevelRow>,
    /// Of a file: where it is.
    pub progress: Option<Progress>,
    /// Of a guest: who they are.
    pub guest: Option<GuestRow>,
}

/// Loudness over the last 50 ms, left and right, in dBFS; -100 is silence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LevelRow {
    /// Highest sample.
    pub peak_db: [f32; 2],
    /// Mean.
    pub rms_db: [f32; 2],
}

/// One output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputRow {
    /// Its name.
    pub name: String,
    /// `icecast`, `rtmp`, `srt`, `whip`, `janus`, `webrtcsink`, `livekit`, `kvs` or `record`.
    pub kind: String,
    /// Whether it is switched on.
    #[serde(default)]
    pub enabled: bool,
    /// `off`, `connecting`, `live`, `waiting` or `failed`.
    pub state: String,
    /// Where to, without any password.
    pub url: String,
    /// Bits per second over the last second.
    pub bitrate: u64,
    /// Bytes taken since it was switched on.
    pub bytes: u64,
    /// Pieces of the stream that were left out because the other side was too slow.
    #[serde(default)]
    pub dropped: u64,
    /// What an Icecast server says of the mount, where it may be asked.
    #[serde(default)]
    pub mount: Option<MountRow>,
    /// Why it is waiting or failed, and what to do.
    pub error: Option<String>,
    /// What will stop it soon, and what to do.
    #[serde(default)]
    pub warning: Option<String>,
    /// Waiting because the user wants it to: a recording that pauses.
    #[serde(default)]
    pub paused: bool,
}

/// Sums since the engine started, made once a second. None of them ever becomes less.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meters {
    /// Of each output that is there, by name.
    pub outputs: BTreeMap<String, OutputMeter>,
    /// Pictures that encoders of the full size made.
    pub frames: u64,
    /// Raw frames for which the encoders had no time.
    pub dropped: u64,
}

/// Sums of one output, however often it was switched on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputMeter {
    /// As in its row.
    pub kind: &'static str,
    /// Bytes that it took.
    pub bytes: u64,
    /// Pieces of the stream that were left out because the other side was too slow.
    pub dropped: u64,
}

/// What an Icecast server says of a mount.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MountRow {
    /// Listeners now, relays among them.
    pub listeners: u64,
    /// The most at one time.
    pub peak: u64,
    /// Bytes sent to listeners.
    pub bytes: u64,
}

/// One viewer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ViewerRow {
    /// Number.
    pub id: u64,
    /// `http`, `hls`, `webrtc` or `icecast`.
    pub transport: Transport,
    /// `webm`, or the codecs for WebRTC.
    pub format: String,
    /// IP address, with its port where known.
    pub address: String,
    /// User agent.
    pub agent: String,
    /// When it joined, as seconds since 1970.
    pub since: f64,
    /// Bytes its connection took.
    pub bytes: u64,
    /// Bits per second over the last second.
    pub bitrate: u64,
    /// Age in milliseconds of what is not sent yet.
    pub queue: u32,
    /// Round-trip time in milliseconds, where known.
    pub rtt_ms: Option<u32>,
    /// Share of packets lost, 0 to 1, where known.
    pub loss: Option<f32>,
    /// Frames it missed because it was too slow.
    pub dropped: u64,
    /// The picture's place on the ladder.
    pub rung: String,
    /// What the broadcaster wrote about it.
    pub note: String,
    /// The name of the computer it comes from, once it was asked for.
    pub host: Option<String>,
}

impl From<&Viewer> for ViewerRow {
    fn from(v: &Viewer) -> Self {
        ViewerRow {
            id: v.id,
            transport: v.who.transport,
            format: v.who.format.clone(),
            address: v.who.address.clone(),
            agent: v.who.agent.clone(),
            since: seconds(v.since),
            bytes: v.counters.bytes(),
            bitrate: v.counters.bitrate(),
            queue: v.counters.queue_ms(),
            rtt_ms: v.counters.rtt_ms(),
            loss: v.counters.loss(),
            dropped: v.counters.dropped(),
            rung: if v.counters.low() { "low" } else { "full" }.into(),
            note: v.note.to_string(),
            host: v.host.as_deref().map(String::from),
        }
    }
}

/// Seconds since 1970.
pub fn seconds(at: std::time::SystemTime) -> f64 {
    at.duration_since(std::time::UNIX_EPOCH)
        .map_or(0.0, |d| (d.as_secs_f64() * 1000.0).round() / 1000.0)
}
