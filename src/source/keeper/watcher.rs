// SPDX-License-Identifier: GPL-3.0-or-later
//! Watches over one opening of a source.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::mpsc};

use super::{Asked, DEFAULT_MICROPHONE, Ended, Keeper, Part};
use crate::{
    error::SourceError,
    message::{MediaKind, Playback, SourceState},
    output::Backoff,
    source::{
        Changes, Device,
        choice::Memory,
        open::{After, Deck, Open, Said, device::unplugged},
    },
};

/// A camera that gives no frame for this long is opened anew.
const STALL: Duration = Duration::from_secs(3);
/// A stream from elsewhere may take longer to recover by itself.
const LINK_STALL: Duration = Duration::from_secs(8);
/// How often the place in a file is read.
const LOOK: Duration = Duration::from_millis(250);

/// Watches over one opening of the source.
pub(super) struct Watcher<'a> {
    pub(super) keeper: &'a Keeper,
    pub(super) said: mpsc::UnboundedReceiver<Said>,
    pub(super) asked: &'a mut Asked,
    pub(super) deck: Option<&'a Mutex<Deck>>,
    pub(super) memory: &'a Mutex<Memory>,
    pub(super) delays: &'a mut Backoff,
}

impl Watcher<'_> {
    /// Done when the source has failed, or is to be opened anew.
    pub(super) async fn watch_over(
        &mut self,
        closing: &mut Closing,
        changes: &mut Changes,
    ) -> Ended {
        let keeper = self.keeper;
        let device = closing.device();
        let stall = if self.deck.is_some() {
            LINK_STALL
        } else {
            STALL
        };
        let mut seen = 0;
        let still = closing.still();
        let mut watchdog = tokio::time::interval_at(tokio::time::Instant::now() + stall, stall);
        let mut look = tokio::time::interval(LOOK);
        if self.deck.is_some_and(|deck| deck.lock().paused) {
            keeper.hold(true);
        }
        loop {
            tokio::select! {
                what = self.said.recv() => match what {
                    Some(Said::End) => match self.at_end(closing).await {
                        Some(ended) => return ended,
                        None => continue,
                    },
                    Some(what) => {
                        if still.is_some() && matches!(what, Said::First(_)) {
                            self.warn(None);
                        }
                        if let Some(error) = self.heard(what, device.as_ref()) {
                            return Ended::Failed(error);
                        }
                    }
                    None => return Ended::Failed(SourceError::Failed {
                        spec: keeper.text(),
                        why: "it ended".into(),
                    }),
                },
                asked = self.asked.recv() => {
                    // Without anybody who could ask, the source is being ended.
                    let Some((what, tell)) = asked else { std::future::pending().await };
                    let (done, ended) = self.play(what, closing).await;
                    let _ = tell.send(done);
                    if let Some(ended) = ended {
                        return ended;
                    }
                },
                () = changes.next() => if let Some(device) = &device {
                    if !keeper.around.watch.has(&device.id) {
                        return Ended::Failed(unplugged(device));
                    }
                    let default = keeper.parts.iter().any(|p| p.spec == DEFAULT_MICROPHONE);
                    if default && keeper.around.watch.with(|now| self.memory.lock().moved(now)) {
                        return Ended::Moved;
                    }
                },
                _ = look.tick() => if let Some(deck) = self.deck {
                    let (position, duration) = closing.place().await;
                    *keeper.progress.lock() = Some(deck.lock().progress(position, duration));
                },
                _ = watchdog.tick() => {
                    let now = closing.samples();
                    let quiet = now == std::mem::replace(&mut seen, now);
                    if quiet && now == 0 && still.is_some() {
                        self.warn(still.as_ref());
                    } else if quiet && let Some(error) = self.silent(device.as_ref(), closing.quiet()) {
                        return Ended::Failed(error);
                    }
                },
            }
        }
    }

    /// Tell of what does not end it, or that all is well.
    fn warn(&self, warning: Option<&SourceError>) {
        for part in &self.keeper.parts {
            part.voice.warn(warning.cloned());
        }
    }

    /// The error, if it cannot go on after this.
    fn heard(&mut self, what: Said, device: Option<&Device>) -> Option<SourceError> {
        let keeper = self.keeper;
        match what {
            Said::First(kind) => {
                *self.delays = Backoff::new();
                for part in keeper.parts.iter().filter(|p| p.spec.kind() == kind) {
                    part.voice.tell(SourceState::Live);
                }
                None
            }
            Said::Missing(kind, error) => {
                let there = || keeper.parts.iter().filter(|p| !p.voice.is_gone());
                let missing = |p: &&Part| p.spec.kind() == kind;
                if there().all(|p| missing(&p)) {
                    return Some(error);
                }
                for part in there().filter(missing) {
                    if keeper.optional {
                        part.voice.absent();
                        continue;
                    }
                    let error = error.clone();
                    part.voice.tell(SourceState::Lost {
                        error,
                        retry_in: None,
                    });
                }
                None
            }
            Said::Warning(warning) => {
                self.warn(warning.as_ref());
                None
            }
            Said::Over(error) => {
                keeper.tell(SourceState::Ended(error));
                None
            }
            Said::Away(error) => {
                keeper.tell(SourceState::Lost {
                    error,
                    retry_in: None,
                });
                None
            }
            // A device that fails as it is pulled out was pulled out.
            Said::Failed(error) => Some(match device {
                Some(device) if !keeper.around.watch.has(&device.id) => unplugged(device),
                Some(_) | None => error,
            }),
            Said::End => None,
        }
    }

    /// No sample came for a while. The error, if that is one.
    fn silent(&self, device: Option<&Device>, quiet: Option<SourceError>) -> Option<SourceError> {
        match (device, self.deck) {
            (Some(device), _) if device.kind == MediaKind::Video => {
                Some(SourceError::Stalled(device.name.clone()))
            }
            (None, Some(deck)) => {
                let deck = deck.lock();
                (!deck.paused).then(|| SourceError::StreamStalled(deck.name()))
            }
            (None, None) => quiet,
            (Some(_), _) => None,
        }
    }

    /// The end of a file or stream. `None` if it goes on.
    async fn at_end(&self, closing: &mut Closing) -> Option<Ended> {
        let failed = |why: &str| {
            Some(Ended::Failed(SourceError::Failed {
                spec: self.keeper.text(),
                why: why.into(),
            }))
        };
        let Some(deck) = self.deck else {
            return failed("it ended");
        };
        let after = deck.lock().at_end();
        match after {
            After::Again => match closing.with(|open| open.rewind()).await {
                Some(true) => None,
                Some(false) | None => failed("it cannot start over"),
            },
            After::Next => Some(Ended::Next),
            After::Over(error) => Some(Ended::Failed(error)),
        }
    }

    /// Whether it could be done, and whether the source is to be opened anew for it.
    async fn play(&self, what: Playback, closing: &mut Closing) -> (bool, Option<Ended>) {
        let Some(deck) = self.deck else {
            return (false, None);
        };
        match what {
            Playback::Pause | Playback::Resume => {
                let pause = what == Playback::Pause;
                // Before the pictures stop, after they come again.
                if pause {
                    self.keeper.hold(true);
                }
                let done = closing.with(move |open| open.pause(pause)).await;
                if done != Some(true) {
                    self.keeper.hold(false);
                    return (false, None);
                }
                deck.lock().paused = pause;
                if !pause {
                    self.keeper.hold(false);
                }
                (true, None)
            }
            Playback::Seek(to) => {
                let done = closing.with(move |open| open.seek(to)).await;
                (done == Some(true), None)
            }
            Playback::Loop(on) => {
                deck.lock().looped = on;
                (true, None)
            }
            Playback::Next | Playback::Previous => {
                deck.lock().turn(what == Playback::Next);
                (true, Some(Ended::Next))
            }
        }
    }
}

