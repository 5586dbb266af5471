// SPDX-License-Identifier: GPL-3.0-or-later
//! The program: the mix that goes on air.
//!
//! It runs from the start of the engine to its end and never stops for a source: below all sources lie the slate
//! and silence.
//!
//! ```text
//! slate (one frame, repeated) ─▶┐
//! appsrc "video-1" ─▶ videocrop ▶├ compositor ─▶ logo ─▶ text ─▶ appsink "program-video"
//! appsrc "video-2" ─▶ videocrop ▶┘
//! silence ─────────────────────▶┐
//! appsrc "audio-3" ─▶ strip ───▶├ audiomixer ─▶ level ─▶ appsink "program-audio"
//! ```
//!
//! What is seen is said in plain values ([`scene`]); the stage turns them into numbers of the compositor.

mod input;
mod layout;
mod levels;
mod monitor;
mod overlay;
mod pipeline;
mod preview;
pub mod scene;
mod stage;
mod thumbnail;

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use gst::prelude::*;
use gst_utils::{StreamProducer, streamproducer::ProducerSettings};
use parking_lot::Mutex;
use tokio::sync::watch;

pub use input::{Input, Listening, Pusher};
pub use layout::{Tile, places, tiles};
pub use levels::Levels;
pub use pipeline::{Notice, Pipeline, PipelineError, StudioClock};
pub use preview::Preview;
pub(crate) use preview::PreviewPipeline;

use crate::{
    encode::{EncodeSettings, Tracks},
    error::StudioError,
    message::{MediaKind, SourceId},
};
use levels::LevelCells;
use overlay::Overlay;
use scene::{LayoutKind, Overlays, Transition};
pub use stage::Spot;
use stage::Stage;
pub use thumbnail::Thumbnail;

/// Sound in the program: 48 kHz stereo, 16 bits.
const AUDIO_CAPS: &str = "audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=2";
/// After this time without a frame, the slate shows instead of a source's last picture.
const SHOW_SLATE_AFTER: gst::ClockTime = gst::ClockTime::from_mseconds(800);
/// How long the mixers wait for a source that is a little late, beyond their own frame.
const VIDEO_PATIENCE: gst::ClockTime = gst::ClockTime::from_mseconds(20);
const AUDIO_PATIENCE: gst::ClockTime = gst::ClockTime::from_mseconds(40);

/// What a live source may be late.
const LATEST: gst::ClockTime = gst::ClockTime::from_mseconds(200);

/// The running program.
pub struct Program {
    pipeline: Pipeline,
    out: ProgramOut,
    compositor: Option<gst::Element>,
    audiomixer: Option<gst::Element>,
    stage: Arc<Stage>,
    overlay: Option<Overlay>,
    levels: Arc<LevelCells>,
    /// Where the loudness of each sound is kept, by the name of its `level` element.
    source_levels: SourceLevels,
    running: watch::Receiver<bool>,
}

type SourceLevels = Arc<Mutex<HashMap<String, Weak<LevelCells>>>>;

/// What comes out of the program; cheap to clone.
#[derive(Debug, Clone)]
pub struct ProgramOut {
    clock: StudioClock,
    video: Option<StreamProducer>,
    audio: Option<StreamProducer>,
    stage: Arc<Stage>,
}

impl ProgramOut {
    /// Clock of the program.
    pub fn clock(&self) -> &StudioClock {
        &self.clock
    }
    /// Raw pictures, if the program has any.
    pub fn video(&self) -> Option<&StreamProducer> {
        self.video.as_ref()
    }
    /// Raw sound, if the program has any.
    pub fn audio(&self) -> Option<&StreamProducer> {
        self.audio.as_ref()
    }
    /// Width and height of the picture.
    pub fn size(&self) -> (u32, u32) {
        self.stage.size()
    }
    /// The topmost picture at this point (shares of the program's width and height), and the point in it.
    pub fn at(&self, point: (f64, f64)) -> Option<Spot> {
        self.stage.at(point)
    }
    /// The same for the picture of this source, whatever lies over it and even if the point lies outside of it. `None`
    /// if it is not on screen.
    pub fn within(&self, id: SourceId, point: (f64, f64)) -> Option<Spot> {
        self.stage.within(id, point)
    }
    /// What the program has.
    pub fn tracks(&self) -> Tracks {
        Tracks {
            video: self.video.is_some(),
            audio: self.audio.is_some(),
        }
    }
}

