// SPDX-License-Identifier: GPL-3.0-or-later
//! Pictures that appear in a folder.
//!
//! The newest one that is there is shown first, then each that comes, in the order of their arrival. A file has
//! arrived when it was moved there, or when whoever wrote it closed it; so a half-written one is not seen, and
//! neither are those whose names say that they are not done.

use std::{
    collections::VecDeque,
    fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, CreateKind, ModifyKind, RemoveKind, RenameMode},
};
use tokio::{
    runtime::Handle,
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_util::task::AbortOnDropHandle;

use super::{MOST_BYTES, Picture, decode, easel};
use crate::error::{PictureError, SourceError};

/// Files that wait; beyond that the oldest are left out.
const MOST_WAITING: usize = 10_000;
/// How many files are tried to find one that can be shown at the start.
const TRIES: usize = 16;
/// A folder whose parent was moved away tells nothing, so it is looked at from time to time.
const LOOK: Duration = Duration::from_secs(2);

/// What there is to tell about a folder.
#[derive(Debug)]
pub(crate) enum News {
    /// This file cannot be shown; the picture before it stays.
    Skipped(PathBuf, PictureError),
    /// All is well again.
    Fine,
    /// The folder is not there any more, or cannot be watched.
    Gone(SourceError),
}

/// Watch a folder until dropped. Blocks for a moment.
pub(crate) fn watch(
    runtime: &Handle,
    folder: &Path,
    program: (u32, u32),
    tell: impl Fn(News) + Send + Sync + 'static,
) -> Result<(AbortOnDropHandle<()>, easel::Waiting), SourceError> {
    let missing = || SourceError::NoFolder(folder.to_path_buf());
    let folder_is = identity(folder).ok_or_else(missing)?;
    let (arrived, arrivals) = mpsc::unbounded_channel();
    let root = folder.to_path_buf();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        for arrival in event.iter().flat_map(|event| arrivals_of(event, &root)) {
            let _ = arrived.send(arrival);
        }
    })
    .map_err(|e| refused(folder, &e))?;
    watcher
        .watch(folder, RecursiveMode::NonRecursive)
        .map_err(|e| match identity(folder) {
            Some(_) => refused(folder, &e),
            None => missing(),
        })?;
    let (pictures, waiting) = easel::queue();
    let watching = Watching {
        folder: folder.to_path_buf(),
        folder_is,
        program,
        arrivals,
        pictures,
        tell,
        // Watched before it is listed, so nothing is missed in between.
        present: newest_first(folder),
        queue: VecDeque::new(),
        _watcher: watcher,
    };
    Ok((
        AbortOnDropHandle::new(runtime.spawn(watching.run())),
        waiting,
    ))
}

fn refused(folder: &Path, error: &notify::Error) -> SourceError {
    let why = match &error.kind {
        notify::ErrorKind::Io(e) => e.to_string(),
        notify::ErrorKind::MaxFilesWatch => "this user watches too many folders already".into(),
        notify::ErrorKind::Generic(_)
        | notify::ErrorKind::PathNotFound
        | notify::ErrorKind::WatchNotFound
        | notify::ErrorKind::InvalidConfig(_) => error.to_string(),
    };
    SourceError::Failed {
        spec: format!("folder:{}", folder.display()),
        why: why.trim_end_matches('.').to_string(),
    }
}

/// Which folder this is, whatever it is called.
fn identity(folder: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(folder).ok().filter(fs::Metadata::is_dir)?;
    Some((found.dev(), found.ino()))
}

#[derive(Debug, PartialEq)]
enum Arrival {
    File(PathBuf),
    /// Some were missed: the system's own queue was full.
    Unknown,
    FolderGone,
}

fn arrivals_of(event: &Event, folder: &Path) -> Vec<Arrival> {
    if event.need_rescan() {
        return vec![Arrival::Unknown];
    }
    let files = || event.paths.iter().filter(|p| is_meant(p));
    let all = |files: &mut dyn Iterator<Item = &PathBuf>| {
        files.map(|p| Arrival::File(p.clone())).collect()
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "all else is no arrival")]
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => all(&mut files()),
        // A second name for a file that is complete, or a link to one: nobody writes to it here.
        EventKind::Create(CreateKind::File | CreateKind::Any | CreateKind::Other) => {
            let is_link = |p: &&PathBuf| {
                fs::symlink_metadata(p).is_ok_and(|m| m.is_symlink() || m.nlink() > 1)
            };
            all(&mut files().filter(is_link))
        }
        EventKind::Remove(RemoveKind::Folder | RemoveKind::Other | RemoveKind::Any)
        | EventKind::Modify(ModifyKind::Name(RenameMode::From))
            if event.paths.iter().any(|p| p == folder) =>
        {
            vec![Arrival::FolderGone]
        }
        _ => vec![],
    }
}

/// Whether the name of a file says that it is done.
fn is_meant(path: &Path) -> bool {
    const NOT_DONE: [&str; 5] = ["tmp", "part", "partial", "crdownload", "swp"];
    let Some(name) = path.file_name() else {
        return false;
    };
    let name = name.as_bytes();
    let done = path
        .extension()
        .is_none_or(|e| !NOT_DONE.iter().any(|word| e.eq_ignore_ascii_case(word)));
    done && !name.starts_with(b".") && !name.ends_with(b"~")
}

/// Files that are there; of the same age, the last by name is first.
fn newest_first(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| is_meant(path))
        .filter_map(|path| {
            let about = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
            Some((about.modified().ok()?, path))
        })
        .collect();
    files.sort_by(|a, b| b.cmp(a));
    files.into_iter().map(|(_, path)| path).collect()
}

