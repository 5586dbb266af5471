// SPDX-License-Identifier: GPL-3.0-or-later
//! Pauses, parts and names.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use studio::{
    Studio,
    encode::{Codec, EncodeSettings},
    message::{Command, MediaKind, OutputState},
    output::{OutputSpec, Split, Target},
};

use super::SMALL;
use crate::{
    media::{self, Packet},
    rig::{Aerial, Home, LONG, engine, have, have_alone},
};

/// Files in a folder whose names have this in them, sorted.
fn files(folder: &Path, part: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path());
    let named = |p: &PathBuf| p.file_name().unwrap().to_str().unwrap().contains(part);
    let mut all: Vec<_> = all.filter(named).collect();
    all.sort();
    all
}

fn bytes(status: &serde_json::Value, i: usize) -> u64 {
    status["outputs"][i]["bytes"].as_u64().unwrap_or(0)
}

/// Where these packets begin in those of a whole recording, and how many of them follow there without a hole.
fn run_in(whole: &[Packet], part: &[Packet]) -> (usize, usize) {
    let start = whole.iter().position(|p| p.hash == part[0].hash);
    let start = start.expect("the part's first packet is in the whole recording");
    let same = whole[start..].iter().zip(part);
    (start, same.take_while(|(a, b)| a.hash == b.hash).count())
}

fn assert_no_gap(packets: &[Packet], longest: f64) {
    for pair in packets.windows(2) {
        let step = pair[1].pts - pair[0].pts;
        assert!(
            (-0.0001..longest).contains(&step),
            "from {} to {} s",
            pair[0].pts,
            pair[1].pts
        );
    }
}

#[test]
fn parts_join_without_a_lost_picture_or_sound() {
    if !have_alone("parts_join_without_a_lost_picture_or_sound", media::NEEDS) {
        return;
    }
    let home = Home::new();
    std::fs::write(home.path("timed-002.webm"), "precious").unwrap();
    let whole = home.path("whole.mkv");
    let others = [
        recording(
            "timed",
            home.path("timed.webm"),
            Some(Split::Time(Duration::from_secs(2))),
        ),
        recording(
            "sized",
            home.path("%n-sized.mp4"),
            Some(Split::Size(1_000_000)),
        ),
    ];
    let studio = beside(recording("whole", whole.clone(), None), others);
    for name in ["timed", "sized"] {
        wait(&studio, "some parts", |s| taken(s, name) > 3_000_000);
    }
    end(&studio, &["timed", "sized", "whole"]);
    drop(studio);
    let kept = std::fs::read(home.path("timed-002.webm")).unwrap();
    assert_eq!(kept, b"precious", "a name that is taken is left alone");
    std::fs::remove_file(home.path("timed-002.webm")).unwrap();
    for name in ["timed", "sized"] {
        let parts = files(&home.path(""), name);
        assert!(parts.len() >= 3, "{parts:?}");
        let mut pictures = vec![];
        let mut sounds = vec![];
        let all = media::packets(&whole, "video");
        for part in &parts {
            for (kind, longest) in [("video", 0.2), ("audio", 0.045)] {
                let packets = media::packets(part, kind);
                let first = packets[0].pts;
                assert!(first.abs() < 0.05, "{part:?} begins at {first} s");
                assert_no_gap(&packets, longest);
                if kind == "video" {
                    pictures.extend(packets);
                } else if name == "timed" {
                    // When this part began, by the clock of the whole recording.
                    let first = &media::packets(part, "video")[0];
                    let began = all.iter().find(|p| p.hash == first.hash).unwrap().pts;
                    sounds.extend(packets.into_iter().map(|p| Packet {
                        pts: began + p.pts,
                        ..p
                    }));
                }
            }
        }
        // MP4 has other codecs than the whole recording, so its packets are only counted within each part.
        if name == "timed" {
            let (start, same) = run_in(&all, &pictures);
            let possible = pictures.len().min(all.len() - start);
            assert_eq!(same, possible, "pictures in a row");
            // Blocks of 20 ms: none is missing, none is there twice.
            assert_no_gap(&sounds, 0.030);
            let lasts = sounds.last().unwrap().pts - sounds[0].pts;
            let blocks = (lasts / 0.020).round() as usize + 1;
            assert_eq!(sounds.len(), blocks, "blocks of sound in {lasts} s");
        }
        for part in &parts {
            media::decode(part);
            let told = media::duration(&media::probe(part)).expect("each part has its duration");
            let last = Some(part) == parts.last();
            match name {
                "timed" => assert!(last || (1.9..4.5).contains(&told), "{part:?}: {told} s"),
                _ => assert!(std::fs::metadata(part).unwrap().len() <= 1_000_000),
            }
        }
    }
}

#[test]
fn names_follow_their_pattern_and_a_wrong_one_is_refused() {
    let home = Home::new();
    let wrong = home
        .aerial(&["live", "--record", "show-%Q.webm"], None)
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let said = String::from_utf8_lossy(&wrong.stderr).to_string();
    assert!(said.contains("%Q") && said.lines().count() <= 2, "{said}");
    let wrong = home
        .aerial(
            &["live", "--record", "x.webm", "--record-split", "soon"],
            None,
        )
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));

    let mut aerial = Aerial::live_in(
        home,
        &[
            SMALL,
            &["--record", "show-%Y_%n-100%%.webm", "--record-split", "1h"],
        ]
        .concat(),
        None,
    );
    let status = aerial.wait("it to be recorded", |s| bytes(s, 0) > 50_000);
    aerial.stop();
    let made = files(&aerial.path(""), "show-");
    let name = made[0].file_name().unwrap().to_str().unwrap().to_string();
    let year = name
        .strip_prefix("show-")
        .unwrap()
        .split('_')
        .next()
        .unwrap();
    assert!(year.parse::<u32>().is_ok_and(|y| y > 2020), "{name}");
    assert!(
        name.ends_with("_001-100%.webm") && made.len() == 1,
        "{made:?}"
    );
    let url = status["outputs"][0]["url"].as_str().unwrap().to_string();
    assert!(url.ends_with(&name), "the status names the file: {url}");
}

