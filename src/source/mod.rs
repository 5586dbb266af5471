// SPDX-License-Identifier: GPL-3.0-or-later
//! Where picture and sound come from.
//!
//! Every source is a pipeline of its own that hands raw samples to its place in the program, and a task (its keeper)
//! that watches over it: when it fails or its device is unplugged, its place shows the slate (or is silent), the state
//! says why, and the task tries again, for devices as soon as they are seen. The program never notices more than
//! missing frames.
//!
//! A file, a link or a guest gives picture and sound at once: one pipeline, two parts, each with its own number.

mod board;
mod choice;
pub mod frames;
pub mod guest;
mod keeper;
mod link;
mod open;
mod screens;
mod spec;
mod watch;
mod x11;

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

pub(crate) use board::Board;
pub use frames::RawFormat;
pub use link::Link;
pub use screens::{Choice, choices};
pub use spec::{AudioSpec, Spec, VideoSpec};
pub(crate) use watch::Changes;
pub use watch::Watch;

use crate::{
    error::StudioError,
    message::{MediaKind, NewSource, Playback, Progress, SourceId, SourceState, SourceStatus},
    program::{
        Input, Listening, Program,
        scene::{Framing, Strip},
    },
};
use keeper::{Keeper, Voice};
use open::Places;
pub(crate) use open::Surroundings;

/// A camera or microphone that is plugged in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Device {
    /// Picture or sound.
    pub kind: MediaKind,
    /// Stable id (PipeWire's node name, or the device's path).
    pub id: String,
    /// The name people know.
    pub name: String,
}

/// What the sources tell.
#[derive(Debug, Clone)]
pub(crate) enum SourceNews {
    Changed(Box<SourceStatus>),
    Removed(SourceId),
    /// This part turned out not to be there (a film without sound), and nobody insists on it.
    Absent(SourceId),
}

type Told = Arc<dyn Fn(SourceNews) + Send + Sync>;

/// The sources of the program.
pub(crate) struct Sources {
    runtime: Handle,
    around: Surroundings,
    told: Told,
    board: Board,
    next: SourceId,
    running: Vec<Running>,
}

/// One task and its parts: one, or picture and sound of one thing.
struct Running {
    parts: Vec<Part>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
    playback: mpsc::UnboundedSender<(Playback, oneshot::Sender<bool>)>,
}

/// One source as seen from outside.
struct Part {
    voice: Voice,
    spec: Spec,
    input: Arc<Input>,
    listening: Listening,
}

impl Part {
    fn id(&self) -> SourceId {
        self.voice.id()
    }
}

impl Sources {
    /// None yet. `told` hears of every change and must not wait.
    pub(crate) fn new(
        around: Surroundings,
        told: impl Fn(SourceNews) + Send + Sync + 'static,
    ) -> Self {
        Sources {
            runtime: around.runtime.clone(),
            around,
            told: Arc::new(told),
            board: Board::default(),
            next: 1,
            running: Vec::new(),
        }
    }

    /// What is there, for whoever wants to read it.
    pub(crate) fn board(&self) -> Board {
        self.board.clone()
    }

    /// Have these sources and no others, in this order. Those that stay are not touched. Returns all numbers, in the
    /// order of the specs.
    pub(crate) async fn set(
        &mut self,
        program: &Program,
        specs: Vec<Spec>,
    ) -> Result<Vec<SourceId>, StudioError> {
        let mut groups: Vec<Vec<Spec>> = Vec::new();
        for spec in specs {
            // Picture and sound of one thing come from one pipeline.
            let partner = groups
                .iter_mut()
                .find(|group| group.len() == 1 && group.iter().any(|other| other.goes_with(&spec)));
            match partner {
                Some(group) => group.push(spec),
                None => groups.push(vec![spec]),
            }
        }
        let mut before = std::mem::take(&mut self.running);
        let mut order = Vec::new();
        let mut refused = None;
        for specs in groups {
            let specs = whole(specs);
            let same = |r: &Running| {
                r.parts.len() == specs.len()
                    && specs.iter().all(|s| r.parts.iter().any(|p| p.spec == *s))
            };
            match before.iter().position(same) {
                Some(i) => {
                    let kept = before.remove(i);
                    order.extend(kept.parts.iter().map(Part::id));
                    self.running.push(kept);
                }
                // What has no place is left out; the rest is had all the same.
                None => match self.start(program, specs, false) {
                    Ok(ids) => order.extend(ids),
                    Err(error) => refused = refused.or(Some(error)),
                },
            }
        }
        for gone in before {
            self.end(gone).await;
        }
        self.board.order(&order);
        match refused {
            Some(error) => Err(error),
            None => Ok(order),
        }
    }

