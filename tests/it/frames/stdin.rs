// SPDX-License-Identifier: GPL-3.0-or-later
//! Raw frames on standard input.

use std::{fs, io::Write, process::Stdio, time::Instant};

use super::{SMALL, assert_in_order, frames_of, recorded_in, shown, some_seconds, source};
use crate::{
    media, numbered,
    rig::{Aerial, Home, have},
};

/// The bytes of a raw frame.
fn raw(number: u32, width: u32, height: u32, pixels: &str) -> Vec<u8> {
    let picture = numbered::paint(number, width, height);
    let colours = picture.pixels().map(|p| p.0);
    match pixels {
        "rgba" => colours.flat_map(|[r, g, b]| [r, g, b, 0]).collect(),
        "bgr" => colours.flat_map(|[r, g, b]| [b, g, r]).collect(),
        other => panic!("{other}"),
    }
}

#[test]
fn raw_frames_on_standard_input_come_out_in_order_at_their_rate() {
    let story = "raw_frames_on_standard_input_come_out_in_order_at_their_rate";
    if !have(story, media::NEEDS) {
        return;
    }
    // 318 pixels of three bytes are no multiple of what GStreamer likes.
    let mut aerial = recorded_in(Home::new(), "stdin:bgr:318x180@25", Stdio::piped());
    let mut input = aerial.input();
    // As fast as the pipe takes it.
    let began = Instant::now();
    for number in 0..75 {
        input.write_all(&raw(number, 318, 180, "bgr")).unwrap();
    }
    let wrote = began.elapsed().as_secs_f64();
    // At most two frames and what the pipe holds (none: a frame is larger) are read ahead.
    assert!(
        (2.7..6.0).contains(&wrote),
        "75 frames at 25 a second were read in {wrote} s"
    );
    // A pause, and then it goes on from there.
    some_seconds(&aerial, 3);
    for number in 75..100 {
        input.write_all(&raw(number, 318, 180, "bgr")).unwrap();
    }
    // In the middle of a frame, the writer ends.
    input.write_all(&raw(999, 318, 180, "bgr")[..5000]).unwrap();
    drop(input);
    let status = aerial.wait("the end to be told", |s| source(s)["state"] == "ended");
    let error = source(&status)["error"].as_str().unwrap();
    assert!(error.contains("middle of a frame"), "{error}");
    some_seconds(&aerial, 3);
    let pid = aerial.pid();
    let used = |what: &str| cpu_seconds(pid).unwrap_or_else(|| panic!("{what}"));
    let before = used("it runs");
    some_seconds(&aerial, 2);
    let spent = used("it still runs") - before;
    assert!(
        spent < 1.5,
        "after the end it spends {spent} s of CPU in two seconds"
    );
    let frames = frames_of(aerial);
    assert_in_order(&frames, 99);
    let stayed = frames.iter().filter(|n| **n == Some(99)).count();
    assert!(stayed > 50, "the last one stayed for {stayed} frames");
}

/// Seconds of CPU time a process has used, at a hundred ticks a second.
fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / 100.0)
}

#[test]
fn there_is_one_standard_input_and_it_must_be_a_pipe_or_a_file() {
    let twice = [
        "--video",
        "stdin:rgba:64x36@10",
        "--video",
        "stdin:bgr:64x36@10",
    ];
    let home = Home::new();
    let out = home
        .aerial(
            &[&["live", "--listen", "127.0.0.1:0"], &twice[..]].concat(),
            None,
        )
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr).to_string();
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(
        said.contains("--video stdin") && said.lines().count() <= 2,
        "{said}"
    );
    // Nothing is piped: the broadcast runs and says what is missing.
    let mut aerial = Aerial::live(&[SMALL, &["--video", "stdin:rgba:64x36@10"]].concat());
    let status = aerial.wait("the reason", |s| source(s)["state"] == "lost");
    let error = source(&status)["error"].as_str().unwrap();
    assert!(
        error.contains("piped") && error.contains("aerial live"),
        "{error}"
    );
    aerial.stop();
    // A file is fine, too, and what is transparent is not.
    if !have("decoding", media::NEEDS) {
        return;
    }
    let home = Home::new();
    let frames: Vec<u8> = (0..60).flat_map(|n| raw(n, 320, 180, "rgba")).collect();
    fs::write(home.path("raw"), frames).unwrap();
    let input = fs::File::open(home.path("raw")).unwrap();
    let aerial = recorded_in(home, "stdin:rgba:320x180@10", input.into());
    let status = aerial.wait("its end", |s| source(s)["state"] == "ended");
    assert!(
        !source(&status)["error"]
            .as_str()
            .unwrap()
            .contains("middle")
    );
    some_seconds(&aerial, 1);
    let frames = frames_of(aerial);
    // The recording began a little later than the source.
    let all = shown(&frames);
    assert!(
        all.is_sorted_by(|a, b| a < b) && all.last() == Some(&59),
        "{all:?}"
    );
    assert!(all.len() > 25, "{all:?}");
    // Ten a second are shown at ten a second.
    let at = |number| frames.iter().position(|n| *n == Some(number)).unwrap();
    let took = at(59) - at(39);
    assert!(
        took.abs_diff(50) <= 4,
        "20 frames took {took} of 25 a second"
    );
}
