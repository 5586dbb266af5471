// SPDX-License-Identifier: GPL-3.0-or-later
//! Peers that produce: guests who come by signalling.
//!
//! Towards them the hub is a consumer, with a name of its own: it starts a session as soon as such a peer says that
//! it produces, the peer offers, and the reception answers. Nobody else hears of these peers.

use std::collections::HashMap;

use gst_plugin_webrtc_signalling_protocol as p;
use tokio::sync::mpsc;

use super::{PeerId, hub::candidates, new_peer_id};
use crate::{
    audience::Who,
    serve::{
        guests::NotReceived,
        reception::{Received, Reception, Right},
        webrtc::SessionId,
        whip,
    },
    source::guest::Visitor,
};

/// What the reception said to an offer within this session of the protocol.
type Answered = (String, Result<Received, NotReceived>);

/// What is to be told to the handler, as the host, or to a peer.
pub(super) enum Told {
    Handler(p::IncomingMessage),
    Peer(PeerId, p::OutgoingMessage),
}

/// A session with a peer that produces.
struct Incoming {
    peer: PeerId,
    guest: Guest,
    early: Vec<String>,
}

enum Guest {
    /// No offer yet.
    Expected,
    /// The reception looks at the offer.
    Asked,
    Here(SessionId),
}

/// The peers that produce, and their sessions.
pub(super) struct Host {
    /// The name under which sessions with them are started.
    pub(super) me: PeerId,
    reception: Reception,
    /// What they call themselves.
    names: HashMap<PeerId, Option<String>>,
    sessions: HashMap<String, Incoming>,
    tell: mpsc::UnboundedSender<Answered>,
    answered: mpsc::UnboundedReceiver<Answered>,
}

impl Host {
    pub(super) fn new(reception: Reception) -> Self {
        let (tell, answered) = mpsc::unbounded_channel();
        Host {
            me: new_peer_id(),
            reception,
            names: HashMap::new(),
            sessions: HashMap::new(),
            tell,
            answered,
        }
    }

    /// A peer says what it does; what is to be told the handler after that.
    pub(super) fn status(&mut self, peer: &str, status: &p::PeerStatus) -> Option<Told> {
        if !status.producing() {
            self.gone(peer);
            return None;
        }
        let name = status.meta.as_ref().and_then(|meta| {
            let name = ["name", "display-name", "displayName"]
                .iter()
                .find_map(|key| meta.get(key));
            name?.as_str().map(str::to_string)
        });
        let known = self.names.insert(peer.to_string(), name).is_some();
        let start = p::IncomingMessage::StartSession(p::StartSessionMessage {
            peer_id: peer.to_string(),
            offer: None,
        });
        (!known).then_some(Told::Handler(start))
    }

