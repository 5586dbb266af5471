// SPDX-License-Identifier: GPL-3.0-or-later
//! Files: choosing them, naming recordings, showing where they are.

use std::path::{Path, PathBuf};

use gettextrs::gettext;
use gtk::{gio, glib, prelude::*};
use studio::{
    encode::Tracks,
    output::{RECORD_KINDS, RecordKind},
};

use super::window::Window;

/// Ask for files to show or to play.
pub fn open(window: &Window) -> impl Future<Output = Vec<gio::File>> + 'static {
    let dialog = chooser(window, gettext("Add files"), gtk::FileChooserAction::Open);
    dialog.set_select_multiple(true);
    let types = ["video/*", "image/*", "audio/*"];
    dialog.add_filter(&filter(gettext("Videos, pictures and sounds"), &types));
    dialog.add_filter(&everything());
    async move {
        if dialog.run_future().await != gtk::ResponseType::Accept {
            return vec![];
        }
        let files = dialog.files();
        files.iter::<gio::File>().flatten().collect()
    }
}

/// Ask for a folder of pictures.
pub fn open_folder(window: &Window) -> impl Future<Output = Vec<gio::File>> + 'static {
    let title = gettext("Add a folder of pictures");
    let dialog = chooser(window, title, gtk::FileChooserAction::SelectFolder);
    async move {
        let accepted = dialog.run_future().await == gtk::ResponseType::Accept;
        accepted
            .then(|| dialog.file())
            .flatten()
            .into_iter()
            .collect()
    }
}

/// Ask where recordings are to go.
pub fn choose_folder(window: &Window) -> impl Future<Output = Option<PathBuf>> + 'static {
    let title = gettext("Choose the folder of recordings");
    let dialog = chooser(window, title, gtk::FileChooserAction::SelectFolder);
    chosen(dialog)
}

/// Ask for a picture to put over the program.
pub fn open_logo(window: &Window) -> impl Future<Output = Option<PathBuf>> + 'static {
    let dialog = chooser(
        window,
        gettext("Choose a logo"),
        gtk::FileChooserAction::Open,
    );
    dialog.add_filter(&filter(gettext("Pictures"), &["image/*"]));
    dialog.add_filter(&everything());
    chosen(dialog)
}

/// Ask where the table of viewers goes. The dialog asks before a file is replaced.
pub fn save_table(window: &Window) -> impl Future<Output = Option<PathBuf>> + 'static {
    let title = gettext("Save the history of viewers");
    let dialog = chooser(window, title, gtk::FileChooserAction::Save);
    dialog.set_current_name(&gettext("Viewers.csv"));
    chosen(dialog)
}

/// Ask where a profile goes. The dialog asks before a file is replaced.
pub fn save_profile(
    window: &Window,
    name: &str,
) -> impl Future<Output = Option<PathBuf>> + 'static {
    let title = gettext("Export the profile");
    let dialog = chooser(window, title, gtk::FileChooserAction::Save);
    dialog.set_current_name(&format!("{name}.aerial.toml"));
    chosen(dialog)
}

fn chooser(
    window: &Window,
    title: String,
    action: gtk::FileChooserAction,
) -> gtk::FileChooserNative {
    gtk::FileChooserNative::builder()
        .title(title)
        .transient_for(window)
        .modal(true)
        .action(action)
        .build()
}

fn filter(name: String, types: &[&str]) -> gtk::FileFilter {
    let filter = gtk::FileFilter::new();
    filter.set_name(Some(&name));
    types.iter().for_each(|t| filter.add_mime_type(t));
    filter
}

fn everything() -> gtk::FileFilter {
    let all = gtk::FileFilter::new();
    all.set_name(Some(&gettext("All files")));
    all.add_pattern("*");
    all
}

/// Ask where to record to, and as what kind of file. Comes with whether an existing file of that name may be replaced: only
/// if the dialog has asked about this very name.
pub fn save(window: &Window) -> impl Future<Output = Option<(PathBuf, bool)>> + 'static {
    let title = gettext("Record to a file");
    let dialog = chooser(window, title, gtk::FileChooserAction::Save);
    let proposed = new_recording(window);
    if let Some(folder) = proposed.parent() {
        // A folder that is not there leaves the dialog where it was last.
        let _ = dialog.set_current_folder(Some(&gio::File::for_path(folder)));
    }
    dialog.set_current_name(&super::words::file(&proposed.with_extension("")));
    for kind in kinds() {
        let filter = gtk::FileFilter::new();
        filter.set_name(Some(&format!("{} (.{})", kind.label, kind.ending)));
        filter.add_pattern(&format!("*.{}", kind.ending));
        dialog.add_filter(&filter);
    }
    async move {
        if dialog.run_future().await != gtk::ResponseType::Accept {
            return None;
        }
        let filter = dialog.filter().and_then(|filter| filter.name());
        let kind = kinds().find(|kind| filter.as_ref().is_some_and(|f| f.starts_with(kind.label)));
        let chosen = dialog.file()?.path()?;
        let path = with_ending(chosen.clone(), kind.map_or("webm", |kind| kind.ending));
        Some(match path == chosen {
            true => (path, true),
            false => (beside(&path), false),
        })
    }
}