/// An open source that is closed on a thread that may block, on every way out.
pub(super) struct Closing(pub(super) Option<Open>);

impl Closing {
    pub(super) fn device(&self) -> Option<Device> {
        self.0.as_ref().and_then(|o| o.device.clone())
    }

    fn samples(&self) -> u64 {
        self.0.as_ref().map_or(0, |o| o.samples.load(Relaxed))
    }

    fn quiet(&self) -> Option<SourceError> {
        self.0.as_ref().and_then(|o| o.quiet.clone())
    }

    fn still(&self) -> Option<SourceError> {
        self.0.as_ref().and_then(|o| o.still.clone())
    }

    /// Position and duration.
    async fn place(&mut self) -> (Duration, Option<Duration>) {
        self.with(|open| open.place()).await.unwrap_or_default()
    }

    /// Do something with it that may block.
    async fn with<T: Send + 'static>(
        &mut self,
        f: impl FnOnce(&Open) -> T + Send + 'static,
    ) -> Option<T> {
        let open = self.0.take()?;
        let (result, open) = tokio::task::spawn_blocking(move || (f(&open), open))
            .await
            .ok()?;
        self.0 = Some(open);
        Some(result)
    }

    pub(super) async fn close(mut self) {
        if let Some(open) = self.0.take() {
            let _ = tokio::task::spawn_blocking(move || drop(open)).await;
        }
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(open) = self.0.take() {
            // Inside a task there is a runtime; at its end, blocking is all right.
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn_blocking(move || drop(open))),
                Err(_) => drop(open),
            }
        }
    }
}
