// SPDX-License-Identifier: GPL-3.0-or-later
//! Ties sockets and the leg to the protocol's handler.

use std::collections::HashMap;

use futures::{StreamExt, channel::mpsc::UnboundedSender};
use gst_plugin_webrtc_signalling::handlers::Handler;
use gst_plugin_webrtc_signalling_protocol as p;
use tokio::sync::{mpsc, watch};

use super::{
    FromSocket, PeerId,
    incoming::{Host, NO_RIGHT, Told},
    new_peer_id,
};
use crate::{
    audience::Who,
    error::ServeError,
    serve::{
        reception::{Reception, Right},
        webrtc::{Leg, SessionId},
    },
};

/// Sockets at one time; each costs memory only.
const SOCKETS: usize = 4096;
/// Sessions of one socket: a page may show the stream more than once.
const SESSIONS_PER_PEER: usize = 16;

/// Our addresses as messages of their own: webrtcbin of GStreamer 1.22 does not read those in a description.
pub(super) fn candidates(sdp: &p::SdpMessage) -> Vec<p::PeerMessageInner> {
    let (p::SdpMessage::Offer { sdp } | p::SdpMessage::Answer { sdp }) = sdp;
    let lines = sdp.lines().filter_map(|line| line.strip_prefix("a="));
    lines
        .filter(|line| line.starts_with("candidate:"))
        .map(|line| p::PeerMessageInner::Ice {
            // Its last words name the session, which this message does already.
            candidate: line.split(" ufrag ").next().unwrap_or(line).to_string(),
            sdp_m_line_index: 0,
        })
        .collect()
}

struct Peer {
    who: Who,
    /// By what right it may be a guest.
    right: Option<Right>,
    tell: mpsc::Sender<p::OutgoingMessage>,
}

/// Ties sockets and the leg to the protocol's handler.
struct Hub {
    leg: Leg,
    /// Our broadcast's name among the peers.
    me: PeerId,
    on_air: bool,
    handler: UnboundedSender<(PeerId, Option<p::IncomingMessage>)>,
    peers: HashMap<PeerId, Peer>,
    /// Sessions by the protocol's names: who watches, and the leg's name.
    sessions: HashMap<String, (PeerId, Option<SessionId>)>,
    names: HashMap<SessionId, String>,
    /// Guests.
    host: Host,
}

/// Run the hub until all handles and sockets are gone, or the leg is.
pub(super) async fn run(
    leg: Leg,
    reception: Reception,
    mut sockets: mpsc::Receiver<FromSocket>,
    mut air: watch::Receiver<bool>,
) {
    let (to_handler, input) = futures::channel::mpsc::unbounded();
    let mut handler = Handler::new(Box::pin(input));
    let mut ended = leg.ended();
    let mut guests_ended = reception.guests().ended();
    let mut hub = Hub {
        leg,
        me: new_peer_id(),
        on_air: false,
        handler: to_handler,
        peers: HashMap::new(),
        sessions: HashMap::new(),
        names: HashMap::new(),
        host: Host::new(reception),
    };
    hub.say(p::IncomingMessage::NewPeer);
    hub.tell(hub.host.me.clone(), Some(p::IncomingMessage::NewPeer));
    let now = *air.borrow_and_update();
    hub.set_air(now);
    loop {
        tokio::select! {
            from = sockets.recv() => match from {
                Some(from) => hub.socket(from),
                None => break,
            },
            out = handler.next() => match out {
                Some((peer, message)) if peer == hub.me => hub.producer(message).await,
                Some((peer, message)) if peer == hub.host.me => hub.hear(message),
                Some((peer, message)) => hub.deliver(&peer, message),
                None => break,
            },
            id = ended.recv() => match id {
                Some(id) => hub.lost(id),
                None => break,
            },
            id = guests_ended.recv() => match id {
                Some(id) => {
                    let told = hub.host.lost(id);
                    hub.pass_on(told);
                }
                None => break,
            },
            answered = hub.host.answered() => {
                let told = hub.host.answer(answered);
                hub.pass_on(told);
            }
            changed = air.changed() => match changed {
                Ok(()) => {
                    let now = *air.borrow_and_update();
                    hub.set_air(now);
                }
                Err(_) => break,
            },
        }
    }
    for (_, session) in hub.sessions.into_values() {
        if let Some(id) = session {
            hub.leg.end(id).await;
        }
    }
}

impl Hub {
    /// Tell the handler something, as the producer.
    fn say(&self, message: p::IncomingMessage) {
        self.tell(self.me.clone(), Some(message));
    }

