// SPDX-License-Identifier: GPL-3.0-or-later
//! Raw to coded, once for everybody.
//!
//! [`Encoders`] starts a rung (one encoder in a pipeline of its own) with the first [`Lease`] and ends it a few
//! seconds after the last one is dropped. However many hold a lease, there is one encoder.

mod ability;
mod codec;
pub(crate) mod gif;
pub mod ladder;
mod packet;
mod rung;
mod settings;
mod worker;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

pub use ability::{Ability, Unable, ability, known_ability};
pub(crate) use ability::{Trials, find_out};
pub use codec::{CODECS, Codec, Encoder, Fill, Place, Stills};
pub use ladder::{Format, RungId, Size, Tracks};
pub use packet::{Packet, PacketFeed, PacketStream, Track};
pub use settings::{EncodeSettings, encoder_threads};

use crate::{
    error::StudioError,
    fanout::{Depth, Stream},
    message::MediaKind,
    program::ProgramOut,
};
use worker::{Job, Running, Together};

/// One running encoder, for the status.
#[derive(Debug, Clone)]
pub struct EncoderStatus {
    /// Its place on the ladder.
    pub rung: RungId,
    /// The element that encodes.
    pub element: &'static str,
    /// Packets so far.
    pub packets: u64,
    /// Bytes so far.
    pub bytes: u64,
    /// Raw frames it had no time for.
    pub dropped: u64,
    /// Encoder elements really found in its pipeline.
    pub elements: usize,
}

/// The encoders, running as long as somebody reads.
#[derive(Clone)]
pub struct Encoders(Arc<Inner>);

struct Inner {
    slots: Mutex<Slots>,
    worker: mpsc::Sender<Job>,
}

struct Slots {
    settings: EncodeSettings,
    tracks: Tracks,
    /// Made when they are first read, and kept: their counters go on.
    rungs: BTreeMap<RungId, Slot>,
}

struct Slot {
    stream: Arc<PacketStream>,
    leases: usize,
    counters: Arc<rung::RungCounters>,
}

impl Encoders {
    /// Encoders fed from the program; failures are told to `failed`.
    pub fn new(
        program: ProgramOut,
        settings: EncodeSettings,
        failed: impl Fn(StudioError) + Send + 'static,
    ) -> Self {
        crate::plugins::register();
        let (worker, jobs) = mpsc::channel();
        let inner = Arc::new(Inner {
            slots: Mutex::new(Slots {
                settings,
                tracks: program.tracks(),
                rungs: BTreeMap::new(),
            }),
            worker: worker.clone(),
        });
        let weak = Arc::downgrade(&inner);
        thread::Builder::new()
            .name("rungs".into())
            .spawn(move || {
                let mut running = Running::new(program, worker);
                loop {
                    let job = match running.next_deadline() {
                        None => jobs
                            .recv()
                            .map_err(|_| mpsc::RecvTimeoutError::Disconnected),
                        Some(at) => jobs.recv_timeout(at.saturating_duration_since(Instant::now())),
                    };
                    // The worker holds a sender itself (for failures), so it ends when the owner is gone.
                    let Some(inner) = weak.upgrade() else { return };
                    match job {
                        Ok(job) => running.work(&inner, job, &failed),
                        Err(mpsc::RecvTimeoutError::Timeout) => running.end_idle(&inner),
                        Err(mpsc::RecvTimeoutError::Disconnected) => return,
                    }
                }
            })
            .expect("a thread can be started");
        Encoders(inner)
    }

    /// Codecs and bitrates in force.
    pub fn settings(&self) -> EncodeSettings {
        self.0.slots.lock().settings.clone()
    }

    /// Change them. Bitrates change in running encoders; anything else restarts those that run, which ends the
    /// feeds of their readers.
    pub fn set(&self, settings: EncodeSettings) {
        let mut slots = self.0.slots.lock();
        let old = std::mem::replace(&mut slots.settings, settings.clone());
        if old == settings {
            return;
        }
        if old.only_bitrate_differs(&settings) {
            for id in slots.rungs.keys().copied() {
                if old.bitrate(id) != settings.bitrate(id) {
                    self.0.send(Job::Bitrate(id, settings.bitrate(id)));
                }
            }
        } else {
            self.0.send(Job::Restart);
        }
    }

    /// What the program has.
    pub fn tracks(&self) -> Tracks {
        self.0.slots.lock().tracks
    }

