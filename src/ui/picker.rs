// SPDX-License-Identifier: GPL-3.0-or-later
//! What can be added as a source, as a menu.

use gettextrs::gettext;
use gtk::{gio, prelude::*};
use studio::{message::MediaKind, source::Device};

use super::model::{SourceItem, items};

/// Names and specs, pictures and sounds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entries {
    pictures: Vec<(String, String)>,
    sounds: Vec<(String, String)>,
}

/// What can be added now: what is plugged in, less what is in use already.
pub fn entries(devices: &[Device], sources: &gio::ListStore) -> Entries {
    let used: Vec<String> = items::<SourceItem>(sources).map(|s| s.spec()).collect();
    let of = |kind: MediaKind, word: &str| -> Vec<(String, String)> {
        devices
            .iter()
            .filter(|d| d.kind == kind)
            .map(|d| (d.name.clone(), format!("{word}:{}", d.id)))
            .collect()
    };
    let mut pictures = of(MediaKind::Video, "camera");
    pictures.push((gettext("Test card"), "test".into()));
    let mut sounds = of(MediaKind::Audio, "mic");
    if !sounds.is_empty() {
        // Follows the choice made in the system's settings.
        sounds.insert(0, (gettext("System microphone"), "mic".into()));
    }
    sounds.push((gettext("Test tone"), "tone".into()));
    for list in [&mut pictures, &mut sounds] {
        list.retain(|(_, spec)| !used.contains(spec));
    }
    Entries { pictures, sounds }
}

/// Fill the menu anew with these.
pub fn fill(menu: &gio::Menu, entries: &Entries) {
    menu.remove_all();
    let add = |title: &str, entries: &[(String, String)], action: &str, file: &str| {
        let section = gio::Menu::new();
        for (label, spec) in entries {
            let item = gio::MenuItem::new(Some(label), None);
            item.set_action_and_target_value(Some(action), Some(&spec.to_variant()));
            section.append_item(&item);
        }
        section.append(Some(file), Some(&format!("{action}-file")));
        menu.append_section(Some(title), &section);
    };
    add(
        &gettext("Picture"),
        &entries.pictures,
        "win.add-video",
        &gettext("Video or picture file…"),
    );
    add(
        &gettext("Sound"),
        &entries.sounds,
        "win.add-audio",
        &gettext("Sound file…"),
    );
}
