// SPDX-License-Identifier: GPL-3.0-or-later
//! The task that keeps one source going: opens it, watches over it, and opens it again when it fails.

mod voice;
mod watcher;

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    AudioSpec, Changes, Device, Spec, VideoSpec,
    choice::Memory,
    frames::Expected,
    guest::Seat,
    open::{self, Deck, Open, Places, Said, Surroundings, device::unplugged},
};
use crate::{
    error::{PortalError, ScreenError, SourceError},
    message::{MediaKind, Playback, Progress, SourceState},
    output::Backoff,
    program::Input,
};

pub(super) use voice::Voice;
use watcher::{Closing, Watcher};

/// Devices need a moment after they appear.
const SETTLE: Duration = Duration::from_millis(300);
/// Until the next of a playlist follows one that cannot be played.
const PASS_OVER: Duration = Duration::from_secs(1);
/// How often a folder is looked for that is not there.
const FOLDER: Duration = Duration::from_secs(1);
/// A window that was closed is looked for this often: asking the X server costs nothing.
const WINDOW_LOOK: Duration = Duration::from_secs(1);

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
    /// Lets those who send pictures wait while it is not open.
    pub(super) _expected: Vec<Expected>,
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
            let retry_in = retry_in(&error, &mut delays);
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
        if matches!(ended, Ended::Failed(SourceError::Failed { .. })) {
            // Several changes may come: each provider of devices tells for itself.
            let gone = async {
                while self.around.watch.has(&device.id) {
                    changes.next().await;
                }
            };
            let _ = tokio::time::timeout(SETTLE, gone).await;
        }
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

/// When to try again without being asked, if ever.
fn retry_in(error: &SourceError, delays: &mut Backoff) -> Option<Duration> {
    match error {
        // Nobody is asked twice; and the rest cannot mend itself.
        SourceError::Portal(
            PortalError::Refused(_)
            | PortalError::Ended
            | PortalError::Still
            | PortalError::Failed { .. },
        )
        | SourceError::Screen(ScreenError::Outside { .. } | ScreenError::ByName(_)) => None,
        SourceError::Portal(PortalError::Absent(_) | PortalError::NoCamera)
        | SourceError::Screen(ScreenError::None | ScreenError::Lost(_)) => delays.next(),
        SourceError::Screen(ScreenError::NoWindow(_) | ScreenError::Closed | ScreenError::Busy) => {
            Some(WINDOW_LOOK)
        }
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
