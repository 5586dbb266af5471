// SPDX-License-Identifier: GPL-3.0-or-later
//! The watch page, in each browser by each way there is.

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

fn the_page_plays_by_each_way(story: &str, browser: &str, program: &str) {
    if !have_alone(story, &[browser::NEEDS, &[program]].concat()) {
        return;
    }
    let mut aerial = Aerial::live(&["--video", "test", "--audio", "tone", "--size", "320x180"]);
    aerial.wait("the broadcast to be live", |s| s["air"] == "live");
    for (word, words, film, transport, format) in WAYS {
        let mut options = vec!["--browser", browser];
        if !film {
            options.push("--picture");
        }
        let mut page = Browser::open(&aerial.link(&format!("/?way={word}")), &options);
        page.wait_first_frame();
        // Said when the first picture was really shown.
        let how = "new Promise(r => { const look = () => { const t = document.getElementById('how').textContent; \
                   t ? r(t) : setTimeout(look, 50); }; look(); })";
        assert_eq!(page.ask(how), words, "{browser}");
        aerial.wait("the viewer to be listed", |s| {
            let mut all = viewers(s, transport).into_iter();
            all.any(|v| v["format"] == format)
        });
        drop(page);
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
