// SPDX-License-Identifier: GPL-3.0-or-later
//! What plays now: typed, from a file, and from a music player; seen at Icecast.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    http,
    icecast::{self, Icecast},
    rig::{Aerial, Home, checkout, have},
};

const SOUND: &[&str] = &["--video", "none", "--audio", "tone"];

/// Waits until the server tells this title.
fn wait_title(aerial: &Aerial, server: &Icecast, mount: &str, title: &str) {
    aerial.wait(&format!("{title:?} at {mount}"), |_| {
        server.tells(mount)["title"] == title
    });
}

fn type_title(aerial: &Aerial, body: &str) -> http::Reply {
    let token = format!("Bearer {}", aerial.token());
    let headers = [
        ("Authorization", token.as_str()),
        ("Content-Type", "application/json"),
    ];
    let path = "/api/v1/now-playing";
    http::request(aerial.address(), "PUT", path, &headers, body.as_bytes())
}

#[test]
fn a_title_that_is_typed_is_seen_at_icecast() {
    let story = "a_title_that_is_typed_is_seen_at_icecast";
    if !have(story, icecast::NEEDS) {
        return;
    }
    let server = Icecast::start();
    let targets = ["live.mp3", "live.aac", "live.oga", "live.opus"]
        .map(|m| server.target_at(&format!("{m}?")));
    let mut args = SOUND.to_vec();
    args.extend(targets.iter().flat_map(|t| ["--icecast", t.as_str()]));
    let mut aerial = Aerial::live(&args);
    let reply = type_title(
        &aerial,
        &json!({"text": "K\u{f6}nig & Co? - A=B\nno"}).to_string(),
    );
    assert_eq!(reply.status, 200, "{reply:?}");
    let all_live = |s: &Value| {
        let outputs = s["outputs"].as_array().unwrap();
        outputs.iter().all(|o| o["state"] == "live")
    };
    aerial.wait("all mounts to be live", all_live);
    for mount in ["live.mp3", "live.aac", "live.oga"] {
        wait_title(&aerial, &server, mount, "K\u{f6}nig & Co? - A=B");
    }
    let now = aerial.api("GET", "/api/v1/now-playing");
    let now: Value = serde_json::from_slice(&now.body).unwrap();
    assert_eq!(now, json!({"text": "K\u{f6}nig & Co? - A=B"}));
    assert_eq!(type_title(&aerial, "{\"txt\": 1}").status, 422);
    // The next one, while everything runs; the mount that takes none stays live.
    type_title(&aerial, &json!({"text": "Next"}).to_string());
    for mount in ["live.mp3", "live.aac", "live.oga"] {
        wait_title(&aerial, &server, mount, "Next");
    }
    assert!(all_live(&aerial.wait_anew("a status", |_| true)));
    aerial.stop();
}

#[test]
fn a_title_follows_a_file() {
    let story = "a_title_follows_a_file";
    if !have(story, icecast::NEEDS) {
        return;
    }
    let server = Icecast::start();
    let home = Home::new();
    let file = home.path("title.txt");
    fs::write(&file, "First - One\n").unwrap();
    let source = format!("file:{}", file.display());
    let target = server.target_at("live.mp3?");
    let args = [SOUND, &["--icecast", &target, "--now-playing", &source]].concat();
    let mut aerial = Aerial::live_in(home, &args, None);
    wait_title(&aerial, &server, "live.mp3", "First - One");
    fs::write(&file, "Second - Two\n").unwrap();
    wait_title(&aerial, &server, "live.mp3", "Second - Two");
    aerial.stop();
}

/// A process that is ended when dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A mock of a music player.
struct Player {
    child: Ended,
    says: Lines<BufReader<ChildStdout>>,
}

const PYTHON: &str = "/usr/bin/python3";

impl Player {
    fn start(name: &str, bus: &str) -> Player {
        let mut child = Command::new(PYTHON)
            .arg(checkout("tests/it/player.py"))
            .arg(name)
            .env("DBUS_SESSION_BUS_ADDRESS", bus)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stdout.take().unwrap()).lines();
        Player {
            child: Ended(child),
            says,
        }
    }

    fn tell(&mut self, line: &str) {
        let input = self.child.0.stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
        assert_eq!(self.says.next().unwrap().unwrap(), "done");
    }
}

#[test]
fn a_title_follows_the_music_player_that_plays() {
    let story = "a_title_follows_the_music_player_that_plays";
    if !have(story, &["dbus-daemon", PYTHON, icecast::NEEDS[0]]) {
        return;
    }
    let mut daemon = Command::new("dbus-daemon")
        .args(["--session", "--nofork", "--print-address"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(daemon.stdout.take().unwrap()).lines();
    let _daemon = Ended(daemon);
    let bus = lines.next().unwrap().unwrap();
    let server = Icecast::start();
    let mut first = Player::start("first", &bus);
    first.tell("play Ann|Morning");
    let target = server.target_at("live.mp3?");
    let args = [SOUND, &["--icecast", &target, "--now-playing", "mpris"]].concat();
    let desktop = HashMap::from([("DBUS_SESSION_BUS_ADDRESS".to_string(), bus.clone())]);
    let mut aerial = Aerial::live_in(Home::new(), &args, Some(&desktop));
    wait_title(&aerial, &server, "live.mp3", "Ann - Morning");
    // Another begins while the first still plays: nothing changes until that one pauses.
    let mut second = Player::start("a-second", &bus);
    second.tell("play Bob|Noon");
    first.tell("play Ann|Late morning");
    wait_title(&aerial, &server, "live.mp3", "Ann - Late morning");
    first.tell("pause");
    wait_title(&aerial, &server, "live.mp3", "Bob - Noon");
    // It goes away without a word.
    drop(second);
    let (address, token) = (aerial.address(), format!("Bearer {}", aerial.token()));
    aerial.wait("nothing to play", |_| {
        let headers = [("Authorization", token.as_str())];
        let now = http::request(address, "GET", "/api/v1/now-playing", &headers, b"");
        serde_json::from_slice::<Value>(&now.body).unwrap() == json!({"text": ""})
    });
    first.tell("play Ann|Evening");
    wait_title(&aerial, &server, "live.mp3", "Ann - Evening");
    aerial.stop();
}
