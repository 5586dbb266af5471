// SPDX-License-Identifier: GPL-3.0-or-later
//! The WebRTC leg: all viewers on one thread, fed from the one encode.
//!
//! ```text
//! packets (full, low, sound) ──▶ payloads, made once ──▶ session, session, session … ──▶ UDP, in batches
//!                                                          ▲ the size its line carries, own headers, encryption, repeats
//! Leg (handle) ──commands──▶ thread ──ended──▶ whoever asked
//! ```
//!
//! There are two sizes of the picture, each encoded once and only while a session needs it. What is sent to a session is
//! paced by an estimate of its line; `choice` says when it changes over to the other size, which it does with a key frame of
//! that. A session is a viewer in the audience from
//! the moment it is connected until it is dropped, for whatever reason. No STUN server is asked: viewers reach us at
//! our own addresses, and those that hide theirs are heard from.

mod choice;
pub(in crate::serve) mod cipher;
mod feed;
mod payload;
#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(test), allow(dead_code))]
#[allow(clippy::unwrap_used, reason = "for tests")]
pub(in crate::serve) mod rig;
mod session;
pub(in crate::serve) mod socket;
#[cfg(test)]
mod tests;
mod thread;
mod tracks;

use std::{fmt, net::IpAddr, str::FromStr};

use tokio::sync::mpsc;

use super::worker::{Reply, Worker};
use crate::{audience::Audience, audience::Who, encode::Encoders, error::ServeError};
pub(in crate::serve) use choice::Wish;
pub(in crate::serve) use session::refused;
use socket::Wire;
pub(in crate::serve) use thread::confined;

/// A session's name: not to be guessed, so that knowing it is the right to end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(u128);

impl SessionId {
    /// A new one.
    pub(in crate::serve) fn random() -> Self {
        SessionId(rand::random())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Words that are no session's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("That is not the name of a session.")]
pub struct NoSessionId;

impl FromStr for SessionId {
    type Err = NoSessionId;

    fn from_str(s: &str) -> Result<Self, NoSessionId> {
        let hex = s.len() == 32 && s.bytes().all(|b| b.is_ascii_hexdigit());
        let number = u128::from_str_radix(s, 16).map_err(|_| NoSessionId);
        if hex {
            number.map(SessionId)
        } else {
            Err(NoSessionId)
        }
    }
}

enum Command {
    Offer(Who, Reply<Result<(SessionId, String), ServeError>>),
    Accept(String, Who, Reply<Result<(SessionId, String), ServeError>>),
    Answer(SessionId, String, Reply<Result<(), ServeError>>),
    Candidate(SessionId, String, Reply<bool>),
    Prefer(SessionId, Wish, Reply<bool>),
    End(SessionId, Reply<bool>),
    EndAll,
    Watch(mpsc::UnboundedSender<SessionId>),
    Listen(Vec<IpAddr>),
}

/// The handle. Clones are handles of the same; when the last is dropped, all sessions are told, and the thread and its
/// sockets end.
#[derive(Clone)]
pub struct Leg {
    worker: Worker<Command>,
    #[cfg(test)]
    addresses: std::sync::Arc<[std::net::SocketAddr]>,
}

impl Leg {
    /// Bind one UDP socket per address and start the thread.
    pub fn start(
        encoders: Encoders,
        audience: Audience,
        ips: Vec<IpAddr>,
    ) -> Result<Leg, ServeError> {
        let sockets = Wire::open(&ips)?;
        #[cfg(test)]
        let addresses = sockets.iter().filter_map(|s| s.local_addr().ok()).collect();
        let (commands, inbox) = mpsc::unbounded_channel();
        let thread = thread::spawn(encoders, audience, sockets, inbox)?;
        Ok(Leg {
            worker: Worker::new(commands, thread),
            #[cfg(test)]
            addresses,
        })
    }

    /// Where viewers reach it, by UDP.
    #[cfg(test)]
    pub fn addresses(&self) -> &[std::net::SocketAddr] {
        &self.addresses
    }

    /// Make an offer for a viewer. It is to be answered within 20 s.
    pub async fn offer(&self, who: Who) -> Result<(SessionId, String), ServeError> {
        self.worker.ask(|reply| Command::Offer(who, reply)).await?
    }

    /// Answer a viewer's offer.
    pub async fn accept(&self, offer: String, who: Who) -> Result<(SessionId, String), ServeError> {
        self.worker
            .ask(|reply| Command::Accept(offer, who, reply))
            .await?
    }

    /// The viewer's answer to our offer. The session is ended if it cannot be used.
    pub async fn answer(&self, session: SessionId, answer: String) -> Result<(), ServeError> {
        self.worker
            .ask(|reply| Command::Answer(session, answer, reply))
            .await?
    }

    /// An address of the viewer (`candidate:…`); `false` if there is no such session. One that cannot be used is
    /// ignored.
    pub async fn candidate(&self, session: SessionId, candidate: String) -> bool {
        let tell = self
            .worker
            .ask(|reply| Command::Candidate(session, candidate, reply));
        tell.await.unwrap_or(false)
    }

    /// Send a viewer the picture of this size; `false` if there is no such session.
    pub(in crate::serve) async fn prefer(&self, session: SessionId, wish: Wish) -> bool {
        let prefer = |reply| Command::Prefer(session, wish, reply);
        self.worker.ask(prefer).await.unwrap_or(false)
    }

    /// End a session; `false` if there is none of that name.
    pub async fn end(&self, session: SessionId) -> bool {
        let end = self.worker.ask(|reply| Command::End(session, reply));
        end.await.unwrap_or(false)
    }

    /// End all sessions, connected or not: the broadcast is over.
    pub fn end_all(&self) {
        let _ = self.worker.send(Command::EndAll);
    }

    /// Be reachable at these addresses, for who comes from now on.
    pub(in crate::serve) fn listen(&self, ips: Vec<IpAddr>) {
        let _ = self.worker.send(Command::Listen(ips));
    }

    /// Sessions that end from now on, however they end. The channel closes with the leg.
    pub fn ended(&self) -> mpsc::UnboundedReceiver<SessionId> {
        let (tell, told) = mpsc::unbounded_channel();
        let _ = self.worker.send(Command::Watch(tell));
        told
    }
}
