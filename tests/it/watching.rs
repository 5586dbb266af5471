// SPDX-License-Identifier: GPL-3.0-or-later
//! The watch page: what it says when nothing is to be seen, and how it is used.

use std::{fs, path::Path, time::Instant};

use serde_json::{Value, json};
use studio::message::Command;

use crate::{
    browser::{self, Browser},
    rig::{Aerial, LONG, engine, free_port, have, id, viewers},
};

pub const SMALL: &[&str] = &["--video", "test", "--audio", "tone", "--size", "320x180"];

/// Waits until the page is in this state; what it says then.
pub fn wait_state(page: &mut Browser, state: &str) -> String {
    let end = Instant::now() + LONG;
    let look = format!(
        "new Promise(r => {{ \
           const end = Date.now() + 9000; \
           const look = () => {{ \
             const s = document.getElementById('player')?.dataset.state; \
             if (s !== '{state}' && Date.now() < end) return setTimeout(look, 20); \
             r([s, ...['message', 'said'].map(i => document.getElementById(i)?.textContent)]); \
           }}; \
           look(); }})"
    );
    loop {
        let now = page.ask(&look);
        if now[0] == state {
            if state != "live" {
                assert_eq!(now[1], now[2], "screen readers are told the same");
            }
            return now[1].as_str().unwrap().to_string();
        }
        assert!(Instant::now() < end, "waited in vain for {state}: {now}");
    }
}

/// Ends it; no script of it failed, and its policy forbade nothing.
pub fn clean(page: Browser) {
    let saw = page.finish();
    let errors = (&saw["page_errors"], &saw["forbidden"]);
    assert_eq!(errors, (&json!([]), &json!([])));
}

fn press_again(page: &mut Browser) {
    page.ask("document.getElementById('again').click()");
}

#[test]
fn a_lost_connection_is_told_from_being_let_go_and_the_page_comes_back() {
    let story = "a_lost_connection_is_told_from_being_let_go_and_the_page_comes_back";
    if !have(story, browser::NEEDS) {
        return;
    }
    for way in ["webrtc", "http", "mjpeg"] {
        let listen = format!("127.0.0.1:{}", free_port());
        let args = [SMALL, &["--listen", &listen]].concat();
        let mut aerial = Aerial::live(&args);
        let page = aerial.link(&format!("/?way={way}"));
        let mut page = Browser::open(&page, &["--picture"]);
        page.wait_first_frame();
        wait_state(&mut page, "live");

        aerial.kill();
        let words = wait_state(&mut page, "lost");
        assert_eq!(words, "Your connection is lost. Trying again…", "{way}");
        let mut aerial = Aerial::live(&args);
        wait_state(&mut page, "live");

        let transport = if way == "webrtc" { "webrtc" } else { "http" };
        let status = aerial.wait("the viewer to be back", |s| {
            viewers(s, transport).len() == 1
        });
        let viewer = id(viewers(&status, transport)[0]);
        let kicked = aerial.api("DELETE", &format!("/api/v1/viewers/{viewer}"));
        assert_eq!(kicked.status, 204);
        let words = wait_state(&mut page, "letgo");
        assert_eq!(words, "The broadcaster ended your connection.", "{way}");
        press_again(&mut page);
        wait_state(&mut page, "live");

        let status = aerial.wait("the viewer to be back", |s| {
            let all = viewers(s, transport);
            all.len() == 1 && id(all[0]) != viewer
        });
        let viewer = id(viewers(&status, transport)[0]);
        let banned = aerial.api("POST", &format!("/api/v1/viewers/{viewer}/ban"));
        assert_eq!(banned.status, 204, "{banned:?}");
        let words = wait_state(&mut page, "refused");
        assert!(
            words.starts_with("The broadcaster does not let this address watch."),
            "{words}"
        );

        clean(page);
        aerial.stop();
    }
}

