// SPDX-License-Identifier: GPL-3.0-or-later
//! What can be wrong with a picture that somebody sends.

use thiserror::Error;

use super::Remedy;

/// Why a picture cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PictureError {
    /// Nothing came.
    #[error("There is no picture in it.")]
    Empty,
    /// None of the four kinds.
    #[error("This is no PNG, JPEG, WebP or GIF picture.")]
    Unknown,
    /// The sender says one thing and sends another.
    #[error("This is called {told}, but it is a {kind} picture.")]
    Contradiction {
        /// The type that was given.
        told: String,
        /// The kind that it is.
        kind: &'static str,
    },
    /// The coded picture is too large.
    #[error("The picture has more than 64 MiB.")]
    TooManyBytes,
    /// The decoded picture would be too large.
    #[error("The picture has {width}x{height} pixels, which is too large.")]
    TooLarge {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// Decoding would take too much memory, though the picture is not that large.
    #[error("The picture would take too much memory.")]
    TooMuchMemory,
    /// It begins as a picture of this kind, but is broken or cut short.
    #[error("The {kind} picture is broken: {why}.")]
    Broken {
        /// The kind that it is.
        kind: &'static str,
        /// What the decoder says.
        why: String,
    },
    /// A file that cannot be read.
    #[error("The file cannot be read: {0}.")]
    Unreadable(String),
    /// Nobody shows pictures of this name (any more).
    #[error("No source shows these pictures any more.")]
    NoSource,
}

impl Remedy for PictureError {
    fn remedy(&self) -> String {
        match self {
            PictureError::Empty | PictureError::Unknown => {
                "Send one PNG, JPEG, WebP or GIF picture.".into()
            }
            PictureError::Contradiction { .. } => "Send its own type, or none at all.".into(),
            PictureError::TooManyBytes => "Send a smaller one.".into(),
            PictureError::TooLarge { .. } | PictureError::TooMuchMemory => {
                "Make it at most 8192 pixels wide and high, and 40 million pixels in all.".into()
            }
            PictureError::Broken { .. } => "Write the whole picture, then send it again.".into(),
            PictureError::Unreadable(_) => "Check who may read it.".into(),
            PictureError::NoSource => "Add the source again.".into(),
        }
    }
}

/// Why a stream of pictures (`multipart/x-mixed-replace`) cannot be read on. The parts are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PartError {
    /// No part ever began.
    #[error("The boundary that Content-Type names is nowhere in the body.")]
    NoBoundary,
    /// The lines before a picture make no sense.
    #[error("The head of part {0} cannot be read.")]
    Head(usize),
    /// Something else than a boundary follows a part.
    #[error("Part {0} is not as long as its Content-Length says.")]
    Length(usize),
    /// It is too large.
    #[error("Part {0} has more than 64 MiB.")]
    TooLarge(usize),
    /// The stream ended in the middle.
    #[error("The body ends in the middle of part {0}.")]
    Cut(usize),
}

impl Remedy for PartError {
    fn remedy(&self) -> String {
        match self {
            PartError::NoBoundary => {
                "Write --BOUNDARY before each picture, and name it in Content-Type.".into()
            }
            PartError::Head(_) => "Begin each part with its headers and an empty line.".into(),
            PartError::Length(_) => {
                "Count the bytes of the picture alone, or leave Content-Length out.".into()
            }
            PartError::TooLarge(_) => "Send smaller pictures.".into(),
            PartError::Cut(_) => "Send it again from the beginning.".into(),
        }
    }
}
