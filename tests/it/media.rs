// SPDX-License-Identifier: GPL-3.0-or-later
//! ffprobe and ffmpeg as judges.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use serde_json::Value;

use crate::rig::LONG;

/// The programs that stories with files and streams need.
pub const NEEDS: &[&str] = &["ffprobe", "ffmpeg"];

/// ffprobe on a stream, reading on until dropped.
pub struct Probe {
    child: Child,
    packets: mpsc::Receiver<String>,
}

impl Probe {
    /// Starts to read.
    pub fn open(url: &str) -> Probe {
        let mut child = Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-show_entries",
                "packet=codec_type",
                "-of",
                "compact=p=0:nk=1",
                url,
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tell, packets) = mpsc::channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Probe { child, packets }
    }

    /// Waits for packets of picture and of sound that were not counted yet.
    pub fn wait_packets(&self) {
        let (mut video, mut audio) = (0, 0);
        while video < 10 || audio < 10 {
            match self
                .packets
                .recv_timeout(LONG)
                .expect("ffprobe reads on")
                // Packets of a transport stream have side data, with nothing in it that was asked for.
                .trim_end_matches('|')
            {
                "video" => video += 1,
                "audio" => audio += 1,
                _ => {}
            }
        }
    }

    /// Waits until the stream has ended.
    pub fn wait_end(mut self) {
        while self
            .packets
            .recv_timeout(LONG)
            .map_err(|e| assert_eq!(e, mpsc::RecvTimeoutError::Disconnected))
            .is_ok()
        {}
        self.child.wait().unwrap();
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What ffprobe says about a file: `streams`, `format`, `packets`.
pub fn probe(file: &Path) -> Value {
    let out = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-show_streams",
            "-show_format",
            "-show_packets",
            "-of",
            "json",
        ])
        .arg(file)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}: {}",
        file.display(),
        String::from_utf8_lossy(&out.stderr)
    );
    serde_json::from_slice(&out.stdout).unwrap()
}

/// One packet of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    /// Seconds.
    pub pts: f64,
    /// Of its bytes.
    pub hash: String,
}

/// The packets of one kind (`video` or `audio`), as they stand in a file.
pub fn packets(file: &Path, kind: &str) -> Vec<Packet> {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", &kind[..1]])
        .args(["-show_packets", "-show_data_hash", "MD5", "-of", "json"])
        .arg(file)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", file.display());
    let probed: Value = serde_json::from_slice(&out.stdout).unwrap();
    let packets = probed["packets"].as_array().unwrap().iter();
    packets
        .map(|p| Packet {
            pts: p["pts_time"].as_str().unwrap().parse().unwrap(),
            hash: p["data_hash"].as_str().unwrap().to_string(),
        })
        .collect()
}

/// Decodes a whole file, without a single complaint, and returns the number of pictures.
pub fn decode(file: &Path) -> u64 {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-progress", "pipe:1", "-i"])
        .arg(file)
        .args(["-f", "null", "-"])
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success() && complaints.is_empty(),
        "{}: {complaints}",
        file.display()
    );
    let progress = String::from_utf8_lossy(&out.stdout);
    let frames = progress
        .lines()
        .rev()
        .find_map(|l| l.strip_prefix("frame="));
    frames
        .and_then(|f| f.trim().parse().ok())
        .unwrap_or_else(|| panic!("no frames in {progress}"))
}

/// Decodes a whole file, which may be of sound alone, without a single complaint.
pub fn decode_any(file: &Path) {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(file)
        .args(["-f", "null", "-"])
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success() && complaints.is_empty(),
        "{}: {complaints}",
        file.display()
    );
}

/// Seconds a file says it lasts.
pub fn duration(probed: &Value) -> Option<f64> {
    probed["format"]["duration"]
        .as_str()
        .and_then(|d| d.parse().ok())
}

/// Codec names of its streams, sorted.
pub fn codecs(probed: &Value) -> Vec<String> {
    let streams = probed["streams"].as_array().unwrap();
    let mut names: Vec<_> = streams
        .iter()
        .map(|s| s["codec_name"].as_str().unwrap().to_string())
        .collect();
    names.sort();
    names
}
