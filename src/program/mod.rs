// SPDX-License-Identifier: GPL-3.0-or-later
//! The program: the mix that goes on air.
//!
//! It runs from the start of the engine to its end and never stops for a source: below all sources lie the slate
//! and silence.
//!
//! ```text
//! slate (one frame, repeated) ─▶┐
//! appsrc "video-1" ────────────▶├ compositor ─▶ caps ─▶ appsink "program-video"
//! appsrc "video-2" ────────────▶┘
//! silence ─────────────────────▶┐
//! appsrc "audio-3" ────────────▶├ audiomixer ─▶ caps ─▶ level ─▶ appsink "program-audio"
//! ```

mod layout;
mod pipeline;
mod preview;

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

use gst::prelude::*;
use gst_utils::{StreamProducer, streamproducer::ProducerSettings};
use parking_lot::Mutex;
use tokio::sync::watch;

pub use layout::{Tile, tiles};
pub use pipeline::{Notice, Pipeline, PipelineError, StudioClock};
pub use preview::Preview;
pub(crate) use preview::PreviewPipeline;

use crate::{
    encode::{EncodeSettings, Tracks},
    error::StudioError,
    message::MediaKind,
};

/// Sound in the program: 48 kHz stereo, 16 bits.
const AUDIO_CAPS: &str = "audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=2";
/// After this time without a frame, the slate shows instead of a source's last picture.
const SHOW_SLATE_AFTER: gst::ClockTime = gst::ClockTime::from_mseconds(1500);
/// How long the mixers wait for a source that is a little late, beyond their own frame.
const VIDEO_PATIENCE: gst::ClockTime = gst::ClockTime::from_mseconds(20);
const AUDIO_PATIENCE: gst::ClockTime = gst::ClockTime::from_mseconds(40);

/// What a live source may be late.
const LATEST: gst::ClockTime = gst::ClockTime::from_mseconds(200);

/// Loudness of the program over the last 50 ms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    /// Highest sample of left and right in dBFS; -100 is silence.
    pub peak_db: [f32; 2],
    /// Mean level of left and right in dBFS; -100 is silence.
    pub rms_db: [f32; 2],
}

const SILENCE_DB: f32 = -100.0;

#[derive(Debug)]
struct LevelCells([AtomicU32; 4]);

impl LevelCells {
    fn store(&self, message: &gst::StructureRef) {
        for (i, field) in ["peak", "rms"].into_iter().enumerate() {
            let Ok(values) = message.get::<gst::glib::ValueArray>(field) else {
                continue;
            };
            for channel in 0..2 {
                // A mono level counts for both sides.
                let value = values.get(channel).or(values.first());
                let db = value.and_then(|v| v.get::<f64>().ok()).unwrap_or(-100.0) as f32;
                self.0[i * 2 + channel].store(db.clamp(SILENCE_DB, 20.0).to_bits(), Relaxed);
            }
        }
    }
}

/// The running program.
pub struct Program {
    pipeline: Pipeline,
    out: ProgramOut,
    compositor: Option<gst::Element>,
    audiomixer: Option<gst::Element>,
    size: (u32, u32),
    levels: Arc<LevelCells>,
    running: watch::Receiver<bool>,
    inputs: AtomicU64,
    /// Inputs of the picture in their order on screen.
    order: Arc<Mutex<Vec<(u64, gst::Pad)>>>,
}

