// SPDX-License-Identifier: GPL-3.0-or-later
//! The pipelines of sources. Each hands raw samples to the program and says how it fares.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use gst::prelude::*;
use tokio::sync::mpsc;

use super::{AudioSpec, Device, VideoSpec, Watch};
use crate::{
    encode::EncodeSettings,
    error::SourceError,
    message::MediaKind,
    program::{Notice, Pipeline, Pusher, StudioClock},
};

const VIDEO_CAPS: &str = "video/x-raw,format=I420,pixel-aspect-ratio=1/1";
const AUDIO_CAPS: &str = "audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=2";

/// What a source's pipeline says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// The first sample of this kind reached the program.
    First(MediaKind),
    /// A file came to its end.
    End,
    /// It has nothing of this kind; what else it has goes on.
    Missing(MediaKind, SourceError),
    /// It does not work (any more).
    Failed(SourceError),
}

/// An open source; closes when dropped (which may block).
pub(super) struct Open {
    pipeline: Pipeline,
    /// Samples so far, for the watchdog.
    pub(super) samples: Arc<AtomicU64>,
    /// The device it really is, where it is one.
    pub(super) device: Option<Device>,
}

impl Open {
    /// Start over from the beginning; `false` if it cannot.
    pub(super) fn rewind(&self) -> bool {
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT;
        self.pipeline
            .seek_simple(flags, gst::ClockTime::ZERO)
            .is_ok()
    }
}

/// Where samples of one source go.
#[derive(Clone, Default)]
pub(super) struct Places {
    pub(super) video: Option<Pusher>,
    pub(super) audio: Option<Pusher>,
}

/// What opening needs to know.
#[derive(Clone)]
pub(super) struct Surroundings {
    pub(super) clock: StudioClock,
    pub(super) watch: Watch,
    pub(super) settings: EncodeSettings,
}

type Tell = mpsc::UnboundedSender<Said>;

/// Open a source of pictures. Blocks until the pipeline was started.
pub(super) fn video(
    spec: &VideoSpec,
    around: &Surroundings,
    places: &Places,
    tell: &Tell,
) -> Result<Open, SourceError> {
    let settings = &around.settings;
    match spec {
        VideoSpec::Test | VideoSpec::None => simple(
            &format!(
                "videotestsrc is-live=true pattern=smpte ! {VIDEO_CAPS},width={},height={},framerate={}/1 \
                 ! appsink name=video sync=false",
                settings.width, settings.height, settings.fps
            ),
            &spec.to_string(),
            around,
            places,
            tell,
        ),
        VideoSpec::Camera(name) => device(
            MediaKind::Video,
            name.as_deref(),
            &spec.to_string(),
            around,
            places,
            tell,
        ),
        VideoSpec::File(path) => file(path, around, places, tell),
    }
}

/// Open a source of sound. Blocks until the pipeline was started.
pub(super) fn audio(
    spec: &AudioSpec,
    around: &Surroundings,
    places: &Places,
    tell: &Tell,
) -> Result<Open, SourceError> {
    let generated = |wave: &str| {
        simple(
            &format!(
                "audiotestsrc is-live=true samplesperbuffer=480 {wave} ! {AUDIO_CAPS} ! appsink name=audio sync=false"
            ),
            &spec.to_string(),
            around,
            places,
            tell,
        )
    };
    match spec {
        // -20 dBFS: clearly heard, not painful.
        AudioSpec::Tone => generated("wave=sine freq=440 volume=0.1"),
        AudioSpec::Silence | AudioSpec::None => generated("wave=silence"),
        AudioSpec::Mic(name) => device(
            MediaKind::Audio,
            name.as_deref(),
            &spec.to_string(),
            around,
            places,
            tell,
        ),
        AudioSpec::File(path) => file(path, around, places, tell),
    }
}

