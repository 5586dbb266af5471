// SPDX-License-Identifier: GPL-3.0-or-later
//! All figures as a text, to be read and to be sent to who helps: without addresses, links and passwords.

use gettextrs::gettext;
use studio::{
    audience::Transport,
    stats::{EncoderRow, OutputRow, Status},
};

use crate::ui::{
    bridge::Bridge,
    model::{Air, OutputItem, items, past::Metric},
    words::{self, fill},
};

use super::graph::metric_words;

/// The text as of now.
pub fn text(bridge: &Bridge) -> String {
    let broadcast = &bridge.model().broadcast;
    let status = bridge.status();
    let state = match broadcast.air() {
        Air::Live => fill(
            gettext("Live for {time}"),
            &[("time", &broadcast.elapsed())],
        ),
        Air::Off | Air::Starting | Air::Stopping => gettext("Off air"),
    };
    let mut blocks = vec![
        [versions(), state, broadcast.health()].join("\n"),
        process(bridge),
    ];
    if !status.encoders.is_empty() {
        blocks.push(block(
            gettext("Encoders"),
            status.encoders.iter().map(encoder),
        ));
    }
    let outputs: Vec<OutputItem> = items(&bridge.model().outputs).collect();
    if !outputs.is_empty() {
        let lines = outputs.iter().map(|item| output(item, &status));
        blocks.push(block(gettext("Outputs"), lines));
    }
    let here = fill(
        gettext("{n} now, at most {peak} at one time"),
        &[
            ("n", &broadcast.watching().to_string()),
            ("peak", &broadcast.peak().to_string()),
        ],
    );
    let lines = std::iter::once(here).chain(ways(&status));
    blocks.push(block(gettext("Viewers"), lines));
    blocks.join("\n\n")
}

fn block(heading: String, lines: impl Iterator<Item = String>) -> String {
    let lines = lines.map(|line| format!("  {line}"));
    std::iter::once(heading)
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n")
}

fn versions() -> String {
    format!(
        "Aerial {} · GTK {}.{}.{} · {}",
        env!("CARGO_PKG_VERSION"),
        gtk::major_version(),
        gtk::minor_version(),
        gtk::micro_version(),
        gst::version_string(),
    )
}

fn process(bridge: &Bridge) -> String {
    let mut lines = Vec::new();
    if let Some((process, cpu)) = bridge.process() {
        if let Some(cpu) = cpu {
            let share = metric_words(Metric::Cpu, cpu as f32);
            lines.push(fill(gettext("Processor: {n}"), &[("n", &share)]));
        }
        let memory = words::size(process.memory);
        lines.push(fill(gettext("Memory: {n}"), &[("n", &memory)]));
        for (sentence, n) in [
            (gettext("Threads: {n}"), process.threads),
            (gettext("Open files and connections: {n}"), process.files),
        ] {
            lines.push(fill(sentence, &[("n", &n.to_string())]));
        }
    }
    block(gettext("This program"), lines.into_iter())
}

fn encoder(row: &EncoderRow) -> String {
    let size = match row.width {
        0 => String::new(),
        width => format!(", {width} × {}", row.height),
    };
    let left_out = fill(gettext("{n} left out"), &[("n", &row.dropped.to_string())]);
    let rate = words::rate(row.bitrate);
    let mut parts = vec![rate, left_out];
    if row.width > 0 {
        parts.insert(0, metric_words(Metric::Frames, row.fps as f32));
    }
    format!(
        "{} ({}){size}: {}",
        row.codec,
        row.element,
        parts.join(", ")
    )
}

fn output(item: &OutputItem, status: &Status) -> String {
    let row = status.outputs.iter().find(|o| o.name == item.name());
    let sums = row.map(|row: &OutputRow| {
        let left_out = fill(gettext("{n} left out"), &[("n", &row.dropped.to_string())]);
        format!(" {}, {left_out}", words::size(row.bytes))
    });
    let kind = row.map_or("", |row| &row.kind);
    format!(
        "{} ({kind}): {}{}",
        item.name(),
        item.words(),
        sums.unwrap_or_default()
    )
}

/// How many watch in which way.
fn ways(status: &Status) -> Option<String> {
    let named = [
        (Transport::Webrtc, "WebRTC"),
        (Transport::Http, "HTTP"),
        (Transport::Hls, "HLS"),
        (Transport::Icecast, "Icecast"),
    ];
    let counted: Vec<String> = named
        .into_iter()
        .filter_map(|(transport, name)| {
            let these = status.viewers.iter().filter(|v| v.transport == transport);
            match these.count() {
                0 => None,
                n => Some(format!("{name}: {n}")),
            }
        })
        .collect();
    (!counted.is_empty()).then(|| counted.join(", "))
}
