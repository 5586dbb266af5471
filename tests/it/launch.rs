// SPDX-License-Identifier: GPL-3.0-or-later
//! `make install` into a folder of its own, and the window started from there by its desktop file. The story itself is in
//! `launch.py`, beside this file.

use std::process::Command;

use crate::{
    rig::{AERIAL, Home, checkout},
    window::tell_in,
};

const MAKE: [&str; 2] = ["make", "msgfmt"];

/// Run a target of the Makefile for this prefix, with the program under test.
fn make(target: &str, home: &Home) -> String {
    let prefix = home.path("prefix").to_str().unwrap().to_string();
    let out = Command::new("make")
        .args(["--no-print-directory", "-C"])
        .arg(checkout(""))
        .args([target, &format!("PREFIX={prefix}"), "DESTDIR="])
        .args([
            format!("bin={AERIAL}"),
            format!("made={}", home.path("made").display()),
        ])
        .env_remove("MAKEFLAGS")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "make {target}: {said}");
    prefix
}

#[test]
fn installed_it_is_started_by_its_desktop_file_with_files_profiles_and_actions() {
    tell_in(
        "launch.py",
        &[&MAKE[..], &["ffmpeg", "gio"]].concat(),
        |home| {
            let prefix = make("install", home);
            vec![
                (
                    "XDG_DATA_DIRS",
                    format!("{prefix}/share:/usr/local/share:/usr/share"),
                ),
                ("AERIAL_TEST_PREFIX", prefix),
                ("HOME", home.path("").to_str().unwrap().to_string()),
            ]
        },
    );
}

#[test]
fn what_was_installed_can_be_uninstalled() {
    if !crate::rig::have("make uninstall", &MAKE) {
        return;
    }
    let home = Home::new();
    let prefix = make("install", &home);
    // Caches of the desktop are of all applications together.
    let ours = || -> Vec<String> {
        let found = Command::new("find")
            .args([&prefix, "-type", "f", "-printf", "%P\\n"])
            .output()
            .unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        let names = found
            .lines()
            .filter(|path| path.to_lowercase().contains("aerial"));
        names.map(str::to_string).collect()
    };
    let installed = ours().len();
    assert!(installed > 12, "only {installed} files: {:?}", ours());
    make("uninstall", &home);
    assert_eq!(ours(), Vec::<String>::new());
}
