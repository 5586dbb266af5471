// SPDX-License-Identifier: GPL-3.0-or-later
//! Raw frames in words: `rgba:640x480@30`.

use std::{fmt, str::FromStr};

use crate::{error::SpecError, settings::units};

/// What raw frames on a pipe look like.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RawFormat {
    /// Layout of the bytes.
    pub pixels: Pixels,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames per second, 1 to 120.
    pub fps: u32,
}

/// Layout of the bytes of a raw frame, without padding between rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the formats")]
pub enum Pixels {
    Rgba,
    Bgra,
    Rgb,
    Bgr,
    I420,
    Nv12,
    Yuy2,
    Gray8,
}

/// The words, and GStreamer's names.
const FORMATS: [(&str, Pixels, &str); 8] = [
    ("rgba", Pixels::Rgba, "RGBA"),
    ("bgra", Pixels::Bgra, "BGRA"),
    ("rgb", Pixels::Rgb, "RGB"),
    ("bgr", Pixels::Bgr, "BGR"),
    ("i420", Pixels::I420, "I420"),
    ("nv12", Pixels::Nv12, "NV12"),
    ("yuy2", Pixels::Yuy2, "YUY2"),
    ("gray8", Pixels::Gray8, "GRAY8"),
];

impl Pixels {
    fn row(self) -> &'static (&'static str, Pixels, &'static str) {
        FORMATS
            .iter()
            .find(|(_, pixels, _)| *pixels == self)
            .expect("every format is in the table")
    }

    /// The name in caps.
    pub fn gst_name(self) -> &'static str {
        self.row().2
    }
}

impl FromStr for RawFormat {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let unknown = || SpecError::RawFormat(text.to_string());
        let (word, rest) = text.split_once(':').ok_or_else(unknown)?;
        let (_, pixels, _) = FORMATS
            .iter()
            .find(|(known, ..)| *known == word)
            .ok_or_else(unknown)?;
        let (size, fps) = rest.split_once('@').ok_or_else(unknown)?;
        let (width, height) = units::size(size).map_err(|_| unknown())?;
        let fps = fps
            .parse()
            .ok()
            .filter(|fps| (1..=120).contains(fps))
            .ok_or_else(unknown)?;
        Ok(RawFormat {
            pixels: *pixels,
            width,
            height,
            fps,
        })
    }
}

impl fmt::Display for RawFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.pixels.row().0;
        write!(f, "{word}:{}x{}@{}", self.width, self.height, self.fps)
    }
}
