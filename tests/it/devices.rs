// SPDX-License-Identifier: GPL-3.0-or-later
//! Cameras and microphones that come and go.

use std::process::{Child, Stdio};

use serde_json::Value;

use crate::{
    desktop::{self, Desktop},
    http::Viewer,
    rig::{Aerial, Home, checkout, have, signal},
};

/// A device plugged in by a story; unplugged when dropped.
struct Device(Child);

impl Device {
    fn plug_in(desktop: &Desktop, words: &[&str]) -> Device {
        let mut command = desktop.command(checkout("tests/bed/virtual-device"));
        Device(command.args(words).stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        signal(self.0.id(), "TERM");
        let _ = self.0.wait();
    }
}

/// The state of the source of this kind.
fn state<'a>(status: &'a Value, kind: &str) -> &'a Value {
    let all = status["sources"].as_array().unwrap();
    &all.iter()
        .find(|s| s["kind"] == kind)
        .unwrap_or_else(|| panic!("no {kind} source in {status:#}"))["state"]
}

#[test]
fn devices_are_listed_once_each() {
    if !have("devices_are_listed_once_each", desktop::NEEDS) {
        return;
    }
    let desktop = Desktop::start(&["--no-portal", "--no-keyring"]);
    let home = Home::new();
    let out = home
        .aerial(&["devices", "--json"], Some(&desktop.variables))
        .output()
        .unwrap();
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let listed: Value =
        serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {out:?}"));
    let text = listed.to_string();
    assert_eq!(text.matches("Testbed Camera").count(), 1, "{listed:#}");
    assert_eq!(text.matches("Testbed Microphone").count(), 1, "{listed:#}");
    // And in words.
    let out = home
        .aerial(&["devices"], Some(&desktop.variables))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(
        text.contains("Testbed Camera") && text.contains("Testbed Microphone"),
        "{text}"
    );
    home.assert_nothing_left();
}

#[test]
fn a_computer_without_devices_lists_none_and_says_so() {
    let home = Home::new();
    let out = home.aerial(&["devices", "--json"], None).output().unwrap();
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    serde_json::from_slice::<Value>(&out.stdout).unwrap_or_else(|e| panic!("{e}: {out:?}"));
}

#[test]
fn camera_and_microphone_come_back_after_they_were_unplugged() {
    if !have(
        "camera_and_microphone_come_back_after_they_were_unplugged",
        desktop::NEEDS,
    ) {
        return;
    }
    let desktop = Desktop::start(&["--no-portal", "--no-keyring"]);
    let args = ["--video", "camera", "--audio", "mic", "--size", "640x360"];
    let mut aerial = Aerial::live_in(Home::new(), &args, Some(&desktop.variables));
    aerial.wait("camera and microphone to be live", |s| {
        state(s, "video") == "live" && state(s, "audio") == "live"
    });
    let viewer = Viewer::join(aerial.address(), "/live.webm");
    viewer.wait_more(30_000);

    signal(desktop.device("TESTBED_CAMERA_PID"), "TERM");
    let lost = aerial.wait("the camera to be lost", |s| state(s, "video") == "lost");
    let error = lost["sources"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["kind"] == "video")
        .unwrap()["error"]
        .clone();
    assert!(
        error
            .as_str()
            .is_some_and(|e| e.contains("Testbed Camera") || e.contains("camera")),
        "{error}"
    );
    assert_eq!(
        (state(&lost, "audio"), &lost["air"]),
        (&"live".into(), &"live".into())
    );
    // The slate is small; the sound goes on beside it.
    viewer.wait_more(30_000);

    signal(desktop.device("TESTBED_MIC_PID"), "TERM");
    aerial.wait("the microphone to be lost", |s| state(s, "audio") == "lost");
    viewer.wait_more(10_000);

    let camera = Device::plug_in(&desktop, &["camera", "--name", "testbed-camera"]);
    aerial.wait("the camera to be back", |s| state(s, "video") == "live");
    let mic = Device::plug_in(&desktop, &["mic", "--name", "testbed-mic"]);
    aerial.wait("the microphone to be back", |s| {
        state(s, "audio") == "live" && state(s, "video") == "live"
    });
    viewer.wait_more(50_000);
    // The first lines may be from before it began.
    let all = aerial.statuses();
    let mut live = all.iter().skip_while(|s| s["air"] != "live").peekable();
    assert!(live.peek().is_some(), "it was on the air");
    for status in live {
        assert_eq!(status["air"], "live", "the broadcast never ended");
    }
    drop((camera, mic, viewer));
    aerial.stop();
}
