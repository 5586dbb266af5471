// SPDX-License-Identifier: GPL-3.0-or-later
//! Listening to one sound on this computer.

use std::{path::Path, process::Stdio};

use serde_json::json;

use crate::{
    desktop::{self, Desktop},
    media,
    program::ask,
    rig::{Aerial, Home, LONG, have},
    sound,
};

/// What the desktop's loudspeakers play for a second.
fn speakers(desktop: &Desktop, file: &Path) -> Vec<f32> {
    let out = desktop
        .command("ffmpeg")
        .args([
            "-v",
            "error",
            "-y",
            "-f",
            "pulse",
            "-i",
            "testbed-speakers.monitor",
        ])
        .args(["-t", "1", "-ac", "2", "-ar", "48000"])
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let [left, _] = sound::decode(file);
    left
}

#[test]
fn a_sound_can_be_listened_to_here_while_the_program_stays_as_it_is() {
    let story = "a_sound_can_be_listened_to_here_while_the_program_stays_as_it_is";
    if !have(story, &[desktop::NEEDS, media::NEEDS].concat()) {
        return;
    }
    let desktop = Desktop::start(&["--no-portal", "--no-keyring"]);
    let args = ["--video", "none", "--audio", "tone"];
    let mut aerial = Aerial::live_in(Home::new(), &args, Some(&desktop.variables));
    let path = "/api/v1/sources/1";
    let file = aerial.path("speakers.wav");
    let tone = |file: &Path| sound::strength(&speakers(&desktop, file), 440.0);
    let end = std::time::Instant::now() + LONG;

    assert!(tone(&file) < 0.001, "nobody asked to hear it");
    // Muted on the air, and heard here: the operator listens before others do.
    ask(
        &aerial,
        "PATCH",
        path,
        json!({"strip": {"muted": true, "solo": true}}),
    );
    while tone(&file) < 0.02 {
        assert!(
            std::time::Instant::now() < end,
            "not heard: {}",
            aerial.said()
        );
    }
    aerial.wait_anew("silence on the air", |s| {
        s["sources"][0]["levels"]["peak_db"][0].as_f64() < Some(-90.0)
    });
    ask(&aerial, "PATCH", path, json!({"strip": {"solo": false}}));
    while tone(&file) > 0.001 {
        assert!(std::time::Instant::now() < end, "still heard");
    }
    aerial.wait_anew("the tone on the air", |s| {
        s["sources"][0]["levels"]["peak_db"][0].as_f64() > Some(-30.0)
    });
    aerial.stop();
}
