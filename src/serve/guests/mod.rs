// SPDX-License-Identifier: GPL-3.0-or-later
//! Receiving by WebRTC: the connections of guests, on one thread with sockets of its own.
//!
//! ```text
//! UDP ─▶ session ─whole frames, still coded─▶ the guest's seat ─▶ source (decodes)
//!           ▲ requests for key frames, feedback about loss and bandwidth
//! ```
//!
//! The thread sleeps and has no socket while nobody is here. A session holds its guest's place at the seat: it ends
//! when the seat is taken away, and the guest has left when it ends.

#[cfg(test)]
pub(in crate::serve) mod rig;
mod session;
#[cfg(test)]
mod tests;
mod thread;

use std::net::IpAddr;

use tokio::sync::mpsc;

use super::{
    webrtc::SessionId,
    worker::{Reply, Worker},
};
use crate::{
    error::ServeError,
    message::SourceId,
    source::guest::{Refused, Sitting},
};

/// Takes the seat, once the offer is known to be good.
pub(super) type SitDown = Box<dyn FnOnce() -> Result<Sitting, Refused> + Send>;

/// Why a guest is not received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotReceived {
    /// The offer cannot be used, or nothing can be received now.
    Serve(ServeError),
    /// They may not sit down.
    Refused(Refused),
}

impl From<ServeError> for NotReceived {
    fn from(e: ServeError) -> Self {
        NotReceived::Serve(e)
    }
}

impl From<Refused> for NotReceived {
    fn from(e: Refused) -> Self {
        NotReceived::Refused(e)
    }
}

enum Command {
    Receive(
        String,
        SitDown,
        Reply<Result<(SessionId, String), NotReceived>>,
    ),
    Candidate(SessionId, String, Reply<bool>),
    End(SessionId, Reply<Option<SourceId>>),
    Watch(mpsc::UnboundedSender<SessionId>),
    Listen(Vec<IpAddr>),
}

/// The handle. Clones are handles of the same; when the last is dropped, all guests are told, and the thread ends.
#[derive(Clone)]
pub(super) struct Guests(Worker<Command>);

impl Guests {
    /// Start the thread. Guests will reach us at these addresses.
    pub(super) fn start(ips: Vec<IpAddr>) -> Result<Guests, ServeError> {
        let (commands, inbox) = mpsc::unbounded_channel();
        let thread = thread::spawn(ips, inbox)?;
        Ok(Guests(Worker::new(commands, thread)))
    }

    /// Answer a guest's offer. The seat is taken only if the offer can be used.
    pub(super) async fn receive(
        &self,
        offer: String,
        sit: SitDown,
    ) -> Result<(SessionId, String), NotReceived> {
        self.0
            .ask(|reply| Command::Receive(offer, sit, reply))
            .await?
    }

    /// An address of the guest (`candidate:…`); `false` if there is no such session. One that cannot be used is
    /// ignored.
    pub(super) async fn candidate(&self, session: SessionId, candidate: String) -> bool {
        let tell = self
            .0
            .ask(|reply| Command::Candidate(session, candidate, reply));
        tell.await.unwrap_or(false)
    }

    /// End a session; tells which source it was for, or `None` if there is no session of that name.
    pub(super) async fn end(&self, session: SessionId) -> Option<SourceId> {
        let end = self.0.ask(|reply| Command::End(session, reply));
        end.await.ok().flatten()
    }

    /// Be reachable at these addresses, for who comes from now on.
    pub(super) fn listen(&self, ips: Vec<IpAddr>) {
        let _ = self.0.send(Command::Listen(ips));
    }

    /// Sessions that end from now on, however they end. The channel closes with the thread.
    pub(super) fn ended(&self) -> mpsc::UnboundedReceiver<SessionId> {
        let (tell, told) = mpsc::unbounded_channel();
        let _ = self.0.send(Command::Watch(tell));
        told
    }
}
