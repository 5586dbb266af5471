// SPDX-License-Identifier: GPL-3.0-or-later
//! Whose datagram it is: all viewers share the sockets.

use std::{net::SocketAddr, time::Instant};

use str0m::{
    Input,
    ice::StunMessage,
    net::{Protocol, Receive},
};

use super::{LegThread, confined};
use crate::serve::webrtc::SessionId;

/// Addresses remembered of one viewer: a phone that changes networks has some, an attacker many.
const ADDRESSES: usize = 8;
/// Rounds of reading from the sockets before packets are looked at again.
const READ_ROUNDS: usize = 8;

impl LegThread {
    /// Take in what the sockets have.
    pub(super) fn read(&mut self) {
        let mut inbox = std::mem::take(&mut self.inbox);
        for _ in 0..READ_ROUNDS {
            if !self.wire.receive(&mut inbox) {
                break;
            }
            let now = Instant::now();
            for (source, destination, bytes) in inbox.datagrams() {
                self.datagram(source, destination, bytes, now);
            }
        }
        self.inbox = inbox;
    }

    fn datagram(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        bytes: &[u8],
        now: Instant,
    ) {
        let parse = || Receive::new(Protocol::Udp, source, destination, bytes);
        let Some(Ok(datagram)) = confined(parse) else {
            return;
        };
        if let Some(id) = self.route(source, bytes, &parse, now) {
            self.with(id, |session, around| session.receive(datagram, around, now));
        }
    }

    /// Whose datagram it is.
    fn route<'a, E>(
        &mut self,
        source: SocketAddr,
        bytes: &[u8],
        parse: &impl Fn() -> Result<Receive<'a>, E>,
        now: Instant,
    ) -> Option<SessionId> {
        // A connectivity check names its session, which counts for more than an address that may have been reused.
        if bytes.starts_with(&[0, 1])
            && let Ok(message) = StunMessage::parse(bytes)
            && let Some((ufrag, _)) = message.split_username()
        {
            let id = *self.by_ufrag.get(ufrag)?;
            self.learn(source, id);
            return Some(id);
        }
        if let Some(id) = self.by_address.get(&source) {
            return Some(*id);
        }
        // The reply to our first check, from one that has not checked us yet. Nothing else comes from strangers.
        if !bytes.starts_with(&[1]) {
            return None;
        }
        let mut unconnected = self.sessions.values().filter(|s| !s.is_connected());
        let input = Input::Receive(now, parse().ok()?);
        unconnected.find(|s| s.accepts(&input)).map(|s| s.id)
    }

    fn learn(&mut self, source: SocketAddr, id: SessionId) {
        let known = self.by_address.get(&source);
        if known == Some(&id) {
            return;
        }
        if let Some(former) = known.and_then(|id| self.sessions.get_mut(id)) {
            former.addresses.retain(|a| *a != source);
        }
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        if session.addresses.len() >= ADDRESSES {
            let oldest = session.addresses.remove(0);
            self.by_address.remove(&oldest);
        }
        session.addresses.push(source);
        self.by_address.insert(source, id);
    }
}
