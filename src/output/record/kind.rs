// SPDX-License-Identifier: GPL-3.0-or-later
//! The kinds of file there are, by their endings. A new one is one row here.

use std::path::Path;

use crate::{
    encode::{Codec, Format, Tracks, known_ability},
    mux::Container,
};

/// A kind of file that can be recorded.
#[derive(Debug)]
pub struct Kind {
    /// Ending of the name, without the dot.
    pub ending: &'static str,
    /// Its name as people know it.
    pub label: &'static str,
    /// Whether it holds sound alone.
    pub sound_only: bool,
    pub(super) format: Format,
    /// The muxer as a launch line, and its element.
    pub(super) muxer: &'static str,
    element: &'static str,
    /// Whether the muxer is told where to cut, and writes nothing in between.
    pub(super) cut: bool,
}

const OGG: &str = "oggmux max-delay=100000000 max-page-delay=100000000";

/// All kinds, the usual one first.
///
/// Each is written so that a crash costs at most a second: clusters and pages as they come, MP4 in chunks of half a
/// second. Its head is written again at the end, with the duration in it.
pub static KINDS: &[Kind] = &[
    Kind {
        ending: "webm",
        label: "WebM",
        sound_only: false,
        format: Format::WebM,
        muxer: "webmmux",
        element: "webmmux",
        cut: false,
    },
    Kind {
        ending: "mkv",
        label: "Matroska",
        sound_only: false,
        format: Format::Matroska,
        muxer: "matroskamux",
        element: "matroskamux",
        cut: false,
    },
    Kind {
        ending: "mp4",
        label: "MP4",
        sound_only: false,
        format: Format::Mp4,
        // Cut by hand: when it cuts by time it loses the end of one track (0.14.5).
        muxer: "isofmp4mux manual-split=true write-mfra=true write-mehd=true header-update-mode=rewrite",
        element: "isofmp4mux",
        cut: true,
    },
    Kind {
        ending: "ogg",
        label: "Ogg",
        sound_only: false,
        format: Format::Ogg,
        muxer: OGG,
        element: "oggmux",
        cut: false,
    },
    Kind {
        ending: "mp3",
        label: "MP3",
        sound_only: true,
        format: Format::Mp3,
        muxer: "identity",
        element: "identity",
        cut: false,
    },
    Kind {
        ending: "opus",
        label: "Opus",
        sound_only: true,
        format: Format::Opus,
        muxer: OGG,
        element: "oggmux",
        cut: false,
    },
    Kind {
        ending: "oga",
        label: "Vorbis",
        sound_only: true,
        format: Format::Vorbis,
        muxer: OGG,
        element: "oggmux",
        cut: false,
    },
];

impl Kind {
    /// The kind of a file, by the ending of its name.
    pub fn of(path: &Path) -> Option<&'static Kind> {
        let ending = path.extension()?.to_str()?;
        KINDS.iter().find(|k| k.ending.eq_ignore_ascii_case(ending))
    }

    /// Whether it can be recorded on this computer, as far as is known without trying, of a program with these tracks.
    pub fn works(&self, tracks: Tracks) -> bool {
        let able = |names: &[&str]| {
            let mut codecs = names.iter().filter_map(|name| Codec::named(name));
            codecs.any(|codec| match known_ability(codec) {
                Some(ability) => ability.encoders.iter().any(|(_, r)| r.is_ok()),
                None => codec.installed().is_ok(),
            })
        };
        let picture = tracks.video && !self.sound_only;
        (picture || tracks.audio)
            && (!picture || able(self.format.video()))
            && (!tracks.audio || able(self.format.audio()))
            && gst::ElementFactory::find(self.element).is_some()
    }

    pub(super) fn container(&self) -> &'static Container {
        Container::of(self.format).expect("each format of the table has a container")
    }
}

/// All endings in words, for messages.
pub fn endings() -> String {
    let all: Vec<_> = KINDS.iter().map(|k| format!(".{}", k.ending)).collect();
    match all.split_last() {
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_known_by_its_ending_and_has_a_container() {
        for kind in KINDS {
            let name = format!("a.b.{}", kind.ending.to_uppercase());
            assert_eq!(Kind::of(Path::new(&name)).unwrap().ending, kind.ending);
            assert_eq!(kind.container().format, kind.format);
            assert_eq!(kind.format.video().is_empty(), kind.sound_only);
        }
        for name in ["x.avi", "x", "webm", ".webm"] {
            assert!(Kind::of(Path::new(name)).is_none(), "{name}");
        }
    }
}