/// A pipeline from a launch line that ends in appsinks called `video` or `audio`.
fn simple(
    launch: &str,
    spec: &str,
    around: &Surroundings,
    places: &Places,
    tell: &Tell,
) -> Result<Open, SourceError> {
    let pipeline = around
        .clock
        .watched("source", said_by(spec.to_string(), tell.clone()));
    let bin = gst::parse::bin_from_description(launch, false).map_err(|e| failed(spec, &e))?;
    pipeline.add(&bin).map_err(|e| failed(spec, &e))?;
    let samples = connect(bin.upcast_ref(), places, tell);
    start(pipeline, samples, None, spec)
}

/// ```text
/// camera ─▶ capsfilter (─▶ jpegdec) ─▶ videoconvert ─▶ appsink "video"
/// microphone ─▶ audioconvert ─▶ audioresample ─▶ appsink "audio"
/// ```
fn device(
    kind: MediaKind,
    name: Option<&str>,
    spec: &str,
    around: &Surroundings,
    places: &Places,
    tell: &Tell,
) -> Result<Open, SourceError> {
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
    let samples = connect(bin.upcast_ref(), places, tell);
    start(pipeline, samples, Some(device), spec)
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

/// A file, looped. Its picture and sound come from one pipeline, so they stay together.
///
/// ```text
/// uridecodebin ─▶ (imagefreeze ─▶) videoconvert ─▶ appsink "video"
///              ─▶ audioconvert ─▶ audioresample ─▶ appsink "audio"
/// ```
fn file(
    path: &Path,
    around: &Surroundings,
    places: &Places,
    tell: &Tell,
) -> Result<Open, SourceError> {
    let spec = format!("file:{}", path.display());
    let uri =
        gst::glib::filename_to_uri(std::path::absolute(path).as_deref().unwrap_or(path), None)
            .map_err(|e| failed(&spec, &e))?;
    let no_media = |media| SourceError::NotMedia {
        path: path.to_path_buf(),
        media,
    };
    let wanted = if places.video.is_some() {
        "picture"
    } else {
        "sound"
    };
    let pipeline = around.clock.loose("source", {
        let (tell, spec, no_media) = (tell.clone(), spec.clone(), no_media(wanted));
        move |notice| {
            let said = match notice {
                Notice::Eos => Said::End,
                Notice::Element(_) => return,
                Notice::Error(e)
                    if e.code.is::<gst::StreamError>() || e.code.is::<gst::CoreError>() =>
                {
                    Said::Failed(no_media.clone())
                }
                Notice::Error(e) => Said::Failed(SourceError::Failed {
                    spec: spec.clone(),
                    why: e.to_string(),
                }),
            };
            let _ = tell.send(said);
        }
    });
    let decode = gst::ElementFactory::make("uridecodebin")
        .property("uri", uri.as_str())
        .build()
        .map_err(|_| SourceError::Missing {
            element: "uridecodebin".into(),
        })?;
    pipeline.add(&decode).map_err(|e| failed(&spec, &e))?;
    let samples = Arc::new(AtomicU64::new(0));
    let (have_video, have_audio) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let weak = pipeline.downgrade();
    decode.connect_pad_added({
        let (places, tell, samples) = (places.clone(), tell.clone(), samples.clone());
        let (have_video, have_audio) = (have_video.clone(), have_audio.clone());
        move |_, pad| {
            let Some(pipeline) = weak.upgrade() else {
                return;
            };
            let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
            let Some(structure) = caps.structure(0) else {
                return;
            };
            let still = structure
                .get::<gst::Fraction>("framerate")
                .is_ok_and(|rate| rate.numer() == 0);
            let (have, wanted, launch) = if structure.name().starts_with("video/") {
                let freeze = if still { "imagefreeze ! " } else { "" };
                let rest = format!("videoconvert ! {VIDEO_CAPS} ! appsink name=video sync=true");
                let rate = if still {
                    "video/x-raw,framerate=10/1 ! "
                } else {
                    ""
                };
                (
                    &have_video,
                    places.video.is_some(),
                    format!("{freeze}{rate}{rest}"),
                )
            } else {
                let rest = "audioconvert ! audioresample ! ";
                let rest = format!("{rest}{AUDIO_CAPS} ! appsink name=audio sync=true");
                (&have_audio, places.audio.is_some(), rest)
            };
            // One of each kind; what nobody wants is thrown away, but must go somewhere.
            let launch = if wanted && !have.swap(true, Relaxed) {
                format!("queue ! {launch}")
            } else {
                "fakesink sync=true".to_string()
            };
            let Ok(bin) = gst::parse::bin_from_description(&launch, true) else {
                return;
            };
            connect_into(bin.upcast_ref(), &places, &tell, &samples);
            let linked = pipeline.add(&bin).is_ok()
                && bin.sync_state_with_parent().is_ok()
                && bin
                    .static_pad("sink")
                    .is_some_and(|sink| pad.link(&sink).is_ok());
            if !linked {
                tracing::warn!("a stream of the file could not be connected");
            }
        }
    });
    decode.connect_no_more_pads({
        let (places, tell) = (places.clone(), tell.clone());
        let missing = (no_media("picture"), no_media("sound"));
        move |_| {
            if places.video.is_some() && !have_video.load(Relaxed) {
                let _ = tell.send(Said::Missing(MediaKind::Video, missing.0.clone()));
            }
            if places.audio.is_some() && !have_audio.load(Relaxed) {
                let _ = tell.send(Said::Missing(MediaKind::Audio, missing.1.clone()));
            }
        }
    });
    start(pipeline, samples, None, &spec)
}

fn start(
    pipeline: Pipeline,
    samples: Arc<AtomicU64>,
    device: Option<Device>,
    spec: &str,
) -> Result<Open, SourceError> {
    pipeline.play().map_err(|e| failed(spec, &e))?;
    Ok(Open {
        pipeline,
        samples,
        device,
    })
}

fn failed(spec: &str, why: &dyn std::fmt::Display) -> SourceError {
    SourceError::Failed {
        spec: spec.to_string(),
        why: why.to_string().trim_end_matches('.').to_string(),
    }
}

fn said_by(spec: String, tell: Tell) -> impl Fn(Notice) + Send + Sync + 'static {
    move |notice| {
        let said = match notice {
            Notice::Error(e) => Said::Failed(failed(&spec, &e)),
            Notice::Eos => Said::End,
            Notice::Element(_) => return,
        };
        let _ = tell.send(said);
    }
}

