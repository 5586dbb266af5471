// SPDX-License-Identifier: GPL-3.0-or-later
//! Recording to files, from the shared encode.
//!
//! A file is playable at any moment, also if the program is killed: what was muxed is written at once. When it is ended
//! properly, duration and index are added. Pauses are cut out, and a file can be followed by the next without a lost
//! picture. When the disk is nearly full the recording is ended while there is still room to end it well.
//!
//! ```text
//! packets ─▶ tape (in order) ─▶ edit (which file, what time) ─▶ reel (muxer ─▶ file), room (of the disk)
//! ```

mod edit;
mod kind;
mod name;
mod pulse;
mod reel;
mod room;
mod tape;
mod work;

use std::{
    fs::OpenOptions,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

pub use kind::{KINDS, Kind, endings};
use name::Names;
pub use name::literal;
pub(super) use work::run;

use crate::{
    encode::Tracks,
    error::{OutputError, SpecError},
};

/// When a recording goes on in a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// After this time.
    Time(Duration),
    /// Before a file has more than this many bytes.
    Size(u64),
}

/// Whether one could record there; says what is wrong before anything is started.
pub fn check(path: &Path, overwrite: bool, split: Option<Split>) -> Result<(), SpecError> {
    let names = Names::new(path, overwrite, split.is_some())?;
    let first = names.first();
    let path = first.as_path();
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(SpecError::RecordFolder {
            path: path.into(),
            folder: folder.into(),
        });
    }
    if path.exists() && names.is_fixed() {
        return Err(SpecError::RecordExists(path.into()));
    }
    // The only sure way to know is to try; nothing is left behind.
    let existed = path.exists();
    match OpenOptions::new().append(true).create(true).open(path) {
        Ok(_) => {
            if !existed {
                let _ = std::fs::remove_file(path);
            }
            Ok(())
        }
        Err(e) => Err(SpecError::RecordUnwritable {
            path: path.into(),
            why: reason(&e),
        }),
    }
}

/// Whether a program with these tracks has something for such a file.
pub(super) fn check_tracks(path: &Path, tracks: Tracks) -> Result<(), SpecError> {
    match Kind::of(path) {
        Some(kind) if kind.sound_only && !tracks.audio => Err(SpecError::RecordEmpty {
            path: path.into(),
            format: kind.label,
        }),
        Some(_) | None => Ok(()),
    }
}

/// The system's words without their number.
fn reason(e: &std::io::Error) -> String {
    let known = [
        (ErrorKind::PermissionDenied, "you may not write there"),
        (ErrorKind::StorageFull, "the disk is full"),
        (ErrorKind::IsADirectory, "it is a folder"),
        (ErrorKind::AlreadyExists, "it exists already"),
    ];
    match known.iter().find(|(kind, _)| *kind == e.kind()) {
        Some((_, words)) => words.to_string(),
        None => {
            let text = e.to_string();
            text.split(" (os error")
                .next()
                .unwrap_or(&text)
                .to_lowercase()
        }
    }
}

/// Why a file cannot be written.
fn failure(path: PathBuf, e: &std::io::Error) -> OutputError {
    if e.kind() == ErrorKind::StorageFull {
        return OutputError::DiskFull { path };
    }
    OutputError::Unwritable {
        path,
        why: reason(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_recorded_is_refused_before_anything_starts() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("old.webm"), b"precious").unwrap();
        assert!(matches!(
            check(&at("x.avi"), false, None),
            Err(SpecError::RecordEnding(_))
        ));
        assert!(matches!(
            check(&at("no/x.webm"), false, None),
            Err(SpecError::RecordFolder { .. })
        ));
        assert!(matches!(
            check(&at("old.webm"), false, None),
            Err(SpecError::RecordExists(_))
        ));
        assert_eq!(check(&at("old.webm"), true, None), Ok(()));
        assert_eq!(std::fs::read(at("old.webm")).unwrap(), b"precious");
        assert_eq!(check(&at("new.mkv"), false, None), Ok(()));
        assert!(!at("new.mkv").exists());
    }

    #[test]
    fn a_file_of_sound_is_refused_where_there_is_only_a_picture_and_no_other_is() {
        for kind in KINDS {
            let name = format!("x.{}", kind.ending);
            for (video, audio) in [(true, true), (true, false), (false, true)] {
                let refused = check_tracks(Path::new(&name), Tracks { video, audio }).is_err();
                assert_eq!(refused, kind.sound_only && !audio, "{name}");
            }
        }
    }
}
