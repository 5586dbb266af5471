// SPDX-License-Identifier: GPL-3.0-or-later
//! Pushed over WebRTC to other people's servers, which are killed and started again.

use gst::prelude::*;
use serde_json::Value;

use crate::{
    browser::{self, Browser},
    gst_viewer::GstViewer,
    peers::{HEADER, JANUS, Janus, SignallingServer},
    push::{SMALL, encoders, go_on, output},
    rig::{Aerial, free_port, have, viewers},
};

/// Fails unless there is one encoder for the picture and one for the sound.
fn assert_one_encode(status: &Value) {
    assert_eq!(encoders(status), ["opus audio", "vp8 full"], "{status:#}");
}

#[test]
fn h264_is_watched_in_a_browser() {
    if !have("h264_is_watched_in_a_browser", browser::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(&[SMALL, &["--video-codec", "h264"]].concat());
    let mut page = Browser::open(&aerial.link("/"), &[]);
    page.wait_first_frame();
    aerial.wait("a viewer of H.264", |s| {
        viewers(s, "webrtc")
            .iter()
            .any(|v| v["format"] == "h264+opus")
    });
    let both = ["h264 full", "opus audio"];
    for _ in 0..3 {
        aerial.wait_anew("one encoder each", |s| encoders(s) == both);
    }
    let seen = page.finish();
    assert!(seen["frames"].as_u64() > Some(20), "{seen}");
    assert_eq!(
        (&seen["width"], &seen["height"]),
        (&320.into(), &180.into())
    );
    aerial.stop();
}

#[test]
fn a_whip_endpoint_of_our_own_is_pushed_to_and_comes_back_after_it_was_killed() {
    let studio = |port: u16| {
        Aerial::live(&[
            "--video",
            "guest",
            "--audio",
            "guest",
            "--size",
            "320x180",
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--api-token",
            "t0ken-Ee5",
        ])
    };
    let connected = |s: &Value| {
        let guest = s["sources"]
            .as_array()
            .unwrap()
            .iter()
            .find(|s| s["kind"] == "video");
        guest.is_some_and(|g| g["state"] == "live" && g["guest"]["bitrate"].as_u64() > Some(50_000))
    };
    let port = free_port();
    let first = studio(port);
    let url = format!("http://127.0.0.1:{port}/whip#token=t0ken-Ee5");
    let other = format!("http://127.0.0.1:{port}/whip#token=wr0ng-token");
    let mut aerial = Aerial::live(&[SMALL, &["--whip", &url, "--whip", &other]].concat());
    go_on(&aerial, &["whip"]);
    first.wait("the guest to be seen", connected);
    let status = aerial.wait("the wrong token to be refused", |s| {
        output(s, "whip-2")["state"] == "failed"
    });
    let error = output(&status, "whip-2")["error"].as_str().unwrap();
    assert!(error.contains("refused"), "{error}");
    assert_one_encode(&status);
    // Killed outright: nobody says goodbye.
    crate::rig::signal(first.pid(), "KILL");
    drop(first);
    aerial.wait("the loss to be told", |s| {
        output(s, "whip")["state"] == "waiting"
    });
    let second = studio(port);
    go_on(&aerial, &["whip"]);
    second.wait("the guest to be seen again", connected);
    aerial.stop();
    second.wait("the guest to have left, politely", |s| !connected(s));
    let said = aerial.said();
    assert!(!said.contains("t0ken") && !said.contains("wr0ng"), "{said}");
}

#[test]
fn gstreamers_whip_server_gets_picture_and_sound_and_again_after_it_was_gone() {
    let port = free_port();
    let start = || {
        let source = GstViewer::source("whipserversrc");
        let signaller = source.property::<glib::Object>("signaller");
        signaller.set_property("host-addr", format!("http://127.0.0.1:{port}"));
        signaller.set_property("stun-server", None::<&str>);
        GstViewer::receive(source)
    };
    let server = start();
    let url = format!("http://127.0.0.1:{port}/whip/endpoint");
    let mut aerial = Aerial::live(&[SMALL, &["--whip", &url, "--record", "x.mkv"]].concat());
    server.wait_packets();
    go_on(&aerial, &["whip", "record"]);
    drop(server);
    aerial.wait("the loss to be told", |s| {
        output(s, "whip")["state"] == "waiting"
    });
    go_on(&aerial, &["record"]);
    let server = start();
    server.wait_packets();
    go_on(&aerial, &["whip", "record"]);
    aerial.stop();
}

#[test]
fn a_room_of_janus_is_published_to_and_again_after_janus_was_killed() {
    let story = "a_room_of_janus_is_published_to_and_again_after_janus_was_killed";
    if !have(story, JANUS) {
        return;
    }
    let janus = Janus::new();
    let server = janus.start();
    let url = janus.target(77);
    let wrong = url.replace("1234", "4321").replace("77", "78");
    let mut aerial = Aerial::live(&[SMALL, &["--webrtc", &url, "--webrtc", &wrong]].concat());
    go_on(&aerial, &["webrtc"]);
    let viewer = janus.watch(77);
    viewer.wait_packets();
    viewer.wait_packets();
    drop(viewer);
    let status = aerial.wait("the wrong room to be told", |s| {
        output(s, "webrtc-2")["state"] == "waiting"
    });
    let error = output(&status, "webrtc-2")["error"].as_str().unwrap();
    assert!(error.contains("no such room"), "{error}");
    assert_eq!(output(&status, "webrtc")["kind"], "janus");
    assert_one_encode(&status);
    drop(server);
    aerial.wait("the loss to be told", |s| {
        output(s, "webrtc")["state"] == "waiting"
    });
    let _server = janus.start();
    go_on(&aerial, &["webrtc"]);
    janus.watch(77).wait_packets();
    aerial.stop();
}

#[test]
fn viewers_come_through_a_foreign_signalling_server_and_can_be_let_go() {
    let port = free_port();
    let server = SignallingServer::start(port);
    let header = format!("{}:%20{}", HEADER.0, HEADER.1.replace(' ', "%20"));
    let url = format!("webrtcsink+ws://127.0.0.1:{port}?header={header}");
    let mut aerial = Aerial::live(&[SMALL, &["--webrtc", &url]].concat());
    let producer = server.producer();
    let status = aerial.wait("a status", |_| true);
    assert_eq!(
        output(&status, "webrtc")["state"],
        "connecting",
        "nobody watches"
    );
    let viewer = server.watch(&producer);
    viewer.wait_packets();
    go_on(&aerial, &["webrtc"]);
    let status = aerial.wait("the viewer to be listed", |s| {
        viewers(s, "webrtc")
            .first()
            .is_some_and(|v| v["bytes"].as_u64() > Some(10_000))
    });
    assert_one_encode(&status);
    let id = &viewers(&status, "webrtc")[0]["id"];
    assert_eq!(
        aerial
            .api("DELETE", &format!("/api/v1/viewers/{id}"))
            .status,
        204
    );
    server.wait_ended(1);
    aerial.wait("it to be let go", |s| {
        viewers(s, "webrtc").is_empty() && output(s, "webrtc")["state"] == "connecting"
    });
    drop(viewer);
    let viewer = server.watch(&producer);
    go_on(&aerial, &["webrtc"]);
    drop(server);
    aerial.wait("the loss to be told", |s| {
        output(s, "webrtc")["state"] == "waiting"
    });
    drop(viewer);
    let server = SignallingServer::start(port);
    let viewer = server.watch(&server.producer());
    viewer.wait_packets();
    go_on(&aerial, &["webrtc"]);
    aerial.stop();
    assert!(!aerial.said().contains("s1gnal"));
}

#[test]
fn viewers_for_whom_there_is_no_room_are_turned_away() {
    let story = "viewers_for_whom_there_is_no_room_are_turned_away";
    if !have(story, &["prlimit"]) {
        return;
    }
    let server = SignallingServer::start(free_port());
    let header = format!("{}:%20{}", HEADER.0, HEADER.1.replace(' ', "%20"));
    let url = format!("webrtcsink+ws://127.0.0.1:{}?header={header}", server.port);
    let mut aerial = Aerial::live(&[SMALL, &["--webrtc", &url]].concat());
    let producer = server.producer();
    // Half of them is for two viewers.
    let pid = aerial.pid().to_string();
    let limited = std::process::Command::new("prlimit")
        .args(["--nofile=143", "--pid", &pid])
        .status();
    assert!(limited.unwrap().success());
    let first: Vec<_> = (0..2).map(|_| server.watch(&producer)).collect();
    for viewer in &first {
        viewer.wait_packets();
    }
    let late = server.watch(&producer);
    server.wait_ended(1);
    let status = aerial.wait_anew("a status", |_| true);
    assert_eq!(viewers(&status, "webrtc").len(), 2);
    go_on(&aerial, &["webrtc"]);
    // Where one has left, there is room again.
    drop((first, late));
    aerial.wait("them to have left", |s| viewers(s, "webrtc").is_empty());
    server.watch(&producer).wait_packets();
    aerial.stop();
}

#[test]
fn each_viewer_has_an_encoder_where_that_was_asked_for() {
    let server = SignallingServer::start(free_port());
    let header = format!("{}:%20{}", HEADER.0, HEADER.1.replace(' ', "%20"));
    let url = format!(
        "webrtcsink+ws://127.0.0.1:{}?mode=adaptive&header={header}",
        server.port
    );
    let mut aerial = Aerial::live(&[SMALL, &["--webrtc", &url]].concat());
    let viewer = server.watch(&server.producer());
    viewer.wait_packets();
    go_on(&aerial, &["webrtc"]);
    let status = aerial.wait("a status", |_| true);
    assert_eq!(
        encoders(&status),
        Vec::<String>::new(),
        "the shared encode is not used"
    );
    aerial.stop();
}
