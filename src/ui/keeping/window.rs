// SPDX-License-Identifier: GPL-3.0-or-later
//! How the window was left.

use std::fs;

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

/// Keep it.
pub fn keep_looks(looks: &Looks) {
    if *looks == self::looks() {
        return;
    }
    let path = folder().unwrap_or_default().join(FILE);
    let kept = toml::to_string(looks).map_err(std::io::Error::other);
    if let Err(error) = kept.and_then(|text| replace(&path, &text)) {
        tracing::warn!(%error, "the window's size is not kept");
    }
}
