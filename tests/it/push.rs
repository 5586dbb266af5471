// SPDX-License-Identifier: GPL-3.0-or-later
//! Pushed to real servers, which are killed and started again while the others go on.

use std::{
    fs,
    net::{TcpStream, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{
    media::{self, Probe},
    rig::{Aerial, Home, free_port, have, wait_for},
};

pub const SMALL: &[&str] = &[
    "--video",
    "test",
    "--audio",
    "tone",
    "--size",
    "320x180",
    "--video-bitrate",
    "400k",
];

/// A server of a story: killed when it goes.
pub struct Server(Child);

impl Server {
    pub fn start(command: &mut Command) -> Server {
        let quiet = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Server(quiet.spawn().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// nginx with its RTMP module.
pub struct Nginx {
    folder: PathBuf,
    port: u16,
    _home: Home,
}

pub const NGINX: &[&str] = &["nginx", "/usr/lib/nginx/modules/ngx_rtmp_module.so"];

impl Nginx {
    pub fn new() -> Nginx {
        let home = Home::new();
        let folder = home.path("nginx");
        fs::create_dir(&folder).unwrap();
        let (port, module, place) = (free_port(), NGINX[1], folder.display());
        let config = format!(
            "load_module {module}; daemon off; master_process off; pid {place}/pid; error_log {place}/error.log; worker_processes 1;
             events {{ worker_connections 64; }}
             rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; }} application closed {{ live on; deny publish all; }} }} }}"
        );
        fs::write(folder.join("nginx.conf"), config).unwrap();
        Nginx {
            folder,
            port,
            _home: home,
        }
    }

    pub fn start(&self) -> Server {
        let mut command = Command::new("nginx");
        command
            .arg("-p")
            .arg(&self.folder)
            .args(["-c", "nginx.conf"]);
        command.arg("-e").arg(self.folder.join("error.log"));
        let server = Server::start(&mut command);
        let port = self.port;
        wait_for("nginx", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        server
    }

    pub fn url(&self, path: &str) -> String {
        format!("rtmp://127.0.0.1:{}/{path}", self.port)
    }
}

/// `srt-live-transmit` that is called, and passes on by UDP what it gets.
pub struct Transmit {
    from: String,
    to: u16,
}

pub const SRT: &[&str] = &["srt-live-transmit"];

impl Transmit {
    pub fn new(from: String) -> Transmit {
        let to = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = to.local_addr().unwrap().port();
        Transmit { from, to }
    }

    pub fn start(&self) -> Server {
        let to = format!("udp://127.0.0.1:{}", self.to);
        Server::start(Command::new("srt-live-transmit").args([&self.from, &to]))
    }

    /// ffprobe on what comes out of it.
    pub fn probe(&self) -> Probe {
        Probe::open(&format!("udp://127.0.0.1:{}?timeout=60000000", self.to))
    }
}

/// The output of that name.
pub fn output<'a>(status: &'a Value, name: &str) -> &'a Value {
    let all = status["outputs"].as_array().unwrap();
    all.iter()
        .find(|o| o["name"] == name)
        .unwrap_or(&Value::Null)
}

pub fn bytes(status: &Value, name: &str) -> u64 {
    output(status, name)["bytes"].as_u64().unwrap_or_default()
}

/// Waits until these outputs are live and have taken more.
pub fn go_on(aerial: &Aerial, names: &[&str]) {
    let before = aerial.wait_anew("a status", |_| true);
    aerial.wait(&format!("{names:?} to go on"), |s| {
        names.iter().all(|name| {
            output(s, name)["state"] == "live" && bytes(s, name) > bytes(&before, name) + 20_000
        })
    });
}

/// How many encoders there are of each codec and size.
pub fn encoders(status: &Value) -> Vec<String> {
    let rows = status["encoders"].as_array().unwrap();
    let mut all: Vec<String> = rows
        .iter()
        .map(|e| {
            format!(
                "{} {}",
                e["codec"].as_str().unwrap(),
                e["rung"].as_str().unwrap()
            )
        })
        .collect();
    all.sort();
    all
}