struct Watching<Tell> {
    folder: PathBuf,
    folder_is: (u64, u64),
    program: (u32, u32),
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    pictures: mpsc::Sender<Picture>,
    tell: Tell,
    present: Vec<PathBuf>,
    /// In the order of arrival.
    queue: VecDeque<PathBuf>,
    _watcher: RecommendedWatcher,
}

impl<Tell: Fn(News) + Send + Sync + 'static> Watching<Tell> {
    async fn run(mut self) {
        self.show_newest().await;
        let mut look = interval_at(Instant::now() + LOOK, LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (pictures, waits) = (self.pictures.clone(), !self.queue.is_empty());
            tokio::select! {
                arrival = self.arrivals.recv() => match arrival {
                    Some(Arrival::File(path)) => self.arrived(path),
                    Some(Arrival::Unknown) => {
                        self.present = newest_first(&self.folder);
                        self.show_newest().await;
                    }
                    Some(Arrival::FolderGone) | None => return self.gone(),
                },
                place = pictures.reserve(), if waits => {
                    // Nobody shows pictures any more: the source is being closed.
                    let Ok(place) = place else { return };
                    if let Some(path) = self.queue.pop_front()
                        && let Some(picture) = self.load(path).await
                    {
                        place.send(picture);
                    }
                },
                _ = look.tick() => if identity(&self.folder) != Some(self.folder_is) {
                    return self.gone();
                },
            }
        }
    }

    fn gone(&self) {
        (self.tell)(News::Gone(SourceError::NoFolder(self.folder.clone())));
    }

    /// A file that is written again while it waits has its turn later.
    fn arrived(&mut self, path: PathBuf) {
        self.queue.retain(|waiting| *waiting != path);
        self.queue.push_back(path);
        if self.queue.len() > MOST_WAITING {
            self.queue.pop_front();
            tracing::warn!("pictures come faster than they can be shown; the oldest are left out");
        }
    }

    async fn show_newest(&mut self) {
        for path in std::mem::take(&mut self.present).into_iter().take(TRIES) {
            if let Some(picture) = self.load(path).await {
                let _ = self.pictures.send(picture).await;
                return;
            }
        }
    }

    /// The picture in this file; what is wrong with it is told.
    async fn load(&self, path: PathBuf) -> Option<Picture> {
        let (program, file) = (self.program, path.clone());
        let read = tokio::task::spawn_blocking(move || read(&file, program)).await;
        match read.unwrap_or(None)? {
            Ok(picture) => {
                (self.tell)(News::Fine);
                Some(picture)
            }
            Err(error) => {
                (self.tell)(News::Skipped(path, error));
                None
            }
        }
    }
}

/// `None`: it is no file, or was taken away in the meantime.
fn read(path: &Path, program: (u32, u32)) -> Option<Result<Picture, PictureError>> {
    let about = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    if about.len() > MOST_BYTES as u64 {
        return Some(Err(PictureError::TooManyBytes));
    }
    match fs::read(path) {
        Ok(bytes) => Some(decode(&bytes, None, program)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => Some(Err(PictureError::Unreadable(e.to_string()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_is_not_done() {
        for name in ["a.png", "b", "c.tmp.png", "Bild 1.JPG", "part"] {
            assert!(is_meant(Path::new("/x").join(name).as_path()), "{name}");
        }
        for name in [".a.png", "a.png.tmp", "b.PART", "c.png~", ".part"] {
            assert!(!is_meant(Path::new("/x").join(name).as_path()), "{name}");
        }
    }

    #[test]
    fn the_newest_file_is_first_and_ties_go_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let old = std::time::SystemTime::now() - Duration::from_secs(60);
        for (name, age) in [
            ("b", old),
            ("z", old - LOOK),
            ("c", old),
            ("d.tmp", old + LOOK),
        ] {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            file.set_modified(age).unwrap();
        }
        fs::create_dir(folder.path().join("newest")).unwrap();
        let found = newest_first(folder.path());
        let names: Vec<_> = found.iter().filter_map(|p| p.file_name()).collect();
        assert_eq!(names, ["c", "b", "z"]);
    }

    #[test]
    fn files_arrive_when_they_are_closed_or_moved_in_and_not_before() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (tell, mut told) = mpsc::unbounded_channel();
        let watching = watch(runtime.handle(), folder.path(), (64, 48), move |news| {
            let _ = tell.send(news);
        });
        let (_task, _waiting) = watching.unwrap();
        let path = |name: &str| folder.path().join(name);
        // None of these is a picture, so each that arrives is told to be skipped.
        fs::write(path("a.png.tmp"), "half").unwrap();
        let mut open = fs::File::create(path("open.png")).unwrap();
        std::io::Write::write_all(&mut open, b"half").unwrap();
        fs::write(path("written.png"), "no").unwrap();
        fs::rename(path("a.png.tmp"), path("moved.png")).unwrap();
        fs::hard_link(path("moved.png"), path("linked.png")).unwrap();
        drop(open);
        let mut skipped = vec![];
        runtime.block_on(async {
            while skipped.len() < 4 {
                match told.recv().await.unwrap() {
                    News::Skipped(path, error) => {
                        assert_eq!(error, PictureError::Unknown);
                        skipped.push(path.file_name().unwrap().to_owned());
                    }
                    other @ (News::Fine | News::Gone(_)) => panic!("{other:?}"),
                }
            }
            assert_eq!(
                skipped,
                ["written.png", "moved.png", "linked.png", "open.png"]
            );
            fs::remove_dir_all(folder.path()).unwrap();
            while let Some(news) = told.recv().await {
                if let News::Gone(error) = news {
                    assert!(matches!(error, SourceError::NoFolder(_)));
                    return;
                }
            }
            panic!("it must be told");
        });
    }
}
