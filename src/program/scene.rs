// SPDX-License-Identifier: GPL-3.0-or-later
//! How the program is put together, in plain values: layouts, framing, channel strips, overlays. What is said here
//! is carried out by the mixers.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::message::SourceId;

/// What is on screen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// How the pictures stand to each other.
    #[serde(default)]
    pub kind: LayoutKind,
    /// The pictures on screen, the most important first. Sources that are not named stay open and unseen, so that
    /// switching to them takes no time.
    #[serde(default)]
    pub pictures: Vec<SourceId>,
}

impl Layout {
    /// How many pictures it has room for.
    fn room(&self) -> usize {
        match self.kind {
            LayoutKind::Full => 1,
            LayoutKind::PictureInPicture { .. } | LayoutKind::SideBySide => 2,
            LayoutKind::Grid => usize::MAX,
        }
    }

    /// Whether this picture is seen: those for which there is no room wait behind the others.
    pub fn shows(&self, id: SourceId) -> bool {
        self.pictures.iter().take(self.room()).any(|p| *p == id)
    }

    /// Bring one more picture on screen, where this layout has room for it; else in place of the last one.
    pub fn bring(&mut self, id: SourceId) {
        if self.shows(id) {
            return;
        }
        self.pictures.retain(|p| *p != id);
        self.pictures.truncate(self.room() - 1);
        self.pictures.push(id);
    }
}

/// How the pictures of a layout stand to each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum LayoutKind {
    /// The first one alone.
    Full,
    /// The first one, and the second small in a corner of it.
    PictureInPicture {
        /// Which corner.
        #[serde(default)]
        corner: Corner,
        /// Width of the small picture as a share of the program's, 0.1 to 0.5.
        #[serde(default = "quarter")]
        size: f32,
    },
    /// The first two, halves of the same size.
    SideBySide,
    /// All of them, as large as there is room: one fills the program, two stand side by side.
    #[default]
    Grid,
}

fn quarter() -> f32 {
    0.25
}

/// A corner of the program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Corner {
    /// Upper left.
    TopLeft,
    /// Upper right.
    TopRight,
    /// Lower left.
    BottomLeft,
    /// Lower right.
    #[default]
    BottomRight,
}

/// How one layout becomes the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transition {
    /// From one frame to the next.
    #[default]
    Cut,
    /// New pictures come in over the old ones within this time, at most [`Transition::LONGEST`].
    Fade(Duration),
}

impl Transition {
    /// A longer fade would look like a fault.
    pub const LONGEST: Duration = Duration::from_secs(3);
}

/// How a picture is fitted to its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Framing {
    /// What is done when its shape is another one than that of its place.
    pub sizing: Sizing,
    /// What is cut off before.
    pub crop: Crop,
}

/// What is done when a picture has another shape than its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sizing {
    /// All of it is seen; bars fill the rest.
    #[default]
    Fit,
    /// It fills the place; what stands out is cut off on both sides alike.
    Fill,
    /// It is stretched to the place.
    Stretch,
}

/// What is cut off a picture, as shares (0 to 0.9) of its width and height. At least a tenth stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Crop {
    /// From the left.
    pub left: f32,
    /// From above.
    pub top: f32,
    /// From the right.
    pub right: f32,
    /// From below.
    pub bottom: f32,
}

/// The channel strip of a sound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Strip {
    /// Louder or quieter by this many dB, -60 to +20. At -60 it is silent.
    pub gain_db: f32,
    /// Not heard at all.
    pub muted: bool,
    /// From -1 (left) to 1 (right).
    pub pan: f32,
    /// Heard later by this many milliseconds, 0 to 5000, to stay in step with a picture that takes longer.
    pub delay_ms: u32,
    /// Heard on this computer's loudspeaker or headphones too, so that the operator can listen to it alone. The
    /// program does not change.
    pub solo: bool,
}

impl Strip {
    /// Longest delay.
    pub const LONGEST_DELAY_MS: u32 = 5000;
    /// At and below this gain nothing is heard.
    pub const SILENT_DB: f32 = -60.0;
    /// More would only be noise.
    pub const LOUDEST_DB: f32 = 20.0;

