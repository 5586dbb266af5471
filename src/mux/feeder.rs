// SPDX-License-Identifier: GPL-3.0-or-later
//! A muxer pipeline and the task that feeds it with packets.

use std::{sync::Arc, time::Duration};

use gst::prelude::*;
use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
    task::{JoinHandle, JoinSet},
};

use crate::{
    encode::{Encoders, Format, Lease, Packet, PacketFeed, Track},
    error::StudioError,
    fanout::Join,
    program::{Notice, Pipeline, PipelineError, StudioClock},
};

use super::{Container, chunker, container::Cut, splitter::Splitter};

/// An encoder that has given nothing by then will not.
const BEGIN: Duration = Duration::from_secs(10);

/// How long a muxer may take to write its end.
const FINISH_TIME: Duration = Duration::from_secs(5);

/// What may wait in front of a muxer: more than the tracks are ever apart, less than a feed keeps.
pub(crate) const MUX_QUEUE: gst::ClockTime = gst::ClockTime::from_seconds(3);

/// Why a feeder came to an end by itself.
#[derive(Debug, Clone)]
pub(crate) enum FeederEnd {
    /// It goes on.
    Running,
    /// The encoders were restarted or ended.
    Packets,
    /// The container is complete.
    Finished,
    /// The pipeline failed.
    Failed(PipelineError),
}

/// A muxer that is being fed. Ends when dropped; [`finish`](Feeder::finish) lets it write its end first.
pub(crate) struct Feeder {
    pipeline: Option<Pipeline>,
    sources: Vec<gst_app::AppSrc>,
    tasks: Option<JoinHandle<()>>,
    end: watch::Receiver<FeederEnd>,
    runtime: Handle,
}

/// A track that is read: the reason for its encoder to run, what it is, and its packets.
pub(crate) struct Reading {
    pub(crate) lease: Lease,
    pub(crate) track: Track,
    pub(crate) feed: PacketFeed,
}

/// Begin to read the tracks of a format, picture first. Waits until their encoders have started, since a muxer wants
/// the caps of all tracks before the first packet.
pub(crate) async fn read(
    encoders: &Encoders,
    format: Format,
    join: Join,
) -> Result<Vec<Reading>, StudioError> {
    let leases: Vec<Lease> = encoders
        .rungs_of(format)
        .into_iter()
        .filter_map(|id| encoders.lease(id))
        .collect();
    if leases.is_empty() {
        return Err(StudioError::Program(
            "there is neither picture nor sound".into(),
        ));
    }
    let mut tracks = Vec::new();
    for lease in leases {
        let feed = lease.stream().subscribe(join);
        let head = tokio::time::timeout(BEGIN, lease.stream().wait_head()).await;
        let track = head
            .ok()
            .flatten()
            .ok_or_else(|| StudioError::Program("the encoder gives nothing".into()))?;
        tracks.push(Reading { lease, track, feed });
    }
    Ok(tracks)
}

/// A muxer's pipeline that runs and is not fed yet.
pub(crate) struct MuxPipeline {
    pub(crate) pipeline: Pipeline,
    /// Where packets go in, in the order of the tracks.
    pub(crate) sources: Vec<gst_app::AppSrc>,
    /// How it came to its end.
    pub(crate) end: watch::Sender<FeederEnd>,
    muxer: gst::Element,
}

impl MuxPipeline {
    /// Build and start it. `muxer` is a launch line for the container's muxer, with properties of the caller's choice.
    ///
    /// ```text
    /// packets of the picture ─▶ appsrc (─▶ parser) ─▶┐
    ///                                                ├ muxer ─▶ sink
    /// packets of the sound ───▶ appsrc ─────────────▶┘
    /// ```
    pub(crate) async fn start(
        runtime: &Handle,
        clock: &StudioClock,
        container: &'static Container,
        muxer: &str,
        tracks: &[Track],
        sink: gst::Element,
    ) -> Result<MuxPipeline, StudioError> {
        let broken = |e: &dyn std::fmt::Display| StudioError::Program(e.to_string());
        let end = watch::Sender::new(FeederEnd::Running);
        let pipeline = clock.watched("mux", {
            let tell = end.clone();
            move |notice| {
                let new = match notice {
                    Notice::Error(e) => FeederEnd::Failed(e),
                    Notice::Eos => FeederEnd::Finished,
                    Notice::Element(..) | Notice::SegmentDone => return,
                };
                // The first end is the true one.
                tell.send_if_modified(|end| {
                    let first = matches!(end, FeederEnd::Running);
                    if first {
                        *end = new;
                    }
                    first
                });
            }
        });
        // A launch line of one element gives that element; one of several becomes a bin with a pad at either end.
        let muxer = match muxer.contains('!') {
            true => gst::parse::bin_from_description(muxer, true).map(|bin| bin.upcast()),
            false => gst::parse::launch(muxer),
        }
        .map_err(|e| broken(&e))?;
        pipeline.add_many([&muxer, &sink]).map_err(|e| broken(&e))?;
        muxer.link(&sink).map_err(|e| broken(&e))?;
        let mut sources = Vec::new();
        for track in tracks {
            let source = gst_app::AppSrc::builder()
                .name(track.codec.name)
                .caps(&track.caps)
                .format(gst::Format::Time)
                // No limit of its own: `pump` hands over only what the muxer takes.
                .max_bytes(0)
                .build();
            pipeline.add(&source).map_err(|e| broken(&e))?;
            let (pad, front) = container.pad(track);
            let mut last: gst::Element = source.clone().upcast();
            if let Some(front) = front {
                let front =
                    gst::parse::bin_from_description(front, true).map_err(|e| broken(&e))?;
                pipeline.add(&front).map_err(|e| broken(&e))?;
                last.link(&front).map_err(|e| broken(&e))?;
                last = front.upcast();
            }
            // By name: an appsrc fits any pad of a muxer, so the kind must be said.
            last.link_pads(Some("src"), &muxer, Some(pad))
                .map_err(|e| broken(&e))?;
            sources.push(source);
        }
        let pipeline = runtime
            .spawn_blocking(move || pipeline.play().map(|()| pipeline))
            .await
            .map_err(|e| broken(&e))?
            .map_err(|e| broken(&e))?;
        for (track, source) in tracks.iter().zip(&sources) {
            if container.wants_headers() {
                for header in chunker::headers_in(&track.caps).unwrap_or_default() {
                    // If it ended already, who feeds it sees it too.
                    let _ = source.push_buffer(header);
                }
            }
        }
        Ok(MuxPipeline {
            pipeline,
            sources,
            end,
            muxer,
        })
    }
}

