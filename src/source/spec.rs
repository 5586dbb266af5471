// SPDX-License-Identifier: GPL-3.0-or-later
//! Sources in words, as on the command line and in profiles.

use std::{fmt, path::PathBuf, str::FromStr};

use super::{Link, RawFormat};
use crate::{error::SpecError, message::MediaKind};

/// Where a picture comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum VideoSpec {
    /// The test card.
    Test,
    /// A camera by name (any part of it) or id; `None` is the first one.
    Camera(Option<String>),
    /// The screen, or a part of it.
    Screen(Option<String>),
    /// The picture of a file, looped; or of all files of a playlist.
    File(PathBuf),
    /// The picture of a stream elsewhere.
    Link(Link),
    /// The pictures that appear in a folder.
    Folder(PathBuf),
    /// The pictures that are sent to `/frames/NAME`.
    Frames(String),
    /// Raw frames on standard input.
    Stdin(RawFormat),
    /// Somebody with a browser.
    Guest,
    /// No picture: a broadcast of sound only. Alone in its list.
    None,
}

/// Where sound comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AudioSpec {
    /// A 440 Hz tone.
    Tone,
    /// A microphone by name (any part of it) or id; `None` is the system's default.
    Mic(Option<String>),
    /// What this computer plays.
    Desktop,
    /// The sound of a file, looped; or of all files of a playlist.
    File(PathBuf),
    /// The sound of a stream elsewhere.
    Link(Link),
    /// Somebody with a browser.
    Guest,
    /// Silence: there is a sound track and nothing on it.
    Silence,
    /// No sound track. Alone in its list.
    None,
}

/// Where a picture or a sound comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Spec {
    /// A picture.
    Video(VideoSpec),
    /// A sound.
    Audio(AudioSpec),
}

impl Spec {
    /// Picture or sound.
    pub fn kind(&self) -> MediaKind {
        match self {
            Spec::Video(_) => MediaKind::Video,
            Spec::Audio(_) => MediaKind::Audio,
        }
    }

    /// Read the words for a picture or a sound.
    pub fn parse(kind: MediaKind, text: &str) -> Result<Spec, SpecError> {
        Ok(match kind {
            MediaKind::Video => Spec::Video(text.parse()?),
            MediaKind::Audio => Spec::Audio(text.parse()?),
        })
    }

    /// Read words that were good once: a file or folder need not be there now.
    pub fn kept(kind: MediaKind, text: &str) -> Result<Spec, SpecError> {
        match (Spec::parse(kind, text), kind) {
            (Err(SpecError::MissingFile(path)), MediaKind::Video) => {
                Ok(Spec::Video(VideoSpec::File(path)))
            }
            (Err(SpecError::MissingFile(path)), MediaKind::Audio) => {
                Ok(Spec::Audio(AudioSpec::File(path)))
            }
            (Err(SpecError::MissingFolder(path)), MediaKind::Video) => {
                Ok(Spec::Video(VideoSpec::Folder(path)))
            }
            (read, _) => read,
        }
    }

    /// The same words as [`Display`](fmt::Display), secrets included: to be kept, never to be shown.
    pub fn secret(&self) -> String {
        match self {
            Spec::Video(VideoSpec::Link(link)) | Spec::Audio(AudioSpec::Link(link)) => {
                link.secret().to_string()
            }
            Spec::Video(_) | Spec::Audio(_) => self.to_string(),
        }
    }

    /// The kind of device that it is, if it is one that can be plugged in.
    pub(super) fn device_kind(&self) -> Option<MediaKind> {
        match self {
            Spec::Video(VideoSpec::Camera(_)) | Spec::Audio(AudioSpec::Mic(_)) => Some(self.kind()),
            Spec::Video(_) | Spec::Audio(_) => None,
        }
    }

    /// Whether picture and sound of these come from one pipeline.
    pub(super) fn goes_with(&self, other: &Spec) -> bool {
        match (self, other) {
            (Spec::Video(VideoSpec::File(a)), Spec::Audio(AudioSpec::File(b))) => a == b,
            (Spec::Video(VideoSpec::Link(a)), Spec::Audio(AudioSpec::Link(b))) => a == b,
            (Spec::Video(VideoSpec::Guest), Spec::Audio(AudioSpec::Guest)) => true,
            (Spec::Audio(_), Spec::Video(_)) => other.goes_with(self),
            (Spec::Video(_), _) | (Spec::Audio(_), _) => false,
        }
    }

    /// A guest is always picture and sound: this one's other half.
    pub(super) fn other_half(&self) -> Option<Spec> {
        match self {
            Spec::Video(VideoSpec::Guest) => Some(Spec::Audio(AudioSpec::Guest)),
            Spec::Audio(AudioSpec::Guest) => Some(Spec::Video(VideoSpec::Guest)),
            Spec::Video(_) | Spec::Audio(_) => None,
        }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spec::Video(v) => v.fmt(f),
            Spec::Audio(a) => a.fmt(f),
        }
    }
}

/// `name` or `name:rest`.
fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((word, rest)) => (word, Some(rest)),
        None => (text, None),
    }
}

fn named(rest: Option<&str>) -> Option<String> {
    rest.map(str::to_string).filter(|s| !s.is_empty())
}

fn path(rest: Option<&str>, exists: impl Fn(&PathBuf) -> bool) -> Option<Result<PathBuf, PathBuf>> {
    let path = PathBuf::from(rest.filter(|r| !r.is_empty())?);
    Some(if exists(&path) { Ok(path) } else { Err(path) })
}

fn file(rest: Option<&str>) -> Option<Result<PathBuf, SpecError>> {
    Some(path(rest, |p| p.is_file())?.map_err(SpecError::MissingFile))
}

