// SPDX-License-Identifier: GPL-3.0-or-later
//! Remote controls made for OBS, with a client library of theirs.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use serde_json::{Value, json};

use crate::{
    http,
    rig::{Aerial, Home, LONG, checkout, have},
};

const NEEDS: &[&str] = &[
    "node",
    concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/web/node_modules/obs-websocket-js"
    ),
];
const SMALL: &[&str] = &["--video", "test", "--audio", "tone", "--size", "320x180"];
const PASSWORD: &str = "canary-of-the-remote";

/// obs-websocket-js in Node.
struct Remote {
    node: Child,
    lines: mpsc::Receiver<Value>,
    /// Events that came before an answer.
    events: Vec<Value>,
}

impl Remote {
    fn start(form: &str, url: &str, password: &str) -> Remote {
        let mut node = Command::new("node");
        node.arg(checkout("tests/web/obs.mjs"));
        node.args([form, url, password]);
        node.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut node = node.spawn().unwrap();
        let out = BufReader::new(node.stdout.take().unwrap());
        let (tell, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let Ok(line) = serde_json::from_str(&line) else {
                    continue;
                };
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Remote {
            node,
            lines,
            events: vec![],
        }
    }

    fn line(&mut self) -> Value {
        self.lines.recv_timeout(LONG).expect("the client says more")
    }

    /// The next line that is no event.
    fn answer(&mut self) -> Value {
        loop {
            let line = self.line();
            if line.get("event").is_none() {
                return line;
            }
            self.events.push(line);
        }
    }

    fn say(&mut self, request: &str, data: Value) -> Value {
        let stdin = self.node.stdin.as_mut().unwrap();
        writeln!(stdin, "{}", json!([request, data])).unwrap();
        self.answer()
    }

    fn call(&mut self, request: &str, data: Value) -> Value {
        let answer = self.say(request, data.clone());
        assert!(answer.get("done").is_some(), "{request} {data}: {answer}");
        answer["done"].clone()
    }

    /// The code with which this is refused.
    fn refused(&mut self, request: &str, data: Value) -> u64 {
        let answer = self.say(request, data.clone());
        let code = answer["refused"].as_u64();
        code.unwrap_or_else(|| panic!("{request} {data}: {answer}"))
    }

    /// The next event of this name of which this is true.
    fn event(&mut self, name: &str, test: impl Fn(&Value) -> bool) -> Value {
        let mut waiting = std::mem::take(&mut self.events).into_iter();
        loop {
            let line = waiting.next().unwrap_or_else(|| self.line());
            if line["event"] == name && test(&line["data"]) {
                self.events = waiting.collect();
                return line["data"].clone();
            }
        }
    }

    fn state(&mut self, name: &str, word: &str) {
        let word = format!("OBS_WEBSOCKET_OUTPUT_{word}");
        self.event(name, |data| data["outputState"] == *word);
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}

fn small(more: &[&'static str]) -> Vec<&'static str> {
    [
        SMALL,
        more,
        &["--obs-websocket", "0", "--obs-password", PASSWORD],
    ]
    .concat()
}

fn url(aerial: &Aerial) -> String {
    let url = &aerial.serving()["obs_websocket"]["url"];
    url.as_str().unwrap().to_string()
}

#[test]
fn a_remote_control_for_obs_starts_switches_mutes_and_records() {
    if !have("a remote control for OBS", NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(&small(&[
        "--video",
        "frames:slides",
        "--record",
        "show-%n.mkv",
    ]));
    for form in ["json", "msgpack"] {
        let mut remote = Remote::start(form, &url(&aerial), PASSWORD);
        let hello = remote.answer()["connected"].clone();
        assert_eq!(hello["negotiatedRpcVersion"], 1, "{form}: {hello}");
        let version = remote.call("GetVersion", json!({}));
        assert_eq!(version["obsVersion"], env!("CARGO_PKG_VERSION"));
        let known = version["availableRequests"].as_array().unwrap().clone();
        assert!(known.contains(&json!("SetInputMute")));

        // Scenes.
        remote.call("SetCurrentProgramScene", json!({"sceneName": "Grid"}));
        let list = remote.call("GetSceneList", json!({}));
        assert_eq!(list["currentProgramSceneName"], "Grid");
        let scenes = list["scenes"].as_array().unwrap().iter();
        let scenes: Vec<_> = scenes.rev().map(|s| s["sceneName"].clone()).collect();
        let names = [
            "test",
            "frames:slides",
            "Side by side",
            "Picture in picture",
            "Grid",
            "Slate",
        ];
        assert_eq!(scenes, names.map(|name| json!(name)));
        remote.call("SetCurrentProgramScene", json!({"sceneName": "test"}));
        remote.event("CurrentProgramSceneChanged", |e| e["sceneName"] == "test");
        let layout = aerial.api("GET", "/api/v1/layout").json();
        assert_eq!(layout, json!({"kind": "full", "pictures": [1]}));
        let now = remote.call("GetCurrentProgramScene", json!({}));
        assert_eq!(now["sceneName"], "test");
        let by_uuid = json!({"sceneUuid": list["scenes"][1]["sceneUuid"]});
        remote.call("SetCurrentProgramScene", by_uuid);
        remote.event("CurrentProgramSceneChanged", |e| e["sceneName"] == "Grid");
        let items = remote.call("GetSceneItemList", json!({"sceneName": "Grid"}));
        assert_eq!(items["sceneItems"].as_array().map(Vec::len), Some(2));
        assert_eq!(
            remote.refused("SetCurrentProgramScene", json!({"sceneName": "x"})),
            600
        );
        assert_eq!(remote.refused("SetCurrentProgramScene", json!({})), 300);
        assert_eq!(
            remote.refused("SetCurrentProgramScene", json!({"sceneName": 7})),
            401
        );

        // Sounds.
        let inputs = remote.call("GetInputList", json!({}));
        assert_eq!(inputs["inputs"].as_array().map(Vec::len), Some(3));
        let tone = || json!({"inputName": "tone"});
        assert_eq!(remote.call("GetInputMute", tone())["inputMuted"], false);
        remote.call(
            "SetInputMute",
            json!({"inputName": "tone", "inputMuted": true}),
        );
        remote.event("InputMuteStateChanged", |e| e["inputMuted"] == true);
        assert_eq!(remote.call("ToggleInputMute", tone())["inputMuted"], false);
        let volume = json!({"inputName": "tone", "inputVolumeDb": -20});
        remote.call("SetInputVolume", volume);
        remote.event("InputVolumeChanged", |e| e["inputVolumeDb"] == -20.0);
        let mul = remote.call("GetInputVolume", tone())["inputVolumeMul"].as_f64();
        assert!((mul.unwrap() - 0.1).abs() < 1e-6, "{mul:?}");
        remote.call(
            "SetInputVolume",
            json!({"inputName": "tone", "inputVolumeMul": 1}),
        );
        assert_eq!(
            remote.refused("GetInputMute", json!({"inputName": "test"})),
            604
        );

        // The broadcast.
        assert_eq!(remote.refused("StartStream", json!({})), 500);
        assert_eq!(
            remote.call("GetStreamStatus", json!({}))["outputActive"],
            true
        );
        remote.call("StopStream", json!({}));
        remote.state("StreamStateChanged", "STOPPED");
        assert_eq!(remote.refused("StopStream", json!({})), 501);
        assert_eq!(aerial.api("GET", "/api/v1/air").json()["air"], "off");
        assert_eq!(remote.call("ToggleStream", json!({}))["outputActive"], true);
        remote.state("StreamStateChanged", "STARTED");
        let stats = remote.call("GetStats", json!({}));
        assert!(stats["memoryUsage"].as_f64() > Some(1.0), "{stats}");

        // The recording, which ran from the start.
        assert_eq!(remote.refused("StartRecord", json!({})), 500);
        remote.call("PauseRecord", json!({}));
        remote.state("RecordStateChanged", "PAUSED");
        assert_eq!(remote.refused("PauseRecord", json!({})), 502);
        assert_eq!(
            remote.call("GetRecordStatus", json!({}))["outputPaused"],
            true
        );
        remote.call("ResumeRecord", json!({}));
        remote.state("RecordStateChanged", "RESUMED");
        let path = remote.call("StopRecord", json!({}))["outputPath"].clone();
        assert!(path.as_str().is_some_and(|p| p.ends_with(".mkv")), "{path}");
        remote.state("RecordStateChanged", "STOPPED");
        assert_eq!(remote.refused("StopRecord", json!({})), 501);
        assert_eq!(remote.call("ToggleRecord", json!({}))["outputActive"], true);
        remote.state("RecordStateChanged", "STARTED");

        // Several at once, and what there is not.
        let batch = json!([
            {"requestType": "GetVersion"}, {"requestType": "Sleep", "requestData": {"sleepMillis": 1}},
            {"requestType": "GetSourceFilterList"}, {"requestType": "GetStats"}
        ]);
        let results = remote.call("batch", batch);
        let codes = results.as_array().unwrap().iter();
        let codes: Vec<_> = codes.map(|r| r["requestStatus"]["code"].clone()).collect();
        assert_eq!(codes, [100, 100, 204, 100].map(|code| json!(code)));
        assert_eq!(remote.refused("GetReplayBufferStatus", json!({})), 204);
    }
    assert!(!aerial.said().contains(PASSWORD));
    let mut last = Remote::start("json", &url(&aerial), PASSWORD);
    last.answer();
    aerial.stop();
    last.event("ExitStarted", |_| true);
    assert_eq!(last.answer()["closed"], 1001);
}

#[test]
fn without_the_password_a_remote_control_sees_nothing() {
    if !have("a remote control for OBS", NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(&small(&[]));
    for wrong in ["", "wrong", PASSWORD.trim_end_matches('e')] {
        let mut remote = Remote::start("json", &url(&aerial), wrong);
        assert_eq!(remote.answer()["failed"], 4009, "{wrong:?}");
    }
    // One who keeps silent is no burden: the right one comes in beside it.
    let host = url(&aerial).replace("ws://", "");
    let host: std::net::SocketAddr = host.parse().unwrap();
    let _silent = std::net::TcpStream::connect(host).unwrap();
    let plain = http::request(host, "GET", "/", &[], b"");
    assert_eq!(plain.status, 400, "it is no web server");
    let mut remote = Remote::start("msgpack", &url(&aerial), PASSWORD);
    assert_eq!(remote.answer()["connected"]["negotiatedRpcVersion"], 1);
    // Without a recording that was set up there is none to start.
    assert_eq!(remote.refused("StartRecord", json!({})), 604);
    // It says good-bye, and is answered.
    drop(remote.node.stdin.take());
    // It gave no reason, and gets none; 1006 would be a broken connection.
    assert_eq!(remote.answer()["closed"], 1005);
    aerial.stop();
}

#[test]
fn remote_controls_are_let_in_only_where_the_user_says_so() {
    let mut aerial = Aerial::live(SMALL);
    assert_eq!(aerial.serving()["obs_websocket"], Value::Null);
    aerial.stop();
    // Without a password given, one is made, kept, and told.
    let mut aerial = Aerial::live(&[SMALL, &["--obs-websocket", "127.0.0.1:0"]].concat());
    let told = aerial.serving()["obs_websocket"]["password"].clone();
    let kept = std::fs::read_to_string(aerial.path("config/aerial/obs-password")).unwrap();
    assert_eq!(told, kept.trim());
    assert!(kept.trim().len() >= 20);
    aerial.stop();
}

#[test]
fn what_cannot_be_done_for_remote_controls_is_said_in_two_lines() {
    let home = Home::new();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (args, code, word) in [
        (
            ["--obs-websocket", "--obs-password", "short"].as_slice(),
            2,
            "too short",
        ),
        (
            &["--obs-websocket", "no-such-host.invalid:x"],
            2,
            "no-such-host",
        ),
        (
            &["--obs-websocket", &port],
            1,
            "another program has that port",
        ),
    ] {
        let all = [
            &["live", "--video", "test", "--listen", "127.0.0.1:0"],
            args,
        ]
        .concat();
        let out = home.aerial(&all, None).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr).to_string();
        assert_eq!(out.status.code(), Some(code), "{args:?}: {said}");
        assert!(
            said.contains(word) && said.lines().count() == 2,
            "{args:?}: {said}"
        );
    }
    home.assert_nothing_left();
}
