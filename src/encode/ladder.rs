// SPDX-License-Identifier: GPL-3.0-or-later
//! The ladder: which encoders are needed, as a pure function of what is wanted.
//!
//! A format says which codecs it can hold. Where it can hold the one that the user chose, that is taken, so that formats
//! share encoders as far as they can; else the first of its list that works here.

use std::{cmp::Ordering, collections::BTreeSet};

use super::Codec;
use crate::message::MediaKind;

/// Something that reads coded packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// WebRTC: our leg, and sinks that push.
    WebRtc,
    /// WebRTC of the low rung: viewers of our leg with a narrow line.
    WebRtcLow,
    /// WebM.
    WebM,
    /// Matroska: anything goes.
    Matroska,
    /// Ogg with picture and sound.
    Ogg,
    /// Fragmented MP4.
    Mp4,
    /// Fragmented MP4 of the low rung, a rendition of HLS.
    Mp4Low,
    /// An MPEG transport stream.
    Ts,
    /// FLV, as RTMP carries it.
    Flv,
    /// MP3 frames.
    Mp3,
    /// AAC frames (ADTS).
    Aac,
    /// Opus in Ogg.
    Opus,
    /// Vorbis in Ogg.
    Vorbis,
    /// FLAC in Ogg.
    Flac,
    /// JPEG pictures, one after the other.
    Mjpeg,
    /// An animated GIF.
    Gif,
}

impl Format {
    /// All there are.
    pub const ALL: [Format; 16] = [
        Format::WebRtc,
        Format::WebRtcLow,
        Format::WebM,
        Format::Matroska,
        Format::Ogg,
        Format::Mp4,
        Format::Mp4Low,
        Format::Ts,
        Format::Flv,
        Format::Mp3,
        Format::Aac,
        Format::Opus,
        Format::Vorbis,
        Format::Flac,
        Format::Mjpeg,
        Format::Gif,
    ];

    /// Names of the codecs of the picture it can hold, the best first.
    pub fn video(self) -> &'static [&'static str] {
        match self {
            Format::WebRtc | Format::WebRtcLow => &["vp8", "vp9", "h264"],
            Format::WebM => &["vp8", "vp9", "av1"],
            Format::Matroska => &["vp8", "vp9", "h264", "av1", "theora"],
            Format::Ogg => &["theora"],
            Format::Mp4 | Format::Mp4Low | Format::Ts | Format::Flv => &["h264"],
            Format::Mjpeg => &["jpeg"],
            Format::Gif => &["gif"],
            Format::Mp3 | Format::Aac | Format::Opus | Format::Vorbis | Format::Flac => &[],
        }
    }

    /// Names of the codecs of the sound it can hold, the best first.
    pub fn audio(self) -> &'static [&'static str] {
        match self {
            Format::WebRtc | Format::WebRtcLow | Format::Opus => &["opus"],
            Format::WebM => &["opus", "vorbis"],
            Format::Matroska => &["opus", "vorbis", "aac", "mp3"],
            Format::Ogg | Format::Vorbis => &["vorbis"],
            Format::Mp4 | Format::Mp4Low | Format::Ts | Format::Flv | Format::Aac => &["aac"],
            Format::Mp3 => &["mp3"],
            Format::Flac => &["flac"],
            Format::Mjpeg | Format::Gif => &[],
        }
    }

    fn size(self) -> Size {
        match self {
            Format::Mp4Low | Format::WebRtcLow => Size::Low,
            Format::Gif => Size::Gif,
            Format::WebRtc
            | Format::WebM
            | Format::Matroska
            | Format::Ogg
            | Format::Mp4
            | Format::Ts
            | Format::Flv
            | Format::Mp3
            | Format::Aac
            | Format::Opus
            | Format::Vorbis
            | Format::Flac
            | Format::Mjpeg => Size::Full,
        }
    }
}

