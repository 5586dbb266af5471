// SPDX-License-Identifier: GPL-3.0-or-later
//! Secrets in every place that takes one, every log at its loudest, everything failing: none of them is told.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    thread,
};

use crate::{
    http,
    push::{self, NGINX, Nginx},
    rig::{Aerial, Home, free_port, have, output},
};

/// In every secret.
const CANARY: &str = "cAnArY";

/// A server that takes what is sent and answers with what nobody can use, until the program has ended.
fn spoilsport() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || spoil(stream));
        }
    });
    port
}

fn spoil(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    if stream.read(&mut buffer).is_ok() {
        let _ = stream
            .write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
}

/// The first lines of a file with this in them.
fn canaries(file: &Path, word: &str) -> Vec<String> {
    let lines = BufReader::new(File::open(file).unwrap()).split(b'\n');
    let lines = lines.map(|line| String::from_utf8_lossy(&line.unwrap()).to_string());
    lines.filter(|line| line.contains(word)).take(5).collect()
}

#[test]
fn no_secret_is_told_by_any_log_status_or_error() {
    let story = "no_secret_is_told_by_any_log_status_or_error";
    if !have(story, NGINX) {
        return;
    }
    let nginx = Nginx::new();
    let _server = nginx.start();
    let home = Home::new();
    let log = home.path("gst.log");
    let dots = home.path("dots");
    fs::create_dir(&dots).unwrap();
    let secret = |what: &str| format!("{CANARY}-{what}-0123456789");
    let environment: HashMap<String, String> = [
        ("GST_DEBUG", "*:6"),
        ("GST_DEBUG_FILE", log.to_str().unwrap()),
        ("GST_DEBUG_DUMP_DOT_DIR", dots.to_str().unwrap()),
        ("AERIAL_LOG", "trace"),
        ("RUST_LOG", "trace"),
        ("RUST_BACKTRACE", "1"),
        ("AERIAL_API_TOKEN", &secret("api")),
        ("AERIAL_VIEWER_TOKEN", &secret("viewer")),
        ("AERIAL_VIEWER_PASSWORD", &secret("password")),
    ]
    .map(|(name, value)| (name.to_string(), value.to_string()))
    .into();
    let (bad, srt) = (spoilsport(), free_port());
    let outputs = [
        (
            "--icecast",
            format!(
                "icecast://source:{}@127.0.0.1:{bad}/a.webm",
                secret("icecast")
            ),
        ),
        (
            "--rtmp",
            format!("rtmp://127.0.0.1:{bad}/live/{}", secret("rtmp")),
        ),
        // One that works.
        (
            "--rtmp",
            nginx.url(&format!("live/{}?pass={}", secret("key"), secret("pass"))),
        ),
        // Waits to be called, and is called by nobody; and one that calls in vain.
        (
            "--srt",
            format!(
                "srt://127.0.0.1:{srt}?mode=listener&passphrase={}",
                secret("srt")
            ),
        ),
        (
            "--srt",
            format!(
                "srt://127.0.0.1:{bad}?passphrase={}&streamid={}",
                secret("srt2"),
                secret("srtid")
            ),
        ),
        (
            "--whip",
            format!("http://127.0.0.1:{bad}/whip#token={}", secret("whip")),
        ),
        (
            "--webrtc",
            format!(
                "webrtcsink+ws://127.0.0.1:{bad}/?header=Authorization:{}",
                secret("header")
            ),
        ),
        (
            "--webrtc",
            format!(
                "janus+ws://127.0.0.1:{bad}/?room=1234&apisecret={}",
                secret("janus")
            ),
        ),
    ];
    let mut args = ["--video", "test", "--video", "guest", "--audio", "tone"].to_vec();
    // Few pictures: what is logged is of each.
    args.extend(["--size", "160x90", "--fps", "5"]);
    let link = format!("rtsp://me:{}@127.0.0.1:{bad}/x", secret("source"));
    args.extend(["--video", &link]);
    args.extend(
        outputs
            .iter()
            .flat_map(|(option, url)| [*option, url.as_str()]),
    );
    let mut aerial = Aerial::live_in(home, &args, Some(&environment));
    let invitation = aerial.serving()["links"]["join"]
        .as_str()
        .unwrap()
        .to_string();
    let invitation = invitation
        .split('#')
        .nth(1)
        .expect("an invitation")
        .to_string();
    for kind in ["icecast", "rtmp", "whip", "webrtcsink", "janus"] {
        aerial.wait(&format!("{kind} to fail"), |s| {
            ["waiting", "failed"].contains(&output(s, kind)["state"].as_str().unwrap_or(""))
        });
    }
    aerial.wait("one to be live", |s| {
        push::output(s, "rtmp-2")["state"] == "live"
    });
    // Each is used, rightly and wrongly.
    let here = aerial.address();
    let ask = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        http::request(here, method, path, headers, body.as_bytes())
    };
    let mut told = vec![];
    for path in [
        "/api/v1/status",
        "/api/v1/outputs",
        "/api/v1/sources",
        "/api/v1/viewers",
        "/metrics",
    ] {
        told.push(String::from_utf8_lossy(&aerial.api("GET", path).body).to_string());
    }
    let bearer = format!("Bearer {invitation}");
    let sdp = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/sdp"),
    ];
    let wrong = [
        ("Authorization", "Bearer x"),
        ("Content-Type", "application/sdp"),
    ];
    let replies = [
        ask("GET", &format!("/live.jpg?t={}", secret("viewer")), &[], ""),
        ask("GET", &format!("/?t={}", secret("viewer")), &[], ""),
        ask(
            "GET",
            &format!("/hls/index.m3u8?t={}x", secret("viewer")),
            &[],
            "",
        ),
        ask(
            "GET",
            &format!("/signalling?token={}", secret("api")),
            &[],
            "",
        ),
        ask("GET", &format!("/signalling?token={invitation}"), &[], ""),
        ask(
            "POST",
            "/enter",
            &[],
            &format!("password={}", secret("password")),
        ),
        ask(
            "POST",
            "/enter",
            &[],
            &format!("password={}x", secret("password")),
        ),
        ask("POST", "/whip", &sdp, "v=0"),
        ask("POST", "/whip", &wrong, "v=0"),
        aerial.api_with(
            "PUT",
            "/api/v1/outputs/bad",
            &format!(
                r#"{{"kind": "srt", "url": "srt://h:1?passphrase={}&x=1"}}"#,
                secret("put")
            ),
        ),
        aerial.api_with(
            "PUT",
            "/api/v1/outputs/good",
            &format!(
                r#"{{"kind": "srt", "url": "srt://127.0.0.1:{bad}?passphrase={}"}}"#,
                secret("put")
            ),
        ),
    ];
    for reply in replies {
        told.push(format!(
            "{:?} {}",
            reply.headers,
            String::from_utf8_lossy(&reply.body)
        ));
    }
    aerial.wait_anew("the last one to be tried", |s| {
        let all = s["outputs"].as_array().unwrap();
        all.iter()
            .any(|o| o["name"] == "good" && o["state"] != "off")
    });
    let status = aerial.wait_anew("what it says", |_| true);
    told.push(status.to_string());
    for text in &told {
        assert!(!text.contains(CANARY), "{text}");
    }
    let said = aerial.said();
    for word in [CANARY, &invitation] {
        let line = said.lines().find(|line| line.contains(word));
        assert_eq!(line, None, "told {word}");
    }
    // It was as loud as it can be.
    assert!(
        said.contains("TRACE") && said.contains("DEBUG"),
        "nothing was logged"
    );
    assert!(
        log.metadata().unwrap().len() > 1_000_000,
        "GStreamer logged nothing"
    );
    for dot in fs::read_dir(&dots).unwrap() {
        assert_eq!(canaries(&dot.unwrap().path(), CANARY), Vec::<String>::new());
    }
    assert!(
        !canaries(&log, "***").is_empty(),
        "GStreamer tells nothing by itself any more"
    );
    for word in [CANARY, &invitation] {
        assert_eq!(canaries(&log, word), Vec::<String>::new());
    }
    aerial.stop();
}
