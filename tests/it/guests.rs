// SPDX-License-Identifier: GPL-3.0-or-later
//! Guests: seen and heard by viewers, asked in once, and gone when they are to go.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    browser::{self, Browser},
    gst_guest::GstGuest,
    http, media,
    program::ask,
    rig::{Aerial, checkout, have, have_alone},
    sound,
};

/// A browser with a camera (a green picture in which something moves) and a microphone (beeps).
const CAMERA: &[&str] = &[
    "--flag=--use-fake-device-for-media-stream",
    "--flag=--use-fake-ui-for-media-stream",
    "--page",
];

/// Resolves in a page with a player when its picture has mostly this colour (1 green, 2 blue) and moves, and its sound is
/// loud; with what it saw and heard at best, when that is in vain.
const SEEN_AND_HEARD: &str = r#"
(async (colour, moving) => {
  const others = [0, 1, 2].filter(other => other !== colour);
  const video = document.querySelector("video");
  const canvas = document.createElement("canvas");
  canvas.width = 64; canvas.height = 36;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const audio = new AudioContext();
  await audio.resume();
  const ear = audio.createAnalyser();
  audio.createMediaStreamSource(video.srcObject).connect(ear);
  const wave = new Float32Array(ear.fftSize);
  let first = null, best = { coloured: 0, moved: 0, loud: 0 };
  const end = performance.now() + 45000;
  while (performance.now() < end) {
    await new Promise(resolve => setTimeout(resolve, 20));
    pen.drawImage(video, 0, 0, 64, 36);
    const now = pen.getImageData(0, 0, 64, 36).data;
    let coloured = 0, moved = 0;
    for (let i = 0; i < now.length; i += 4) {
      if (others.every(other => now[i + colour] > now[i + other] + 40)) coloured++;
      if (first && Math.abs(now[i + colour] - first[i + colour]) > 60) moved++;
    }
    if (coloured > 1000) first ??= now;
    ear.getFloatTimeDomainData(wave);
    const loud = Math.max(...wave.map(Math.abs));
    best = { coloured: Math.max(best.coloured, coloured), moved: Math.max(best.moved, moved), loud: Math.max(best.loud, loud) };
    if (best.coloured > 1000 && (best.moved > 20 || !moving) && best.loud > 0.02) return "seen and heard";
  }
  return JSON.stringify(best);
})"#;

/// Resolves in a page with a player when nothing was heard for three seconds (the fake microphone beeps every second).
const SILENT: &str = r#"
(async () => {
  const audio = new AudioContext();
  await audio.resume();
  const ear = audio.createAnalyser();
  audio.createMediaStreamSource(document.querySelector("video").srcObject).connect(ear);
  const wave = new Float32Array(ear.fftSize);
  let quiet = performance.now(), loudest = 0;
  const end = quiet + 45000;
  while (performance.now() < end) {
    await new Promise(resolve => setTimeout(resolve, 20));
    ear.getFloatTimeDomainData(wave);
    const loud = Math.max(...wave.map(Math.abs));
    if (loud > 0.01) { quiet = performance.now(); loudest = loud; }
    if (performance.now() - quiet > 3000) return "silent";
  }
  return loudest;
})()"#;

const GREEN: u32 = 1;
const BLUE: u32 = 2;

fn assert_seen_and_heard(page: &mut Browser, colour: u32, moving: bool) {
    let got = page.ask(&format!("{SEEN_AND_HEARD}({colour}, {moving})"));
    assert_eq!(got, "seen and heard", "what a viewer got at best: {got}");
}

fn row<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    let all = status["sources"].as_array()?;
    all.iter()
        .find(|s| s["spec"] == "guest" && s["kind"] == kind)
}

fn is_live(status: &Value) -> bool {
    ["video", "audio"]
        .iter()
        .all(|kind| row(status, kind).is_some_and(|s| s["state"] == "live"))
}

/// The only guest's connection.
fn guest(status: &Value) -> &Value {
    row(status, "video").map_or(&Value::Null, |s| &s["guest"])
}