/// Size of the picture of a rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Size {
    /// As the program.
    Full,
    /// Half of it each way, for those with a narrow line.
    Low,
    /// As wide as the settings say for the GIF.
    Gif,
}

/// One encoder's place on the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RungId {
    /// What it encodes to.
    pub codec: &'static Codec,
    /// Of the picture; `Full` for sound.
    pub size: Size,
}

impl Ord for RungId {
    fn cmp(&self, other: &Self) -> Ordering {
        // Pictures first.
        let key = |id: &RungId| (id.codec.media == MediaKind::Audio, id.codec.name, id.size);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for RungId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl RungId {
    /// Its word in the status object.
    pub fn word(self) -> &'static str {
        match (self.codec.media, self.size) {
            (MediaKind::Audio, _) => "audio",
            (MediaKind::Video, Size::Full) => "full",
            (MediaKind::Video, Size::Low) => "low",
            (MediaKind::Video, Size::Gif) => "gif",
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

impl Tracks {
    /// Whether it has this.
    pub fn has(self, media: MediaKind) -> bool {
        match media {
            MediaKind::Video => self.video,
            MediaKind::Audio => self.audio,
        }
    }
}

/// What the user prefers, and what can be had.
#[derive(Clone, Copy)]
pub struct Choice<'a> {
    /// Codec of the picture.
    pub video: &'static Codec,
    /// Codec of the sound.
    pub audio: &'static Codec,
    /// Whether there is an encoder for a codec on this computer.
    pub works: &'a dyn Fn(&'static Codec) -> bool,
}

impl Choice<'_> {
    /// The codec for a format that can hold these. Where none works it is the first, whose encoder then says why.
    fn pick(&self, held: &[&str], chosen: &'static Codec) -> Option<&'static Codec> {
        if held.contains(&chosen.name) {
            return Some(chosen);
        }
        let rows = || held.iter().filter_map(|name| Codec::named(name));
        rows().find(|c| (self.works)(c)).or_else(|| rows().next())
    }
}

/// The rungs that one format reads. All formats share them: that is the promise of one encode.
pub fn rungs_of(format: Format, tracks: Tracks, choice: Choice<'_>) -> BTreeSet<RungId> {
    let video = choice.pick(format.video(), choice.video);
    let audio = choice.pick(format.audio(), choice.audio);
    let picture = video.filter(|_| tracks.video).map(|codec| RungId {
        codec,
        size: format.size(),
    });
    let sound = audio.filter(|_| tracks.audio).map(|codec| RungId {
        codec,
        size: Size::Full,
    });
    picture.into_iter().chain(sound).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::CODECS;

    const BOTH: Tracks = Tracks {
        video: true,
        audio: true,
    };

    fn choice(video: &str, audio: &str) -> Choice<'static> {
        Choice {
            video: Codec::named(video).unwrap(),
            audio: Codec::named(audio).unwrap(),
            works: &|_| true,
        }
    }

    fn choices() -> Vec<Choice<'static>> {
        let of = |media| {
            CODECS
                .iter()
                .filter(move |c| c.media == media && c.choice)
                .map(|c| c.name)
        };
        of(MediaKind::Video)
            .flat_map(|v| of(MediaKind::Audio).map(move |a| choice(v, a)))
            .collect()
    }

    /// The rungs that run while these formats are wanted.
    fn all_of(wanted: impl IntoIterator<Item = Format>, choice: Choice<'_>) -> BTreeSet<RungId> {
        let rungs = |format| rungs_of(format, BOTH, choice);
        wanted.into_iter().flat_map(rungs).collect()
    }

    #[test]
    fn a_program_without_tracks_needs_no_encoder() {
        let tracks = Tracks {
            video: false,
            audio: false,
        };
        for format in Format::ALL {
            assert!(rungs_of(format, tracks, choice("vp8", "opus")).is_empty());
        }
    }

