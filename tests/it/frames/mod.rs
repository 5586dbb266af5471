// SPDX-License-Identifier: GPL-3.0-or-later
//! Pictures from other programs: sent over HTTP, put into a folder, written to standard input. Each carries a number,
//! and what comes out is decoded and read again.

mod examples;
mod folder;
mod stdin;

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    http, media,
    numbered::{Eyes, ImageFormat, file},
    rig::{Aerial, Home, LONG, have, have_alone, output},
};

const FORMATS: [(ImageFormat, &str); 4] = [
    (ImageFormat::Png, "image/png"),
    (ImageFormat::Jpeg, "image/jpeg"),
    (ImageFormat::WebP, "image/webp"),
    (ImageFormat::Gif, "image/gif"),
];
const SMALL: &[&str] = &["--audio", "none", "--size", "320x180", "--fps", "25"];
/// Size of most pictures: of the program's shape, but not of its size.
const SIZE: (u32, u32) = (480, 270);

fn picture(number: u32) -> Vec<u8> {
    file(number, SIZE.0, SIZE.1, ImageFormat::Png)
}

/// A broadcast of this source that is being recorded to `x.webm`.
fn recorded(source: &str) -> Aerial {
    recorded_in(Home::new(), source, Stdio::null())
}

/// The same with folders made before and something on standard input.
fn recorded_in(home: Home, source: &str, input: Stdio) -> Aerial {
    let args = [SMALL, &["--video", source, "--record", "x.webm"]].concat();
    let aerial = Aerial::live_fed(home, &args, None, input);
    wait_for_recording(&aerial);
    aerial
}

/// Waits until there is more in the recording than its head.
fn wait_for_recording(aerial: &Aerial) {
    aerial.wait("the recording", |s| {
        output(s, "record")["bytes"].as_u64() > Some(1000)
    });
}

/// Numbers of a whole recording, frame by frame.
fn numbers(file: &Path) -> Vec<Option<u32>> {
    let mut eyes = Eyes::open(file.to_str().expect("a plain path"));
    std::iter::from_fn(|| eyes.number()).collect()
}

/// The numbers that were shown, one after the other, each once as long as it stays.
fn shown(numbers: &[Option<u32>]) -> Vec<u32> {
    let mut all: Vec<u32> = numbers.iter().flatten().copied().collect();
    all.dedup();
    all
}

/// Fails unless the numbers from 0 to this one were seen, in this order. Two busy cores may lose a frame of the
/// program now and then, and with it a picture that was in that frame alone; the last one stays, and is there.
fn assert_in_order(frames: &[Option<u32>], last: u32) {
    let shown = shown(frames);
    assert!(shown.is_sorted_by(|a, b| a < b), "{shown:?}");
    assert_eq!(shown.last(), Some(&last), "{shown:?}");
    assert!(shown.len() + 2 > last as usize, "{shown:?}");
}

/// What was answered to pictures.
#[derive(Debug)]
pub struct Answer {
    status: u16,
    said: String,
}

impl Answer {
    pub fn taken(&self) {
        assert_eq!(self.status, 204, "{}", self.said);
    }
}

/// A request to `/frames/NAME` with the right token, however long the answer takes.
pub fn send(aerial: &Aerial, method: &str, name: &str, kind: Option<&str>, body: &[u8]) -> Answer {
    let kind = kind.map_or(String::new(), |kind| format!("Content-Type: {kind}\r\n"));
    let head = format!(
        "{method} /frames/{name} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n{kind}\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        aerial.address(),
        aerial.token(),
        body.len()
    );
    let mut socket = TcpStream::connect(aerial.address()).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    // One that has refused may close before it has read everything.
    let _ = socket.write_all(&[head.as_bytes(), body].concat());
    let mut said = vec![];
    let _ = socket.read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said).to_string();
    let status = said.split(' ').nth(1).and_then(|word| word.parse().ok());
    Answer {
        status: status.unwrap_or_else(|| panic!("no answer: {said:?}")),
        said,
    }
}

fn source(status: &Value) -> &Value {
    &status["sources"][0]
}

/// Waits for a few statuses: time in which a picture must stay.
fn some_seconds(aerial: &Aerial, statuses: usize) {
    for _ in 0..statuses {
        aerial.wait_anew("time to pass", |s| s["air"] == "live");
    }
}

/// Ends the broadcast and returns every frame of its recording.
fn frames_of(mut aerial: Aerial) -> Vec<Option<u32>> {
    aerial.stop();
    let file = aerial.path("x.webm");
    media::decode(&file);
    numbers(&file)
}

