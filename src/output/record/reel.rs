// SPDX-License-Identifier: GPL-3.0-or-later
//! One file being written.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use gst::prelude::*;
use tokio::sync::watch;

use super::{
    Kind, failure,
    name::Names,
    room::{self, Room},
};
use crate::{
    encode::{Packet, Track},
    error::OutputError,
    mux::{self, FeederEnd, MuxPipeline},
    output::{Context, Progress},
    program::Pipeline,
};

/// A muxer that must be told writes so much at a time: that is what a crash costs.
const PIECE: Duration = Duration::from_millis(500);

/// How long a muxer may take to write its end.
const FINISH_TIME: Duration = Duration::from_secs(4);

/// A file being written; [`finish`](Reel::finish) lets it be ended properly.
pub(super) struct Reel {
    path: PathBuf,
    pipeline: Pipeline,
    sources: Vec<gst_app::AppSrc>,
    end: watch::Receiver<FeederEnd>,
    /// Bytes from the beginning of the file that are there for sure.
    whole: Arc<AtomicU64>,
    /// When the muxer was last told to write what it has, if it must be told.
    cut_at: Option<Duration>,
    room: Room,
}

impl Reel {
    /// Make the next file. `progress` counts what it takes.
    pub(super) async fn start(
        context: &Context,
        kind: &'static Kind,
        tracks: &[Track],
        names: &mut Names,
        progress: &Progress,
    ) -> Result<Reel, OutputError> {
        // A network's disk may take its time to answer.
        let made = tokio::task::block_in_place(|| names.create());
        let (path, file) = made.map_err(|(path, e)| failure(path, &e))?;
        let other = |e: &dyn std::fmt::Display| OutputError::Other(e.to_string());
        let sink = gst::ElementFactory::make("filesink")
            .name("file")
            .property("location", &path)
            .property("async", false)
            .property("sync", false)
            // Each block goes to the system at once: a killed program loses nothing that was muxed.
            .property_from_str("buffer-mode", "unbuffered")
            .build()
            .map_err(|e| other(&e))?;
        progress.follow(&sink);
        let whole = follow_end(&sink);
        let room = Room::watch(file, progress.accepted.clone());
        let MuxPipeline {
            pipeline,
            sources,
            end,
            ..
        } = MuxPipeline::start(
            &context.runtime,
            &context.clock,
            kind.container(),
            kind.muxer,
            tracks,
            sink,
        )
        .await
        .map_err(|e| other(&e))?;
        Ok(Reel {
            path,
            pipeline,
            sources,
            end: end.subscribe(),
            whole,
            cut_at: kind.cut.then_some(Duration::ZERO),
            room,
        })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Add a packet of a track, at this time in the file.
    pub(super) fn put(&mut self, track: usize, packet: Packet, at: Duration) {
        if track == 0 && self.cut_at.is_some_and(|last| at >= last + PIECE) {
            self.cut_at = Some(at);
            self.cut(packet.key);
        }
        if let Some(source) = self.sources.get(track) {
            // An error is told by the pipeline too.
            let _ = source.push_buffer(mux::buffer(Packet { pts: at, ..packet }));
        }
    }

    /// Have the muxer write what it has. Whole fragments, at which a player can begin, are cut at key frames only.
    fn cut(&self, key: bool) {
        for source in &self.sources {
            let event = gst::Structure::builder("FMP4MuxSplitNow").field("chunk", !key);
            // In the order of the packets; all tracks are cut at the same time.
            source.send_event(gst::event::CustomDownstream::new(event.build()));
        }
    }

    /// Whether so much waits to be written that more should not be added.
    pub(super) fn is_full(&self) -> bool {
        let level = |s: &gst_app::AppSrc| s.current_level_time() >= Some(mux::MUX_QUEUE);
        self.sources.iter().any(level)
    }

    /// What it has to say: why it failed by itself, and how much room there is when that changes.
    pub(super) fn watch(
        &mut self,
    ) -> (
        impl Future<Output = OutputError> + '_,
        impl Future<Output = room::Left> + '_,
    ) {
        let Reel {
            path, end, room, ..
        } = self;
        let failed = async move {
            let failed = |end: &FeederEnd| matches!(end, FeederEnd::Failed(_));
            let end = end.wait_for(failed).await.map(|end| end.clone());
            match end {
                Ok(end) => why(path.clone(), &end),
                // The pipeline holds the other end.
                Err(_) => std::future::pending().await,
            }
        };
        (failed, room.changed())
    }

    /// Have everything written that was put in, with duration and index.
    pub(super) async fn finish(self) -> Result<(), OutputError> {
        let Reel {
            path,
            pipeline,
            sources,
            mut end,
            whole,
            room,
            ..
        } = self;
        if matches!(&*end.borrow(), FeederEnd::Running) {
            for source in &sources {
                let _ = source.end_of_stream();
            }
        }
        let ended = end.wait_for(|end| !matches!(end, FeederEnd::Running));
        let ended = match tokio::time::timeout(FINISH_TIME, ended).await {
            Ok(Ok(end)) => end.clone(),
            _ => FeederEnd::Running,
        };
        drop(room);
        let broken = matches!(ended, FeederEnd::Failed(_));
        let file = path.clone();
        // Stopping blocks, and so does the disk.
        let stopped = tokio::task::spawn_blocking(move || {
            drop(pipeline);
            // What the disk took only in part would be a torn block at the end.
            room::trim(&file, broken.then(|| whole.load(Relaxed)));
        });
        if tokio::time::timeout(FINISH_TIME, stopped).await.is_err() {
            return Err(stuck(path));
        }
        match ended {
            FeederEnd::Finished => Ok(()),
            FeederEnd::Running | FeederEnd::Packets => Err(stuck(path)),
            FeederEnd::Failed(_) => Err(why(path, &ended)),
        }
    }
}

/// A disk that takes nothing.
pub(super) fn stuck(path: PathBuf) -> OutputError {
    OutputError::Unwritable {
        path,
        why: "nothing could be written for a long time".into(),
    }
}

fn why(path: PathBuf, end: &FeederEnd) -> OutputError {
    match end {
        FeederEnd::Failed(e) if e.code.matches(gst::ResourceError::NoSpaceLeft) => {
            OutputError::DiskFull { path }
        }
        FeederEnd::Failed(e) => OutputError::Unwritable {
            path,
            why: e.to_string().to_lowercase(),
        },
        FeederEnd::Running | FeederEnd::Packets | FeederEnd::Finished => stuck(path),
    }
}

/// Follow how far the file is whole. A piece is there for sure when the sink asks for the next one.
fn follow_end(sink: &gst::Element) -> Arc<AtomicU64> {
    let whole = Arc::new(AtomicU64::new(0));
    let told = whole.clone();
    // Where the next piece goes; a muxer goes back to its head to write the duration.
    let (next, torn) = (AtomicU64::new(0), AtomicBool::new(false));
    if let Some(pad) = sink.static_pad("sink") {
        let kinds = gst::PadProbeType::BUFFER
            | gst::PadProbeType::BUFFER_LIST
            | gst::PadProbeType::EVENT_DOWNSTREAM;
        pad.add_probe(kinds, move |pad, info| {
            // What came before was refused: nothing after it counts.
            if pad.peer().is_some_and(|p| p.last_flow_result().is_err()) {
                torn.store(true, Relaxed);
            }
            if torn.load(Relaxed) {
                return gst::PadProbeReturn::Ok;
            }
            let size = match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => buffer.size(),
                Some(gst::PadProbeData::BufferList(list)) => list.calculate_size(),
                Some(gst::PadProbeData::Event(event)) => {
                    if let gst::EventView::Segment(segment) = event.view()
                        && let Some(bytes) = segment.segment().downcast_ref::<gst::format::Bytes>()
                    {
                        told.fetch_max(next.load(Relaxed), Relaxed);
                        next.store(bytes.start().map_or(0, |b| *b), Relaxed);
                    }
                    return gst::PadProbeReturn::Ok;
                }
                _ => return gst::PadProbeReturn::Ok,
            };
            told.fetch_max(next.fetch_add(size as u64, Relaxed), Relaxed);
            gst::PadProbeReturn::Ok
        });
    }
    whole
}
