// SPDX-License-Identifier: GPL-3.0-or-later
//! The pipelines of sources, one file per kind. Each hands raw samples to the program and says how it fares.

mod certain;
mod deck;
pub(super) mod device;
mod frames;
mod generated;
mod guest;
mod media;
mod screen;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use gst::prelude::*;
use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::mpsc};

pub(super) use deck::{After, Deck};

use super::{
    AudioSpec, Device, Spec, VideoSpec, Watch,
    choice::Memory,
    frames::Inboxes,
    guest::{Seat, Seats},
};
use crate::{
    encode::EncodeSettings,
    error::SourceError,
    message::MediaKind,
    navigation::Navigation,
    program::{Notice, Pipeline, Pusher, StudioClock},
};

const VIDEO_CAPS: &str = "video/x-raw,format=I420,pixel-aspect-ratio=1/1";
const AUDIO_CAPS: &str = "audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=2";

/// What an open source says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// The first sample of this kind reached the program.
    First(MediaKind),
    /// A file or stream came to its end.
    End,
    /// It has nothing of this kind; what else it has goes on.
    Missing(MediaKind, SourceError),
    /// It goes on, but something was left out; or all is well again.
    Warning(Option<SourceError>),
    /// Nothing more will come; what is shown stays.
    Over(SourceError),
    /// All of it went away, and may come back by itself.
    Away(SourceError),
    /// It does not work (any more).
    Failed(SourceError),
}

/// An open source; closes when dropped (which may block).
pub(super) struct Open {
    /// What must stay as long as it is open (a permission, a thread that ends by its guard). First, so that threads that
    /// ask the pipeline have ended when it is stopped.
    pub(super) held: Vec<Box<dyn Send + Sync>>,
    /// Its pipeline, if it has one.
    pub(super) pipeline: Option<Pipeline>,
    /// Samples so far, for the watchdog.
    pub(super) samples: Arc<AtomicU64>,
    /// The device it really is, where it is one.
    pub(super) device: Option<Device>,
    /// The error if no sample comes for a while, where that is one.
    pub(super) quiet: Option<SourceError>,
    /// The warning while the first sample does not come, where that is no error.
    pub(super) still: Option<SourceError>,
    /// How a file is played.
    pub(super) player: Option<media::Player>,
}

impl Open {
    /// Start over from the beginning; `false` if it cannot.
    pub(super) fn rewind(&self) -> bool {
        self.with_player(|player, pipeline| player.rewind(pipeline))
    }

    /// Stand still, or go on; `false` if it cannot.
    pub(super) fn pause(&self, pause: bool) -> bool {
        self.with_player(|player, pipeline| player.pause(pipeline, pause))
    }

    /// Go on from here; `false` if it cannot.
    pub(super) fn seek(&self, to: Duration) -> bool {
        self.with_player(|player, pipeline| player.seek(pipeline, to))
    }

    /// Position, and duration where known.
    pub(super) fn place(&self) -> (Duration, Option<Duration>) {
        let Some(pipeline) = &self.pipeline else {
            return Default::default();
        };
        let position = pipeline.query_position::<gst::ClockTime>();
        let duration = pipeline.query_duration::<gst::ClockTime>();
        (
            position.map(Duration::from).unwrap_or_default(),
            duration.map(Duration::from),
        )
    }

    fn with_player(&self, f: impl FnOnce(&media::Player, &Pipeline) -> bool) -> bool {
        match (&self.player, &self.pipeline) {
            (Some(player), Some(pipeline)) => f(player, pipeline),
            (Some(_), None) | (None, _) => false,
        }
    }
}

/// Where samples of one source go.
#[derive(Clone, Default)]
pub(super) struct Places {
    pub(super) video: Option<Pusher>,
    pub(super) audio: Option<Pusher>,
}

/// What opening needs to know of the engine.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) clock: StudioClock,
    pub(crate) watch: Watch,
    pub(crate) settings: EncodeSettings,
    pub(crate) runtime: Handle,
    /// Where pictures that are sent wait for their sources.
    pub(crate) inboxes: Inboxes,
    /// Who hears what viewers do with a picture.
    pub(crate) navigation: Navigation,
    /// Where guests sit.
    pub(crate) seats: Seats,
}

/// One opening of one source.
pub(super) struct Opening {
    pub(super) around: Surroundings,
    pub(super) places: Places,
    pub(super) tell: Tell,
    /// What the source remembers of its device.
    pub(super) memory: Arc<Mutex<Memory>>,
    /// What is to be played, for files and links.
    pub(super) deck: Option<Arc<Mutex<Deck>>>,
    /// Who is to be shown, for guests.
    pub(super) seat: Option<Arc<Seat>>,
}

pub(super) type Tell = mpsc::UnboundedSender<Said>;

