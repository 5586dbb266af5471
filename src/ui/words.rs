// SPDX-License-Identifier: GPL-3.0-or-later
//! Numbers and names in words people read.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use gettextrs::{gettext, ngettext};
use gtk::{accessible::Property, prelude::*};
use studio::{program::scene::Strip, source::Device};

/// Put values into a translated sentence: each `{name}` is replaced.
pub fn fill(sentence: String, values: &[(&str, &str)]) -> String {
    values.iter().fold(sentence, |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

/// Give a control without text its name, for eyes and ears.
pub fn call(control: &impl IsA<gtk::Widget>, name: &str) {
    let control = control.as_ref();
    if control.tooltip_text().is_none_or(|old| old != name) {
        control.set_tooltip_text(Some(name));
        control.update_property(&[Property::Label(name)]);
    }
}

/// The eye in a password's row has no name of its own (libadwaita 1.2 gives it none).
pub fn call_eye(row: &adw::PasswordEntryRow) {
    let mut left = vec![row.clone().upcast::<gtk::Widget>()];
    while let Some(widget) = left.pop() {
        if let Some(button) = widget.downcast_ref::<gtk::Button>()
            && button
                .icon_name()
                .is_some_and(|name| name.starts_with("view-"))
        {
            button.update_property(&[Property::Label(&gettext("Show the password"))]);
        }
        left.extend(std::iter::successors(widget.first_child(), |w| {
            w.next_sibling()
        }));
    }
}

/// A loudness with its sign and unit.
pub fn decibels(db: f32) -> String {
    let number = match db {
        db if db <= Strip::SILENT_DB => "−∞".to_string(),
        db if db.abs() < 0.05 => "0.0".to_string(),
        // The proper minus sign, which fonts draw as wide as a plus.
        db => format!("{db:+.1}").replace('-', "−"),
    };
    // Translators: decibels
    fill(gettext("{n} dB"), &[("n", &signed(number))])
}

/// A number that keeps its sign before it where text runs from right to left.
pub fn signed(number: String) -> String {
    const LEFT_TO_RIGHT: char = '\u{200e}';
    let from_right =
        gtk::is_initialized() && gtk::Widget::default_direction() == gtk::TextDirection::Rtl;
    match from_right {
        true => format!("{LEFT_TO_RIGHT}{number}"),
        false => number,
    }
}

/// A rate in bit/s with its unit.
pub fn rate(bits: u64) -> String {
    match bits {
        // Translators: megabits per second
        1_000_000.. => fill(
            gettext("{n} Mbit/s"),
            &[("n", &format!("{:.1}", bits as f64 / 1e6))],
        ),
        // Translators: kilobits per second
        _ => fill(gettext("{n} kbit/s"), &[("n", &(bits / 1000).to_string())]),
    }
}

/// An amount of bytes with its unit.
pub fn size(bytes: u64) -> String {
    gtk::glib::format_size(bytes).into()
}

/// A span of time as a clock shows it: `0:07`, `12:34`, `1:02:03`.
pub fn clock(span: Duration) -> String {
    let (h, m, s) = parts(span);
    match h {
        0 => format!("{m}:{s:02}"),
        _ => format!("{h}:{m:02}:{s:02}"),
    }
}

/// A span of time in a form of constant width: `00:12:34`.
pub fn timer(span: Duration) -> String {
    let (h, m, s) = parts(span);
    format!("{h:02}:{m:02}:{s:02}")
}

fn parts(span: Duration) -> (u64, u64, u64) {
    let s = span.as_secs();
    (s / 3600, s / 60 % 60, s % 60)
}

/// Time since then; zero if the clock was set back.
pub fn since(then: SystemTime) -> Duration {
    then.elapsed().unwrap_or_default()
}

/// "3 watching", in the middle of a sentence.
pub fn watching(n: u32) -> String {
    if n == 0 {
        return gettext("nobody is watching");
    }
    // Translators: how many people watch the broadcast now
    let sentence = ngettext("{n} watching", "{n} watching", n);
    fill(sentence, &[("n", &n.to_string())])
}

/// What a source is called, from its word on the command line.
pub fn source(spec: &str, devices: &[Device]) -> String {
    let (word, rest) = spec.split_once(':').unwrap_or((spec, ""));
    match (word, rest) {
        ("test", _) => gettext("Test card"),
        ("tone", _) => gettext("Test tone"),
        ("silence" | "none", _) => gettext("Nothing"),
        ("camera", "") => gettext("First camera"),
        ("screen", "") => gettext("Screen"),
        ("screen", part) => fill(gettext("Screen: {part}"), &[("part", part)]),
        ("desktop", _) => gettext("Sound of this computer"),
        // Translators: somebody who takes part with a browser
        ("guest", _) => gettext("Guest"),
        ("folder", path) => file(Path::new(path)),
        // Translators: the pictures that another program sends under this name
        ("frames", name) => fill(gettext("Pictures “{name}”"), &[("name", name)]),
        ("stdin", _) => gettext("Standard input"),
        ("mic", "") => gettext("System microphone"),
        ("camera" | "mic", wanted) => devices
            .iter()
            .find(|d| d.id == wanted)
            .map_or(wanted, |d| &d.name)
            .to_string(),
        ("file", path) => file(Path::new(path)),
        // The host says more than the kind of link, and fits.
        (_, rest) if rest.starts_with("//") => {
            let rest = rest.trim_start_matches('/');
            let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
            short(rest.split('?').next().unwrap_or(rest))
        }
        (_, _) => spec.to_string(),
    }
}

/// The last part of a path, on one line.
pub fn file(path: &Path) -> String {
    one_line(&path.file_name().map_or_else(
        || path.display().to_string(),
        |n| n.to_string_lossy().into(),
    ))
}

fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// A name as it fits into a sentence: on one line, its middle left out if it is long.
pub fn short(name: &str) -> String {
    const LONGEST: usize = 40;
    let name: Vec<char> = one_line(name).chars().collect();
    if name.len() <= LONGEST {
        return name.into_iter().collect();
    }
    let (begin, end) = (
        &name[..LONGEST / 2],
        &name[name.len() - (LONGEST / 2 - 1)..],
    );
    begin.iter().chain(&['…']).chain(end).collect()
}

/// What a user agent is called by people. Order matters: browsers name each other.
pub fn client(agent: &str) -> String {
    const KNOWN: &[(&str, &str)] = &[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chromium/", "Chromium"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("VLC", "VLC"),
        ("Lavf/", "FFmpeg"),
        ("GStreamer", "GStreamer"),
        ("mpv", "mpv"),
        ("curl/", "curl"),
    ];
    if let Some((mark, name)) = KNOWN.iter().find(|(mark, _)| agent.contains(mark)) {
        // Safari gives the number of its engine there.
        let mark = if *name == "Safari" { "Version/" } else { mark };
        let version = agent
            .split_once(mark)
            .filter(|_| mark.ends_with('/'))
            .map(|(_, rest)| {
                rest.split(|c: char| !c.is_ascii_digit())
                    .next()
                    .unwrap_or("")
            })
            .unwrap_or("");
        return format!("{name} {version}").trim_end().to_string();
    }
    match agent.split(['/', ' ']).next() {
        Some(word) if !word.is_empty() => word.chars().take(40).collect(),
        _ => gettext("Unknown player"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_apart_though_they_name_each_other() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36";
        assert_eq!(client(chrome), "Chrome 128");
        assert_eq!(client(&format!("{chrome} Edg/127.1")), "Edge 127");
        assert_eq!(
            client("Mozilla/5.0 (X11; rv:128.0) Gecko/20100101 Firefox/128.0"),
            "Firefox 128"
        );
        assert_eq!(
            client("Mozilla/5.0 (Macintosh) AppleWebKit/605.1 Version/17.6 Safari/605.1.15"),
            "Safari 17"
        );
        assert_eq!(client("Lavf/59.27.100"), "FFmpeg 59");
        assert_eq!(
            client("GStreamer souphttpsrc 1.22.0 libsoup/3.2.3"),
            "GStreamer"
        );
        assert_eq!(client("foobar/1 (x)"), "foobar");
        assert_eq!(client(""), "Unknown player");
    }

    #[test]
    fn long_names_lose_their_middle_and_odd_ones_stay_on_one_line() {
        assert_eq!(short("a\nb"), "a b");
        let long = short(&format!("{}.webm", "x".repeat(100)));
        assert!(
            long.chars().count() == 40 && long.ends_with(".webm"),
            "{long}"
        );
        assert_eq!(
            source("rtsp://me:***@cam.example/1?key=***", &[]),
            "cam.example/1"
        );
    }

    #[test]
    fn times_read_like_clocks() {
        assert_eq!(clock(Duration::from_secs(7)), "0:07");
        assert_eq!(clock(Duration::from_secs(3723)), "1:02:03");
        assert_eq!(timer(Duration::from_secs(754)), "00:12:34");
    }

    #[test]
    fn rates_have_units() {
        assert_eq!(rate(2_450_000), "2.5 Mbit/s");
        assert_eq!(rate(128_400), "128 kbit/s");
    }

    #[test]
    fn placeholders_are_filled_by_name() {
        let sentence = "{who} left {where}.".to_string();
        assert_eq!(
            fill(sentence, &[("where", "x"), ("who", "Ann")]),
            "Ann left x."
        );
    }
}
