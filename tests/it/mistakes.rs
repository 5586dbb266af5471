// SPDX-License-Identifier: GPL-3.0-or-later
//! Everything a person can get wrong: one clear sentence and one remedy each, and nothing else is harmed.

use std::{
    fs,
    net::TcpListener,
    process::{Output, Stdio},
};

use serde_json::{Value, json};

use crate::{
    http::{self, Viewer},
    icecast::{self, Icecast},
    rig::{Aerial, Home, free_port, have, output},
};

/// `aerial ARGS`, which must end by itself.
fn run(home: &Home, args: &[&str]) -> Output {
    // A broadcast that starts after all ends by itself, too; its code tells.
    let mut command = home.aerial(args, None);
    if args.first() == Some(&"live") && !args.contains(&"--duration") {
        command.args(["--duration", "1"]);
    }
    let out = command.stdin(Stdio::null()).output().unwrap();
    home.assert_nothing_left();
    out
}

/// Fails unless `aerial ARGS` ended with this code and said what is wrong (with these words) and what to do, in two
/// lines at most.
fn assert_refused(home: &Home, args: &[&str], code: i32, words: &[&str]) {
    let out = run(home, args);
    let said = String::from_utf8_lossy(&out.stderr).to_string();
    assert_eq!(out.status.code(), Some(code), "{args:?} said: {said}");
    let lines: Vec<_> = said.lines().collect();
    assert!(
        (1..=2).contains(&lines.len()),
        "{args:?}: one sentence and one remedy:\n{said}"
    );
    for word in words {
        assert!(said.contains(word), "{args:?}: {word:?} is not in:\n{said}");
    }
    for noise in [
        "Usage",
        "usage",
        "panicked",
        "backtrace",
        "Error {",
        "Err(",
        "ERROR",
        "WARN",
    ] {
        assert!(!said.contains(noise), "{args:?}: {noise:?} is in:\n{said}");
    }
    assert!(
        said.trim_end().ends_with(['.', ')']),
        "{args:?}: a sentence ends:\n{said}"
    );
    assert!(
        said.matches(['.', ';', ':']).count() > 1 || lines.len() == 2,
        "{args:?}: no remedy in:\n{said}"
    );
}

#[test]
fn wrong_arguments_end_with_2_and_a_remedy() {
    let home = Home::new();
    fs::write(home.path("x.webm"), "precious").unwrap();
    fs::write(home.path("broken.toml"), "video = [\"test\"\nsize = ").unwrap();
    fs::write(home.path("unknown.toml"), "colour = \"blue\"\n").unwrap();
    fs::write(home.path("wrong.toml"), "fps = \"many\"\n").unwrap();
    let here = "127.0.0.1:0";
    for (args, words) in [
        (&["--video", "tset"][..], &["tset"][..]),
        (&["--video", "camera2:x"], &["camera2"]),
        (&["--audio", "test"], &["\"test\""]),
        (&["--video", "file:/no/such.webm"], &["/no/such.webm"]),
        (&["--audio", "file:nothing.ogg"], &["nothing.ogg"]),
        (&["--size", "big"], &["big"]),
        (&["--size", "0x0"], &["0x0"]),
        (&["--video-bitrate", "fast"], &["fast"]),
        (&["--key-interval", "soon"], &["soon"]),
        (&["--fps", "0"], &["fps"]),
        (&["--fps", "many"], &["fps"]),
        (&["--gif", "8"], &["WIDTH@", "480@8"]),
        (&["--mjpeg", "100@5"], &["100@5", "Write @"]),
        (&["--mjpeg", "5"], &["Write @"]),
        (&["--duration", "never"], &["never"]),
        (&["--video-codec", "h266"], &["h266", "vp8"]),
        (&["--audio-codec", "vp8"], &["vp8", "opus"]),
        (&["--listen", "everywhere"], &["everywhere"]),
        (&["--listen", "127.0.0.1:99999"], &["99999"]),
        (&["--listen", here, "--share"], &["--share", "--listen"]),
        (&["--frobnicate"], &["--frobnicate"]),
        (&["--status", "xml"], &["xml"]),
        (&["surplus"], &["surplus"]),
        (&["--record", "nowhere/x.webm"], &["nowhere"]),
        (&["--record", "x.webm"], &["x.webm", "--overwrite"]),
        (&["--record", "x.exe"], &["x.exe"]),
        (&["--record", "new"], &["new"]),
        (
            &["--audio", "none", "--record", "a.mp3"],
            &["a.mp3", "nothing that MP3", "another ending"],
        ),
        (&["--icecast", "not a url"], &["Icecast"]),
        (
            &["--icecast", "icecast://source@127.0.0.1/live.webm"],
            &["password"],
        ),
        (
            &["--icecast", "icecast://source:s3cr3t@127.0.0.1"],
            &["mount"],
        ),
        (
            &["--icecast", "ftp://source:s3cr3t@127.0.0.1/x.webm"],
            &["icecast://"],
        ),
        (&["--rtmp", "rtmp://127.0.0.1/s3cr3t"], &["stream key"]),
        (&["--rtmp", "http://127.0.0.1/live/s3cr3t"], &["rtmps://"]),
        (&["--srt", "srt://127.0.0.1"], &["port"]),
        (
            &["--srt", "srt://127.0.0.1:1?mode=sideways"],
            &["mode", "listener"],
        ),
        (
            &["--srt", "srt://127.0.0.1:1?passphrase=s3cr3t"],
            &["10 to 79"],
        ),
        (&["--whip", "wss://127.0.0.1/whip"], &["https://"]),
        (&["--whip", "http://127.0.0.1/#stun=x"], &["stun://"]),
        (&["--webrtc", "janus+ws://127.0.0.1/"], &["room"]),
        (&["--webrtc", "ws://127.0.0.1/"], &["janus+ws"]),
        (
            &["--webrtc", "webrtcsink+ws://127.0.0.1/?color=red"],
            &["color"],
        ),
        (&["--profile", "nothing.toml"], &["nothing.toml"]),
        (&["--profile", "broken.toml"], &["broken.toml"]),
        (&["--profile", "unknown.toml"], &["unknown.toml", "colour"]),
        (&["--profile", "wrong.toml"], &["wrong.toml"]),
        (&["--video"], &["--video"]),
    ] {
        let listen: &[&str] = if args.contains(&"--listen") {
            &[]
        } else {
            &["--listen", here]
        };
        assert_refused(&home, &[&["live"], args, listen].concat(), 2, words);
    }
    assert_refused(&home, &["fly"], 2, &["fly"]);
    assert_refused(&home, &["devices", "--xml"], 2, &["--xml"]);
    assert_eq!(
        fs::read(home.path("x.webm")).unwrap(),
        b"precious",
        "nothing is overwritten"
    );
    assert_eq!(
        fs::read(home.path("broken.toml")).unwrap(),
        b"video = [\"test\"\nsize = ",
        "nothing is overwritten"
    );
    for name in ["nowhere", "new", "x.exe", "a.mp3"] {
        assert!(!home.path(name).exists(), "{name}");
    }
}