    /// The same within its limits; what is no number becomes 0.
    pub fn clamped(self) -> Strip {
        let number = |x: f32| if x.is_finite() { x } else { 0.0 };
        Strip {
            gain_db: number(self.gain_db).clamp(Self::SILENT_DB, Self::LOUDEST_DB),
            pan: number(self.pan).clamp(-1.0, 1.0),
            delay_ms: self.delay_ms.min(Self::LONGEST_DELAY_MS),
            ..self
        }
    }

    /// Factor for each sample, 0 when it is not heard.
    pub fn volume(&self) -> f64 {
        if self.muted || self.gain_db <= Self::SILENT_DB {
            return 0.0;
        }
        10f64.powf(f64::from(self.gain_db) / 20.0)
    }
}

/// What lies over all pictures.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overlays {
    /// A line of text.
    pub text: Option<TextLine>,
    /// A picture, such as a station's logo.
    pub logo: Option<Logo>,
}

/// A line of text over the program.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextLine {
    /// Plain text, shown as it is.
    pub text: String,
    /// Where.
    #[serde(default)]
    pub place: TextPlace,
}

/// Where the text stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextPlace {
    /// At the upper edge.
    Top,
    /// In the middle.
    Middle,
    /// At the lower edge.
    #[default]
    Bottom,
}

/// A picture over the program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logo {
    /// A PNG, JPEG, SVG or other picture file; what is transparent in it stays so.
    pub path: PathBuf,
    /// Where.
    #[serde(default)]
    pub corner: Corner,
    /// Its width as a share of the program's, 0.02 to 1.
    #[serde(default = "eighth")]
    pub size: f32,
    /// From 0 (not seen) to 1.
    #[serde(default = "whole")]
    pub opacity: f32,
}

fn eighth() -> f32 {
    0.125
}

fn whole() -> f32 {
    1.0
}

/// How sources are put together, to be kept: with their places in the lists of pictures and of sounds, for numbers are
/// given anew at each start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Arrangement {
    /// How the pictures stand to each other.
    pub layout: LayoutKind,
    /// Which of the pictures are on screen, the most important first, counted from 1; `None` is all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pictures: Option<Vec<usize>>,
    /// How each picture is fitted to its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub framing: Vec<Framing>,
    /// How each sound is mixed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub strips: Vec<Strip>,
    /// What lies over all pictures.
    #[serde(skip_serializing_if = "is_nothing")]
    pub overlays: Overlays,
}

fn is_nothing(overlays: &Overlays) -> bool {
    *overlays == Overlays::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_written_as_people_would_write_them() {
        let text =
            r#"{"kind":{"picture-in-picture":{"corner":"top-left","size":0.3}},"pictures":[2,1]}"#;
        let layout: Layout = serde_json::from_str(text).unwrap();
        let corner = Corner::TopLeft;
        assert_eq!(
            layout.kind,
            LayoutKind::PictureInPicture { corner, size: 0.3 }
        );
        assert_eq!(
            serde_json::from_str::<Layout>(r#"{"kind":"full"}"#)
                .unwrap()
                .kind,
            LayoutKind::Full
        );
        assert!(serde_json::from_str::<Layout>(r#"{"knid":"full"}"#).is_err());
    }

    #[test]
    fn a_new_picture_takes_the_place_of_the_last_one_where_there_is_no_room() {
        let mut layout = Layout {
            kind: LayoutKind::SideBySide,
            pictures: vec![1, 2, 3],
        };
        assert!(layout.shows(2) && !layout.shows(3));
        layout.bring(3);
        assert_eq!(layout.pictures, [1, 3]);
        layout.bring(1);
        assert_eq!(layout.pictures, [1, 3]);
        layout.kind = LayoutKind::Full;
        layout.bring(3);
        assert_eq!(layout.pictures, [3]);
    }

    #[test]
    fn a_strip_stays_within_its_limits() {
        let wild = Strip {
            gain_db: f32::NAN,
            pan: 7.0,
            delay_ms: u32::MAX,
            ..Strip::default()
        };
        let tame = wild.clamped();
        assert_eq!((tame.gain_db, tame.pan, tame.delay_ms), (0.0, 1.0, 5000));
        assert!((tame.volume() - 1.0).abs() < 1e-9);
        let muted = Strip {
            muted: true,
            ..tame
        };
        assert_eq!(muted.volume(), 0.0);
    }
}