#[test]
fn a_broadcast_that_has_not_begun_is_told_from_one_that_ended() {
    let story = "a_broadcast_that_has_not_begun_is_told_from_one_that_ended";
    if !have(story, browser::NEEDS) {
        return;
    }
    let studio = engine(vec![]);
    let base = studio.links()[0].clone();
    let mut page = Browser::open(&format!("{base}/"), &["--no-picture"]);
    page.wait_first_frame();
    let words = wait_state(&mut page, "early");
    assert!(
        words.starts_with("The broadcast has not begun yet."),
        "{words}"
    );

    studio.command(Command::SetNowPlaying("The evening show".into()));
    studio.command(Command::GoLive);
    wait_state(&mut page, "live");
    // The title comes with the answer that told that it is live.
    assert_eq!(
        page.ask("document.getElementById('title').textContent"),
        "The evening show"
    );
    assert_eq!(page.ask("document.title"), "The evening show: live");

    studio.command(Command::EndLive);
    assert_eq!(wait_state(&mut page, "ended"), "The broadcast has ended.");
    // Who comes now is told the same.
    let mut late = Browser::open(&format!("{base}/"), &["--no-picture"]);
    late.wait_first_frame();
    wait_state(&mut late, "ended");

    studio.command(Command::GoLive);
    wait_state(&mut page, "live");
    wait_state(&mut late, "live");
    clean(page);
    clean(late);
}

/// The value of an expression about the player.
fn video(page: &mut Browser, what: &str) -> Value {
    page.ask(&format!("document.querySelector('#screen video').{what}"))
}

