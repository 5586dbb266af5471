// SPDX-License-Identifier: GPL-3.0-or-later
//! Cameras and microphones that come and go.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    desktop::{self, Desktop},
    http::{self, Viewer},
    media,
    receiver::Receivers,
    rig::{Aerial, Home, LONG, checkout, have, have_alone, signal},
    sound,
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

/// Heard in three quarters of these windows at least: a busy computer's sound server may lose a moment.
fn mostly(heard: &[bool]) -> bool {
    heard.iter().filter(|h| **h).count() * 4 >= heard.len() * 3
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

/// A source of this kind, as the status has it.
fn source<'a>(status: &'a Value, kind: &str) -> &'a Value {
    let all = status["sources"].as_array().unwrap();
    let found = all.iter().find(|s| s["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind} source in {status:#}"))
}

/// A viewer who keeps what comes.
fn keeper(aerial: &Aerial) -> Viewer {
    let request = format!(
        "GET /live.webm HTTP/1.1\r\nHost: {}\r\n\r\n",
        aerial.address()
    );
    Viewer::start(
        TcpStream::connect(aerial.address()).unwrap(),
        &request,
        true,
    )
}

/// What a viewer kept, as a file.
fn file_of(viewer: &Viewer, aerial: &Aerial, name: &str) -> PathBuf {
    let file = aerial.path(name);
    fs::write(&file, viewer.kept()).unwrap();
    file
}

/// The times of the packets of each stream, which must never go back.
fn times(file: &Path) -> Vec<Vec<f64>> {
    let probed = media::probe(file);
    let mut streams = vec![vec![]; probed["streams"].as_array().unwrap().len()];
    for packet in probed["packets"].as_array().unwrap() {
        let stream = packet["stream_index"].as_u64().unwrap() as usize;
        let time: f64 = packet["pts_time"].as_str().unwrap().parse().unwrap();
        if let Some(last) = streams[stream].last() {
            assert!(
                time > *last,
                "stream {stream} goes back from {last} to {time}"
            );
        }
        streams[stream].push(time);
    }
    streams
}

fn longest_gap(times: &[f64]) -> f64 {
    times.windows(2).map(|w| w[1] - w[0]).fold(0.0, f64::max)
}

#[test]
fn viewers_see_no_break_when_camera_and_microphone_are_unplugged_and_come_back() {
    let story = "viewers_see_no_break_when_camera_and_microphone_are_unplugged_and_come_back";
    if !have_alone(story, &[desktop::NEEDS, media::NEEDS].concat()) {
        return;
    }
    let desktop = Desktop::start(&["--no-portal", "--no-keyring"]);
    let args = ["--video", "camera", "--audio", "mic", "--size", "320x180"];
    let mut aerial = Aerial::live_in(Home::new(), &args, Some(&desktop.variables));
    aerial.wait("camera and microphone to be live", |s| {
        state(s, "video") == "live" && state(s, "audio") == "live"
    });
    let viewer = keeper(&aerial);
    let receivers = Receivers::start();
    let receiver = receivers.join(aerial.address(), "it/rtc");
    assert!(receiver.wait(LONG, |got| got.video > 30 && got.audio > 30));
    let mut devices = vec![];
    for (kind, variable, words) in [
        (
            "video",
            "TESTBED_CAMERA_PID",
            &["camera", "--name", "testbed-camera"][..],
        ),
        (
            "audio",
            "TESTBED_MIC_PID",
            &["mic", "--name", "testbed-mic"][..],
        ),
    ] {
        let unplugged = Instant::now();
        signal(desktop.device(variable), "TERM");
        let lost = aerial.wait("it to be lost", |s| state(s, kind) == "lost");
        eprintln!("{kind}: told as lost after {:?}", unplugged.elapsed());
        let error = source(&lost, kind)["error"].as_str().unwrap().to_string();
        assert!(error.contains("was unplugged"), "{error}");
        viewer.wait_more(60_000);
        let back = Device::plug_in(&desktop, words);
        let plugged = Instant::now();
        aerial.wait("it to be back", |s| state(s, kind) == "live");
        eprintln!("{kind}: live again after {:?}", plugged.elapsed());
        viewer.wait_more(60_000);
        devices.push(back);
    }
    let got = receiver.got();
    assert_eq!(got.over, None);
    let second = Duration::from_secs(1);
    assert!(
        got.longest.iter().all(|gap| *gap < second),
        "WebRTC: no picture, no sound for {:?}",
        got.longest
    );
    let streams = times(&file_of(&viewer, &aerial, "seen.webm"));
    assert_eq!(streams.len(), 2);
    for stream in &streams {
        assert!(stream.len() > 100, "{streams:?}");
        assert!(longest_gap(stream) < 0.2, "HTTP: {}", longest_gap(stream));
    }
    drop((receiver, receivers, viewer, devices));
    aerial.stop();
}

