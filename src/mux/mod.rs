// SPDX-License-Identifier: GPL-3.0-or-later
//! Packets to containers: one muxer per format for all who want it, running only while somebody does.

mod blocks;
mod feeder;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use gst::prelude::*;
use tokio::{runtime::Handle, sync::watch};
use tokio_util::sync::CancellationToken;

pub(crate) use feeder::{Feeder, FeederEnd};

use blocks::Blocks;

use crate::{
    encode::{Encoders, Format},
    fanout::{self, Depth, Item, Stream},
    program::StudioClock,
};

/// How long a muxer goes on after its last reader left.
const LINGER: Duration = Duration::from_secs(5);

/// The longest that sound waits for the next picture: three frames at 30 per second.
const PIECE_WAITS: Duration = Duration::from_millis(100);

/// A piece of a container, as large as one frame of one track.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Time in the stream.
    pub pts: Duration,
    /// Whether a reader can begin here, after the head.
    pub key: bool,
    /// The bytes, shared by all readers.
    pub data: Bytes,
}

impl Item for Chunk {
    fn is_key(&self) -> bool {
        self.key
    }
    fn size(&self) -> usize {
        self.data.len()
    }
    fn pts(&self) -> Duration {
        self.pts
    }
}

/// The chunks of one format; the head is the container's header.
pub type ChunkStream = Stream<Chunk, Bytes>;
/// A place in the chunks of one format.
pub type ChunkFeed = fanout::Feed<Chunk, Bytes>;

/// WebM, muxed once for all HTTP viewers.
#[derive(Clone)]
pub struct WebM(Arc<Owner>);

/// Ends the muxer's task when the last handle and lease are gone.
struct Owner(Arc<Shared>);

struct Shared {
    runtime: Handle,
    encoders: Encoders,
    clock: StudioClock,
    stream: Arc<ChunkStream>,
    readers: watch::Sender<usize>,
    ended: CancellationToken,
}

impl WebM {
    /// A muxer that runs while there are leases.
    pub fn new(runtime: Handle, encoders: Encoders, clock: StudioClock) -> Self {
        let shared = Arc::new(Shared {
            runtime: runtime.clone(),
            encoders,
            clock,
            stream: Stream::new(Depth::default()),
            readers: watch::Sender::new(0),
            ended: CancellationToken::new(),
        });
        runtime.spawn(run(shared.clone()));
        WebM(Arc::new(Owner(shared)))
    }

    /// Content type of the stream.
    pub fn content_type(&self) -> &'static str {
        if self.0.0.encoders.tracks().video {
            "video/webm"
        } else {
            "audio/webm"
        }
    }

    /// Read the stream: the muxer (and the encoders it needs) run as long as the lease lives.
    pub fn lease(&self) -> MuxLease {
        self.0.0.readers.send_modify(|n| *n += 1);
        MuxLease(self.0.clone())
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.ended.cancel();
    }
}

/// A right to read, and the reason for the muxer to run.
pub struct MuxLease(Arc<Owner>);

impl MuxLease {
    /// The chunks.
    pub fn stream(&self) -> &Arc<ChunkStream> {
        &self.0.0.stream
    }
}

impl Drop for MuxLease {
    fn drop(&mut self) {
        self.0.0.readers.send_modify(|n| *n -= 1);
    }
}

/// Starts a muxer when the first reader comes, ends it some time after the last left, starts a new one if it ends
/// by itself (the encoders were restarted).
async fn run(shared: Arc<Shared>) {
    let mut readers = shared.readers.subscribe();
    let work = async {
        loop {
            let _ = readers.wait_for(|n| *n > 0).await;
            let Some(mut feeder) = start(&shared).await else {
                // GStreamer lacks the muxer: said by then, tried again slowly.
                tokio::time::sleep(LINGER).await;
                continue;
            };
            tokio::select! {
                _ = feeder.ended() => (),
                () = idle(readers.clone()) => (),
            }
            feeder.finish(false).await;
            shared.stream.reset();
        }
    };
    tokio::select! {
        () = work => (),
        () = shared.ended.cancelled() => (),
    }
}

/// Done when nobody has read for some time.
async fn idle(mut readers: watch::Receiver<usize>) {
    loop {
        let _ = readers.wait_for(|n| *n == 0).await;
        let back = tokio::time::timeout(LINGER, readers.wait_for(|n| *n > 0)).await;
        if back.is_err() {
            return;
        }
    }
}

