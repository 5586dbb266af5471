// SPDX-License-Identifier: GPL-3.0-or-later
//! Pictures that appear in a folder.

use std::{fs, io::Write, path::Path, process::Stdio, time::Duration};

use serde_json::Value;

use super::{assert_in_order, frames_of, picture, recorded_in, shown, some_seconds, source};
use crate::{
    media,
    numbered::{ImageFormat, file},
    rig::{Home, have},
};

#[test]
fn pictures_in_a_folder_come_out_in_order_and_bad_ones_are_left_out() {
    let story = "pictures_in_a_folder_come_out_in_order_and_bad_ones_are_left_out";
    if !have(story, media::NEEDS) {
        return;
    }
    let home = Home::new();
    let folder = home.path("Bilder von heute");
    fs::create_dir(&folder).unwrap();
    // There from the start: the newest one is shown.
    let age = |path: &Path, seconds| {
        let file = fs::File::options().write(true).open(path).unwrap();
        let then = std::time::SystemTime::now() - Duration::from_secs(seconds);
        file.set_modified(then).unwrap();
    };
    for (number, name, seconds) in [(900, "z.png", 60), (0, "m.png", 30), (901, "a.png", 90)] {
        fs::write(folder.join(name), picture(number)).unwrap();
        age(&folder.join(name), seconds);
    }
    let spec = format!("folder:{}", folder.display());
    let aerial = recorded_in(home, &spec, Stdio::null());
    aerial.wait("the picture that is there", |s| {
        source(s)["state"] == "live"
    });
    for number in 1..60u32 {
        // Any order of names; moved there, written there, and linked there.
        let name = folder.join(format!("{:03}.png", number * 37 % 100));
        match number % 4 {
            0 => fs::write(&name, picture(number)).unwrap(),
            1 => {
                let half = folder.join("next.png.part");
                fs::write(&half, picture(number)).unwrap();
                fs::rename(&half, &name).unwrap();
            }
            2 => {
                let elsewhere = folder.with_file_name(format!("{number}"));
                fs::write(&elsewhere, picture(number)).unwrap();
                fs::rename(&elsewhere, &name).unwrap();
            }
            _ => {
                let mut file = fs::File::create(&name).unwrap();
                for piece in picture(number).chunks(500) {
                    file.write_all(piece).unwrap();
                }
            }
        }
        // Never to be seen.
        if number % 20 == 0 {
            for name in [".hidden.png", "x.tmp", "y.part"] {
                fs::write(folder.join(name), picture(902)).unwrap();
            }
            some_seconds(&aerial, 2);
        }
    }
    some_seconds(&aerial, 3);
    // A bad one is left out and told, and the source goes on.
    fs::write(folder.join("broken.png"), &picture(903)[..200]).unwrap();
    let status = aerial.wait("the warning", |s| !source(s)["warning"].is_null());
    let warning = source(&status)["warning"].as_str().unwrap();
    assert!(warning.contains("broken.png"), "{warning}");
    assert_eq!(source(&status)["state"], "live");
    // Another size, over the same name; all is well again.
    fs::write(
        folder.join("broken.png"),
        file(60, 64, 36, ImageFormat::Gif),
    )
    .unwrap();
    aerial.wait("the end of the warning", |s| source(s)["warning"].is_null());
    some_seconds(&aerial, 2);
    assert_in_order(&frames_of(aerial), 60);
}

#[test]
fn a_folder_that_goes_is_told_and_comes_back_by_itself() {
    let story = "a_folder_that_goes_is_told_and_comes_back_by_itself";
    if !have(story, media::NEEDS) {
        return;
    }
    let home = Home::new();
    let (parent, folder) = (home.path("a"), home.path("a/b"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("1.png"), picture(1)).unwrap();
    let spec = format!("folder:{}", folder.display());
    let aerial = recorded_in(home, &spec, Stdio::null());
    let live = |s: &Value| source(s)["state"] == "live";
    let lost = |s: &Value| {
        let error = source(s)["error"].as_str().unwrap_or_default();
        source(s)["state"] == "lost" && error.contains("is not there")
    };
    aerial.wait("the first picture", live);
    some_seconds(&aerial, 1);
    fs::remove_dir_all(&folder).unwrap();
    aerial.wait("the loss to be told", lost);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("2.png"), picture(2)).unwrap();
    aerial.wait("the second picture", live);
    some_seconds(&aerial, 1);
    // Moved away with its parent, of which the folder itself hears nothing.
    let away = parent.with_file_name("away");
    fs::rename(&parent, &away).unwrap();
    aerial.wait("the loss to be told", lost);
    fs::rename(&away, &parent).unwrap();
    fs::write(folder.join("3.png"), picture(3)).unwrap();
    aerial.wait("the third picture", live);
    some_seconds(&aerial, 1);
    assert_eq!(shown(&frames_of(aerial)), [1, 2, 3]);
}
