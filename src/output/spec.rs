// SPDX-License-Identifier: GPL-3.0-or-later
//! An output as the user wants it.

use std::path::PathBuf;

use super::{IcecastTarget, RtmpTarget, Split, SrtTarget, WebRtcTarget, check_recording, record};
use crate::{encode::Tracks, error::SpecError, hush};

/// One output as the user wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputSpec {
    /// Unique among the outputs.
    pub name: String,
    /// Switched on.
    pub enabled: bool,
    /// Where to.
    pub target: Target,
}

/// Where an output goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// An Icecast server, while live.
    Icecast(IcecastTarget),
    /// An RTMP server, while live.
    Rtmp(RtmpTarget),
    /// A receiver over SRT, while live.
    Srt(SrtTarget),
    /// A peer that speaks WebRTC, while live.
    WebRtc(WebRtcTarget),
    /// A file, while live or not. What kind, its ending says.
    Record {
        /// The file; never overwritten unless `overwrite`. Its name is a pattern, with the codes of strftime and `%n`
        /// for the number of a part; a percent sign is `%%`.
        path: PathBuf,
        /// Whether an existing file may be replaced.
        overwrite: bool,
        /// When a new file is begun, without losing a picture. `None`: never.
        split: Option<Split>,
    },
}

impl Target {
    /// A target from its kind and address, as in a profile, on the command line and over the API. A recording is
    /// `record` and a path, and never replaces a file.
    pub fn parse(kind: &str, url: &str) -> Result<Target, SpecError> {
        // From here on, whatever becomes of it.
        hush::hide_address(url);
        match kind.to_ascii_lowercase().as_str() {
            "icecast" => url.parse().map(Target::Icecast),
            "rtmp" => url.parse().map(Target::Rtmp),
            "srt" => url.parse().map(Target::Srt),
            "whip" => WebRtcTarget::whip(url).map(Target::WebRtc),
            "webrtc" | "janus" | "webrtcsink" | "livekit" | "kvs" => {
                WebRtcTarget::webrtc(url).map(Target::WebRtc)
            }
            "record" => {
                let path = PathBuf::from(url.strip_prefix("file:").unwrap_or(url));
                check_recording(&path, false, None)?;
                Ok(Target::Record {
                    path,
                    overwrite: false,
                    split: None,
                })
            }
            _ => Err(SpecError::OutputKind(kind.chars().take(20).collect())),
        }
    }

    /// The word of the status object.
    pub fn kind(&self) -> &'static str {
        match self {
            Target::Icecast(_) => "icecast",
            Target::Rtmp(_) => "rtmp",
            Target::Srt(_) => "srt",
            Target::WebRtc(target) => target.peer.kind(),
            Target::Record { .. } => "record",
        }
    }

    /// Where it goes, without any password.
    pub fn url(&self) -> String {
        match self {
            Target::Icecast(target) => target.public_url(),
            Target::Rtmp(target) => target.public_url(),
            Target::Srt(target) => target.public_url(),
            Target::WebRtc(target) => target.public_url(),
            Target::Record { path, .. } => format!("file:{}", path.display()),
        }
    }

    /// Where it goes, passwords and all: to be changed, never to be shown.
    pub fn full_url(&self) -> String {
        match self {
            Target::Icecast(target) => target.full_url().into(),
            Target::Rtmp(target) => target.full_url().into(),
            Target::Srt(target) => target.full_url().into(),
            Target::WebRtc(target) => target.full_url().into(),
            Target::Record { .. } => self.url(),
        }
    }

    /// Whether it could be begun now, of a program with these tracks.
    pub(crate) fn check(&self, tracks: Tracks) -> Result<(), SpecError> {
        match self {
            Target::Record {
                path,
                overwrite,
                split,
            } => {
                record::check_tracks(path, tracks)?;
                check_recording(path, *overwrite, *split)
            }
            Target::Icecast(_) | Target::Rtmp(_) | Target::Srt(_) | Target::WebRtc(_) => Ok(()),
        }
    }

    /// Whether it runs only while the program is on the air.
    pub(super) fn needs_air(&self) -> bool {
        match self {
            Target::Icecast(_) | Target::Rtmp(_) | Target::Srt(_) | Target::WebRtc(_) => true,
            Target::Record { .. } => false,
        }
    }
}
