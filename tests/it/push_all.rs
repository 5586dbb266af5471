// SPDX-License-Identifier: GPL-3.0-or-later
//! Everything that can be pushed to at once, and a recording: one after the other is killed and comes back, and the
//! others never notice.

use crate::{
    icecast::{self, Icecast},
    media::{self, Probe},
    peers::{HEADER, JANUS, Janus, SignallingServer},
    push::{NGINX, Nginx, SMALL, SRT, Transmit, encoders, go_on, output},
    rig::{Aerial, free_port, have_alone, signal},
};

const ALL: &[&str] = &[
    "rtmp", "srt", "whip", "webrtc", "webrtc-2", "icecast", "record",
];

/// Waits until this one is lost, and sees that all others go on.
fn lost(aerial: &Aerial, name: &str) {
    aerial.wait(&format!("the loss of {name} to be told"), |s| {
        ["waiting", "connecting"].contains(&output(s, name)["state"].as_str().unwrap())
    });
    let others: Vec<_> = ALL.iter().copied().filter(|n| *n != name).collect();
    go_on(aerial, &others);
}

#[test]
fn every_kind_at_once_and_each_is_killed_and_comes_back_while_the_others_go_on() {
    let story = "every_kind_at_once_and_each_is_killed_and_comes_back_while_the_others_go_on";
    let needs = [media::NEEDS, NGINX, SRT, JANUS, icecast::NEEDS].concat();
    if !have_alone(story, &needs) {
        return;
    }
    let guest_studio = |port: u16| {
        let listen = format!("127.0.0.1:{port}");
        let args = [
            "--video", "guest", "--audio", "guest", "--size", "320x180", "--listen", &listen,
        ];
        Aerial::live(&[&args[..], &["--api-token", "t0ken-Ff6"]].concat())
    };
    let nginx = Nginx::new();
    let port = free_port();
    let transmit = Transmit::new(format!("srt://127.0.0.1:{port}?mode=listener"));
    let whip_port = free_port();
    let janus = Janus::new();
    let mut icecast = Icecast::start();
    let signalling_port = free_port();
    let (rtmp, srt) = (nginx.url("live/k3y-Gg7"), format!("srt://127.0.0.1:{port}"));
    let whip = format!("http://127.0.0.1:{whip_port}/whip#token=t0ken-Ff6");
    let room = janus.target(77);
    let header = format!("{}:%20{}", HEADER.0, HEADER.1.replace(' ', "%20"));
    let signalling = format!("webrtcsink+ws://127.0.0.1:{signalling_port}?header={header}");

    let servers = (nginx.start(), transmit.start(), janus.start());
    let (nginx_runs, srt_runs, janus_runs) = servers;
    let receiver = guest_studio(whip_port);
    let server = SignallingServer::start(signalling_port);
    let mut args = SMALL.to_vec();
    args.extend(["--rtmp", &rtmp, "--srt", &srt, "--whip", &whip]);
    args.extend(["--webrtc", &room, "--webrtc", &signalling]);
    let mount = icecast.target();
    args.extend(["--icecast", &mount, "--record", "x.mkv"]);
    let mut aerial = Aerial::live(&args);
    let viewer = server.watch(&server.producer());
    go_on(&aerial, ALL);
    let one_each = ["aac audio", "h264 full", "opus audio", "vp8 full"];
    aerial.wait("one encoder per codec", |s| encoders(s) == one_each);
    let first = aerial.statuses().len();

    drop(nginx_runs);
    lost(&aerial, "rtmp");
    let _nginx = nginx.start();
    go_on(&aerial, ALL);
    Probe::open(&rtmp).wait_packets();

    drop(srt_runs);
    lost(&aerial, "srt");
    let _srt = transmit.start();
    go_on(&aerial, ALL);

    signal(receiver.pid(), "KILL");
    drop(receiver);
    lost(&aerial, "whip");
    let _receiver = guest_studio(whip_port);
    go_on(&aerial, ALL);

    drop(janus_runs);
    lost(&aerial, "webrtc");
    let _janus = janus.start();
    go_on(&aerial, ALL);
    janus.watch(77).wait_packets();

    drop(server);
    lost(&aerial, "webrtc-2");
    drop(viewer);
    let server = SignallingServer::start(signalling_port);
    let _viewer = server.watch(&server.producer());
    go_on(&aerial, ALL);

    icecast.kill();
    lost(&aerial, "icecast");
    icecast.start_again();
    go_on(&aerial, ALL);

    for status in &aerial.statuses()[first..] {
        assert_eq!(encoders(status), one_each, "{status:#}");
        assert_eq!(output(status, "record")["state"], "live");
    }
    let file = aerial.path("x.mkv");
    aerial.stop();
    let probe = media::probe(&file);
    assert_eq!(probe["streams"].as_array().unwrap().len(), 2);
    let said = aerial.said();
    for secret in ["k3y-", "t0ken", "s1gnal"] {
        assert!(!said.contains(secret), "{said}");
    }
}
