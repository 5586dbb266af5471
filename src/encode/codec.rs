// SPDX-License-Identifier: GPL-3.0-or-later
//! The codec table. A new codec is one row here, a new encoder of it one line in its row; everything else follows.

use super::gif;
use crate::{error::SpecError, message::MediaKind};

/// One way to code picture or sound.
#[derive(Debug)]
pub struct Codec {
    /// The word on the command line and in the status.
    pub name: &'static str,
    /// The name people know.
    pub label: &'static str,
    /// Picture or sound.
    pub media: MediaKind,
    /// Whether people choose it for their broadcast. The others belong to one format alone.
    pub choice: bool,
    /// What can encode it, the best first. The first that works on this computer is taken.
    pub encoders: &'static [Encoder],
    /// What follows the encoder, if its packets need it.
    pub parser: Option<&'static str>,
    /// Whether our WebRTC leg can carry it.
    pub webrtc: bool,
}

/// An element that encodes.
#[derive(Debug)]
pub struct Encoder {
    /// The element's name.
    pub element: &'static str,
    /// Where the work is done.
    pub place: Place,
    /// The Debian package that has it.
    pub package: &'static str,
    /// What stands in front of it, with a `!` after it.
    pub(super) front: &'static str,
    /// Its properties. `{bitrate}` in bit/s, `{kbit}` in kbit/s, `{gop}` in frames, `{threads}` and the settings of GIF and
    /// MJPEG are filled in; the key frame limiter of DESIGN's "at most one forced key frame per 500 ms" is part of each row.
    pub(super) properties: &'static str,
    /// Property that changes the bitrate while running, and the bits per second of its unit.
    pub bitrate: Option<(&'static str, u64)>,
}

/// Where an encoder does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the processor.
    Software,
    /// Intel and AMD graphics, through VA-API.
    Va,
    /// NVIDIA graphics.
    Nvenc,
    /// Intel graphics, through Quick Sync.
    QuickSync,
    /// A codec chip of a small computer, through V4L2.
    V4l2,
}

impl Place {
    /// The name people know.
    pub fn label(self) -> &'static str {
        match self {
            Place::Software => "Software",
            Place::Va => "VA-API",
            Place::Nvenc => "NVENC",
            Place::QuickSync => "Quick Sync",
            Place::V4l2 => "V4L2",
        }
    }
}

/// A graphics card wants its own order of pixels.
const PIXELS: &str = "videoconvert ! ";
/// Each encoder of sound wants its own kind of samples.
const SAMPLES: &str = "audioconvert ! audioresample ! ";

const BASE: &str = "gstreamer1.0-plugins-base";
const GOOD: &str = "gstreamer1.0-plugins-good";
const BAD: &str = "gstreamer1.0-plugins-bad";
const UGLY: &str = "gstreamer1.0-plugins-ugly";
const LIBAV: &str = "gstreamer1.0-libav";
const VAAPI: &str = "gstreamer1.0-vaapi";

/// H.264 that every browser, phone and server takes: constrained baseline, with its headers in the caps.
const BASELINE: &str = "video/x-h264,profile=constrained-baseline ! h264parse ! \
                        capsfilter caps=video/x-h264,stream-format=avc,alignment=au";