impl Feeder {
    /// Build the pipeline and start feeding it, from the last key frame on.
    pub(crate) async fn start(
        runtime: &Handle,
        clock: &StudioClock,
        encoders: &Encoders,
        container: &'static Container,
        muxer: &str,
        sink: gst::Element,
    ) -> Result<Feeder, StudioError> {
        let tracks = read(encoders, container.format, Join::LastKey).await?;
        let heads: Vec<Track> = tracks.iter().map(|t| t.track.clone()).collect();
        let MuxPipeline {
            pipeline,
            sources,
            end: tell,
            muxer,
        } = MuxPipeline::start(runtime, clock, container, muxer, &heads, sink).await?;
        let end = tell.subscribe();
        // All tracks begin with the earliest packet there is.
        let mut pumps = JoinSet::new();
        let leader = heads.first().map(|track| track.codec.media);
        for (reading, source) in tracks.into_iter().zip(&sources) {
            let media = reading.track.codec.media;
            let leads = Some(media) == leader && container.cut == Cut::Fragments;
            let splitter = leads.then(|| Splitter::new(muxer.clone(), media));
            pumps.spawn_on(
                pump(reading.lease, reading.feed, source.clone(), splitter),
                runtime,
            );
        }
        let tasks = runtime.spawn(async move {
            // Either track's end is the end of both.
            pumps.join_next().await;
            tell.send_if_modified(|end| {
                let first = matches!(end, FeederEnd::Running);
                if first {
                    *end = FeederEnd::Packets;
                }
                first
            });
        });
        Ok(Feeder {
            pipeline: Some(pipeline),
            sources,
            tasks: Some(tasks),
            end,
            runtime: runtime.clone(),
        })
    }

    /// Wait until it comes to an end by itself.
    pub(crate) async fn ended(&mut self) -> FeederEnd {
        match self
            .end
            .wait_for(|end| !matches!(end, FeederEnd::Running))
            .await
        {
            Ok(end) => end.clone(),
            Err(_) => FeederEnd::Packets,
        }
    }

    /// Stop feeding; if `complete`, let the muxer write its end and wait for it. Returns how it ended.
    pub(crate) async fn finish(mut self, complete: bool) -> FeederEnd {
        if let Some(tasks) = self.tasks.take() {
            tasks.abort();
        }
        let failed = matches!(&*self.end.borrow(), FeederEnd::Failed(_));
        let mut result = self.end.borrow().clone();
        if complete && !failed {
            for source in &self.sources {
                let _ = source.end_of_stream();
            }
            let mut end = self.end.clone();
            let finished =
                end.wait_for(|end| matches!(end, FeederEnd::Finished | FeederEnd::Failed(_)));
            if let Ok(Ok(end)) = tokio::time::timeout(FINISH_TIME, finished).await {
                result = end.clone();
            }
        }
        if let Some(pipeline) = self.pipeline.take() {
            // Stopping blocks.
            let _ = self.runtime.spawn_blocking(move || drop(pipeline)).await;
        }
        result
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        if let Some(tasks) = self.tasks.take() {
            tasks.abort();
        }
        if let Some(pipeline) = self.pipeline.take() {
            self.runtime.spawn_blocking(move || drop(pipeline));
        }
    }
}

/// A packet as muxers take it.
pub(crate) fn buffer(packet: Packet) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_slice(packet.data);
    {
        let buffer = buffer.get_mut().expect("a new buffer has one owner");
        let time = gst::ClockTime::from_nseconds(packet.pts.as_nanos() as u64);
        buffer.set_pts(time);
        // No encoder of the table reorders pictures.
        buffer.set_dts(time);
        buffer.set_duration(gst::ClockTime::from_nseconds(
            packet.duration.as_nanos() as u64
        ));
        if !packet.key {
            buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
    }
    buffer
}

/// Hand packets over as fast as the muxer takes them, until the stream ends.
async fn pump(
    lease: Lease,
    mut feed: PacketFeed,
    source: gst_app::AppSrc,
    mut splitter: Option<Splitter>,
) {
    // The streaming thread tells of each packet that leaves the queue; one such word is kept until it is heard.
    let left = Arc::new(Notify::new());
    if let Some(pad) = source.static_pad("src") {
        let left = left.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            left.notify_one();
            gst::PadProbeReturn::Ok
        });
    }
    let mut batch: Vec<Packet> = Vec::new();
    while feed.next_batch(&mut batch, 8).await {
        for packet in batch.drain(..) {
            if let Some(splitter) = &mut splitter {
                splitter.see(&packet);
            }
            let buffer = buffer(packet);
            while source.current_level_time() >= Some(MUX_QUEUE) {
                // The sink (a network, say) is slow. The feed skips if this lasts.
                left.notified().await;
            }
            if source.push_buffer(buffer).is_err() {
                return;
            }
        }
    }
    drop(lease);
}
