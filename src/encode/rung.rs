// SPDX-License-Identifier: GPL-3.0-or-later
//! One encoder in a pipeline of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use gst::prelude::*;
use gst_utils::ConsumptionLink;

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

/// What a rung says; it is said on streaming threads.
#[derive(Debug)]
pub(super) enum RungNews {
    /// The last key frame is longer ago than it should be.
    KeyFrameOverdue,
    /// The encoder stopped; GStreamer's words.
    Failed(String),
}

/// A running encoder; ends when dropped.
pub(super) struct Rung {
    // Order of fields is order of ending: first no more raw frames, then the pipeline.
    link: ConsumptionLink,
    pipeline: Pipeline,
    element: gst::Element,
    encoder: &'static Encoder,
    dropped_before: u64,
    counters: Arc<RungCounters>,
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
        stream: Arc<PacketStream>,
        counters: Arc<RungCounters>,
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
        packets.set_callbacks(publisher(
            codec,
            stream,
            counters.clone(),
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

    /// Make the next frame a key frame, unless one was made within the encoder's limit.
    pub(super) fn force_key_frame(&self) {
        let event = gst_video::UpstreamForceKeyUnitEvent::builder()
            .all_headers(true)
            .build();
        if let Some(pad) = self.element.static_pad("src") {
            pad.send_event(event);
        }
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
    counters: Arc<RungCounters>,
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
