// SPDX-License-Identifier: GPL-3.0-or-later
//! The task that keeps one source going: opens it, watches over it, and opens it again when it fails.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;

use super::{
    AudioSpec, Changes, Device, SourceNews, Spec, Told, VideoSpec,
    choice::Memory,
    guest::Seat,
    open::{self, Deck, Open, Places, Said, Surroundings, device::unplugged},
};
use crate::{
    error::{PortalError, ScreenError, SourceError},
    message::{MediaKind, Playback, Progress, SourceId, SourceState, SourceStatus},
    output::Backoff,
    program::Input,
};

/// A camera that gives no frame for this long is opened anew.
const STALL: Duration = Duration::from_secs(3);
/// A stream from elsewhere may take longer to recover by itself.
const LINK_STALL: Duration = Duration::from_secs(8);
/// Devices need a moment after they appear.
const SETTLE: Duration = Duration::from_millis(300);
/// Until the next of a playlist follows one that cannot be played.
const PASS_OVER: Duration = Duration::from_secs(1);
/// How often a folder is looked for that is not there.
const FOLDER: Duration = Duration::from_secs(1);
/// A window that was closed is looked for this often: asking the X server costs nothing.
const WINDOW_LOOK: Duration = Duration::from_secs(1);
/// How often the place in a file is read.
const LOOK: Duration = Duration::from_millis(250);

/// The state of one part, and who hears of its changes.
#[derive(Clone)]
pub(super) struct Voice {
    status: Arc<Mutex<SourceStatus>>,
    told: Told,
    /// The part was taken out: nobody is to hear of it any more.
    gone: Arc<AtomicBool>,
}

impl Voice {
    pub(super) fn new(status: SourceStatus, told: Told) -> Self {
        Voice {
            status: Arc::new(Mutex::new(status)),
            told,
            gone: Arc::default(),
        }
    }

    pub(super) fn id(&self) -> SourceId {
        self.status.lock().id
    }

    pub(super) fn status(&self) -> SourceStatus {
        self.status.lock().clone()
    }

    /// Change it before anybody has heard of it.
    pub(super) fn quietly(&self, change: impl FnOnce(&mut SourceStatus)) {
        change(&mut self.status.lock());
    }

    /// Change it, and tell.
    pub(super) fn change(&self, change: impl FnOnce(&mut SourceStatus)) {
        self.quietly(change);
        self.announce();
    }

    pub(super) fn announce(&self) {
        if !self.is_gone() {
            (self.told)(SourceNews::Changed(Box::new(self.status())));
        }
    }

    /// Tell what was left out, or that all is well.
    pub(super) fn warn(&self, warning: Option<SourceError>) {
        if self.status.lock().warning != warning {
            self.change(|status| status.warning = warning);
        }
    }

    /// The last that is heard of it.
    pub(super) fn leave(&self) {
        if !self.gone.swap(true, Relaxed) {
            (self.told)(SourceNews::Removed(self.id()));
        }
    }

    fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }

    pub(super) fn tell(&self, state: SourceState) {
        let new = {
            let mut status = self.status.lock();
            let differs = status.state != state;
            status.state = state;
            differs
        };
        if new {
            self.announce();
        }
    }
}

/// What the task knows of one part. The place in the program belongs to the list of sources, so that a part can be
/// taken out while the other goes on.
pub(super) struct Part {
    pub(super) voice: Voice,
    pub(super) spec: Spec,
    pub(super) input: Weak<Input>,
}

/// Keeps one source going.
pub(super) struct Keeper {
    pub(super) parts: Vec<Part>,
    pub(super) around: Surroundings,
    pub(super) places: Places,
    /// What is not there need not be.
    pub(super) optional: bool,
    /// Where it is in its file.
    pub(super) progress: Arc<Mutex<Option<Progress>>>,
    /// Where a guest sits; taken away with the source.
    pub(super) seat: Option<Arc<Seat>>,
}

type Asked = mpsc::UnboundedReceiver<(Playback, oneshot::Sender<bool>)>;

/// Why a source is opened anew, or not.
enum Ended {
    /// It failed.
    Failed(SourceError),
    /// The next file of its list is to be opened.
    Next,
    /// Somebody has made another microphone the system's default.
    Moved,
}

impl Keeper {
    pub(super) async fn run(self, stop: CancellationToken, mut asked: Asked) {
        tokio::select! {
            () = self.keep(&mut asked) => (),
            () = stop.cancelled() => (),
        }
    }

    fn tell(&self, state: SourceState) {
        for part in &self.parts {
            part.voice.tell(state.clone());
        }
    }

    fn text(&self) -> String {
        let first = self.parts.first();
        first.map(|p| p.spec.to_string()).unwrap_or_default()
    }

    fn hold(&self, on: bool) {
        let inputs = self.parts.iter().filter_map(|p| p.input.upgrade());
        inputs.for_each(|input| input.hold(on));
    }

