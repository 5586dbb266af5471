// SPDX-License-Identifier: GPL-3.0-or-later
//! The ladder: which encoders are needed, as a pure function of what is wanted.

use std::collections::BTreeSet;

/// Something that reads coded packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// WebM for HTTP viewers, muxed once.
    WebM,
    /// WebM for one Icecast server, with a muxer of its own.
    Icecast,
    /// The WebRTC leg.
    WebRtc,
    /// A recording, with a muxer of its own.
    Record,
}

/// One encoder's place on the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RungId {
    /// The picture at full size.
    Video,
    /// The sound.
    Audio,
}

impl RungId {
    /// Its word in the status object.
    pub fn word(self) -> &'static str {
        match self {
            RungId::Video => "full",
            RungId::Audio => "audio",
        }
    }
}

/// What the program has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tracks {
    /// A picture.
    pub video: bool,
    /// Sound.
    pub audio: bool,
}

/// The rungs that one format reads. All formats share them: that is the promise of one encode.
pub fn rungs_of(_format: Format, tracks: Tracks) -> BTreeSet<RungId> {
    let mut rungs = BTreeSet::new();
    if tracks.video {
        rungs.insert(RungId::Video);
    }
    if tracks.audio {
        rungs.insert(RungId::Audio);
    }
    rungs
}

/// The rungs that must run when these formats are wanted.
pub fn ladder(wanted: impl IntoIterator<Item = Format>, tracks: Tracks) -> BTreeSet<RungId> {
    wanted
        .into_iter()
        .flat_map(|format| rungs_of(format, tracks))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Format::*;

    const ALL: [Format; 4] = [WebM, Icecast, WebRtc, Record];

    #[test]
    fn nobody_wants_anything_so_nothing_is_encoded() {
        for (video, audio) in [(false, false), (false, true), (true, false), (true, true)] {
            assert!(ladder([], Tracks { video, audio }).is_empty());
        }
    }

    #[test]
    fn any_set_of_formats_needs_at_most_one_encoder_per_track() {
        for (video, audio) in [(false, true), (true, false), (true, true)] {
            for set in 1..1 << ALL.len() {
                let wanted = (0..ALL.len()).filter(|i| set >> i & 1 == 1).map(|i| ALL[i]);
                let rungs = ladder(wanted, Tracks { video, audio });
                assert_eq!(rungs.len(), usize::from(video) + usize::from(audio));
            }
        }
    }
}