fn join_link(aerial: &Aerial) -> String {
    let source = aerial.wait("a seat for the guest", |s| row(s, "video").is_some());
    let id = row(&source, "video").unwrap()["id"].as_u64().unwrap();
    let answer = aerial.api("GET", &format!("/api/v1/sources/{id}/invitation"));
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    let link = aerial.link(told["invitation"].as_str().unwrap());
    let said = aerial.serving();
    assert_eq!(said["links"]["join"], link.as_str(), "{said:#}");
    assert_eq!(said["links"]["joins"][0], link.as_str(), "{said:#}");
    link
}

const LIVE: &[&str] = &[
    "--video", "guest", "--audio", "silence", "--size", "640x360",
];

#[test]
fn a_browser_joins_by_its_link_is_seen_and_heard_and_comes_back_after_a_reload() {
    if !have(
        "a_browser_joins_by_its_link_is_seen_and_heard_and_comes_back_after_a_reload",
        browser::NEEDS,
    ) {
        return;
    }
    let mut aerial = Aerial::live(LIVE);
    let link = join_link(&aerial);
    let join = [CAMERA, &["--click", "#join:not(:disabled)"]].concat();
    let mut page = Browser::open(&link, &join);
    page.wait_first_frame();
    let here = aerial.wait("the guest to be live", |s| {
        is_live(s) && guest(s)["rtt_ms"].is_number() && guest(s)["bitrate"].as_u64() > Some(50_000)
    });
    assert_eq!(guest(&here)["name"], "Guest", "{here:#}");
    assert!(
        guest(&here)["address"]
            .as_str()
            .unwrap()
            .starts_with("127.0.0.1"),
        "{here:#}"
    );

    let mut viewer = Browser::open(&aerial.link("/"), &[]);
    viewer.wait_first_frame();
    assert_seen_and_heard(&mut viewer, GREEN, true);

    // The invitation is used up, for everybody else.
    let mut third = Browser::open(&link, &join);
    third.wait_first_frame();
    let told = third.ask(
        r#"(async () => {
             const end = performance.now() + 30000;
             while (!message.textContent && performance.now() < end) await new Promise(r => setTimeout(r, 20));
             return message.textContent;
           })()"#,
    );
    assert!(
        told.as_str().unwrap().contains("was used already"),
        "{told}"
    );
    drop(third);
    let still = aerial.wait_anew("the first guest to be there still", is_live);
    assert_eq!(guest(&still)["connected"], true);

    // A reload: away, then back on the same seat without pressing anything.
    let before = guest(&still)["address"].clone();
    page.ask("(nameBox.value = 'Ada', keep({ name: 'Ada' }), location.reload(), true)");
    let back = aerial.wait("the guest to be back", |s| {
        is_live(s) && guest(s)["address"] != before && guest(s)["name"] == "Ada"
    });
    assert_eq!(
        row(&back, "video").unwrap()["id"],
        row(&here, "video").unwrap()["id"],
        "the same seat"
    );
    assert_seen_and_heard(&mut viewer, GREEN, true);

    // Muted, nothing is heard of them.
    page.ask("(mute.click(), true)");
    assert_eq!(
        viewer.ask(SILENT),
        "silent",
        "the guest muted the microphone"
    );
    page.ask("(mute.click(), true)");
    assert_seen_and_heard(&mut viewer, GREEN, true);
    // The broadcaster can do so as well.
    let strip = |muted: bool| {
        let id = &row(&back, "audio").unwrap()["id"];
        let body = json!({"strip": {"muted": muted}});
        ask(&aerial, "PATCH", &format!("/api/v1/sources/{id}"), body);
    };
    strip(true);
    assert_eq!(
        viewer.ask(SILENT),
        "silent",
        "the broadcaster muted the guest"
    );
    strip(false);
    assert_seen_and_heard(&mut viewer, GREEN, true);

    page.ask("(leaveButton.click(), true)");
    let gone = aerial.wait("the guest to have left", |s| {
        row(s, "video").is_some_and(|s| s["state"] == "lost")
    });
    assert!(
        row(&gone, "video").unwrap()["error"]
            .as_str()
            .unwrap()
            .starts_with("Ada has left."),
        "{gone:#}"
    );
    drop((page, viewer));
    aerial.stop();
}