    /// A peer is not there any more, or stopped producing.
    pub(super) fn gone(&mut self, peer: &str) {
        self.names.remove(peer);
        let theirs = self.sessions.iter().filter(|(_, s)| s.peer == peer);
        for session in theirs.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.forget(&session);
        }
    }

    /// Whether this session is one with this peer.
    pub(super) fn is_with(&self, session: &str, peer: &str) -> bool {
        self.sessions.get(session).is_some_and(|s| s.peer == peer)
    }

    /// What the handler tells the host.
    pub(super) fn hear(
        &mut self,
        message: p::OutgoingMessage,
        who: impl Fn(&str) -> Option<(Who, Option<Right>)>,
    ) -> Option<Told> {
        use p::OutgoingMessage as Out;
        match message {
            Out::SessionStarted {
                peer_id,
                session_id,
            } => {
                let incoming = Incoming {
                    peer: peer_id,
                    guest: Guest::Expected,
                    early: Vec::new(),
                };
                self.sessions.insert(session_id, incoming);
                None
            }
            Out::EndSession(end) => {
                self.forget(&end.session_id);
                None
            }
            Out::Peer(p::PeerMessage {
                session_id,
                peer_message,
            }) => {
                let incoming = self.sessions.get_mut(&session_id)?;
                match peer_message {
                    p::PeerMessageInner::Ice { candidate, .. } => {
                        match incoming.guest {
                            Guest::Here(id) => {
                                let guests = self.reception.guests().clone();
                                tokio::spawn(async move { guests.candidate(id, candidate).await });
                            }
                            Guest::Expected | Guest::Asked => incoming.early.push(candidate),
                        }
                        None
                    }
                    p::PeerMessageInner::Sdp(p::SdpMessage::Offer { sdp }) => {
                        let Guest::Expected = incoming.guest else {
                            return Some(
                                self.refuse(&session_id, "Your session has begun already."),
                            );
                        };
                        let Some((who, Some(right))) = who(&incoming.peer) else {
                            return Some(self.refuse(&session_id, NO_RIGHT));
                        };
                        incoming.guest = Guest::Asked;
                        let name = self.names.get(&incoming.peer).cloned().flatten();
                        let visitor = Visitor::new(name.as_deref(), &who.agent, who.address);
                        let (reception, tell) = (self.reception.clone(), self.tell.clone());
                        // A seat may have to be made first: nobody else waits for that.
                        tokio::spawn(async move {
                            let received = reception.receive(right, sdp, visitor).await;
                            let lost = tell.send((session_id, received)).err();
                            if let Some(mpsc::error::SendError((_, Ok(received)))) = lost {
                                reception.end(received.session).await;
                            }
                        });
                        None
                    }
                    p::PeerMessageInner::Sdp(p::SdpMessage::Answer { .. }) => None,
                }
            }
            Out::Error { details } => {
                tracing::debug!(%details, "signalling");
                None
            }
            Out::Welcome { .. }
            | Out::PeerStatusChanged(_)
            | Out::StartSession { .. }
            | Out::List { .. }
            | Out::ListConsumers { .. } => None,
        }
    }

    /// The next word of the reception.
    pub(super) async fn answered(&mut self) -> Answered {
        match self.answered.recv().await {
            Some(answered) => answered,
            // One end is ours.
            None => std::future::pending().await,
        }
    }

    /// What to tell after that.
    pub(super) fn answer(&mut self, (session, answered): Answered) -> Vec<Told> {
        let Some(incoming) = self.sessions.get_mut(&session) else {
            // They went meanwhile.
            if let Ok(received) = answered {
                self.end(received.session);
            }
            return vec![];
        };
        match answered {
            Ok(received) => {
                let id = received.session;
                incoming.guest = Guest::Here(id);
                let guests = self.reception.guests().clone();
                let early = std::mem::take(&mut incoming.early);
                tokio::spawn(async move {
                    for candidate in early {
                        guests.candidate(id, candidate).await;
                    }
                });
                let answer = p::SdpMessage::Answer {
                    sdp: received.answer,
                };
                let candidates = candidates(&answer);
                std::iter::once(p::PeerMessageInner::Sdp(answer))
                    .chain(candidates)
                    .map(|peer_message| {
                        Told::Handler(p::IncomingMessage::Peer(p::PeerMessage {
                            session_id: session.clone(),
                            peer_message,
                        }))
                    })
                    .collect()
            }
            Err(NotReceived::Refused(why)) => {
                vec![self.refuse(&session, whip::words(why)), end(session)]
            }
            Err(NotReceived::Serve(why)) => {
                vec![self.refuse(&session, &why.to_string()), end(session)]
            }
        }
    }

    /// A guest's connection is over.
    pub(super) fn lost(&mut self, id: SessionId) -> Option<Told> {
        let is_it = |s: &Incoming| matches!(s.guest, Guest::Here(here) if here == id);
        let session = self.sessions.iter().find(|(_, s)| is_it(s));
        let session = session.map(|(name, _)| name.clone())?;
        self.sessions.remove(&session);
        Some(end(session))
    }

    fn refuse(&mut self, session: &str, words: &str) -> Told {
        let peer = self.sessions.get(session).map(|s| s.peer.clone());
        self.forget(session);
        let details = words.to_string();
        Told::Peer(
            peer.unwrap_or_default(),
            p::OutgoingMessage::Error { details },
        )
    }

    fn forget(&mut self, session: &str) {
        if let Some(Incoming {
            guest: Guest::Here(id),
            ..
        }) = self.sessions.remove(session)
        {
            self.end(id);
        }
    }

    fn end(&self, id: SessionId) {
        let reception = self.reception.clone();
        tokio::spawn(async move { reception.end(id).await });
    }
}

/// Words for one who may not produce.
pub(super) const NO_RIGHT: &str = "This server has one producer; you may be a listener. As a guest, come with an \
                                   invitation or the API token: ?token=TOKEN, or \"Authorization: Bearer TOKEN\".";

fn end(session_id: String) -> Told {
    Told::Handler(p::IncomingMessage::EndSession(p::EndSessionMessage {
        session_id,
    }))
}