    fn tell(&self, peer: PeerId, message: Option<p::IncomingMessage>) {
        // Its other end lives as long as the hub runs.
        let _ = self.handler.unbounded_send((peer, message));
    }

    /// What the handler tells the host of guests.
    fn hear(&mut self, message: p::OutgoingMessage) {
        let peers = &self.peers;
        let who = |peer: &str| peers.get(peer).map(|p| (p.who.clone(), p.right.clone()));
        let told = self.host.hear(message, who);
        self.pass_on(told);
    }

    fn pass_on(&mut self, told: impl IntoIterator<Item = Told>) {
        for told in told {
            match told {
                Told::Handler(message) => self.tell(self.host.me.clone(), Some(message)),
                Told::Peer(peer, message) => self.deliver(&peer, message),
            }
        }
    }

    fn deliver(&mut self, peer: &str, mut message: p::OutgoingMessage) {
        // Nor of guests.
        if let p::OutgoingMessage::List { producers } = &mut message {
            producers.retain(|producer| producer.id == self.me);
        }
        if let p::OutgoingMessage::PeerStatusChanged(status) = &message {
            // Viewers are not told of each other.
            let about = status.peer_id.as_deref();
            if about != Some(peer) && about != Some(self.me.as_str()) {
                return;
            }
        }
        let full = self
            .peers
            .get(peer)
            .is_some_and(|to| to.tell.try_send(message).is_err());
        if full {
            // The socket sees that nobody sends to it any more, and says that it went.
            self.peers.remove(peer);
        }
    }

    fn socket(&mut self, from: FromSocket) {
        match from {
            FromSocket::Came(id, (who, right), tell) => {
                // Dropping `tell` closes the socket.
                if self.peers.len() < SOCKETS {
                    self.peers.insert(id.clone(), Peer { who, right, tell });
                    self.tell(id, Some(p::IncomingMessage::NewPeer));
                }
            }
            FromSocket::Said(id, message) => match self.filter(&id, message) {
                Ok(Some(message)) => {
                    let then = match &message {
                        p::IncomingMessage::SetPeerStatus(status) => self.host.status(&id, status),
                        p::IncomingMessage::NewPeer
                        | p::IncomingMessage::StartSession(_)
                        | p::IncomingMessage::EndSession(_)
                        | p::IncomingMessage::Peer(_)
                        | p::IncomingMessage::List
                        | p::IncomingMessage::ListConsumers => None,
                    };
                    self.tell(id, Some(message));
                    self.pass_on(then);
                }
                Ok(None) => (),
                Err(details) => {
                    let details = details.into();
                    self.deliver(&id, p::OutgoingMessage::Error { details });
                }
            },
            FromSocket::Went(id) => {
                self.peers.remove(&id);
                self.host.gone(&id);
                self.tell(id, None);
            }
        }
    }