    /// The rungs that a format reads, as the settings are now; picture first. Empty if the program has nothing for it.
    pub fn rungs_of(&self, format: Format) -> BTreeSet<RungId> {
        let slots = self.0.slots.lock();
        slots.settings.rungs_of(format, slots.tracks)
    }

    /// Read a rung: its encoder runs as long as the lease lives. `None` if the program has no such track. Returns
    /// at once; packets follow when the encoder has started.
    pub fn lease(&self, id: RungId) -> Option<Lease> {
        let lease = self.take(id)?;
        // Also with the second lease: the encoder may have failed, or been given up, since the first.
        self.0.send(Job::Settle(id));
        Some(lease)
    }

    /// Read several rungs of the picture that have a key frame at the same time, which is told, and how much later another
    /// is possible: those that do not run yet begin with it. It is the time that was `planned` last, if that is still to come.
    pub(crate) fn lease_together(
        &self,
        rungs: Vec<RungId>,
        planned: Option<Duration>,
    ) -> (Vec<Lease>, oneshot::Receiver<(Duration, Duration)>) {
        let leases = rungs.iter().filter_map(|id| self.take(*id)).collect();
        let (tell, told) = oneshot::channel();
        self.0.send(Job::Together(Together {
            rungs,
            planned,
            tell,
        }));
        (leases, told)
    }

    fn take(&self, id: RungId) -> Option<Lease> {
        let mut slots = self.0.slots.lock();
        if !slots.tracks.has(id.codec.media) {
            return None;
        }
        let slot = slots.rungs.entry(id).or_insert_with(|| Slot {
            stream: Stream::new(Depth::default()),
            leases: 0,
            counters: Arc::default(),
        });
        slot.leases += 1;
        Some(Lease {
            id,
            stream: slot.stream.clone(),
            encoders: self.0.clone(),
        })
    }

    /// Key frames of several rungs for the same time in the program, some time ahead.
    pub(crate) fn plan_key_frames(&self, rungs: Vec<RungId>, at: Duration) {
        self.0.send(Job::PlanKeyFrames(rungs, at));
    }

    /// Ask for a key frame of the picture that a format holds. Requests are merged: an encoder makes at most one per 500 ms.
    pub fn request_key_frame(&self, format: Format) {
        let rungs = self.rungs_of(format);
        if let Some(id) = rungs
            .into_iter()
            .find(|id| id.codec.media == MediaKind::Video)
        {
            self.0.send(Job::KeyFrame(id));
        }
    }

    /// The encoders that run now. Counts their elements, so it takes a moment: not for a streaming thread.
    pub fn running(&self) -> Vec<EncoderStatus> {
        let (tell, told) = mpsc::channel();
        self.0.send(Job::Count(tell));
        let counts = told
            .recv_timeout(Duration::from_secs(2))
            .unwrap_or_default();
        let slots = self.0.slots.lock();
        counts
            .into_iter()
            .filter_map(|(id, (element, elements))| {
                let counters = &slots.rungs.get(&id)?.counters;
                Some(EncoderStatus {
                    rung: id,
                    element,
                    packets: counters.packets(),
                    bytes: counters.bytes(),
                    dropped: counters.dropped(),
                    elements,
                })
            })
            .collect()
    }
}

impl Inner {
    fn send(&self, job: Job) {
        // The worker ends only with the last owner, who is calling.
        let _ = self.worker.send(job);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Wake the worker so that it sees that the owner is gone.
        let _ = self.worker.send(Job::Wake);
    }
}

/// A right to read a rung, and the reason for its encoder to run.
pub struct Lease {
    id: RungId,
    stream: Arc<PacketStream>,
    encoders: Arc<Inner>,
}

impl Lease {
    /// The rung's packets.
    pub fn stream(&self) -> &Arc<PacketStream> {
        &self.stream
    }

    /// Ask for a key frame. Requests are merged: the encoder makes at most one per 500 ms.
    pub fn request_key_frame(&self) {
        self.encoders.send(Job::KeyFrame(self.id));
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut slots = self.encoders.slots.lock();
        if let Some(slot) = slots.rungs.get_mut(&self.id) {
            slot.leases -= 1;
            if slot.leases == 0 {
                self.encoders.send(Job::Settle(self.id));
            }
        }
    }
}