    /// Open, watch over, and open again, for ever.
    async fn keep(&self, asked: &mut Asked) {
        let mut delays = Backoff::new();
        let deck = self.parts.first().and_then(|p| Deck::of(&p.spec));
        let deck = deck.map(|deck| Arc::new(Mutex::new(deck)));
        let memory = Arc::new(Mutex::new(Memory::default()));
        let default = self.parts.iter().find(|p| p.spec == DEFAULT_MICROPHONE);
        let _following = default.map(|_| self.around.watch.follow_default());
        loop {
            self.tell(SourceState::Starting);
            let mut changes = self.around.watch.changes();
            // Opening may take as long as a person needs for an answer.
            let opened = tokio::select! {
                opened = self.open(deck.clone(), memory.clone()) => opened,
                () = not_now(asked), if deck.is_none() => continue,
            };
            let ended = match opened {
                Ok((open, said)) => {
                    let mut closing = Closing(Some(open));
                    let mut watcher = Watcher {
                        keeper: self,
                        said,
                        asked,
                        deck: deck.as_deref(),
                        memory: &memory,
                        delays: &mut delays,
                    };
                    let ended = watcher.watch_over(&mut closing, &mut changes).await;
                    let device = closing.device();
                    closing.close().await;
                    self.after_device(ended, device, &mut changes, &memory)
                        .await
                }
                Err(error) => Ended::Failed(error),
            };
            let error = match ended {
                Ended::Next | Ended::Moved => continue,
                Ended::Failed(error) => error,
            };
            let retry_in = match &error {
                // Nobody is asked twice; and the rest cannot mend itself.
                SourceError::Portal(
                    PortalError::Refused(_) | PortalError::Ended | PortalError::Failed { .. },
                )
                | SourceError::Screen(ScreenError::Outside { .. } | ScreenError::ByName(_)) => None,
                SourceError::Portal(PortalError::Absent(_) | PortalError::NoCamera)
                | SourceError::Screen(ScreenError::None | ScreenError::Lost(_)) => delays.next(),
                SourceError::Screen(
                    ScreenError::NoWindow(_) | ScreenError::Closed | ScreenError::Busy,
                ) => Some(WINDOW_LOOK),
                // Only a change of the list of devices can help, or of the file, or somebody's word.
                SourceError::NoDevice { .. }
                | SourceError::NoDeviceAtAll(_)
                | SourceError::Unplugged { .. }
                | SourceError::NotMedia { .. }
                | SourceError::NothingPiped
                | SourceError::BadPicture { .. }
                | SourceError::InputEnded { .. }
                | SourceError::GuestLeft(_)
                | SourceError::Finished(_) => None,
                // Looking costs nothing.
                SourceError::NoFolder(_) => Some(FOLDER),
                SourceError::Stalled(_)
                | SourceError::InputTaken
                | SourceError::FileGone(_)
                | SourceError::StreamEnded(_)
                | SourceError::StreamStalled(_)
                | SourceError::Failed { .. }
                | SourceError::Missing { .. } => delays.next(),
            };
            self.hold(false);
            for part in &self.parts {
                part.voice.quietly(|status| status.warning = None);
            }
            // What cannot be played is passed over, if there is something else.
            let retry_in = match &deck {
                Some(deck)
                    if deck.lock().is_list() && !matches!(error, SourceError::Finished(_)) =>
                {
                    deck.lock().turn(true);
                    Some(PASS_OVER)
                }
                Some(_) | None => retry_in,
            };
            self.tell(SourceState::Lost { error, retry_in });
            let wait = async {
                match retry_in {
                    Some(delay) => tokio::time::sleep(delay).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => (),
                () = self.plugged(&mut changes, &memory) => (),
                () = wanted_again(asked, deck.as_deref()) => (),
            }
        }
    }

    /// What to make of the end of a device: a device that fails as it is pulled out was pulled out, even if the list
    /// of devices says so a little later.
    async fn after_device(
        &self,
        ended: Ended,
        device: Option<Device>,
        changes: &mut Changes,
        memory: &Mutex<Memory>,
    ) -> Ended {
        let Some(device) = device else { return ended };
        let ended = match ended {
            Ended::Failed(SourceError::Failed { .. }) if self.around.watch.has(&device.id) => {
                // Several changes may come: each provider of devices tells for itself.
                let gone = async {
                    while self.around.watch.has(&device.id) {
                        changes.next().await;
                    }
                };
                let _ = tokio::time::timeout(SETTLE, gone).await;
                ended
            }
            Ended::Moved => {
                // A microphone that is pulled out stops being the default, too.
                tokio::time::sleep(SETTLE).await;
                ended
            }
            Ended::Failed(_) | Ended::Next => ended,
        };
        let there = self.around.watch.has(&device.id);
        let mut memory = memory.lock();
        self.around.watch.with(|now| match &ended {
            Ended::Moved if there && memory.moved(now) => memory.forget(),
            Ended::Moved | Ended::Next | Ended::Failed(_) => memory.lost(now),
        });
        match ended {
            Ended::Failed(SourceError::Failed { .. } | SourceError::Stalled(_)) | Ended::Moved
                if !there =>
            {
                Ended::Failed(unplugged(&device))
            }
            ended @ (Ended::Failed(_) | Ended::Next | Ended::Moved) => ended,
        }
    }

    /// Done when a device is there that this source may take.
    async fn plugged(&self, changes: &mut Changes, memory: &Mutex<Memory>) {
        let wanted = self.parts.iter().find_map(|p| match &p.spec {
            Spec::Video(VideoSpec::Camera(name)) => Some((MediaKind::Video, name.as_deref())),
            Spec::Audio(AudioSpec::Mic(name)) => Some((MediaKind::Audio, name.as_deref())),
            Spec::Video(_) | Spec::Audio(_) => None,
        });
        let Some((kind, name)) = wanted else {
            return std::future::pending().await;
        };
        loop {
            changes.next().await;
            tokio::time::sleep(SETTLE).await;
            let mut memory = memory.lock();
            if self.around.watch.choose(kind, name, &mut memory).is_some() {
                return;
            }
        }
    }

    async fn open(
        &self,
        deck: Option<Arc<Mutex<Deck>>>,
        memory: Arc<Mutex<Memory>>,
    ) -> Result<(Open, mpsc::UnboundedReceiver<Said>), SourceError> {
        if self.parts.iter().any(|p| p.spec.device_kind().is_some()) {
            self.around.watch.ready(Duration::from_secs(5)).await;
        }
        let (tell, said) = mpsc::unbounded_channel();
        let opening = open::Opening {
            around: self.around.clone(),
            places: self.places.clone(),
            tell,
            memory,
            deck,
            seat: self.seat.clone(),
        };
        let spec = self.parts.first().map(|p| p.spec.clone());
        let opened = tokio::task::spawn_blocking(move || match spec {
            Some(spec) => open::open(&spec, &opening),
            None => Err(SourceError::Failed {
                spec: String::new(),
                why: "there is nothing to open".into(),
            }),
        })
        .await;
        match opened {
            Ok(result) => result.map(|open| (open, said)),
            Err(e) => Err(SourceError::Failed {
                spec: self.text(),
                why: e.to_string(),
            }),
        }
    }
}

const DEFAULT_MICROPHONE: Spec = Spec::Audio(AudioSpec::Mic(None));

/// Refuses those who ask for something while the source is being opened. Never done.
async fn not_now(asked: &mut Asked) {
    while let Some((_, tell)) = asked.recv().await {
        let _ = tell.send(false);
    }
    // The source is being ended.
    std::future::pending().await
}

/// Done when somebody wants a file that has ended to play again, or a screen that was refused to be asked for again.
async fn wanted_again(asked: &mut Asked, deck: Option<&Mutex<Deck>>) {
    while let Some((what, tell)) = asked.recv().await {
        let Some(deck) = deck else {
            let again = what == Playback::Resume;
            let _ = tell.send(again);
            if again {
                return;
            }
            continue;
        };
        let again = deck.lock().while_closed(what);
        let _ = tell.send(true);
        if again {
            return;
        }
    }
    // The source is being ended.
    std::future::pending().await
}

/// Watches over one opening of the source.
struct Watcher<'a> {
    keeper: &'a Keeper,
    said: mpsc::UnboundedReceiver<Said>,
    asked: &'a mut Asked,
    deck: Option<&'a Mutex<Deck>>,
    memory: &'a Mutex<Memory>,
    delays: &'a mut Backoff,
}

