// SPDX-License-Identifier: GPL-3.0-or-later
//! One encode feeds every protocol and any number of viewers.

use std::{collections::BTreeSet, time::Instant};

use serde_json::Value;

use crate::{
    browser::{self, Browser},
    gst_viewer::GstViewer,
    http::Viewer,
    icecast::{self, Icecast},
    media::{self, Probe},
    rig::{Aerial, checkout, have, output, viewers},
};

/// Fails unless this status has one encoder for the picture and one for the sound.
fn assert_one_encode(status: &Value) {
    let mut encoders: Vec<_> = status["encoders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["codec"].as_str().unwrap(), e["rung"].as_str().unwrap()))
        .collect();
    encoders.sort();
    assert_eq!(
        encoders,
        [("opus", "audio"), ("vp8", "full")],
        "one encode for all: {status:#}"
    );
}

#[test]
fn one_encode_feeds_every_protocol_at_once() {
    let needs = [browser::NEEDS, icecast::NEEDS, media::NEEDS].concat();
    if !have("one_encode_feeds_every_protocol_at_once", &needs) {
        return;
    }
    let icecast = Icecast::start();
    let mut aerial = Aerial::live(&[
        "--video",
        "test",
        "--audio",
        "tone",
        "--size",
        "640x360",
        "--icecast",
        &icecast.target(),
        "--record",
        "x.webm",
    ]);
    let record = aerial.path("x.webm");
    aerial.wait("Icecast and the recording to be live", |s| {
        output(s, "icecast")["state"] == "live" && output(s, "record")["state"] == "live"
    });

    // Everybody joins, one after the other: six programs that start at once would only fight for the processor.
    let probe = Probe::open(&aerial.link("/live.webm"));
    probe.wait_packets();
    let listener = Probe::open(&icecast.link());
    listener.wait_packets();
    let web = format!("/test/={}", checkout("tests/web").display());
    let mut pages = [
        (
            "WHEP, the watch page",
            Browser::open(&aerial.link("/"), &[]),
        ),
        (
            "gstwebrtc-api",
            Browser::open(
                &aerial.link("/test/watch.html"),
                &["--serve", &web, "--eval", "JSON.stringify(seen)"],
            ),
        ),
        ("/live.webm", Browser::open(&aerial.link("/live.webm"), &[])),
    ];
    for (what, page) in &mut pages {
        eprintln!("waiting for {what}");
        page.wait_first_frame();
    }

    let gst = GstViewer::watch(aerial.address());
    gst.wait_packets();

    let all = aerial.wait("every viewer to be listed", |s| {
        let agents = |transport| -> Vec<&str> {
            viewers(s, transport)
                .iter()
                .map(|v| v["agent"].as_str().unwrap_or_default())
                .collect()
        };
        let (http, webrtc, icecast) = (agents("http"), agents("webrtc"), agents("icecast"));
        let count =
            |agents: &[&str], word: &str| agents.iter().filter(|a| a.contains(word)).count();
        http.len() == 2
            && count(&http, "Lavf") == 1
            && count(&http, "Chrom") == 1
            && webrtc.len() == 3
            && count(&webrtc, "Chrom") == 2
            && icecast.len() == 1
    });
    assert_one_encode(&all);
    for viewer in all["viewers"].as_array().unwrap() {
        assert!(
            viewer["address"].as_str().unwrap().starts_with("127.0.0.1"),
            "{viewer}"
        );
    }
    // Each one gets more while all the others watch too.
    probe.wait_packets();
    listener.wait_packets();
    gst.wait_packets();
    let told = aerial.wait_anew("the picture to be at full rate", |s| {
        let video = s["encoders"]
            .as_array()
            .unwrap()
            .iter()
            .find(|e| e["rung"] == "full");
        viewers(s, "webrtc")
            .iter()
            .all(|v| v["bytes"].as_u64() > Some(10_000))
            && video.is_some_and(|e| {
                e["width"] == 640 && e["height"] == 360 && e["bitrate"].as_u64() > Some(50_000)
            })
    });
    for name in ["icecast", "record"] {
        assert_eq!(output(&told, name)["state"], "live");
        assert!(
            output(&told, name)["bytes"].as_u64() > Some(10_000),
            "{told:#}"
        );
    }
    // The same object over HTTP.
    let over_http: Value =
        serde_json::from_slice(&aerial.api("GET", "/api/v1/status").body).unwrap();
    assert_one_encode(&over_http);
    assert_eq!(over_http["viewers"].as_array().unwrap().len(), 6);

    for (what, page) in pages {
        let saw = page.finish();
        assert_eq!(saw["ok"], true, "{what}: {saw:#}");
        assert_eq!(
            (&saw["width"], &saw["height"]),
            (&640.into(), &360.into()),
            "{what}: {saw:#}"
        );
        assert_eq!(saw["media_error"], Value::Null, "{what}: {saw:#}");
        assert_eq!(
            saw["page_errors"].as_array().map(Vec::len),
            Some(0),
            "{what}: {saw:#}"
        );
        assert_eq!(
            saw["kind"],
            if what == "/live.webm" {
                "src"
            } else {
                "srcObject"
            },
            "{what}: {saw:#}"
        );
    }
    drop((probe, listener, gst));
    aerial.wait("everybody to be gone from the list", |s| {
        s["viewers"].as_array().is_some_and(|v| v.is_empty())
    });
    for status in aerial.statuses() {
        assert!(
            status["encoders"].as_array().unwrap().len() <= 2,
            "never more than one encode: {status:#}"
        );
    }
    aerial.stop();
    let probed = media::probe(&record);
    assert_eq!(media::codecs(&probed), ["opus", "vp8"]);
    assert!(media::decode(&record) > 30);
}

#[test]
fn fifty_viewers_join_and_the_encoder_count_stays_at_one() {
    let mut aerial = Aerial::live(&["--video", "test", "--audio", "tone", "--size", "640x360"]);
    let before = aerial.statuses().len();
    let crowd: Vec<_> = (0..50)
        .map(|_| {
            let viewer = Viewer::join(aerial.address(), "/live.webm");
            assert_eq!(viewer.reply.status, 200);
            viewer
        })
        .collect();
    for viewer in &crowd {
        viewer.wait_more(20_000);
    }
    let all = aerial.wait_anew("fifty rows", |s| viewers(s, "http").len() == 50);
    let ids: BTreeSet<_> = viewers(&all, "http")
        .iter()
        .map(|v| v["id"].as_u64())
        .collect();
    let addresses: BTreeSet<_> = viewers(&all, "http")
        .iter()
        .map(|v| v["address"].as_str().unwrap())
        .collect();
    assert_eq!(
        (ids.len(), addresses.len()),
        (50, 50),
        "each has a row of its own"
    );
    assert_one_encode(&all);
    for viewer in &crowd {
        viewer.wait_more(20_000);
        assert_eq!(viewer.reply.header("content-type"), Some("video/webm"));
    }
    for status in &aerial.statuses()[before..] {
        assert!(
            status["encoders"].as_array().unwrap().len() <= 2,
            "{status:#}"
        );
    }
    drop(crowd);
    aerial.wait("everybody to be gone from the list", |s| {
        s["viewers"].as_array().is_some_and(|v| v.is_empty())
    });
    // And nobody needs an encoder any more.
    aerial.wait("the encoders to end", |s| {
        s["encoders"].as_array().is_some_and(|e| e.is_empty())
    });
    aerial.stop();
}

#[test]
fn a_viewer_gets_a_picture_that_can_be_decoded_at_once() {
    let mut aerial = Aerial::live(&[
        "--video",
        "test",
        "--audio",
        "tone",
        "--size",
        "640x360",
        "--key-interval",
        "10s",
    ]);
    let first = Viewer::join(aerial.address(), "/live.webm");
    // Some seconds into a group of pictures, so that waiting for the next key frame would show.
    aerial.wait("pictures between two key frames", |s| {
        viewers(s, "http")
            .first()
            .is_some_and(|v| v["bytes"].as_u64() > Some(400_000))
    });
    let joined = Instant::now();
    let request = format!(
        "GET /live.webm HTTP/1.1\r\nHost: {}\r\n\r\n",
        aerial.address()
    );
    let late = Viewer::start(
        std::net::TcpStream::connect(aerial.address()).unwrap(),
        &request,
        true,
    );
    late.wait_more(60_000);
    let took = joined.elapsed();
    let file = aerial.path("late.webm");
    std::fs::write(&file, late.kept()).unwrap();
    drop((first, late));
    if have("decoding", media::NEEDS) {
        let probed = media::probe(&file);
        let packets = probed["packets"].as_array().unwrap();
        let video = packets
            .iter()
            .find(|p| p["codec_type"] == "video")
            .expect("a picture is there");
        assert!(
            video["flags"].as_str().unwrap().starts_with('K'),
            "begins with a key frame: {video}"
        );
    }
    assert!(
        took.as_secs() < 8,
        "it waited {took:?}: for the next key frame"
    );
    aerial.stop();
}
