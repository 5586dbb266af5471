// SPDX-License-Identifier: GPL-3.0-or-later
//! Files that were added before, in the desktop's list of them.

use std::path::PathBuf;

use gtk::{gio, prelude::*};
use studio::source::{AudioSpec, Spec, VideoSpec};

use super::words::short;

/// As many are offered.
const OFFERED: usize = 4;

/// Names and addresses of those that were added last, the last one first.
pub fn files() -> Vec<(String, String)> {
    let ours = gtk::glib::application_name().unwrap_or_default();
    let mut files = gtk::RecentManager::default().items();
    files.retain(|file| file.is_local() && file.has_application(&ours));
    files.sort_by_key(|file| std::cmp::Reverse(file.modified().to_unix()));
    files
        .iter()
        .take(OFFERED)
        .map(|file| (short(&file.display_name()), file.uri().to_string()))
        .collect()
}

/// Remember the files among these, which were just added.
pub fn remember(specs: &[Spec]) {
    let mut paths: Vec<&PathBuf> = specs.iter().filter_map(path).collect();
    paths.dedup();
    for path in paths {
        gtk::RecentManager::default().add_item(&gio::File::for_path(path).uri());
    }
}

fn path(spec: &Spec) -> Option<&PathBuf> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else is added as a source, only these are files to add again"
    )]
    match spec {
        Spec::Video(VideoSpec::File(path)) | Spec::Audio(AudioSpec::File(path)) => Some(path),
        _ => None,
    }
}
