// SPDX-License-Identifier: GPL-3.0-or-later
//! Picture and sound on their way into a sink of the webrtcsink family.

use std::{sync::Arc, time::Duration};

use gst::prelude::*;
use gst_utils::ConsumptionLink;
use tokio::{task::JoinSet, time::timeout};

use super::Mode;
use crate::{
    encode::{Codec, Format, Lease, Packet, Track},
    fanout::Join,
    message::MediaKind,
    output::Context,
    program::Pipeline,
};

/// An encoder that has given nothing by then will not.
const BEGIN: Duration = Duration::from_secs(10);

/// Coded frames that may wait for the sink: half a second of sound.
const WAITING: u64 = 25;

/// What goes in.
pub(super) enum Tracks {
    /// The broadcast's own encode.
    Coded(Vec<(Lease, Track)>),
    /// The program itself, to be encoded to these.
    Raw(Vec<&'static Codec>),
}

impl Tracks {
    /// What there is for WebRTC. Coded tracks are leased, and have begun when this is done.
    pub(super) async fn lease(context: &Context, mode: Mode) -> Result<Tracks, String> {
        let rungs = context.encoders.rungs_of(Format::WebRtc);
        if rungs.is_empty() {
            return Err("there is neither picture nor sound".into());
        }
        if mode == Mode::Adaptive {
            return Ok(Tracks::Raw(rungs.iter().map(|id| id.codec).collect()));
        }
        let leases: Vec<Lease> = rungs
            .into_iter()
            .filter_map(|id| context.encoders.lease(id))
            .collect();
        let mut tracks = Vec::new();
        for lease in leases {
            let head = timeout(BEGIN, lease.stream().wait_head()).await;
            let head = head.ok().flatten().ok_or("the encoder gives nothing")?;
            tracks.push((lease, head));
        }
        Ok(Tracks::Coded(tracks))
    }

    /// The codecs that are sent.
    pub(super) fn codecs(&self) -> Vec<&'static Codec> {
        match self {
            Tracks::Coded(tracks) => tracks.iter().map(|(_, track)| track.codec).collect(),
            Tracks::Raw(codecs) => codecs.clone(),
        }
    }

    /// Size of the picture, where it is coded already.
    pub(super) fn picture(&self) -> Option<(u32, u32)> {
        let Tracks::Coded(tracks) = self else {
            return None;
        };
        let mut video = tracks.iter().map(|(_, track)| track);
        let caps = &video.find(|t| t.codec.media == MediaKind::Video)?.caps;
        let side = |name| u32::try_from(caps.structure(0)?.get::<i32>(name).ok()?).ok();
        side("width").zip(side("height"))
    }

    /// Put an appsrc in front of the sink for each, and begin.
    pub(super) fn connect(
        self,
        context: &Context,
        pipeline: &Pipeline,
        sink: &gst::Element,
    ) -> Result<Feeding, String> {
        let mut feeding = Feeding {
            pumps: JoinSet::new(),
            links: Vec::new(),
        };
        match self {
            Tracks::Coded(tracks) => {
                for (lease, track) in tracks {
                    let source = source(pipeline, sink, track.codec.media)?;
                    source.set_caps(Some(&track.caps));
                    let lease = Arc::new(lease);
                    ask_for_keys(&source, &lease);
                    feeding
                        .pumps
                        .spawn_on(pump(lease, source), &context.runtime);
                }
            }
            Tracks::Raw(codecs) => {
                for codec in codecs {
                    let producer = match codec.media {
                        MediaKind::Video => context.program.video(),
                        MediaKind::Audio => context.program.audio(),
                    };
                    let producer = producer.ok_or("the program has no such track")?;
                    let source = source(pipeline, sink, codec.media)?;
                    let settings = gst_utils::streamproducer::ConsumerSettings {
                        max_buffer: WAITING,
                        max_bytes: gst::format::Bytes::ZERO,
                        max_time: gst::ClockTime::ZERO,
                    };
                    let link = producer.add_consumer_with(&source, settings);
                    feeding.links.push(link.map_err(|e| e.to_string())?);
                }
            }
        }
        Ok(feeding)
    }
}

/// An appsrc on a pad of its own of the sink.
fn source(
    pipeline: &Pipeline,
    sink: &gst::Element,
    media: MediaKind,
) -> Result<gst_app::AppSrc, String> {
    let (name, pad) = match media {
        MediaKind::Video => ("video", "video_%u"),
        MediaKind::Audio => ("audio", "audio_%u"),
    };
    let source = gst_app::AppSrc::builder()
        .name(name)
        .format(gst::Format::Time)
        .is_live(true)
        .max_bytes(0)
        .build();
    pipeline.add(&source).map_err(|e| e.to_string())?;
    let pad = sink.request_pad_simple(pad).ok_or("the sink has no pad")?;
    let from = source.static_pad("src").ok_or("the source has no pad")?;
    from.link(&pad).map_err(|e| e.to_string())?;
    Ok(source)
}

/// What feeds; ends when dropped.
pub(super) struct Feeding {
    pumps: JoinSet<()>,
    links: Vec<ConsumptionLink>,
}

impl Feeding {
    /// Done when the encoders were restarted or have ended.
    pub(super) async fn ended(mut self) {
        if self.links.is_empty() {
            self.pumps.join_next().await;
        } else {
            std::future::pending().await
        }
    }
}

/// Requests for key frames travel from the viewers to the shared encoder, which limits them.
fn ask_for_keys(source: &gst_app::AppSrc, lease: &Arc<Lease>) {
    let lease = Arc::downgrade(lease);
    if let Some(pad) = source.static_pad("src") {
        pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
            let wanted = info
                .event()
                .is_some_and(|event| gst_video::ForceKeyUnitEvent::is(event));
            if wanted && let Some(lease) = lease.upgrade() {
                lease.request_key_frame();
            }
            gst::PadProbeReturn::Ok
        });
    }
}

/// Hand packets over as they come. What the sink has no time for is left out, up to the next key frame.
async fn pump(lease: Arc<Lease>, source: gst_app::AppSrc) {
    let mut feed = lease.stream().subscribe(Join::NextKey);
    lease.request_key_frame();
    let mut batch: Vec<Packet> = Vec::new();
    let mut skipping = false;
    while feed.next_batch(&mut batch, 8).await {
        for packet in batch.drain(..) {
            if skipping && !packet.key {
                continue;
            }
            skipping = source.current_level_buffers() >= WAITING;
            if skipping {
                lease.request_key_frame();
                continue;
            }
            let mut buffer = gst::Buffer::from_slice(packet.data);
            {
                let buffer = buffer.get_mut().expect("a new buffer has one owner");
                let time = gst::ClockTime::from_nseconds(packet.pts.as_nanos() as u64);
                buffer.set_pts(time);
                // No encoder of the table reorders pictures.
                buffer.set_dts(time);
                let duration = packet.duration.as_nanos() as u64;
                buffer.set_duration(gst::ClockTime::from_nseconds(duration));
                if !packet.key {
                    buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
                }
            }
            if source.push_buffer(buffer).is_err() {
                // The sink failed: it says why.
                return std::future::pending().await;
            }
        }
    }
}