#[test]
fn the_page_is_used_by_keyboard_and_named_for_screen_readers() {
    let story = "the_page_is_used_by_keyboard_and_named_for_screen_readers";
    if !have(story, browser::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(SMALL);
    let mut page = Browser::open(&aerial.link("/?way=http"), &[]);
    page.wait_first_frame();
    wait_state(&mut page, "live");
    let names = page.ask("@names");
    let named = |role: &str, name: &str| {
        let found = names.as_array().unwrap().contains(&json!([role, name]));
        assert!(found, "no {role} is called {name:?} in {names}");
    };
    named("heading", "Aerial");
    named("region", "Broadcast");
    named("Video", "Live broadcast");
    named("group", "Controls");
    for button in [
        "Turn the sound on",
        "Pause",
        "Settings",
        "Full screen",
        "Picture in picture",
    ] {
        named("button", button);
    }
    named("slider", "Volume");
    named("StaticText", "The broadcast is playing.");
    // Whatever can be used has a name.
    for node in names.as_array().unwrap() {
        let used = ["button", "slider", "combobox", "link", "Video", "image"];
        if used.contains(&node[0].as_str().unwrap()) {
            assert_ne!(node[1], "", "{names}");
        }
    }

    assert_eq!(video(&mut page, "muted"), true);
    page.ask("@press m");
    assert_eq!(video(&mut page, "muted"), false);
    assert_eq!(page.ask("document.getElementById('unmute').hidden"), true);
    page.ask("@press ArrowDown");
    assert!((video(&mut page, "volume").as_f64().unwrap() - 0.95).abs() < 0.01);
    page.ask("@press ArrowUp");
    assert_eq!(video(&mut page, "volume"), 1);
    page.ask("@press Space");
    assert_eq!(video(&mut page, "paused"), true);
    assert_eq!(
        page.ask("document.getElementById('play').getAttribute('aria-label')"),
        "Play"
    );
    page.ask("@press Space");
    assert_eq!(video(&mut page, "paused"), false);
    let large = "new Promise(r => { const look = () => Boolean(document.fullscreenElement) === WANTED ? r(true) : \
                 setTimeout(look, 20); look(); })";
    page.ask("@press f");
    page.ask(&large.replace("WANTED", "true"));
    page.ask("@press f");
    page.ask(&large.replace("WANTED", "false"));

    // Each control is reached, in the order in which they stand.
    page.ask("(document.activeElement.blur(), getSelection().collapse(document.body, 0))");
    let mut reached = vec![];
    for _ in 0..6 {
        page.ask("@press Tab");
        reached.push(page.ask("document.activeElement.id"));
    }
    assert_eq!(reached, ["play", "mute", "volume", "more", "pip", "full"]);
    page.ask("document.getElementById('more').focus()");
    page.ask("@press Enter");
    assert_eq!(
        page.ask("document.getElementById('settings').hidden"),
        false
    );
    page.ask("@press Escape");
    assert_eq!(page.ask("document.getElementById('settings').hidden"), true);
    assert_eq!(page.ask("document.activeElement.id"), "more");

    clean(page);
    aerial.stop();
}

/// A browser that plays nothing before somebody has pressed something.
const STRICT: &str = "const play = HTMLMediaElement.prototype.play; let allowed = false; \
    addEventListener('click', () => { allowed = true; }, true); \
    Object.defineProperty(HTMLMediaElement.prototype, 'autoplay', { set() {} }); \
    HTMLMediaElement.prototype.play = function() { return allowed ? play.call(this) : \
      Promise.reject(new DOMException('not yet', 'NotAllowedError')); };";

#[test]
fn where_a_browser_plays_nothing_unasked_the_page_asks() {
    let story = "where_a_browser_plays_nothing_unasked_the_page_asks";
    if !have(story, browser::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(SMALL);
    // The newest picture stands there meanwhile.
    let options = ["--picture", "--init", STRICT];
    let mut page = Browser::open(&aerial.link("/"), &options);
    page.wait_first_frame();
    wait_state(&mut page, "blocked");
    assert_eq!(
        page.ask("document.getElementById('again').textContent"),
        "Play"
    );
    assert_eq!(page.ask("document.getElementById('still').width"), 320);
    press_again(&mut page);
    wait_state(&mut page, "live");
    assert_eq!(
        page.ask("document.getElementById('how').textContent"),
        "by WebRTC"
    );
    clean(page);
    aerial.stop();
}

/// Answers what the page asks for a session of WebRTC with this status.
fn answering(status: u16) -> String {
    format!(
        "const real = fetch; window.wishes = []; \
         window.fetch = (address, more) => more?.method !== 'PATCH' ? real(address, more) : \
           (wishes.push(JSON.parse(more.body).rung), Promise.resolve(new Response(null, {{ status: {status} }})));"
    )
}

#[test]
fn sizes_are_offered_only_where_they_can_be_chosen() {
    let story = "sizes_are_offered_only_where_they_can_be_chosen";
    if !have(story, browser::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(SMALL);
    for (status, offered) in [(204, true), (415, false)] {
        let link = aerial.link("/?way=webrtc");
        let mut page = Browser::open(&link, &["--init", &answering(status)]);
        page.wait_first_frame();
        wait_state(&mut page, "live");
        let asked = "new Promise(r => { const look = () => wishes.length ? setTimeout(r, 0, wishes) : \
                     setTimeout(look, 20); look(); })";
        assert_eq!(page.ask(asked), json!(["auto"]));
        let shown = "!document.getElementById('for-quality').hidden";
        assert_eq!(page.ask(shown), offered, "{status}");
        if offered {
            page.ask(
                "(document.getElementById('quality').value = 'low', \
                 document.getElementById('quality').dispatchEvent(new Event('change')))",
            );
            assert_eq!(page.ask("wishes"), json!(["auto", "low"]));
        }
        clean(page);
    }
    aerial.stop();
}

#[test]
fn the_page_fits_a_telephone() {
    if !have("the_page_fits_a_telephone", browser::NEEDS) {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    fs::create_dir_all(&folder).unwrap();
    let mut aerial = Aerial::live(SMALL);
    let mut page = Browser::open(&aerial.link("/"), &["--phone", "360x740"]);
    page.wait_first_frame();
    wait_state(&mut page, "live");
    for scheme in ["light", "dark"] {
        page.ask(&format!("@scheme {scheme}"));
        let wide = page.ask("[innerWidth, document.documentElement.scrollWidth]");
        assert_eq!(wide, json!([360, 360]), "{scheme}");
        let small = page.ask(
            "[...document.querySelectorAll('button, select, input, a')].filter(e => e.checkVisibility()) \
             .map(e => [e.id, e.getBoundingClientRect()]).filter(([, r]) => r.width < 44 || r.height < 44).map(([i]) => i)",
        );
        assert_eq!(small, json!([]), "too small for a finger");
        let path = folder.join(format!("watch-phone-{scheme}.png"));
        page.ask(&format!("@screenshot {}", path.display()));
    }
    clean(page);
    aerial.stop();
}