fn recording(name: &str, path: PathBuf, split: Option<Split>) -> OutputSpec {
    OutputSpec {
        name: name.into(),
        enabled: true,
        target: Target::Record {
            path,
            overwrite: false,
            split,
        },
    }
}

/// Waits until this is so. Numbers are no events, so they are looked at now and then.
fn wait(studio: &Studio, what: &str, test: impl Fn(&Studio) -> bool) {
    let end = Instant::now() + LONG;
    while !test(studio) {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Some recordings, of which one began before the others: it has all that they have.
fn beside(first: OutputSpec, others: impl IntoIterator<Item = OutputSpec>) -> Studio {
    let name = first.name.clone();
    let studio = engine(vec![first]);
    wait(&studio, "the first recording to begin", |s| {
        taken(s, &name) > 0
    });
    for other in others {
        studio.command(Command::SetOutput(Box::new(other)));
    }
    studio
}

fn end(studio: &Studio, names: &[&str]) {
    for name in names {
        studio.command(Command::EnableOutput(name.to_string(), false));
        wait(studio, "the end", |s| state(s, name) == OutputState::Off);
    }
}

fn state(studio: &Studio, name: &str) -> OutputState {
    let all = studio.outputs();
    let found = all.into_iter().find(|o| o.name == name);
    found.expect("the output is there").state
}

fn taken(studio: &Studio, name: &str) -> u64 {
    let status = studio.snapshot();
    let found = status.outputs.into_iter().find(|o| o.name == name);
    found.map_or(0, |o| o.bytes)
}

#[test]
fn a_pause_is_cut_out_without_a_gap() {
    if !have("a_pause_is_cut_out_without_a_gap", media::NEEDS) {
        return;
    }
    let home = Home::new();
    let (whole, paused) = (home.path("whole.mkv"), home.path("paused.mkv"));
    let studio = beside(
        recording("whole", whole.clone(), None),
        [recording("paused", paused.clone(), None)],
    );
    let more = |name: &'static str, bytes: u64| {
        let from = taken(&studio, name);
        wait(&studio, "a recording to grow", |s| {
            taken(s, name) > from + bytes
        });
    };
    more("paused", 500_000);
    studio.command(Command::PauseOutput("paused".into(), true));
    wait(&studio, "the pause", |s| {
        state(s, "paused") == OutputState::Paused
    });
    let row = |name: &str| {
        let status = studio.snapshot();
        (
            status
                .outputs
                .iter()
                .find(|o| o.name == name)
                .cloned()
                .unwrap(),
            status.health,
        )
    };
    // What was on its way is written; then it stands still while the other goes on.
    more("whole", 300_000);
    let still = taken(&studio, "paused");
    more("whole", 700_000);
    assert_eq!(taken(&studio, "paused"), still);
    let (status, health) = row("paused");
    assert_eq!((status.state.as_str(), status.paused), ("waiting", true));
    assert_eq!(status.error, None);
    assert_eq!(health, "Everything is fine.");
    studio.command(Command::PauseOutput("paused".into(), false));
    more("paused", 500_000);
    assert!(matches!(state(&studio, "paused"), OutputState::Live { .. }));
    end(&studio, &["paused", "whole"]);
    drop(studio);

    media::decode(&paused);
    let sounds = media::packets(&paused, "audio");
    assert_no_gap(&sounds, 0.045);
    let (whole, paused) = (
        media::packets(&whole, "video"),
        media::packets(&paused, "video"),
    );
    assert_no_gap(&paused, 0.1);
    let apart = sounds.last().unwrap().pts - paused.last().unwrap().pts;
    assert!(apart.abs() < 0.1, "sound ends {apart} s after the picture");
    let (start, before) = run_in(&whole, &paused);
    assert!(before < paused.len(), "something was cut out");
    let (again, after) = run_in(&whole, &paused[before..]);
    let rest = (paused.len() - before).min(whole.len() - again);
    assert_eq!(after, rest, "there is one hole and no other");
    let cut = whole[again].pts - whole[start + before].pts;
    assert!(cut > 1.0, "{cut} s are cut out");
}

#[test]
fn another_codec_goes_to_another_file() {
    if !have("another_codec_goes_to_another_file", media::NEEDS) {
        return;
    }
    let home = Home::new();
    let first = home.path("x.mkv");
    let studio = engine(vec![recording("record", first.clone(), None)]);
    wait(&studio, "a second to be recorded", |s| {
        taken(s, "record") > 400_000
    });
    studio.command(Command::SetEncoding(EncodeSettings {
        video: Codec::find("vp9", MediaKind::Video).unwrap(),
        ..studio.encoding()
    }));
    let second = home.path("x-002.mkv");
    wait(&studio, "the next file to grow", |_| {
        std::fs::metadata(&second).is_ok_and(|m| m.len() > 300_000)
    });
    let url = studio.outputs()[0].url.clone();
    assert!(
        url.ends_with("/x-002.mkv"),
        "the status names the present file: {url}"
    );
    end(&studio, &["record"]);
    drop(studio);
    for (file, codec) in [(first, "vp8"), (second, "vp9")] {
        let probed = media::probe(&file);
        assert_eq!(media::codecs(&probed), ["opus", codec]);
        assert!(
            media::duration(&probed).is_some_and(|d| d > 0.5),
            "{file:?}"
        );
        media::decode(&file);
    }
}
