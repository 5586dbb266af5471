// SPDX-License-Identifier: GPL-3.0-or-later
//! The seats, and who sits on them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
};

use parking_lot::Mutex;
use subtle::ConstantTimeEq;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Coded, GuestRow, Happening, Pass, Refused, Visitor};
use crate::message::SourceId;

/// Frames that wait to be decoded: about three seconds of picture and sound. More is out of date.
pub(super) const WAITING: usize = 256;
/// Invitations remembered after their use, so that the second who comes is told why.
const SPENT: usize = 256;

/// A secret that opens a seat.
fn word() -> String {
    let word = format!("{:032x}", rand::random::<u128>());
    crate::hush::hide(&word);
    word
}

fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// The seats of all guests. Clones are handles of the same.
#[derive(Clone, Default)]
pub struct Seats(Arc<Table>);

#[derive(Default)]
struct Table {
    seats: Mutex<Arrangement>,
    /// Counts who came and went.
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Arrangement {
    chairs: BTreeMap<SourceId, Chair>,
    spent: VecDeque<String>,
}

impl Arrangement {
    /// The chair of a picture or a sound.
    fn of(&self, id: SourceId) -> Option<&Chair> {
        self.chairs.values().find(|chair| chair.ids.contains(&id))
    }

    fn spend(&mut self, word: Option<String>) {
        if let Some(word) = word {
            self.spent.push_back(word);
            while self.spent.len() > SPENT {
                self.spent.pop_front();
            }
        }
    }
}

#[derive(Default)]
struct Chair {
    /// Numbers of its picture and its sound.
    ids: Vec<SourceId>,
    /// Not used yet.
    invitation: Option<String>,
    /// Of the guest who sat here by invitation.
    key: Option<String>,
    stage: Option<mpsc::Sender<Happening>>,
    link: Option<Arc<Link>>,
    /// Who sits or sat here.
    visitor: Visitor,
}

impl Chair {
    fn tell(&self, what: Happening) -> bool {
        self.stage
            .as_ref()
            .is_some_and(|stage| stage.send(what).is_ok())
    }
}

/// What the connection of a guest and the stage share.
#[derive(Debug, Default)]
pub(crate) struct Link {
    over: CancellationToken,
    wants_key: AtomicBool,
    waiting: AtomicUsize,
    numbers: Mutex<Numbers>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Numbers {
    rtt_ms: Option<u32>,
    bitrate: u64,
    loss: Option<f32>,
}

impl Link {
    /// Ask the guest for a picture that needs no other.
    pub(crate) fn want_key(&self) {
        self.wants_key.store(true, Relaxed);
    }

    /// A frame was taken from those that wait.
    pub(crate) fn taken(&self) {
        // More are never taken than were put.
        self.waiting.fetch_sub(1, Relaxed);
    }
}

/// A source's seat; taken away when dropped, and its guest sent home.
pub(crate) struct Seat {
    seats: Seats,
    id: SourceId,
}

/// A guest who sits; leaves when dropped.
pub(crate) struct Sitting {
    seats: Seats,
    id: SourceId,
    link: Arc<Link>,
}

impl Seats {
    /// A seat for the guest whose picture and sound have these numbers, with a new invitation. It is called after the
    /// first of them.
    pub(crate) fn open(&self, ids: &[SourceId]) -> Seat {
        let chair = Chair {
            ids: ids.to_vec(),
            invitation: Some(word()),
            ..Chair::default()
        };
        let id = ids.first().copied().unwrap_or_default();
        self.0.seats.lock().chairs.insert(id, chair);
        Seat {
            seats: self.clone(),
            id,
        }
    }

    /// The seat's invitation, while nobody used it.
    pub fn invitation(&self, id: SourceId) -> Option<String> {
        self.0.seats.lock().of(id)?.invitation.clone()
    }

    /// All of them, in the order of the seats.
    pub fn invitations(&self) -> Vec<String> {
        let seats = self.0.seats.lock();
        let chairs = seats.chairs.values();
        chairs.filter_map(|c| c.invitation.clone()).collect()
    }

    /// Whether this source has a seat.
    pub(crate) fn has(&self, id: SourceId) -> bool {
        self.0.seats.lock().of(id).is_some()
    }

