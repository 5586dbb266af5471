// SPDX-License-Identifier: GPL-3.0-or-later
//! Room on the disk: warned of early, and kept back so that the file can be ended properly.
//!
//! Some room after the end of the file is always asked of the system in advance. When it is not given any more the disk
//! is as good as full, but what was given before is enough to write what is on its way, and the index.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use rustix::{
    fs::{FallocateFlags, fallocate, fstatvfs},
    io::Errno,
};
use tokio::{sync::watch, task::JoinHandle, time::Instant};

/// How often the disk is looked at.
const PACE: Duration = Duration::from_millis(500);

/// Who has less time left than this is warned.
const WARN: Duration = Duration::from_secs(5 * 60);

/// Bytes kept back at least: for the index of many hours.
const RESERVE: u64 = 512 << 10;

/// However fast the recording is, no more than this is kept back for what is on its way.
const MOST: u64 = 64 << 20;

/// Seconds of recording kept back besides.
const RESERVE_TIME: f64 = 2.0;

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Enough, as far as is known.
    Plenty,
    /// So many minutes at the present rate; 0 is less than one.
    Minutes(u64),
    /// None but what was kept back.
    Nothing,
}

/// Watches the disk under one file until dropped.
pub(super) struct Room {
    left: watch::Receiver<Left>,
    task: JoinHandle<()>,
}

impl Room {
    /// `written` counts the bytes of the recording; the file's part of them is what is added from now on.
    pub(super) fn watch(file: File, written: Arc<AtomicU64>) -> Room {
        let (tell, left) = watch::channel(Left::Plenty);
        let task = tokio::spawn(async move {
            let mut keeper = Keeper::new(file);
            let (began, from) = (Instant::now(), written.load(Relaxed));
            let mut seen = (Instant::now(), from);
            let mut rate = 0.0;
            loop {
                let bytes = written.load(Relaxed);
                let took = seen.0.elapsed().as_secs_f64();
                // A moment is too short to tell a rate from.
                if took >= PACE.as_secs_f64() / 2.0 && bytes > seen.1 {
                    let now = (bytes - seen.1) as f64 / took;
                    // Of the whole time at first, then slowly following.
                    let weight = (1.0 / (began.elapsed().as_secs_f64() + 1.0)).max(0.05);
                    rate += (now - rate) * weight;
                }
                seen = (Instant::now(), bytes);
                // A disk may take its time to answer.
                let looked = tokio::task::spawn_blocking(move || {
                    let left = keeper.look(rate);
                    (keeper, left)
                });
                let Ok((back, now)) = looked.await else {
                    return;
                };
                keeper = back;
                tell.send_if_modified(|old| {
                    let new = *old != now;
                    *old = now;
                    new
                });
                tokio::time::sleep(PACE).await;
            }
        });
        Room { left, task }
    }

    /// Wait until there is another amount of room.
    pub(super) async fn changed(&mut self) -> Left {
        match self.left.changed().await {
            Ok(()) => *self.left.borrow_and_update(),
            // The watch ends only with the program.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Keeps room after the end of a file.
struct Keeper {
    file: File,
    /// Up to here the system has given room; `None` where it cannot.
    given: Option<u64>,
}

impl Keeper {
    fn new(file: File) -> Keeper {
        Keeper {
            file,
            given: Some(0),
        }
    }

    /// `rate` in bytes per second. Blocks.
    fn look(&mut self, rate: f64) -> Left {
        let (Ok(system), Ok(end)) = (fstatvfs(&self.file), self.file.metadata().map(|m| m.len()))
        else {
            return Left::Plenty;
        };
        let free = system.f_bavail.saturating_mul(system.f_frsize);
        let reserve = RESERVE + ((rate * RESERVE_TIME) as u64).min(MOST);
        if let Some(given) = self.given
            && given < end + reserve
        {
            let wanted = end + reserve * 5 / 4;
            match fallocate(&self.file, FallocateFlags::KEEP_SIZE, end, wanted - end) {
                Ok(()) => self.given = Some(wanted),
                Err(Errno::NOSPC | Errno::DQUOT) => return Left::Nothing,
                Err(_) => self.given = None,
            }
        }
        let ahead = self.given.map_or(0, |given| given.saturating_sub(end));
        if self.given.is_none() && free < reserve {
            return Left::Nothing;
        }
        if rate <= 0.0 {
            return Left::Plenty;
        }
        let seconds = (free + ahead).saturating_sub(reserve) as f64 / rate;
        match seconds < WARN.as_secs_f64() {
            true => Left::Minutes((seconds / 60.0) as u64),
            false => Left::Plenty,
        }
    }
}

/// Give back what was kept after the end of a file, and what follows `whole` if the disk took only a part of it. Blocks.
pub(super) fn trim(path: &Path, whole: Option<u64>) {
    let trimmed = File::options().write(true).open(path).and_then(|file| {
        let length = file.metadata()?.len();
        file.set_len(whole.map_or(length, |whole| whole.min(length)))
    });
    if let Err(error) = trimmed {
        let path: PathBuf = path.into();
        tracing::warn!(%error, ?path, "the end of a recording could not be trimmed");
    }
}