impl Watcher<'_> {
    /// Done when the source has failed, or is to be opened anew.
    async fn watch_over(&mut self, closing: &mut Closing, changes: &mut Changes) -> Ended {
        let keeper = self.keeper;
        let device = closing.device();
        let stall = if self.deck.is_some() {
            LINK_STALL
        } else {
            STALL
        };
        let mut seen = 0;
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
                    Some(what) => if let Some(error) = self.heard(what, device.as_ref()) {
                        return Ended::Failed(error);
                    },
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
                    if quiet && let Some(error) = self.silent(device.as_ref(), closing.quiet()) {
                        return Ended::Failed(error);
                    }
                },
            }
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
                        (part.voice.told)(SourceNews::Absent(part.voice.id()));
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
                for part in &keeper.parts {
                    part.voice.warn(warning.clone());
                }
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
            open::After::Again => match closing.with(|open| open.rewind()).await {
                Some(true) => None,
                Some(false) | None => failed("it cannot start over"),
            },
            open::After::Next => Some(Ended::Next),
            open::After::Over(error) => Some(Ended::Failed(error)),
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
struct Closing(Option<Open>);

impl Closing {
    fn device(&self) -> Option<Device> {
        self.0.as_ref().and_then(|o| o.device.clone())
    }

    fn samples(&self) -> u64 {
        self.0.as_ref().map_or(0, |o| o.samples.load(Relaxed))
    }

    fn quiet(&self) -> Option<SourceError> {
        self.0.as_ref().and_then(|o| o.quiet.clone())
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

    async fn close(mut self) {
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
