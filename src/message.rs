// SPDX-License-Identifier: GPL-3.0-or-later
//! All that the engine can be told ([`Command`]) and all that it tells ([`Event`]).
//!
//! Facts are pushed as events; numbers (rates, queues) are pulled with `Studio::snapshot()`.

use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use crate::{
    audience::{Ban, End, Viewer, ViewerId},
    encode::EncodeSettings,
    error::{OutputError, SourceError, StudioError},
    output::OutputSpec,
    program::{
        Preview,
        scene::{Arrangement, Framing, Layout, Overlays, Strip, Transition},
    },
    source::{Device, Spec},
};

/// What the engine can be asked to do. Refusals come back as [`Event::Refused`].
#[derive(Debug, Clone)]
pub enum Command {
    /// Have these sources and no others, in this order; those that stay are not touched. New pictures go on screen.
    /// All of these commands about sources and layout work while live, without a gap.
    SetSources(Vec<Spec>),
    /// Add a source.
    AddSource(NewSource),
    /// Take a source out. A guest leaves with picture and sound.
    RemoveSource(SourceId),
    /// Move a source to this place (from 0) in the list.
    MoveSource(SourceId, usize),
    /// Fit a picture to its place in this way.
    SetFraming(SourceId, Framing),
    /// Mix a sound in this way.
    SetStrip(SourceId, Strip),
    /// Pause, seek and the like, for files; their picture and sound follow together.
    Play(SourceId, Playback),
    /// Show these pictures in this way.
    SetLayout(Layout, Transition),
    /// Put this text and logo over all pictures.
    SetOverlays(Overlays),
    /// Put the sources together like this, without a fade.
    Arrange(Box<Arrangement>),
    /// Codecs and bitrates. A bitrate may change while live, a codec only off air.
    SetEncoding(EncodeSettings),
    /// Go on the air.
    GoLive,
    /// End the broadcast: viewers are let go, outputs closed. Recordings go on.
    EndLive,
    /// Add an output, or replace the one of the same name. It is started at once if it is enabled and may run.
    SetOutput(Box<OutputSpec>),
    /// Remove an output, ending it first.
    RemoveOutput(String),
    /// Switch an output on or off.
    EnableOutput(String, bool),
    /// Say what plays now: one line; empty is nothing.
    SetNowPlaying(String),
    /// Pause a recording, or let it go on: the time between is cut out of its file.
    PauseOutput(String, bool),
    /// Let a viewer go.
    Kick(ViewerId),
    /// Let a viewer go with everybody else of its address, and nobody of it in again in this broadcast.
    Ban(ViewerId),
    /// Let an address in again.
    Unban(IpAddr),
    /// Let others on this network watch, or programs on this computer only: who watches from elsewhere is let go.
    Share(bool),
    /// Give out another token: the links of before are void, and who watches by them is let go.
    RenewViewerToken,
    /// Write something about a viewer; empty is nothing.
    Note(ViewerId, String),
    /// Find out the name of the computer that a viewer comes from: its address is asked about in the network. Done when
    /// that has begun.
    LookUp(ViewerId),
    /// Show the program in a sink of this computer, or stop showing it.
    Preview(Option<Preview>),
    /// Show it so many pixels wide from now on: somebody sees it larger or smaller.
    PreviewWidth(u32),
}

/// A source to be added.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSource {
    /// A picture, a sound, or both of one thing.
    pub specs: Vec<Spec>,
    /// Whether the picture goes on screen at once. It does anyway when the screen is empty.
    pub show: bool,
    /// Of a file or link: what it does not have (picture or sound) is left out without a word.
    pub optional: bool,
}

/// What can be done with a file while it plays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Playback {
    /// Stand still; the picture stays.
    Pause,
    /// Go on.
    Resume,
    /// Go on from here.
    Seek(Duration),
    /// The next one of a playlist.
    Next,
    /// The one before.
    Previous,
    /// Begin again at the end, or end there.
    Loop(bool),
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Seconds from the beginning.
    pub position: f64,
    /// Seconds, where known.
    pub duration: Option<f64>,
    /// Standing still.
    pub paused: bool,
    /// Whether it begins again at its end.
    pub looped: bool,
    /// Which one of the playlist, from 1.
    pub item: usize,
    /// How many the playlist has; 1 for a plain file.
    pub items: usize,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// These sources were added, in the order of their specs.
    Added(Vec<SourceId>),
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The broadcast went from one state to another.
    Air(AirState),
    /// A source went from one state to another.
    Source(SourceStatus),
    /// A source is no longer part of the program.
    SourceRemoved(SourceId),
    /// The sources stand in this order now.
    SourceOrder(Vec<SourceId>),
    /// This is on screen now.
    Layout(Layout),
    /// This lies over all pictures now.
    Overlays(Overlays),
    /// An output went from one state to another, or was added.
    Output(OutputStatus),
    /// An output is gone.
    OutputRemoved(String),
    /// Somebody watches.
    ViewerJoined(Viewer),
    /// Something was written about a viewer.
    ViewerNoted(Viewer),
    /// Somebody stopped watching, or was let go.
    ViewerLeft(ViewerId, End),
    /// These addresses are banned now.
    Bans(Vec<Ban>),
    /// The links of viewers carry another token now.
    ViewerToken,
    /// Whether others on this network can watch changed.
    Shared(bool),
    /// Cameras and microphones now plugged in (all of them).
    Devices(Vec<Device>),
    /// Codecs, bitrates, size or rate changed.
    Encoding(EncodeSettings),
    /// Every encoder has been tried: `encode::ability` answers at once.
    Abilities,
    /// This plays now.
    NowPlaying(String),
    /// A command could not be carried out; everything is as it was before.
    Refused(StudioError),
}