/// Kinds of file that this computer can record; the usual one first.
fn kinds() -> impl Iterator<Item = &'static RecordKind> {
    let both = Tracks {
        video: true,
        audio: true,
    };
    RECORD_KINDS.iter().filter(move |kind| kind.works(both))
}

async fn chosen(dialog: gtk::FileChooserNative) -> Option<PathBuf> {
    let accepted = dialog.run_future().await == gtk::ResponseType::Accept;
    accepted.then(|| dialog.file()?.path()).flatten()
}

/// A recording's kind is told by its name, and else by what was chosen.
fn with_ending(path: PathBuf, ending: &str) -> PathBuf {
    match RecordKind::of(&path) {
        Some(_) => path,
        None => {
            let mut name = path.into_os_string();
            name.push(format!(".{ending}"));
            name.into()
        }
    }
}

/// Where recordings go unless somebody chooses another place: the user's folder for videos. In a sandbox only a folder
/// in it is outside; what is written beside that is lost in the end.
pub fn recordings(window: &Window) -> PathBuf {
    // It may be on a disk that is not there today.
    if let Some(chosen) = window.habits().recordings.filter(|folder| folder.is_dir()) {
        return chosen;
    }
    let videos = glib::user_special_dir(glib::UserDirectory::Videos);
    let (folder, else_to) = match studio::portal::sandboxed() {
        true => (videos.map(|v| v.join("Aerial")), glib::user_data_dir()),
        false => (videos, glib::home_dir()),
    };
    folder.filter(|folder| folder.is_dir()).unwrap_or(else_to)
}

/// A name for a recording that begins now.
pub fn new_recording(window: &Window) -> PathBuf {
    let folder = recordings(window);
    let now = glib::DateTime::now_local().and_then(|now| now.format("%Y-%m-%d %H.%M.%S"));
    let name = now.map_or_else(|_| "Aerial".to_string(), |now| format!("Aerial {now}"));
    free(folder.join(format!("{name}.webm")))
}

/// A name beside this file's that nothing has yet.
pub fn beside(path: &Path) -> PathBuf {
    free(path.to_path_buf())
}

fn free(path: PathBuf) -> PathBuf {
    if !path.exists() {
        return path;
    }
    let part = |p: Option<&std::ffi::OsStr>| {
        p.map(|s| s.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let (stem, ending) = (part(path.file_stem()), part(path.extension()));
    (2..)
        .map(|n| path.with_file_name(format!("{stem} ({n}).{ending}")))
        .find(|p| !p.exists())
        .expect("numbers do not end")
}

/// Open the folder of a file, with the file selected where the file manager can do that.
pub fn show_in_folder(window: &Window, path: &Path) {
    let uri = gio::File::for_path(path).uri();
    let folder = path.parent().map(|p| gio::File::for_path(p).uri());
    let window = window.downgrade();
    glib::spawn_future_local(async move {
        let shown = show_item(&uri).await;
        if let (Err(e), Some(folder)) = (shown, folder) {
            tracing::debug!(error = %e, "no file manager selects files; opening the folder");
            gtk::show_uri(window.upgrade().as_ref(), &folder, 0);
        }
    });
}

async fn show_item(uri: &str) -> Result<(), glib::Error> {
    let bus = gio::bus_get_future(gio::BusType::Session).await?;
    bus.call_future(
        Some("org.freedesktop.FileManager1"),
        "/org/freedesktop/FileManager1",
        "org.freedesktop.FileManager1",
        "ShowItems",
        Some(&(vec![uri.to_string()], "").to_variant()),
        None,
        gio::DBusCallFlags::NONE,
        3000,
    )
    .await
    .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_never_takes_the_name_of_a_file_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("show.webm");
        assert_eq!(beside(&first), first);
        std::fs::write(&first, "").unwrap();
        let second = beside(&first);
        assert_eq!(second, folder.path().join("show (2).webm"));
        std::fs::write(&second, "").unwrap();
        assert_eq!(beside(&first), folder.path().join("show (3).webm"));
    }

    #[test]
    fn names_get_an_ending_that_can_be_recorded() {
        for (name, named) in [("b", "b.mp4"), ("b.mkv", "b.mkv"), ("v1.2", "v1.2.mp4")] {
            assert_eq!(with_ending(name.into(), "mp4"), PathBuf::from(named));
        }
    }
}
