// SPDX-License-Identifier: GPL-3.0-or-later
//! One encoder in a pipeline of its own.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use gst::prelude::*;
use gst_utils::ConsumptionLink;
use parking_lot::Mutex;

use super::{
    Codec, EncodeSettings, Encoder, Fill, Packet, PacketStream, RungId, Size, Track,
    encoder_threads,
};
use crate::{
    message::MediaKind,
    program::{Pipeline, ProgramOut},
};

/// Three frames: an encoder that lags by more than this drops raw frames rather than delaying everybody.
const RAW_VIDEO_QUEUE: u64 = 3;
/// 25 blocks of 20 ms of sound: a late block is heard, so allow half a second.
const RAW_AUDIO_QUEUE: u64 = 25;

/// Between two key frames that were asked for; what each row of the codec table sets.
pub(super) const KEY_LIMIT: gst::ClockTime = gst::ClockTime::from_mseconds(500);
/// Between the first key frame of encoders that begin together and the second: who waits for a whole segment is not to
/// wait long.
pub(super) const FIRST_KEYS: gst::ClockTime = gst::ClockTime::from_mseconds(250);
/// The property that limits key frames.
const LIMIT: &str = "min-force-key-unit-interval";
/// Longest time between two whole pictures of the GIF.
const GIF_KEY_INTERVAL: Duration = Duration::from_secs(10);
/// Of the program's sound.
const SAMPLE_RATE: u64 = 48_000;

/// What a rung did so far; goes on over restarts of the encoder.
#[derive(Debug, Default)]
pub(super) struct RungCounters {
    packets: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
}

impl RungCounters {
    pub(super) fn packets(&self) -> u64 {
        self.packets.load(Relaxed)
    }
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
}

/// When the last key frame was.
#[derive(Debug, Clone)]
struct LastKey(Arc<AtomicU64>);

impl Default for LastKey {
    fn default() -> Self {
        LastKey(Arc::new(AtomicU64::new(u64::MAX)))
    }
}

impl LastKey {
    fn set(&self, time: gst::ClockTime) {
        self.0.store(time.nseconds(), Relaxed);
    }
    fn get(&self) -> Option<gst::ClockTime> {
        let time = self.0.load(Relaxed);
        (time != u64::MAX).then(|| gst::ClockTime::from_nseconds(time))
    }
}

/// What a rung says; it is said on streaming threads.
#[derive(Debug)]
pub(super) enum RungNews {
    /// The last key frame is longer ago than it should be.
    KeyFrameOverdue,
    /// The encoder stopped; GStreamer's words.
    Failed(String),
}

/// The time from which frames are let in; before it is set, none are.
pub(super) type Gate = Arc<OnceLock<gst::ClockTime>>;

/// Times for which key frames are planned.
type Planned = Arc<Mutex<BTreeSet<gst::ClockTime>>>;

/// A running encoder; ends when dropped.
pub(super) struct Rung {
    // Order of fields is order of ending: first no more raw frames, then the pipeline.
    link: ConsumptionLink,
    pipeline: Pipeline,
    element: gst::Element,
    encoder: &'static Encoder,
    dropped_before: u64,
    counters: Arc<RungCounters>,
    /// When the last key frame was, and when the next one is to be that was asked for ahead.
    last_key: LastKey,
    planned: Planned,
}