/// Every codec there is a row for.
pub static CODECS: &[Codec] = &[
    Codec {
        name: "vp8",
        label: "VP8",
        media: MediaKind::Video,
        choice: true,
        encoders: &[Encoder {
            element: "vp8enc",
            place: Place::Software,
            package: GOOD,
            front: "",
            // Realtime, constant bitrate with a buffer of 1 s; no look-ahead. -16 takes half the time of -8 for little
            // difference at these bitrates: 720p30 must fit into part of one core.
            properties: "deadline=1 cpu-used=-16 threads={threads} end-usage=cbr target-bitrate={bitrate} \
                         lag-in-frames=0 keyframe-max-dist={gop} min-force-key-unit-interval=500000000 \
                         buffer-size=1000 buffer-initial-size=500 buffer-optimal-size=600 \
                         undershoot=95 max-intra-bitrate=400 token-partitions=1",
            bitrate: Some(("target-bitrate", 1)),
        }],
        parser: None,
        webrtc: true,
    },
    Codec {
        name: "vp9",
        label: "VP9",
        media: MediaKind::Video,
        choice: true,
        encoders: &[Encoder {
            element: "vp9enc",
            place: Place::Software,
            package: GOOD,
            front: "",
            properties: "deadline=1 cpu-used=8 row-mt=true threads={threads} end-usage=cbr target-bitrate={bitrate} \
                         lag-in-frames=0 keyframe-max-dist={gop} min-force-key-unit-interval=500000000 \
                         buffer-size=1000 buffer-initial-size=500 buffer-optimal-size=600 undershoot=95",
            bitrate: Some(("target-bitrate", 1)),
        }],
        parser: None,
        webrtc: true,
    },
    Codec {
        name: "h264",
        label: "H.264",
        media: MediaKind::Video,
        choice: true,
        encoders: &[
            Encoder {
                element: "vah264enc",
                place: Place::Va,
                package: BAD,
                front: PIXELS,
                properties: "rate-control=cbr bitrate={kbit} key-int-max={gop} b-frames=0 ref-frames=1 target-usage=6 \
                             min-force-key-unit-interval=500000000",
                bitrate: Some(("bitrate", 1000)),
            },
            Encoder {
                element: "nvh264enc",
                place: Place::Nvenc,
                package: BAD,
                front: PIXELS,
                properties: "preset=low-latency-hq rc-mode=cbr bitrate={kbit} gop-size={gop} bframes=0 zerolatency=true \
                             min-force-key-unit-interval=500000000",
                bitrate: Some(("bitrate", 1000)),
            },
            Encoder {
                element: "qsvh264enc",
                place: Place::QuickSync,
                package: BAD,
                front: PIXELS,
                properties: "rate-control=cbr bitrate={kbit} gop-size={gop} b-frames=0 low-latency=true \
                             min-force-key-unit-interval=500000000",
                bitrate: Some(("bitrate", 1000)),
            },
            Encoder {
                element: "vaapih264enc",
                place: Place::Va,
                package: VAAPI,
                front: PIXELS,
                properties: "rate-control=cbr bitrate={kbit} keyframe-period={gop} max-bframes=0 \
                             min-force-key-unit-interval=500000000",
                bitrate: Some(("bitrate", 1000)),
            },
            Encoder {
                element: "v4l2h264enc",
                place: Place::V4l2,
                package: GOOD,
                front: PIXELS,
                properties: "extra-controls=controls,video_bitrate={bitrate},h264_i_frame_period={gop},\
                             repeat_sequence_header=1 min-force-key-unit-interval=500000000",
                // Its controls are set once.
                bitrate: None,
            },
            Encoder {
                element: "x264enc",
                place: Place::Software,
                package: UGLY,
                front: "",
                // Key frames come when they are asked for: those of a cut between two scenes would push others back.
                properties: "tune=zerolatency speed-preset=superfast bitrate={kbit} vbv-buf-capacity=1000 \
                             key-int-max={gop} option-string=scenecut=0 bframes=0 threads={threads} byte-stream=false \
                             min-force-key-unit-interval=500000000",
                bitrate: Some(("bitrate", 1000)),
            },
            Encoder {
                element: "openh264enc",
                place: Place::Software,
                package: BAD,
                front: "",
                properties: "usage-type=camera complexity=low rate-control=bitrate bitrate={bitrate} gop-size={gop} \
                             multi-thread={threads} min-force-key-unit-interval=500000000",
                bitrate: Some(("bitrate", 1)),
            },
        ],
        parser: Some(BASELINE),
        webrtc: true,
    },
    Codec {
        name: "av1",
        label: "AV1",
        media: MediaKind::Video,
        choice: true,
        encoders: &[
            Encoder {
                element: "svtav1enc",
                place: Place::Software,
                package: BAD,
                front: "",
                properties: "preset=12 target-bitrate={kbit} intra-period-length={gop} logical-processors={threads} \
                             min-force-key-unit-interval=500000000",
                bitrate: Some(("target-bitrate", 1000)),
            },
            Encoder {
                element: "av1enc",
                place: Place::Software,
                package: BAD,
                front: "",
                // Without a largest quantizer of its own libaom ends the process at a picture that is hard to code.
                properties: "usage-profile=realtime cpu-used=10 row-mt=true min-quantizer=2 max-quantizer=58 threads={threads} end-usage=cbr \
                             target-bitrate={kbit} lag-in-frames=0 keyframe-max-dist={gop} buf-sz=1000 \
                             buf-initial-sz=500 buf-optimal-sz=600 min-force-key-unit-interval=500000000",
                bitrate: Some(("target-bitrate", 1000)),
            },
        ],
        parser: Some(
            "av1parse ! capsfilter caps=video/x-av1,stream-format=obu-stream,alignment=tu",
        ),
        webrtc: false,
    },
    Codec {
        name: "theora",
        label: "Theora",
        media: MediaKind::Video,
        choice: true,
        encoders: &[Encoder {
            element: "theoraenc",
            place: Place::Software,
            package: BASE,
            front: "",
            // Dropped frames come out as empty packets, which players take for a fault.
            properties: "bitrate={kbit} keyframe-auto=false keyframe-force={gop} keyframe-freq={gop} speed-level=3 \
                         drop-frames=false min-force-key-unit-interval=500000000",
            bitrate: Some(("bitrate", 1000)),
        }],
        parser: None,
        webrtc: false,
    },
    Codec {
        name: "jpeg",
        label: "JPEG",
        media: MediaKind::Video,
        choice: false,
        encoders: &[Encoder {
            element: "jpegenc",
            place: Place::Software,
            package: GOOD,
            front: "videorate drop-only=true skip-to-first=true ! video/x-raw,framerate={jpeg_fps}/1 ! ",
            properties: "quality={jpeg_quality}",
            bitrate: None,
        }],
        parser: None,
        webrtc: false,
    },
    Codec {
        name: "gif",
        label: "GIF",
        media: MediaKind::Video,
        choice: false,
        encoders: &[Encoder {
            element: gif::ELEMENT,
            place: Place::Software,
            package: "aerial",
            front: "videoconvert ! ",
            properties: "gop-size={gop} min-force-key-unit-interval=500000000",
            bitrate: None,
        }],
        parser: None,
        webrtc: false,
    },
    Codec {
        name: "opus",
        label: "Opus",
        media: MediaKind::Audio,
        choice: true,
        encoders: &[Encoder {
            element: "opusenc",
            place: Place::Software,
            package: BASE,
            front: "",
            properties: "bitrate={bitrate} frame-size=20 audio-type=generic",
            bitrate: Some(("bitrate", 1)),
        }],
        parser: None,
        webrtc: true,
    },
    Codec {
        name: "vorbis",
        label: "Vorbis",
        media: MediaKind::Audio,
        choice: true,
        encoders: &[Encoder {
            element: "vorbisenc",
            place: Place::Software,
            package: BASE,
            front: SAMPLES,
            properties: "bitrate={bitrate}",
            bitrate: None,
        }],
        parser: None,
        webrtc: false,
    },
    Codec {
        name: "aac",
        label: "AAC",
        media: MediaKind::Audio,
        choice: true,
        encoders: &[
            Encoder {
                element: "fdkaacenc",
                place: Place::Software,
                package: BAD,
                front: SAMPLES,
                properties: "bitrate={bitrate}",
                bitrate: None,
            },
            Encoder {
                element: "avenc_aac",
                place: Place::Software,
                package: LIBAV,
                front: SAMPLES,
                properties: "bitrate={bitrate}",
                bitrate: None,
            },
            Encoder {
                element: "voaacenc",
                place: Place::Software,
                package: BAD,
                front: SAMPLES,
                properties: "bitrate={bitrate}",
                bitrate: None,
            },
        ],
        parser: Some("aacparse ! capsfilter caps=audio/mpeg,mpegversion=4,stream-format=raw"),
        webrtc: false,
    },
    Codec {
        name: "mp3",
        label: "MP3",
        media: MediaKind::Audio,
        choice: true,
        encoders: &[Encoder {
            element: "lamemp3enc",
            place: Place::Software,
            package: GOOD,
            front: SAMPLES,
            properties: "target=bitrate cbr=true bitrate={mp3_kbit}",
            bitrate: None,
        }],
        parser: Some("mpegaudioparse"),
        webrtc: false,
    },
    Codec {
        name: "flac",
        label: "FLAC",
        media: MediaKind::Audio,
        choice: false,
        encoders: &[Encoder {
            element: "flacenc",
            place: Place::Software,
            package: GOOD,
            front: SAMPLES,
            properties: "quality=5 streamable-subset=true",
            bitrate: None,
        }],
        parser: None,
        webrtc: false,
    },
];

