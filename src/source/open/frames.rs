// SPDX-License-Identifier: GPL-3.0-or-later
//! Pictures of other programs: those that are sent, those in a folder, those on standard input.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{Open, Opening, Said, SourceError};
use crate::{
    message::MediaKind,
    navigation::PictureSize,
    source::{
        RawFormat,
        frames::{self, FolderNews, StdinNews, Waiting},
    },
};

/// Pictures that are sent to `/frames/NAME`.
pub(super) fn sent(name: &str, opening: &Opening) -> Open {
    let painted = PictureSize::default();
    // Before there is an inbox, so that whoever finds that may listen too.
    let taken = opening.places.video.as_ref().map(|video| {
        let navigation = &opening.around.navigation;
        navigation.take(video.id(), name, painted.clone())
    });
    let (place, waiting) = opening.around.inboxes.open(name, size(opening));
    show(opening, waiting, Box::new((place, taken)), Some(painted))
}

/// Pictures that appear in a folder.
pub(super) fn folder(path: &Path, opening: &Opening) -> Result<Open, SourceError> {
    let tell = opening.tell.clone();
    let told = move |news| {
        let _ = tell.send(match news {
            FolderNews::Skipped(path, error) => {
                Said::Warning(Some(SourceError::BadPicture { path, error }))
            }
            FolderNews::Fine => Said::Warning(None),
            FolderNews::Gone(error) => Said::Failed(error),
        });
    };
    let runtime = &opening.around.runtime;
    let (watching, waiting) = frames::watch_folder(runtime, path, size(opening), told)?;
    Ok(show(opening, waiting, Box::new(watching), None))
}

/// Raw frames on standard input.
pub(super) fn stdin(format: &RawFormat, opening: &Opening) -> Result<Open, SourceError> {
    let (tell, spec) = (opening.tell.clone(), format!("stdin:{format}"));
    let told = move |news| {
        let _ = tell.send(match news {
            StdinNews::Ended { cut } => Said::Over(SourceError::InputEnded { cut }),
            StdinNews::Failed(why) => Said::Over(SourceError::Failed { spec, why }),
        });
    };
    let (clock, fps) = (opening.around.clock.clone(), opening.around.settings.fps);
    let (reading, waiting) = frames::read_stdin(format, clock, fps, told)?;
    Ok(show(opening, waiting, Box::new(reading), None))
}

/// Size of the program.
fn size(opening: &Opening) -> (u32, u32) {
    let settings = &opening.around.settings;
    (settings.width, settings.height)
}

/// Hand what comes to the program, as long as it is open. `painted` is for those who want to
/// know how large that is.
fn show(
    opening: &Opening,
    waiting: Waiting,
    from: Box<dyn Send + Sync>,
    painted: Option<PictureSize>,
) -> Open {
    let around = &opening.around;
    let samples = Arc::new(AtomicU64::new(0));
    let mut held = vec![from];
    if let Some(pusher) = opening.places.video.clone() {
        let (tell, samples) = (opening.tell.clone(), samples.clone());
        let push = move |picture: &frames::Picture, time| {
            if let Some(painted) = &painted {
                painted.set(picture.sent);
            }
            pusher.push_at(picture.buffer.clone(), &picture.caps, time);
            if samples.fetch_add(1, Relaxed) == 0 {
                let _ = tell.send(Said::First(MediaKind::Video));
            }
        };
        let (clock, fps) = (around.clock.clone(), around.settings.fps);
        let showing = frames::show(&around.runtime, clock, fps, waiting, push);
        held.insert(0, Box::new(showing));
    }
    Open {
        pipeline: None,
        samples,
        device: None,
        quiet: None,
        still: None,
        player: None,
        held,
    }
}