    #[test]
    fn any_set_of_formats_needs_one_encoder_per_codec_and_size() {
        // All 65,536 sets of formats. What each format takes of all choices is told by the next test.
        for choice in [
            choice("vp8", "opus"),
            choice("h264", "aac"),
            choice("theora", "mp3"),
        ] {
            for set in 0..1u32 << Format::ALL.len() {
                let wanted = || (0..Format::ALL.len()).filter(move |i| set >> i & 1 == 1);
                let rungs = all_of(wanted().map(|i| Format::ALL[i]), choice);
                let mut each = BTreeSet::new();
                for format in wanted().map(|i| Format::ALL[i]) {
                    for rung in rungs_of(format, BOTH, choice) {
                        let held = match rung.codec.media {
                            MediaKind::Video => format.video(),
                            MediaKind::Audio => format.audio(),
                        };
                        assert!(held.contains(&rung.codec.name));
                        each.insert((rung.codec.name, rung.word()));
                    }
                }
                assert_eq!(rungs.len(), each.len());
            }
        }
    }

    #[test]
    fn what_the_user_chose_is_taken_wherever_it_fits() {
        for choice in choices() {
            for format in Format::ALL {
                let rungs = rungs_of(format, BOTH, choice);
                let took = |codec: &Codec| rungs.iter().any(|r| r.codec == codec);
                assert_eq!(
                    took(choice.video),
                    format.video().contains(&choice.video.name)
                );
                assert_eq!(
                    took(choice.audio),
                    format.audio().contains(&choice.audio.name)
                );
            }
        }
    }

    #[test]
    fn webrtc_webm_matroska_and_opus_share_two_encoders() {
        use Format::*;
        let rungs = all_of([WebRtc, WebM, Matroska, Opus], choice("vp8", "opus"));
        let names: Vec<_> = rungs.iter().map(|r| r.codec.name).collect();
        assert_eq!(names, ["vp8", "opus"]);
    }

    #[test]
    fn webrtc_and_hls_in_one_codec_share_both_sizes() {
        use Format::*;
        let rungs = all_of([WebRtc, WebRtcLow, Mp4, Mp4Low], choice("h264", "opus"));
        let names: Vec<_> = rungs.iter().map(|r| (r.codec.name, r.word())).collect();
        let both = [("h264", "full"), ("h264", "low")];
        assert_eq!(
            names,
            [&both[..], &[("aac", "audio"), ("opus", "audio")]].concat()
        );
    }

    #[test]
    fn with_h264_and_aac_hls_mp4_rtmp_and_srt_share_two_encoders_and_a_small_one() {
        use Format::*;
        let rungs = all_of([Mp4, Mp4Low, Ts, Flv, Aac], choice("h264", "aac"));
        let names: Vec<_> = rungs.iter().map(|r| (r.codec.name, r.word())).collect();
        assert_eq!(names, [("h264", "full"), ("h264", "low"), ("aac", "audio")]);
    }

    #[test]
    fn an_encoder_that_does_not_work_is_avoided_where_another_codec_fits() {
        let broken = Choice {
            works: &|c| c.name != "vp8" && c.name != "opus",
            ..choice("theora", "mp3")
        };
        let names = |format| -> Vec<_> {
            let rungs = rungs_of(format, BOTH, broken);
            rungs.into_iter().map(|r| r.codec.name).collect()
        };
        assert_eq!(names(Format::WebM), ["vp9", "vorbis"]);
        assert_eq!(names(Format::WebRtc), ["vp9", "opus"], "there is only Opus");
    }

    #[test]
    fn a_track_that_the_program_lacks_is_not_encoded() {
        for format in Format::ALL {
            for (video, audio) in [(false, true), (true, false)] {
                let tracks = Tracks { video, audio };
                let rungs = rungs_of(format, tracks, choice("vp8", "opus"));
                assert!(rungs.iter().all(|r| tracks.has(r.codec.media)));
            }
        }
    }
}