#[test]
fn a_guest_who_is_removed_is_gone_within_a_second() {
    if !have(
        "a_guest_who_is_removed_is_gone_within_a_second",
        browser::NEEDS,
    ) {
        return;
    }
    let mut aerial = Aerial::live(LIVE);
    let link = join_link(&aerial);
    let join = [CAMERA, &["--click", "#join:not(:disabled)"]].concat();
    let mut page = Browser::open(&link, &join);
    page.wait_first_frame();
    let here = aerial.wait("the guest to be live", is_live);
    let threads = |name: &str| {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", aerial.pid())).unwrap();
        tasks
            .flatten()
            .filter_map(|t| std::fs::read_to_string(t.path().join("comm")).ok())
            .filter(|comm| comm.trim() == name)
            .count()
    };
    assert_eq!(threads("guest"), 1);
    let id = &row(&here, "video").unwrap()["id"];
    let asked = Instant::now();
    let answer = aerial.api("DELETE", &format!("/api/v1/sources/{id}"));
    assert_eq!(answer.status, 204, "{answer:?}");
    let status: Value = serde_json::from_slice(&aerial.api("GET", "/api/v1/status").body).unwrap();
    assert_eq!((row(&status, "video"), row(&status, "audio")), (None, None));
    // The page hears of it, and that coming back is of no use.
    let told = page.ask(
        r#"(async () => {
             while (tally.textContent === "Joined") await new Promise(r => setTimeout(r, 5));
             return wanted || message.textContent;
           })()"#,
    );
    assert!(
        asked.elapsed() < Duration::from_secs(1),
        "{:?}",
        asked.elapsed()
    );
    let words = page.ask(
        r#"(async () => {
             while (wanted) await new Promise(r => setTimeout(r, 20));
             return message.textContent;
           })()"#,
    );
    assert!(
        words.as_str().unwrap().contains("has taken your seat away"),
        "{told}, {words}"
    );
    assert_eq!(threads("guest"), 0, "nothing decodes any more");
    drop(page);
    aerial.stop();
}

#[test]
fn a_producer_of_gstwebrtc_api_becomes_a_guest() {
    if !have(
        "a_producer_of_gstwebrtc_api_becomes_a_guest",
        browser::NEEDS,
    ) {
        return;
    }
    let mut aerial = Aerial::live(&["--video", "test", "--audio", "silence", "--size", "640x360"]);
    let web = format!("/test/={}", checkout("tests/web").display());
    let produce = [CAMERA, &["--serve", &web]].concat();

    // Without a token it may not.
    let mut stranger = Browser::open(&aerial.link("/test/produce.html"), &produce);
    stranger.wait_first_frame();
    let told = stranger.ask(
        r#"(async () => {
             const end = performance.now() + 10000;
             while (!seen.closed && !seen.errors.length && performance.now() < end) await new Promise(r => setTimeout(r, 20));
             return JSON.stringify(seen);
           })()"#,
    );
    drop(stranger);
    let none = aerial.wait_anew("a status", |_| true);
    assert_eq!(row(&none, "video"), None, "{told}");

    let link = aerial.link(&format!("/test/produce.html#{}", aerial.token()));
    let mut page = Browser::open(&link, &produce);
    page.wait_first_frame();
    let here = aerial.wait("the guest to be live", is_live);
    assert_eq!(guest(&here)["name"], "Grace", "{here:#}");
    let id = &row(&here, "video").unwrap()["id"];
    let layout = json!({"kind": "full", "pictures": [id]});
    ask(&aerial, "PUT", "/api/v1/layout", layout);
    let mut viewer = Browser::open(&aerial.link("/"), &[]);
    viewer.wait_first_frame();
    assert_seen_and_heard(&mut viewer, GREEN, true);

    // Its source was made for it, and goes with it.
    page.ask("(session.close(), true)");
    aerial.wait("the guest to be gone", |s| row(s, "video").is_none());
    drop((page, viewer));
    aerial.stop();
}

