// SPDX-License-Identifier: GPL-3.0-or-later
//! One sentence on how things are, and the numbers that stand beside it.

use gettextrs::{gettext, ngettext};
use studio::stats::{EncoderRow, is_too_slow};

use super::{
    model::{Air, Model, OutputItem, SourceItem, Tone, ViewerItem, Wellness, items},
    words::{self, fill},
};

/// The worst thing now with its remedy, and how it is to be felt; the order is that of the engine's own health line.
pub fn judge(model: &Model, dropped_now: u64) -> (String, Tone) {
    let lost = items::<SourceItem>(&model.sources).find(|s| s.tone() == Tone::Trouble);
    if let Some(source) = lost {
        return (
            format!("{} {}", source.words(), source.remedy()),
            Tone::Trouble,
        );
    }
    let failing = items::<OutputItem>(&model.outputs)
        .find(|o| matches!(o.tone(), Tone::Attention | Tone::Trouble));
    if let Some(output) = failing {
        return (output.words(), output.tone());
    }
    if is_too_slow(dropped_now) {
        let sentence = gettext(
            "This computer is too slow for the picture. Lower the bitrate or close other programs.",
        );
        return (sentence, Tone::Attention);
    }
    let is_poor = |v: &ViewerItem| v.rank() == Wellness::Poor as u32;
    let poor = model.viewers.count(is_poor);
    if poor > 0 {
        let n = u32::try_from(poor).unwrap_or(u32::MAX);
        let sentence = ngettext(
            "{n} viewer is too slow for this bitrate.",
            "{n} viewers are too slow for this bitrate.",
            n,
        );
        return (fill(sentence, &[("n", &n.to_string())]), Tone::Attention);
    }
    match model.broadcast.air() {
        Air::Off => (gettext("Ready to go live."), Tone::Idle),
        Air::Starting => (gettext("Starting…"), Tone::Busy),
        Air::Live => (gettext("Everything is fine."), Tone::Good),
        Air::Stopping => (gettext("Ending the broadcast…"), Tone::Busy),
    }
}

/// Frames per second, dropped frames and bitrate in one line; empty while nothing is encoded.
pub fn numbers(encoders: &[EncoderRow], dropped: u64) -> String {
    if encoders.is_empty() {
        return String::new();
    }
    let bitrate: u64 = encoders.iter().map(|e| e.bitrate).sum();
    let rate = words::rate(bitrate);
    let dropped = fill(gettext("{n} dropped"), &[("n", &dropped.to_string())]);
    // The sound's row is the one without pixels.
    let picture = encoders.iter().find(|e| e.width > 0);
    let parts = match picture {
        Some(e) => {
            let fps = fill(gettext("{n} fps"), &[("n", &format!("{:.0}", e.fps))]);
            vec![fps, dropped, rate]
        }
        None => vec![dropped, rate],
    };
    parts.join(" · ")
}
