// SPDX-License-Identifier: GPL-3.0-or-later
//! Each kind of file, judged by ffprobe and by what is seen and heard.

use std::{path::Path, process::Command};

use super::SMALL;
use crate::{
    media,
    rig::{Aerial, Home, have, have_alone},
    sound,
};

/// Kinds of file, and the codecs in them.
const KINDS: &[(&str, &[&str])] = &[
    ("x.webm", &["opus", "vp8"]),
    ("x.mkv", &["opus", "vp8"]),
    ("x.mp4", &["aac", "h264"]),
    ("x.ogg", &["theora", "vorbis"]),
    ("x.mp3", &["mp3"]),
    ("x.opus", &["opus"]),
    ("x.oga", &["vorbis"]),
];

/// Records all of these names until each has so many bytes.
fn record(names: &[&str], video_bytes: u64, audio_bytes: u64) -> Aerial {
    let records: Vec<_> = names.iter().flat_map(|name| ["--record", name]).collect();
    let aerial = Aerial::live(&[SMALL, &records].concat());
    aerial.wait("all files to grow", |s| {
        let outputs = s["outputs"].as_array().unwrap();
        outputs.iter().zip(names).all(|(o, name)| {
            let sound = matches!(name.rsplit('.').next(), Some("mp3" | "opus" | "oga"));
            let least = if sound { audio_bytes } else { video_bytes };
            o["bytes"].as_u64() > Some(least)
        })
    });
    aerial
}

#[test]
fn each_kind_of_file_holds_what_its_ending_says() {
    if !have("each_kind_of_file_holds_what_its_ending_says", media::NEEDS) {
        return;
    }
    for group in [&KINDS[..2], &KINDS[2..3], &KINDS[3..]] {
        let names: Vec<_> = group.iter().map(|(name, _)| *name).collect();
        let mut aerial = record(&names, 1_000_000, 20_000);
        aerial.stop();
        for (name, codecs) in group {
            let file = aerial.path(name);
            let probed = media::probe(&file);
            assert_eq!(media::codecs(&probed), *codecs, "{name}");
            let told = media::duration(&probed).unwrap_or_else(|| panic!("{name}: no duration"));
            let mut ends = vec![];
            for stream in probed["streams"].as_array().unwrap() {
                let kind = stream["codec_type"].as_str().unwrap();
                if kind == "video" {
                    assert_eq!(
                        (&stream["width"], &stream["height"]),
                        (&640.into(), &360.into())
                    );
                    // Ogg knows no average.
                    let rate = match *name {
                        "x.ogg" => &stream["r_frame_rate"],
                        _ => &stream["avg_frame_rate"],
                    };
                    assert!(
                        rate == "30/1" || *name == "x.mp4",
                        "{name}: {rate} pictures a second"
                    );
                }
                let packets = media::packets(&file, kind);
                for pair in packets.windows(2) {
                    let (a, b) = (pair[0].pts, pair[1].pts);
                    assert!(a < b, "{name}: {kind} goes from {a} to {b} s");
                }
                let first = packets[0].pts;
                assert!(first.abs() < 0.05, "{name}: {kind} begins at {first} s");
                ends.push(packets.last().unwrap().pts);
            }
            for end in &ends {
                assert!(
                    (told - end).abs() < 0.3,
                    "{name}: {told} s, but tracks end at {ends:?}"
                );
            }
            media::decode_any(&file);
        }
    }
}

#[test]
fn a_killed_recording_has_lost_less_than_a_second() {
    if !have(
        "a_killed_recording_has_lost_less_than_a_second",
        media::NEEDS,
    ) {
        return;
    }
    for group in [&KINDS[..2], &KINDS[2..3], &KINDS[3..4], &KINDS[4..]] {
        let names: Vec<_> = group.iter().map(|(name, _)| *name).collect();
        // MP3 is written packet by packet: it is the clock of what was lost.
        let all = [&names[..], &["clock.mp3"]].concat();
        let mut aerial = record(&all, 900_000, 60_000);
        aerial.kill();
        let length = |file: &Path, kind: &str| {
            let packets = media::packets(file, kind);
            packets.last().map_or(0.0, |p| p.pts) - packets[0].pts
        };
        let lasted = length(&aerial.path("clock.mp3"), "audio");
        for (name, codecs) in group {
            let file = aerial.path(name);
            media::decode_any(&file);
            let kinds = if codecs.len() == 2 {
                &["video", "audio"][..]
            } else {
                &["audio"]
            };
            for kind in kinds {
                let kept = length(&file, kind);
                // A picture's file begins at a key frame, up to 0.7 s after sound alone.
                let begun = if codecs.len() == 2 { 0.8 } else { 0.1 };
                assert!(
                    kept > lasted - 1.0 - begun,
                    "{name}: {kept} s of {kind} are left of {lasted} s"
                );
            }
        }
    }
}