    /// Start one more. Returns the numbers of its parts.
    pub(crate) fn add(
        &mut self,
        program: &Program,
        new: NewSource,
    ) -> Result<Vec<SourceId>, StudioError> {
        self.start(program, whole(new.specs), new.optional)
    }

    /// End the source of this number. The other half of a file goes on; a guest goes as a whole.
    pub(crate) async fn remove(&mut self, id: SourceId) -> bool {
        let Some(i) = self.position(id) else {
            return false;
        };
        let running = &mut self.running[i];
        let whole =
            running.parts.len() == 1 || running.parts.iter().any(|p| p.spec.other_half().is_some());
        if whole {
            let gone = self.running.remove(i);
            self.end(gone).await;
        } else if let Some(n) = running.parts.iter().position(|p| p.id() == id) {
            let part = running.parts.remove(n);
            for left in &running.parts {
                left.voice.change(|status| status.partner = None);
            }
            self.leave(vec![part]).await;
        }
        true
    }

    /// Move a source in the list; `false` if there is none of that number.
    pub(crate) fn reorder(&mut self, id: SourceId, place: usize) -> bool {
        self.board.move_to(id, place)
    }

    /// Fit the picture of this source to its place.
    pub(crate) fn frame(&mut self, id: SourceId, framing: Framing) -> Result<(), StudioError> {
        let part = self.part(id)?;
        if part.spec.kind() != MediaKind::Video {
            return Err(StudioError::NotForThis(part.spec.to_string()));
        }
        part.input.set_framing(framing);
        part.voice.change(|status| status.framing = framing);
        Ok(())
    }

    /// Mix the sound of this source in this way. May block for a moment: a loudspeaker is opened or closed.
    pub(crate) fn mix(&mut self, id: SourceId, strip: Strip) -> Result<(), StudioError> {
        let mut parts = self.running.iter().flat_map(|r| &r.parts);
        let looped = parts.any(|p| p.spec == Spec::Audio(AudioSpec::Desktop));
        let part = self.part(id)?;
        if part.spec.kind() != MediaKind::Audio {
            return Err(StudioError::NotForThis(part.spec.to_string()));
        }
        let strip = strip.clamped();
        // What the loudspeaker plays is in the program already.
        if strip.solo && looped {
            return Err(StudioError::WouldLoop);
        }
        part.input.set_strip(strip, &mut part.listening);
        part.voice.change(|status| status.strip = strip);
        Ok(())
    }

    /// Pause, seek and the like.
    pub(crate) async fn play(&mut self, id: SourceId, what: Playback) -> Result<(), StudioError> {
        let i = self.position(id).ok_or(StudioError::NoSuchSource(id))?;
        let (tell, told) = oneshot::channel();
        let asked = self.running[i].playback.send((what, tell)).is_ok();
        match asked && told.await.unwrap_or(false) {
            true => Ok(()),
            false => Err(StudioError::NotForThis(self.part(id)?.spec.to_string())),
        }
    }

    /// End all.
    pub(crate) async fn end_all(&mut self) {
        for gone in std::mem::take(&mut self.running) {
            self.end(gone).await;
        }
    }

    fn position(&self, id: SourceId) -> Option<usize> {
        self.running
            .iter()
            .position(|r| r.parts.iter().any(|p| p.id() == id))
    }

    fn part(&mut self, id: SourceId) -> Result<&mut Part, StudioError> {
        self.running
            .iter_mut()
            .flat_map(|r| &mut r.parts)
            .find(|p| p.id() == id)
            .ok_or(StudioError::NoSuchSource(id))
    }