    /// Make a new invitation; the one before is void. Who sits there goes on sitting until somebody comes with it.
    pub(crate) fn invite(&self, id: SourceId) -> Option<String> {
        let mut seats = self.0.seats.lock();
        let new = word();
        let mut chairs = seats.chairs.values_mut();
        let chair = chairs.find(|chair| chair.ids.contains(&id))?;
        let old = chair.invitation.replace(new.clone());
        seats.spend(old);
        Some(new)
    }

    /// A seat that waits for a guest and was given to nobody yet: the first of them.
    pub(crate) fn vacant(&self) -> Option<SourceId> {
        let seats = self.0.seats.lock();
        let mut chairs = seats.chairs.iter();
        let vacant = chairs.find(|(_, chair)| chair.link.is_none() && chair.key.is_none());
        vacant.map(|(id, _)| *id)
    }

    /// Whether this word would let somebody in.
    pub(crate) fn check(&self, given: &str) -> Result<(), Refused> {
        let seats = self.0.seats.lock();
        let opens = |word: &Option<String>| word.as_deref().is_some_and(|word| same(word, given));
        let mut chairs = seats.chairs.values();
        if chairs.any(|chair| opens(&chair.invitation) || opens(&chair.key)) {
            return Ok(());
        }
        Err(match seats.spent.iter().any(|word| same(word, given)) {
            true => Refused::Spent,
            false => Refused::Unknown,
        })
    }

    /// Let somebody sit down. One who was invited gets a key for coming back. Whoever sat there is sent home.
    pub(crate) fn sit(
        &self,
        pass: &Pass,
        visitor: Visitor,
    ) -> Result<(Sitting, Option<String>), Refused> {
        let mut seats = self.0.seats.lock();
        let opens = |word: &Option<String>, given: &str| {
            word.as_deref().is_some_and(|word| same(word, given))
        };
        let mut used = Vec::new();
        let mut key = None;
        let found = seats.chairs.iter_mut().find_map(|(id, chair)| match pass {
            Pass::Word(given) if opens(&chair.invitation, given) => {
                used.extend([chair.invitation.take(), chair.key.take()]);
                key = Some(word());
                chair.key.clone_from(&key);
                Some((*id, chair))
            }
            Pass::Word(given) if opens(&chair.key, given) => Some((*id, chair)),
            Pass::Place(place) if place == id && chair.link.is_none() && chair.key.is_none() => {
                used.push(chair.invitation.take());
                Some((*id, chair))
            }
            Pass::Word(_) | Pass::Place(_) => None,
        });
        let Some((id, chair)) = found else {
            return Err(match pass {
                Pass::Place(_) => Refused::Taken,
                Pass::Word(given) if seats.spent.iter().any(|word| same(word, given)) => {
                    Refused::Spent
                }
                Pass::Word(_) => Refused::Unknown,
            });
        };
        let link = Arc::new(Link::default());
        chair.visitor = visitor;
        if let Some(before) = chair.link.replace(link.clone()) {
            before.over.cancel();
        }
        chair.tell(Happening::Came(link.clone()));
        for word in used {
            seats.spend(word);
        }
        drop(seats);
        self.0.changed.send_modify(|n| *n += 1);
        let sitting = Sitting {
            seats: self.clone(),
            id,
            link,
        };
        Ok((sitting, key))
    }

    /// The guest who sits there, or sat there last.
    pub fn row(&self, id: SourceId) -> Option<GuestRow> {
        let seats = self.0.seats.lock();
        let chair = seats.of(id)?;
        if chair.visitor.name.is_empty() {
            return None;
        }
        let numbers = chair.link.as_ref().map(|link| *link.numbers.lock());
        let connected = numbers.is_some();
        let numbers = numbers.unwrap_or_default();
        Some(GuestRow {
            name: chair.visitor.name.clone(),
            address: chair.visitor.address.clone(),
            connected,
            rtt_ms: numbers.rtt_ms,
            bitrate: numbers.bitrate,
            loss: numbers.loss,
        })
    }

    /// Done when nobody sits there, and whether there still is such a seat.
    pub(crate) async fn left(&self, id: SourceId) -> bool {
        self.until(id, Option::is_none).await
    }