/// Loudness of a tone from a virtual microphone that is clearly there, and of one that is not.
const THERE: f64 = 0.05;
const NOT_THERE: f64 = 0.003;

/// In each twentieth of a second: whether this tone is heard.
fn heard(samples: &[f32], hertz: f64) -> Vec<bool> {
    sound::heard(samples, hertz, 50, THERE)
}

/// Waits until this tone is what the viewer has heard for a second. All that was heard.
fn until_heard(viewer: &Viewer, aerial: &Aerial, hertz: f64) -> Vec<f32> {
    let end = Instant::now() + LONG;
    loop {
        viewer.wait_more(20_000);
        let [left, _] = sound::decode(&file_of(viewer, aerial, "heard.webm"));
        let heard = heard(&left, hertz);
        if heard.len() >= 20 && mostly(&heard[heard.len() - 20..]) {
            return left;
        }
        assert!(Instant::now() < end, "{hertz} Hz is not heard: {heard:?}");
    }
}

#[test]
fn the_wrong_microphone_is_never_heard() {
    let story = "the_wrong_microphone_is_never_heard";
    if !have_alone(story, &[desktop::NEEDS, media::NEEDS].concat()) {
        return;
    }
    // The desktop's own microphone, and the system's default, hums at 440 Hz.
    let desktop = Desktop::start(&["--no-portal", "--no-keyring", "--no-camera"]);
    let words = [
        "mic",
        "--name",
        "chosen",
        "--description",
        "Chosen",
        "--freq",
        "880",
    ];
    let chosen = Device::plug_in(&desktop, &words);
    let args = ["--video", "none", "--audio", "mic:chosen"];
    let mut aerial = Aerial::live_in(Home::new(), &args, Some(&desktop.variables));
    aerial.wait("the chosen one", |s| state(s, "audio") == "live");
    let viewer = keeper(&aerial);
    viewer.wait_more(20_000);
    drop(chosen);
    aerial.wait("it to be lost", |s| state(s, "audio") == "lost");
    for _ in 0..3 {
        aerial.wait_anew("another second", |s| state(s, "audio") == "lost");
    }
    let chosen = Device::plug_in(&desktop, &words);
    aerial.wait("it to be back", |s| state(s, "audio") == "live");
    viewer.wait_more(30_000);

    let [left, _] = sound::decode(&file_of(&viewer, &aerial, "heard.webm"));
    // Windows of 50 ms that overlap: nothing of the other one, however short. But for the first 80 ms, in which an Opus
    // decoder that joins in the middle finds its feet (RFC 7845, section 4.6).
    for start in (3840..left.len().saturating_sub(2400)).step_by(1200) {
        let strength = sound::strength(&left[start..start + 2400], 440.0);
        // Where the chosen one begins or ends there is a little of every frequency.
        let chosen = sound::strength(&left[start..start + 2400], 880.0);
        assert!(
            strength < NOT_THERE.max(chosen / 3.0),
            "the wrong one at {:.2} s: {strength}",
            start as f64 / sound::RATE as f64
        );
    }
    let heard = heard(&left, 880.0);
    // At least two seconds of silence between its two appearances. (A busy computer may lose a moment of either.)
    let silent = heard.windows(40).position(|w| !w.contains(&true));
    let silent = silent.expect("silence while it was unplugged");
    let times = |part: &[bool]| part.iter().filter(|h| **h).count();
    assert!(times(&heard[..silent]) > 5, "{heard:?}");
    assert!(times(&heard[silent + 40..]) > 5, "{heard:?}");
    drop((viewer, chosen));
    aerial.stop();
}