fn folder(rest: Option<&str>) -> Option<Result<PathBuf, SpecError>> {
    Some(path(rest, |p| p.is_dir())?.map_err(SpecError::MissingFolder))
}

/// Names of frame sources stand in addresses: letters, digits, `-`, `_` and `.`.
fn frames_name(rest: Option<&str>) -> Option<String> {
    named(rest).filter(|name| {
        name.len() <= 64
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && !name.starts_with('.')
    })
}

impl FromStr for VideoSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let unknown = || SpecError::UnknownVideo(text.to_string());
        if Link::looks_like_one(text) {
            return text.parse().map(VideoSpec::Link);
        }
        match split(text) {
            ("test", None) => Ok(VideoSpec::Test),
            ("none", None) => Ok(VideoSpec::None),
            ("guest", None) => Ok(VideoSpec::Guest),
            ("camera", name) => Ok(VideoSpec::Camera(named(name))),
            ("screen", name) => Ok(VideoSpec::Screen(named(name))),
            ("file", path) => Ok(VideoSpec::File(file(path).ok_or_else(unknown)??)),
            ("folder", path) => Ok(VideoSpec::Folder(folder(path).ok_or_else(unknown)??)),
            ("frames", name) => Ok(VideoSpec::Frames(frames_name(name).ok_or_else(unknown)?)),
            ("stdin", Some(format)) => Ok(VideoSpec::Stdin(format.parse()?)),
            _ => Err(unknown()),
        }
    }
}

impl FromStr for AudioSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let unknown = || SpecError::UnknownAudio(text.to_string());
        if Link::looks_like_one(text) {
            return text.parse().map(AudioSpec::Link);
        }
        match split(text) {
            ("tone", None) => Ok(AudioSpec::Tone),
            ("silence", None) => Ok(AudioSpec::Silence),
            ("none", None) => Ok(AudioSpec::None),
            ("desktop", None) => Ok(AudioSpec::Desktop),
            ("guest", None) => Ok(AudioSpec::Guest),
            ("mic", name) => Ok(AudioSpec::Mic(named(name))),
            ("file", path) => Ok(AudioSpec::File(file(path).ok_or_else(unknown)??)),
            _ => Err(unknown()),
        }
    }
}

/// `word` or `word:name`.
fn word(f: &mut fmt::Formatter<'_>, word: &str, name: Option<&String>) -> fmt::Result {
    match name {
        Some(name) => write!(f, "{word}:{name}"),
        None => f.write_str(word),
    }
}

impl fmt::Display for VideoSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VideoSpec::Test => f.write_str("test"),
            VideoSpec::None => f.write_str("none"),
            VideoSpec::Guest => f.write_str("guest"),
            VideoSpec::Camera(name) => word(f, "camera", name.as_ref()),
            VideoSpec::Screen(name) => word(f, "screen", name.as_ref()),
            VideoSpec::File(path) => write!(f, "file:{}", path.display()),
            VideoSpec::Link(link) => link.fmt(f),
            VideoSpec::Folder(path) => write!(f, "folder:{}", path.display()),
            VideoSpec::Frames(name) => write!(f, "frames:{name}"),
            VideoSpec::Stdin(format) => write!(f, "stdin:{format}"),
        }
    }
}

impl fmt::Display for AudioSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AudioSpec::Tone => f.write_str("tone"),
            AudioSpec::Silence => f.write_str("silence"),
            AudioSpec::None => f.write_str("none"),
            AudioSpec::Desktop => f.write_str("desktop"),
            AudioSpec::Guest => f.write_str("guest"),
            AudioSpec::Mic(name) => word(f, "mic", name.as_ref()),
            AudioSpec::File(path) => write!(f, "file:{}", path.display()),
            AudioSpec::Link(link) => link.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_are_read_and_written_alike() {
        for text in [
            "test",
            "none",
            "guest",
            "screen",
            "camera",
            "camera:Front cam: left",
            "file:/dev/../etc/passwd",
            "folder:/dev",
            "frames:plot-1",
            "stdin:rgba:640x480@30",
            "rtsp://cam.example/1",
        ] {
            assert_eq!(text.parse::<VideoSpec>().unwrap().to_string(), text);
        }
        for text in [
            "tone",
            "silence",
            "none",
            "desktop",
            "guest",
            "mic",
            "mic:Desk",
            "http://radio.example/a.ogg",
        ] {
            assert_eq!(text.parse::<AudioSpec>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_spec_is_refused_by_name() {
        for text in [
            "",
            "tests",
            "test:1",
            "file:",
            "file",
            "http",
            "frames:",
            "frames:../x",
            "frames:a/b",
            "folder",
        ] {
            assert_eq!(
                text.parse::<VideoSpec>(),
                Err(SpecError::UnknownVideo(text.into()))
            );
        }
        let missing = "file:/no/such.webm".parse::<AudioSpec>();
        assert!(matches!(missing, Err(SpecError::MissingFile(_))));
        let missing = "folder:/no/such".parse::<VideoSpec>();
        assert!(matches!(missing, Err(SpecError::MissingFolder(_))));
        assert!("stdin:rgba:0x0@30".parse::<VideoSpec>().is_err());
    }

    #[test]
    fn picture_and_sound_of_one_thing_go_together() {
        let file = |p: &str| Spec::Video(VideoSpec::File(p.into()));
        let sound = |p: &str| Spec::Audio(AudioSpec::File(p.into()));
        assert!(file("a").goes_with(&sound("a")) && sound("a").goes_with(&file("a")));
        assert!(!file("a").goes_with(&sound("b")) && !file("a").goes_with(&file("a")));
    }
}