#[test]
fn two_rtmp_servers_share_one_encode_and_one_is_killed_and_comes_back() {
    let story = "two_rtmp_servers_share_one_encode_and_one_is_killed_and_comes_back";
    if !have(story, &[media::NEEDS, NGINX].concat()) {
        return;
    }
    let (one, other) = (Nginx::new(), Nginx::new());
    let first = one.start();
    let _second = other.start();
    let mut args = SMALL.to_vec();
    let urls = [one.url("live/k3y-Aa1"), other.url("live/k3y-Bb2")];
    args.extend(["--rtmp", &urls[0], "--rtmp", &urls[1]]);
    let mut aerial = Aerial::live(&args);
    go_on(&aerial, &["rtmp", "rtmp-2"]);
    for url in &urls {
        Probe::open(url).wait_packets();
    }
    let status = aerial.wait("a status", |_| true);
    assert_eq!(encoders(&status), ["aac audio", "h264 full"]);
    drop(first);
    let lost = aerial.wait("the loss to be told", |s| {
        output(s, "rtmp")["state"] == "waiting"
    });
    let error = output(&lost, "rtmp")["error"].as_str().unwrap();
    assert!(error.contains("127.0.0.1"), "{error}");
    go_on(&aerial, &["rtmp-2"]);
    let _first = one.start();
    go_on(&aerial, &["rtmp", "rtmp-2"]);
    Probe::open(&urls[0]).wait_packets();
    aerial.stop();
    assert!(!aerial.said().contains("k3y-"), "a stream key was shown");
}

#[test]
fn an_rtmp_server_that_never_answers_or_refuses_is_never_live() {
    let story = "an_rtmp_server_that_never_answers_or_refuses_is_never_live";
    if !have(story, NGINX) {
        return;
    }
    let nginx = Nginx::new();
    let _server = nginx.start();
    // Takes connections, and says nothing.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mute = format!("rtmp://{}/live/x", mute.local_addr().unwrap());
    let mut args = SMALL.to_vec();
    let closed = nginx.url("closed/x");
    let unknown = nginx.url("nowhere/x");
    for url in [&mute, &closed, &unknown] {
        args.extend(["--rtmp", url]);
    }
    let names = ["rtmp", "rtmp-2", "rtmp-3"];
    let mut aerial = Aerial::live(&args);
    for name in names {
        aerial.wait("it to wait", |s| output(s, name)["state"] == "waiting");
    }
    let unknown = aerial.wait("a reason", |s| {
        output(s, "rtmp-3")["error"]
            .as_str()
            .is_some_and(|e| e.contains("application"))
    });
    assert_eq!(bytes(&unknown, "rtmp-3"), 0);
    for status in aerial.statuses() {
        for name in names {
            assert_ne!(output(&status, name)["state"], "live", "{status}");
        }
    }
    aerial.stop();
}

#[test]
fn an_srt_receiver_is_called_killed_and_called_again() {
    let story = "an_srt_receiver_is_called_killed_and_called_again";
    if !have(story, &[media::NEEDS, SRT].concat()) {
        return;
    }
    let (port, other) = (free_port(), free_port());
    let pass = "passphrase=w0rds-0f-secrecy";
    let receiver = Transmit::new(format!("srt://127.0.0.1:{port}?mode=listener&{pass}"));
    let server = receiver.start();
    let mut args = SMALL.to_vec();
    let call = format!("srt://127.0.0.1:{port}?{pass}&streamid=k3y-Cc3&latency=80");
    let wait = format!("srt://127.0.0.1:{other}?mode=listener");
    args.extend(["--srt", &call, "--srt", &wait]);
    let mut aerial = Aerial::live(&args);
    go_on(&aerial, &["srt"]);
    receiver.probe().wait_packets();
    // The other one waits until it is called.
    let status = aerial.wait("a status", |_| true);
    assert_eq!(output(&status, "srt-2")["state"], "connecting");
    let caller = Transmit::new(format!("srt://127.0.0.1:{other}"));
    let calling = caller.start();
    go_on(&aerial, &["srt", "srt-2"]);
    caller.probe().wait_packets();
    let status = aerial.wait("a status", |_| true);
    assert_eq!(encoders(&status), ["aac audio", "h264 full"]);

    drop(server);
    let lost = aerial.wait("the loss to be told", |s| {
        output(s, "srt")["state"] == "waiting"
    });
    let error = output(&lost, "srt")["error"].as_str().unwrap();
    assert!(error.contains("127.0.0.1"), "{error}");
    go_on(&aerial, &["srt-2"]);
    let _server = receiver.start();
    go_on(&aerial, &["srt", "srt-2"]);
    receiver.probe().wait_packets();
    drop(calling);
    aerial.wait("the caller to be missed", |s| {
        output(s, "srt-2")["state"] == "connecting"
    });
    let _calling = caller.start();
    go_on(&aerial, &["srt", "srt-2"]);
    aerial.stop();
    let said = aerial.said();
    assert!(
        !said.contains("secrecy") && !said.contains("k3y-"),
        "{said}"
    );
}

