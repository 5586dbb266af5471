// SPDX-License-Identifier: GPL-3.0-or-later
//! A source's place in the program.
//!
//! ```text
//! picture: appsrc ─▶ videocrop ─▶ compositor
//! sound:   appsrc ─▶ volume ─▶ audiopanorama ─▶ level ─▶ audiomixer
//! ```
//!
//! Beside it, a picture gives a frame for a thumbnail whenever one is asked for, on screen or not.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use gst::prelude::*;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{
    AUDIO_CAPS, LATEST, Levels, SHOW_SLATE_AFTER, StudioClock,
    levels::LevelCells,
    monitor::Monitor,
    scene::{Framing, Strip},
    stage::Stage,
    thumbnail::Tray,
};
use crate::message::{MediaKind, SourceId};

/// A source's place in the program; the place is given up when dropped (not on a streaming thread).
pub struct Input {
    id: SourceId,
    kind: MediaKind,
    appsrc: gst_app::AppSrc,
    /// Everything of this input.
    bin: gst::Bin,
    pad: gst::Pad,
    mixer: gst::Element,
    mixing: gst::Bin,
    stage: Arc<Stage>,
    levels: Arc<LevelCells>,
    clock: StudioClock,
    tap: Tap,
    tray: Arc<Tray>,
    /// Nanoseconds.
    delay: Arc<AtomicU64>,
}

/// Where a sound goes besides the program, while somebody listens to it.
type Tap = Arc<Mutex<Option<gst_app::AppSrc>>>;

/// What an input needs from the program.
pub(super) struct Room<'a> {
    pub(super) mixer: &'a gst::Element,
    pub(super) stage: &'a Arc<Stage>,
    pub(super) clock: &'a StudioClock,
}

/// Name of the `level` element of an input, by which its messages are known.
pub(super) fn level_name(id: SourceId) -> String {
    format!("level-{id}")
}

impl Input {
    /// Make a place for this source. Pictures are not on screen until the stage is arranged.
    pub(super) fn new(id: SourceId, kind: MediaKind, room: &Room) -> Option<Input> {
        let word = match kind {
            MediaKind::Video => "video",
            MediaKind::Audio => "audio",
        };
        let appsrc = gst_app::AppSrc::builder()
            .name(format!("{word}-{id}"))
            .format(gst::Format::Time)
            .is_live(true)
            .leaky_type(gst_app::AppLeakyType::Downstream)
            // Without a limit of its own, a source that gave nothing yet would leave the mixers no time to wait, and
            // then they wait for it for ever.
            .min_latency(0)
            .max_latency(LATEST.nseconds() as i64)
            // Late rather than never: the mixers wait this long for a live source anyway.
            .max_time(Some(LATEST))
            .max_bytes(0)
            .build();
        let strip = match kind {
            MediaKind::Video => "videocrop name=crop".to_string(),
            MediaKind::Audio => format!(
                "capsfilter caps=\"{AUDIO_CAPS}\" ! volume name=gain ! audiopanorama name=pan method=simple \
                 ! level name={} interval=50000000",
                level_name(id)
            ),
        };
        let bin = gst::parse::bin_from_description(&strip, true)
            .inspect_err(|e| tracing::warn!(error = %e, "a source has no place in the program"))
            .ok()?;
        let mixing = room.mixer.parent()?.downcast::<gst::Bin>().ok()?;
        let pad = room.mixer.request_pad_simple("sink_%u")?;
        if kind == MediaKind::Video {
            pad.set_property("max-last-buffer-repeat", SHOW_SLATE_AFTER.nseconds());
            room.stage.add(id, pad.clone(), bin.by_name("crop")?);
        }
        let input = Input {
            id,
            kind,
            appsrc,
            bin,
            pad,
            mixer: room.mixer.clone(),
            mixing,
            stage: room.stage.clone(),
            levels: Arc::default(),
            clock: room.clock.clone(),
            tap: Tap::default(),
            tray: Arc::default(),
            delay: Arc::default(),
        };
        input.mixing.add(&input.appsrc).ok()?;
        input.mixing.add(&input.bin).ok()?;
        input.appsrc.link(&input.bin).ok()?;
        let out = input.bin.static_pad("src")?;
        out.link(&input.pad).ok()?;
        input.bin.sync_state_with_parent().ok()?;
        input.appsrc.sync_state_with_parent().ok()?;
        Some(input)
    }

    /// A handle that puts samples into this place, for the source's streaming thread.
    pub fn pusher(&self) -> Pusher {
        Pusher {
            id: self.id,
            appsrc: self.appsrc.clone(),
            base: self.clock.base(),
            stage: (self.kind == MediaKind::Video).then(|| self.stage.clone()),
            caps: Arc::default(),
            tap: self.tap.clone(),
            tray: self.tray.clone(),
            delay: self.delay.clone(),
        }
    }

    /// Loudness of what this source gives to the mix.
    pub fn levels(&self) -> Levels {
        self.levels.load()
    }

    /// The next frame that comes, as it comes; nothing if another one is asked for before, or the source goes.
    pub fn next_frame(&self) -> oneshot::Receiver<gst::Sample> {
        self.tray.ask()
    }

    pub(super) fn level_cells(&self) -> Arc<LevelCells> {
        self.levels.clone()
    }

    /// Fit the picture to its place in this way.
    pub fn set_framing(&self, framing: Framing) {
        self.stage.frame_as(self.id, framing);
    }

