// SPDX-License-Identifier: GPL-3.0-or-later
//! What is heard: decoded by ffmpeg, judged by its frequencies.

use std::{path::Path, process::Command};

/// Samples per second.
pub const RATE: usize = 48_000;

/// The sound of a file as left and right, -1 to 1.
pub fn decode(file: &Path) -> [Vec<f32>; 2] {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(file)
        .args(["-vn", "-ac", "2", "-ar", "48000", "-f", "f32le", "-"])
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let mut sides = [vec![], vec![]];
    for (i, sample) in out.stdout.chunks_exact(4).enumerate() {
        sides[i % 2].push(f32::from_le_bytes(sample.try_into().unwrap()));
    }
    sides
}

/// The sound of a file in one channel, beginning at time 0 of the file whenever the track begins.
pub fn decode_in_place(file: &Path) -> Vec<f32> {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-copyts", "-i"])
        .arg(file)
        .args([
            "-vn",
            "-af",
            "aresample=async=1:first_pts=0",
            "-ac",
            "1",
            "-ar",
            "48000",
        ])
        .args(["-f", "f32le", "-"])
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let samples = out.stdout.chunks_exact(4);
    samples
        .map(|s| f32::from_le_bytes(s.try_into().unwrap()))
        .collect()
}

/// How strong this frequency is in these samples: the amplitude of its sine (Goertzel's algorithm).
pub fn strength(samples: &[f32], hertz: f64) -> f64 {
    let step = std::f64::consts::TAU * hertz / RATE as f64;
    let (mut before, mut last) = (0.0, 0.0);
    for sample in samples {
        let now = f64::from(*sample) + 2.0 * step.cos() * last - before;
        before = last;
        last = now;
    }
    let power = last * last + before * before - 2.0 * step.cos() * last * before;
    2.0 * power.max(0.0).sqrt() / samples.len().max(1) as f64
}

/// Whether the frequency is heard in each window of this many milliseconds.
pub fn heard(samples: &[f32], hertz: f64, window_ms: usize, at_least: f64) -> Vec<bool> {
    samples
        .chunks_exact(RATE * window_ms / 1000)
        .map(|window| strength(window, hertz) >= at_least)
        .collect()
}
