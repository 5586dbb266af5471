// SPDX-License-Identifier: GPL-3.0-or-later
//! Viewers point at a picture and type, and the program that painted it hears of it.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use gst_video::{NavigationEvent as Done, NavigationModifierType as Mask};
use serde_json::{Value, json};

use crate::{
    frames::send,
    numbered::{ImageFormat, file},
    peers::{HEADER, SignallingServer},
    program::ask,
    rig::{Aerial, LONG, checkout, free_port, have, wait_for},
};

const FPS: u32 = 25;

/// Lines that hold an event, as they come.
struct Listener {
    heard: Arc<(Mutex<Heard>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Heard {
    events: Vec<Value>,
    taken: usize,
    ended: bool,
}

impl Listener {
    /// Listens with a request of its own.
    fn open(aerial: &Aerial, name: &str) -> Listener {
        let (status, lines) = get(aerial, name, &aerial.token());
        assert_eq!(status, 200);
        Listener::read(lines, |line| {
            Some(serde_json::from_str(line.strip_prefix("data: ")?).unwrap())
        })
    }

    fn read(
        lines: impl BufRead + Send + 'static,
        event: impl Fn(&str) -> Option<Value> + Send + 'static,
    ) -> Listener {
        let heard = Arc::<(Mutex<Heard>, Condvar)>::default();
        let told = heard.clone();
        let reader = std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                if let Some(mut event) = event(&line) {
                    for side in ["x", "y"] {
                        // There and back, a pixel is not always a whole one.
                        if let Some(pixels) = event[side].as_f64() {
                            event[side] = json!((pixels * 1000.0).round() / 1000.0);
                        }
                    }
                    told.0.lock().unwrap().events.push(event);
                    told.1.notify_all();
                }
            }
            told.0.lock().unwrap().ended = true;
            told.1.notify_all();
        });
        Listener {
            heard,
            reader: Some(reader),
        }
    }

    /// The next one that is no move, and all moves before it.
    fn next(&self) -> (Value, Vec<Value>) {
        let is_move = |event: &Value| event["event"] == "pointer-move";
        let heard = self.heard.0.lock().unwrap();
        let waited = self.heard.1.wait_timeout_while(heard, LONG, |heard| {
            !heard.ended && heard.events[heard.taken..].iter().all(is_move)
        });
        let (mut heard, _) = waited.unwrap();
        let new = heard.events[heard.taken..].to_vec();
        let at = new.iter().position(|event| !is_move(event));
        let at = at.unwrap_or_else(|| panic!("nothing but {new:?} was heard"));
        heard.taken += at + 1;
        (new[at].clone(), new[..at].to_vec())
    }

    /// Whether anything new was heard a moment later.
    fn hears(&self) -> bool {
        let heard = self.heard.0.lock().unwrap();
        let moment = Duration::from_millis(100);
        let waited = self
            .heard
            .1
            .wait_timeout_while(heard, moment, |h| h.events.len() == h.taken);
        let mut heard = waited.unwrap().0;
        let more = heard.events.len() > heard.taken;
        heard.taken = heard.events.len();
        more
    }

    /// Everything that was heard, once the other side has ended it.
    fn end(mut self) -> Vec<Value> {
        let heard = self.heard.0.lock().unwrap();
        let waited = self.heard.1.wait_timeout_while(heard, LONG, |h| !h.ended);
        let (heard, time) = waited.unwrap();
        assert!(!time.timed_out(), "the listener was not told of the end");
        let all = heard.events.clone();
        drop(heard);
        self.reader.take().unwrap().join().unwrap();
        all
    }
}

/// The status of an answer, and what follows its head.
fn get(aerial: &Aerial, name: &str, token: &str) -> (u16, BufReader<TcpStream>) {
    let request = format!(
        "GET /frames/{name}/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\r\n",
        aerial.address()
    );
    let mut socket = TcpStream::connect(aerial.address()).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut lines = BufReader::new(socket);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(lines.read_line(&mut head).unwrap() > 0, "{head:?}");
    }
    let status = head.split(' ').nth(1).unwrap().parse();
    (status.unwrap(), lines)
}

/// The example of `docs/sources.md`, for the source of this name: it prints what it hears.
fn example(aerial: &Aerial, name: &str) -> (std::process::Child, Listener) {
    let text = fs::read_to_string(checkout("docs/sources.md")).unwrap();
    let section = text.split("## Let viewers point and type").nth(1);
    let code = section.unwrap().split("```python\n").nth(1).unwrap();
    let code = code.split("```").next().unwrap();
    let mut child = Command::new("python3")
        .args(["-c", code])
        .env("AERIAL_API_TOKEN", aerial.token())
        .env("AERIAL_FRAMES", aerial.link(&format!("/frames/{name}")))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    // As Python writes it.
    let event = |line: &str| serde_json::from_str(&line.replace('\'', "\"")).ok();
    (child, Listener::read(lines, event))
}

fn press(x: f64, y: f64) -> gst::Event {
    Done::mouse_button_press_builder(1, x, y).build()
}

fn release(x: f64, y: f64) -> gst::Event {
    // The builder of this one would build a press.
    gst::event::Navigation::new(Done::new_mouse_button_release(1, x, y).structure())
}

fn pressed(x: f64, y: f64) -> Value {
    json!({"event": "pointer-press", "x": x, "y": y, "width": 480, "height": 270, "button": 1})
}

