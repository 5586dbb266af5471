// SPDX-License-Identifier: GPL-3.0-or-later
//! The table of containers. A new one is one row here (and its codecs in `encode::ladder`).

use std::time::Duration;

use bytes::Bytes;

use crate::{
    encode::{Format, Track, Tracks},
    fanout::Depth,
    message::MediaKind,
};

/// How packets of one format become a stream of bytes.
#[derive(Debug)]
pub struct Container {
    /// What it is for.
    pub format: Format,
    /// Its word in the list of viewers.
    pub name: &'static str,
    /// Where the built-in server has it, if it is one endless stream.
    pub path: Option<&'static str>,
    /// Content type with a picture, and of sound alone.
    content_type: (&'static str, &'static str),
    /// The muxer as a launch line. `identity` where packets are the stream.
    pub(super) muxer: &'static str,
    /// The muxer's pads for picture and sound.
    pads: (&'static str, &'static str),
    /// How its output is cut into what readers take at once.
    pub(super) cut: Cut,
    /// Seconds that a reader may be behind.
    seconds: f64,
    /// What is put around each chunk.
    pub(super) wrap: Option<fn(&[u8]) -> Bytes>,
}

/// How the output of a muxer is cut into chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// As it comes; header pieces are flagged and left out, for readers get them first anyway.
    Pieces,
    /// Matroska comes in pieces too, a picture in several: readers are woken once per picture.
    Blocks,
    /// Pieces of the same time are one chunk, and headers are repeated in the stream.
    Times,
    /// A fragment comes as a head and many pieces; the last is marked.
    Fragments,
}

/// A separator that no JPEG has in it at the beginning of a line.
const BOUNDARY: &str = "aerial-next-picture";

/// What Matroska and its like share.
const BLOCKS: Container = Container {
    format: Format::Matroska,
    name: "mkv",
    path: None,
    content_type: ("video/x-matroska", "audio/x-matroska"),
    muxer: "matroskamux streamable=true min-cluster-duration=0 offset-to-zero=false",
    pads: ("video_%u", "audio_%u"),
    cut: Cut::Blocks,
    seconds: 6.0,
    wrap: None,
};

/// What goes into Ogg; by itself sound alone.
const PAGES: Container = Container {
    format: Format::Ogg,
    name: "ogg",
    content_type: ("audio/ogg", "audio/ogg"),
    muxer: "oggmux max-delay=100000000 max-page-delay=100000000",
    cut: Cut::Pieces,
    ..BLOCKS
};

/// A fragment per key frame, written in chunks: a reader can begin at each key frame, and waits for a chunk only. Where
/// they begin, `splitter` says.
const FRAGMENTS: Container = Container {
    format: Format::Mp4,
    name: "mp4",
    content_type: ("video/mp4", "audio/mp4"),
    muxer: "isofmp4mux fragment-duration=3600000000000 chunk-duration=100000000 header-update-mode=none",
    pads: ("sink_%u", "sink_%u"),
    cut: Cut::Fragments,
    ..BLOCKS
};

/// Packets that are the stream.
const BARE: Container = Container {
    format: Format::Mp3,
    name: "mp3",
    content_type: ("audio/mpeg", "audio/mpeg"),
    muxer: "identity",
    pads: ("sink", "sink"),
    cut: Cut::Pieces,
    ..BLOCKS
};