impl Rung {
    /// ```text
    /// program ─raw─▶ appsrc "raw" (─▶ scaler) ─▶ encoder (─▶ parser) ─▶ appsink "packets" ─▶ stream
    /// ```
    pub(super) fn start(
        program: &ProgramOut,
        id: RungId,
        encoder: &'static Encoder,
        settings: &EncodeSettings,
        (stream, counters): (Arc<PacketStream>, Arc<RungCounters>),
        gate: Option<Gate>,
        tell: impl Fn(RungNews) + Clone + Send + Sync + 'static,
    ) -> Result<Rung, String> {
        let key_interval = match id.size {
            Size::Full | Size::Low => settings.key_interval,
            // A whole picture is large, and who joins asks for one.
            Size::Gif => GIF_KEY_INTERVAL,
        };
        let gop = (key_interval.as_secs_f64() * f64::from(fps(id, settings))).round() as u32;
        let fill = Fill {
            bitrate: settings.bitrate(id),
            gop: gop.max(1),
            threads: encoder_threads(),
            stills: settings.stills.within(settings.fps),
        };
        let codec = id.codec;
        let chain = format!("{}{}", scaler(id, settings), encoder.launch(codec, fill));
        let coder = gst::parse::bin_from_description(&chain, true).map_err(|e| e.to_string())?;
        let element = coder
            .by_name("encoder")
            .ok_or("the codec's row names no encoder")?;
        let raw = gst_app::AppSrc::builder().name("raw").build();
        let planned = Planned::default();
        if codec.media == MediaKind::Video {
            attend(&raw, &element, gate, planned.clone());
        }
        let packets = gst_app::AppSink::builder()
            .name("packets")
            .enable_last_sample(false)
            .sync(false)
            .async_(false)
            .build();
        let overdue = {
            let tell = tell.clone();
            move || tell(RungNews::KeyFrameOverdue)
        };
        let overdue = (key_interval, overdue);
        let silence = gst::ClockTime::SECOND.mul_div_floor(encoder.silence(), SAMPLE_RATE);
        let last_key = LastKey::default();
        packets.set_callbacks(publisher(
            codec,
            stream,
            (counters.clone(), last_key.clone()),
            overdue,
            silence.unwrap_or_default(),
        ));

        let pipeline = program
            .clock()
            .pipeline(&format!("rung-{}-{}", codec.name, id.word()), move |e| {
                tell(RungNews::Failed(e.to_string()))
            });
        let parts = [
            raw.upcast_ref(),
            coder.upcast_ref(),
            packets.upcast_ref::<gst::Element>(),
        ];
        pipeline
            .add_many(parts)
            .and_then(|()| gst::Element::link_many(parts))
            .map_err(|e| e.to_string())?;
        let (producer, queue) = match codec.media {
            MediaKind::Video => (program.video(), RAW_VIDEO_QUEUE),
            MediaKind::Audio => (program.audio(), RAW_AUDIO_QUEUE),
        };
        let link = producer
            .ok_or("the program has no such track")?
            .add_consumer_with(
                &raw,
                gst_utils::streamproducer::ConsumerSettings {
                    max_buffer: queue,
                    max_bytes: gst::format::Bytes::ZERO,
                    max_time: gst::ClockTime::ZERO,
                },
            )
            .map_err(|e| e.to_string())?;
        pipeline.play().map_err(|e| e.to_string())?;
        let dropped_before = counters.dropped();
        Ok(Rung {
            link,
            pipeline,
            element,
            encoder,
            dropped_before,
            counters,
            last_key,
            planned,
        })
    }

    /// Change the bitrate while running.
    pub(super) fn set_bitrate(&self, bitrate: u64) {
        // Those that cannot change it take the new one when they are next started.
        if let Some((property, unit)) = self.encoder.bitrate {
            let value = (bitrate / unit).max(1);
            self.element
                .set_property_from_str(property, &value.to_string());
        }
    }

    /// Make the next frame a key frame, unless one was made within the encoder's limit. `now` is the time in the program.
    pub(super) fn force_key_frame(&self, now: gst::ClockTime) {
        // One that is to come within the limit anyway would come late if there were another before it.
        let soon = now + KEY_LIMIT + KEY_LIMIT / 5;
        if !self.planned.lock().iter().any(|at| *at <= soon) {
            force(&self.element);
        }
    }

    /// Make the first frame from this time on a key frame.
    pub(super) fn plan_key_frame(&self, at: gst::ClockTime) {
        self.planned.lock().insert(at);
    }

    /// The earliest time for which a key frame can be planned.
    pub(super) fn next_key(&self) -> gst::ClockTime {
        self.last_key
            .get()
            .map_or(gst::ClockTime::ZERO, |t| t + KEY_LIMIT)
    }

    /// The element, and how many encoders are in this pipeline by their class, counted anew each time.
    pub(super) fn encoder_elements(&self) -> (&'static str, usize) {
        self.counters
            .dropped
            .store(self.dropped_before + self.link.dropped(), Relaxed);
        (
            self.encoder.element,
            self.pipeline.count_elements("Encoder"),
        )
    }
}

/// No two key frames that are asked for are closer than this.
fn limit_keys(encoder: &gst::Element, limit: gst::ClockTime) {
    if encoder.has_property(LIMIT) {
        encoder.set_property(LIMIT, limit.nseconds());
    }
}

/// Let no frame in before the gate's time: encoders behind the same gate begin with the same frame. Ask for a key frame
/// with the frame for which one is planned: what is asked for ahead is lost in encoders that count time from elsewhere.
fn attend(raw: &gst_app::AppSrc, encoder: &gst::Element, gate: Option<Gate>, planned: Planned) {
    let pad = raw.static_pad("src").expect("an appsrc has a source pad");
    let encoder = encoder.downgrade();
    // Set while the limit is lifted for the frame before.
    let lifted = AtomicBool::new(false);
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let segment = pad.sticky_event::<gst::event::Segment>(0);
        let segment = segment.as_ref().map(|event| event.segment());
        let segment = segment.and_then(|s| s.downcast_ref::<gst::ClockTime>());
        let time = info
            .buffer()
            .and_then(|b| segment?.to_running_time(b.pts()));
        let from = gate.as_ref().map(|gate| gate.get());
        match (from, time) {
            (None, Some(time)) => due(&encoder, &planned, &lifted, time),
            (Some(Some(from)), Some(time)) if time >= *from => {
                due(&encoder, &planned, &lifted, time);
            }
            (None, None) => (),
            (Some(_), _) => return gst::PadProbeReturn::Handled,
        }
        gst::PadProbeReturn::Ok
    });
}