/// ```text
/// packets ─▶ appsrc ─▶ webmmux streamable ─▶ appsink "chunks" ─▶ stream
/// ```
async fn start(inner: &Shared) -> Option<Feeder> {
    let stream = inner.stream.clone();
    let sink = gst_app::AppSink::builder()
        .name("chunks")
        .enable_last_sample(false)
        .sync(false)
        .async_(false)
        .build();
    let mut head_known = false;
    let has_picture = inner.encoders.tracks().video;
    let mut told = Duration::ZERO;
    let mut blocks = Blocks::default();
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Flushing)?;
                if !head_known && let Some(head) = sample.caps().and_then(header) {
                    stream.set_head(head);
                    head_known = true;
                }
                let Some(buffer) = sample.buffer_owned() else {
                    return Ok(gst::FlowSuccess::Ok);
                };
                // The header is in the caps; here it would come again.
                if buffer.flags().contains(gst::BufferFlags::HEADER) {
                    return Ok(gst::FlowSuccess::Ok);
                }
                let pts = buffer.pts().unwrap_or(gst::ClockTime::ZERO);
                let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
                let data = buffer
                    .into_mapped_buffer_readable()
                    .map_err(|_| gst::FlowError::Error)?;
                let chunk = Chunk {
                    pts: Duration::from_nanos(pts.nseconds()),
                    key,
                    data: Bytes::from_owner(data),
                };
                // One write per viewer and frame, though the muxer gives it in several pieces and sound in between.
                let complete = blocks.completes_picture(&chunk.data);
                if has_picture && !complete && chunk.pts < told + PIECE_WAITS {
                    stream.publish_quietly(chunk);
                } else {
                    told = chunk.pts;
                    stream.publish(chunk);
                }
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    // A key frame always begins a cluster, so that a reader can begin there.
    let muxer = "webmmux streamable=true min-cluster-duration=0 offset-to-zero=false";
    Feeder::start(
        &inner.runtime,
        &inner.clock,
        &inner.encoders,
        Format::WebM,
        muxer,
        sink.upcast(),
    )
    .await
    .inspect_err(|e| tracing::error!(error = %e, "the WebM muxer could not be started"))
    .ok()
}

/// The container's header from the caps.
fn header(caps: &gst::CapsRef) -> Option<Bytes> {
    let headers = caps
        .structure(0)?
        .get::<gst::ArrayRef>("streamheader")
        .ok()?;
    let mut all = Vec::new();
    for value in headers.as_slice() {
        let buffer = value.get::<gst::Buffer>().ok()?;
        all.extend_from_slice(&buffer.map_readable().ok()?);
    }
    Some(Bytes::from(all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        encode::{EncodeSettings, RungId, Tracks},
        fanout::Join,
        program::Program,
    };

    struct Rig {
        program: Program,
        encoders: Encoders,
        webm: WebM,
    }

    fn rig() -> Rig {
        gst::init().unwrap();
        let settings = EncodeSettings {
            width: 320,
            height: 180,
            ..EncodeSettings::default()
        };
        let tracks = Tracks {
            video: true,
            audio: true,
        };
        let program = Program::start(&settings, tracks, |e| panic!("{e}")).unwrap();
        let encoders = Encoders::new(program.out().clone(), settings, |e| panic!("{e}"));
        let clock = program.out().clock().clone();
        let webm = WebM::new(Handle::current(), encoders.clone(), clock);
        Rig {
            program,
            encoders,
            webm,
        }
    }

    fn elements(encoders: &Encoders) -> Vec<(RungId, usize)> {
        let running = encoders.running();
        running.iter().map(|e| (e.rung, e.elements)).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn fifty_readers_share_one_encoder_per_track_and_nobody_leaves_none() {
        let rig = rig();
        assert_eq!(elements(&rig.encoders), []);
        let leases: Vec<_> = (0..50).map(|_| rig.webm.lease()).collect();
        for lease in &leases {
            assert!(!lease.stream().wait_head().await.unwrap().is_empty());
            let first = lease.stream().subscribe(Join::LastKey).next().await;
            assert!(first.unwrap().key, "a reader begins at a key frame");
            assert_eq!(
                elements(&rig.encoders),
                [(RungId::Video, 1), (RungId::Audio, 1)]
            );
        }
        let mut last = leases[0].stream().subscribe(Join::NextKey);
        let packets = rig.encoders.lease(RungId::Video).unwrap();
        let mut coded = packets.stream().subscribe(Join::NextKey);
        drop((leases, packets));
        // Both streams end when the muxer and, after it, the encoder have lingered long enough.
        while last.next().await.is_some() {}
        while coded.next().await.is_some() {}
        assert_eq!(elements(&rig.encoders), []);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_left_when_the_handles_are_gone() {
        let Rig {
            program,
            encoders,
            webm,
        } = rig();
        let lease = webm.lease();
        lease.stream().wait_head().await.unwrap();
        let stream = Arc::downgrade(lease.stream());
        let ended = webm.0.0.ended.clone().cancelled_owned();
        drop((lease, webm, encoders));
        ended.await;
        drop(program);
        // The muxer's task holds the last reference for as long as it takes to stop.
        tokio::task::spawn_blocking(move || {
            while stream.strong_count() > 0 {
                std::thread::yield_now();
            }
        })
        .await
        .unwrap();
    }
}
