// SPDX-License-Identifier: GPL-3.0-or-later
//! Who comes in as a guest, by whichever door: WHIP, the join page, or signalling.
//!
//! Who has an invitation, or the key of one who was here before, comes to that seat. Who has the broadcaster's own
//! token (OBS, a script) takes the first seat that waits for nobody in particular; where there is none, a source is
//! made for them, which goes when they are gone for good.

use std::{
    collections::BTreeSet,
    sync::{Arc, Weak},
    time::Duration,
};

use axum::http::HeaderMap;
use parking_lot::Mutex;
use str0m::change::SdpOffer;

use super::{
    Control, Keys, door,
    guests::{Guests, NotReceived},
    webrtc::{SessionId, refused},
};
use crate::{
    error::ServeError,
    message::{Command, NewSource, Outcome, SourceId},
    settings::tokens::Scope,
    source::{
        AudioSpec, Spec, VideoSpec,
        guest::{Pass, Refused, Seats, Visitor},
    },
};

/// A program whose connection broke comes back within this time, or its source is removed.
const GONE_FOR_GOOD: Duration = Duration::from_secs(30);

/// By what right somebody wants to come in.
#[derive(Debug, Clone)]
pub(super) enum Right {
    /// The broadcaster's own token.
    Own,
    /// An invitation, or a key.
    Word(String),
}

/// One who came in.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) session: SessionId,
    pub(super) answer: String,
    /// For coming back; told once.
    pub(super) key: Option<String>,
}

/// The reception. Clones are handles of the same.
#[derive(Clone)]
pub(super) struct Reception(Arc<Inner>);

struct Inner {
    seats: Seats,
    guests: Guests,
    control: Control,
    keys: Keys,
    /// Sources made for programs with the broadcaster's token.
    made: Mutex<BTreeSet<SourceId>>,
}

impl Reception {
    /// Open it.
    pub(super) fn new(seats: Seats, guests: Guests, control: Control, keys: Keys) -> Self {
        Reception(Arc::new(Inner {
            seats,
            guests,
            control,
            keys,
            made: Mutex::default(),
        }))
    }

    /// Connections of guests.
    pub(super) fn guests(&self) -> &Guests {
        &self.0.guests
    }

    /// By what right a request comes, if by any.
    pub(super) fn right(&self, headers: &HeaderMap) -> Result<Right, Refused> {
        self.right_by(door::bearer(headers).ok_or(Refused::Unknown)?)
    }

    /// The same for a word that came in another way than as a header.
    pub(super) fn right_by(&self, word: &str) -> Result<Right, Refused> {
        if self.0.keys.scope(word) == Some(Scope::Control) {
            return Ok(Right::Own);
        }
        self.0.seats.check(word)?;
        Ok(Right::Word(word.to_string()))
    }

    /// Let somebody in who offers this.
    pub(super) async fn receive(
        &self,
        right: Right,
        offer: String,
        visitor: Visitor,
    ) -> Result<Received, NotReceived> {
        match right {
            Right::Word(word) => self.seat(Pass::Word(word), offer, visitor).await,
            Right::Own => {
                // No source is made for what cannot be used.
                SdpOffer::from_sdp_string(&offer).map_err(refused)?;
                if let Some(id) = self.0.seats.vacant() {
                    let came = self.seat(Pass::Place(id), offer.clone(), visitor.clone());
                    match came.await {
                        // Somebody was faster.
                        Err(NotReceived::Refused(Refused::Taken)) => (),
                        done => return done,
                    }
                }
                let id = self.make().await?;
                let came = self.seat(Pass::Place(id), offer, visitor).await;
                match &came {
                    Ok(_) => drop(tokio::spawn(keep(Arc::downgrade(&self.0), id))),
                    Err(_) => self.0.remove(id).await,
                }
                came
            }
        }
    }

