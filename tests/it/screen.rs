// SPDX-License-Identifier: GPL-3.0-or-later
//! Screens and windows: from the X server, and through the portal.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::{
    desktop::{self, Desktop},
    eye::Eye,
    http::{self, Reply},
    rig::{Aerial, Home, have, signal},
};

const SMALL: &[&str] = &["--size", "640x360", "--audio", "none"];
const RED: [u8; 3] = [255, 0, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const GREEN: [u8; 3] = [0, 255, 0];
const MIDDLE: (f64, f64) = (0.5, 0.5);

/// A window of one colour; closed when dropped.
struct Window(Child);

impl Window {
    fn open(desktop: &Desktop, title: &str, colour: &str, place: &str) -> Window {
        let mut show = desktop.command("display");
        let place = format!("400x300{place}");
        show.args(["-title", title, "-geometry", &place])
            .args(["-size", "400x300", &format!("xc:{colour}")])
            .stdin(Stdio::null());
        let window = Window(show.spawn().unwrap());
        let find = desktop
            .command("xdotool")
            .args(["search", "--sync", "--name", &format!("^{title}$")])
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(find.success(), "{title} does not appear");
        window
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The source of the picture.
fn source(status: &Value) -> &Value {
    let all = status["sources"].as_array().unwrap();
    all.iter().find(|s| s["kind"] == "video").unwrap()
}

fn is(status: &Value, state: &str) -> bool {
    source(status)["state"] == state
}

fn error(status: &Value) -> &str {
    source(status)["error"].as_str().unwrap_or_default()
}

fn live(desktop: &Desktop, video: &[&str]) -> Aerial {
    let videos = video.iter().flat_map(|v| ["--video", v]);
    let args: Vec<&str> = videos.chain(SMALL.iter().copied()).collect();
    Aerial::live_in(Home::new(), &args, Some(&desktop.variables))
}

const X11: &[&str] = &["display", "xdotool", "ffmpeg"];

#[test]
fn a_window_is_shown_where_others_cover_it_and_comes_back_after_it_was_closed() {
    let story = "a_window_is_shown_where_others_cover_it_and_comes_back_after_it_was_closed";
    if !have(story, &[desktop::NEEDS, X11].concat()) {
        return;
    }
    let desktop = Desktop::start(&["--no-media", "--no-portal", "--no-keyring"]);
    let red = Window::open(&desktop, "Red slides", "red", "+50+50");
    let mut aerial = live(&desktop, &["screen:red sl"]);
    let eye = Eye::open(&aerial.link("/live.webm"));
    eye.wait("the red window", |p| p.is(MIDDLE, RED));

    let blue = Window::open(&desktop, "Blue notes", "blue", "+50+50");
    for _ in 0..30 {
        eye.wait("the red window under the blue one", |p| p.is(MIDDLE, RED));
    }

    drop(red);
    let lost = aerial.wait("the window to be lost", |s| is(s, "lost"));
    assert!(
        error(&lost).contains("was closed") || error(&lost).contains("Red sl"),
        "{lost:#}"
    );
    // The slate: not the picture of a window that is gone, and not that of another.
    eye.wait("the slate", |p| {
        p.at(0.5, 0.5).iter().all(|c| (20..60).contains(c))
    });

    let _red = Window::open(&desktop, "Red slides", "red", "+300+300");
    aerial.wait("the window to be back", |s| is(s, "live"));
    eye.wait("the red window again", |p| p.is(MIDDLE, RED));
    drop((eye, blue));
    aerial.stop();
}

#[test]
fn the_whole_screen_and_a_part_of_it_are_shown_and_windows_are_listed() {
    let story = "the_whole_screen_and_a_part_of_it_are_shown_and_windows_are_listed";
    if !have(story, &[desktop::NEEDS, X11].concat()) {
        return;
    }
    let desktop = Desktop::start(&["--no-media", "--no-portal", "--no-keyring"]);
    let _blue = Window::open(&desktop, "Blue notes", "blue", "+100+100");
    let out = Home::new()
        .aerial(&["devices", "--json"], Some(&desktop.variables))
        .output()
        .unwrap();
    let listed: Vec<Value> = serde_json::from_slice(&out.stdout).unwrap();
    let window = listed.iter().find(|d| d["name"] == "Blue notes");
    let window = window.unwrap_or_else(|| panic!("{listed:#?}"))["spec"].clone();
    assert!(listed.iter().any(|d| d["spec"] == "screen"), "{listed:#?}");

    // The whole screen, a part of it that lies in the window, and below them the window by its number.
    let part = "screen:150,150,300x200";
    let mut aerial = live(&desktop, &["screen", part, window.as_str().unwrap()]);
    let eye = Eye::open(&aerial.link("/live.webm"));
    let tiles = eye.wait("all three", |p| {
        let window = p.is((0.5, 0.75), BLUE) || p.is((0.25, 0.75), BLUE);
        // The screen is 1280x1024, in a tile of half the width and height of the picture.
        p.is((0.75, 0.25), BLUE) && window && p.is((0.157, 0.122), BLUE)
    });
    assert!(!tiles.is((0.35, 0.4), BLUE), "the screen beside the window");
    drop(eye);
    aerial.stop();
}

#[test]
fn what_cannot_be_shown_is_told_with_a_remedy() {
    if !have("what_cannot_be_shown_is_told_with_a_remedy", desktop::NEEDS) {
        return;
    }
    let desktop = Desktop::start(&["--no-media", "--no-portal", "--no-keyring"]);
    for (spec, words) in [
        ("screen:No such window", "No such window"),
        ("screen:5000,0,100x100", "1280x1024"),
    ] {
        let mut aerial = live(&desktop, &[spec]);
        let lost = aerial.wait("the source to be lost", |s| is(s, "lost"));
        assert!(error(&lost).contains(words), "{lost:#}");
        aerial.stop();
    }
    // Without any desktop.
    let mut aerial = Aerial::live(&["--video", "screen", "--audio", "none"]);
    let lost = aerial.wait("the screen to be lost", |s| is(s, "lost"));
    assert!(error(&lost).contains("no screen here"), "{lost:#}");
    aerial.stop();
}

/// An X server of its own; killed when dropped.
struct Server(Child);

impl Server {
    /// Starts it as this display, or as any that is free. Returns the display.
    fn start(display: Option<&str>) -> (Server, String) {
        let mut server = Command::new("Xvfb")
            .args(display)
            .args(["-displayfd", "1", "-screen", "0", "640x360x24"])
            .args(["-nolisten", "tcp"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut number = String::new();
        let out = server.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut number).unwrap();
        (Server(server), format!(":{}", number.trim()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        signal(self.0.id(), "TERM");
        let _ = self.0.wait();
    }
}

#[test]
fn the_broadcast_outlives_the_x_server_and_shows_it_again() {
    let story = "the_broadcast_outlives_the_x_server_and_shows_it_again";
    if !have(story, &["Xvfb"]) {
        return;
    }
    let (server, display) = Server::start(None);
    let variables = HashMap::from([("DISPLAY".to_string(), display.clone())]);
    let args = [&["--video", "screen:0,0,320x180"], SMALL].concat();
    let mut aerial = Aerial::live_in(Home::new(), &args, Some(&variables));
    aerial.wait("the screen to be live", |s| is(s, "live"));
    drop(server);
    let lost = aerial.wait("the screen to be lost", |s| is(s, "lost"));
    assert!(error(&lost).contains("cannot be seen"), "{lost:#}");
    let (_server, again) = Server::start(Some(&display));
    assert_eq!(again, display);
    aerial.wait("the screen to be back", |s| is(s, "live"));
    aerial.stop();
}

/// The person in front of the desktop.
struct Person(PathBuf, u32);

impl Person {
    fn of(desktop: &Desktop) -> Person {
        let folder = PathBuf::from(&desktop.variables["TESTBED_SCREENS"]);
        Person(folder, desktop.device("TESTBED_SCREENS_PID"))
    }

    fn will_say(&self, answer: &str) {
        fs::write(self.0.join("answer"), answer).unwrap();
    }

    /// What was asked so far.
    fn asked(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.0.join("asked")).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn stops_sharing(&self) {
        signal(self.1, "USR1");
    }
}

const PORTAL: &[&str] = &[
    "/usr/libexec/xdg-desktop-portal",
    "/usr/bin/python3",
    "ffmpeg",
];

#[test]
fn a_screen_from_the_portal_is_asked_for_once_and_never_again() {
    let story = "a_screen_from_the_portal_is_asked_for_once_and_never_again";
    if !have(story, &[desktop::NEEDS, PORTAL].concat()) {
        return;
    }
    let mut desktop = Desktop::start(&["--screens", "--no-keyring"]);
    let person = Person::of(&desktop);
    let settings = Home::new();
    let folder = settings.path("config").to_str().unwrap().to_string();
    desktop.variables.insert("XDG_CONFIG_HOME".into(), folder);
    for start in 1..=2 {
        let mut aerial = live(&desktop, &["screen"]);
        let eye = Eye::open(&aerial.link("/live.webm"));
        eye.wait("the green screen", |p| p.is(MIDDLE, GREEN));
        let asked = person.asked();
        assert_eq!(asked.len(), start, "{asked:?}");
        let last = asked.last().unwrap();
        assert_eq!(last["restored"], start > 1, "{asked:?}");
        // Monitors and windows, with the pointer in the picture.
        assert_eq!((&last["types"], &last["cursor"]), (&3.into(), &2.into()));
        drop(eye);
        aerial.stop();
    }
    let kept = settings.path("config/aerial/screens.toml");
    let mode = fs::metadata(&kept).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Tell the source of the picture to go on.
fn resume(aerial: &Aerial, status: &Value) -> Reply {
    let token = format!("Bearer {}", aerial.token());
    let headers = [
        ("Authorization", token.as_str()),
        ("Content-Type", "application/json"),
    ];
    let path = format!("/api/v1/sources/{}", source(status)["id"]);
    http::request(
        aerial.address(),
        "PATCH",
        &path,
        &headers,
        br#"{"play":"resume"}"#,
    )
}

#[test]
fn a_refusal_and_the_end_of_sharing_are_told_and_nobody_is_bothered_again() {
    let story = "a_refusal_and_the_end_of_sharing_are_told_and_nobody_is_bothered_again";
    if !have(story, &[desktop::NEEDS, PORTAL].concat()) {
        return;
    }
    let desktop = Desktop::start(&["--screens", "--no-keyring"]);
    let person = Person::of(&desktop);
    person.will_say("no");
    let mut aerial = live(&desktop, &["screen:monitor"]);
    let refused = aerial.wait("the refusal", |s| is(s, "lost"));
    assert!(error(&refused).contains("not allowed"), "{refused:#}");
    for _ in 0..4 {
        aerial.wait_anew("another second", |s| is(s, "lost"));
    }
    assert_eq!(person.asked().len(), 1, "a refusal is a refusal");

    person.will_say("yes");
    assert_eq!(resume(&aerial, &refused).status, 200);
    aerial.wait("the screen after it was asked for again", |s| is(s, "live"));
    let eye = Eye::open(&aerial.link("/live.webm"));
    eye.wait("the green screen", |p| p.is(MIDDLE, GREEN));

    person.stops_sharing();
    let ended = aerial.wait("the end of sharing", |s| is(s, "lost"));
    assert!(error(&ended).contains("ended the sharing"), "{ended:#}");
    eye.wait("the slate", |p| {
        p.at(0.5, 0.5).iter().all(|c| (20..60).contains(c))
    });
    for _ in 0..4 {
        aerial.wait_anew("another second", |s| is(s, "lost"));
    }
    let asked = person.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked[1]["types"], 1, "monitors only");
    drop(eye);
    aerial.stop();
}

#[test]
fn a_question_that_nobody_answers_holds_nothing_up() {
    let story = "a_question_that_nobody_answers_holds_nothing_up";
    if !have(story, &[desktop::NEEDS, PORTAL].concat()) {
        return;
    }
    let desktop = Desktop::start(&["--screens", "--no-keyring"]);
    let person = Person::of(&desktop);
    person.will_say("wait");
    let mut aerial = live(&desktop, &["screen"]);
    let asking = aerial.wait("the question", |s| {
        is(s, "starting") && !person.asked().is_empty()
    });
    // Nothing to resume yet, and the answer to that comes at once.
    assert_eq!(resume(&aerial, &asking).status, 409);
    assert!(aerial.stop() < Duration::from_secs(6));
}

const WAYLAND: &[&str] = &[
    "sway",
    "ffmpeg",
    "/usr/libexec/xdg-desktop-portal",
    "/usr/libexec/xdg-desktop-portal-wlr",
];

#[test]
fn a_wayland_screen_is_shown_through_the_portal_and_not_by_name() {
    let story = "a_wayland_screen_is_shown_through_the_portal_and_not_by_name";
    if !have(story, &[desktop::NEEDS, WAYLAND].concat()) {
        return;
    }
    let desktop = Desktop::start(&["--wayland", "--no-keyring"]);
    let sway = |words: &str| {
        let done = desktop
            .command("swaymsg")
            .args(["-q", words])
            .status()
            .unwrap();
        assert!(done.success(), "{words}");
    };
    let mut aerial = live(&desktop, &["screen"]);
    aerial.wait("the screen to be live", |s| {
        if source(s)["warning"]
            .as_str()
            .is_some_and(|w| w.starts_with("Nothing has changed on the screen"))
        {
            sway("output HEADLESS-1 bg #336699 solid_color");
        }
        is(s, "live")
    });
    let eye = Eye::open(&aerial.link("/live.webm"));
    eye.wait("the desktop", |p| p.is(MIDDLE, [0x33, 0x66, 0x99]));
    // A screen on which nothing moves is still live, and what changes is seen.
    sway("output HEADLESS-1 bg #990000 solid_color");
    eye.wait("its new colour", |p| p.is(MIDDLE, [0x99, 0, 0]));
    drop(eye);
    aerial.stop();

    let mut aerial = live(&desktop, &["screen:Some window"]);
    let lost = aerial.wait("the refusal", |s| is(s, "lost"));
    assert!(error(&lost).contains("only you can choose"), "{lost:#}");
    aerial.stop();
}