/// All containers.
pub static CONTAINERS: &[Container] = &[
    Container {
        format: Format::WebM,
        name: "webm",
        path: Some("/live.webm"),
        content_type: ("video/webm", "audio/webm"),
        // A key frame always begins a cluster, so that a reader can begin there.
        muxer: "webmmux streamable=true min-cluster-duration=0 offset-to-zero=false",
        ..BLOCKS
    },
    BLOCKS,
    Container {
        path: Some("/live.ogg"),
        content_type: ("video/ogg", "audio/ogg"),
        ..PAGES
    },
    Container {
        path: Some("/live.mp4"),
        ..FRAGMENTS
    },
    Container {
        format: Format::Mp4Low,
        ..FRAGMENTS
    },
    Container {
        format: Format::Ts,
        name: "ts",
        path: Some("/live.ts"),
        content_type: ("video/mp2t", "video/mp2t"),
        muxer: "mpegtsmux alignment=0",
        pads: ("sink_%d", "sink_%d"),
        cut: Cut::Times,
        ..BLOCKS
    },
    Container {
        format: Format::Flv,
        name: "flv",
        content_type: ("video/x-flv", "video/x-flv"),
        muxer: "flvmux streamable=true",
        pads: ("video", "audio"),
        cut: Cut::Pieces,
        ..BLOCKS
    },
    Container {
        path: Some("/live.mp3"),
        ..BARE
    },
    Container {
        format: Format::Aac,
        name: "aac",
        content_type: ("audio/aac", "audio/aac"),
        muxer: "aacparse ! capsfilter caps=audio/mpeg,mpegversion=4,stream-format=adts",
        ..BARE
    },
    Container {
        format: Format::Opus,
        name: "opus",
        path: Some("/live.opus"),
        ..PAGES
    },
    Container {
        format: Format::Vorbis,
        name: "vorbis",
        ..PAGES
    },
    Container {
        format: Format::Flac,
        name: "flac",
        ..PAGES
    },
    Container {
        format: Format::Mjpeg,
        name: "mjpeg",
        path: Some("/live.mjpeg"),
        content_type: (
            "multipart/x-mixed-replace; boundary=aerial-next-picture",
            "",
        ),
        // A slow reader goes to the newest picture at once.
        seconds: 0.0,
        wrap: Some(part),
        ..BARE
    },
    Container {
        format: Format::Gif,
        name: "gif",
        path: Some("/live.gif"),
        content_type: ("image/gif", ""),
        seconds: 4.0,
        ..BARE
    },
];

/// One picture of a multipart stream.
fn part(jpeg: &[u8]) -> Bytes {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
        jpeg.len()
    );
    Bytes::from([head.as_bytes(), jpeg, b"\r\n"].concat())
}

impl Container {
    /// The row of a format, if it has a container.
    pub fn of(format: Format) -> Option<&'static Container> {
        CONTAINERS.iter().find(|c| c.format == format)
    }

    /// The one that the built-in server has at this path.
    pub fn at(path: &str) -> Option<&'static Container> {
        CONTAINERS.iter().find(|c| c.path == Some(path))
    }

    /// Content type of the stream of a program that has these tracks.
    pub fn content_type(&self, tracks: Tracks) -> &'static str {
        match tracks.video && !self.format.video().is_empty() {
            true => self.content_type.0,
            false => self.content_type.1,
        }
    }

    /// Whether packets follow each other without anything before them.
    pub(super) fn headless(&self) -> bool {
        matches!(self.format, Format::Mp3 | Format::Aac | Format::Mjpeg)
    }

    /// Whether a reader begins with a new key frame: a browser shows all that it got of a GIF at the GIF's own pace.
    pub(super) fn joins_fresh(&self) -> bool {
        self.format == Format::Gif
    }

    /// Whether the muxer learns from the codec's headers only where they come before the packets, not from the caps.
    pub(super) fn wants_headers(&self) -> bool {
        matches!(
            self.format,
            Format::Ogg | Format::Opus | Format::Vorbis | Format::Flac
        )
    }

    pub(super) fn depth(&self) -> Depth {
        Depth {
            time: Duration::from_secs_f64(self.seconds),
            ..Depth::default()
        }
    }

    /// The muxer's pad for a track, and what its packets need on the way there.
    pub(super) fn pad(&self, track: &Track) -> (&'static str, Option<&'static str>) {
        let codec = track.codec;
        // A transport stream has no place for headers but in the stream.
        let front = (self.format == Format::Ts && codec.name == "h264").then_some(
            "h264parse config-interval=-1 ! capsfilter caps=video/x-h264,stream-format=byte-stream,alignment=au",
        );
        let pad = match codec.media {
            MediaKind::Video => self.pads.0,
            MediaKind::Audio => self.pads.1,
        };
        (pad, front)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_but_webrtc_has_one_container_and_every_path_one_format() {
        for format in Format::ALL {
            let rows = CONTAINERS.iter().filter(|c| c.format == format).count();
            let packets = [Format::WebRtc, Format::WebRtcLow].contains(&format);
            assert_eq!(rows, usize::from(!packets), "{format:?}");
        }
        for row in CONTAINERS {
            if let Some(path) = row.path {
                assert_eq!(Container::at(path).unwrap().format, row.format);
            }
        }
    }

    #[test]
    fn each_picture_of_a_multipart_stream_tells_its_length() {
        let part = part(b"\xff\xd8jpeg");
        let text = String::from_utf8_lossy(&part);
        assert!(text.starts_with("--aerial-next-picture\r\n"));
        assert!(text.contains("Content-Length: 6\r\n\r\n"));
        let mjpeg = Container::of(Format::Mjpeg).unwrap();
        assert!(mjpeg.content_type.0.ends_with(BOUNDARY));
    }
}
