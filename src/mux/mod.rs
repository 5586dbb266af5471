// SPDX-License-Identifier: GPL-3.0-or-later
//! Packets to containers: one muxer per format for all who want it, running only while somebody does.

mod blocks;
mod chunker;
mod container;
mod feeder;
mod splitter;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use gst::prelude::*;
use tokio::{runtime::Handle, sync::watch};
use tokio_util::sync::CancellationToken;

pub use container::{CONTAINERS, Container};
pub(crate) use feeder::{Feeder, FeederEnd, MUX_QUEUE, MuxPipeline, Reading, buffer, read};

use crate::{
    encode::{Encoders, Format},
    fanout::{self, Item, Join, Stream},
    program::StudioClock,
};

/// How long a muxer goes on after its last reader left.
const LINGER: Duration = Duration::from_secs(5);

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

/// The muxers, one per container, running as long as somebody reads.
#[derive(Clone)]
pub struct Muxes(Arc<Owner>);

/// Ends the muxers' tasks when the last handle and lease are gone.
struct Owner {
    muxers: BTreeMap<Format, Arc<Shared>>,
    encoders: Encoders,
    ended: CancellationToken,
}

/// One muxer.
struct Shared {
    container: &'static Container,
    runtime: Handle,
    encoders: Encoders,
    clock: StudioClock,
    stream: Arc<ChunkStream>,
    readers: watch::Sender<usize>,
}

impl Muxes {
    /// Muxers that run while there are leases.
    pub fn new(runtime: Handle, encoders: Encoders, clock: StudioClock) -> Self {
        let ended = CancellationToken::new();
        let muxers = CONTAINERS.iter().map(|container| {
            let shared = Arc::new(Shared {
                container,
                runtime: runtime.clone(),
                encoders: encoders.clone(),
                clock: clock.clone(),
                stream: Stream::new(container.depth()),
                readers: watch::Sender::new(0),
            });
            runtime.spawn(run(shared.clone(), ended.clone()));
            (container.format, shared)
        });
        Muxes(Arc::new(Owner {
            muxers: muxers.collect(),
            encoders,
            ended,
        }))
    }

    /// Read the stream of a format: its muxer (and the encoders it needs) run as long as the lease lives. `None` if the
    /// program has nothing that it could hold.
    pub fn lease(&self, format: Format) -> Option<MuxLease> {
        let shared = self.0.muxers.get(&format)?.clone();
        if self.0.encoders.rungs_of(format).is_empty() {
            return None;
        }
        shared.readers.send_modify(|n| *n += 1);
        Some(MuxLease {
            shared,
            _owner: self.0.clone(),
        })
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

/// A right to read, and the reason for the muxer to run.
pub struct MuxLease {
    shared: Arc<Shared>,
    _owner: Arc<Owner>,
}

impl MuxLease {
    /// The chunks.
    pub fn stream(&self) -> &Arc<ChunkStream> {
        &self.shared.stream
    }

    /// The container.
    pub fn container(&self) -> &'static Container {
        self.shared.container
    }

    /// A place for a new reader. Where the last key frame is long past and what followed would only be in the way, one is
    /// asked for.
    pub fn subscribe(&self) -> ChunkFeed {
        let container = self.shared.container;
        if container.joins_fresh() {
            self.shared.encoders.request_key_frame(container.format);
            return self.stream().subscribe(Join::NextKey);
        }
        self.stream().subscribe(Join::LastKey)
    }

    /// Content type of the stream.
    pub fn content_type(&self) -> &'static str {
        let tracks = self.shared.encoders.tracks();
        self.shared.container.content_type(tracks)
    }
}

impl Drop for MuxLease {
    fn drop(&mut self) {
        self.shared.readers.send_modify(|n| *n -= 1);
    }
}

/// Starts a muxer when the first reader comes, ends it some time after the last left, starts a new one if it ends
/// by itself (the encoders were restarted).
async fn run(shared: Arc<Shared>, ended: CancellationToken) {
    let mut readers = shared.readers.subscribe();
    let work = async {
        loop {
            let _ = readers.wait_for(|n| *n > 0).await;
            let Some(mut feeder) = start(&shared).await else {
                // GStreamer lacks the muxer or the encoder: said by then, tried again slowly.
                tokio::time::sleep(LINGER).await;
                continue;
            };
            let end = tokio::select! {
                end = feeder.ended() => end,
                () = idle(readers.clone()) => FeederEnd::Running,
            };
            feeder.finish(false).await;
            shared.stream.reset();
            if let FeederEnd::Failed(error) = end {
                let container = shared.container.name;
                tracing::error!(%error, container, "a muxer failed");
                tokio::time::sleep(LINGER).await;
            }
        }
    };
    tokio::select! {
        () = work => (),
        () = ended.cancelled() => (),
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
/// packets ─▶ appsrc ─▶ muxer ─▶ appsink "chunks" ─▶ stream
/// ```
async fn start(shared: &Shared) -> Option<Feeder> {
    let has_picture = shared.encoders.tracks().video;
    let sink = chunker::sink(shared.container, has_picture, shared.stream.clone());
    Feeder::start(
        &shared.runtime,
        &shared.clock,
        &shared.encoders,
        shared.container,
        shared.container.muxer,
        sink.upcast(),
    )
    .await
    .inspect_err(|error| {
        tracing::error!(%error, container = shared.container.name, "a muxer could not be started")
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        encode::{EncodeSettings, Tracks},
        program::Program,
    };

    struct Rig {
        program: Program,
        encoders: Encoders,
        muxes: Muxes,
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
        let muxes = Muxes::new(Handle::current(), encoders.clone(), clock);
        Rig {
            program,
            encoders,
            muxes,
        }
    }

    fn elements(encoders: &Encoders) -> Vec<(&str, usize)> {
        let running = encoders.running();
        running
            .iter()
            .map(|e| (e.rung.codec.name, e.elements))
            .collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn fifty_readers_share_one_encoder_per_track_and_nobody_leaves_none() {
        let rig = rig();
        assert_eq!(elements(&rig.encoders), []);
        let leases: Vec<_> = (0..50)
            .map(|_| rig.muxes.lease(Format::WebM).unwrap())
            .collect();
        for lease in &leases {
            assert!(!lease.stream().wait_head().await.unwrap().is_empty());
            let first = lease.stream().subscribe(Join::LastKey).next().await;
            assert!(first.unwrap().key, "a reader begins at a key frame");
            assert_eq!(elements(&rig.encoders), [("vp8", 1), ("opus", 1)]);
        }
        let mut last = leases[0].stream().subscribe(Join::NextKey);
        let rungs = rig.encoders.rungs_of(Format::WebM);
        let packets: Vec<_> = rungs
            .into_iter()
            .map(|rung| rig.encoders.lease(rung).unwrap())
            .collect();
        let coded: Vec<_> = packets
            .iter()
            .map(|p| p.stream().subscribe(Join::NextKey))
            .collect();
        drop((leases, packets));
        // All streams end when the muxer and, after it, each encoder have lingered long enough.
        while last.next().await.is_some() {}
        for mut coded in coded {
            while coded.next().await.is_some() {}
        }
        assert_eq!(elements(&rig.encoders), []);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_left_when_the_handles_are_gone() {
        let Rig {
            program,
            encoders,
            muxes,
        } = rig();
        let lease = muxes.lease(Format::WebM).unwrap();
        lease.stream().wait_head().await.unwrap();
        let stream = Arc::downgrade(lease.stream());
        let ended = muxes.0.ended.clone().cancelled_owned();
        drop((lease, muxes, encoders));
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
