// SPDX-License-Identifier: GPL-3.0-or-later
//! The window, driven as a person with a screen reader would. The stories themselves are in `.py` files beside this one.

use std::{path::PathBuf, process::Stdio};

use crate::{
    browser,
    desktop::{self, Desktop},
    media,
    rig::{AERIAL, Home, checkout, have},
};

/// What each story about the window needs.
const NEEDS: &[&str] = &["/usr/bin/python3", "xdotool", "xprop", "import"];

/// Let a script tell its story in a desktop of its own; it gets the program, a folder for screenshots, and an empty one.
pub fn tell(script: &str, more: &[&str]) {
    tell_in(script, more, |_| vec![]);
}

/// The same in a desktop with more variables, which is given this home.
pub fn tell_in(
    script: &str,
    more: &[&str],
    variables: impl FnOnce(&Home) -> Vec<(&'static str, String)>,
) {
    tell_on(&["--no-portal"], script, more, variables);
}

/// The same in this kind of desktop.
fn tell_on(
    kind: &[&str],
    script: &str,
    more: &[&str],
    variables: impl FnOnce(&Home) -> Vec<(&'static str, String)>,
) {
    let needs = [desktop::NEEDS, NEEDS, more].concat();
    if cfg!(not(feature = "ui")) || !have(script, &needs) {
        return;
    }
    let home = Home::new();
    let desktop = Desktop::start_with(kind, &variables(&home));
    // Pictures for people to look at.
    let shots = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    let files = home.path("files");
    std::fs::create_dir_all(&shots).unwrap();
    std::fs::create_dir_all(&files).unwrap();
    let mut python = desktop.command("/usr/bin/python3");
    if kind.contains(&"--wayland") {
        // Tests may themselves run in a desktop of X11.
        python.env_remove("DISPLAY");
    }
    let story = home
        .aerial(&[], Some(&desktop.variables))
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .filter(|(name, _)| name != "DISPLAY" || !kind.contains(&"--wayland"))
        .fold(python, |mut command, (name, value)| {
            command.env(name, value);
            command
        })
        .arg(checkout("tests/it").join(script))
        .arg(AERIAL)
        .arg(&shots)
        .arg(&files)
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

#[test]
fn a_broadcast_from_the_window_is_seen_in_a_browser_and_its_viewer_can_be_let_go() {
    tell("window.py", browser::NEEDS);
}

#[test]
fn a_recording_is_paused_and_goes_on_from_the_window() {
    tell("record.py", media::NEEDS);
}

#[test]
fn a_viewer_is_noted_banned_and_let_in_again_from_the_window_and_the_history_is_saved() {
    tell("ban.py", &[]);
}

#[test]
fn the_link_is_shared_with_a_code_and_replaced_by_a_new_one_in_the_window() {
    tell("share.py", &[]);
}

#[test]
fn layouts_mixer_and_sources_are_directed_from_the_window_while_live_and_what_is_removed_comes_back()
 {
    tell("direct.py", &[]);
}

#[test]
fn the_help_opens_with_f1_and_can_be_read_by_keyboard_and_screen_reader() {
    tell("help.py", &[]);
}

#[test]
fn what_was_set_up_is_found_again_with_its_passwords_and_profiles_are_changed_in_the_window() {
    tell("keep.py", &[]);
}

#[test]
fn under_wayland_a_whole_broadcast_is_set_up_directed_and_found_again_as_it_was() {
    let kind = ["--wayland", "--no-portal"];
    tell_on(&kind, "keep.py", &["sway", "swaymsg", "grim"], |_| vec![]);
}

#[test]
fn statistics_preferences_and_the_desktop_know_of_a_broadcast_and_it_goes_on_without_its_window() {
    tell("desktop.py", &[]);
}

#[test]
fn sources_are_seen_small_files_are_found_again_and_keys_work_in_every_program() {
    tell("habits.py", &["gst-launch-1.0"]);
}

#[test]
fn every_text_of_the_window_stands_out_from_what_is_behind_it_in_each_look() {
    tell_on(
        &["--no-portal", "--size", "2560x2560"],
        "contrast.py",
        &["xwininfo"],
        |_| vec![],
    );
}

#[test]
fn every_control_has_a_name_and_the_keyboard_alone_leads_from_the_start_to_a_viewer_let_go() {
    tell("keyboard.py", &[]);
}

#[test]
fn under_wayland_every_control_has_a_name_and_the_keyboard_alone_leads_all_the_way() {
    let kind = ["--wayland", "--no-portal"];
    tell_on(
        &kind,
        "keyboard.py",
        &["sway", "swaymsg", "grim"],
        |_| vec![],
    );
}