/// A planned key frame is made whatever was made before it: others are made for the same time elsewhere.
fn due(
    encoder: &gst::glib::WeakRef<gst::Element>,
    planned: &Planned,
    lifted: &AtomicBool,
    time: gst::ClockTime,
) {
    let mut planned = planned.lock();
    let before = planned.len();
    planned.retain(|at| *at > time);
    let due = planned.len() < before;
    drop(planned);
    if !due && !lifted.load(Relaxed) {
        return;
    }
    if let Some(encoder) = encoder.upgrade() {
        // The frame goes from here to the encoder in this thread, so the limit is there again for the next one.
        lifted.store(due, Relaxed);
        if due {
            limit_keys(&encoder, gst::ClockTime::ZERO);
            force(&encoder);
        } else {
            limit_keys(&encoder, KEY_LIMIT);
        }
    }
}

fn force(encoder: &gst::Element) {
    let event = gst_video::UpstreamForceKeyUnitEvent::builder()
        .all_headers(true)
        .build();
    if let Some(pad) = encoder.static_pad("src") {
        pad.send_event(event);
    }
}

/// Pictures per second of a rung.
fn fps(id: RungId, settings: &EncodeSettings) -> u32 {
    match id.size {
        Size::Full | Size::Low => settings.fps,
        Size::Gif => settings.stills.within(settings.fps).gif_fps,
    }
}

/// What makes the picture smaller for a rung that is not of the program's size.
fn scaler(id: RungId, settings: &EncodeSettings) -> String {
    if id.codec.media == MediaKind::Audio || id.size == Size::Full {
        return String::new();
    }
    let (width, height) = settings.size(id);
    let scale =
        format!("videoscale ! video/x-raw,width={width},height={height},pixel-aspect-ratio=1/1 ! ");
    let fps = fps(id, settings);
    match fps < settings.fps {
        // First fewer, then smaller.
        true => format!(
            "videorate drop-only=true skip-to-first=true ! video/x-raw,framerate={fps}/1 ! {scale}"
        ),
        false => scale,
    }
}

/// Turns each sample into a packet without copying it, and sees to it that key frames come in time: encoders count
/// frames, so on a busy computer, where frames are dropped, theirs would come late.
fn publisher(
    codec: &'static Codec,
    stream: Arc<PacketStream>,
    (counters, last_key): (Arc<RungCounters>, LastKey),
    (key_interval, key_overdue): (Duration, impl Fn() + Send + 'static),
    silence: gst::ClockTime,
) -> gst_app::AppSinkCallbacks {
    let mut caps: Option<gst::Caps> = None;
    let mut key_due: Option<gst::ClockTime> = None;
    let key_interval = gst::ClockTime::from_nseconds(key_interval.as_nanos() as u64);
    gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Flushing)?;
            if caps.as_deref() != sample.caps()
                && let Some(new) = sample.caps_owned()
            {
                stream.set_head(Track {
                    codec,
                    caps: new.clone(),
                });
                caps = Some(new);
            }
            let (Some(buffer), Some(segment)) = (sample.buffer_owned(), sample.segment()) else {
                return Ok(gst::FlowSuccess::Ok);
            };
            // Codec headers travel in the caps.
            if buffer.flags().contains(gst::BufferFlags::HEADER) && buffer.pts().is_none() {
                return Ok(gst::FlowSuccess::Ok);
            }
            let time = segment
                .downcast_ref::<gst::ClockTime>()
                .and_then(|s| s.to_running_time(buffer.pts()))
                .unwrap_or(gst::ClockTime::ZERO)
                .saturating_sub(silence);
            let duration = buffer.duration().unwrap_or(gst::ClockTime::ZERO);
            let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
            if key {
                last_key.set(time);
                key_due = Some(time + key_interval);
            } else if key_due.is_some_and(|due| time >= due) {
                // Asked once; the limit of the encoder and its own count do the rest.
                key_due = Some(time + key_interval);
                key_overdue();
            }
            let memory = buffer
                .into_mapped_buffer_readable()
                .map_err(|_| gst::FlowError::Error)?;
            let data = Bytes::from_owner(memory);
            counters.packets.fetch_add(1, Relaxed);
            counters.bytes.fetch_add(data.len() as u64, Relaxed);
            stream.publish(Packet {
                pts: Duration::from_nanos(time.nseconds()),
                duration: Duration::from_nanos(duration.nseconds()),
                key,
                data,
            });
            Ok(gst::FlowSuccess::Ok)
        })
        .build()
}
