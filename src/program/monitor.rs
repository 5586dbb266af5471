// SPDX-License-Identifier: GPL-3.0-or-later
//! Listening to one sound on this computer's loudspeaker or headphones. The program never hears of it: the sound
//! server mixes what is listened to.

use super::{AUDIO_CAPS, Pipeline, StudioClock};

/// More waiting sound than this is thrown away: what is listened to should be now.
const LATEST: gst::ClockTime = gst::ClockTime::from_mseconds(200);

/// Plays what is pushed into it, until dropped (which may block).
pub(super) struct Monitor {
    pub(super) appsrc: gst_app::AppSrc,
    _pipeline: Pipeline,
}

impl Monitor {
    /// `None` (and a line in the log) if nothing can be played here.
    pub(super) fn start(clock: &StudioClock) -> Option<Monitor> {
        use gst::prelude::*;
        let pipeline = clock.pipeline("monitor", |e| tracing::warn!(error = %e, "monitor"));
        let appsrc = gst_app::AppSrc::builder()
            .name("monitor")
            .caps(&AUDIO_CAPS.parse().ok()?)
            .format(gst::Format::Time)
            .is_live(true)
            .leaky_type(gst_app::AppLeakyType::Downstream)
            .min_latency(0)
            .max_time(Some(LATEST))
            .max_bytes(0)
            .build();
        let out =
            gst::parse::bin_from_description("audioconvert ! audioresample ! autoaudiosink", true)
                .inspect_err(|e| tracing::warn!(error = %e, "monitor"))
                .ok()?;
        pipeline.add(&appsrc).ok()?;
        pipeline.add(&out).ok()?;
        appsrc.link(&out).ok()?;
        pipeline
            .play()
            .inspect_err(|e| tracing::warn!(error = %e, "monitor"))
            .ok()?;
        Some(Monitor {
            appsrc,
            _pipeline: pipeline,
        })
    }
}