/// The bitrates there are for MP3 at 48 kHz, in kbit/s.
const MP3_KBIT: [u64; 14] = [
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
];

/// What is filled into a row.
#[derive(Debug, Clone, Copy)]
pub struct Fill {
    /// Bits per second.
    pub bitrate: u64,
    /// Frames between two key frames.
    pub gop: u32,
    /// Threads of the encoder, where it can be told.
    pub threads: usize,
    /// Rates and sizes of JPEG and GIF.
    pub stills: Stills,
}

/// Pictures that are sent one by one, for those who can play no film.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stills {
    /// Pictures per second of `/live.mjpeg`.
    pub jpeg_fps: u32,
    /// Quality of a JPEG, 1 to 100.
    pub jpeg_quality: u32,
    /// Pictures per second of `/live.gif`.
    pub gif_fps: u32,
    /// Width of the GIF in pixels; its height follows from the program's shape.
    pub gif_width: u32,
}

impl Stills {
    /// No faster than the program.
    pub(super) fn within(self, fps: u32) -> Stills {
        Stills {
            jpeg_fps: self.jpeg_fps.clamp(1, fps),
            gif_fps: self.gif_fps.clamp(1, fps),
            ..self
        }
    }
}

impl Default for Stills {
    fn default() -> Self {
        Stills {
            jpeg_fps: 10,
            jpeg_quality: 80,
            gif_fps: 8,
            gif_width: 480,
        }
    }
}

