// SPDX-License-Identifier: GPL-3.0-or-later
//! Cameras and microphones.

use gst::prelude::*;

use super::{AUDIO_CAPS, Open, Opening, VIDEO_CAPS, connect, failed, said_by, start};
use crate::{error::SourceError, message::MediaKind};

/// ```text
/// camera ─▶ capsfilter (─▶ jpegdec) ─▶ videoconvert ─▶ appsink "video"
/// microphone ─▶ audioconvert ─▶ audioresample ─▶ appsink "audio"
/// ```
pub(super) fn open(
    kind: MediaKind,
    name: Option<&str>,
    spec: &str,
    opening: &Opening,
) -> Result<Open, SourceError> {
    let (around, tell) = (&opening.around, &opening.tell);
    let word = match kind {
        MediaKind::Video => "camera",
        MediaKind::Audio => "microphone",
    };
    let (device, handle) = around.watch.find(kind, name).ok_or_else(|| match name {
        Some(name) => SourceError::NoDevice {
            kind: word,
            name: name.to_string(),
        },
        None => SourceError::NoDeviceAtAll(word),
    })?;
    let source = handle
        .create_element(Some("device"))
        .map_err(|e| failed(spec, &e))?;
    if source.has_property("do-timestamp") {
        // Times of capture on our clock, whatever the device's own clock says.
        source.set_property("do-timestamp", true);
    }
    let launch = match kind {
        MediaKind::Video => {
            let (filter, decoder) = camera_format(handle.caps().as_ref());
            format!(
                "capsfilter name=first caps=\"{filter}\" ! {decoder} videoconvert ! {VIDEO_CAPS} \
                 ! appsink name=video sync=false"
            )
        }
        MediaKind::Audio => {
            if source.has_property("buffer-time") && source.has_property("latency-time") {
                // Microseconds: 40 ms in blocks of 10, well below what a listener notices.
                source.set_property("buffer-time", 40_000i64);
                source.set_property("latency-time", 10_000i64);
            }
            format!(
                "audioconvert name=first ! audioresample ! {AUDIO_CAPS} ! appsink name=audio sync=false"
            )
        }
    };
    let pipeline = around
        .clock
        .watched("source", said_by(spec.to_string(), tell.clone()));
    let bin = gst::parse::bin_from_description(&launch, false).map_err(|e| failed(spec, &e))?;
    let first = bin
        .by_name("first")
        .expect("the launch line has a part called first");
    bin.add(&source)
        .and_then(|()| source.link(&first))
        .map_err(|e| failed(spec, &e))?;
    pipeline.add(&bin).map_err(|e| failed(spec, &e))?;
    let samples = connect(bin.upcast_ref(), opening);
    let mut open = start(pipeline, samples, spec)?;
    open.device = Some(device);
    Ok(open)
}

/// Which of a camera's formats to take: raw at a useful rate, else JPEG (many cameras give large pictures only so),
/// else whatever raw there is. The filter must name raw formats: pipewiresrc does not negotiate without.
fn camera_format(caps: Option<&gst::Caps>) -> (&'static str, &'static str) {
    const RAW: &str = "video/x-raw,width=[320,1920],framerate=[20/1,120/1]";
    const JPEG: &str = "image/jpeg,width=[320,1920],framerate=[20/1,120/1]";
    let has = |wanted: &str| {
        let wanted: Option<gst::Caps> = wanted.parse().ok();
        wanted.zip(caps).is_some_and(|(w, c)| c.can_intersect(&w))
    };
    if has(RAW) {
        (RAW, "")
    } else if has(JPEG) {
        (JPEG, "jpegdec !")
    } else {
        ("video/x-raw", "")
    }
}
