// SPDX-License-Identifier: GPL-3.0-or-later
//! Viewers are told apart: one is let go, or is slow, and the others notice nothing.

use std::{
    cell::Cell,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::{
    crowd::Crowd,
    http::{self, Viewer},
    icecast::{self, Icecast},
    media::{self, Probe},
    receiver::Receivers,
    rig::{Aerial, LONG, have, id, viewer_at, viewers},
};

const SMALL: &[&str] = &["--video", "test", "--audio", "tone", "--size", "640x360"];

/// Who may not, and what they are told. `id` is a viewer who must not be harmed.
fn assert_only_the_owner_kicks(aerial: &Aerial, id: u64) {
    let path = format!("/api/v1/viewers/{id}");
    let good = format!("Bearer {}", aerial.token());
    let ask = |path: &str, headers: &[(&str, &str)]| {
        http::request(aerial.address(), "DELETE", path, headers, b"").status
    };
    assert_eq!(ask(&path, &[]), 401, "no token");
    assert_eq!(
        ask(&path, &[("Authorization", "Bearer wrong")]),
        401,
        "a wrong token"
    );
    assert_eq!(ask(&path, &[("Authorization", "")]), 401, "an empty token");
    assert_eq!(
        ask(&path, &[("Authorization", &good), ("Host", "example.org")]),
        403,
        "a foreign Host"
    );
    assert_eq!(
        ask(
            &path,
            &[("Authorization", &good), ("Origin", "http://example.org")]
        ),
        403,
        "a foreign Origin"
    );
    assert_eq!(
        ask(&path, &[("Authorization", &good), ("Origin", "null")]),
        403,
        "Origin null"
    );
    assert_eq!(
        ask("/api/v1/viewers/999999", &[("Authorization", &good)]),
        404,
        "an unknown viewer"
    );
    assert_eq!(
        ask("/api/v1/viewers/x", &[("Authorization", &good)]) / 100,
        4,
        "no number"
    );
}

#[test]
fn a_kicked_http_viewer_is_gone_and_the_others_stay() {
    let mut aerial = Aerial::live(SMALL);
    let stays = Viewer::join(aerial.address(), "/live.webm");
    let goes = Viewer::join(aerial.address(), "/live.webm");
    let listed = aerial.wait("both to be listed", |s| viewers(s, "http").len() == 2);
    let row = viewer_at(&listed, goes.address()).expect("listed by its address");
    assert_eq!(row["agent"], "it/1");
    assert_only_the_owner_kicks(&aerial, id(row));
    goes.wait_more(10_000);

    let answer = aerial.api("DELETE", &format!("/api/v1/viewers/{}", id(row)));
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    goes.wait_end();
    let after = aerial.wait("one to be gone", |s| viewers(s, "http").len() == 1);
    assert!(
        viewer_at(&after, stays.address()).is_some(),
        "the other one is still listed: {after:#}"
    );
    stays.wait_more(50_000);
    assert_eq!(
        aerial
            .api("DELETE", &format!("/api/v1/viewers/{}", id(row)))
            .status,
        404,
        "gone is gone"
    );
    aerial.stop();
}

#[test]
fn a_kicked_webrtc_viewer_is_gone_and_the_others_stay() {
    let mut aerial = Aerial::live(SMALL);
    let thread = Receivers::start();
    let stays = thread.join(aerial.address(), "stays/1");
    let goes = thread.join(aerial.address(), "goes/1");
    for viewer in [&stays, &goes] {
        assert!(viewer.wait(LONG, |got| got.video > 10 && got.audio > 10
            || got.over.is_some()));
        assert!(viewer.got().over.is_none(), "{:?}", viewer.got());
    }
    let listed = aerial.wait("both to be listed with their round-trip times", |s| {
        let all = viewers(s, "webrtc");
        all.len() == 2 && all.iter().all(|v| v["rtt_ms"].is_number())
    });
    let row = viewers(&listed, "webrtc")
        .into_iter()
        .find(|v| v["agent"] == "goes/1")
        .expect("its user agent");
    assert_only_the_owner_kicks(&aerial, id(row));

    assert_eq!(
        aerial
            .api("DELETE", &format!("/api/v1/viewers/{}", id(row)))
            .status,
        204
    );
    let after = aerial.wait("one to be gone", |s| viewers(s, "webrtc").len() == 1);
    assert_eq!(viewers(&after, "webrtc")[0]["agent"], "stays/1");
    let then = goes.got();
    let other = stays.got().video;
    assert!(
        stays.wait(LONG, |got| got.video > other + 30),
        "the other one goes on: {:?}",
        stays.got()
    );
    // In the time of thirty pictures for one, the other got none: what was on its way is a handful.
    assert!(
        goes.got().video <= then.video + 5,
        "{then:?} then {:?}",
        goes.got()
    );
    drop((stays, goes));
    aerial.stop();
}

#[test]
fn a_whep_viewer_who_says_good_bye_is_gone_at_once() {
    let mut aerial = Aerial::live(SMALL);
    let thread = Receivers::start();
    let viewer = thread.join(aerial.address(), "polite/1");
    assert!(viewer.wait(LONG, |got| got.video > 5 || got.over.is_some()));
    let location = viewer
        .got()
        .location
        .unwrap_or_else(|| panic!("201 comes with a Location: {:?}", viewer.got()));
    let path = location.strip_prefix(&aerial.link("")).unwrap_or(&location);
    aerial.wait("it to be listed", |s| viewers(s, "webrtc").len() == 1);
    let answer = http::request(aerial.address(), "DELETE", path, &[], b"");
    assert_eq!(answer.status / 100, 2, "{answer:?}");
    aerial.wait("it to be gone", |s| viewers(s, "webrtc").is_empty());
    assert_eq!(
        http::request(aerial.address(), "DELETE", path, &[], b"").status,
        404,
        "gone is gone"
    );
    aerial.stop();
}

#[test]
fn a_kicked_icecast_listener_is_gone_and_the_others_stay() {
    if !have(
        "a_kicked_icecast_listener_is_gone_and_the_others_stay",
        &[icecast::NEEDS, media::NEEDS].concat(),
    ) {
        return;
    }
    let icecast = Icecast::start();
    let target = icecast.target();
    let mut aerial = Aerial::live(&[SMALL, &["--icecast", &target]].concat());
    aerial.wait("Icecast to be live", |s| s["outputs"][0]["state"] == "live");
    let first = Probe::open(&icecast.link());
    first.wait_packets();
    let listed = aerial.wait("the first to be listed", |s| {
        viewers(s, "icecast").len() == 1
    });
    let goes = id(viewers(&listed, "icecast")[0]);
    let second = Probe::open(&icecast.link());
    second.wait_packets();
    aerial.wait("both to be listed", |s| viewers(s, "icecast").len() == 2);
    assert_only_the_owner_kicks(&aerial, goes);

    assert_eq!(
        aerial
            .api("DELETE", &format!("/api/v1/viewers/{goes}"))
            .status,
        204
    );
    first.wait_end();
    let after = aerial.wait("one to be gone", |s| viewers(s, "icecast").len() == 1);
    assert_ne!(id(viewers(&after, "icecast")[0]), goes);
    second.wait_packets();
    assert_eq!(after["outputs"][0]["state"], "live");
    drop(second);
    aerial.stop();
}

/// A connection whose system buffers hold little, so that whoever stops reading is soon behind.
fn narrow(aerial: &Aerial) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&aerial.address().into()).unwrap();
    socket.into()
}

