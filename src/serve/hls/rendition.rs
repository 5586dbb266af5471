// SPDX-License-Identifier: GPL-3.0-or-later
//! One rendition: reads the muxer's chunks into a window, as long as somebody asks.

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    plan::Plan,
    window::{Found, Window},
};
use crate::{
    encode::{Encoders, Format, Lease, Packet, PacketFeed, RungId},
    fanout::{Join, Taken},
    message::MediaKind,
    mux::{Chunk, MuxLease, Muxes},
};

/// How long it goes on after the last request: several times the pause between two of one viewer.
const LINGER: Duration = Duration::from_secs(10);
/// Sound in a chunk is no earlier than this before its picture, for key frames are further apart.
const SOUND_LEADS: Duration = Duration::from_millis(450);
/// What the muxer's clock loses of a time.
const ROUNDED: Duration = Duration::from_millis(1);
/// Length of the first segment of sound alone.
const FIRST_OF_SOUND: Duration = Duration::from_millis(400);
/// Chunks taken at once.
const BATCH: usize = 32;

/// A size of the broadcast that viewers can choose.
pub(super) struct Rendition {
    pub(super) name: &'static str,
    pub(super) format: Format,
    window: Mutex<Window>,
    /// Changes with everything new in the window.
    told: watch::Sender<()>,
    /// When somebody asked for the last time.
    asked: watch::Sender<Option<Instant>>,
}

/// What is needed to make one.
#[derive(Clone)]
pub(super) struct Supplies {
    pub(super) muxes: Muxes,
    pub(super) encoders: Encoders,
    pub(super) on_air: watch::Receiver<bool>,
    /// Time of day at which the program began, the same for all renditions: players change between them by it.
    pub(super) zero: Arc<OnceLock<SystemTime>>,
    /// Where all of them are cut.
    pub(super) plan: Arc<Mutex<Plan>>,
    /// Held while one begins to be made.
    pub(super) joining: Arc<tokio::sync::Mutex<()>>,
}

impl Supplies {
    /// The rung of a rendition's picture.
    fn picture(&self, format: Format) -> Option<RungId> {
        let mut rungs = self.encoders.rungs_of(format).into_iter();
        rungs.find(|r| r.codec.media == MediaKind::Video)
    }

    /// Those of all renditions that somebody wants.
    fn pictures(&self) -> Vec<RungId> {
        let wanted = self.plan.lock().wanted();
        wanted.into_iter().filter_map(|f| self.picture(f)).collect()
    }
}

impl Rendition {
    pub(super) fn new(name: &'static str, format: Format) -> Arc<Self> {
        Arc::new(Rendition {
            name,
            format,
            window: Mutex::default(),
            told: watch::Sender::new(()),
            asked: watch::Sender::new(None),
        })
    }

    /// Somebody wants it.
    pub(super) fn ask(&self) {
        self.asked.send_replace(Some(Instant::now()));
    }

