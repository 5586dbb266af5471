// SPDX-License-Identifier: GPL-3.0-or-later
//! Cameras and microphones, and what this computer plays.

use std::{
    os::fd::AsRawFd,
    sync::{Arc, atomic::AtomicU64},
};

use gst::prelude::*;

use super::{
    AUDIO_CAPS, Open, Opening, VIDEO_CAPS, certain::Certain, connect, connect_into, failed,
    generated, said_by, start,
};
use crate::{
    error::{PortalError, SourceError},
    message::MediaKind,
    portal,
    source::Device,
};

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
    let mut memory = opening.memory.lock();
    let chosen = around.watch.choose(kind, name, &mut memory);
    if chosen.is_none() && kind == MediaKind::Video && portal::sandboxed() {
        drop(memory);
        return by_portal(spec, opening);
    }
    let (device, handle) = chosen.ok_or_else(|| match (memory.had(), name) {
        (Some(device), _) => unplugged(device),
        (None, Some(name)) => SourceError::NoDevice {
            kind: word,
            name: name.to_string(),
        },
        (None, None) => SourceError::NoDeviceAtAll(word),
    })?;
    memory.has(&device);
    drop(memory);
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
            stay(&source);
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
    // PipeWire does as it was told. PulseAudio, which says less about its devices, is watched.
    let pulse = kind == MediaKind::Audio
        && source.has_property("current-device")
        && handle.has_property("internal-name")
        && !handle
            .properties()
            .is_some_and(|p| p.has_field("node.name"));
    let certain = if pulse {
        let right = handle.property::<Option<String>>("internal-name");
        let wrong = unplugged(&device);
        let certain = Certain::start(&source, right.unwrap_or_default(), wrong, tell.clone());
        Some(certain.map_err(|e| failed(spec, &e))?)
    } else {
        None
    };
    let samples = match &certain {
        Some(certain) => {
            let samples = Arc::new(AtomicU64::new(0));
            let way_in = certain.way_in();
            connect_into(bin.upcast_ref(), &opening.places, tell, &samples, way_in);
            samples
        }
        None => connect(bin.upcast_ref(), opening),
    };
    let mut open = start(pipeline, samples, spec)?;
    open.device = Some(device);
    open.held.extend(certain.map(|c| Box::new(c) as _));
    Ok(open)
}

/// A camera that the desktop hands out, for a sandbox in which none can be seen.
///
/// ```text
/// pipewiresrc ─▶ capsfilter ─▶ videoconvert ─▶ appsink "video"
/// ```
fn by_portal(spec: &str, opening: &Opening) -> Result<Open, SourceError> {
    let remote = opening.around.runtime.block_on(async {
        tokio::select! {
            remote = portal::cameras() => remote,
            // Removed while the person was being asked.
            () = opening.tell.closed() => Err(PortalError::Ended),
        }
    })?;
    let launch = format!(
        "pipewiresrc fd={} do-timestamp=true ! video/x-raw ! videoconvert ! {VIDEO_CAPS} \
         ! appsink name=video sync=false",
        remote.as_raw_fd()
    );
    let mut open = generated::from_launch(&launch, spec, opening)?;
    open.held.push(Box::new(remote));
    open.quiet = Some(SourceError::Stalled("The camera".into()));
    Ok(open)
}

/// Have the sound server end the recording when the device goes. It would move it to another device otherwise, without
/// a word, and a microphone that nobody chose would be on air. (The words must be text: pulsesrc passes on nothing else.)
fn stay(source: &gst::Element) {
    if source.has_property("stream-properties") {
        let words = gst::Structure::builder("props")
            .field("node.dont-reconnect", "true")
            .build();
        source.set_property("stream-properties", words);
    }
}

/// What this computer plays: the monitor of the default loudspeaker, whichever that is. It is said twice, for PulseAudio
/// and for `PipeWire`, whose older releases record the default microphone under PulseAudio's word.
///
/// ```text
/// pulsesrc ─▶ audioconvert ─▶ audioresample ─▶ appsink "audio"
/// ```
pub(super) fn desktop(spec: &str, opening: &Opening) -> Result<Open, SourceError> {
    generated::from_launch(
        &format!(
            "pulsesrc device=@DEFAULT_MONITOR@ stream-properties=\"props,stream.capture.sink=(string)true\" \
             do-timestamp=true buffer-time=40000 latency-time=10000 \
             ! audioconvert ! audioresample ! {AUDIO_CAPS} ! appsink name=audio sync=false"
        ),
        spec,
        opening,
    )
}

pub(in crate::source) fn unplugged(device: &Device) -> SourceError {
    SourceError::Unplugged {
        kind: match device.kind {
            MediaKind::Video => "camera",
            MediaKind::Audio => "microphone",
        },
        name: device.name.clone(),
    }
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