#[test]
fn a_slow_viewer_is_skipped_to_a_key_frame_and_others_are_not_delayed() {
    let mut aerial = Aerial::live(&[
        "--video",
        "test",
        "--audio",
        "tone",
        "--size",
        "640x360",
        "--key-interval",
        "1s",
    ]);
    let fast = Viewer::join(aerial.address(), "/live.webm");
    let request = format!(
        "GET /live.webm HTTP/1.1\r\nHost: {}\r\nUser-Agent: slow/1\r\n\r\n",
        aerial.address()
    );
    let slow = Viewer::stuck(narrow(&aerial), &request);
    // What is kept for those who come late is six seconds long; some seconds later its place in that is lost.
    let far_behind = Cell::new(0);
    let behind = aerial.wait("the slow one to be far behind", |s| {
        let far = viewer_at(s, slow.address()).is_some_and(|v| v["queue"].as_u64() > Some(5_800));
        far_behind.set(far_behind.get() + u32::from(far));
        far_behind.get() > 4
    });
    let row = viewer_at(&behind, fast.address()).expect("the fast one is still here");
    assert_eq!(row["dropped"], 0, "the fast one missed nothing: {behind:#}");
    assert!(
        row["queue"].as_u64() < Some(1000),
        "the fast one is up to date: {behind:#}"
    );

    // It reads again: what it gets goes on at a key frame.
    let slow = slow.reading();
    slow.wait_more(600_000);
    fast.wait_more(100_000);
    let now = aerial.wait("the skip to be counted", |s| {
        viewer_at(s, slow.address()).is_some_and(|v| v["dropped"].as_u64() > Some(0))
    });
    assert!(
        viewer_at(&now, slow.address()).unwrap()["queue"].as_u64() < Some(5_000),
        "{now:#}"
    );
    assert_eq!(
        viewer_at(&now, fast.address()).unwrap()["dropped"],
        0,
        "{now:#}"
    );
    if have("decoding", media::NEEDS) {
        let file = aerial.path("slow.webm");
        std::fs::write(&file, slow.kept()).unwrap();
        let probed = media::probe(&file);
        let video = probed["packets"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|p| p["codec_type"] == "video");
        let times: Vec<(f64, bool)> = video
            .map(|p| {
                let time = p["pts_time"].as_str().unwrap().parse().unwrap();
                (time, p["flags"].as_str().unwrap().starts_with('K'))
            })
            .collect();
        // A picture lasts 33 ms; half a second without one is a skip.
        let skips: Vec<_> = times
            .windows(2)
            .filter(|w| w[1].0 - w[0].0 > 0.5)
            .map(|w| w[1])
            .collect();
        assert!(
            !skips.is_empty(),
            "nothing is missing in {} pictures",
            times.len()
        );
        assert!(
            skips.iter().all(|(_, key)| *key),
            "it goes on at key frames: {skips:?}"
        );
        assert!(
            times.windows(2).all(|w| w[0].0 <= w[1].0),
            "times only grow"
        );
    }
    drop((fast, slow));
    aerial.stop();
}

