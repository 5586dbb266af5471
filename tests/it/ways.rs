// SPDX-License-Identifier: GPL-3.0-or-later
//! The watch page, in each browser by each way there is.

use serde_json::json;

use crate::{
    browser::{self, Browser},
    rig::{Aerial, have_alone, viewers},
};

/// Words of the address and of the page, whether the browser plays a film, and how the list of viewers names it.
const WAYS: [(&str, &str, bool, &str, &str); 5] = [
    ("webrtc", "by WebRTC", true, "webrtc", "vp8+opus"),
    ("http", "by HTTP", true, "http", "webm"),
    ("plain%20http", "by plain HTTP", true, "http", "webm"),
    ("mjpeg", "by MJPEG", false, "http", "mjpeg"),
    ("gif", "by GIF", false, "http", "gif"),
];

const SMALL: &[&str] = &["--video", "test", "--audio", "tone", "--size", "320x180"];

/// The way that the page tells, when there is one. Said when pictures were really seen to follow each other.
const HOW: &str = "new Promise(r => { const look = () => { const t = document.getElementById('how').textContent; \
                   t ? r(t) : setTimeout(look, 50); }; look(); })";

/// How wide the picture is, once it has become another one. The test card has noise in a corner.
const MOVES: &str = "new Promise(r => { \
    const c = document.createElement('canvas'); \
    const now = () => { \
      const e = document.querySelector('#screen video, #screen canvas:not(#still)'); \
      const w = c.width = e.videoWidth ?? e.width, h = c.height = e.videoHeight ?? e.height; \
      c.getContext('2d').drawImage(e, 0, 0); \
      return [w, c.toDataURL()]; \
    }; \
    const first = now(); \
    const look = () => { const [w, is] = now(); is !== first[1] ? r(w) : setTimeout(look, 50); }; \
    look(); })";

fn the_page_plays_by_each_way(story: &str, browser: &str, program: &str) {
    if !have_alone(story, &[browser::NEEDS, &[program]].concat()) {
        return;
    }
    let mut aerial = Aerial::live(SMALL);
    aerial.wait("the broadcast to be live", |s| s["air"] == "live");
    for (word, words, film, transport, format) in WAYS {
        let mut options = vec!["--browser", browser];
        if !film {
            options.push("--picture");
        }
        let mut page = Browser::open(&aerial.link(&format!("/?way={word}")), &options);
        page.wait_first_frame();
        assert_eq!(page.ask(HOW), words, "{browser}");
        assert_eq!(page.ask(MOVES), json!(320), "{browser}, {words}");
        aerial.wait("the viewer to be listed", |s| {
            let mut all = viewers(s, transport).into_iter();
            all.any(|v| v["format"] == format)
        });
        // The policy of the page forbade nothing that it does.
        let saw = page.finish();
        let errors = (&saw["page_errors"], &saw["forbidden"]);
        assert_eq!(errors, (&json!([]), &json!([])), "{browser}, {words}");
        aerial.wait("the viewer to be gone", |s| {
            s["viewers"].as_array().is_some_and(Vec::is_empty)
        });
    }
    aerial.stop();
}

#[test]
fn chromium_plays_the_page_by_each_way() {
    the_page_plays_by_each_way(
        "chromium_plays_the_page_by_each_way",
        "chromium",
        "chromium",
    );
}

#[test]
fn firefox_plays_the_page_by_each_way() {
    the_page_plays_by_each_way(
        "firefox_plays_the_page_by_each_way",
        "firefox",
        "firefox-esr",
    );
}