fn connect(bin: &gst::Bin, places: &Places, tell: &Tell) -> Arc<AtomicU64> {
    let samples = Arc::new(AtomicU64::new(0));
    connect_into(bin, places, tell, &samples);
    samples
}

/// Let the appsinks of this bin push into the program.
fn connect_into(bin: &gst::Bin, places: &Places, tell: &Tell, samples: &Arc<AtomicU64>) {
    let both = [
        ("video", MediaKind::Video, &places.video),
        ("audio", MediaKind::Audio, &places.audio),
    ];
    for (name, kind, pusher) in both {
        let sink = bin.by_name(name).and_downcast::<gst_app::AppSink>();
        let (Some(sink), Some(pusher)) = (sink, pusher.clone()) else {
            continue;
        };
        // Two samples: what the program does not take at once is out of date.
        sink.set_property("enable-last-sample", false);
        sink.set_max_buffers(2);
        sink.set_drop(true);
        let (tell, samples) = (tell.clone(), samples.clone());
        let mut first = true;
        sink.set_callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Flushing)?;
                    pusher.push(&sample, sink.base_time().unwrap_or(gst::ClockTime::ZERO));
                    samples.fetch_add(1, Relaxed);
                    if std::mem::take(&mut first) {
                        let _ = tell.send(Said::First(kind));
                    }
                    Ok(gst::FlowSuccess::Ok)
                })
                .build(),
        );
    }
}
