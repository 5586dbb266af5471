// SPDX-License-Identifier: GPL-3.0-or-later
//! The program: sources come, go, move and change while live, and nothing of it is felt.

use std::{
    collections::HashMap,
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use gst::prelude::*;
use serde_json::{Value, json};
use studio::{message, program::Preview};

use crate::{
    http::{self, Reply, Viewer},
    media,
    rig::{Aerial, Home, LONG, engine, have, have_alone, signal},
    sound,
};

const SMALL: &[&str] = &["--size", "320x180", "--video-bitrate", "400k"];

/// A request with a JSON body and the right token.
pub fn send(aerial: &Aerial, method: &str, path: &str, body: &Value) -> Reply {
    let token = format!("Bearer {}", aerial.token());
    let headers = [
        ("Authorization", token.as_str()),
        ("Content-Type", "application/json"),
    ];
    let body = body.to_string();
    http::request(aerial.address(), method, path, &headers, body.as_bytes())
}

/// The same; it must succeed.
pub fn ask(aerial: &Aerial, method: &str, path: &str, body: Value) -> Value {
    let reply = send(aerial, method, path, &body);
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(
        (200..300).contains(&reply.status),
        "{method} {path} {body}: {} {text}",
        reply.status
    );
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// A film of one colour with a tone, made by ffmpeg.
pub fn film(folder: &Path, name: &str, colour: &str, hertz: u32, seconds: u32) -> PathBuf {
    let path = folder.join(name);
    let codecs: &[&str] = match path.extension().and_then(|e| e.to_str()) {
        Some("ts" | "flv") => &["-c:v", "libx264", "-g", "25", "-bf", "0", "-c:a", "aac"],
        _ => &["-c:v", "libvpx", "-b:v", "200k", "-c:a", "libopus"],
    };
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i"])
        .arg(format!("color={colour}:size=256x144:rate=25:d={seconds}"))
        .args(["-f", "lavfi", "-i"])
        .arg(format!(
            "sine=f={hertz}:r=48000:d={seconds},volume=2,aformat=channel_layouts=stereo"
        ))
        .args(codecs)
        .args(["-pix_fmt", "yuv420p", "-shortest"])
        .arg(&path)
        .status()
        .unwrap();
    assert!(status.success());
    path
}

/// What the next seconds of the broadcast look and sound like, without what the server had kept from before.
fn capture(aerial: &Aerial, name: &str, seconds: f64) -> PathBuf {
    let request = format!(
        "GET /live.webm HTTP/1.1\r\nHost: {}\r\n\r\n",
        aerial.address()
    );
    let socket = TcpStream::connect(aerial.address()).unwrap();
    let began = Instant::now();
    let viewer = Viewer::start(socket, &request, true);
    // Time is what is wanted here: a length of the broadcast.
    while began.elapsed().as_secs_f64() < seconds {
        viewer.wait_more(1);
    }
    let whole = aerial.path(&format!("{name}.whole.webm"));
    fs::write(&whole, viewer.kept()).unwrap();
    // Joining gives up to one key frame interval from before; a little more is left out.
    let cut = aerial.path(&format!("{name}.mkv"));
    let probed = media::probe(&whole);
    let packets = probed["packets"].as_array().unwrap().iter();
    let times: Vec<f64> = packets
        .filter_map(|p| p["pts_time"].as_str()?.parse().ok())
        .collect();
    let first = times.iter().copied().fold(f64::MAX, f64::min);
    let last = times.iter().copied().fold(0.0, f64::max);
    let from = (last - first - seconds + 0.5).max(0.0);
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(&whole)
        .args([
            "-ss",
            &from.to_string(),
            "-c:v",
            "ffv1",
            "-c:a",
            "pcm_s16le",
        ])
        .arg(&cut)
        .status()
        .unwrap();
    assert!(status.success());
    cut
}

/// The colour of a spot (in shares of width and height) in the last picture of a file: red, green, blue.
fn colour(file: &Path, x: f64, y: f64) -> [u8; 3] {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-sseof", "-0.5", "-i"])
        .arg(file)
        .args(["-vf"])
        .arg(format!(
            "crop=iw/16:ih/16:iw*{x}-iw/32:ih*{y}-ih/32,scale=1:1:flags=area"
        ))
        .args(["-update", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .output()
        .unwrap();
    let bytes = out.stdout;
    assert!(bytes.len() >= 3, "{}", String::from_utf8_lossy(&out.stderr));
    bytes[bytes.len() - 3..].try_into().unwrap()
}

fn is(colour: [u8; 3], name: &str) -> bool {
    let [r, g, b] = colour.map(|c| c > 128);
    (r, g, b)
        == match name {
            "red" => (true, false, false),
            "green" => (false, true, false),
            "blue" => (false, false, true),
            "white" => (true, true, true),
            "dark" => (false, false, false),
            other => panic!("{other}"),
        }
}

fn sources(status: &Value) -> &Vec<Value> {
    status["sources"].as_array().unwrap()
}

fn all_live(status: &Value) -> bool {
    sources(status).iter().all(|s| s["state"] == "live")
}

/// Small numbers in no order, the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// Threads and descriptors of a process.
fn held(pid: u32) -> (usize, usize) {
    let count = |what: &str| fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
    (count("task"), count("fd"))
}

/// Waits until as many pipelines exist in the process as this, by GStreamer's own book-keeping: one that was given up
/// ends on another thread.
fn wait_pipelines(aerial: &Aerial, log: &Path, wanted: usize) {
    let end = Instant::now() + LONG;
    loop {
        let now = pipelines(aerial, log);
        if now == wanted {
            return;
        }
        assert!(Instant::now() < end, "{now} pipelines instead of {wanted}");
    }
}

/// Pipelines that exist in the process.
fn pipelines(aerial: &Aerial, log: &Path) -> usize {
    // The list is written by a thread of its own, in one go; the next status line comes after it.
    let before = fs::read_to_string(log).unwrap_or_default().len();
    signal(aerial.pid(), "USR1");
    let end = Instant::now() + LONG;
    loop {
        aerial.wait_anew("the next second", |_| true);
        let all = fs::read_to_string(log).unwrap_or_default();
        let lines = all[before..].lines();
        let count = lines
            .filter(|l| l.contains("type-name=(string)GstPipeline"))
            .count();
        if count > 0 {
            return count;
        }
        assert!(Instant::now() < end, "GStreamer does not tell");
    }
}

#[test]
fn two_hundred_changes_while_recording_leave_one_whole_file_and_no_trace() {
    let story = "two_hundred_changes_while_recording_leave_one_whole_file_and_no_trace";
    if !have(story, media::NEEDS) {
        return;
    }
    let home = Home::new();
    let film = film(&home.path(""), "film.webm", "red", 660, 2);
    let picture = home.path("still.png");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i"])
        .args(["color=blue:size=100x300:d=1", "-frames:v", "1"])
        .arg(&picture)
        .status();
    assert!(made.unwrap().success());
    let log = home.path("tracer.log");
    let tracing = HashMap::from(
        [
            ("GST_TRACERS", "leaks(filters=GstPipeline)"),
            ("GST_LEAKS_TRACER_SIG", "1"),
            ("GST_DEBUG", "GST_TRACER:7"),
            ("GST_DEBUG_NO_COLOR", "1"),
            ("GST_DEBUG_FILE", log.to_str().unwrap()),
        ]
        .map(|(name, value)| (name.to_string(), value.to_string())),
    );
    let args = [
        SMALL,
        &["--video", "test", "--audio", "tone", "--record", "x.webm"],
    ]
    .concat();
    let mut aerial = Aerial::live_in(home, &args, Some(&tracing));
    let film = format!("file:{}", film.display());
    let still = format!("file:{}", picture.display());
    let adds = [
        json!({"video": "test"}),
        json!({"video": film, "audio": film}),
        json!({"video": still}),
        json!({"audio": "tone"}),
        json!({"video": film, "show": false}),
    ];
    // Everything once, so that what is made once is there.
    for add in &adds {
        ask(&aerial, "POST", "/api/v1/sources", add.clone());
    }
    aerial.wait_anew("everything to show", |s| {
        sources(s).len() == 8 && all_live(s)
    });
    let only_first = |aerial: &Aerial| {
        let list = ask(aerial, "GET", "/api/v1/sources", Value::Null);
        for source in list.as_array().unwrap() {
            if source["id"].as_u64() > Some(2) {
                let path = format!("/api/v1/sources/{}", source["id"]);
                assert_eq!(send(aerial, "DELETE", &path, &Value::Null).status, 204);
            }
        }
        aerial.wait_anew("the first two alone", |s| sources(s).len() == 2);
    };
    only_first(&aerial);
    let settled = |aerial: &Aerial, least: (usize, usize)| {
        // Threads of a pool end a while after their work.
        let status = aerial.wait_anew("threads to end", |_| {
            let now = held(aerial.pid());
            now.0 <= least.0 && now.1 <= least.1
        });
        assert_eq!(status["encoders"].as_array().unwrap().len(), 2);
    };
    let before = held(aerial.pid());
    let pipelines_before = pipelines(&aerial, &log);

    let mut dice = Dice(20_261_121);
    let mut changes = 0;
    while changes < 200 {
        let list = ask(&aerial, "GET", "/api/v1/sources", Value::Null);
        let list = list.as_array().unwrap().clone();
        let of = |kind: &str| -> Vec<u64> {
            let those = list.iter().filter(|s| s["kind"] == kind);
            those.map(|s| s["id"].as_u64().unwrap()).collect()
        };
        let (pictures, sounds) = (of("video"), of("audio"));
        match dice.roll(6) {
            0 if pictures.len() < 5 && sounds.len() < 5 => {
                let add = adds[dice.roll(adds.len())].clone();
                ask(&aerial, "POST", "/api/v1/sources", add);
            }
            1 if list.len() > 2 => {
                let gone = list[dice.roll(list.len())]["id"].as_u64().unwrap();
                if gone <= 2 {
                    continue;
                }
                let path = format!("/api/v1/sources/{gone}");
                assert_eq!(send(&aerial, "DELETE", &path, &Value::Null).status, 204);
            }
            2 => {
                let one = pictures[dice.roll(pictures.len())];
                let sizing = ["fit", "fill", "stretch"][dice.roll(3)];
                let crop = dice.roll(5) as f64 / 10.0;
                let body = json!({"framing": {"sizing": sizing, "crop": {"left": crop}},
                                  "place": dice.roll(list.len())});
                ask(&aerial, "PATCH", &format!("/api/v1/sources/{one}"), body);
            }
            3 => {
                let one = sounds[dice.roll(sounds.len())];
                let body = json!({"strip": {"gain_db": -(dice.roll(30) as f64), "muted": dice.roll(2) == 0,
                                            "pan": dice.roll(3) as f64 - 1.0, "delay_ms": dice.roll(800)}});
                ask(&aerial, "PATCH", &format!("/api/v1/sources/{one}"), body);
            }
            _ => {
                let kind = [
                    json!("full"),
                    json!("grid"),
                    json!("side-by-side"),
                    json!({"picture-in-picture": {"corner": "top-left", "size": 0.4}}),
                ][dice.roll(4)]
                .clone();
                let first = dice.roll(pictures.len());
                let order: Vec<_> = pictures
                    .iter()
                    .cycle()
                    .skip(first)
                    .take(pictures.len())
                    .collect();
                let fade = [0, 0, 100, 300][dice.roll(4)];
                let body = json!({"kind": kind, "pictures": order, "fade_ms": fade});
                ask(&aerial, "PUT", "/api/v1/layout", body);
            }
        }
        changes += 1;
        if changes % 3 == 0 {
            // So that it is not over before anything was seen.
            aerial.wait_anew("the next second", |s| s["air"] == "live");
        }
    }
    only_first(&aerial);
    wait_pipelines(&aerial, &log, pipelines_before);
    settled(&aerial, before);
    let encoders = ask(&aerial, "GET", "/api/v1/status", Value::Null)["encoders"].clone();
    assert_eq!(encoders.as_array().unwrap().len(), 2, "{encoders}");
    aerial.stop();

    let file = aerial.path("x.webm");
    let frames = media::decode(&file);
    let probed = media::probe(&file);
    for kind in ["video", "audio"] {
        let times: Vec<f64> = probed["packets"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|p| p["codec_type"] == kind)
            .map(|p| p["pts_time"].as_str().unwrap().parse().unwrap())
            .collect();
        let steps = times.windows(2).map(|t| t[1] - t[0]);
        let (least, most) = steps.fold((f64::MAX, 0f64), |(a, b), s| (a.min(s), b.max(s)));
        assert!(least > 0.0, "{kind}: time goes back by {least} s");
        assert!(most < 1.0, "{kind}: nothing for {most} s");
    }
    let keys = probed["packets"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["codec_type"] == "video" && p["flags"].as_str().unwrap().contains('K'))
        .count();
    let lasted = media::duration(&probed).unwrap();
    assert!(lasted > 60.0, "{lasted} s for 200 changes");
    assert!(
        frames as f64 > lasted * 15.0,
        "{frames} pictures in {lasted} s"
    );
    // One every two seconds, as configured; switching asks for none.
    assert!(
        keys as f64 <= lasted / 2.0 + 3.0,
        "{keys} key frames in {lasted} s"
    );
}

#[test]
fn pictures_stand_where_the_layout_says_and_fade_without_a_new_encoder() {
    let story = "pictures_stand_where_the_layout_says_and_fade_without_a_new_encoder";
    if !have(story, media::NEEDS) {
        return;
    }
    let home = Home::new();
    let red = film(&home.path(""), "red.webm", "red", 440, 1);
    let blue = film(&home.path(""), "blue.webm", "blue", 440, 1);
    let logo = home.path("logo.png");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i"])
        .args(["color=white:size=64x64:d=1", "-frames:v", "1"])
        .arg(&logo)
        .status();
    assert!(made.unwrap().success());
    let (red, blue) = (
        format!("file:{}", red.display()),
        format!("file:{}", blue.display()),
    );
    let args = [
        SMALL,
        &["--video", &red, "--video", &blue, "--audio", "none"],
    ]
    .concat();
    let mut aerial = Aerial::live_in(home, &args, None);
    aerial.wait("both films to play", all_live);
    let layout = |kind: Value, pictures: [u64; 2], fade_ms: u64| {
        let body = json!({"kind": kind, "pictures": pictures, "fade_ms": fade_ms});
        let now = ask(&aerial, "PUT", "/api/v1/layout", body);
        assert_eq!(now["kind"], kind);
    };
    // Two stand side by side.
    let seen = capture(&aerial, "grid", 2.0);
    assert!(is(colour(&seen, 0.25, 0.5), "red") && is(colour(&seen, 0.75, 0.5), "blue"));

    layout(json!("full"), [2, 1], 300);
    let seen = capture(&aerial, "full", 2.0);
    assert!(is(colour(&seen, 0.25, 0.5), "blue") && is(colour(&seen, 0.75, 0.5), "blue"));

    let small = json!({"picture-in-picture": {"corner": "top-right", "size": 0.3}});
    layout(small, [2, 1], 0);
    let seen = capture(&aerial, "pip", 2.0);
    assert!(is(colour(&seen, 0.25, 0.5), "blue") && is(colour(&seen, 0.85, 0.15), "red"));
    assert!(is(colour(&seen, 0.85, 0.85), "blue"));

    // Cropped to fill: the film is as wide as the half, bars are gone.
    layout(json!("side-by-side"), [1, 2], 0);
    let seen = capture(&aerial, "bars", 2.0);
    assert!(is(colour(&seen, 0.25, 0.05), "dark"));
    let fill = json!({"framing": {"sizing": "fill"}});
    ask(&aerial, "PATCH", "/api/v1/sources/1", fill);
    let over = json!({"logo": {"path": logo, "corner": "bottom-left", "size": 0.1}, "text": {"text": "a < b"}});
    ask(&aerial, "PUT", "/api/v1/overlays", over);
    let seen = capture(&aerial, "fill", 2.0);
    assert!(is(colour(&seen, 0.25, 0.05), "red") && is(colour(&seen, 0.75, 0.05), "dark"));
    assert!(is(colour(&seen, 0.07, 0.88), "white"));
    let text = json!({"text": {"text": "no logo"}});
    ask(&aerial, "PUT", "/api/v1/overlays", text);
    let seen = capture(&aerial, "unmarked", 2.0);
    assert!(!is(colour(&seen, 0.07, 0.88), "white"));
    // One encoder through all of it, made once.
    let status = aerial.wait_anew("the status", |_| true);
    let encoders = status["encoders"].as_array().unwrap();
    assert_eq!(encoders.len(), 1, "{encoders:?}");
    aerial.stop();
}

#[test]
fn sounds_are_mixed_as_their_strips_say() {
    if !have_alone("sounds_are_mixed_as_their_strips_say", media::NEEDS) {
        return;
    }
    let home = Home::new();
    let film = film(&home.path(""), "film.webm", "red", 880, 1);
    let film = format!("file:{}", film.display());
    let args = ["--video", "none", "--audio", "tone", "--audio", &film];
    let mut aerial = Aerial::live_in(home, &args, None);
    aerial.wait("both to sound", all_live);
    let strip = |id: u64, strip: Value| {
        let now = ask(
            &aerial,
            "PATCH",
            &format!("/api/v1/sources/{id}"),
            json!({"strip": strip}),
        );
        for (name, value) in strip.as_object().unwrap() {
            assert_eq!(&now["strip"][name], value);
        }
    };
    let both = sound::decode(&capture(&aerial, "both", 2.5));
    let [left, _] = &both;
    let (tone, other) = (sound::strength(left, 440.0), sound::strength(left, 880.0));
    assert!(tone > 0.05 && other > 0.05, "{tone} {other}");
    // The film lasts a second and was begun again: no window of 20 ms without it.
    let windows = sound::heard(left, 880.0, 20, other / 2.0);
    let silent = windows.iter().filter(|heard| !**heard).count();
    assert_eq!(silent, 0, "of {} windows", windows.len());

    strip(1, json!({"muted": true}));
    strip(2, json!({"pan": -1.0, "gain_db": -20.0}));
    let status = aerial.wait_anew("the meters to follow", |s| {
        let peak = |n: usize, side: usize| sources(s)[n]["levels"]["peak_db"][side].as_f64();
        peak(0, 0) < Some(-90.0) && peak(1, 1) < Some(-90.0)
    });
    let peak = sources(&status)[1]["levels"]["peak_db"][0]
        .as_f64()
        .unwrap();
    assert!((-45.0..-15.0).contains(&peak), "{peak} dBFS");
    let [quiet, nothing] = &sound::decode(&capture(&aerial, "panned", 2.5));
    assert!(sound::strength(quiet, 440.0) < tone / 100.0);
    let ratio = sound::strength(quiet, 880.0) / other;
    // 20 dB are a tenth; panning to one side keeps that side as it is.
    assert!((0.05..0.25).contains(&ratio), "{ratio}");
    assert!(sound::strength(nothing, 880.0) < other / 100.0);
    aerial.stop();
}

#[test]
fn a_film_is_paused_sought_and_played_to_its_end() {
    let story = "a_film_is_paused_sought_and_played_to_its_end";
    if !have(story, media::NEEDS) {
        return;
    }
    let home = Home::new();
    let one = film(&home.path(""), "one.webm", "red", 440, 3);
    let two = film(&home.path(""), "zwei ü.webm", "blue", 880, 3);
    fs::write(home.path("list.m3u"), "#EXTM3U\none.webm\nzwei ü.webm\n").unwrap();
    assert!(one.exists() && two.exists());
    let list = format!("file:{}", home.path("list.m3u").display());
    let args = [SMALL, &["--video", &list, "--audio", &list]].concat();
    let mut aerial = Aerial::live_in(home, &args, None);
    aerial.wait("the first film", |s| {
        all_live(s) && sources(s)[0]["progress"]["items"] == 2
    });
    let play = |what: Value| ask(&aerial, "PATCH", "/api/v1/sources/1", json!({"play": what}));
    let place = |s: &Value| sources(s)[0]["progress"]["position"].as_f64().unwrap();
    let item = |s: &Value| sources(s)[0]["progress"]["item"].as_u64().unwrap();

    play(json!("pause"));
    let paused = aerial.wait_anew("a pause", |s| sources(s)[0]["progress"]["paused"] == true);
    let seen = capture(&aerial, "paused", 3.0);
    assert!(is(colour(&seen, 0.5, 0.5), "red"), "the picture stays");
    let [left, _] = sound::decode(&seen);
    assert!(sound::strength(&left[left.len() / 2..], 440.0) < 0.001);
    let later = aerial.wait_anew("a second", |_| true);
    assert_eq!(
        (place(&paused), item(&paused)),
        (place(&later), item(&later))
    );
    // Two seconds in, wherever it was.
    play(json!({"seek": 2.0}));
    aerial.wait_anew("the place", |s| (place(s) - 2.0).abs() < 0.2);
    play(json!("resume"));
    aerial.wait_anew("the second film by itself", |s| item(s) == 2 && all_live(s));
    let seen = capture(&aerial, "second", 2.0);
    assert!(is(colour(&seen, 0.5, 0.5), "blue"));
    play(json!({"loop": false}));
    play(json!("previous"));
    aerial.wait_anew("the first again", |s| item(s) == 1 && all_live(s));
    play(json!("next"));
    let status = aerial.wait_anew("the end of the list", |s| sources(s)[0]["state"] == "lost");
    let error = sources(&status)[0]["error"].as_str().unwrap();
    assert!(error.contains("come to its end"), "{error}");
    // What is over can be begun again.
    play(json!("resume"));
    aerial.wait_anew("it to play again", all_live);
    // A camera has no pause, and says so.
    let reply = send(
        &aerial,
        "PATCH",
        "/api/v1/sources/99",
        &json!({"play": "pause"}),
    );
    assert_eq!(reply.status, 404);
    aerial.stop();
}

#[test]
fn a_wrong_request_changes_nothing_and_says_why() {
    let mut aerial = Aerial::live(&[SMALL, &["--video", "test", "--audio", "tone"]].concat());
    aerial.wait("both to be live", all_live);
    let before = ask(&aerial, "GET", "/api/v1/layout", Value::Null);
    let cases = [
        ("PUT", "sources", json!([{"id": 77}]), 404),
        (
            "PUT",
            "sources",
            json!([{"id": 1}, {"kind": "video", "spec": "tset"}]),
            422,
        ),
        ("PUT", "sources", json!([{"id": 1}, {"spec": "test"}]), 422),
        ("PUT", "sources", json!({"id": 1}), 422),
        (
            "POST",
            "sources",
            json!({"video": "file:/no/such.webm"}),
            422,
        ),
        (
            "POST",
            "sources",
            json!({"video": "ftp://u:geheim@h/x"}),
            422,
        ),
        ("POST", "sources", json!({}), 422),
        ("POST", "sources", json!({"vidoe": "test"}), 422),
        (
            "PATCH",
            "sources/1",
            json!({"strip": {"gain_db": -3.0}}),
            409,
        ),
        ("PATCH", "sources/1", json!({"play": "pause"}), 409),
        ("PATCH", "sources/2", json!({"framing": {}}), 409),
        ("PATCH", "sources/2", json!({"play": {"seek": -1.0}}), 422),
        ("DELETE", "sources/77", Value::Null, 404),
        (
            "PUT",
            "layout",
            json!({"kind": "full", "pictures": [2]}),
            404,
        ),
        ("PUT", "layout", json!({"kind": "sideways"}), 422),
        (
            "PUT",
            "overlays",
            json!({"logo": {"path": "/no/such.png"}}),
            422,
        ),
        (
            "PUT",
            "overlays",
            json!({"logo": {"path": "/etc/passwd"}}),
            422,
        ),
        ("PUT", "air", json!({"air": "maybe"}), 422),
    ];
    for (method, path, body, status) in cases {
        let reply = send(&aerial, method, &format!("/api/v1/{path}"), &body);
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(reply.status, status, "{method} {path} {body}: {text}");
        let said: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        let sentence = said["error"].as_str().unwrap();
        assert!(
            sentence.ends_with('.') && !sentence.contains("geheim"),
            "{sentence}"
        );
    }
    assert_eq!(ask(&aerial, "GET", "/api/v1/layout", Value::Null), before);
    let list = ask(&aerial, "GET", "/api/v1/sources", Value::Null);
    assert_eq!(list.as_array().unwrap().len(), 2);
    let none = http::request(aerial.address(), "PUT", "/api/v1/air", &[], b"{}");
    assert_eq!(none.status, 401);
    ask(&aerial, "PUT", "/api/v1/air", json!({"air": "off"}));
    aerial.wait_anew("it to be off", |s| s["air"] == "off");
    ask(&aerial, "PUT", "/api/v1/air", json!({"air": "live"}));
    aerial.wait_anew("it to be live again", |s| s["air"] == "live");
    aerial.stop();
}

#[test]
fn the_preview_is_made_as_wide_as_it_is_seen_without_a_stop() {
    let studio = engine(vec![]);
    let (tell, told) = std::sync::mpsc::channel();
    let shown = gst_app::AppSink::builder()
        .callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    let _ = tell.send(sample);
                    Ok(gst::FlowSuccess::Ok)
                })
                .build(),
        )
        .build();
    studio.command(message::Command::Preview(Some(Preview {
        sink: shown.upcast(),
        width: 4000,
        fps: 15,
    })));
    let mut last = None;
    // No wider than the program; then as told.
    for (width, size) in [(4000, (320, 180)), (160, (160, 90)), (256, (256, 144))] {
        studio.command(message::Command::PreviewWidth(width));
        let end = Instant::now() + LONG;
        loop {
            let sample = told.recv_timeout(LONG).expect("the preview goes on");
            let caps = sample.caps().unwrap().structure(0).unwrap();
            let seen: (i32, i32) = (caps.get("width").unwrap(), caps.get("height").unwrap());
            let pts = sample.buffer().unwrap().pts();
            assert!(pts > last, "it begins anew");
            last = pts;
            if seen == size {
                break;
            }
            assert!(Instant::now() < end, "{seen:?} instead of {size:?}");
        }
    }
}
