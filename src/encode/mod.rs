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

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

pub(crate) use ability::find_out;
pub use ability::{Ability, Unable, ability, known_ability};
pub use codec::{CODECS, Codec, Encoder, Fill, Place, Stills};
pub use ladder::{Format, RungId, Size, Tracks};
pub use packet::{Packet, PacketFeed, PacketStream, Track};

use crate::{
    error::{SpecError, StudioError},
    fanout::{Depth, Stream},
    message::MediaKind,
    program::ProgramOut,
};
use rung::{FIRST_KEYS, Gate, KEY_LIMIT, Rung, RungNews};

/// How long an encoder goes on after the last reader left: a viewer who reloads the page finds it running.
const LINGER: Duration = Duration::from_secs(5);

/// Codecs, bitrates, size and rate.
#[derive(Debug, Clone, PartialEq)]
pub struct EncodeSettings {
    /// Width of the program in pixels; even.
    pub width: u32,
    /// Height of the program in pixels; even.
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
    /// Codec of the picture, for every format that can hold it.
    pub video: &'static Codec,
    /// Bits per second of the picture.
    pub video_bitrate: u64,
    /// Codec of the sound, for every format that can hold it.
    pub audio: &'static Codec,
    /// Bits per second of the sound.
    pub audio_bitrate: u64,
    /// Time between two key frames, at most.
    pub key_interval: Duration,
    /// Encoders that were wished for, by name of the codec; for others the best that works is taken.
    pub encoders: BTreeMap<&'static str, &'static str>,
    /// Rates and sizes of JPEG and GIF.
    pub stills: Stills,
}

/// Threads of a video encoder: half of the processors, 4 at most. libvpx waits for its other threads by spinning, so with
/// all processors taken a busy computer encodes slower, not faster.
pub fn encoder_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| (n.get() / 2).clamp(1, 4))
}

impl Default for EncodeSettings {
    /// 720p30 VP8 at 2.5 Mbit/s, Opus at 128 kbit/s, a key frame every 2 s.
    fn default() -> Self {
        let find = |name, media| {
            Codec::find(name, media).expect("the default codecs have a row in the table")
        };
        EncodeSettings {
            width: 1280,
            height: 720,
            fps: 30,
            video: find("vp8", MediaKind::Video),
            video_bitrate: 2_500_000,
            audio: find("opus", MediaKind::Audio),
            audio_bitrate: 128_000,
            key_interval: Duration::from_secs(2),
            encoders: BTreeMap::new(),
            stills: Stills::default(),
        }
    }
}

impl EncodeSettings {
    /// Bits per second of a rung.
    pub fn bitrate(&self, id: RungId) -> u64 {
        match (id.codec.media, id.size) {
            (MediaKind::Audio, _) => self.audio_bitrate,
            (MediaKind::Video, Size::Full | Size::Gif) => self.video_bitrate,
            // A quarter of the pixels.
            (MediaKind::Video, Size::Low) => (self.video_bitrate / 4).max(100_000),
        }
    }

    /// Width and height of the picture of a rung in pixels; both even.
    pub fn size(&self, id: RungId) -> (u32, u32) {
        let even = |n: u32| (n / 2 * 2).max(2);
        match (id.codec.media, id.size) {
            (MediaKind::Audio, _) => (0, 0),
            (MediaKind::Video, Size::Full) => (self.width, self.height),
            (MediaKind::Video, Size::Low) => (even(self.width / 2), even(self.height / 2)),
            (MediaKind::Video, Size::Gif) => {
                let width = self.stills.gif_width.min(self.width);
                (even(width), even(width * self.height / self.width.max(1)))
            }
        }
    }

    /// The rungs that a format reads.
    pub fn rungs_of(&self, format: Format, tracks: Tracks) -> BTreeSet<RungId> {
        let choice = ladder::Choice {
            video: self.video,
            audio: self.audio,
            works: &ability::seems_able,
        };
        ladder::rungs_of(format, tracks, choice)
    }