#[test]
fn outputs_are_added_switched_and_removed_over_the_api() {
    let story = "outputs_are_added_switched_and_removed_over_the_api";
    if !have(story, &[media::NEEDS, NGINX].concat()) {
        return;
    }
    let nginx = Nginx::new();
    let _server = nginx.start();
    let mut aerial = Aerial::live(SMALL);
    let call = |method: &str, path: &str, body: &Value| {
        let token = format!("Bearer {}", aerial.token());
        let headers = [
            ("Authorization", token.as_str()),
            ("Content-Type", "application/json"),
        ];
        let body = body.to_string();
        crate::http::request(aerial.address(), method, path, &headers, body.as_bytes())
    };
    let json = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap();
    let there = "/api/v1/outputs/to%20nginx";
    let wanted =
        serde_json::json!({"kind": "rtmp", "url": nginx.url("live/k3y-Dd4"), "enabled": false});
    let made = call("PUT", there, &wanted);
    assert_eq!(made.status, 201);
    let row = json(&made.body);
    assert_eq!(
        (&row["state"], &row["enabled"]),
        (&"off".into(), &false.into())
    );
    let on = call("PUT", there, &serde_json::json!({"enabled": true}));
    assert_eq!(on.status, 200);
    go_on(&aerial, &["to nginx"]);
    Probe::open(&nginx.url("live/k3y-Dd4")).wait_packets();
    let got = call("GET", there, &Value::Null);
    assert_eq!(
        (got.status, &json(&got.body)["state"]),
        (200, &"live".into())
    );
    let list = json(&call("GET", "/api/v1/outputs", &Value::Null).body);
    assert!(!list.to_string().contains("k3y-"), "{list}");
    assert_eq!(
        call("PUT", there, &serde_json::json!({"enabled": false})).status,
        200
    );
    aerial.wait("it to be off", |s| output(s, "to nginx")["state"] == "off");
    // What cannot be done is answered with a sentence, and changes nothing.
    for (path, body, status) in [
        (there, serde_json::json!({"kind": "rtmp"}), 422),
        (
            there,
            serde_json::json!({"kind": "rtmp", "url": "rtmp://h/k3y-only"}),
            422,
        ),
        (
            there,
            serde_json::json!({"kind": "carrier pigeon", "url": "x"}),
            422,
        ),
        (there, serde_json::json!({"colour": "red"}), 422),
        (there, serde_json::json!({}), 422),
        (
            "/api/v1/outputs/nobody",
            serde_json::json!({"enabled": true}),
            404,
        ),
    ] {
        let answer = call("PUT", path, &body);
        let error = json(&answer.body)["error"].as_str().unwrap().to_string();
        assert_eq!(answer.status, status, "{body}: {error}");
        assert!(error.ends_with('.') && !error.contains("k3y-"), "{error}");
    }
    assert_eq!(call("DELETE", there, &Value::Null).status, 204);
    assert_eq!(call("DELETE", there, &Value::Null).status, 404);
    assert_eq!(call("GET", there, &Value::Null).status, 404);
    aerial.stop();
    assert!(!aerial.said().contains("k3y-"));
}