/// Both formats that are fed to the browser piece by piece.
#[test]
fn the_format_can_be_chosen() {
    if !have_alone("the_format_can_be_chosen", browser::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(SMALL);
    let mut page = Browser::open(&aerial.link("/?way=http"), &[]);
    page.wait_first_frame();
    assert_eq!(page.ask(HOW), "by HTTP");
    assert_eq!(
        page.ask("[...document.getElementById('format').options].map(o => o.value)"),
        json!(["WebM", "MP4"])
    );
    page.ask(
        "(document.getElementById('format').value = 'MP4', \
         document.getElementById('format').dispatchEvent(new Event('change')))",
    );
    aerial.wait("the viewer to have changed", |s| {
        let formats: Vec<_> = viewers(s, "http")
            .iter()
            .map(|v| v["format"].clone())
            .collect();
        formats == ["mp4"]
    });
    assert_eq!(page.ask(HOW), "by HTTP");
    assert_eq!(page.ask(MOVES), json!(320));
    page.finish();
    aerial.stop();
}

/// Takes away what the better ways need, and keeps it to be given back.
const LAME: &str = "const RTC = RTCPeerConnection, types = MediaSource.isTypeSupported; \
    RTCPeerConnection = class { constructor() { throw new Error('no WebRTC'); } }; \
    MediaSource.isTypeSupported = () => false; \
    HTMLMediaElement.prototype.canPlayType = () => '';";

#[test]
fn the_page_falls_to_a_way_that_plays_and_climbs_when_a_better_one_does() {
    let story = "the_page_falls_to_a_way_that_plays_and_climbs_when_a_better_one_does";
    if !have_alone(story, browser::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(SMALL);
    let mut page = Browser::open(&aerial.link("/"), &["--picture", "--init", LAME]);
    page.wait_first_frame();
    assert_eq!(page.ask(HOW), "by MJPEG");
    // A network that comes back is a reason to try.
    page.ask("(RTCPeerConnection = RTC, dispatchEvent(new Event('online')))");
    let better = HOW.replace("t ? r(t)", "t === 'by WebRTC' ? r(t)");
    assert_eq!(page.ask(&better), "by WebRTC");
    assert_eq!(page.ask(MOVES), json!(320));
    aerial.wait("the lesser way to be left", |s| {
        viewers(s, "http").is_empty() && viewers(s, "webrtc").len() == 1
    });
    let saw = page.finish();
    assert_eq!(saw["page_errors"], json!([]));
    aerial.stop();
}

/// A server, or what stands before it, that takes no offer, and never answers who wants a stream.
const SILENT: &str = "const real = fetch; \
    window.fetch = (address, more) => address.endsWith('/whep') ? Promise.reject(new TypeError('no')) : \
      /live.(webm|mp4)$/.test(address) && more?.method !== 'HEAD' ? new Promise(() => {}) : real(address, more);";

#[test]
fn a_way_without_an_answer_is_given_up_and_meanwhile_there_is_a_picture() {
    let story = "a_way_without_an_answer_is_given_up_and_meanwhile_there_is_a_picture";
    if !have_alone(story, browser::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(SMALL);
    let mut page = Browser::open(&aerial.link("/"), &["--picture", "--init", SILENT]);
    page.wait_first_frame();
    assert_eq!(
        page.ask(
            "[document.getElementById('still').width, document.getElementById('how').textContent]"
        ),
        json!([320, ""])
    );
    assert_eq!(page.ask(HOW), "by plain HTTP");
    assert_eq!(page.ask(MOVES), json!(320));
    page.finish();
    aerial.stop();
}

/// Waits until something is so.
const UNTIL: &str = "new Promise(r => { \
    const v = document.querySelector('#screen video'); \
    const look = () => { const behind = v.buffered.end(v.buffered.length - 1) - v.currentTime; \
      (TEST) ? r(true) : setTimeout(look, 20); }; \
    look(); })";

#[test]
fn who_is_behind_catches_up_or_jumps_to_what_is_live() {
    let story = "who_is_behind_catches_up_or_jumps_to_what_is_live";
    if !have_alone(story, browser::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(SMALL);
    let mut page = Browser::open(&aerial.link("/?way=http"), &[]);
    page.wait_first_frame();
    assert_eq!(page.ask(HOW), "by HTTP");
    let mut until = |test: &str| assert_eq!(page.ask(&UNTIL.replace("TEST", test)), true, "{test}");
    until("behind < 1.2");
    // Far behind, it jumps: faster than at any rate of playing.
    until("(document.getElementById('play').click(), true)");
    until("behind > 6");
    until("(document.getElementById('play').click(), true)");
    until("behind < 3");
    // A little behind, it plays a little faster.
    until("behind < 1.2");
    until("(document.getElementById('play').click(), true)");
    until("behind > 2");
    until("(document.getElementById('play').click(), true)");
    until("v.playbackRate > 1 && v.playbackRate < 1.2");
    until("behind < 1.2");
    // What was shown is not kept for ever.
    until(
        "v.buffered.start(0) > 0 && v.buffered.end(v.buffered.length - 1) - v.buffered.start(0) < 40",
    );
    page.finish();
    aerial.stop();
}