/// Open a source. Blocks until it was started.
pub(super) fn open(spec: &Spec, opening: &Opening) -> Result<Open, SourceError> {
    let text = spec.to_string();
    match spec {
        Spec::Video(VideoSpec::Test | VideoSpec::None) => generated::test_card(&text, opening),
        Spec::Audio(AudioSpec::Tone) => generated::tone(&text, opening),
        Spec::Audio(AudioSpec::Silence | AudioSpec::None) => generated::silence(&text, opening),
        Spec::Video(VideoSpec::Camera(name)) | Spec::Audio(AudioSpec::Mic(name)) => {
            device::open(spec.kind(), name.as_deref(), &text, opening)
        }
        Spec::Audio(AudioSpec::Desktop) => device::desktop(&text, opening),
        Spec::Video(VideoSpec::Screen(name)) => screen::open(name.as_deref(), &text, opening),
        Spec::Video(VideoSpec::File(_) | VideoSpec::Link(_))
        | Spec::Audio(AudioSpec::File(_) | AudioSpec::Link(_)) => media::open(&text, opening),
        Spec::Video(VideoSpec::Folder(path)) => frames::folder(path, opening),
        Spec::Video(VideoSpec::Frames(name)) => Ok(frames::sent(name, opening)),
        Spec::Video(VideoSpec::Stdin(format)) => frames::stdin(format, opening),
        Spec::Video(VideoSpec::Guest) | Spec::Audio(AudioSpec::Guest) => match &opening.seat {
            Some(seat) => guest::open(&text, seat, opening),
            None => Err(failed(&text, &"it has no seat")),
        },
    }
}

fn start(pipeline: Pipeline, samples: Arc<AtomicU64>, spec: &str) -> Result<Open, SourceError> {
    pipeline.play().map_err(|e| failed(spec, &e))?;
    Ok(Open {
        pipeline: Some(pipeline),
        samples,
        device: None,
        quiet: None,
        still: None,
        player: None,
        held: Vec::new(),
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
            Notice::Element(..) | Notice::SegmentDone => return,
        };
        let _ = tell.send(said);
    }
}

/// Let the sinks of this bin, which do not wait for the clock, push into the program. Buffers are taken on their way
/// in: an appsink keeps the last one until the next, so that a pool needs one more and each frame is painted into
/// memory that the processor's cache has forgotten.
fn connect(bin: &gst::Bin, opening: &Opening) -> Arc<AtomicU64> {
    let samples = Arc::new(AtomicU64::new(0));
    for (sink, kind, pusher) in ends(bin, &opening.places) {
        sink.set_property("async", false);
        let Some(pad) = sink.static_pad("sink") else {
            continue;
        };
        let (tell, samples) = (opening.tell.clone(), samples.clone());
        let first = AtomicBool::new(true);
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let (Some(buffer), Some(caps), Some(segment)) = (
                info.buffer(),
                pad.current_caps(),
                pad.sticky_event::<gst::event::Segment>(0),
            ) else {
                return gst::PadProbeReturn::Handled;
            };
            let sample = gst::Sample::builder()
                .buffer(buffer)
                .caps(&caps)
                .segment(segment.segment())
                .build();
            let base = pad.parent_element().and_then(|e| e.base_time());
            pusher.push(&sample, base.unwrap_or(gst::ClockTime::ZERO));
            samples.fetch_add(1, Relaxed);
            if first.swap(false, Relaxed) {
                let _ = tell.send(Said::First(kind));
            }
            gst::PadProbeReturn::Handled
        });
    }
    samples
}

/// The sinks of this bin that have a place in the program.
fn ends(bin: &gst::Bin, places: &Places) -> Vec<(gst_app::AppSink, MediaKind, Pusher)> {
    [
        ("video", MediaKind::Video, &places.video),
        ("audio", MediaKind::Audio, &places.audio),
    ]
    .into_iter()
    .filter_map(|(name, kind, pusher)| {
        let sink = bin.by_name(name)?.downcast::<gst_app::AppSink>().ok()?;
        sink.set_property("enable-last-sample", false);
        Some((sink, kind, pusher.clone()?))
    })
    .collect()
}

/// Let the appsinks of this bin push into the program, in this way.
fn connect_into(
    bin: &gst::Bin,
    places: &Places,
    tell: &Tell,
    samples: &Arc<AtomicU64>,
    push: impl Fn(&Pusher, &gst::Sample, gst::ClockTime) + Clone + Send + Sync + 'static,
) {
    for (sink, kind, pusher) in ends(bin, places) {
        // Two samples: what the program does not take at once is out of date.
        sink.set_max_buffers(2);
        sink.set_drop(true);
        let (tell, samples, push) = (tell.clone(), samples.clone(), push.clone());
        let mut first = true;
        sink.set_callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Flushing)?;
                    let base = sink.base_time().unwrap_or(gst::ClockTime::ZERO);
                    push(&pusher, &sample, base);
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