    /// Let the last picture stay however long nothing new comes (a paused film), or not.
    pub fn hold(&self, on: bool) {
        if self.kind == MediaKind::Video {
            let repeat = if on {
                u64::MAX
            } else {
                SHOW_SLATE_AFTER.nseconds()
            };
            self.pad.set_property("max-last-buffer-repeat", repeat);
        } else if on {
            self.levels.silence();
        }
    }

    /// Mix the sound in this way. May block: a loudspeaker is opened or closed.
    pub fn set_strip(&self, strip: Strip, monitor: &mut Listening) {
        if self.kind != MediaKind::Audio {
            return;
        }
        if let (Some(gain), Some(pan)) = (self.bin.by_name("gain"), self.bin.by_name("pan")) {
            gain.set_property("volume", strip.volume());
            pan.set_property("panorama", strip.pan);
        }
        let delay = gst::ClockTime::from_mseconds(u64::from(strip.delay_ms));
        self.appsrc.set_max_time(Some(LATEST + delay));
        self.delay.store(delay.nseconds(), Relaxed);
        match (strip.solo, monitor.0.is_some()) {
            (true, false) => {
                monitor.0 = Monitor::start(&self.clock);
                *self.tap.lock() = monitor.0.as_ref().map(|m| m.appsrc.clone());
            }
            (false, true) => {
                *self.tap.lock() = None;
                monitor.0 = None;
            }
            (true, true) | (false, false) => (),
        }
    }
}

/// Whether somebody listens to a sound; owned by whoever may block.
#[derive(Default)]
pub struct Listening(Option<Monitor>);

/// Puts samples into the program.
#[derive(Clone)]
pub struct Pusher {
    id: SourceId,
    appsrc: gst_app::AppSrc,
    base: gst::ClockTime,
    /// For pictures: who wants to know their size.
    stage: Option<Arc<Stage>>,
    /// The last ones, to see when they change.
    caps: Arc<Mutex<Option<gst::Caps>>>,
    tap: Tap,
    tray: Arc<Tray>,
    delay: Arc<AtomicU64>,
}

impl Pusher {
    /// Hand a sample to the program. `source_base` is the base time of the pipeline it comes from (plus whatever
    /// latency that pipeline has): times are moved to the program's. Never waits.
    pub fn push(&self, sample: &gst::Sample, source_base: gst::ClockTime) {
        let (Some(buffer), Some(segment), Some(caps)) =
            (sample.buffer(), sample.segment(), sample.caps())
        else {
            return;
        };
        let Some(time) = segment
            .downcast_ref::<gst::ClockTime>()
            .and_then(|s| s.to_running_time(buffer.pts()))
        else {
            return;
        };
        let time = (time + source_base).saturating_sub(self.base);
        if buffer.pts() == Some(time) && self.delay.load(Relaxed) == 0 {
            // A source on the program's own clock and base: nothing to change. A buffer that is not copied goes back
            // to its pool, where the next frame finds it warm.
            self.note(caps);
            return self.hand_over(sample);
        }
        if let (Some(buffer), Some(caps)) = (sample.buffer_owned(), sample.caps_owned()) {
            self.push_at(buffer, &caps, time);
        }
    }

    fn hand_over(&self, sample: &gst::Sample) {
        if let Some(listener) = self.tap.lock().as_ref() {
            let _ = listener.push_sample(sample);
        }
        self.tray.offer(sample);
        // Flushing while the place is being given up: nothing to do about it.
        let _ = self.appsrc.push_sample(sample);
    }

    /// Hand a buffer to the program, to be seen or heard at this time of the program. Never waits.
    pub fn push_at(&self, mut buffer: gst::Buffer, caps: &gst::Caps, time: gst::ClockTime) {
        self.note(caps);
        {
            // Only the metadata is copied; the picture stays where it is.
            let buffer = buffer.make_mut();
            buffer.set_pts(time + gst::ClockTime::from_nseconds(self.delay.load(Relaxed)));
            buffer.set_dts(gst::ClockTime::NONE);
        }
        let sample = gst::Sample::builder().buffer(&buffer).caps(caps).build();
        self.hand_over(&sample);
    }

    /// The source that it is of.
    pub fn id(&self) -> SourceId {
        self.id
    }

    /// Time in the program now, for sources that have no clock of their own.
    pub fn base(&self) -> gst::ClockTime {
        self.base
    }

    fn note(&self, caps: &gst::CapsRef) {
        let Some(stage) = &self.stage else { return };
        let mut last = self.caps.lock();
        let same = |l: &gst::Caps| std::ptr::eq(l.as_ref(), caps) || l.as_ref() == caps;
        if last.as_ref().is_some_and(same) {
            return;
        }
        let caps = caps.to_owned();
        if let Ok(info) = gst_video::VideoInfo::from_caps(&caps) {
            let par = info.par();
            let aspect = f64::from(par.numer()) / f64::from(par.denom().max(1));
            stage.resized(self.id, info.width(), info.height(), aspect);
        }
        *last = Some(caps);
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.stage.remove(self.id);
        *self.tap.lock() = None;
        // Unblocks the streaming thread if it waits in the mixer.
        self.pad.send_event(gst::event::FlushStart::new());
        let _ = self.appsrc.set_state(gst::State::Null);
        let _ = self.bin.set_state(gst::State::Null);
        if let Some(out) = self.bin.static_pad("src") {
            let _ = out.unlink(&self.pad);
        }
        self.mixer.release_request_pad(&self.pad);
        let _ = self.mixing.remove(&self.appsrc);
        let _ = self.mixing.remove(&self.bin);
    }
}
