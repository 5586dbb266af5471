// SPDX-License-Identifier: GPL-3.0-or-later
//! Test card, test tone and silence.

use gst::prelude::*;

use super::{AUDIO_CAPS, Open, Opening, VIDEO_CAPS, connect, failed, said_by, start};
use crate::error::SourceError;

pub(super) fn test_card(spec: &str, opening: &Opening) -> Result<Open, SourceError> {
    let settings = &opening.around.settings;
    let launch = format!(
        "videotestsrc is-live=true pattern=smpte ! {VIDEO_CAPS},width={},height={},framerate={}/1 \
         ! appsink name=video sync=false",
        settings.width, settings.height, settings.fps
    );
    from_launch(&launch, spec, opening)
}

/// -20 dBFS: clearly heard, not painful.
pub(super) fn tone(spec: &str, opening: &Opening) -> Result<Open, SourceError> {
    wave("wave=sine freq=440 volume=0.1", spec, opening)
}

pub(super) fn silence(spec: &str, opening: &Opening) -> Result<Open, SourceError> {
    wave("wave=silence", spec, opening)
}

fn wave(wave: &str, spec: &str, opening: &Opening) -> Result<Open, SourceError> {
    let launch = format!(
        "audiotestsrc is-live=true samplesperbuffer=480 {wave} ! {AUDIO_CAPS} ! appsink name=audio sync=false"
    );
    from_launch(&launch, spec, opening)
}

/// A pipeline from a launch line that ends in appsinks called `video` or `audio`.
pub(super) fn from_launch(
    launch: &str,
    spec: &str,
    opening: &Opening,
) -> Result<Open, SourceError> {
    let said = said_by(spec.to_string(), opening.tell.clone());
    let pipeline = opening.around.clock.watched("source", said);
    let bin = gst::parse::bin_from_description(launch, false).map_err(|e| failed(spec, &e))?;
    pipeline.add(&bin).map_err(|e| failed(spec, &e))?;
    let samples = connect(bin.upcast_ref(), opening);
    start(pipeline, samples, spec)
}