impl Program {
    /// Build and start a program of this size and rate, with these tracks; `failed` hears if it ever breaks.
    pub fn start(
        settings: &EncodeSettings,
        tracks: Tracks,
        failed: impl Fn(StudioError) + Send + Sync + 'static,
    ) -> Result<Program, StudioError> {
        let broken = |e: &dyn std::fmt::Display| StudioError::Program(e.to_string());
        let clock = StudioClock::start();
        let levels = Arc::new(LevelCells::default());
        let source_levels = SourceLevels::default();
        let pipeline = clock.watched("program", {
            let (levels, sources) = (levels.clone(), source_levels.clone());
            move |notice| match notice {
                Notice::Error(e) => failed(StudioError::Program(e.to_string())),
                Notice::Element(from, said) if said.name() == "level" => {
                    match from.strip_prefix("level-") {
                        Some("program") => levels.store(&said),
                        _ => {
                            let cells = sources.lock().get(&from).and_then(Weak::upgrade);
                            cells.iter().for_each(|cells| cells.store(&said));
                        }
                    }
                }
                Notice::Element(..) | Notice::Eos | Notice::SegmentDone => (),
            }
        });
        // No `ignore-inactive-pads`: with it, GStreamer 1.22 may send EOS before the first frame.
        let mut chains = Vec::new();
        if tracks.video {
            let caps = format!(
                "video/x-raw,format=I420,width={},height={},framerate={}/1,pixel-aspect-ratio=1/1,\
                 colorimetry=bt709,interlace-mode=progressive",
                settings.width, settings.height, settings.fps
            );
            chains.push(format!(
                "videotestsrc name=slate num-buffers=1 pattern=solid-color foreground-color=0xff242424 ! {caps} \
                 ! imagefreeze is-live=true ! {caps} ! mixer.sink_0 \
                 compositor name=mixer background=black latency={} ! {caps} \
                 {} ! appsink name=program-video",
                VIDEO_PATIENCE.nseconds(),
                overlay::launch()
            ));
        }
        if tracks.audio {
            chains.push(format!(
                "audiotestsrc name=silence wave=silence is-live=true samplesperbuffer=960 ! {AUDIO_CAPS} \
                 ! audio.sink_0 \
                 audiomixer name=audio output-buffer-duration=20000000 latency={} \
                 ! {AUDIO_CAPS} ! level name=level-program interval=50000000 ! appsink name=program-audio",
                AUDIO_PATIENCE.nseconds()
            ));
        }
        let mixing =
            gst::parse::bin_from_description(&chains.join(" "), false).map_err(|e| broken(&e))?;
        pipeline.add(&mixing).map_err(|e| broken(&e))?;
        let (tell_running, running) = watch::channel(false);
        let producer = |name: &str| {
            let sink = mixing.by_name(name)?.downcast::<gst_app::AppSink>().ok()?;
            // Nothing here waits for the clock: the mixers already run at its pace.
            sink.set_property("async", false);
            // A kept picture is one more that goes round through the processor's cache.
            sink.set_property("enable-last-sample", false);
            let tell = tell_running.clone();
            sink.static_pad("sink")?
                .add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                    tell.send_replace(true);
                    gst::PadProbeReturn::Remove
                });
            Some(StreamProducer::with(
                &sink,
                ProducerSettings { sync: false },
            ))
        };
        let stage = Arc::new(Stage::new((settings.width, settings.height)));
        let out = ProgramOut {
            clock,
            video: producer("program-video"),
            audio: producer("program-audio"),
            stage: stage.clone(),
        };
        let compositor = mixing.by_name("mixer");
        if let Some(out) = compositor.as_ref().and_then(|c| c.static_pad("src")) {
            let stage = stage.clone();
            out.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                stage.frame(info.buffer().and_then(|b| b.pts()));
                gst::PadProbeReturn::Ok
            });
        }
        let program = Program {
            compositor,
            audiomixer: mixing.by_name("audio"),
            pipeline,
            out,
            stage,
            overlay: Overlay::find(&mixing, (settings.width, settings.height)),
            levels,
            source_levels,
            running,
        };
        program.pipeline.play().map_err(|e| broken(&e))?;
        Ok(program)
    }

    /// What comes out.
    pub fn out(&self) -> &ProgramOut {
        &self.out
    }

    /// True once something came out.
    pub fn running(&self) -> watch::Receiver<bool> {
        self.running.clone()
    }

    /// Loudness now.
    pub fn levels(&self) -> Levels {
        self.levels.load()
    }

    /// Make a place for a source. `None` if the program has no such track, or something is not installed. A picture is
    /// open but not on screen until it is part of an arrangement.
    pub fn input(&self, id: SourceId, kind: MediaKind) -> Option<Input> {
        let mixer = match kind {
            MediaKind::Video => self.compositor.as_ref()?,
            MediaKind::Audio => self.audiomixer.as_ref()?,
        };
        let room = input::Room {
            mixer,
            stage: &self.stage,
            clock: &self.out.clock,
        };
        let input = Input::new(id, kind, &room)?;
        if kind == MediaKind::Audio {
            let mut cells = self.source_levels.lock();
            cells.retain(|_, cells| cells.strong_count() > 0);
            cells.insert(input::level_name(id), Arc::downgrade(&input.level_cells()));
        }
        Some(input)
    }

    /// Show these pictures, in this way. Works while live: no encoder notices.
    pub fn arrange(&self, kind: LayoutKind, shown: &[SourceId], how: Transition) {
        self.stage.arrange(kind, shown.to_vec(), how);
    }

    /// Put text and logo over the pictures.
    pub fn overlay(&self, overlays: &Overlays) -> Result<(), StudioError> {
        match &self.overlay {
            Some(overlay) => overlay.show(overlays),
            None if *overlays == Overlays::default() => Ok(()),
            None => Err(StudioError::NoOverlay),
        }
    }
}