#[test]
fn a_password_in_a_wrong_address_is_not_repeated() {
    let home = Home::new();
    for (option, address) in [
        ("--icecast", "icecast://source:s3cr3t@127.0.0.1"),
        ("--icecast", "ftp://source:s3cr3t@127.0.0.1/x.webm"),
        ("--icecast", "icecast://source:s3cr3t@:x/"),
        ("--rtmp", "rtmp://127.0.0.1/s3cr3t"),
        ("--rtmp", "rtmp://me:s3cr3t@127.0.0.1:x/a/b"),
        ("--srt", "srt://127.0.0.1:1?passphrase=s3cr3t"),
        ("--srt", "srt://127.0.0.1:1?pass=s3cr3t-words"),
        ("--whip", "https://127.0.0.1/#token=s3cr3t&x=s3cr3t"),
        ("--whip", "https://me:s3cr3t@127.0.0.1/"),
        ("--webrtc", "janus+ws://127.0.0.1/?apisecret=s3cr3t"),
        ("--webrtc", "webrtcsink+ws://127.0.0.1/?header=s3cr3t"),
    ] {
        let out = run(&home, &["live", "--listen", "127.0.0.1:0", option, address]);
        assert_eq!(out.status.code(), Some(2), "{address}");
        let said = [out.stdout, out.stderr].concat();
        assert!(
            !String::from_utf8_lossy(&said).contains("s3cr3t"),
            "{}",
            String::from_utf8_lossy(&said)
        );
    }
}

#[test]
fn a_record_path_that_cannot_be_written_is_refused_at_once() {
    let home = Home::new();
    // A file system on which not even root makes files.
    assert_refused(
        &home,
        &[
            "live",
            "--listen",
            "127.0.0.1:0",
            "--record",
            "/proc/x.webm",
        ],
        2,
        &["/proc/x.webm"],
    );
    fs::write(home.path("file"), "").unwrap();
    assert_refused(
        &home,
        &["live", "--listen", "127.0.0.1:0", "--record", "file/x.webm"],
        2,
        &["file"],
    );
}

#[test]
fn a_recording_of_sound_that_there_is_not_is_refused_over_the_api_too() {
    let mut aerial = Aerial::live(&["--video", "test", "--audio", "none", "--size", "320x180"]);
    let put = |file: &str| {
        let token = format!("Bearer {}", aerial.token());
        let headers = [
            ("Authorization", token.as_str()),
            ("Content-Type", "application/json"),
        ];
        let body = json!({"kind": "record", "url": aerial.path(file), "enabled": false});
        let body = body.to_string();
        let there = "/api/v1/outputs/tape";
        http::request(aerial.address(), "PUT", there, &headers, body.as_bytes())
    };
    let refused = put("a.mp3");
    let said = String::from_utf8(refused.body).unwrap();
    assert_eq!(refused.status, 422, "{said}");
    assert!(
        said.contains("nothing that MP3") && said.contains("another ending"),
        "{said}"
    );
    assert_eq!(aerial.api("GET", "/api/v1/outputs/tape").status, 404);
    assert_eq!(put("a.webm").status, 201);
    aerial.stop();
}

