// SPDX-License-Identifier: GPL-3.0-or-later
//! The codec table. A new codec is one row here; everything else follows from it.

use crate::{error::SpecError, message::MediaKind};

/// One way to code picture or sound.
#[derive(Debug, PartialEq)]
pub struct Codec {
    /// The word on the command line and in the status.
    pub name: &'static str,
    /// The name people know.
    pub label: &'static str,
    /// Picture or sound.
    pub media: MediaKind,
    /// The encoder element.
    pub element: &'static str,
    /// The Debian package that has it.
    pub package: &'static str,
    /// The encoder's properties. `{bitrate}` in bit/s, `{gop}` in frames and `{threads}` are filled in; the key
    /// frame limiter of DESIGN's "at most one forced key frame per 500 ms" is part of each row.
    pub properties: &'static str,
    /// Property that changes the bitrate (in bit/s) while running.
    pub bitrate_property: &'static str,
    /// What follows the encoder, if its packets need a parser.
    pub parser: Option<&'static str>,
    /// Whether our WebRTC leg can carry it.
    pub webrtc: bool,
}

/// Every codec there is a row for.
pub static CODECS: &[Codec] = &[
    Codec {
        name: "vp8",
        label: "VP8",
        media: MediaKind::Video,
        element: "vp8enc",
        package: "gstreamer1.0-plugins-good",
        // Realtime, constant bitrate with a buffer of 1 s; no look-ahead. -16 takes half the time of -8 for little
        // difference at these bitrates: 720p30 must fit into part of one core.
        properties: "deadline=1 cpu-used=-16 threads={threads} end-usage=cbr target-bitrate={bitrate} \
                     lag-in-frames=0 keyframe-max-dist={gop} min-force-key-unit-interval=500000000 \
                     buffer-size=1000 buffer-initial-size=500 buffer-optimal-size=600 \
                     undershoot=95 max-intra-bitrate=400 token-partitions=1",
        bitrate_property: "target-bitrate",
        parser: None,
        webrtc: true,
    },
    Codec {
        name: "vp9",
        label: "VP9",
        media: MediaKind::Video,
        element: "vp9enc",
        package: "gstreamer1.0-plugins-good",
        properties: "deadline=1 cpu-used=8 row-mt=true threads={threads} end-usage=cbr target-bitrate={bitrate} \
                     lag-in-frames=0 keyframe-max-dist={gop} min-force-key-unit-interval=500000000 \
                     buffer-size=1000 buffer-initial-size=500 buffer-optimal-size=600 undershoot=95",
        bitrate_property: "target-bitrate",
        parser: None,
        webrtc: true,
    },
    Codec {
        name: "opus",
        label: "Opus",
        media: MediaKind::Audio,
        element: "opusenc",
        package: "gstreamer1.0-plugins-base",
        properties: "bitrate={bitrate} frame-size=20 audio-type=generic",
        bitrate_property: "bitrate",
        parser: None,
        webrtc: true,
    },
];

impl Codec {
    /// The codec of that name and kind, or a sentence that lists what there is.
    pub fn find(name: &str, media: MediaKind) -> Result<&'static Codec, SpecError> {
        let rows = || CODECS.iter().filter(|c| c.media == media);
        rows()
            .find(|c| c.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| SpecError::Codec {
                name: name.to_string(),
                media: match media {
                    MediaKind::Video => "video",
                    MediaKind::Audio => "audio",
                },
                known: rows().map(|c| c.name).collect::<Vec<_>>().join(", "),
            })
    }

    /// Whether its encoder is installed, else the error that says what to install.
    pub fn installed(&'static self) -> Result<(), SpecError> {
        match gst::ElementFactory::find(self.element) {
            Some(_) => Ok(()),
            None => Err(SpecError::EncoderMissing {
                codec: self.label,
                element: self.element,
                package: self.package,
            }),
        }
    }

    /// The encoder (and parser) as a launch line, all parts named.
    pub(super) fn launch(&self, bitrate: u64, gop: u32, threads: usize) -> String {
        let properties = self
            .properties
            .replace("{bitrate}", &bitrate.to_string())
            .replace("{gop}", &gop.to_string())
            .replace("{threads}", &threads.to_string());
        let parser = self.parser.map(|p| format!(" ! {p}")).unwrap_or_default();
        format!("{} name=encoder {properties}{parser}", self.element)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_makes_an_encoder() {
        gst::init().unwrap();
        for codec in CODECS {
            codec.installed().unwrap();
            gst::parse::bin_from_description(&codec.launch(96_000, 60, 2), true)
                .unwrap_or_else(|e| panic!("{}: {e}", codec.name));
        }
    }

    #[test]
    fn an_unknown_codec_is_answered_with_the_known_ones() {
        let e = Codec::find("h265", MediaKind::Video).unwrap_err();
        assert!(matches!(e, SpecError::Codec { known, .. } if known == "vp8, vp9"));
    }
}
