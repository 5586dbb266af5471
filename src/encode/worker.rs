// SPDX-License-Identifier: GPL-3.0-or-later
//! Starts and ends rungs, one after the other, in a thread of its own.

use std::{
    collections::BTreeMap,
    sync::mpsc,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    Format, Inner, RungId, ability,
    rung::{FIRST_KEYS, Gate, KEY_LIMIT, Rung, RungNews},
};
use crate::{error::StudioError, program::ProgramOut};

/// How long an encoder goes on after the last reader left: a viewer who reloads the page finds it running.
const LINGER: Duration = Duration::from_secs(5);

/// Make these run, and have a key frame in all of them for the same time.
pub(super) struct Together {
    pub(super) rungs: Vec<RungId>,
    /// What was planned last: that time, if it can still be kept, else later by the limit of key frames.
    pub(super) planned: Option<Duration>,
    /// Told that time, and how much later another is possible.
    pub(super) tell: oneshot::Sender<(Duration, Duration)>,
}

/// State changes of pipelines block, so one thread does them all, in order.
pub(super) enum Job {
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

/// The worker's own: rungs that run, and since when nobody reads them.
pub(super) struct Running {
    program: ProgramOut,
    jobs: mpsc::Sender<Job>,
    rungs: BTreeMap<RungId, Rung>,
    idle_since: BTreeMap<RungId, Instant>,
}

impl Running {
    pub(super) fn new(program: ProgramOut, jobs: mpsc::Sender<Job>) -> Self {
        Running {
            program,
            jobs,
            rungs: BTreeMap::new(),
            idle_since: BTreeMap::new(),
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.idle_since.values().min().map(|since| *since + LINGER)
    }

    pub(super) fn work(&mut self, inner: &Inner, job: Job, failed: &dyn Fn(StudioError)) {
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

    pub(super) fn end_idle(&mut self, inner: &Inner) {
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