    /// Look into the window.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Window) -> T) -> T {
        look(&self.window.lock())
    }

    /// Look whenever there is something new, until it is what was looked for.
    pub(super) async fn wait<T>(&self, mut look: impl FnMut(&Window) -> Option<T>) -> T {
        let mut told = self.told.subscribe();
        loop {
            if let Some(found) = self.look(&mut look) {
                return found;
            }
            // The sender is our own.
            let _ = told.changed().await;
        }
    }

    /// Wait for what comes next.
    pub(super) async fn fetch(&self, find: impl Fn(&Window) -> Found) -> Found {
        self.wait(|window| match find(window) {
            Found::Soon => None,
            found @ (Found::Pieces(_) | Found::Nowhere) => Some(found),
        })
        .await
    }

    /// Follow the muxer whenever somebody asks, until the task is dropped.
    pub(super) async fn run(self: Arc<Self>, supplies: Supplies) {
        let mut asked = self.asked.subscribe();
        let mut on_air = supplies.on_air.clone();
        while asked.changed().await.is_ok() {
            supplies.plan.lock().want(self.format);
            tokio::select! {
                () = self.follow(&supplies) => (),
                () = self.idle() => (),
                _ = on_air.wait_for(|on| !on) => (),
            }
            supplies.plan.lock().forget(self.format);
            asked.mark_unchanged();
            self.window.lock().clear();
            self.told.send_replace(());
        }
    }

    /// Done when nobody has asked for a while.
    async fn idle(&self) {
        loop {
            let asked = self.asked.borrow().unwrap_or_else(Instant::now);
            let end = asked + LINGER;
            if Instant::now() >= end {
                return;
            }
            sleep_until(end).await;
        }
    }

    async fn follow(&self, supplies: &Supplies) {
        // Each round is one life of the muxer: it begins anew when the encoders do.
        while let Some(mut joined) = self.join(supplies).await {
            // Before the head is there, for with it may come more than one key frame.
            let mut feed = joined.muxer.stream().subscribe(Join::LastKey);
            let Some(head) = joined.muxer.stream().wait_head().await else {
                return;
            };
            self.window.lock().begin(head);
            let mut batch: Vec<Chunk> = Vec::with_capacity(BATCH);
            while feed.next_batch(&mut batch, BATCH).await {
                if let (None, Some(first)) = (&joined.living, batch.first()) {
                    // Any chunk of sound is a place to begin.
                    supplies
                        .plan
                        .lock()
                        .begin(first.pts, FIRST_OF_SOUND, vec![]);
                    joined.living = Some(Living::new(supplies));
                }
                for chunk in batch.iter_mut().filter(|chunk| chunk.key) {
                    if let Some(keys) = &mut joined.keys {
                        chunk.pts = keys.time_of(chunk.pts);
                    }
                }
                let (new, due) = self.take(supplies, &mut batch);
                if new {
                    self.told.send_replace(());
                }
                if let Some(at) = due {
                    supplies.encoders.plan_key_frames(supplies.pictures(), at);
                }
            }
        }
        // There is nothing that it could carry; the program may get it.
        std::future::pending().await
    }

    /// Whether there is something new to tell, and for when key frames are needed.
    fn take(&self, supplies: &Supplies, batch: &mut Vec<Chunk>) -> (bool, Option<Duration>) {
        let mut plan = supplies.plan.lock();
        let mut window = self.window.lock();
        let (mut new, mut due) = (false, None);
        for chunk in batch.drain(..) {
            let pts = chunk.pts;
            let zero = || SystemTime::now().checked_sub(pts);
            supplies
                .zero
                .get_or_init(|| zero().unwrap_or(SystemTime::UNIX_EPOCH));
            new |= window.take(chunk, &mut plan);
            due = plan.due(pts).or(due);
        }
        (new, due)
    }

    /// Begin to be made, with a key frame at the same time as all others that are wanted. `None` if there is nothing that
    /// it could carry.
    async fn join(&self, supplies: &Supplies) -> Option<Joined> {
        let settings = supplies.encoders.settings();
        let Some(mine) = supplies.picture(self.format) else {
            supplies
                .plan
                .lock()
                .set(settings.key_interval, Duration::ZERO);
            let muxer = supplies.muxes.lease(self.format)?;
            return Some(Joined {
                muxer,
                living: None,
                keys: None,
                _picture: None,
            });
        };
        let one_by_one = supplies.joining.lock().await;
        let (accepted, last, mut others) = {
            let mut plan = supplies.plan.lock();
            plan.set(
                settings.key_interval,
                Duration::from_secs(1) / settings.fps.max(1),
            );
            (plan.accept(self.format), plan.last(), plan.wanted())
        };
        others.retain(|format| *format != self.format);
        let (picture, keys, muxer);
        if accepted {
            picture = supplies.encoders.lease(mine)?;
            keys = Keys::of(&picture);
            muxer = supplies.muxes.lease(self.format)?;
        } else {
            let rungs = others.iter().filter_map(|f| supplies.picture(*f));
            let rungs = [mine].into_iter().chain(rungs).collect();
            // Those of the others run on for a while, so that they are there when the others join.
            let (leases, told) = supplies.encoders.lease_together(rungs, last);
            let mut leases = leases.into_iter();
            picture = leases.next()?;
            // Before the muxer, so that no key frame is missed that it gets.
            keys = Keys::of(&picture);
            muxer = supplies.muxes.lease(self.format)?;
            let (at, apart) = told.await.ok()?;
            drop(leases);
            let due = {
                let mut plan = supplies.plan.lock();
                plan.begin(at, apart, others);
                plan.due(at)
            };
            if let Some(at) = due {
                supplies.encoders.plan_key_frames(supplies.pictures(), at);
            }
        }
        let living = Some(Living::new(supplies));
        drop(one_by_one);
        Some(Joined {
            muxer,
            living,
            keys: Some(keys),
            _picture: Some(picture),
        })
    }
}

/// A rendition that is being made.
struct Joined {
    muxer: MuxLease,
    /// `None` until sound alone has come.
    living: Option<Living>,
    /// `None` for sound alone.
    keys: Option<Keys>,
    /// Keeps its encoder running when the muxer ends.
    _picture: Option<Lease>,
}

/// When the key frames of the picture were. A chunk of the muxer begins with the sound that comes with the picture, which
/// may be a little earlier, and not the same in each rendition.
struct Keys {
    feed: PacketFeed,
    batch: Vec<Packet>,
    times: VecDeque<Duration>,
}

impl Keys {
    fn of(picture: &Lease) -> Self {
        Keys {
            feed: picture.stream().subscribe(Join::LastKey),
            batch: vec![],
            times: VecDeque::new(),
        }
    }

    /// When the key frame was that is in a chunk of this time.
    fn time_of(&mut self, chunk: Duration) -> Duration {
        while let Taken::Items(_) = self.feed.poll(&mut self.batch, BATCH) {
            let keys = self.batch.drain(..).filter(|packet| packet.key);
            self.times.extend(keys.map(|packet| packet.pts));
        }
        let first = chunk.saturating_sub(ROUNDED);
        self.times.retain(|key| *key >= first);
        let key = self.times.front().copied();
        key.filter(|key| *key < chunk + SOUND_LEADS)
            .unwrap_or(chunk)
    }
}

/// Its place in the plan.
struct Living(Arc<Mutex<Plan>>);

impl Living {
    fn new(supplies: &Supplies) -> Self {
        supplies.plan.lock().join();
        Living(supplies.plan.clone())
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.0.lock().leave();
    }
}