    fn start(
        &mut self,
        program: &Program,
        specs: Vec<Spec>,
        optional: bool,
    ) -> Result<Vec<SourceId>, StudioError> {
        if specs.contains(&Spec::Audio(AudioSpec::Desktop)) {
            self.stop_listening();
        }
        let mut places = Places::default();
        let mut parts = Vec::new();
        let ids: Vec<SourceId> = (self.next..).take(specs.len()).collect();
        self.next += specs.len() as SourceId;
        for (spec, id) in specs.into_iter().zip(&ids) {
            let Some(input) = program.input(*id, spec.kind()) else {
                // A broadcast of sound only takes the sound of a film.
                if optional || spec.other_half().is_some() {
                    continue;
                }
                return Err(StudioError::NoTrack(match spec.kind() {
                    MediaKind::Video => "picture",
                    MediaKind::Audio => "sound",
                }));
            };
            match spec.kind() {
                MediaKind::Video => places.video = Some(input.pusher()),
                MediaKind::Audio => places.audio = Some(input.pusher()),
            }
            let status = SourceStatus {
                id: *id,
                kind: spec.kind(),
                spec: spec.to_string(),
                state: SourceState::Starting,
                warning: None,
                partner: None,
                framing: Framing::default(),
                strip: Strip::default(),
            };
            parts.push(Part {
                voice: Voice::new(spec.clone(), status, self.told.clone()),
                spec,
                input: Arc::new(input),
                listening: Listening::default(),
            });
        }
        if parts.is_empty() {
            return Err(StudioError::NoTrack("track for it"));
        }
        let ids: Vec<SourceId> = parts.iter().map(Part::id).collect();
        if let [a, b] = parts.as_slice() {
            a.voice.quietly(|status| status.partner = Some(b.id()));
            b.voice.quietly(|status| status.partner = Some(a.id()));
        }
        let is_guest = parts.iter().any(|p| p.spec.other_half().is_some());
        let seat = is_guest.then(|| Arc::new(self.around.seats.open(&ids)));
        let expected = parts.iter().filter_map(|part| match &part.spec {
            Spec::Video(VideoSpec::Frames(name)) => Some(self.around.inboxes.expect(name)),
            Spec::Video(_) | Spec::Audio(_) => None,
        });
        let expected = expected.collect();
        let progress = Arc::new(Mutex::new(None::<Progress>));
        for part in &parts {
            self.board.add(&part.voice, &part.input, &progress);
            part.voice.announce();
        }
        let stop = CancellationToken::new();
        let (playback, asked) = mpsc::unbounded_channel();
        let keeper = Keeper {
            parts: parts
                .iter()
                .map(|p| keeper::Part {
                    voice: p.voice.clone(),
                    spec: p.spec.clone(),
                    input: Arc::downgrade(&p.input),
                })
                .collect(),
            around: self.around.clone(),
            places,
            optional,
            progress,
            seat,
            _expected: expected,
        };
        let task = self.runtime.spawn(keeper.run(stop.clone(), asked));
        self.running.push(Running {
            parts,
            stop,
            task: Some(task),
            playback,
        });
        Ok(ids)
    }

    /// Nobody listens to a source any more: the sound of this computer goes on air, and would have it in it again.
    fn stop_listening(&mut self) {
        for part in self.running.iter_mut().flat_map(|r| &mut r.parts) {
            let strip = part.voice.status().strip;
            if strip.solo {
                let strip = Strip {
                    solo: false,
                    ..strip
                };
                part.input.set_strip(strip, &mut part.listening);
                part.voice.change(|status| status.strip = strip);
            }
        }
    }

    async fn end(&self, mut gone: Running) {
        gone.stop.cancel();
        if let Some(task) = gone.task.take() {
            let _ = task.await;
        }
        self.leave(std::mem::take(&mut gone.parts)).await;
    }

    /// Give up the places of these parts.
    async fn leave(&self, parts: Vec<Part>) {
        let voices: Vec<Voice> = parts.iter().map(|p| p.voice.clone()).collect();
        for voice in &voices {
            self.board.remove(voice.id());
        }
        // Giving up a place in the mixer may block.
        let _ = tokio::task::spawn_blocking(move || drop(parts)).await;
        voices.iter().for_each(Voice::leave);
    }
}

/// A guest has both halves, whichever was named.
fn whole(mut specs: Vec<Spec>) -> Vec<Spec> {
    if let [one] = specs.as_slice()
        && let Some(half) = one.other_half()
    {
        specs.push(half);
    }
    // The picture first, so that its opener is the one that is asked.
    specs.sort_by_key(|s| s.kind() as u8);
    specs
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
