// SPDX-License-Identifier: GPL-3.0-or-later
//! How the window was left.

use std::{fs, path::PathBuf};

use gtk::gio;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use studio::settings::{folder, replace};

/// How the window was left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Looks {
    /// The profile that was in use.
    pub profile: String,
    /// Of the window when it is not maximised, in pixels.
    pub width: i32,
    /// The same.
    pub height: i32,
    /// As large as the screen.
    pub maximized: bool,
    /// Whether the sources are shown.
    pub sources: bool,
    /// Whether outputs and viewers are shown.
    pub audience: bool,
    /// Whether the safe areas are shown over the preview.
    pub safe_areas: bool,
    /// How it behaves.
    pub habits: Habits,
}

/// How Aerial behaves on this desktop, whatever the profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Habits {
    /// Keep the computer awake while live or recording.
    pub awake: bool,
    /// Tell of failures and of the first viewer.
    pub tell: bool,
    /// Keys that work in every program.
    pub anywhere: bool,
    /// What closing the window means while live or recording.
    pub closing: Closing,
    /// Where recordings go; `None` is the user's folder of videos.
    pub recordings: Option<PathBuf>,
}

impl Default for Habits {
    fn default() -> Habits {
        Habits {
            awake: true,
            tell: true,
            anywhere: false,
            closing: Closing::Ask,
            recordings: None,
        }
    }
}

/// What closing the window means while live or recording.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Closing {
    /// That is asked each time.
    #[default]
    Ask,
    /// It goes on without a window.
    Background,
    /// It ends.
    End,
}

impl Default for Looks {
    fn default() -> Looks {
        Looks {
            profile: super::FIRST.into(),
            width: 1280,
            height: 780,
            maximized: false,
            sources: true,
            audience: true,
            safe_areas: false,
            habits: Habits::default(),
        }
    }
}

const FILE: &str = "window.toml";

/// As it was left. What cannot be read is as good as nothing: it is only the look of a window.
pub fn looks() -> Looks {
    let path = folder().unwrap_or_default().join(FILE);
    let text = fs::read_to_string(path).unwrap_or_default();
    toml::from_str(&text).unwrap_or_default()
}

/// Held while the file is written, and what is to be written next.
static WRITING: Mutex<()> = Mutex::new(());
static NEXT: Mutex<Option<Looks>> = Mutex::new(None);

/// Keep it soon, on another thread: disks may be slow.
pub fn keep_looks_soon(looks: Looks) {
    *NEXT.lock() = Some(looks);
    // The thread goes on by itself.
    drop(gio::spawn_blocking(|| {
        let _one = WRITING.lock();
        let next = NEXT.lock().take();
        if let Some(looks) = next {
            write(&looks);
        }
    }));
}

/// Keep it now: nothing comes after it.
pub fn keep_looks(looks: &Looks) {
    let _one = WRITING.lock();
    NEXT.lock().take();
    write(looks);
}

fn write(looks: &Looks) {
    if *looks == self::looks() {
        return;
    }
    let path = folder().unwrap_or_default().join(FILE);
    let kept = toml::to_string(looks).map_err(std::io::Error::other);
    if let Err(error) = kept.and_then(|text| replace(&path, &text)) {
        tracing::warn!(%error, "the window's size is not kept");
    }
}