/// A film of this many seconds: each second it flashes, and beeps at the same time.
fn film(path: &Path) {
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i"])
        .arg("color=black:s=320x180:r=30:d=20,geq=lum='if(lt(mod(T,1),0.2),235,16)':cb=128:cr=128")
        .args(["-f", "lavfi", "-i"])
        .arg("aevalsrc='if(lt(mod(t,1),0.2),0.5*sin(2*PI*1000*t),0)':s=48000:d=20")
        .args(["-c:v", "mjpeg", "-q:v", "3", "-c:a", "pcm_s16le"])
        .arg(path)
        .status()
        .unwrap();
    assert!(made.success());
}

/// Seconds at which pictures turn from dark to bright.
fn flashes(file: &Path) -> Vec<f64> {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(file)
        .args([
            "-an",
            "-vsync",
            "passthrough",
            "-vf",
            "scale=1:1:flags=area,format=gray",
        ])
        .args(["-f", "rawvideo", "-"])
        .output()
        .unwrap();
    let times = media::packets(file, "video");
    assert_eq!(out.stdout.len(), times.len(), "each packet is a picture");
    let seen: Vec<_> = out.stdout.iter().zip(times).collect();
    let turns = seen.windows(2).filter(|w| *w[0].0 < 128 && *w[1].0 >= 128);
    turns.map(|w| w[1].1.pts).collect()
}

/// Seconds at which silence turns into sound.
fn beeps(file: &Path) -> Vec<f64> {
    let samples = sound::decode_in_place(file);
    let step = sound::RATE / 500;
    let loud: Vec<_> = samples
        .chunks_exact(step)
        .map(|w| w.iter().fold(0.0f32, |most, s| most.max(s.abs())) > 0.1)
        .collect();
    let quiet = 150;
    (quiet..loud.len())
        .filter(|i| loud[*i] && !loud[i - quiet..*i].contains(&true))
        .map(|i| i as f64 * step as f64 / sound::RATE as f64)
        .collect()
}

#[test]
fn picture_and_sound_are_together_in_every_kind_of_file() {
    if !have_alone(
        "picture_and_sound_are_together_in_every_kind_of_file",
        media::NEEDS,
    ) {
        return;
    }
    for group in [&["x.webm", "x.mkv"][..], &["x.mp4"], &["x.ogg"]] {
        let home = Home::new();
        film(&home.path("film.mkv"));
        let mut args = vec![
            "--size",
            "320x180",
            "--video",
            "file:film.mkv",
            "--audio",
            "file:film.mkv",
        ];
        args.extend(group.iter().flat_map(|name| ["--record", name]));
        args.extend(["--duration", "9"]);
        let mut aerial = Aerial::live_in(home, &args, None);
        assert_eq!(aerial.wait_end().code(), Some(0), "{}", aerial.said());
        for name in group {
            let file = aerial.path(name);
            let (seen, heard) = (flashes(&file), beeps(&file));
            let mut apart: Vec<f64> = seen
                .iter()
                .filter_map(|flash| {
                    let offsets = heard.iter().map(|beep| beep - flash);
                    offsets.min_by(|a, b| a.abs().total_cmp(&b.abs()))
                })
                .collect();
            assert!(
                apart.len() >= 4,
                "{name}: flashes {seen:?}, beeps {heard:?}"
            );
            apart.sort_by(f64::total_cmp);
            let middle = apart[apart.len() / 2];
            eprintln!("{name}: sound {:.1} ms after the picture", middle * 1e3);
            assert!(
                middle.abs() <= 0.040,
                "{name}: sound comes {apart:?} s after the picture"
            );
        }
    }
}
