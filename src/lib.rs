// SPDX-License-Identifier: GPL-3.0-or-later
//! The engine of Aerial: everything but the window.
//!
//! # Rooms
//!
//! Each room is a folder (or file) with one door, its `mod.rs`.
//!
//! | Room | What is in it |
//! | --- | --- |
//! | [`message`] | `Command` and `Event`: all that the engine is told and all that it tells |
//! | [`Studio`] | the engine's one handle: `command()`, `events()`, `snapshot()` |
//! | [`source`] | where picture and sound come from (one file per kind in `open/`), their keepers, the device list |
//! | [`portal`] | what the desktop hands out when asked: screens, windows, cameras in a sandbox, keys that work everywhere |
//! | [`program`] | the mix that goes on air: layouts and fades, channel strips, overlays, over the slate; levels; preview, thumbnails of sources |
//! | [`encode`] | raw to coded: the codec table, what works on this computer, the ladder (which encoders a format needs), rungs |
//! | [`fanout`] | one stream, many readers: a ring, and feeds that read it |
//! | [`mux`] | packets to containers: the table of containers, one muxer per format, only while wanted |
//! | [`output`] | where the broadcast is pushed to: Icecast, RTMP, SRT, WHIP and other WebRTC, recording; back-off |
//! | [`serve`] | the one HTTP server: live streams, HLS, pictures, watch page, API, metrics, obs-websocket, WHEP, signalling, the WebRTC leg; guests (join page, WHIP) |
//! | [`now_playing`], [`title`] | the line that says what plays now; where it comes from unless it is typed: a file, the music player |
//! | [`navigation`] | where viewers point and what they type, on its way to the sources that take it |
//! | [`audience`] | who is watching and who was, over every transport; kick, ban |
//! | [`stats`] | the status object, counters to rates, and the health line |
//! | [`settings`] | profiles (TOML) and their secrets (keyring), who may watch, the tokens |
//! | [`hush`] | secrets are left out of every log, GStreamer's too |
//! | [`error`] | what can go wrong: a typed error per room, with a sentence and a remedy |
//! | `plugins` | GStreamer elements that are part of this program |
//! | `fuzzing` | what the fuzzers in `fuzz/` call; only with the feature of that name |
//! | `helper` | threads that their owner waits for |
//!
//! # How a picture travels
//!
//! ```text
//! source pipelines ──raw──▶ program (compositor + audiomixer over the slate)
//!                               ├──raw──▶ preview pipeline (only while somebody looks)
//!                               ├──raw──▶ foreign signalling servers, where each viewer is to have an encoder
//!                               └──raw──▶ rung pipeline: encoder ▶ Packet ──▶ fanout
//! fanout of packets ──▶ WebRTC leg
//!                   ├──▶ mux pipeline (one per format) ──▶ fanout of chunks ──▶ HTTP viewers, HLS
//!                   │                                                     ├──▶ Icecast (a socket)
//!                   │                                                     └──▶ SRT pipeline
//!                   ├──▶ pipelines of WHIP, Janus, foreign signalling servers, …
//!                   └──▶ pipelines of RTMP and recordings, with a muxer in each
//! ```
//!
//! # Invariants
//!
//! - GTK and gettext are only in `ui/` and `main.rs`; this library knows neither.
//! - Nothing below [`studio`](Studio) knows `Studio`; outputs do not know each other.
//! - Each source, rung and muxer is a pipeline of its own; each output is a task, with a pipeline of its own unless a
//!   socket does. So an error ends that one alone. All pipelines share one clock and one base time.
//! - A streaming thread never waits: it hands over what it has, or counts a drop.
//! - What must end, ends by `Drop`: viewers, leases of encoders, links between pipelines, bus watches.
//! - `audience`, `navigation`, `settings`, `stats`, `encode::ladder` and `output::retry` know no GStreamer.
//!
//! # Kinds of thread
//!
//! GStreamer streaming threads (inside pipelines); the tokio runtime owned by `Studio`; the WebRTC thread; the thread that
//! receives guests, and one per guest's seat; the rung worker, which may block on state changes; the thread that tries the
//! encoders at the start; the device watch; one per captured X11 screen, certain microphone and standard input; short ones
//! that start and end outputs; one that speaks mDNS while a shared broadcast is live; and in the window the GTK main thread
//! one that brings it the events, one that hears of the desktop's keys, and those that save what is kept.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod audience;
pub mod encode;
pub mod error;
pub mod fanout;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod helper;
pub mod hush;
pub mod message;
pub mod mux;
pub mod navigation;
pub mod now_playing;
pub mod output;
mod plugins;
pub mod portal;
pub mod program;
pub mod serve;
pub mod settings;
pub mod source;
pub mod stats;
mod studio;
pub mod title;

pub use studio::{ObsOptions, Studio, StudioOptions};

/// The application's id: desktop file, icon, D-Bus name and settings folder are called after it.
pub const APP_ID: &str = "io.github.aerial_live.Aerial";