#[test]
fn a_viewer_who_never_reads_is_let_go_after_the_time_that_was_set() {
    let mut aerial = Aerial::live(&[SMALL, &["--max-stall", "2s"]].concat());
    let fast = Viewer::join(aerial.address(), "/live.webm");
    let request = format!(
        "GET /live.webm HTTP/1.1\r\nHost: {}\r\n\r\n",
        aerial.address()
    );
    let stuck = Viewer::stuck(narrow(&aerial), &request);
    aerial.wait("it to be listed", |s| {
        viewer_at(s, stuck.address()).is_some()
    });
    aerial.wait("it to be let go", |s| {
        viewer_at(s, stuck.address()).is_none()
    });
    let history = aerial.api("GET", "/api/v1/viewers/history").json();
    let left = history.as_array().unwrap().iter();
    let left: Vec<_> = left.filter(|v| v["end"] == "slow").collect();
    assert_eq!(left.len(), 1, "{history:#}");
    let number = |name: &str| left[0][name].as_f64().unwrap();
    let lasted = number("left") - number("joined");
    assert!(lasted >= 2.0, "it lasted {lasted} s");
    fast.wait_more(50_000);
    drop((fast, stuck));
    aerial.stop();
}

#[test]
fn a_webrtc_viewer_who_vanishes_leaves_the_list() {
    let mut aerial = Aerial::live(SMALL);
    let thread = Receivers::start();
    let viewer = thread.join(aerial.address(), "gone/1");
    assert!(
        viewer.wait(LONG, |got| got.video > 5 || got.over.is_some()),
        "{:?}",
        viewer.got()
    );
    aerial.wait("it to be listed", |s| viewers(s, "webrtc").len() == 1);
    // No good-bye: its socket is just closed.
    drop(viewer);
    aerial.wait("it to be gone", |s| viewers(s, "webrtc").is_empty());
    assert!(aerial.stop() < Duration::from_secs(6));
}

/// Another computer, as far as addresses go.
fn elsewhere(aerial: &Aerial) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let from: SocketAddr = "127.0.0.2:0".parse().unwrap();
    socket.bind(&from.into()).unwrap();
    socket.connect(&aerial.address().into()).unwrap();
    socket.into()
}

/// What a viewer at another address is answered first.
fn answered(aerial: &Aerial, path: &str) -> String {
    let mut socket = elsewhere(aerial);
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: =else\r\n\r\n",
        aerial.address()
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line).unwrap();
    line
}

/// What the system calls an address, if anything.
fn host_of(ip: &str) -> Option<String> {
    let known = Command::new("getent").args(["hosts", ip]).output().unwrap();
    let known = String::from_utf8_lossy(&known.stdout);
    known.split_whitespace().nth(1).map(String::from)
}

