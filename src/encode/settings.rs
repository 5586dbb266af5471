// SPDX-License-Identifier: GPL-3.0-or-later
//! How to encode: codecs, bitrates, size and rate.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    Codec, Format, RungId, Size, Stills, Tracks,
    ability::{ability, seems_able},
    ladder,
};
use crate::{error::SpecError, message::MediaKind};

/// Codecs, bitrates, size and rate.
#[derive(Debug, Clone, PartialEq)]
pub struct EncodeSettings {
    /// Width of the program in pixels; even.
    pub width: u32,
    /// Height of the program in pixels; even.
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
    /// Codec of the picture, for every format that can hold it.
    pub video: &'static Codec,
    /// Bits per second of the picture.
    pub video_bitrate: u64,
    /// Codec of the sound, for every format that can hold it.
    pub audio: &'static Codec,
    /// Bits per second of the sound.
    pub audio_bitrate: u64,
    /// Time between two key frames, at most.
    pub key_interval: Duration,
    /// Encoders that were wished for, by name of the codec; for others the best that works is taken.
    pub encoders: BTreeMap<&'static str, &'static str>,
    /// Rates and sizes of JPEG and GIF.
    pub stills: Stills,
}

/// Threads of a video encoder: half of the processors, 4 at most. libvpx waits for its other threads by spinning, so with
/// all processors taken a busy computer encodes slower, not faster.
pub fn encoder_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| (n.get() / 2).clamp(1, 4))
}

impl Default for EncodeSettings {
    /// 720p30 VP8 at 2.5 Mbit/s, Opus at 128 kbit/s, a key frame every 2 s.
    fn default() -> Self {
        let find = |name, media| {
            Codec::find(name, media).expect("the default codecs have a row in the table")
        };
        EncodeSettings {
            width: 1280,
            height: 720,
            fps: 30,
            video: find("vp8", MediaKind::Video),
            video_bitrate: 2_500_000,
            audio: find("opus", MediaKind::Audio),
            audio_bitrate: 128_000,
            key_interval: Duration::from_secs(2),
            encoders: BTreeMap::new(),
            stills: Stills::default(),
        }
    }
}

impl EncodeSettings {
    /// Bits per second of a rung.
    pub fn bitrate(&self, id: RungId) -> u64 {
        match (id.codec.media, id.size) {
            (MediaKind::Audio, _) => self.audio_bitrate,
            (MediaKind::Video, Size::Full | Size::Gif) => self.video_bitrate,
            // A quarter of the pixels.
            (MediaKind::Video, Size::Low) => (self.video_bitrate / 4).max(100_000),
        }
    }

    /// Width and height of the picture of a rung in pixels; both even.
    pub fn size(&self, id: RungId) -> (u32, u32) {
        let even = |n: u32| (n / 2 * 2).max(2);
        match (id.codec.media, id.size) {
            (MediaKind::Audio, _) => (0, 0),
            (MediaKind::Video, Size::Full) => (self.width, self.height),
            (MediaKind::Video, Size::Low) => (even(self.width / 2), even(self.height / 2)),
            (MediaKind::Video, Size::Gif) => {
                let width = self.stills.gif_width.min(self.width);
                (even(width), even(width * self.height / self.width.max(1)))
            }
        }
    }

    /// The rungs that a format reads.
    pub fn rungs_of(&self, format: Format, tracks: Tracks) -> BTreeSet<RungId> {
        let choice = ladder::Choice {
            video: self.video,
            audio: self.audio,
            works: &seems_able,
        };
        ladder::rungs_of(format, tracks, choice)
    }

    /// Whether going from `self` to `other` can be done while encoders run.
    pub(super) fn only_bitrate_differs(&self, other: &EncodeSettings) -> bool {
        let mut same = other.clone();
        same.video_bitrate = self.video_bitrate;
        same.audio_bitrate = self.audio_bitrate;
        same == *self
    }

    /// Whether its encoders are installed; of those wished for also whether they work, which is tried and blocks.
    pub fn installed(&self) -> Result<(), SpecError> {
        for codec in [self.video, self.audio] {
            match self.encoders.get(codec.name) {
                Some(wished) => drop(ability(codec).best(Some(wished))?),
                None => codec.installed()?,
            }
        }
        Ok(())
    }
}
