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
//! sessions with it. Those who come with an invitation or the API token may also produce, and become guests.

#[cfg(feature = "fuzzing")]
pub(in crate::serve) mod floor;
mod hub;
mod incoming;
#[cfg(test)]
mod tests;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{
        ConnectInfo, Extension, Query, State, WebSocketUpgrade,
        rejection::QueryRejection,
        ws::{CloseCode, CloseFrame, Message, WebSocket, close_code},
    },
    http::HeaderMap,
    response::Response,
    routing::any,
};
use gst_plugin_webrtc_signalling_protocol as p;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    gate,
    pass::{NoPass, Pass},
    posts,
    reception::{Reception, Right},
    webrtc::Leg,
};
use crate::audience::Who;

/// An offer has some kilobytes.
const LONGEST_MESSAGE: usize = 128 << 10;
/// Messages that wait for one socket. A peer that does not read for so long is let go.
const WAITING: usize = 128;
/// Keeps the connection open through routers that forget idle ones.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Three pings without a sign of life.
const SILENT_AT_MOST: Duration = Duration::from_secs(65);

type PeerId = String;

/// Not to be guessed, as the protocol lets whoever knows a peer's name ask for it.
fn new_peer_id() -> PeerId {
    format!("{:032x}", rand::random::<u128>())
}

/// Who came by an invitation is no viewer.
const NO_VIEWER: &str = "An invitation is not for watching. Ask the broadcaster for the link.";

/// Who comes, and by what right they may be a guest.
type Visit = (Who, Option<Right>);

/// The signalling server. Clones are handles of the same; sockets are closed when all handles are gone.
#[derive(Clone)]
pub struct Signalling {
    hub: mpsc::Sender<FromSocket>,
    reception: Reception,
}

enum FromSocket {
    Came(PeerId, Visit, mpsc::Sender<p::OutgoingMessage>),
    Said(PeerId, p::IncomingMessage),
    Went(PeerId),
}

impl Signalling {
    /// Start the hub; inside a tokio runtime.
    pub fn start(leg: Leg, reception: Reception, air: watch::Receiver<bool>) -> Signalling {
        let (hub, sockets) = mpsc::channel(256);
        tokio::spawn(hub::run(leg, reception.clone(), sockets, air));
        Signalling { hub, reception }
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

#[derive(serde::Deserialize)]
struct Token {
    token: Option<String>,
}

async fn upgrade(
    State(signalling): State<Signalling>,
    from: Option<Extension<ConnectInfo<SocketAddr>>>,
    query: Result<Query<Token>, QueryRejection>,
    pass: Option<Extension<Arc<Result<Pass, NoPass>>>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let who = posts::who(
        &headers,
        from.map(|Extension(ConnectInfo(address))| address),
    );
    // Browsers cannot put a header on a WebSocket. A wrong token is told when the peer wants to produce.
    let token = query.ok().and_then(|Query(query)| query.token);
    let right = match token {
        Some(token) => signalling.reception.right_by(&token),
        None => signalling.reception.right(&headers),
    };
    let right = right.ok();
    let watching = match pass.as_ref().map(|Extension(pass)| pass.as_ref()) {
        Some(Ok(pass)) => Watching::Until(pass.void.clone()),
        Some(Err(why)) if right.is_none() => return gate::refuse(*why),
        Some(Err(_)) => match right {
            Some(Right::Own) => Watching::Until(None),
            Some(Right::Word(_)) | None => Watching::Not,
        },
        // Nobody stands before this route.
        None => Watching::Until(None),
    };
    upgrade
        .max_message_size(LONGEST_MESSAGE)
        .max_frame_size(LONGEST_MESSAGE)
        .on_upgrade(move |socket| serve(socket, (who, right), watching, signalling.hub))
}

/// Whether a socket may watch.
enum Watching {
    /// Until what it came by is void.
    Until(Option<CancellationToken>),
    Not,
}

impl Watching {
    /// Done when it may not any more.
    async fn void(&self) {
        match self {
            Watching::Until(Some(void)) => void.cancelled().await,
            Watching::Until(None) | Watching::Not => std::future::pending().await,
        }
    }
}

/// One socket, until either side ends it.
async fn serve(
    mut socket: WebSocket,
    visit: Visit,
    watching: Watching,
    hub: mpsc::Sender<FromSocket>,
) {
    let id = new_peer_id();
    let (tell, mut told) = mpsc::channel(WAITING);
    let mut reason = (close_code::AWAY, "The broadcast has ended.");
    if hub
        .send(FromSocket::Came(id.clone(), visit, tell))
        .await
        .is_ok()
    {
        reason = converse(&mut socket, &id, &watching, &hub, &mut told).await;
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
    watching: &Watching,
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
                        Ok(p::IncomingMessage::StartSession(_))
                            if matches!(watching, Watching::Not) =>
                        {
                            text(&p::OutgoingMessage::Error {
                                details: NO_VIEWER.into(),
                            })
                        }
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
            () = watching.void() => {
                return (close_code::POLICY, "Your link is not valid any more.");
            }
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
