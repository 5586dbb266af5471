// SPDX-License-Identifier: GPL-3.0-or-later
//! Sources in words, as on the command line and in profiles.

use std::{fmt, path::PathBuf, str::FromStr};

use crate::error::SpecError;

/// Where a picture comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum VideoSpec {
    /// The test card.
    Test,
    /// A camera by name (any part of it) or id; `None` is the first one.
    Camera(Option<String>),
    /// The picture of a file, looped.
    File(PathBuf),
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
    /// The sound of a file, looped.
    File(PathBuf),
    /// Silence: there is a sound track and nothing on it.
    Silence,
    /// No sound track. Alone in its list.
    None,
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

fn file(rest: Option<&str>) -> Option<Result<PathBuf, SpecError>> {
    let path = PathBuf::from(rest.filter(|r| !r.is_empty())?);
    Some(if path.is_file() {
        Ok(path)
    } else {
        Err(SpecError::MissingFile(path))
    })
}

impl FromStr for VideoSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let unknown = || SpecError::UnknownVideo(text.to_string());
        match split(text) {
            ("test", None) => Ok(VideoSpec::Test),
            ("none", None) => Ok(VideoSpec::None),
            ("camera", name) => Ok(VideoSpec::Camera(named(name))),
            ("file", path) => Ok(VideoSpec::File(file(path).ok_or_else(unknown)??)),
            _ => Err(unknown()),
        }
    }
}

impl FromStr for AudioSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let unknown = || SpecError::UnknownAudio(text.to_string());
        match split(text) {
            ("tone", None) => Ok(AudioSpec::Tone),
            ("silence", None) => Ok(AudioSpec::Silence),
            ("none", None) => Ok(AudioSpec::None),
            ("mic", name) => Ok(AudioSpec::Mic(named(name))),
            ("file", path) => Ok(AudioSpec::File(file(path).ok_or_else(unknown)??)),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for VideoSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VideoSpec::Test => f.write_str("test"),
            VideoSpec::None => f.write_str("none"),
            VideoSpec::Camera(None) => f.write_str("camera"),
            VideoSpec::Camera(Some(name)) => write!(f, "camera:{name}"),
            VideoSpec::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl fmt::Display for AudioSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AudioSpec::Tone => f.write_str("tone"),
            AudioSpec::Silence => f.write_str("silence"),
            AudioSpec::None => f.write_str("none"),
            AudioSpec::Mic(None) => f.write_str("mic"),
            AudioSpec::Mic(Some(name)) => write!(f, "mic:{name}"),
            AudioSpec::File(path) => write!(f, "file:{}", path.display()),
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
            "camera",
            "camera:Front cam: left",
            "file:/dev/../etc/passwd",
        ] {
            assert_eq!(text.parse::<VideoSpec>().unwrap().to_string(), text);
        }
        for text in ["tone", "silence", "none", "mic", "mic:Desk"] {
            assert_eq!(text.parse::<AudioSpec>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_spec_is_refused_by_name() {
        for text in ["", "tests", "test:1", "file:", "file", "http"] {
            assert_eq!(
                text.parse::<VideoSpec>(),
                Err(SpecError::UnknownVideo(text.into()))
            );
        }
        let missing = "file:/no/such.webm".parse::<AudioSpec>();
        assert!(matches!(missing, Err(SpecError::MissingFile(_))));
    }
}
