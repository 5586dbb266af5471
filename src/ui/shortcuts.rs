// SPDX-License-Identifier: GPL-3.0-or-later
//! Keyboard shortcuts: the keys, and the window that lists them.

use adw::prelude::*;

/// Actions and their keys.
const KEYS: &[(&str, &[&str])] = &[
    ("win.air", &["<Ctrl>Return"]),
    ("win.record", &["<Ctrl>r"]),
    ("win.mute-microphones", &["<Ctrl>m"]),
    ("win.copy-link", &["<Ctrl><Shift>c"]),
    ("win.safe-areas", &["<Ctrl>g"]),
    ("win.sources", &["F9"]),
    ("win.audience", &["<Shift>F9"]),
    ("win.show-panel::outputs", &["<Ctrl>1"]),
    ("win.show-panel::viewers", &["<Ctrl>2"]),
    ("win.statistics::broadcast", &["<Ctrl>i"]),
    ("win.preferences", &["<Ctrl>comma"]),
    ("win.show-help-overlay", &["<Ctrl>question"]),
    ("app.help", &["F1"]),
    ("window.close", &["<Ctrl>w"]),
    ("app.quit", &["<Ctrl>q"]),
];

/// Make the keys work.
pub fn install(app: &adw::Application) {
    for (action, keys) in KEYS {
        app.set_accels_for_action(action, keys);
    }
}

/// The window that lists them.
pub fn window() -> gtk::ShortcutsWindow {
    gtk::Builder::from_string(include_str!("shortcuts.ui"))
        .object("shortcuts")
        .expect("shortcuts.ui has an object of that name")
}