#[test]
fn a_port_in_use_is_told_with_a_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let home = Home::new();
    assert_refused(
        &home,
        &["live", "--listen", &format!("127.0.0.1:{port}")],
        1,
        &[&port, "--listen"],
    );
}

#[test]
fn an_address_of_another_computer_is_told() {
    let home = Home::new();
    assert_refused(
        &home,
        &["live", "--listen", "192.0.2.1:0"],
        1,
        &["192.0.2.1"],
    );
}

/// Waits for this state of the first row of a list, and returns the sentence that goes with it.
fn sentence(aerial: &Aerial, list: &str, states: &[&str]) -> String {
    let told = aerial.wait(&format!("{list} to be {states:?}"), |s| {
        states.iter().any(|state| s[list][0]["state"] == *state) && s[list][0]["error"].is_string()
    });
    told[list][0]["error"].as_str().unwrap().to_string()
}

/// Fails unless everybody else is served as if nothing were wrong.
fn assert_on_the_air(aerial: &Aerial) {
    let viewer = Viewer::join(aerial.address(), "/live.webm");
    viewer.wait_more(20_000);
    let status = aerial.wait_anew("the viewer to be listed", |s| {
        !s["viewers"].as_array().unwrap().is_empty()
    });
    assert_eq!(status["air"], "live");
    let health = status["health"].as_str().unwrap_or_default();
    assert!(!health.is_empty(), "health says something: {status:#}");
}

#[test]
fn a_wrong_icecast_password_is_told_and_the_rest_goes_on() {
    if !have(
        "a_wrong_icecast_password_is_told_and_the_rest_goes_on",
        icecast::NEEDS,
    ) {
        return;
    }
    let icecast = Icecast::start();
    let target = format!("icecast://source:wr0ng-pw@{}/live.webm", icecast.address());
    let mut aerial = Aerial::live(&[
        "--video",
        "test",
        "--audio",
        "tone",
        "--size",
        "640x360",
        "--icecast",
        &target,
    ]);
    let why = sentence(&aerial, "outputs", &["failed", "waiting"]);
    assert!(
        why.contains("password") && why.contains(&icecast.address().to_string()),
        "{why}"
    );
    assert_on_the_air(&aerial);
    aerial.stop();
    assert!(!aerial.said().contains("wr0ng-pw"), "{}", aerial.said());
}

#[test]
fn an_unreachable_icecast_server_is_told_and_the_rest_goes_on() {
    let target = format!(
        "icecast://source:s3cr3t@127.0.0.1:{}/live.webm",
        free_port()
    );
    let mut aerial = Aerial::live(&[
        "--video",
        "test",
        "--audio",
        "tone",
        "--size",
        "640x360",
        "--icecast",
        &target,
    ]);
    let why = sentence(&aerial, "outputs", &["waiting"]);
    assert!(why.contains("cannot be reached"), "{why}");
    assert_on_the_air(&aerial);
    let row = aerial.wait("the next status", |_| true);
    assert!(
        output(&row, "icecast")["url"]
            .as_str()
            .is_some_and(|u| !u.contains("s3cr3t"))
    );
    aerial.stop();
    assert!(!aerial.said().contains("s3cr3t"), "{}", aerial.said());
}

#[test]
fn a_file_that_is_no_media_is_told_and_the_slate_is_on_the_air() {
    let home = Home::new();
    fs::write(
        home.path("notes.webm"),
        "These are notes, not pictures.\n".repeat(100),
    )
    .unwrap();
    let args = [
        "--video",
        "file:notes.webm",
        "--audio",
        "tone",
        "--size",
        "640x360",
    ];
    let mut aerial = Aerial::live_in(home, &args, None);
    let told = aerial.wait("the source to be lost", |s| video(s)["state"] == "lost");
    let why = video(&told)["error"].as_str().unwrap();
    assert!(why.contains("notes.webm") && why.ends_with('.'), "{why}");
    assert_on_the_air(&aerial);
    aerial.stop();
}

#[test]
fn a_device_that_is_not_there_is_told_and_the_slate_is_on_the_air() {
    let mut aerial = Aerial::live(&[
        "--video",
        "camera:No Such Camera",
        "--audio",
        "mic:No Such Mic",
        "--size",
        "640x360",
    ]);
    let told = aerial.wait("both to be lost", |s| {
        s["sources"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|s| s["state"] == "lost")
            .count()
            == 2
    });
    for (source, name) in told["sources"]
        .as_array()
        .unwrap()
        .iter()
        .zip(["No Such Camera", "No Such Mic"])
    {
        let why = source["error"].as_str().unwrap();
        assert!(why.contains(name) && why.ends_with('.'), "{why}");
    }
    assert_on_the_air(&aerial);
    aerial.stop();
}

/// The source of the picture.
fn video(status: &Value) -> &Value {
    let all = status["sources"].as_array().unwrap();
    all.iter()
        .find(|s| s["kind"] == "video")
        .unwrap_or(&Value::Null)
}
