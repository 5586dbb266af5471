// SPDX-License-Identifier: GPL-3.0-or-later
//! Icecast servers that refuse, and one that stops reading.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::mpsc,
    thread,
};

use serde_json::Value;

use crate::{
    http::Viewer,
    icecast::{self, Icecast, Setup},
    rig::{Aerial, have, output, viewers},
};

const SMALL: &[&str] = &[
    "--video", "test", "--audio", "tone", "--size", "320x180", "--fps", "15",
];

/// Sends to two mounts and waits until one is live and the other waits; returns why.
fn only_one_is_let_in(targets: [&str; 2]) -> String {
    let args = [SMALL, &["--icecast", targets[0], "--icecast", targets[1]]].concat();
    let mut aerial = Aerial::live(&args);
    let of = |s: &Value, state: &str| {
        let all = s["outputs"].as_array().unwrap().clone();
        all.into_iter()
            .filter(|o| o["state"] == state)
            .collect::<Vec<_>>()
    };
    let told = aerial.wait("one mount to be live and one refused", |s| {
        of(s, "live").len() == 1 && of(s, "waiting").len() == 1
    });
    let why = of(&told, "waiting")[0]["error"]
        .as_str()
        .unwrap()
        .to_string();
    aerial.stop();
    why
}

#[test]
fn a_mount_in_use_and_a_full_server_are_told_apart() {
    let story = "a_mount_in_use_and_a_full_server_are_told_apart";
    if !have(story, icecast::NEEDS) {
        return;
    }
    let server = Icecast::start();
    let target = server.target();
    let why = only_one_is_let_in([&target, &target]);
    assert!(
        why.contains("/live.webm") && why.contains("in use") && !why.contains("full"),
        "{why}"
    );
    let server = Icecast::start_as(Setup {
        sources: 1,
        ..Setup::default()
    });
    let why = only_one_is_let_in([&server.target(), &server.target_at("other.webm?")]);
    assert!(why.contains("full") && !why.contains("in use"), "{why}");
}

#[test]
fn a_server_that_stops_reading_is_told_and_harms_nobody_else() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, connected) = mpsc::channel();
    thread::spawn(move || {
        let mut held = vec![];
        for socket in listener.incoming().map_while(Result::ok) {
            let mut socket = socket;
            let mut head = vec![];
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && socket.read(&mut byte).is_ok_and(|n| n == 1) {
                head.push(byte[0]);
            }
            let _ = socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\n");
            // Kept open, never read again.
            held.push(socket);
            if tell.send(()).is_err() {
                return;
            }
        }
    });
    let target = format!("icecast://source:pw@{address}/live.webm");
    let args = [SMALL, &["--icecast", &target, "--record", "x.webm"]].concat();
    let mut aerial = Aerial::live(&args);
    let http = Viewer::join(aerial.address(), "/live.webm");
    aerial.wait("bytes to be taken", |s| {
        output(s, "icecast")["state"] == "live"
    });
    connected.recv().unwrap();
    let stalled = aerial.wait("the standstill to be told", |s| {
        output(s, "icecast")["state"] == "waiting"
    });
    let why = output(&stalled, "icecast")["error"].as_str().unwrap();
    assert!(why.contains("stopped taking data"), "{why}");
    http.wait_more(100_000);
    // It is tried again, and everything else went on meanwhile.
    connected.recv().unwrap();
    let again = aerial.wait_anew("the next standstill", |s| {
        output(s, "icecast")["state"] == "waiting"
    });
    assert_eq!(output(&again, "record")["state"], "live");
    assert_eq!(viewers(&again, "http")[0]["dropped"], 0, "{again:#}");
    drop(http);
    aerial.stop();
}
