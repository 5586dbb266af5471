// SPDX-License-Identifier: GPL-3.0-or-later
//! What the engine can refuse.

use std::path::PathBuf;

use thiserror::Error;

use super::{OutputError, Remedy, ServeError, SourceError, SpecError};

/// Why the engine did not start, or did not do what it was told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StudioError {
    /// Words that cannot be understood.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The server.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// An output.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Elements without which nothing works.
    #[error("GStreamer lacks {elements}.")]
    Incomplete {
        /// Their names.
        elements: String,
        /// The Debian packages.
        packages: String,
    },
    /// The program pipeline.
    #[error("The program could not be built: {0}.")]
    Program(String),
    /// An encoder stopped.
    #[error("The encoder for {codec} failed: {why}.")]
    Encoder {
        /// The codec.
        codec: String,
        /// GStreamer's words.
        why: String,
    },
    /// A thing that can only be changed off air.
    #[error("{0} cannot be changed while live.")]
    OnlyOffAir(&'static str),
    /// A thing that can only be chosen at the start.
    #[error("{0} cannot be changed while Aerial runs.")]
    OnlyAtStart(&'static str),
    /// The token file.
    #[error("The API token could not be kept in {path}: {why}.")]
    Token {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// A viewer that is not there.
    #[error("That viewer is not there any more.")]
    NoSuchViewer,
    /// A viewer who comes through somebody else's server.
    #[error("That viewer has no address of its own: it comes through another server.")]
    NoAddress,
    /// An address of which no name is known.
    #[error("No name is known for {0}.")]
    NoHost(std::net::IpAddr),
    /// An address that may watch.
    #[error("{0} is not banned.")]
    NotBanned(std::net::IpAddr),
    /// A source that is not there.
    #[error("There is no source {0}.")]
    NoSuchSource(u64),
    /// A source that has no such control: pausing a camera, cropping a sound.
    #[error("The source {0} cannot do that.")]
    NotForThis(String),
    /// Listening to a source while what this computer plays is on air.
    #[error(
        "What you listen to would be heard in the broadcast again: the sound of this computer is on air."
    )]
    WouldLoop,
    /// A source for which the program has no track.
    #[error("The program has no {0}.")]
    NoTrack(&'static str),
    /// Text and logo cannot be shown.
    #[error("Text and logo cannot be shown: parts of GStreamer are missing.")]
    NoOverlay,
    /// A logo that cannot be shown.
    #[error("The logo {path} cannot be shown: {why}.")]
    Logo {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// An output that is not there.
    #[error("There is no output called {0}.")]
    NoSuchOutput(String),
    /// An output that does not run, or is no recording, is to pause.
    #[error("{0} cannot pause.")]
    NotPausable(String),
}

impl Remedy for StudioError {
    fn remedy(&self) -> String {
        match self {
            StudioError::Spec(e) => e.remedy(),
            StudioError::Serve(e) => e.remedy(),
            StudioError::Source(e) => e.remedy(),
            StudioError::Output(e) => e.remedy(),
            StudioError::Incomplete { packages, .. } => {
                format!("Install {packages} (\"aerial check\" lists everything).")
            }
            StudioError::Program(_) => "\"aerial check\" tells what is missing.".into(),
            StudioError::Encoder { .. } => "Choose another codec, size or bitrate.".into(),
            StudioError::OnlyOffAir(_) => "End the broadcast first.".into(),
            StudioError::OnlyAtStart(_) => "Start Aerial again with it.".into(),
            StudioError::Token { .. } => "Give one with --api-token or AERIAL_API_TOKEN.".into(),
            StudioError::NotPausable(_) => "Only a recording that runs can pause.".into(),
            StudioError::NoAddress => "Kick it, or ban it there.".into(),
            StudioError::NoHost(_) => {
                "Its network does not tell one: the address is all there is to know.".into()
            }
            StudioError::NoSuchViewer
            | StudioError::NotBanned(_)
            | StudioError::NoSuchOutput(_)
            | StudioError::NoSuchSource(_) => "Look at the list again.".into(),
            StudioError::NotForThis(_) => "Choose another source for it.".into(),
            StudioError::WouldLoop => "Remove the desktop sound first.".into(),
            StudioError::NoTrack(_) => "Start Aerial again with such a source.".into(),
            StudioError::NoOverlay => {
                "Install gstreamer1.0-x and gstreamer1.0-plugins-good.".into()
            }
            StudioError::Logo { .. } => "Choose a PNG, JPEG or SVG file.".into(),
        }
    }
}
