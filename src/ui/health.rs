// SPDX-License-Identifier: GPL-3.0-or-later
//! One sentence on how things are, and the numbers that stand beside it.

use gettextrs::{gettext, ngettext};
use studio::stats::{EncoderRow, is_too_slow};

use super::{
    model::{Air, Model, OutputItem, SourceItem, Tone, ViewerItem, Wellness, items},
    words::{self, fill},
};

/// How things are.
pub struct Judgement {
    /// The worst thing now with its remedy.
    pub sentence: String,
    /// How it is to be felt.
    pub tone: Tone,
    /// The bitrate of the picture in kbit/s that would help.
    pub lower_to: Option<u32>,
}

impl From<(String, Tone)> for Judgement {
    fn from((sentence, tone): (String, Tone)) -> Judgement {
        Judgement {
            sentence,
            tone,
            lower_to: None,
        }
    }
}

/// Judge; the order is that of the engine's own health line.
pub fn judge(model: &Model, dropped_now: u64) -> Judgement {
    let lost = items::<SourceItem>(&model.sources).find(|s| s.tone() == Tone::Trouble);
    if let Some(source) = lost {
        let sentence = format!("{} {}", source.words(), source.remedy());
        return (sentence, Tone::Trouble).into();
    }
    let failing = items::<OutputItem>(&model.outputs)
        .find(|o| matches!(o.tone(), Tone::Attention | Tone::Trouble));
    if let Some(output) = failing {
        return (output.words(), output.tone()).into();
    }
    if is_too_slow(dropped_now) {
        let sentence = gettext(
            "This computer is too slow for the picture. Lower the bitrate or close other programs.",
        );
        return Judgement {
            sentence,
            tone: Tone::Attention,
            lower_to: lower(model.broadcast.video_kbit()),
        };
    }
    let is_poor = |v: &ViewerItem| v.rank() == Wellness::Poor as u32;
    let poor = model.viewers.count(is_poor);
    let behind = items::<OutputItem>(&model.outputs).any(|o| o.is_behind());
    // What reaches hardly anybody is stopped on its way out, not at each of them.
    if behind || poor * 2 > model.viewers.len() as usize {
        let lower_to = lower(model.broadcast.video_kbit());
        let sentence = match lower_to {
            Some(kbit) => fill(
                gettext("Your upload is the bottleneck: lower the bitrate to {rate}."),
                &[("rate", &words::rate(u64::from(kbit) * 1000))],
            ),
            None => gettext("Your upload is the bottleneck, even at this bitrate."),
        };
        return Judgement {
            sentence,
            tone: Tone::Attention,
            lower_to,
        };
    }
    if poor > 0 {
        let n = u32::try_from(poor).unwrap_or(u32::MAX);
        let sentence = ngettext(
            "{n} viewer is too slow for this bitrate.",
            "{n} viewers are too slow for this bitrate.",
            n,
        );
        return (fill(sentence, &[("n", &n.to_string())]), Tone::Attention).into();
    }
    let calm = match model.broadcast.air() {
        Air::Off => (gettext("Ready to go live."), Tone::Idle),
        Air::Starting => (gettext("Starting…"), Tone::Busy),
        Air::Live => (gettext("Everything is fine."), Tone::Good),
        Air::Stopping => (gettext("Ending the broadcast…"), Tone::Busy),
    };
    calm.into()
}

/// A quarter less, in steps of 100 kbit/s; nothing if there would be no picture left to see.
fn lower(kbit: u32) -> Option<u32> {
    const LOWEST: u32 = 300;
    let lower = (kbit * 3 / 4 / 100 * 100).max(LOWEST);
    (lower < kbit).then_some(lower)
}

/// Frames per second, dropped frames, bitrate and the share of the processors in one line; empty while nothing is encoded.
pub fn numbers(encoders: &[EncoderRow], dropped: u64, share: Option<f64>) -> String {
    if encoders.is_empty() {
        return String::new();
    }
    let bitrate: u64 = encoders.iter().map(|e| e.bitrate).sum();
    let rate = words::rate(bitrate);
    let dropped = fill(gettext("{n} dropped"), &[("n", &dropped.to_string())]);
    // The sound's row is the one without pixels.
    let picture = encoders.iter().find(|e| e.width > 0);
    let mut parts = match picture {
        Some(e) => {
            let fps = fill(gettext("{n} fps"), &[("n", &format!("{:.0}", e.fps))]);
            vec![fps, dropped, rate]
        }
        None => vec![dropped, rate],
    };
    if let Some(share) = share {
        let n = format!("{share:.0}");
        // Translators: how much of this computer's processors Aerial takes
        parts.push(fill(gettext("CPU {n} %"), &[("n", &n)]));
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bitrate_is_lowered_by_steps_until_no_picture_would_be_left() {
        assert_eq!(lower(2400), Some(1800));
        assert_eq!(lower(500), Some(300));
        assert_eq!(lower(350), Some(300));
        assert_eq!(lower(300), None);
    }
}