    /// Whether going from `self` to `other` can be done while encoders run.
    fn only_bitrate_differs(&self, other: &EncodeSettings) -> bool {
        let mut same = other.clone();
        same.video_bitrate = self.video_bitrate;
        same.audio_bitrate = self.audio_bitrate;
        same == *self
    }

    /// Whether its encoders are installed; of those wished for also whether they work, which is tried and blocks.
    pub fn installed(&self) -> Result<(), SpecError> {
        for codec in [self.video, self.audio] {
            match self.encoders.get(codec.name) {
                Some(wished) => drop(ability(codec).best(Some(wished))?),
                None => codec.installed()?,
            }
        }
        Ok(())
    }
}

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

/// Make these run, and have a key frame in all of them for the same time.
struct Together {
    rungs: Vec<RungId>,
    /// What was planned last: that time, if it can still be kept, else later by the limit of key frames.
    planned: Option<Duration>,
    tell: oneshot::Sender<(Duration, Duration)>,
}

/// State changes of pipelines block, so one thread does them all, in order.
enum Job {
    /// See whether anything is still to be done.
    Wake,
    /// See whether this rung should run, and make it so.
    Settle(RungId),
    /// Restart all with the new settings.
    Restart,
    Bitrate(RungId, u64),
    KeyFrame(RungId),
    /// A key frame of each of these for this time.
    PlanKeyFrames(Vec<RungId>, Duration),
    Together(Together),
    Failed(RungId, String),
    Count(mpsc::Sender<BTreeMap<RungId, (&'static str, usize)>>),
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

/// The worker's own: rungs that run, and since when nobody reads them.
struct Running {
    program: ProgramOut,
    jobs: mpsc::Sender<Job>,
    rungs: BTreeMap<RungId, Rung>,
    idle_since: BTreeMap<RungId, Instant>,
}

impl Running {
    fn new(program: ProgramOut, jobs: mpsc::Sender<Job>) -> Self {
        Running {
            program,
            jobs,
            rungs: BTreeMap::new(),
            idle_since: BTreeMap::new(),
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.idle_since.values().min().map(|since| *since + LINGER)
    }

    fn work(&mut self, inner: &Inner, job: Job, failed: &dyn Fn(StudioError)) {
        match job {
            Job::Wake => (),
            Job::Settle(id) => self.settle(inner, id, None, failed),
            Job::Together(job) => self.together(inner, job, failed),
            Job::Restart => {
                for id in self.rungs.keys().copied().collect::<Vec<_>>() {
                    self.end(inner, id);
                    // Of a codec that was given up, the readers come back for another.
                    let chosen = {
                        let slots = inner.slots.lock();
                        let rungs = |format| slots.settings.rungs_of(format, slots.tracks);
                        Format::ALL.into_iter().any(|f| rungs(f).contains(&id))
                    };
                    if chosen {
                        self.settle(inner, id, None, failed);
                    }
                }
            }
            Job::Bitrate(id, bitrate) => {
                if let Some(rung) = self.rungs.get(&id) {
                    rung.set_bitrate(bitrate);
                }
            }
            Job::KeyFrame(id) => {
                if let Some(rung) = self.rungs.get(&id) {
                    rung.force_key_frame(self.program.clock().now());
                }
            }
            Job::PlanKeyFrames(ids, at) => {
                // A later frame has come out of the program for none of them yet.
                let at = clock_time(at).max(self.program.clock().now());
                for id in ids {
                    if let Some(rung) = self.rungs.get(&id) {
                        rung.plan_key_frame(at);
                    }
                }
            }
            Job::Failed(id, why) => {
                self.end(inner, id);
                failed(StudioError::Encoder {
                    codec: id.codec.label.to_string(),
                    why,
                });
                // Readers come back by themselves when their feeds end; a new lease starts it again.
            }
            Job::Count(tell) => {
                let counts = self.rungs.iter().map(|(id, r)| (*id, r.encoder_elements()));
                let _ = tell.send(counts.collect());
            }
        }
    }

    fn together(&mut self, inner: &Inner, job: Together, failed: &dyn Fn(StudioError)) {
        let Together {
            rungs,
            planned,
            tell,
        } = job;
        let gate = Gate::default();
        let (old, new): (Vec<_>, Vec<_>) = rungs
            .into_iter()
            .partition(|id| self.rungs.contains_key(id));
        for id in old.iter().chain(&new) {
            self.settle(inner, *id, Some(&gate), failed);
        }
        // No frame of a later time has come out of the program yet.
        let now = self.program.clock().now();
        let at = match planned.map(clock_time) {
            Some(at) if at >= now => at,
            planned => {
                let after = planned.map_or(now, |at| now.max(at + KEY_LIMIT));
                let running = old.iter().filter_map(|id| self.rungs.get(id));
                running.map(Rung::next_key).fold(after, Ord::max)
            }
        };
        for id in &old {
            if let Some(rung) = self.rungs.get(id) {
                rung.plan_key_frame(at);
            }
        }
        gate.get_or_init(|| at);
        let apart = match old.is_empty() {
            true => FIRST_KEYS,
            false => KEY_LIMIT,
        };
        // Who asked may have left.
        let _ = tell.send((duration(at), duration(apart)));
    }

    fn settle(
        &mut self,
        inner: &Inner,
        id: RungId,
        gate: Option<&Gate>,
        failed: &dyn Fn(StudioError),
    ) {
        let (settings, stream, counters) = {
            let slots = inner.slots.lock();
            let Some(slot) = slots.rungs.get(&id) else {
                return;
            };
            if slot.leases == 0 {
                if self.rungs.contains_key(&id) {
                    self.idle_since.entry(id).or_insert_with(Instant::now);
                }
                return;
            }
            (
                slots.settings.clone(),
                slot.stream.clone(),
                slot.counters.clone(),
            )
        };
        self.idle_since.remove(&id);
        if self.rungs.contains_key(&id) {
            return;
        }
        let jobs = self.jobs.clone();
        let tell = move |news| {
            // The worker ends only with the rungs it owns.
            let _ = jobs.send(match news {
                RungNews::KeyFrameOverdue => Job::KeyFrame(id),
                RungNews::Failed(why) => Job::Failed(id, why),
            });
        };
        let wished = settings.encoders.get(id.codec.name).copied();
        let encoder = match ability(id.codec).best(wished) {
            Ok(encoder) => encoder,
            Err(e) => return failed(e.into()),
        };
        match Rung::start(
            &self.program,
            id,
            encoder,
            &settings,
            (stream, counters),
            gate.cloned(),
            tell,
        ) {
            Ok(rung) => {
                self.rungs.insert(id, rung);
            }
            Err(why) => failed(StudioError::Encoder {
                codec: id.codec.label.to_string(),
                why,
            }),
        }
    }

    fn end_idle(&mut self, inner: &Inner) {
        let due: Vec<_> = self
            .idle_since
            .iter()
            .filter(|(_, since)| since.elapsed() >= LINGER)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.idle_since.remove(&id);
            let unused = inner
                .slots
                .lock()
                .rungs
                .get(&id)
                .is_none_or(|s| s.leases == 0);
            if unused {
                self.end(inner, id);
            }
        }
    }

    fn end(&mut self, inner: &Inner, id: RungId) {
        drop(self.rungs.remove(&id));
        if let Some(slot) = inner.slots.lock().rungs.get(&id) {
            slot.stream.reset();
        }
    }
}

fn clock_time(time: Duration) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(time.as_nanos() as u64)
}

fn duration(time: gst::ClockTime) -> Duration {
    Duration::from_nanos(time.nseconds())
}
