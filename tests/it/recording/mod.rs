// SPDX-License-Identifier: GPL-3.0-or-later
//! Recordings, and how a broadcast ends.

/// Each kind of file, judged by ffprobe and by what is seen and heard.
mod kinds;

/// Pauses, parts and names.
mod parts;

/// A disk that gets full.
mod disk;

use std::time::{Duration, Instant};

use crate::{
    http::Viewer,
    icecast::{self, Icecast},
    media,
    rig::{Aerial, Home, have, output},
};

const SMALL: &[&str] = &["--video", "test", "--audio", "tone", "--size", "640x360"];

#[test]
fn a_recording_is_playable_after_sigkill() {
    if !have("a_recording_is_playable_after_sigkill", media::NEEDS) {
        return;
    }
    for name in ["x.webm", "x.mkv"] {
        let mut aerial = Aerial::live(&[SMALL, &["--record", name]].concat());
        aerial.wait("a few seconds to be recorded", |s| {
            output(s, "record")["bytes"].as_u64() > Some(600_000)
        });
        aerial.kill();
        let file = aerial.path(name);
        assert_eq!(
            media::codecs(&media::probe(&file)),
            ["opus", "vp8"],
            "{name}"
        );
        // 600 kB are more than a second at 2.5 Mbit/s.
        let frames = media::decode(&file);
        assert!(frames > 20, "{name}: {frames} pictures");
    }
}

#[test]
fn a_finished_recording_carries_its_duration() {
    if !have("a_finished_recording_carries_its_duration", media::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(&[SMALL, &["--record", "x.webm", "--record", "x.mkv"]].concat());
    let began = Instant::now();
    aerial.wait("some seconds to be recorded", |s| {
        s["outputs"]
            .as_array()
            .unwrap()
            .iter()
            .all(|o| o["bytes"].as_u64() > Some(1_500_000))
    });
    let lasted = began.elapsed().as_secs_f64();
    aerial.stop();
    for name in ["x.webm", "x.mkv"] {
        let file = aerial.path(name);
        let probed = media::probe(&file);
        let told = media::duration(&probed)
            .unwrap_or_else(|| panic!("{name} has no duration: {}", probed["format"]));
        let last = |kind: &str| {
            let packets = probed["packets"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|p| p["codec_type"] == kind);
            packets
                .map(|p| p["pts_time"].as_str().unwrap().parse::<f64>().unwrap())
                .fold(0.0, f64::max)
        };
        let first = probed["format"]["start_time"]
            .as_str()
            .unwrap()
            .parse::<f64>()
            .unwrap();
        assert!(
            (told - last("video")).abs() < 0.5,
            "{name}: says {told} s, lasts {} s",
            last("video")
        );
        assert!(
            (last("audio") - last("video")).abs() < 1.0,
            "{name}: both tracks last alike"
        );
        assert!(first < 0.5, "{name}: begins at {first} s");
        assert!(told > lasted - 1.5, "{name}: {told} s of {lasted} s");
        media::decode(&file);
    }
}

#[test]
fn ctrl_c_ends_cleanly() {
    if !have(
        "ctrl_c_ends_cleanly",
        &[icecast::NEEDS, media::NEEDS].concat(),
    ) {
        return;
    }
    let icecast = Icecast::start();
    let target = icecast.target();
    let mut aerial = Aerial::live(&[SMALL, &["--icecast", &target, "--record", "x.webm"]].concat());
    let viewer = Viewer::join(aerial.address(), "/live.webm");
    viewer.wait_more(50_000);
    aerial.wait("Icecast to be live and a second to be recorded", |s| {
        output(s, "icecast")["state"] == "live"
            && output(s, "record")["bytes"].as_u64() > Some(400_000)
    });
    let took = aerial.stop();
    assert!(took < Duration::from_secs(6), "it took {took:?}");
    viewer.wait_end();
    let probed = media::probe(&aerial.path("x.webm"));
    assert!(
        media::duration(&probed).is_some_and(|d| d > 0.5),
        "{}",
        probed["format"]
    );
}

#[test]
fn terminate_ends_as_cleanly_as_ctrl_c() {
    let mut aerial = Aerial::live(SMALL);
    crate::rig::signal(aerial.pid(), "TERM");
    assert_eq!(aerial.wait_end().code(), Some(0), "{}", aerial.said());
}

#[test]
fn a_duration_is_counted_from_going_live_and_ends_with_0() {
    let mut aerial = Aerial::live(&[SMALL, &["--duration", "2", "--record", "x.webm"]].concat());
    assert_eq!(aerial.wait_end().code(), Some(0), "{}", aerial.said());
    if have("decoding", media::NEEDS) {
        let lasted = media::duration(&media::probe(&aerial.path("x.webm"))).expect("a duration");
        assert!(
            (1.0..6.0).contains(&lasted),
            "asked for 2 s, recorded {lasted} s"
        );
    }
}

#[test]
fn an_existing_file_is_replaced_only_when_asked() {
    let home = Home::new();
    std::fs::write(home.path("x.webm"), "precious").unwrap();
    let mut aerial = Aerial::live_in(
        home,
        &[SMALL, &["--record", "x.webm", "--overwrite"]].concat(),
        None,
    );
    aerial.wait("it to be recorded", |s| {
        output(s, "record")["bytes"].as_u64() > Some(50_000)
    });
    aerial.stop();
    if have("decoding", media::NEEDS) {
        media::decode(&aerial.path("x.webm"));
    }
}