impl PartialEq for Codec {
    /// There is one row per name.
    fn eq(&self, other: &Codec) -> bool {
        self.name == other.name
    }
}

impl Eq for Codec {}

impl Codec {
    /// The codec of that name, if there is a row.
    pub fn named(name: &str) -> Option<&'static Codec> {
        CODECS.iter().find(|c| c.name.eq_ignore_ascii_case(name))
    }

    /// The codec of that name and kind, or a sentence that lists what there is to choose from.
    pub fn find(name: &str, media: MediaKind) -> Result<&'static Codec, SpecError> {
        let rows = || CODECS.iter().filter(|c| c.media == media && c.choice);
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

    /// A codec to choose, and the encoder wished for: `h264` or `h264:openh264enc`.
    pub fn parse(
        text: &str,
        media: MediaKind,
    ) -> Result<(&'static Codec, Option<&'static str>), SpecError> {
        let Some((name, element)) = text.split_once(':') else {
            return Ok((Codec::find(text, media)?, None));
        };
        let codec = Codec::find(name, media)?;
        let encoder = codec.encoders.iter().find(|e| e.element == element);
        match encoder {
            Some(encoder) => Ok((codec, Some(encoder.element))),
            None => Err(SpecError::Encoder {
                codec: codec.label,
                name: element.to_string(),
                known: codec.elements(),
            }),
        }
    }

    /// Names of its encoders, for a sentence.
    pub(super) fn elements(&self) -> String {
        let names: Vec<_> = self.encoders.iter().map(|e| e.element).collect();
        names.join(", ")
    }

    /// Whether an encoder of it is installed, else the error that says what to install. Whether it really works is told
    /// by [`ability`](super::ability).
    pub fn installed(&'static self) -> Result<(), SpecError> {
        crate::plugins::register();
        let there = |e: &Encoder| gst::ElementFactory::find(e.element).is_some();
        match self.encoders.iter().any(there) {
            true => Ok(()),
            false => Err(self.missing()),
        }
    }

    /// The error that says what to install.
    pub(super) fn missing(&'static self) -> SpecError {
        let encoder = self.usual();
        SpecError::EncoderMissing {
            codec: self.label,
            element: encoder.element,
            package: encoder.package,
        }
    }

    /// The encoder that every computer can have.
    pub fn usual(&self) -> &'static Encoder {
        let encoders = self.encoders;
        let software = encoders.iter().find(|e| e.place == Place::Software);
        software
            .or(encoders.first())
            .expect("each row names an encoder")
    }
}

