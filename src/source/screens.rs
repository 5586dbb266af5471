// SPDX-License-Identifier: GPL-3.0-or-later
//! What else can be put on air besides the devices that are plugged in: screens, windows, and what this computer plays.

use super::x11::Display;
use crate::{error::ScreenError, message::MediaKind, portal};

/// Something that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Choice {
    /// Picture or sound.
    pub kind: MediaKind,
    /// As on the command line, e.g. `screen:0x40000c`.
    pub spec: String,
    /// The name people know.
    pub name: String,
    /// Whether the desktop asks before it is shown.
    pub asks: bool,
}

/// All that there is just now.
pub async fn choices() -> Vec<Choice> {
    let mut all = if portal::offers_screens().await {
        vec![choice("screen", "a screen or window of your choice", true)]
    } else if std::env::var_os("WAYLAND_DISPLAY").is_some() {
        // Without a portal nothing can be seen there, and X11 shows its own windows only.
        Vec::new()
    } else {
        by_x11().unwrap_or_default()
    };
    if gst::ElementFactory::find("pulsesrc").is_some() {
        all.push(Choice {
            kind: MediaKind::Audio,
            ..choice("desktop", "what this computer plays", false)
        });
    }
    all
}

fn by_x11() -> Result<Vec<Choice>, ScreenError> {
    let display = Display::connect()?;
    let (width, height) = display.size();
    let mut all = vec![choice(
        "screen",
        &format!("the whole screen, {width}x{height}"),
        false,
    )];
    let monitors = display.monitors().unwrap_or_default();
    if monitors.len() > 1 {
        all.extend(monitors.iter().map(|(name, region)| {
            let words = format!("monitor {name}, {}x{}", region.width, region.height);
            choice(&format!("screen:{name}"), &words, false)
        }));
    }
    all.extend(display.windows()?.iter().map(|titled| {
        let spec = format!("screen:{:#x}", titled.window);
        choice(&spec, &titled.title, false)
    }));
    Ok(all)
}

fn choice(spec: &str, name: &str, asks: bool) -> Choice {
    Choice {
        kind: MediaKind::Video,
        spec: spec.into(),
        name: name.into(),
        asks,
    }
}