#[test]
fn pictures_that_are_put_come_out_in_order_each_of_them_and_stay() {
    let story = "pictures_that_are_put_come_out_in_order_each_of_them_and_stay";
    if !have_alone(story, media::NEEDS) {
        return;
    }
    let aerial = recorded("frames:plot-1");
    aerial.wait("its source", |s| source(s)["state"] == "starting");
    // In bursts, with seconds between them, of every kind and of several sizes.
    for number in 0..75u32 {
        let (format, kind) = FORMATS[number as usize % 4];
        let scale = 1 + number % 3;
        let body = file(number, 320 * scale / 2, 180 * scale / 2, format);
        let (method, told) = match number % 8 {
            0..4 => ("PUT", Some(kind)),
            _ => ("POST", None),
        };
        send(&aerial, method, "plot-1", told, &body).taken();
        if number % 25 == 24 {
            aerial.wait("the picture to be shown", |s| source(s)["state"] == "live");
            some_seconds(&aerial, 3);
        }
    }
    let frames = frames_of(aerial);
    assert_in_order(&frames, 74);
    // The last one of each burst stayed for two seconds at least, and never gave way to the slate.
    let first = frames.iter().position(Option::is_some).unwrap();
    assert!(frames[first..].iter().all(Option::is_some), "{frames:?}");
    for number in [24, 49, 74] {
        let stayed = frames.iter().filter(|n| **n == Some(number)).count();
        assert!(stayed > 40, "{number} stayed for {stayed} frames");
    }
}

