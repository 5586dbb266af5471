// SPDX-License-Identifier: GPL-3.0-or-later
//! What can keep a source from showing or sounding.

use std::path::PathBuf;

use thiserror::Error;

use super::{PictureError, PortalError, Remedy, ScreenError};

/// Why a source does not show or sound.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SourceError {
    /// The device is not (or no longer) plugged in.
    #[error("There is no {kind} called {name}.")]
    NoDevice {
        /// `camera` or `microphone`.
        kind: &'static str,
        /// What was looked for.
        name: String,
    },
    /// No device of this kind at all.
    #[error("No {0} is plugged in.")]
    NoDeviceAtAll(&'static str),
    /// A device that went away while in use.
    #[error("The {kind} {name} was unplugged.")]
    Unplugged {
        /// `camera` or `microphone`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A file that is no picture or sound.
    #[error("{path} holds no {media} that can be played.")]
    NotMedia {
        /// The file.
        path: PathBuf,
        /// `picture` or `sound`.
        media: &'static str,
    },
    /// A file that is not there (any more).
    #[error("The file {0} is not there.")]
    FileGone(PathBuf),
    /// The desktop did not hand it out.
    #[error(transparent)]
    Portal(#[from] PortalError),
    /// The screen cannot be shown.
    #[error(transparent)]
    Screen(#[from] ScreenError),
    /// It opened, but gave nothing.
    #[error("{0} gives no picture any more.")]
    Stalled(String),
    /// A stream elsewhere from which nothing comes any more.
    #[error("Nothing comes from {0} any more.")]
    StreamStalled(String),
    /// A stream elsewhere that came to its end.
    #[error("The stream at {0} ended.")]
    StreamEnded(String),
    /// A guest who is not connected any more.
    #[error("{0} has left.")]
    GuestLeft(String),
    /// A file that came to its end and is not looped.
    #[error("{0} has come to its end.")]
    Finished(String),
    /// A watched folder that is not there (any more).
    #[error("The folder {0} is not there.")]
    NoFolder(PathBuf),
    /// A picture in a watched folder that cannot be shown.
    #[error("The picture {path} is left out. {error}")]
    BadPicture {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: PictureError,
    },
    /// Standard input is a terminal, or nothing.
    #[error("Nothing is piped into Aerial's standard input.")]
    NothingPiped,
    /// Standard input is read by another source.
    #[error("Standard input is read by another source already.")]
    InputTaken,
    /// Standard input came to its end.
    #[error("Standard input has come to its end{}.", if *.cut { ", in the middle of a frame" } else { "" })]
    InputEnded {
        /// The last frame was not whole.
        cut: bool,
    },
    /// GStreamer said something else.
    #[error("{spec} failed: {why}.")]
    Failed {
        /// The source as on the command line.
        spec: String,
        /// GStreamer's words.
        why: String,
    },
    /// An element is not installed.
    #[error("{element} is not installed.")]
    Missing {
        /// The element.
        element: String,
    },
}

impl Remedy for SourceError {
    fn remedy(&self) -> String {
        match self {
            SourceError::NoDevice { .. } => {
                "\"aerial devices\" lists what is there; it is used as soon as it is plugged in.".into()
            }
            SourceError::NoDeviceAtAll(_) | SourceError::Unplugged { .. } => {
                "Plug it in; it is used as soon as it is seen.".into()
            }
            SourceError::NotMedia { .. } => {
                "Choose a video, sound or picture file; \"aerial check\" tells which formats can be read.".into()
            }
            SourceError::Portal(e) => e.remedy(),
            SourceError::Screen(e) => e.remedy(),
            SourceError::Stalled(_) => "Check its cable, or close other programs that use it.".into(),
            SourceError::FileGone(_) => "Put it back; it is looked for again by itself.".into(),
            SourceError::StreamEnded(_) | SourceError::StreamStalled(_) => {
                "It is tried again by itself.".into()
            }
            SourceError::GuestLeft(_) => {
                "The seat is kept: they come back with the page they had, or with a new invitation.".into()
            }
            SourceError::Finished(_) => "Play it again, or remove it.".into(),
            SourceError::NoFolder(_) => "Make it again; it is looked for again by itself.".into(),
            SourceError::BadPicture { error, .. } => error.remedy(),
            SourceError::NothingPiped => {
                "Start it with a program that writes frames: PROGRAM | aerial live --video stdin:rgba:640x480@30.".into()
            }
            SourceError::InputTaken => "Remove one of the two; there is one standard input.".into(),
            SourceError::InputEnded { cut: false } => {
                "Its last picture stays; remove the source if it is not needed any more.".into()
            }
            SourceError::InputEnded { cut: true } => {
                "Its last whole picture stays; check that size and format are those that are written.".into()
            }
            SourceError::Failed { .. } => "It is tried again by itself.".into(),
            SourceError::Missing { .. } => "\"aerial check\" tells which package has it.".into(),
        }
    }
}