#[test]
fn what_viewers_do_with_a_picture_is_told_to_the_program_that_painted_it() {
    let story = "what_viewers_do_with_a_picture_is_told_to_the_program_that_painted_it";
    if !have(story, &["python3"]) {
        return;
    }
    let (open, shut) = (
        SignallingServer::start(free_port()),
        SignallingServer::start(free_port()),
    );
    let header = format!("{}:%20{}", HEADER.0, HEADER.1.replace(' ', "%20"));
    let address = |server: &SignallingServer, more: &str| {
        let port = server.port;
        format!("webrtcsink+ws://127.0.0.1:{port}?header={header}{more}")
    };
    let (fps, on, off) = (
        FPS.to_string(),
        address(&open, "&navigation=1"),
        address(&shut, ""),
    );
    let mut aerial = Aerial::live(&[
        "--video", "test", "--video", "frames:a", "--audio", "tone", "--size", "320x180", "--fps",
        &fps, "--webrtc", &on, "--webrtc", &off,
    ]);
    let picture = file(5, 480, 270, ImageFormat::Png);
    send(&aerial, "PUT", "a", None, &picture).taken();
    for (name, token, wanted) in [
        ("a", "wr0ng", 401),
        ("a", "", 401),
        ("b", &*aerial.token(), 404),
    ] {
        assert_eq!(get(&aerial, name, token).0, wanted, "{name} {token}");
    }
    let listener = Listener::open(&aerial, "a");
    let (mut python, printed) = example(&aerial, "a");

    // One viewer comes where nobody may point, the other one where that is allowed.
    let silent = shut.point(&shut.producer());
    silent.wait_packets();
    let viewer = open.point(&open.producer());
    viewer.wait_packets();
    let channel = "m=application";
    assert!(!shut.offer().contains(channel), "{}", shut.offer());
    assert!(open.offer().contains(channel), "{}", open.offer());
    silent.send(press(200.0, 90.0));
    // The channel opens when it likes, and so does Python.
    wait_for("a move", || {
        viewer.send(Done::mouse_move_builder(300.0, 100.0).build());
        listener.hears() && printed.hears()
    });

    // The picture stands in the right half, with bars above and below: 160x90 pixels from (160, 45).
    viewer.send(press(200.0, 90.0));
    assert_eq!(listener.next().0, pressed(120.0, 135.0));
    assert_eq!(printed.next().0, pressed(120.0, 135.0));
    // Let go over the test card, to its left.
    viewer.send(release(80.0, 90.0));
    let released = json!({
        "event": "pointer-release", "x": -240.0, "y": 135.0, "width": 480, "height": 270, "button": 1
    });
    assert_eq!(listener.next().0, released);
    let shift = Done::key_press_builder("A").modifier_state(Mask::SHIFT_MASK);
    viewer.send(shift.build());
    let typed = json!({"event": "key-press", "key": "A", "modifiers": ["shift"]});
    assert_eq!(listener.next().0, typed);
    viewer.send(Done::mouse_scroll_builder(160.0, 45.0, 0.0, -1.0).build());
    let scrolled = json!({
        "event": "pointer-scroll", "x": 0.0, "y": 0.0, "width": 480, "height": 270,
        "delta_x": 0.0, "delta_y": -1.0
    });
    assert_eq!(listener.next().0, scrolled);

    // What is done with the test card or with a bar is for nobody, and then keys are neither.
    viewer.send(press(80.0, 90.0));
    viewer.send(Done::key_press_builder("b").build());
    viewer.send(press(200.0, 20.0));
    viewer.send(press(310.0, 112.5));
    assert_eq!(listener.next(), (pressed(450.0, 202.5), vec![]));

    // However fast the pointer moves, the program hears of it once per frame, and of where it came to rest.
    let begin = Instant::now();
    for x in 0..=400 {
        let x = 200.0 + f64::from(x) / 4.0;
        viewer.send(Done::mouse_move_builder(x, 90.0).build());
    }
    viewer.send(Done::key_press_builder("c").build());
    let (typed, moves) = listener.next();
    let frames = begin.elapsed().as_millis() as usize * FPS as usize / 1000;
    assert_eq!(typed, json!({"event": "key-press", "key": "c"}));
    assert!(
        moves.len() <= frames + 2,
        "{} moves in {frames} frames",
        moves.len()
    );
    let rest = moves.last().unwrap();
    assert_eq!(
        (&rest["x"], &rest["y"]),
        (&json!(420.0), &json!(135.0)),
        "{moves:?}"
    );

    // Alone on screen, it is larger.
    let alone = json!({"kind": "full", "pictures": [2]});
    ask(&aerial, "PUT", "/api/v1/layout", alone);
    viewer.send(press(200.0, 90.0));
    assert_eq!(listener.next().0, pressed(300.0, 135.0));
    // Cropped, and filling its half again.
    let framing = json!({"framing": {"sizing": "fill", "crop": {"left": 0.5}}});
    ask(&aerial, "PATCH", "/api/v1/sources/2", framing);
    let halves = json!({"kind": "side-by-side", "pictures": [1, 2]});
    ask(&aerial, "PUT", "/api/v1/layout", halves);
    viewer.send(press(240.0, 90.0));
    assert_eq!(listener.next().0, pressed(360.0, 135.0));

    // With the source goes the stream.
    ask(&aerial, "DELETE", "/api/v1/sources/2", Value::Null);
    let all = listener.end();
    printed.end();
    assert!(python.wait().unwrap().success());
    let first = all.iter().find(|event| event["event"] == "pointer-press");
    let presses = all.iter().filter(|event| **event == pressed(120.0, 135.0));
    assert_eq!((first, presses.count()), (Some(&pressed(120.0, 135.0)), 1));
    let (status, mut rest) = get(&aerial, "a", &aerial.token());
    let mut said = String::new();
    let _ = rest.read_to_string(&mut said);
    assert!(
        status == 404 && said.contains("frames:NAME"),
        "{status} {said}"
    );
    drop((silent, viewer));
    aerial.stop();
}