    /// Done when somebody sits there, and whether there still is such a seat.
    pub(crate) async fn taken(&self, id: SourceId) -> bool {
        self.until(id, Option::is_some).await
    }

    async fn until(&self, id: SourceId, test: fn(&Option<Arc<Link>>) -> bool) -> bool {
        let mut changes = self.0.changed.subscribe();
        loop {
            changes.mark_unchanged();
            match self.0.seats.lock().of(id) {
                Some(chair) if test(&chair.link) => return true,
                Some(_) => (),
                None => return false,
            }
            if changes.changed().await.is_err() {
                return false;
            }
        }
    }
}

impl Seat {
    /// From now on, what happens at the seat goes there. Somebody may be sitting already.
    pub(crate) fn stage(&self) -> (mpsc::Receiver<Happening>, Staged) {
        let (tell, told) = mpsc::channel();
        let mut seats = self.seats.0.seats.lock();
        if let Some(chair) = seats.chairs.get_mut(&self.id) {
            chair.stage = Some(tell);
            if let Some(link) = chair.link.clone() {
                // Of what waited for another stage, nothing comes any more.
                link.waiting.store(0, Relaxed);
                chair.tell(Happening::Came(link));
            }
        }
        let staged = Staged {
            seats: self.seats.clone(),
            id: self.id,
        };
        (told, staged)
    }
}

/// Nothing goes to the stage any more when this is dropped.
pub(crate) struct Staged {
    seats: Seats,
    id: SourceId,
}

impl Drop for Staged {
    fn drop(&mut self) {
        let mut seats = self.seats.0.seats.lock();
        if let Some(chair) = seats.chairs.get_mut(&self.id) {
            chair.stage = None;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.seats.0.seats.lock();
        if let Some(chair) = seats.chairs.remove(&self.id) {
            if let Some(link) = chair.link {
                link.over.cancel();
            }
            seats.spend(chair.invitation);
            seats.spend(chair.key);
        }
        drop(seats);
        self.seats.0.changed.send_modify(|n| *n += 1);
    }
}

impl Sitting {
    /// The source it is for.
    pub(crate) fn id(&self) -> SourceId {
        self.id
    }

    /// Hand on a frame. Never waits: `false` when it was dropped because too many wait already.
    pub(crate) fn push(&self, frame: Coded) -> bool {
        let seats = self.seats.0.seats.lock();
        let Some(chair) = seats.chairs.get(&self.id) else {
            return false;
        };
        let ours = |link: &Arc<Link>| Arc::ptr_eq(link, &self.link);
        if !chair.link.as_ref().is_some_and(ours) || self.link.waiting.load(Relaxed) >= WAITING {
            return false;
        }
        self.link.waiting.fetch_add(1, Relaxed);
        let told = chair.tell(Happening::Frame(frame));
        if !told {
            self.link.taken();
        }
        told
    }

    /// Whether the seat was taken away, or the same guest came in by another connection.
    pub(crate) fn is_over(&self) -> bool {
        self.link.over.is_cancelled()
    }

    /// Whether a picture is wanted that needs no other; asked once.
    pub(crate) fn wants_key(&self) -> bool {
        self.link.wants_key.swap(false, Relaxed)
    }

    /// Numbers for the lists; what is not known stays as it was.
    pub(crate) fn set_numbers(&self, rtt_ms: Option<u32>, bitrate: Option<u64>, loss: Option<f32>) {
        let mut numbers = self.link.numbers.lock();
        numbers.rtt_ms = rtt_ms.or(numbers.rtt_ms);
        numbers.bitrate = bitrate.unwrap_or(numbers.bitrate);
        numbers.loss = loss.or(numbers.loss);
    }
}

impl Drop for Sitting {
    fn drop(&mut self) {
        {
            let mut seats = self.seats.0.seats.lock();
            let chair = seats.chairs.get_mut(&self.id);
            let ours = |link: &Arc<Link>| Arc::ptr_eq(link, &self.link);
            // Replaced by another connection, there is nothing to tell.
            let Some(chair) = chair.filter(|c| c.link.as_ref().is_some_and(ours)) else {
                return;
            };
            chair.link = None;
            chair.tell(Happening::Left(chair.visitor.name.clone()));
        }
        self.seats.0.changed.send_modify(|n| *n += 1);
    }
}
