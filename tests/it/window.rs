// SPDX-License-Identifier: GPL-3.0-or-later
//! The window, driven as a person with a screen reader would. The story itself is in `window.py`, beside this file.

use std::process::Stdio;

use crate::{
    browser,
    desktop::{self, Desktop},
    rig::{AERIAL, Home, checkout, have},
};

#[test]
fn a_broadcast_from_the_window_is_seen_in_a_browser_and_its_viewer_can_be_let_go() {
    let needs = [
        desktop::NEEDS,
        browser::NEEDS,
        &["/usr/bin/python3", "xdotool", "import"],
    ]
    .concat();
    if cfg!(not(feature = "ui")) || !have("the window", &needs) {
        return;
    }
    let desktop = Desktop::start(&["--no-portal"]);
    let home = Home::new();
    // Pictures for people to look at.
    let shots = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&shots).unwrap();
    let story = home
        .aerial(&[], Some(&desktop.variables))
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .fold(
            desktop.command("/usr/bin/python3"),
            |mut command, (name, value)| {
                command.env(name, value);
                command
            },
        )
        .arg(checkout("tests/it/window.py"))
        .arg(AERIAL)
        .arg(&shots)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&story.stdout),
        String::from_utf8_lossy(&story.stderr)
    );
    assert!(story.status.success(), "{told}");
    home.assert_nothing_left();
}