#[test]
fn one_body_brings_many_pictures() {
    let story = "one_body_brings_many_pictures";
    if !have(story, media::NEEDS) {
        return;
    }
    let aerial = recorded("frames:plot");
    let mut body = vec![];
    for number in 0..60u32 {
        let picture = picture(number);
        let length = match number % 2 {
            0 => format!("Content-Length: {}\r\n", picture.len()),
            _ => String::new(),
        };
        body.extend_from_slice(
            format!("--cut\r\nContent-Type: image/png\r\n{length}\r\n").as_bytes(),
        );
        body.extend_from_slice(&picture);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--cut--\r\n");
    let kind = Some("multipart/x-mixed-replace; boundary=cut");
    let began = Instant::now();
    send(&aerial, "POST", "plot", kind, &body).taken();
    // Whoever sends faster than can be shown is made to wait: one picture for each frame, but for the first and the
    // last.
    assert!(
        began.elapsed() > Duration::from_millis(58 * 40),
        "{:?}",
        began.elapsed()
    );

    // A bad part is told by its number; those before it stay.
    let good = picture(60);
    let mut parts = b"--cut\r\n\r\n".to_vec();
    parts.extend_from_slice(&good);
    parts.extend_from_slice(b"\r\n--cut\r\nContent-Type: image/png\r\n\r\nno picture\r\n--cut--");
    let reply = send(&aerial, "PUT", "plot", kind, &parts);
    assert_eq!(reply.status, 415, "{reply:?}");
    assert!(reply.said.contains("Part 2"), "{reply:?}");
    some_seconds(&aerial, 2);
    assert_in_order(&frames_of(aerial), 60);
}

#[test]
fn a_bad_picture_is_refused_with_its_reason_and_the_one_before_stays() {
    let story = "a_bad_picture_is_refused_with_its_reason_and_the_one_before_stays";
    if !have(story, media::NEEDS) {
        return;
    }
    let aerial = Aerial::live(
        &[
            SMALL,
            &[
                "--video",
                "frames:plot",
                "--video",
                "frames:other",
                "--record",
                "x.webm",
            ],
        ]
        .concat(),
    );
    wait_for_recording(&aerial);
    let good = picture(7);
    let mut bomb = png_head(8192, 8192);
    bomb.extend_from_slice(&good[33..]);
    let mut wide = png_head(100_000, 1);
    wide.extend_from_slice(&good[33..]);
    let cut = &good[..good.len() / 2];
    let jpeg = file(8, 64, 36, ImageFormat::Jpeg);
    let mixed = "multipart/x-mixed-replace";
    let cases: &[Case] = &[
        ("plot", None, b"", 400, "no picture"),
        ("plot", Some("image/png"), b"<html></html>", 415, "PNG"),
        ("plot", Some("image/jpeg"), &good, 415, "image/jpeg"),
        ("plot", Some("text/plain"), &jpeg, 415, "text/plain"),
        ("plot", Some("image/png"), cut, 422, "broken"),
        ("plot", None, &jpeg[..jpeg.len() * 2 / 3], 422, "broken"),
        ("plot", None, &bomb, 413, "8192x8192"),
        ("plot", None, &wide, 413, "100000x1"),
        ("plot", Some(mixed), &good, 400, "boundary"),
        (
            "plot",
            Some("multipart/x-mixed-replace; boundary=x"),
            &good,
            400,
            "boundary",
        ),
        (
            "plot",
            Some("multipart/x-mixed-replace; boundary=x"),
            b"--x\r\nwhat\r\n\r\n",
            400,
            "part 1",
        ),
        (
            "plot",
            Some("multipart/form-data; boundary=x"),
            b"--x\r\n\r\n",
            415,
            "PNG",
        ),
        ("nobody", None, &good, 404, "/frames/plot"),
        ("plot%2F..", None, &good, 404, "/frames/other"),
    ];
    send(&aerial, "PUT", "plot", None, &good).taken();
    send(&aerial, "PUT", "other", None, &good).taken();
    for (name, kind, body, status, word) in cases {
        let reply = send(&aerial, "PUT", name, *kind, body);
        assert_eq!(reply.status, *status, "{kind:?}: {reply:?}");
        assert!(
            reply.said.contains(word),
            "{kind:?}: {word:?} is not in {reply:?}"
        );
    }
    assert_eq!(
        too_long(&aerial),
        Some(413),
        "65 MiB are refused before they are sent"
    );
    // Without the token, or from another site.
    let address = aerial.address();
    let bearer = format!("Bearer {}", aerial.token());
    for (headers, status) in [
        (&[][..], 401),
        (&[("Authorization", "Bearer wrong")], 401),
        (&[("Authorization", &bearer), ("Origin", "null")], 403),
        (&[("Authorization", &bearer), ("Host", "evil.example")], 403),
    ] {
        let reply = http::request(address, "PUT", "/frames/plot", headers, &good);
        assert_eq!(reply.status, status, "{headers:?}");
        assert!(reply.header("access-control-allow-origin").is_none());
    }
    let reply = send(&aerial, "GET", "plot", None, b"");
    assert_eq!(reply.status, 405);

    // Requests that break off.
    let head = format!(
        "PUT /frames/plot HTTP/1.1\r\nHost: {address}\r\nAuthorization: {bearer}\r\nContent-Length: {}\r\n",
        good.len()
    );
    for (more, body) in [
        ("", &good[..100]),
        (
            "Content-Type: multipart/x-mixed-replace; boundary=x\r\n",
            b"--x\r\n\r\nhalf",
        ),
    ] {
        let mut socket = TcpStream::connect(address).unwrap();
        socket
            .write_all(format!("{head}{more}\r\n").as_bytes())
            .unwrap();
        socket.write_all(body).unwrap();
    }
    some_seconds(&aerial, 2);
    let status = aerial.wait_anew("a status", |_| true);
    for source in status["sources"].as_array().unwrap() {
        assert_eq!(source["state"], "live", "{source}");
    }
    // Nothing of all this was seen: both tiles show the good picture. The left one stands in the middle of the left
    // half, half as high as the frame.
    let mut aerial = aerial;
    aerial.stop();
    let all = tiles(&aerial.path("x.webm"));
    let first = all
        .iter()
        .position(|n| *n == Some(7))
        .expect("the good picture");
    assert!(all[first..].iter().all(|n| *n == Some(7)), "{all:?}");
    assert!(all.len() - first > 25, "{} frames", all.len());
}

/// Name, type and body of a request; status of the answer, and a word in it.
type Case<'a> = (&'a str, Option<&'a str>, &'a [u8], u16, &'a str);

/// The numbers in the left tile of two.
fn tiles(file: &Path) -> Vec<Option<u32>> {
    let left = file.with_file_name("left.mkv");
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(file)
        .args([
            "-vf",
            "crop=160:90:0:45",
            "-c:v",
            "ffv1",
            "-fps_mode",
            "passthrough",
        ])
        .arg(&left)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    numbers(&left)
}

/// The head of a PNG picture of this size.
fn png_head(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend_from_slice(&width.to_be_bytes());
    chunk.extend_from_slice(&height.to_be_bytes());
    chunk.extend_from_slice(&[8, 2, 0, 0, 0]);
    // As in the PNG specification.
    let check = !chunk.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| {
            (c >> 1) ^ if c & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    });
    let mut head = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    head.extend_from_slice(&chunk);
    head.extend_from_slice(&check.to_be_bytes());
    head
}

/// The answer to a head that announces 65 MiB.
fn too_long(aerial: &Aerial) -> Option<u16> {
    let head = format!(
        "PUT /frames/plot HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        aerial.address(),
        aerial.token(),
        65 << 20
    );
    http::exchange(aerial.address(), head.as_bytes()).map(|reply| reply.status)
}