    /// What a socket may say. `None` is ignored, as too late or none of its business.
    fn filter(
        &self,
        peer: &str,
        message: p::IncomingMessage,
    ) -> Result<Option<p::IncomingMessage>, &'static str> {
        use p::IncomingMessage as In;
        let is_own = |session_name: &String| {
            let session = self.sessions.get(session_name);
            session.is_some_and(|(consumer, _)| consumer == peer)
                || self.host.is_with(session_name, peer)
        };
        match message {
            In::NewPeer => Err("You are a peer already."),
            In::SetPeerStatus(status) if status.consuming() => {
                Err("This server starts no sessions; you may be a listener.")
            }
            In::SetPeerStatus(status) if status.producing() => {
                let may = self.peers.get(peer).is_some_and(|p| p.right.is_some());
                match may {
                    true => Ok(Some(In::SetPeerStatus(status))),
                    false => Err(NO_RIGHT),
                }
            }
            In::SetPeerStatus(status) => {
                // Nobody else sees it, so there is no need to keep what it says of itself.
                let status = p::PeerStatus {
                    meta: None,
                    ..status
                };
                Ok(Some(In::SetPeerStatus(status)))
            }
            In::StartSession(start) if start.peer_id != self.me => {
                Err("There is no such producer.")
            }
            In::StartSession(start) => {
                let sessions = self.sessions.values();
                if sessions.filter(|(consumer, _)| consumer == peer).count() >= SESSIONS_PER_PEER {
                    return Err("You have too many sessions.");
                }
                Ok(Some(In::StartSession(start)))
            }
            In::EndSession(end) => Ok(is_own(&end.session_id).then_some(In::EndSession(end))),
            In::Peer(message) => Ok(is_own(&message.session_id).then_some(In::Peer(message))),
            In::List | In::ListConsumers => Ok(Some(message)),
        }
    }

    fn set_air(&mut self, on: bool) {
        self.on_air = on;
        let role = on.then_some(p::PeerRole::Producer);
        self.say(p::IncomingMessage::SetPeerStatus(p::PeerStatus {
            roles: role.into_iter().collect(),
            meta: Some(serde_json::json!({ "name": "Aerial" })),
            peer_id: None,
        }));
        if !on {
            // The handler tells its viewers; those who came by WHEP, or are only connecting, end here too.
            self.names.clear();
            self.sessions.clear();
            self.leg.end_all();
        }
    }

    /// What the handler tells our broadcast.
    async fn producer(&mut self, message: p::OutgoingMessage) {
        use p::OutgoingMessage as Out;
        match message {
            Out::StartSession {
                peer_id,
                session_id,
                offer,
            } => self.start(peer_id, session_id, offer).await,
            Out::Peer(p::PeerMessage {
                session_id,
                peer_message,
            }) => self.peer(session_id, peer_message).await,
            Out::EndSession(end) => {
                if let Some(id) = self.forget(&end.session_id) {
                    self.leg.end(id).await;
                }
            }
            Out::Error { details } => tracing::debug!(%details, "signalling"),
            Out::Welcome { .. }
            | Out::PeerStatusChanged(_)
            | Out::SessionStarted { .. }
            | Out::List { .. }
            | Out::ListConsumers { .. } => (),
        }
    }

    async fn start(&mut self, consumer: PeerId, session: String, offer: Option<String>) {
        let peer = self.peers.get(&consumer).filter(|_| self.on_air);
        let Some(peer) = peer else {
            return self.end(session);
        };
        let who = peer.who.clone();
        self.sessions
            .insert(session.clone(), (consumer.clone(), None));
        let made = match offer {
            Some(sdp) => self.leg.accept(sdp, who).await.map(|(id, sdp)| {
                let answer = p::SdpMessage::Answer { sdp };
                (id, answer)
            }),
            None => self.leg.offer(who).await.map(|(id, sdp)| {
                let offer = p::SdpMessage::Offer { sdp };
                (id, offer)
            }),
        };
        match made {
            Ok((id, sdp)) => {
                let candidates = candidates(&sdp);
                self.sessions.insert(session.clone(), (consumer, Some(id)));
                self.names.insert(id, session.clone());
                let sdp = p::PeerMessageInner::Sdp(sdp);
                for peer_message in std::iter::once(sdp).chain(candidates) {
                    self.say(p::IncomingMessage::Peer(p::PeerMessage {
                        session_id: session.clone(),
                        peer_message,
                    }));
                }
            }
            Err(e) => self.refuse(&consumer, session, &e),
        }
    }

    async fn peer(&mut self, session: String, message: p::PeerMessageInner) {
        let Some((consumer, Some(id))) = self.sessions.get(&session).cloned() else {
            return;
        };
        match message {
            p::PeerMessageInner::Ice { candidate, .. } => {
                // All tracks share one connection, so the line does not matter.
                self.leg.candidate(id, candidate).await;
            }
            p::PeerMessageInner::Sdp(p::SdpMessage::Answer { sdp }) => {
                if let Err(e) = self.leg.answer(id, sdp).await {
                    self.refuse(&consumer, session, &e);
                }
            }
            // The handler lets no viewer send one within a session.
            p::PeerMessageInner::Sdp(p::SdpMessage::Offer { .. }) => (),
        }
    }

    fn refuse(&mut self, consumer: &str, session: String, why: &ServeError) {
        let details = why.to_string();
        self.deliver(consumer, p::OutgoingMessage::Error { details });
        self.end(session);
    }

    /// The leg lost a session, or let it go.
    fn lost(&mut self, id: SessionId) {
        if let Some(session) = self.names.get(&id).cloned() {
            self.end(session);
        }
    }

    /// End a session that the leg does not have any more.
    fn end(&mut self, session_id: String) {
        self.forget(&session_id);
        self.say(p::IncomingMessage::EndSession(p::EndSessionMessage {
            session_id,
        }));
    }

    fn forget(&mut self, session: &str) -> Option<SessionId> {
        let (_, id) = self.sessions.remove(session)?;
        self.names.remove(&id?);
        id
    }
}
