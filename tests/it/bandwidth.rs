// SPDX-License-Identifier: GPL-3.0-or-later
//! WebRTC viewers on narrow and lossy lines: a real browser on another computer, as the network sees it.

use serde_json::Value;

use crate::{
    browser::{self, Browser},
    line::{self, Line},
    rig::{Aerial, have_alone, viewers},
};

/// Notes each picture that is shown: when it was made, in ms, how many were decoded by then, and its width; and whether
/// there is sound. (How many are shown depends on how busy the computer is.)
const NOTE: &str = "(() => {
    const video = document.querySelector('video');
    const note = window.note = { pictures: [], loud: 0, silent: 0 };
    let last = null, ms = 0;
    const shown = (_, m) => {
        if (last !== null) ms += ((m.rtpTimestamp - last) | 0) / 90;
        last = m.rtpTimestamp;
        note.pictures.push([ms, video.getVideoPlaybackQuality().totalVideoFrames, m.width]);
        video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
    note.now = () => note.pictures.length ? note.pictures.at(-1)[0] : 0;
    note.until = ms => new Promise(done => {
        const end = performance.now() + 60000;
        const look = () => note.now() >= ms || performance.now() > end ? done(note.now()) : setTimeout(look, 50);
        look();
    });
    note.fps = (from, to) => {
        const all = note.pictures.filter(p => p[0] >= from && p[0] <= to);
        const before = note.pictures.filter(p => p[0] < from).at(-1) ?? all[0];
        return all.length ? (all.at(-1)[1] - before[1]) * 1000 / (all.at(-1)[0] - before[0]) : 0;
    };
    const context = new AudioContext();
    const ear = context.createAnalyser();
    context.createMediaStreamSource(video.srcObject).connect(ear);
    const samples = new Float32Array(ear.fftSize);
    setInterval(() => {
        ear.getFloatTimeDomainData(samples);
        samples.some(s => Math.abs(s) > 0.001) ? note.loud++ : note.silent++;
    }, 100);
    return true;
})()";

/// A viewer on the other side of a line.
struct Screen(Browser);

impl Screen {
    fn open(line: &Line, aerial: &Aerial) -> Screen {
        let url = aerial.link("/?way=webrtc");
        let mut browser = Browser::open_by(line.browser(), &url, &[]);
        browser.wait_first_frame();
        assert_eq!(browser.ask(NOTE), true);
        Screen(browser)
    }

    /// The stream's time of the picture that is shown, in ms.
    fn now(&mut self) -> f64 {
        self.0.ask("note.now()").as_f64().unwrap()
    }

    /// Waits until the stream's time is this; the time that it is.
    fn until(&mut self, ms: f64) -> f64 {
        let now = self.0.ask(&format!("note.until({ms})")).as_f64().unwrap();
        assert!(now >= ms, "the picture stands at {now} ms");
        now
    }

    /// Pictures per second of the stream's time, between these.
    fn fps(&mut self, from: f64, to: f64) -> f64 {
        self.until(to);
        let fps = self.0.ask(&format!("note.fps({from}, {to})"));
        fps.as_f64().unwrap()
    }

    /// Share of the time since this was asked last in which there was sound.
    fn sound(&mut self) -> f64 {
        let share = "(() => { const { loud, silent } = note; note.loud = note.silent = 0;
                     return loud / Math.max(1, loud + silent); })()";
        self.0.ask(share).as_f64().unwrap()
    }
}

fn viewer(status: &Value) -> &Value {
    viewers(status, "webrtc").first().unwrap_or(&&Value::Null)
}

fn has_rung(status: &Value, rung: &str) -> bool {
    let all = status["encoders"].as_array().unwrap();
    all.iter().any(|e| e["rung"] == rung)
}

fn live(line: &Line) -> Aerial {
    // The size costs little; the bitrate is what counts.
    Aerial::live(&[
        "--video",
        "test",
        "--audio",
        "tone",
        "--size",
        "640x360",
        "--video-bitrate",
        "2000k",
        "--listen",
        &format!("{}:0", line.here()),
        // The line is looked at here, not the link.
        "--open",
    ])
}

#[test]
fn on_a_narrow_line_the_picture_is_small_and_goes_on_and_is_full_again_when_the_line_is_wide() {
    let story =
        "on_a_narrow_line_the_picture_is_small_and_goes_on_and_is_full_again_when_the_line_is_wide";
    if !have_alone(story, &[browser::NEEDS, line::NEEDS].concat()) {
        return;
    }
    let Some(line) = Line::laid(story) else {
        return;
    };
    let mut aerial = live(&line);
    let mut screen = Screen::open(&line, &aerial);
    let status = aerial.wait("the full picture", |s| viewer(s)["rung"] == "full");
    assert!(
        !has_rung(&status, "low"),
        "nobody needs it yet: {}",
        status["encoders"]
    );
    screen.until(4000.0);

    line.narrow("1.2mbit");
    let narrow = screen.now();
    aerial.wait("the small picture", |s| viewer(s)["rung"] == "low");
    let fps = screen.fps(narrow + 4000.0, narrow + 16_000.0);
    println!("1.2 Mbit/s: {fps:.1} pictures per second after 4 s");
    assert!(fps >= 24.0, "{fps} pictures per second");

    line.widen();
    let wide = screen.now();
    aerial.wait("the full picture again", |s| viewer(s)["rung"] == "full");
    let full =
        "new Promise(done => { const look = () => note.pictures.at(-1)[2] > 320 ? done(note.now())
                : setTimeout(look, 20); look(); })";
    let took = screen.0.ask(full).as_f64().unwrap() - wide;
    println!("full again after {:.1} s", took / 1000.0);
    aerial.wait("the small picture's encoder to end", |s| {
        !has_rung(s, "low")
    });

    // Less than even the small picture needs.
    line.narrow("350kbit");
    aerial.wait("pictures to be left out", |s| {
        let viewer = viewer(s);
        viewer["rung"] == "low" && viewer["dropped"].as_u64() > Some(60)
    });
    screen.sound();
    let now = screen.now();
    screen.until(now + 6000.0);
    let sound = screen.sound();
    println!("350 kbit/s: sound {:.0} % of the time", sound * 100.0);
    assert!(sound > 0.8, "{sound}");
    drop(screen);
    aerial.stop();
}

#[test]
fn lost_packets_are_sent_again_and_the_picture_goes_on() {
    let story = "lost_packets_are_sent_again_and_the_picture_goes_on";
    if !have_alone(story, &[browser::NEEDS, line::NEEDS].concat()) {
        return;
    }
    let Some(line) = Line::laid(story) else {
        return;
    };
    let mut aerial = live(&line);
    let mut screen = Screen::open(&line, &aerial);
    screen.until(3000.0);
    for percent in [1, 3, 5] {
        line.lose(f64::from(percent) / 100.0);
        let from = screen.now();
        let fps = screen.fps(from + 4000.0, from + 14_000.0);
        let status = aerial.wait("its loss to be listed", |s| {
            viewer(s)["loss"].as_f64() > Some(0.0)
        });
        let viewer = viewer(&status);
        println!(
            "{percent} % lost: {fps:.1} pictures per second after 4 s, rung {}, loss {}",
            viewer["rung"], viewer["loss"]
        );
        assert!(fps >= 24.0, "{percent} % lost: {fps} pictures per second");
    }
    drop(screen);
    aerial.stop();
}
