// SPDX-License-Identifier: GPL-3.0-or-later
//! Recording to WebM or Matroska, from the shared encode.
//!
//! The file is playable at any moment, also if the program is killed: clusters are written as they come. When it is
//! ended properly, duration and index are added.

use std::{
    fs::OpenOptions,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Context, Progress};
use crate::{
    encode::Format,
    error::{OutputError, SpecError},
    message::OutputState,
    mux::{Container, Feeder, FeederEnd},
};

/// A disk that takes nothing for this long is given up: "live" would be untrue.
const STALL: Duration = Duration::from_secs(15);

/// The muxer for a file name, by its ending.
fn muxer(path: &Path) -> Option<(Format, &'static str)> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    match ending.as_str() {
        "webm" => Some((Format::WebM, "webmmux offset-to-zero=true")),
        "mkv" => Some((Format::Matroska, "matroskamux offset-to-zero=true")),
        _ => None,
    }
}

/// Whether one could record there; says what is wrong before anything is started.
pub fn check(path: &Path, overwrite: bool) -> Result<(), SpecError> {
    if muxer(path).is_none() {
        return Err(SpecError::RecordEnding(path.into()));
    }
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
    if path.exists() && !overwrite {
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

/// Record until told to stop.
pub(super) async fn run(context: Context, path: PathBuf, overwrite: bool) {
    context.tell(OutputState::Connecting { attempt: 1 });
    let unwritable = |why: String| OutputError::Unwritable {
        path: path.clone(),
        why,
    };
    let Some((container, muxer)) =
        muxer(&path).and_then(|(format, muxer)| Some((Container::of(format)?, muxer)))
    else {
        return context.tell(OutputState::Failed(unwritable(
            "its ending is none that is known".into(),
        )));
    };
    // Created here, so that a file made meanwhile is never overwritten.
    let made = OpenOptions::new()
        .write(true)
        .create(true)
        .create_new(!overwrite)
        .truncate(overwrite)
        .open(&path);
    if let Err(e) = made {
        return context.tell(OutputState::Failed(unwritable(reason(&e))));
    }
    let sink = match gst::ElementFactory::make("filesink")
        .name("file")
        .property("location", &path)
        .property("async", false)
        .property("sync", false)
        // Each block goes to the system at once: a killed program loses nothing that was muxed.
        .property_from_str("buffer-mode", "unbuffered")
        .build()
    {
        Ok(sink) => sink,
        Err(e) => return context.tell(OutputState::Failed(unwritable(e.to_string()))),
    };
    let progress = Progress::watch(&sink);
    let started = Feeder::start(
        &context.runtime,
        &context.clock,
        &context.encoders,
        container,
        muxer,
        sink,
    )
    .await;
    let mut feeder = match started {
        Ok(feeder) => feeder,
        Err(e) => return context.tell(OutputState::Failed(OutputError::Other(e.to_string()))),
    };
    let ended = tokio::select! {
        end = feeder.ended() => Some(end),
        () = context.report(&progress, STALL) => None,
        () = context.stopped() => Some(FeederEnd::Running),
    };
    let finished = feeder.finish(true).await;
    let failed = |why: String| OutputState::Failed(unwritable(why));
    context.tell(match (ended, finished) {
        (_, FeederEnd::Failed(e)) | (Some(FeederEnd::Failed(e)), _) => {
            failed(e.to_string().to_lowercase())
        }
        (None, _) => failed("nothing could be written for a long time".into()),
        // The encoders were restarted with other settings: one file cannot hold both.
        (Some(FeederEnd::Packets), _) => OutputState::Failed(OutputError::Other(
            "the encoding was changed, so the recording was ended".into(),
        )),
        (Some(FeederEnd::Running | FeederEnd::Finished), _) => OutputState::Off,
    });
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
            check(&at("x.avi"), false),
            Err(SpecError::RecordEnding(_))
        ));
        assert!(matches!(
            check(&at("no/x.webm"), false),
            Err(SpecError::RecordFolder { .. })
        ));
        assert!(matches!(
            check(&at("old.webm"), false),
            Err(SpecError::RecordExists(_))
        ));
        assert_eq!(check(&at("old.webm"), true), Ok(()));
        assert_eq!(std::fs::read(at("old.webm")).unwrap(), b"precious");
        assert_eq!(check(&at("new.mkv"), false), Ok(()));
        assert!(!at("new.mkv").exists());
    }
}