#[test]
fn who_is_banned_is_gone_and_stays_out_until_let_in_again_and_the_history_tells() {
    let mut aerial = Aerial::live(SMALL);
    let stays = Viewer::join(aerial.address(), "/live.webm");
    let request = format!(
        "GET /live.webm HTTP/1.1\r\nHost: {}\r\nUser-Agent: =else\r\n\r\n",
        aerial.address()
    );
    let goes = Viewer::start(elsewhere(&aerial), &request, false);
    let listed = aerial.wait("both to be listed", |s| viewers(s, "http").len() == 2);
    let row = viewer_at(&listed, goes.address()).expect("listed by its address");
    goes.wait_more(10_000);
    let of = |what: &str| format!("/api/v1/viewers/{}/{what}", id(row));
    let near = viewer_at(&listed, stays.address()).expect("listed by its address");
    for (row, ip) in [(near, "127.0.0.1"), (row, "127.0.0.2")] {
        let path = format!("/api/v1/viewers/{}/host", id(row));
        let found = aerial.api("POST", &path);
        let told: Value = serde_json::from_slice(&found.body).unwrap();
        match host_of(ip) {
            Some(name) => assert_eq!((found.status, &told["host"]), (200, &Value::from(name))),
            None => assert_eq!(found.status, 404, "{told}"),
        }
    }
    let note = aerial.api_with("PUT", &of("note"), r#"{"note": "talks, \"much\""}"#);
    assert_eq!(note.status, 204);
    aerial.wait("the note", |s| {
        viewers(s, "http")
            .iter()
            .any(|v| v["note"] == "talks, \"much\"")
    });

    assert_eq!(aerial.api("POST", &of("ban")).status, 204);
    goes.wait_end();
    for path in [
        "/live.webm",
        "/live.mjpeg",
        "/hls/index.m3u8",
        "/snapshot.jpg",
    ] {
        let line = answered(&aerial, path);
        assert!(line.starts_with("HTTP/1.1 403 "), "{path}: {line}");
    }
    // The page is there, to say so.
    assert!(answered(&aerial, "/").starts_with("HTTP/1.1 200 "));
    stays.wait_more(10_000);
    let bans = aerial.api("GET", "/api/v1/bans").json();
    assert_eq!(bans.as_array().unwrap().len(), 1, "{bans:#}");
    assert_eq!(bans[0]["address"], "127.0.0.2");
    assert_eq!(bans[0]["note"], "talks, \"much\"");

    let table = aerial.api("GET", "/api/v1/viewers/history.csv");
    let table = String::from_utf8(table.body).unwrap();
    let gone: Vec<_> = table.lines().filter(|l| l.contains("127.0.0.2")).collect();
    assert_eq!(gone.len(), 1, "{table}");
    // Strangers name themselves: no spreadsheet may take that for a formula.
    assert!(
        gone[0].contains("\"'=else\"") && gone[0].contains(",banned,"),
        "{}",
        gone[0]
    );
    let history = aerial.api("GET", "/api/v1/viewers/history").json();
    let here = history
        .as_array()
        .unwrap()
        .iter()
        .filter(|v| v["left"].is_null());
    assert_eq!(here.count(), 1, "{history:#}");

    assert_eq!(aerial.api("DELETE", "/api/v1/bans/127.0.0.2").status, 204);
    assert_eq!(aerial.api("DELETE", "/api/v1/bans/127.0.0.2").status, 404);
    assert_eq!(aerial.api("DELETE", "/api/v1/bans/nobody").status, 404);
    assert_eq!(aerial.api("POST", "/api/v1/viewers/99999/ban").status, 404);
    let line = answered(&aerial, "/live.webm");
    assert!(line.starts_with("HTTP/1.1 200 "), "{line}");
    drop(stays);
    aerial.stop();
}

#[test]
fn viewers_come_and_go_in_every_way_and_nothing_of_them_is_left() {
    let mut aerial = Aerial::live(SMALL);
    let crowd = Crowd {
        address: aerial.address(),
        token: aerial.token(),
        pid: aerial.pid(),
        joins: 100,
        lasts: Duration::ZERO,
    };
    let (before, after) = crowd.run().unwrap();
    // Threads and descriptors are no more than before, or it would have failed.
    let grown = after.memory.saturating_sub(before.memory);
    assert!(grown < 32 << 20, "{before:?}, then {after:?}");
    aerial.stop();
}
