// SPDX-License-Identifier: GPL-3.0-or-later
//! `/signalling`: the protocol of gst-webrtc-signalling, for gstwebrtc-api and webrtcsrc.
//!
//! ```text
//! socket ──▶ filter ──▶┐                      ┌──▶ socket
//! socket ──▶ filter ──▶├─▶ hub ─▶ Handler ─▶──┼──▶ socket
//! the leg as producer ▶┘                      └──▶ the leg: offer, answer, candidates, end
//! ```
//!
//! Our broadcast is one producer, there while on the air. Peers on sockets watch: they may list, listen and start
//! sessions with it, and nothing else.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{
        ConnectInfo, Extension, State, WebSocketUpgrade,
        ws::{CloseCode, CloseFrame, Message, WebSocket, close_code},
    },
    http::HeaderMap,
    response::Response,
    routing::any,
};
use futures::{StreamExt, channel::mpsc::UnboundedSender};
use gst_plugin_webrtc_signalling::handlers::Handler;
use gst_plugin_webrtc_signalling_protocol as p;
use tokio::sync::{mpsc, watch};

use super::{
    webrtc::{Leg, SessionId},
    whep,
};
use crate::{audience::Who, error::ServeError};

/// An offer has some kilobytes.
const LONGEST_MESSAGE: usize = 128 << 10;
/// Messages that wait for one socket. A peer that does not read for so long is let go.
const WAITING: usize = 128;
/// Sockets at one time; each costs memory only.
const SOCKETS: usize = 4096;
/// Sessions of one socket: a page may show the stream more than once.
const SESSIONS_PER_PEER: usize = 16;
/// Keeps the connection open through routers that forget idle ones.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Three pings without a sign of life.
const SILENT_AT_MOST: Duration = Duration::from_secs(65);

type PeerId = String;

/// The signalling server. Clones are handles of the same; sockets are closed when all handles are gone.
#[derive(Clone)]
pub struct Signalling {
    hub: mpsc::Sender<FromSocket>,
}

enum FromSocket {
    Came(PeerId, Who, mpsc::Sender<p::OutgoingMessage>),
    Said(PeerId, p::IncomingMessage),
    Went(PeerId),
}

impl Signalling {
    /// Start the hub; inside a tokio runtime.
    pub fn start(leg: Leg, air: watch::Receiver<bool>) -> Signalling {
        let (hub, sockets) = mpsc::channel(256);
        tokio::spawn(run(leg, sockets, air));
        Signalling { hub }
    }

    /// The route `/signalling`. Requests should carry a `ConnectInfo<SocketAddr>` extension.
    pub fn routes<S>(self) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        Router::new()
            .route("/signalling", any(upgrade))
            .route("/signalling/", any(upgrade))
            .with_state(self)
    }
}

async fn upgrade(
    State(signalling): State<Signalling>,
    from: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let who = whep::who(
        &headers,
        from.map(|Extension(ConnectInfo(address))| address),
    );
    upgrade
        .max_message_size(LONGEST_MESSAGE)
        .max_frame_size(LONGEST_MESSAGE)
        .on_upgrade(move |socket| serve(socket, who, signalling.hub))
}

/// One socket, until either side ends it.
async fn serve(mut socket: WebSocket, who: Who, hub: mpsc::Sender<FromSocket>) {
    let id = format!("{:032x}", rand::random::<u128>());
    let (tell, mut told) = mpsc::channel(WAITING);
    let mut reason = (close_code::AWAY, "The broadcast has ended.");
    if hub
        .send(FromSocket::Came(id.clone(), who, tell))
        .await
        .is_ok()
    {
        reason = converse(&mut socket, &id, &hub, &mut told).await;
    }
    let (code, words): (CloseCode, &str) = reason;
    let close = CloseFrame {
        code,
        reason: words.into(),
    };
    // It may be gone already.
    let _ = send(&mut socket, Message::Close(Some(close))).await;
    let _ = hub.send(FromSocket::Went(id)).await;
}

async fn send(socket: &mut WebSocket, message: Message) -> bool {
    let sent = tokio::time::timeout(PING_EVERY, socket.send(message)).await;
    matches!(sent, Ok(Ok(())))
}

