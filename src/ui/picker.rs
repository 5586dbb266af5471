// SPDX-License-Identifier: GPL-3.0-or-later
//! What can be added as a source, as a menu.

use gettextrs::gettext;
use gtk::{gio, prelude::*};
use studio::{message::MediaKind, source::Device};

use super::model::{SourceItem, items};

/// Names and specs of pictures and sounds, names and addresses of files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entries {
    pictures: Vec<(String, String)>,
    sounds: Vec<(String, String)>,
    recent: Vec<(String, String)>,
}

/// What can be added now: what is plugged in, less what is in use already.
pub fn entries(
    devices: &[Device],
    sources: &gio::ListStore,
    recent: &[(String, String)],
) -> Entries {
    let used: Vec<String> = items::<SourceItem>(sources).map(|s| s.spec()).collect();
    let of = |kind: MediaKind| -> Vec<(String, String)> {
        devices
            .iter()
            .filter(|d| d.kind == kind)
            .map(|d| (d.name.clone(), spec(d)))
            .collect()
    };
    let mut pictures = of(MediaKind::Video);
    if pictures.is_empty() && studio::portal::sandboxed() {
        // None is seen from inside; the desktop hands one out.
        pictures.push((gettext("Camera"), "camera".into()));
    }
    pictures.push((gettext("Screen"), "screen".into()));
    pictures.push((gettext("Test card"), "test".into()));
    let mut sounds = of(MediaKind::Audio);
    if !sounds.is_empty() {
        // Follows the choice made in the system's settings.
        sounds.insert(0, (gettext("System microphone"), "mic".into()));
    }
    sounds.push((gettext("Sound of this computer"), "desktop".into()));
    sounds.push((gettext("Test tone"), "tone".into()));
    for list in [&mut pictures, &mut sounds] {
        // A second screen or window may be wanted.
        list.retain(|(_, spec)| spec == "screen" || !used.contains(spec));
    }
    Entries {
        pictures,
        sounds,
        recent: recent.to_vec(),
    }
}

/// Devices that no source uses.
pub fn spare(devices: &[Device], sources: &gio::ListStore) -> Vec<Device> {
    let used: Vec<String> = items::<SourceItem>(sources).map(|s| s.spec()).collect();
    let spare = devices.iter().filter(|d| !used.contains(&spec(d)));
    spare.cloned().collect()
}

fn spec(device: &Device) -> String {
    let word = match device.kind {
        MediaKind::Video => "camera",
        MediaKind::Audio => "mic",
    };
    format!("{word}:{}", device.id)
}

/// Fill the menu anew with these.
pub fn fill(menu: &gio::Menu, entries: &Entries) {
    menu.remove_all();
    let add = |title: &str, entries: &[(String, String)], action: &str| {
        let section = gio::Menu::new();
        for (label, target) in entries {
            // A single underscore would be taken for the mark of a key.
            let item = gio::MenuItem::new(Some(&label.replace('_', "__")), None);
            item.set_action_and_target_value(Some(action), Some(&target.to_variant()));
            section.append_item(&item);
        }
        menu.append_section(Some(title), &section);
    };
    add(&gettext("Picture"), &entries.pictures, "win.add-video");
    add(&gettext("Sound"), &entries.sounds, "win.add-audio");
    let more = |title: &str, entries: &[(String, &str)]| {
        let section = gio::Menu::new();
        for (label, action) in entries {
            section.append(Some(label), Some(action));
        }
        menu.append_section(Some(title), &section);
    };
    more(
        &gettext("Files and links"),
        &[
            (gettext("Files…"), "win.add-files"),
            (gettext("Files as a playlist…"), "win.add-playlist"),
            (gettext("Folder of pictures…"), "win.add-folder"),
            (gettext("Link…"), "win.add-link"),
        ],
    );
    if !entries.recent.is_empty() {
        add(&gettext("Recent files"), &entries.recent, "win.add-file");
    }
    more(
        &gettext("Others"),
        &[
            (gettext("Guest with a browser"), "win.add-guest"),
            (gettext("Pictures from a program…"), "win.add-frames"),
        ],
    );
}
