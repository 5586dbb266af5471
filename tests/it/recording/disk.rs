// SPDX-License-Identifier: GPL-3.0-or-later
//! A disk that gets full.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use super::SMALL;
use crate::{
    http::Viewer,
    media,
    rig::{Aerial, Home, have},
};

/// A small disk in memory, until dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this user may not mount one.
    fn mount(at: PathBuf, size: &str) -> Option<SmallDisk> {
        std::fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "aerial-test"])
            .arg(&at)
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|s| s.success()).then_some(SmallDisk(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_ends_only_the_recording_and_leaves_a_whole_file() {
    let story = "a_full_disk_ends_only_the_recording_and_leaves_a_whole_file";
    if !have(story, media::NEEDS) {
        return;
    }
    for name in ["small/x.webm", "small/x.mp4", "small/x.ogg"] {
        let home = Home::new();
        let Some(disk) = SmallDisk::mount(home.path("small"), "5m") else {
            return eprintln!("SKIPPED {story}: only root may mount a small disk");
        };
        let mut aerial = Aerial::live_in(
            home,
            &[SMALL, &["--record", name, "--record", "other.webm"]].concat(),
            None,
        );
        let viewer = Viewer::join(aerial.address(), "/live.webm");
        let warned = aerial.wait("an early warning", |s| {
            !s["outputs"][0]["warning"].is_null()
        });
        assert_eq!(warned["outputs"][0]["state"], "live", "{name}");
        assert!(warned["outputs"][1]["warning"].is_null(), "{name}");
        let warning = warned["outputs"][0]["warning"].as_str().unwrap();
        assert!(warning.contains("less than a minute more"), "{warning}");
        assert!(warned["health"].as_str().unwrap().contains(warning));

        let full = aerial.wait("the disk to be full", |s| {
            s["outputs"][0]["state"] == "failed"
        });
        let error = full["outputs"][0]["error"].as_str().unwrap();
        assert!(error.starts_with("The disk is full."), "{error}");
        assert!(full["health"].as_str().unwrap().contains(error));
        // Everything else goes on.
        viewer.wait_more(200_000);
        let other = |s: &serde_json::Value| s["outputs"][1]["bytes"].as_u64().unwrap();
        let before = other(&full);
        let later = aerial.wait("the other recording to go on", |s| {
            other(s) > before + 300_000
        });
        assert_eq!(
            (&later["air"], &later["outputs"][1]["state"]),
            (&"live".into(), &"live".into())
        );
        aerial.stop();
        assert!(
            aerial.said().contains("The disk is full."),
            "{}",
            aerial.said()
        );

        let file = aerial.path(name);
        assert!(media::decode(&file) > 100, "{name}");
        let probed = media::probe(&file);
        let told = media::duration(&probed).expect("a duration");
        let last = media::packets(&file, "video").last().unwrap().pts;
        assert!(
            (told - last).abs() < 0.3,
            "{name}: {told} s, ends at {last} s"
        );
        // In this order: a folder on which a disk is mounted cannot be removed.
        drop((viewer, disk));
    }
}