    async fn seat(
        &self,
        pass: Pass,
        offer: String,
        visitor: Visitor,
    ) -> Result<Received, NotReceived> {
        let seats = self.0.seats.clone();
        let told = Arc::new(Mutex::new(None));
        let tell = told.clone();
        let sit = Box::new(move || {
            let (sitting, key) = seats.sit(&pass, visitor)?;
            *tell.lock() = key;
            Ok(sitting)
        });
        let (session, answer) = self.0.guests.receive(offer, sit).await?;
        let key = told.lock().take();
        Ok(Received {
            session,
            answer,
            key,
        })
    }

    async fn make(&self) -> Result<SourceId, ServeError> {
        let new = Command::AddSource(NewSource {
            specs: vec![Spec::Video(VideoSpec::Guest), Spec::Audio(AudioSpec::Guest)],
            show: true,
            optional: false,
        });
        let made = (self.0.control)(new).await;
        let id = match made {
            Ok(Outcome::Added(ids)) => ids.first().copied(),
            Ok(Outcome::Done) => None,
            Err(e) => return Err(ServeError::NoSeat(e.to_string())),
        };
        let id = id.ok_or(ServeError::Ended)?;
        self.0.made.lock().insert(id);
        Ok(id)
    }

    /// The guest says good-bye; `false` if there is no such session.
    pub(super) async fn end(&self, session: SessionId) -> bool {
        let Some(id) = self.0.guests.end(session).await else {
            return false;
        };
        let made = self.0.made.lock().contains(&id);
        if made {
            self.0.remove(id).await;
        }
        true
    }
}

impl Inner {
    async fn remove(&self, id: SourceId) {
        if self.made.lock().remove(&id) {
            // It may have been removed by somebody else.
            let _ = (self.control)(Command::RemoveSource(id)).await;
        }
    }
}

/// Remove a source that was made for a program once that is gone for good.
async fn keep(inner: Weak<Inner>, id: SourceId) {
    let Some(seats) = inner.upgrade().map(|inner| inner.seats.clone()) else {
        return;
    };
    while seats.left(id).await {
        let back = tokio::time::timeout(GONE_FOR_GOOD, seats.taken(id)).await;
        if back.is_err() {
            break;
        }
    }
    if let Some(inner) = inner.upgrade() {
        inner.remove(id).await;
    }
}

/// For tests: a reception with a director of its own.
#[cfg(any(test, feature = "fuzzing"))]
#[allow(clippy::unwrap_used, reason = "for tests")]
pub(in crate::serve) mod rig {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::{settings::tokens::TokenBook, source::guest::Seat};

    pub(in crate::serve) const TOKEN: &str = "the broadcaster's";

    /// Seats that the reception made by command, by the source's number.
    pub(in crate::serve) type Made = Arc<Mutex<Vec<(SourceId, Seat)>>>;

    pub(in crate::serve) fn reception() -> (Reception, Seats, Made) {
        let seats = Seats::default();
        let made = Made::default();
        let control: Control = {
            let (seats, made) = (seats.clone(), made.clone());
            Arc::new(move |command| {
                #[expect(
                    clippy::wildcard_enum_match_arm,
                    reason = "any other command fails the test"
                )]
                let outcome = match command {
                    Command::AddSource(_) => {
                        let mut made = made.lock();
                        let id = 100 + made.len() as SourceId;
                        made.push((id, seats.open(&[id])));
                        Outcome::Added(vec![id])
                    }
                    Command::RemoveSource(id) => {
                        made.lock().retain(|(other, _)| *other != id);
                        Outcome::Done
                    }
                    other => panic!("{other:?}"),
                };
                Box::pin(async move { Ok(outcome) })
            })
        };
        let guests = Guests::start(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]).unwrap();
        let reception = Reception::new(
            seats.clone(),
            guests,
            control,
            Keys::new(TOKEN.into(), None, TokenBook::open(None).unwrap()),
        );
        (reception, seats, made)
    }
}
