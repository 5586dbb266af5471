// SPDX-License-Identifier: GPL-3.0-or-later
//! The first line of a file that another program writes.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{Event, EventKind, RecursiveMode, Watcher};
use tokio::{
    io::AsyncReadExt,
    sync::mpsc,
    time::{sleep, timeout},
};

use super::clean;
use crate::now_playing::NowPlaying;

/// A title is short; whatever follows in the file is not read.
const MOST: u64 = 4096;
/// Whoever writes often empties the file first: one look a little later instead of two.
const SETTLE: Duration = Duration::from_millis(100);
/// A folder that is not there yet, or was moved away, tells nothing, so it is looked at from time to time.
const LOOK: Duration = Duration::from_secs(2);

/// For ever. A file that is not there is an empty title; it may come.
pub(super) async fn follow(path: PathBuf, title: NowPlaying) {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let mut complained = false;
    loop {
        let (tell, mut changes) = mpsc::channel(1);
        let watcher = watch(&folder, path.clone(), tell);
        if let Err(error) = &watcher
            && !complained
        {
            complained = true;
            tracing::warn!(%error, folder = %folder.display(), "titles cannot be followed, only looked at");
        }
        let mut shown: Option<String> = None;
        loop {
            let now = read(&path).await;
            if shown.as_ref() != Some(&now) {
                title.set(now.clone());
                shown = Some(now);
            }
            // Without a watch it is looked at now and then.
            match timeout(LOOK, changes.recv()).await {
                Ok(Some(())) => sleep(SETTLE).await,
                Ok(None) => {
                    sleep(LOOK).await;
                    break;
                }
                Err(_) => (),
            }
        }
    }
}

/// The folder is watched, not the file: many programs replace the file by a new one.
fn watch(
    folder: &Path,
    path: PathBuf,
    tell: mpsc::Sender<()>,
) -> notify::Result<notify::RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let ours = match &event {
            Ok(event) if matches!(event.kind, EventKind::Access(access) if !is_written(access)) => {
                false
            }
            Ok(event) => {
                event.need_rescan()
                    || event
                        .paths
                        .iter()
                        .any(|p| p.file_name() == path.file_name())
            }
            Err(_) => true,
        };
        if ours {
            // One that waits already is enough.
            let _ = tell.try_send(());
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

fn is_written(access: notify::event::AccessKind) -> bool {
    use notify::event::{AccessKind, AccessMode};
    access == AccessKind::Close(AccessMode::Write)
}

async fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = tokio::fs::File::open(path).await {
        let _ = file.take(MOST).read_to_end(&mut bytes).await;
    }
    clean(&String::from_utf8_lossy(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_title_follows_its_file_however_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("title.txt");
        let title = NowPlaying::default();
        let mut seen = title.subscribe();
        let task = tokio::spawn(follow(path.clone(), title));
        assert_eq!(*seen.borrow_and_update(), "", "there is no file yet");
        std::fs::write(&path, "One\nmore").unwrap();
        seen.wait_for(|t| t == "One").await.unwrap();
        // Replaced, as editors and players do.
        std::fs::write(dir.path().join("new"), "Two").unwrap();
        std::fs::rename(dir.path().join("new"), &path).unwrap();
        seen.wait_for(|t| t == "Two").await.unwrap();
        std::fs::remove_file(&path).unwrap();
        seen.wait_for(String::is_empty).await.unwrap();
        task.abort();
    }
}