impl Encoder {
    /// Samples of silence that it puts before the sound without saying so in its times. What follows would be heard that
    /// much later than the picture it belongs to.
    pub fn silence(&self) -> u64 {
        match self.element {
            // Its first frame is there for the overlap of the second.
            "avenc_aac" => 1024,
            _ => 0,
        }
    }

    /// The encoder, what stands in front of it and its parser as a launch line; the encoder is named.
    pub fn launch(&self, codec: &Codec, fill: Fill) -> String {
        let kbit = fill.bitrate / 1000;
        let mp3 = MP3_KBIT
            .into_iter()
            .min_by_key(|k| k.abs_diff(kbit))
            .unwrap_or(128);
        let values = [
            ("{bitrate}", fill.bitrate),
            ("{kbit}", kbit.max(1)),
            ("{mp3_kbit}", mp3),
            ("{gop}", fill.gop.into()),
            ("{threads}", fill.threads as u64),
            ("{jpeg_fps}", fill.stills.jpeg_fps.into()),
            ("{jpeg_quality}", fill.stills.jpeg_quality.into()),
        ];
        let parser = codec.parser.map(|p| format!(" ! {p}")).unwrap_or_default();
        let line = format!(
            "{}{} name=encoder {}{parser}",
            self.front, self.element, self.properties
        );
        values.iter().fold(line, |line, (word, value)| {
            line.replace(word, &value.to_string())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILL: Fill = Fill {
        bitrate: 96_000,
        gop: 60,
        threads: 2,
        stills: Stills {
            jpeg_fps: 5,
            jpeg_quality: 70,
            gif_fps: 5,
            gif_width: 240,
        },
    };

    #[test]
    fn every_row_of_the_table_makes_an_encoder() {
        gst::init().unwrap();
        for codec in CODECS {
            codec.installed().unwrap();
            let installed = codec
                .encoders
                .iter()
                .filter(|e| gst::ElementFactory::find(e.element).is_some());
            for encoder in installed {
                let line = encoder.launch(codec, FILL);
                assert!(!line.contains('{'), "{line}");
                gst::parse::bin_from_description(&line, true)
                    .unwrap_or_else(|e| panic!("{}: {e}", codec.name));
            }
        }
    }

    #[test]
    fn an_unknown_codec_is_answered_with_the_known_ones() {
        let e = Codec::find("h265", MediaKind::Video).unwrap_err();
        assert!(
            matches!(e, SpecError::Codec { known, .. } if known == "vp8, vp9, h264, av1, theora")
        );
    }

    #[test]
    fn an_encoder_may_be_wished_for_with_its_codec() {
        let (codec, wished) = Codec::parse("h264:openh264enc", MediaKind::Video).unwrap();
        assert_eq!((codec.name, wished), ("h264", Some("openh264enc")));
        let (codec, wished) = Codec::parse("AV1", MediaKind::Video).unwrap();
        assert_eq!((codec.name, wished), ("av1", None));
        let e = Codec::parse("vp8:x264enc", MediaKind::Video).unwrap_err();
        assert!(matches!(e, SpecError::Encoder { known, .. } if known == "vp8enc"));
    }

    #[test]
    fn an_mp3_has_one_of_the_bitrates_there_are() {
        let mp3 = Codec::named("mp3").unwrap();
        let line = |bitrate| mp3.encoders[0].launch(mp3, Fill { bitrate, ..FILL });
        assert!(line(100_000).contains("bitrate=96 "));
        assert!(line(999_000).contains("bitrate=320 "));
    }
}