#[test]
fn whipclientsink_feeds_the_program_in_vp8_and_in_h264() {
    if !have(
        "whipclientsink_feeds_the_program_in_vp8_and_in_h264",
        browser::NEEDS,
    ) {
        return;
    }
    let mut aerial = Aerial::live(LIVE);
    let mut viewer = Browser::open(&aerial.link("/"), &[]);
    viewer.wait_first_frame();
    let encoders = [
        ("vp8enc", GREEN, "vp8enc deadline=1 keyframe-max-dist=30"),
        (
            "openh264enc",
            BLUE,
            "openh264enc gop-size=30 ! video/x-h264,profile=constrained-baseline ! h264parse \
             ! video/x-h264,stream-format=avc,alignment=au",
        ),
    ];
    for (element, colour, encoder) in encoders {
        if !GstGuest::can(element) {
            eprintln!("SKIPPED {element}: not installed");
            continue;
        }
        // The seat that waits is taken, both times.
        let guest = GstGuest::send(aerial.address(), &aerial.token(), colour, encoder);
        let here = aerial.wait("the guest to be live", |s| {
            assert_eq!(guest.errors(), Vec::<String>::new());
            is_live(s)
        });
        assert_eq!(here["sources"].as_array().unwrap().len(), 3, "{here:#}");
        assert_seen_and_heard(&mut viewer, colour, false);
        drop(guest);
        aerial.wait("the guest to have left", |s| {
            row(s, "video").is_some_and(|s| s["state"] == "lost")
        });
    }
    drop(viewer);
    aerial.stop();
}

#[test]
fn a_guests_tone_is_heard_without_a_gap_and_the_picture_goes_on() {
    if !have_alone(
        "a_guests_tone_is_heard_without_a_gap_and_the_picture_goes_on",
        media::NEEDS,
    ) {
        return;
    }
    let mut aerial = Aerial::live(&[LIVE, &["--record", "x.webm"]].concat());
    let file = aerial.path("x.webm");
    let encoder = "vp8enc deadline=1 keyframe-max-dist=30";
    let sender = GstGuest::send(aerial.address(), &aerial.token(), GREEN, encoder);
    aerial.wait("the guest to be live", is_live);
    for _ in 0..10 {
        let now = aerial.wait_anew("the guest to be live still", |_| true);
        assert!(is_live(&now), "{now:#}");
    }
    // The recording is finished while the guest still sends.
    aerial.stop();
    drop(sender);
    let [left, _] = sound::decode(&file);
    let heard = sound::heard(&left, 1000.0, 20, 0.15);
    let first = heard.iter().position(|h| *h).expect("the tone is there");
    let last = heard.iter().rposition(|h| *h).unwrap();
    assert!(last - first > 400, "heard for {} ms", (last - first) * 20);
    // A connection begins with estimates that are not good yet: half a second for that.
    let settled = first + 25;
    let later: Vec<_> = (settled..last).filter(|n| !heard[*n]).collect();
    // One in ten: the sender and all else share two processors with other tests, browsers among them. Frames that come
    // too late as a rule, or clocks that part, make for far more.
    assert!(
        later.len() * 10 < last - settled,
        "no tone at {later:?} times 20 ms ({first} to {last})"
    );
}

#[test]
fn an_invitation_can_be_made_anew_and_only_by_the_broadcaster() {
    let mut aerial = Aerial::live(LIVE);
    let link = join_link(&aerial);
    let status = aerial.wait("a seat", |s| row(s, "video").is_some());
    let id = &row(&status, "video").unwrap()["id"];
    let path = format!("/api/v1/sources/{id}/invitation");
    let post = |token: &str, path: &str, body: &[u8]| {
        let headers = [
            ("Authorization", &*format!("Bearer {token}")),
            ("Content-Type", "application/sdp"),
        ];
        http::request(aerial.address(), "POST", path, &headers, body)
    };
    assert_eq!(post("wrong", &path, b"").status, 401);
    assert_eq!(
        aerial.api("GET", "/api/v1/sources/999/invitation").status,
        404
    );
    let answer = aerial.api("POST", &path);
    assert_eq!(answer.status, 201, "{answer:?}");
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    let new = told["invitation"].as_str().unwrap();
    assert!(!link.ends_with(new), "another one");
    let word = |link: &str| link.split_once('#').unwrap().1.to_string();
    assert_eq!(post(&word(&link), "/whip", b"v=0").status, 403, "void");
    assert_eq!(
        post(&word(new), "/whip", b"v=0").status,
        400,
        "good, but no offer"
    );
    assert_eq!(post("", "/whip", b"v=0").status, 401);
    // Neither stands in what it says.
    assert!(!aerial.said().contains(&word(new)));
    aerial.stop();
}
