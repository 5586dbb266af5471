// SPDX-License-Identifier: GPL-3.0-or-later
//! What all viewers share: both sizes of the picture, and the sound, each leased while somebody needs it.

use std::{sync::Arc, time::Instant};

use super::{feed::Track, session::Frame};
use crate::{
    encode::{Codec, EncodeSettings, Encoders, Format, Size},
    message::MediaKind,
};

/// Headers of packets, their repeats and reports, in parts of what they carry.
const OVERHEAD: f64 = 0.1;

/// Bits per second that a viewer's line must carry.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Needs {
    pub(super) full: u64,
    pub(super) low: u64,
}

impl Needs {
    /// As configured.
    pub(super) fn of(encoders: &Encoders) -> Needs {
        let settings = encoders.settings();
        let of = |format| Self::bits(encoders, &settings, format);
        Needs {
            full: of(Format::WebRtc),
            low: of(Format::WebRtcLow),
        }
    }

    /// The estimate that a line begins with: well above the need, so that the first picture comes at once. What it really
    /// is shows within a second.
    pub(super) fn first_estimate(self) -> u64 {
        (self.full * 2).max(1_000_000)
    }

    /// How far the line is looked into while the full picture is sent, or asked for.
    pub(super) fn wide(self) -> u64 {
        self.full * 3 / 2
    }

    /// How far it is looked into while the small picture is sent: enough to know whether that fits.
    pub(super) fn narrow(self) -> u64 {
        self.low * 3 / 2
    }

    /// Where a question to the line begins. Its bursts are of three and six times that, and of twice `wide` at most.
    pub(super) fn question(self) -> u64 {
        self.full * 3 / 5
    }

    fn bits(encoders: &Encoders, settings: &EncodeSettings, format: Format) -> u64 {
        let rungs = encoders.rungs_of(format);
        let bits: u64 = rungs.into_iter().map(|id| settings.bitrate(id)).sum();
        (bits as f64 * (1.0 + OVERHEAD)) as u64
    }
}

/// What a turn of the tracks brought.
#[derive(Debug, Default)]
pub(super) struct Brought {
    /// Packets are in another codec than before.
    pub(super) codecs: Vec<(MediaKind, &'static Codec)>,
    /// Pictures of a size that were missed.
    pub(super) skipped: Vec<(Size, u64)>,
}

/// The tracks that are leased.
#[derive(Default)]
pub(super) struct Tracks {
    full: Option<Track>,
    low: Option<Track>,
    audio: Option<Track>,
    /// When the program's time was zero: one for all tracks, so that they stay in step.
    anchor: Option<Instant>,
}

async fn changed(track: &mut Option<Track>) {
    match track {
        Some(track) => track.changed().await,
        None => std::future::pending().await,
    }
}

impl Tracks {
    /// Lease what a viewer of this size needs, unless it is.
    pub(super) fn need(&mut self, encoders: &Encoders, size: Size, now: Instant) {
        let lease = |kind, size| Track::lease(encoders, kind, size, now);
        if self.audio.is_none() {
            self.audio = lease(MediaKind::Audio, Size::Full);
        }
        let picture = self.picture_mut(size);
        if picture.is_none() {
            *picture = lease(MediaKind::Video, size);
        }
    }

    /// Let go the pictures that are not among the sizes needed; their encoders go on for a few seconds.
    pub(super) fn keep_only(&mut self, needed: impl Fn(Size) -> bool) {
        for size in [Size::Full, Size::Low] {
            if !needed(size) {
                *self.picture_mut(size) = None;
            }
        }
    }

    fn picture_mut(&mut self, size: Size) -> &mut Option<Track> {
        match size {
            Size::Low => &mut self.low,
            Size::Full | Size::Gif => &mut self.full,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Track> {
        self.full.iter().chain(&self.low).chain(&self.audio)
    }

    /// Wait until there may be something new.
    pub(super) async fn changed(&mut self) {
        tokio::select! {
            () = changed(&mut self.full) => (),
            () = changed(&mut self.low) => (),
            () = changed(&mut self.audio) => (),
        }
    }

    /// Take what is there, as frames.
    pub(super) fn take(
        &mut self,
        encoders: &Encoders,
        now: Instant,
        into: &mut Vec<Arc<Frame>>,
    ) -> Brought {
        let mut brought = Brought::default();
        let tracks = [
            (MediaKind::Video, Size::Full, &mut self.full),
            (MediaKind::Video, Size::Low, &mut self.low),
            (MediaKind::Audio, Size::Full, &mut self.audio),
        ];
        for (kind, size, track) in tracks {
            let Some(track) = track else { continue };
            let news = track.take(encoders, &mut self.anchor, now, into);
            brought.codecs.extend(news.codec.map(|codec| (kind, codec)));
            if kind == MediaKind::Video && news.skipped > 0 {
                brought.skipped.push((size, news.skipped));
            }
        }
        brought
    }

    /// All pictures of this size since the last key frame, if that is not long ago.
    pub(super) fn fresh(&self, size: Size) -> &[Arc<Frame>] {
        let picture = match size {
            Size::Low => &self.low,
            Size::Full | Size::Gif => &self.full,
        };
        picture.as_ref().map_or(&[], Track::fresh)
    }

    /// A viewer needs a key frame of this size.
    pub(super) fn want_key(&mut self, size: Size) {
        if let Some(picture) = self.picture_mut(size) {
            picture.want_key();
        }
    }

    /// Ask for the key frames that are wanted, where it is of use.
    pub(super) fn ask_keys(&mut self, now: Instant) {
        for picture in self.full.iter_mut().chain(&mut self.low) {
            picture.ask_key(now);
        }
    }

    /// When to look again although nothing came.
    pub(super) fn due(&self) -> Option<Instant> {
        self.all().filter_map(Track::due).min()
    }
}