/// What comes out of the program; cheap to clone.
#[derive(Debug, Clone)]
pub struct ProgramOut {
    clock: StudioClock,
    video: Option<StreamProducer>,
    audio: Option<StreamProducer>,
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
        let silence = || AtomicU32::new(SILENCE_DB.to_bits());
        let levels = Arc::new(LevelCells([silence(), silence(), silence(), silence()]));
        let pipeline = clock.watched("program", {
            let levels = levels.clone();
            move |notice| match notice {
                Notice::Error(e) => failed(StudioError::Program(e.to_string())),
                Notice::Element(s) if s.name() == "level" => levels.store(&s),
                Notice::Element(_) | Notice::Eos => (),
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
                 ! appsink name=program-video",
                VIDEO_PATIENCE.nseconds()
            ));
        }
        if tracks.audio {
            chains.push(format!(
                "audiotestsrc name=silence wave=silence is-live=true samplesperbuffer=960 ! {AUDIO_CAPS} \
                 ! audio.sink_0 \
                 audiomixer name=audio output-buffer-duration=20000000 latency={} \
                 ! {AUDIO_CAPS} ! level interval=50000000 ! appsink name=program-audio",
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
        let out = ProgramOut {
            clock,
            video: producer("program-video"),
            audio: producer("program-audio"),
        };
        let program = Program {
            compositor: mixing.by_name("mixer"),
            audiomixer: mixing.by_name("audio"),
            pipeline,
            out,
            size: (settings.width, settings.height),
            levels,
            running,
            inputs: AtomicU64::new(1),
            order: Arc::default(),
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
        let cell = |i: usize| f32::from_bits(self.levels.0[i].load(Relaxed));
        Levels {
            peak_db: [cell(0), cell(1)],
            rms_db: [cell(2), cell(3)],
        }
    }

    /// Make room for a source. `None` if the program has no such track. The source's picture is shown as soon as it
    /// is pushed; all pictures are tiled anew.
    pub fn input(&self, kind: MediaKind) -> Option<Input> {
        let (mixer, word) = match kind {
            MediaKind::Video => (self.compositor.as_ref()?, "video"),
            MediaKind::Audio => (self.audiomixer.as_ref()?, "audio"),
        };
        let number = self.inputs.fetch_add(1, Relaxed);
        let appsrc = gst_app::AppSrc::builder()
            .name(format!("{word}-{number}"))
            .format(gst::Format::Time)
            .is_live(true)
            .leaky_type(gst_app::AppLeakyType::Downstream)
            // Without a limit of its own, a source that gave nothing yet would leave the mixers no time to wait, and then
            // they wait for it for ever.
            .min_latency(0)
            .max_latency(LATEST.nseconds() as i64)
            // Late rather than never: the mixers wait this long for a live source anyway.
            .max_time(Some(LATEST))
            .max_bytes(0)
            .build();
        let pad = mixer.request_pad_simple("sink_%u")?;
        match kind {
            MediaKind::Video => {
                pad.set_property("max-last-buffer-repeat", SHOW_SLATE_AFTER.nseconds());
                pad.set_property_from_str("sizing-policy", "keep-aspect-ratio");
                pad.set_property("zorder", number as u32);
                self.order.lock().push((number, pad.clone()));
                arrange(&self.order.lock(), self.size);
            }
            MediaKind::Audio => (),
        }
        let bin = mixer.parent()?.downcast::<gst::Bin>().ok()?;
        let input = Input {
            number,
            appsrc,
            pad,
            mixer: mixer.clone(),
            bin,
            base: self.out.clock.base(),
            order: self.order.clone(),
            size: self.size,
        };
        input.bin.add(&input.appsrc).ok()?;
        input.appsrc.static_pad("src")?.link(&input.pad).ok()?;
        input.appsrc.sync_state_with_parent().ok()?;
        Some(input)
    }
}

fn arrange(order: &[(u64, gst::Pad)], (width, height): (u32, u32)) {
    for ((_, pad), tile) in order.iter().zip(tiles(order.len(), width, height)) {
        pad.set_property("xpos", tile.x);
        pad.set_property("ypos", tile.y);
        pad.set_property("width", tile.width);
        pad.set_property("height", tile.height);
    }
}

/// A source's place in the program; the place is given up when dropped (not on a streaming thread).
pub struct Input {
    number: u64,
    appsrc: gst_app::AppSrc,
    pad: gst::Pad,
    mixer: gst::Element,
    bin: gst::Bin,
    base: gst::ClockTime,
    order: Arc<Mutex<Vec<(u64, gst::Pad)>>>,
    size: (u32, u32),
}

impl Input {
    /// A handle that puts samples into this place, for the source's streaming thread.
    pub fn pusher(&self) -> Pusher {
        Pusher {
            appsrc: self.appsrc.clone(),
            base: self.base,
        }
    }
}

/// Puts samples into the program.
#[derive(Clone)]
pub struct Pusher {
    appsrc: gst_app::AppSrc,
    base: gst::ClockTime,
}

impl Pusher {
    /// Hand a sample to the program. `source_base` is the base time of the pipeline it comes from: times are moved
    /// to the program's. Never waits.
    pub fn push(&self, sample: &gst::Sample, source_base: gst::ClockTime) {
        let (Some(buffer), Some(segment)) = (sample.buffer_owned(), sample.segment()) else {
            return;
        };
        let Some(time) = segment
            .downcast_ref::<gst::ClockTime>()
            .and_then(|s| s.to_running_time(buffer.pts()))
        else {
            return;
        };
        let mut buffer = buffer;
        {
            // Only the metadata is copied; the picture stays where it is.
            let buffer = buffer.make_mut();
            buffer.set_pts((time + source_base).saturating_sub(self.base));
            buffer.set_dts(gst::ClockTime::NONE);
        }
        let Some(caps) = sample.caps_owned() else {
            return;
        };
        let sample = gst::Sample::builder().buffer(&buffer).caps(&caps).build();
        // Flushing while the place is being given up: nothing to do about it.
        let _ = self.appsrc.push_sample(&sample);
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        {
            let mut order = self.order.lock();
            order.retain(|(number, _)| *number != self.number);
            arrange(&order, self.size);
        }
        // Unblocks the streaming thread if it waits in the mixer.
        self.pad.send_event(gst::event::FlushStart::new());
        let _ = self.appsrc.set_state(gst::State::Null);
        if let Some(src) = self.appsrc.static_pad("src") {
            let _ = src.unlink(&self.pad);
        }
        self.mixer.release_request_pad(&self.pad);
        let _ = self.bin.remove(&self.appsrc);
    }
}
