// SPDX-License-Identifier: GPL-3.0-or-later
//! Where the words for "now playing" come from when nobody types them: a file, or the music player of this desktop.

mod file;
mod mpris;

use std::{path::PathBuf, str::FromStr};

use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use crate::{error::SpecError, now_playing::NowPlaying};

/// Longer titles are cut: they travel in the address of a request.
const LONGEST: usize = 400;

/// Where the title comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TitleSource {
    /// The first line of a file, whenever it changes.
    File(PathBuf),
    /// The music player that plays on this desktop, by MPRIS.
    Mpris,
}

impl FromStr for TitleSource {
    type Err = SpecError;

    /// `file:PATH` or `mpris`.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        match text.strip_prefix("file:") {
            Some(path) if !path.is_empty() => Ok(TitleSource::File(path.into())),
            None if text == "mpris" => Ok(TitleSource::Mpris),
            Some(_) | None => Err(SpecError::TitleSource(text.into())),
        }
    }
}

/// Follow it until dropped.
pub(crate) fn follow(
    runtime: &Handle,
    source: TitleSource,
    title: NowPlaying,
) -> AbortOnDropHandle<()> {
    let task = match source {
        TitleSource::File(path) => runtime.spawn(file::follow(path, title)),
        TitleSource::Mpris => runtime.spawn(mpris::follow(title)),
    };
    AbortOnDropHandle::new(task)
}

/// One line, not too long, without what cannot be read.
pub(crate) fn clean(text: &str) -> String {
    let line = text.trim_start_matches('\u{feff}');
    let line = line.lines().next().unwrap_or("").trim();
    let readable = line.chars().filter(|c| !c.is_control());
    readable.take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_of_titles_is_a_file_or_the_desktop() {
        assert_eq!("mpris".parse(), Ok(TitleSource::Mpris));
        let file = TitleSource::File("a b.txt".into());
        assert_eq!("file:a b.txt".parse(), Ok(file));
        for bad in ["", "file:", "radio", "MPRIS:x"] {
            assert!(bad.parse::<TitleSource>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_title_is_one_line_that_can_be_read() {
        assert_eq!(clean("\u{feff}  A - B\u{7}  \r\nsecond"), "A - B");
        assert_eq!(clean("\n"), "");
        assert_eq!(clean(&"\u{e9}".repeat(900)).chars().count(), LONGEST);
    }
}
