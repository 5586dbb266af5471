// SPDX-License-Identifier: GPL-3.0-or-later
//! One rendition: reads the muxer's chunks into a window, as long as somebody asks.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::window::{Found, Window};
use crate::{
    encode::{Encoders, Format},
    fanout::Join,
    message::MediaKind,
    mux::{Chunk, Muxes},
};

/// How long it goes on after the last request: several times the pause between two of one viewer.
const LINGER: Duration = Duration::from_secs(10);
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
            tokio::select! {
                () = self.follow(&supplies) => (),
                () = self.idle() => (),
                _ = on_air.wait_for(|on| !on) => (),
            }
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
        while let Some(lease) = supplies.muxes.lease(self.format) {
            let rungs = supplies.encoders.rungs_of(self.format);
            let picture = rungs
                .into_iter()
                .find(|r| r.codec.media == MediaKind::Video);
            let picture = picture.and_then(|rung| supplies.encoders.lease(rung));
            let Some(head) = lease.stream().wait_head().await else {
                return;
            };
            let whole = picture
                .is_none()
                .then(|| supplies.encoders.settings().key_interval);
            let mut feed = lease.stream().subscribe(Join::LastKey);
            self.window.lock().begin(head, whole);
            let mut batch: Vec<Chunk> = Vec::with_capacity(BATCH);
            let mut asked_for_key = false;
            while feed.next_batch(&mut batch, BATCH).await {
                let (new, wants_key) = {
                    let mut window = self.window.lock();
                    let mut new = false;
                    for chunk in batch.drain(..) {
                        let zero = || SystemTime::now().checked_sub(chunk.pts);
                        supplies
                            .zero
                            .get_or_init(|| zero().unwrap_or(SystemTime::UNIX_EPOCH));
                        new |= window.take(chunk);
                    }
                    (new, window.wants_key())
                };
                if new {
                    self.told.send_replace(());
                }
                if let (true, false, Some(picture)) = (wants_key, asked_for_key, &picture) {
                    picture.request_key_frame();
                }
                asked_for_key = wants_key;
            }
        }
        // There is nothing that it could carry; the program may get it.
        std::future::pending().await
    }
}
