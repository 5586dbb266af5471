// SPDX-License-Identifier: GPL-3.0-or-later
//! The examples of `docs/sources.md`, and pictures sent for longer.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use super::{SMALL, recorded, recorded_in, some_seconds};
use crate::{
    media,
    numbered::Eyes,
    rig::{Aerial, Home, checkout, have, have_alone},
    soak::Soak,
};

/// The blocks of this language in the section about pictures, but for those that start `aerial` itself.
fn examples(language: &str) -> Vec<String> {
    let text = fs::read_to_string(checkout("docs/sources.md")).unwrap();
    let heading = "## Show pictures from another program";
    let section = text.split(heading).nth(1).expect("the section is there");
    let section = section.split("\n## ").next().unwrap();
    let begin = format!("```{language}\n");
    let blocks = section.split(&begin).skip(1);
    blocks
        .map(|b| b.split("```").next().unwrap().to_string())
        .filter(|code| !code.contains("aerial live"))
        .collect()
}

/// Runs an example until it ends.
fn run(aerial: &Aerial, program: &str, code: &str, folder: &Path) {
    let mut child = Command::new(program)
        .arg("-")
        .current_dir(folder)
        .env("AERIAL_API_TOKEN", aerial.token())
        .env("AERIAL_FRAMES", aerial.link("/frames/plot"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(code.as_bytes())
        .unwrap();
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{program}: {said}\n{code}");
}

/// How far the bar of the examples has come in each frame: bright pixels of its middle row, in percent.
fn bar(file: &Path) -> Vec<usize> {
    let mut eyes = Eyes::open(file.to_str().unwrap());
    let mut all = vec![];
    while let Some(frame) = eyes.frame() {
        let row = frame.chunks(96 * 3).nth(27).unwrap();
        let bright = row.chunks(3).filter(|p| p.iter().all(|v| *v > 200)).count();
        all.push(bright * 100 / 96);
    }
    all
}

/// How often the picture became clearly another one.
fn changes(file: &Path) -> usize {
    let mut eyes = Eyes::open(file.to_str().unwrap());
    let frames: Vec<_> = std::iter::from_fn(|| eyes.frame()).collect();
    let differ = |a: &Vec<u8>, b: &Vec<u8>| a.iter().zip(b).any(|(a, b)| a.abs_diff(*b) > 60);
    frames.windows(2).filter(|f| differ(&f[0], &f[1])).count()
}

fn assert_grows(bar: &[usize], example: &str) {
    let mut steps = bar.to_vec();
    steps.dedup();
    assert!(steps.is_sorted(), "{example}: {steps:?}");
    assert!(
        steps.len() > 15 && steps.last() > Some(&90),
        "{example}: {steps:?}"
    );
}

#[test]
fn the_examples_that_send_pictures_work_as_they_stand() {
    let story = "the_examples_that_send_pictures_work_as_they_stand";
    let needs = [media::NEEDS, &["python3", "curl", "convert"]].concat();
    if !have(story, &needs) {
        return;
    }
    let python = examples("python");
    let shell = examples("sh");
    assert_eq!(
        (python.len(), shell.len()),
        (1, 3),
        "the examples have moved"
    );
    for (program, code) in [("python3", &python[0]), ("sh", &shell[0])] {
        let mut aerial = recorded("frames:plot");
        run(&aerial, program, code, &aerial.path(""));
        some_seconds(&aerial, 1);
        aerial.stop();
        assert_grows(&bar(&aerial.path("x.webm")), program);
    }
    // The second one writes into a folder, the third one sends what ffmpeg makes as one stream.
    let mut aerial = recorded("frames:plot");
    run(&aerial, "sh", &shell[2], &aerial.path(""));
    aerial.stop();
    let changes = changes(&aerial.path("x.webm"));
    assert!(changes > 15, "{changes} pictures of ffmpeg were seen");
    let home = Home::new();
    fs::create_dir(home.path("pictures")).unwrap();
    let mut aerial = recorded_in(home, "folder:pictures", Stdio::null());
    run(&aerial, "sh", &shell[1], &aerial.path(""));
    some_seconds(&aerial, 1);
    aerial.stop();
    assert_grows(&bar(&aerial.path("x.webm")), "folder");
}

#[test]
fn an_irregular_stream_of_pictures_is_shown_at_once_and_nothing_grows() {
    let story = "an_irregular_stream_of_pictures_is_shown_at_once_and_nothing_grows";
    if !have_alone(story, media::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(&[SMALL, &["--video", "frames:plot"]].concat());
    let soak = Soak {
        address: aerial.address(),
        token: aerial.token(),
        pid: aerial.pid(),
        lasts: Duration::from_secs(20),
    };
    let seen = soak.run().unwrap();
    aerial.stop();
    assert!(seen.sent > 50 && seen.memory > 0, "{seen:?}");
    assert!(seen.missed.len() <= 2 && seen.out_of_order == 0, "{seen:?}");
    // How long it takes says little on a busy computer; that it does not become longer says all.
    assert_eq!(seen.delays.len() + seen.missed.len(), seen.sent);
    let (first, last) = (seen.first_delay, seen.last_delay);
    assert!(last < first + Duration::from_millis(250), "{seen:?}");
    assert!(seen.grown < 20 << 20, "{seen:?}");
}
