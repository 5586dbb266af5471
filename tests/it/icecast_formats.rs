// SPDX-License-Identifier: GPL-3.0-or-later
//! Everything an Icecast server can take, each on a mount of its own, heard by listeners who come early and late.

use std::process::Command;

use serde_json::Value;

use crate::{
    icecast::{self, ADMIN, Icecast, PASSWORD},
    media,
    rig::{Aerial, have},
};

const SMALL: &[&str] = &[
    "--video", "test", "--audio", "tone", "--size", "320x180", "--fps", "15",
];

/// Mounts and the codecs that are in them.
const MOUNTS: [(&str, &[&str]); 8] = [
    ("live.webm", &["opus", "vp8"]),
    ("live.ogg", &["theora", "vorbis"]),
    ("live.oga", &["vorbis"]),
    ("live.opus", &["opus"]),
    ("live.flac", &["flac"]),
    ("live.mp3", &["mp3"]),
    ("live.aac", &["aac"]),
    ("plain?format=mp3", &["mp3"]),
];

fn path(mount: &str) -> &str {
    mount.split('?').next().unwrap()
}

/// Codecs that a listener finds, sorted, and proof that two seconds of them can be decoded.
fn listen(link: &str) -> Vec<String> {
    let args = ["-v", "error", "-show_streams", "-of", "json", link];
    let out = Command::new("ffprobe").args(args).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{link}: {said}");
    let codecs = media::codecs(&serde_json::from_slice(&out.stdout).unwrap());
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i", link])
        // By what was decoded: the times of a stream that has been running do not begin at 0.
        .args(["-af", "asetpts=N/SR/TB", "-vf", "setpts=N/15/TB"])
        .args(["-t", "2"])
        .args(["-f", "null", "-progress", "pipe:1", "-"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{link}: {said}");
    let progress = String::from_utf8_lossy(&out.stdout);
    let lasted = progress.lines().rev().find_map(|l| {
        let micros = l.strip_prefix("out_time_us=")?;
        micros.trim().parse::<i64>().ok()
    });
    assert!(
        lasted.is_some_and(|micros| micros > 1_500_000),
        "{link}: nothing to play: {progress} {said}"
    );
    codecs
}

fn outputs(status: &Value) -> &Vec<Value> {
    status["outputs"].as_array().unwrap()
}

#[test]
fn every_format_is_heard_from_icecast_also_by_those_who_come_late() {
    let story = "every_format_is_heard_from_icecast_also_by_those_who_come_late";
    if !have(story, &[icecast::NEEDS, media::NEEDS].concat()) {
        return;
    }
    let server = Icecast::start();
    let targets: Vec<_> = MOUNTS
        .iter()
        .map(|(mount, _)| {
            let separator = if mount.contains('?') { "" } else { "?" };
            server.target_at(&format!("{mount}{separator}"))
        })
        .collect();
    let mut args = SMALL.to_vec();
    args.extend(targets.iter().flat_map(|t| ["--icecast", t.as_str()]));
    let mut aerial = Aerial::live(&args);
    aerial.wait("all mounts to be live", |s| {
        outputs(s).iter().all(|o| o["state"] == "live")
    });
    let all = |when: &str| {
        for (mount, codecs) in MOUNTS {
            let heard = listen(&server.link_to(path(mount)));
            assert_eq!(heard, codecs, "{mount}, {when}");
        }
    };
    all("early");
    // Longer ago than what Icecast gives to those who come: 64 KiB.
    aerial.wait("the beginning to be long ago", |s| {
        outputs(s)
            .iter()
            .all(|o| o["bytes"].as_u64().unwrap() > 300_000)
    });
    all("late");
    let end = aerial.wait("a status", |_| true);
    for output in outputs(&end) {
        assert_eq!(
            (&output["state"], &output["dropped"]),
            (&"live".into(), &0.into()),
            "{output}"
        );
    }
    let opus = end["encoders"].as_array().unwrap().iter();
    assert_eq!(
        opus.filter(|e| e["codec"] == "opus").count(),
        1,
        "WebM and Opus share one encoder: {}",
        end["encoders"]
    );
    aerial.stop();
}

#[test]
fn the_server_tells_what_it_was_told_about_a_mount() {
    let story = "the_server_tells_what_it_was_told_about_a_mount";
    if !have(story, icecast::NEEDS) {
        return;
    }
    let server = Icecast::start();
    let about =
        "public=1&name=My%20R%C3%A4dio&genre=talk&description=All%20day&url=https://radio.example/";
    let target = server.target_at(&format!("live.mp3?{about}"));
    let mut aerial = Aerial::live(&["--video", "none", "--audio", "tone", "--icecast", &target]);
    aerial.wait("the mount to be live", |s| outputs(s)[0]["state"] == "live");
    aerial.wait("the server to know the mount", |_| {
        !server.tells("live.mp3").is_null()
    });
    let told = server.tells("live.mp3");
    for (key, value) in [
        ("server_name", "My R\u{e4}dio"),
        ("genre", "talk"),
        ("server_description", "All day"),
        ("server_url", "https://radio.example/"),
        ("server_type", "audio/mpeg"),
    ] {
        assert_eq!(told[key], value, "{key} in {told:#}");
    }
    assert_eq!(
        (&told["bitrate"], &told["samplerate"]),
        (&128.into(), &48000.into()),
        "{told:#}"
    );
    assert!(
        server
            .admin("stats?mount=/live.mp3")
            .contains("<public>1</public>"),
        "directories may list it"
    );
    // The numbers of the mount are in the status.
    let numbers = aerial.wait("numbers of the mount", |s| {
        outputs(s)[0]["mount"]["listeners"] == 0
    });
    assert!(
        outputs(&numbers)[0]["mount"]["peak"].is_u64(),
        "{numbers:#}"
    );
    let said = aerial.said();
    assert!(!said.contains(PASSWORD) && !said.contains(ADMIN), "{said}");
    aerial.stop();
}

#[test]
fn a_broadcast_without_picture_is_vorbis_in_ogg_and_one_without_sound_no_mp3() {
    let story = "a_broadcast_without_picture_is_vorbis_in_ogg_and_one_without_sound_no_mp3";
    if !have(story, &[icecast::NEEDS, media::NEEDS].concat()) {
        return;
    }
    let server = Icecast::start();
    let target = server.target_at("live.ogg?");
    let mut aerial = Aerial::live(&["--video", "none", "--audio", "tone", "--icecast", &target]);
    aerial.wait("the mount to be live", |s| outputs(s)[0]["state"] == "live");
    assert_eq!(listen(&server.link_to("live.ogg")), ["vorbis"]);
    aerial.stop();

    let target = server.target_at("live.mp3?");
    let mut aerial = Aerial::live(&["--video", "test", "--audio", "none", "--icecast", &target]);
    let failed = aerial.wait("it to be refused", |s| outputs(s)[0]["state"] == "failed");
    let why = outputs(&failed)[0]["error"].as_str().unwrap();
    assert!(why.contains("nothing that mp3 could carry"), "{why}");
    aerial.stop();
}