/// Whether the program is on the air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AirState {
    /// Nobody outside can see the program.
    Off,
    /// Asked to go live; no frame has come out of the program yet.
    Starting,
    /// Viewers are served.
    Live {
        /// When it began.
        since: SystemTime,
    },
    /// Being ended.
    Stopping,
}

impl AirState {
    /// The word of the status object.
    pub fn word(&self) -> &'static str {
        match self {
            AirState::Off => "off",
            AirState::Starting => "starting",
            AirState::Live { .. } => "live",
            AirState::Stopping => "stopping",
        }
    }
}

/// Number of a source, unique while the engine runs.
pub type SourceId = u64;

/// Whether a source shows picture or sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// Picture.
    Video,
    /// Sound.
    Audio,
}

/// One source as it is now.
#[derive(Debug, Clone)]
pub struct SourceStatus {
    /// Its number.
    pub id: SourceId,
    /// Picture or sound.
    pub kind: MediaKind,
    /// As on the command line, e.g. `camera:Front`.
    pub spec: String,
    /// What it does now.
    pub state: SourceState,
    /// What it left out although it goes on: a picture that cannot be shown.
    pub warning: Option<SourceError>,
    /// Its other half: the sound of the same file, link or guest, or the picture.
    pub partner: Option<SourceId>,
    /// How a picture is fitted to its place.
    pub framing: Framing,
    /// How a sound is mixed.
    pub strip: Strip,
}

/// What a source does now.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceState {
    /// Being opened; nothing has come from it yet.
    Starting,
    /// Its picture or sound is in the program.
    Live,
    /// Nothing more comes from it; its last picture stays.
    Ended(SourceError),
    /// It ended or failed; the slate or silence stands in. It is tried again after `retry_in`.
    Lost {
        /// Why.
        error: SourceError,
        /// Time until the next try, if there will be one before the device is seen again.
        retry_in: Option<Duration>,
    },
}

impl SourceState {
    /// The word of the status object.
    pub fn word(&self) -> &'static str {
        match self {
            SourceState::Starting => "starting",
            SourceState::Live => "live",
            SourceState::Ended(_) => "ended",
            SourceState::Lost { .. } => "lost",
        }
    }
}

/// One output as it is now.
#[derive(Debug, Clone)]
pub struct OutputStatus {
    /// Its name, unique among the outputs.
    pub name: String,
    /// `icecast`, `rtmp`, `srt`, `whip`, `janus`, `webrtcsink`, `livekit`, `kvs` or `record`.
    pub kind: &'static str,
    /// Where it goes, without any password.
    pub url: String,
    /// Whether the user wants it.
    pub enabled: bool,
    /// What it does now.
    pub state: OutputState,
    /// What will stop it soon, unless something is done.
    pub warning: Option<OutputError>,
}

/// What an output does now. "Live" means that the other side took bytes just now.
#[derive(Debug, Clone, PartialEq)]
pub enum OutputState {
    /// Not running: switched off, or waiting for the broadcast to begin.
    Off,
    /// Trying to reach the other side.
    Connecting {
        /// 1 for the first try.
        attempt: u32,
    },
    /// Bytes are accepted.
    Live {
        /// When they first were, since the last failure.
        since: SystemTime,
    },
    /// A recording that stands still because the user wants it to; its file stays open.
    Paused,
    /// Failed for now; tried again at `retry_at`.
    Waiting {
        /// When the next try is made.
        retry_at: SystemTime,
        /// Why the last one failed.
        error: OutputError,
    },
    /// Failed in a way that trying again cannot mend.
    Failed(OutputError),
}

impl OutputState {
    /// The word of the status object.
    pub fn word(&self) -> &'static str {
        match self {
            OutputState::Off => "off",
            OutputState::Connecting { .. } => "connecting",
            OutputState::Live { .. } => "live",
            OutputState::Waiting { .. } | OutputState::Paused => "waiting",
            OutputState::Failed(_) => "failed",
        }
    }

    /// Why it is not live, if it failed.
    pub fn error(&self) -> Option<&OutputError> {
        match self {
            OutputState::Waiting { error, .. } | OutputState::Failed(error) => Some(error),
            OutputState::Off
            | OutputState::Connecting { .. }
            | OutputState::Live { .. }
            | OutputState::Paused => None,
        }
    }
}