#[test]
fn the_default_microphone_follows_the_person_and_not_the_plug() {
    let story = "the_default_microphone_follows_the_person_and_not_the_plug";
    if !have_alone(story, &[desktop::NEEDS, media::NEEDS].concat()) {
        return;
    }
    let desktop = Desktop::start(&["--no-portal", "--no-keyring", "--no-camera"]);
    let other = [
        "mic",
        "--name",
        "other",
        "--description",
        "Other",
        "--freq",
        "880",
    ];
    let other = Device::plug_in(&desktop, &other);
    let args = ["--video", "none", "--audio", "mic"];
    let mut aerial = Aerial::live_in(Home::new(), &args, Some(&desktop.variables));
    aerial.wait("the default one", |s| state(s, "audio") == "live");
    let viewer = keeper(&aerial);
    viewer.wait_more(10_000);
    let in_use = || {
        let list = desktop.command("pactl").arg("info").output().unwrap();
        let text = String::from_utf8_lossy(&list.stdout).into_owned();
        text.lines()
            .find_map(|l| l.strip_prefix("Default Source: ").map(str::to_string))
            .unwrap()
    };
    assert_eq!(in_use(), "testbed-mic");

    signal(desktop.device("TESTBED_MIC_PID"), "TERM");
    aerial.wait("it to be lost", |s| state(s, "audio") == "lost");
    for _ in 0..4 {
        aerial.wait_anew("another second", |s| state(s, "audio") == "lost");
    }
    aerial.wait_anew("the system to fall back to the other one", |_| {
        in_use() == "other"
    });
    let unplugged = viewer.kept().len();
    let back = Device::plug_in(&desktop, &["mic", "--name", "testbed-mic"]);
    aerial.wait("it to be back", |s| state(s, "audio") == "live");
    let left = until_heard(&viewer, &aerial, 440.0);
    let wrong = heard(&left, 880.0).iter().filter(|h| **h).count();
    assert_eq!(wrong, 0, "the fallback was heard (of {unplugged} bytes)");

    // Now a person chooses the other one, after the system has gone back to the first by itself.
    aerial.wait("the system to be at the first one again", |_| {
        in_use() == "testbed-mic"
    });
    let choose = desktop
        .command("pactl")
        .args(["set-default-source", "other"])
        .status();
    assert!(choose.unwrap().success());
    aerial.wait("the move", |s| state(s, "audio") == "starting");
    aerial.wait("the other one", |s| state(s, "audio") == "live");
    until_heard(&viewer, &aerial, 880.0);
    drop((viewer, back, other));
    aerial.stop();
}

#[test]
fn what_the_computer_plays_is_heard_and_follows_the_loudspeaker() {
    let story = "what_the_computer_plays_is_heard_and_follows_the_loudspeaker";
    if !have_alone(story, &[desktop::NEEDS, media::NEEDS].concat()) {
        return;
    }
    let desktop = Desktop::start(&["--no-portal", "--no-keyring", "--no-camera"]);
    let play = |hertz: &str| {
        let mut tone = desktop.command("gst-launch-1.0");
        tone.args(["-q", "audiotestsrc", "is-live=true", "volume=0.3", hertz])
            .args(["!", "audioconvert", "!", "pulsesink"]);
        Device(tone.stdin(Stdio::null()).spawn().unwrap())
    };
    let tone = play("freq=1000");
    let args = ["--video", "none", "--audio", "desktop"];
    let mut aerial = Aerial::live_in(Home::new(), &args, Some(&desktop.variables));
    let loud = |s: &Value| source(s, "audio")["levels"]["rms_db"][0].as_f64() > Some(-30.0);
    let status = aerial.wait("the sound", loud);
    let viewer = keeper(&aerial);
    let left = until_heard(&viewer, &aerial, 1000.0);
    assert!(
        !heard(&left, 440.0).contains(&true),
        "a microphone is heard"
    );

    // Another loudspeaker becomes the default one, and what it plays is what is heard.
    for words in [
        &["load-module", "module-null-sink", "sink_name=headphones"][..],
        &["set-default-sink", "headphones"],
    ] {
        let mut pactl = desktop.command("pactl");
        let done = pactl.args(words).stdout(Stdio::null()).status();
        assert!(done.unwrap().success(), "{words:?}");
    }
    drop(tone);
    aerial.wait("silence", |s| !loud(s));
    let tone = play("freq=1500");
    aerial.wait("the sound of the other one", loud);
    until_heard(&viewer, &aerial, 1500.0);

    // Nobody may listen to it on the loudspeaker that it is taken from.
    let id = &source(&status, "audio")["id"];
    let token = format!("Bearer {}", aerial.token());
    let headers = [
        ("Authorization", token.as_str()),
        ("Content-Type", "application/json"),
    ];
    let reply = http::request(
        aerial.address(),
        "PATCH",
        &format!("/api/v1/sources/{id}"),
        &headers,
        br#"{"strip":{"solo":true}}"#,
    );
    assert_eq!(
        reply.status,
        409,
        "{}",
        String::from_utf8_lossy(&reply.body)
    );
    drop((viewer, tone));
    aerial.stop();
}