fn text(message: &p::OutgoingMessage) -> Message {
    let json = serde_json::to_string(message).expect("messages have only strings for keys");
    Message::text(json)
}

/// Why it ended.
async fn converse(
    socket: &mut WebSocket,
    id: &str,
    hub: &mpsc::Sender<FromSocket>,
    told: &mut mpsc::Receiver<p::OutgoingMessage>,
) -> (CloseCode, &'static str) {
    let mut heard = Instant::now();
    let mut ping = tokio::time::interval(PING_EVERY);
    loop {
        let reply = tokio::select! {
            said = socket.recv() => {
                heard = Instant::now();
                match said {
                    Some(Ok(Message::Text(json))) => match serde_json::from_str(&json) {
                        Ok(message) => {
                            if hub.send(FromSocket::Said(id.to_string(), message)).await.is_err() {
                                return (close_code::AWAY, "The broadcast has ended.");
                            }
                            continue;
                        }
                        Err(e) => text(&p::OutgoingMessage::Error {
                            details: format!("That message cannot be read: {e}."),
                        }),
                    },
                    Some(Ok(Message::Binary(_))) => text(&p::OutgoingMessage::Error {
                        details: "Messages are text (JSON).".into(),
                    }),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_))) | None => return (close_code::NORMAL, ""),
                    Some(Err(_)) => return (close_code::SIZE, "The message is too long or broken."),
                }
            }
            message = told.recv() => match message {
                Some(message) => text(&message),
                None => return (close_code::AWAY, "The broadcast has ended."),
            },
            _ = ping.tick() => {
                if heard.elapsed() > SILENT_AT_MOST {
                    return (close_code::AWAY, "Nothing was heard from you.");
                }
                Message::Ping(Default::default())
            }
        };
        if !send(socket, reply).await {
            return (close_code::AWAY, "You do not read.");
        }
    }
}

/// Our addresses as messages of their own: webrtcbin of GStreamer 1.22 does not read those in a description.
fn candidates(sdp: &p::SdpMessage) -> Vec<p::PeerMessageInner> {
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
}

/// Run the hub until all handles and sockets are gone, or the leg is.
async fn run(leg: Leg, mut sockets: mpsc::Receiver<FromSocket>, mut air: watch::Receiver<bool>) {
    let (to_handler, input) = futures::channel::mpsc::unbounded();
    let mut handler = Handler::new(Box::pin(input));
    let mut ended = leg.ended();
    let mut hub = Hub {
        leg,
        me: format!("{:032x}", rand::random::<u128>()),
        on_air: false,
        handler: to_handler,
        peers: HashMap::new(),
        sessions: HashMap::new(),
        names: HashMap::new(),
    };
    hub.say(p::IncomingMessage::NewPeer);
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
                Some((peer, message)) => hub.deliver(&peer, message),
                None => break,
            },
            id = ended.recv() => match id {
                Some(id) => hub.lost(id),
                None => break,
            },
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

    fn deliver(&mut self, peer: &str, message: p::OutgoingMessage) {
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
            FromSocket::Came(id, who, tell) => {
                // Dropping `tell` closes the socket.
                if self.peers.len() < SOCKETS {
                    self.peers.insert(id.clone(), Peer { who, tell });
                    self.tell(id, Some(p::IncomingMessage::NewPeer));
                }
            }
            FromSocket::Said(id, message) => match self.filter(&id, message) {
                Ok(Some(message)) => self.tell(id, Some(message)),
                Ok(None) => (),
                Err(details) => {
                    let details = details.into();
                    self.deliver(&id, p::OutgoingMessage::Error { details });
                }
            },
            FromSocket::Went(id) => {
                self.peers.remove(&id);
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
        let is_own = |session: &String| {
            let session = self.sessions.get(session);
            session.is_some_and(|(consumer, _)| consumer == peer)
        };
        match message {
            In::NewPeer => Err("You are a peer already."),
            In::SetPeerStatus(status) if status.producing() || status.consuming() => {
                Err("This server has one producer; you may be a listener.")
            }
            In::SetPeerStatus(status) => {
                // Nobody else sees it, so there is no need to keep what it says of itself.
                let status = p::PeerStatus {
                    meta: None,
                    ..status
                };
                Ok(Some(In::SetPeerStatus(status)))
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
