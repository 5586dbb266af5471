// SPDX-License-Identifier: GPL-3.0-or-later
//! `aerial check`: what is installed, what is missing, and where to get it.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use studio::encode::{Ability, CODECS, Place, Unable, ability};

/// What for, element, Debian package, whether Aerial is of no use without.
const ELEMENTS: &[(&str, &str, &str, bool)] = &[
    ("the mix", "compositor", "gstreamer1.0-plugins-base", true),
    ("the mix", "audiomixer", "gstreamer1.0-plugins-base", true),
    ("the mix", "imagefreeze", "gstreamer1.0-plugins-good", true),
    ("the mix", "level", "gstreamer1.0-plugins-good", true),
    (
        "the test card",
        "videotestsrc",
        "gstreamer1.0-plugins-base",
        true,
    ),
    (
        "conversion",
        "videoconvert",
        "gstreamer1.0-plugins-base",
        true,
    ),
    (
        "conversion",
        "audioresample",
        "gstreamer1.0-plugins-base",
        true,
    ),
    ("WebM", "webmmux", "gstreamer1.0-plugins-good", true),
    ("files", "uridecodebin", "gstreamer1.0-plugins-base", true),
    (
        "files in other formats",
        "avdec_h264",
        "gstreamer1.0-libav",
        false,
    ),
    (
        "cameras and screens by PipeWire",
        "pipewiresrc",
        "gstreamer1.0-pipewire",
        false,
    ),
    (
        "cameras by V4L2",
        "v4l2src",
        "gstreamer1.0-plugins-good",
        false,
    ),
    (
        "screens",
        "videoconvertscale",
        "gstreamer1.0-plugins-base",
        false,
    ),
    (
        "microphones and desktop sound",
        "pulsesrc",
        "gstreamer1.0-pulseaudio",
        false,
    ),
    ("RTMP", "rtmp2sink", "gstreamer1.0-plugins-bad", false),
    ("SRT", "srtsink", "gstreamer1.0-plugins-bad", false),
    (
        "WHIP and other WebRTC outputs",
        "nicesrc",
        "gstreamer1.0-nice",
        false,
    ),
];

/// How the screen can be shown here.
fn screens() -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let portal = runtime.is_ok_and(|r| r.block_on(studio::portal::offers_screens()));
    let there = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    let how = if portal {
        "through the desktop's portal"
    } else if there("WAYLAND_DISPLAY") {
        "not at all: install xdg-desktop-portal and xdg-desktop-portal-gnome, -kde or -wlr, whichever is for your desktop"
    } else if there("DISPLAY") {
        "from the X server"
    } else {
        "not at all: this is no desktop session"
    };
    format!("Screens: {how}")
}

/// Print the list; 1 if something essential is missing.
pub fn run() -> ExitCode {
    let mut complete = true;
    let mut out = io::stdout().lock();
    let _ = writeln!(
        out,
        "Aerial {}, {}",
        env!("CARGO_PKG_VERSION"),
        gst::version_string()
    );
    let sandbox = if studio::portal::sandboxed() {
        "yes"
    } else {
        "no"
    };
    let _ = writeln!(out, "Sandbox: {sandbox}");
    let _ = writeln!(out, "{}", screens());
    // The registry is asked, not gst-inspect: that one compares version numbers that mean nothing here.
    for (what, element, package, essential) in ELEMENTS.iter().copied() {
        let line = match gst::ElementFactory::find(element) {
            Some(_) => format!("  ok       {element} ({what})"),
            None => {
                complete &= !essential;
                let word = if essential { "MISSING " } else { "missing " };
                format!("  {word} {element} ({what}): install {package}")
            }
        };
        let _ = writeln!(out, "{line}");
    }
    for codec in CODECS {
        let ability = ability(codec);
        complete &= ability.best(None).is_ok() || !matches!(codec.name, "vp8" | "opus");
        tell(&mut out, &ability);
    }
    if complete {
        let _ = writeln!(out, "Everything that is needed is there.");
        ExitCode::SUCCESS
    } else {
        let _ = writeln!(out, "Aerial cannot broadcast without what is MISSING.");
        ExitCode::FAILURE
    }
}

/// A line for each encoder of a codec: whether it works, tried just now.
fn tell(out: &mut impl Write, ability: &Ability) {
    let label = ability.codec.label;
    let best = ability.best(None).ok().map(|e| e.element);
    for (encoder, able) in &ability.encoders {
        let (element, place) = (encoder.element, encoder.place.label());
        let line = match able {
            Ok(()) if best == Some(element) => {
                format!("  ok       {element} ({label}, {place}): taken")
            }
            Ok(()) => format!("  ok       {element} ({label}, {place})"),
            Err(Unable::Failed(why)) => format!("  broken   {element} ({label}, {place}): {why}"),
            // What the hardware of this computer may not have is no loss while there is another.
            Err(Unable::Missing(package)) if best.is_none() || encoder.place == Place::Software => {
                format!("  missing  {element} ({label}, {place}): install {package}")
            }
            Err(Unable::Missing(_)) => format!("  -        {element} ({label}, {place})"),
        };
        let _ = writeln!(out, "{line}");
    }
}
