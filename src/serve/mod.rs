// SPDX-License-Identifier: GPL-3.0-or-later
//! The one HTTP server.
//!
//! ```text
//! accept ─▶ (TLS) ─▶ head, pass ─┬─ GET /live.* ───▶ live: the socket itself, one write per viewer and chunk
//!                    ▲           ├─ GET /hls/* ────▶ hls: the socket itself, one write per playlist or segment ─┐
//!                    └───────────┼──────────────────────────────────────────────────────────────────────────────┘
//!                                └─ anything else ─▶ hyper + axum: gate ─▶ watch page, API, WHEP, signalling, …
//! ```
//!
//! Live streams are served beside hyper, because a raw socket costs about half as much per viewer as a streaming
//! body, and because kicking is then a matter of closing it. Remote controls made for OBS have a port of their own.

mod announce;
mod api;
mod claim;
mod connection;
mod door;
mod enter;
mod facts;
mod frames;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod gate;
mod guests;
mod hls;
mod icy;
mod keys;
mod listen;
mod live;
mod metrics;
mod obs;
mod page;
mod pass;
mod posts;
mod reception;
mod rooms;
mod signalling;
mod snapshot;
mod tls;
mod tries;
mod unsent;
mod webrtc;
mod whep;
mod whip;
mod wire;
mod worker;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{Router, middleware};
use futures::future::BoxFuture;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::TcpListener,
    runtime::Handle,
    sync::{broadcast, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

pub(crate) use api::{Reach, StatusSource};
pub(crate) use keys::Keys;
pub(crate) use pass::Passes;
pub(crate) use tls::Tls;

use crate::{
    audience::{Audience, Limits, Transport},
    encode::Encoders,
    error::{ServeError, StudioError},
    message::{Command, Event, Outcome},
    mux::Muxes,
    navigation::Navigation,
    now_playing::NowPlaying,
    settings::Origin,
    source::{frames::Inboxes, guest::Seats},
};
use facts::Journal;
use guests::Guests;
use hls::Hls;
use listen::Listening;
use live::Pumps;
use reception::Reception;
use rooms::Rooms;
use signalling::Signalling;
use webrtc::Leg;

/// Connections the system may hold for us until we accept them: a thousand people who follow one link.
const BACKLOG: i32 = 4096;

/// What the server serves.
pub(crate) struct Serving {
    pub(crate) muxes: Muxes,
    pub(crate) audience: Audience,
    /// Whether viewers are let in.
    pub(crate) on_air: watch::Receiver<bool>,
    pub(crate) embed: Vec<Origin>,
    pub(crate) keys: Keys,
    pub(crate) status: StatusSource,
    pub(crate) meters: metrics::MeterSource,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) encoders: Encoders,
    pub(crate) inboxes: Inboxes,
    pub(crate) navigation: Navigation,
    pub(crate) control: Control,
    pub(crate) scene: api::SceneSource,
    pub(crate) reach: api::ReachSource,
    pub(crate) seats: Seats,
    pub(crate) now_playing: NowPlaying,
    /// Who may watch.
    pub(crate) passes: Passes,
    pub(crate) limits: Limits,
    /// HTTPS, on the same port.
    pub(crate) tls: Option<Tls>,
    /// A port for remote controls made for OBS, and their password.
    pub(crate) obs: Option<(Bound, String)>,
}

/// Asks the engine for something.
pub(crate) type Control =
    Arc<dyn Fn(Command) -> BoxFuture<'static, Result<Outcome, StudioError>> + Send + Sync>;

/// What every connection shares.
struct Shared {
    muxes: Muxes,
    audience: Audience,
    on_air: watch::Receiver<bool>,
    now_playing: NowPlaying,
    pumps: Pumps,
    hls: Hls,
    router: Router,
    passes: Passes,
    rooms: Rooms,
    /// How long a viewer's connection may take nothing.
    stall: Duration,
    tls: Option<Tls>,
}

/// The running server; ends when dropped.
pub(crate) struct Server {
    listening: Listening,
    passes: Passes,
    audience: Audience,
    ended: CancellationToken,
    /// What has something to say at the end: the network is told of it, and remote controls.
    farewells: Vec<JoinHandle<()>>,
}

/// A port that is ours, not yet served.
pub(crate) struct Bound(std::net::TcpListener, SocketAddr);

impl Bound {
    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.1
    }

    /// Take a port for remote controls.
    pub(crate) fn bind_for_remotes(address: SocketAddr) -> Result<Bound, ServeError> {
        Bound::try_bind(address).map_err(|e| ServeError::remotes(address, &e))
    }

    /// Take the port.
    pub(crate) fn bind(address: SocketAddr) -> Result<Bound, ServeError> {
        let listen = |e: std::io::Error| {
            use std::io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied};
            if e.kind() == AddrInUse {
                return ServeError::PortInUse {
                    host: address.ip().to_string(),
                    port: address.port(),
                };
            }
            let why = if e.kind() == PermissionDenied {
                "only an administrator may use that port".into()
            } else if e.kind() == AddrNotAvailable {
                "this computer has no such address".into()
            } else {
                e.to_string()
            };
            ServeError::Listen {
                address: address.to_string(),
                why,
            }
        };
        Bound::try_bind(address).map_err(listen)
    }

    fn try_bind(address: SocketAddr) -> std::io::Result<Bound> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener: std::net::TcpListener = socket.into();
        let address = listener.local_addr()?;
        Ok(Bound(listener, address))
    }
}

impl Server {
    /// Serve on a port that was taken before.
    pub(crate) fn start(
        runtime: &Handle,
        bound: Bound,
        mut serving: Serving,
    ) -> Result<Server, ServeError> {
        let address = bound.address();
        let _inside = runtime.enter();
        let leg = Leg::start(
            serving.encoders.clone(),
            serving.audience.clone(),
            reachable(address.ip()),
        )?;
        let guests = Guests::start(reachable(address.ip()))?;
        let reception = Reception::new(
            serving.seats.clone(),
            guests.clone(),
            serving.control.clone(),
            serving.keys.clone(),
        );
        let signalling = Signalling::start(leg.clone(), reception.clone(), serving.on_air.clone());
        let router = Router::new()
            .merge(enter::routes(serving.passes.clone()))
            .merge(page::routes(&serving))
            .merge(api::routes(
                &serving,
                Journal::start(serving.events.subscribe()),
            ))
            .merge(metrics::routes(&serving))
            .merge(frames::routes(&serving))
            .merge(snapshot::routes(
                serving.encoders.clone(),
                serving.on_air.clone(),
                serving.audience.clone(),
            ))
            .merge(whep::routes(leg.clone(), serving.on_air.clone()))
            .merge(whip::routes(reception))
            .merge(signalling.routes())
            .layer(middleware::from_fn_with_state(
                serving.passes.clone(),
                gate::pass,
            ));
        let ended = CancellationToken::new();
        let mut farewells = vec![];
        if let Some((Bound(listener, address), password)) = serving.obs.take() {
            let listener =
                TcpListener::from_std(listener).map_err(|e| ServeError::remotes(address, &e))?;
            let remote = obs::Remote::new(&serving, password);
            farewells.push(runtime.spawn(obs::serve(listener, remote, ended.clone())));
        }
        let hls = Hls::start(
            runtime,
            serving.muxes.clone(),
            serving.encoders,
            serving.audience.clone(),
            serving.on_air.clone(),
            &ended,
        );
        let shared = Arc::new(Shared {
            muxes: serving.muxes,
            audience: serving.audience.clone(),
            on_air: serving.on_air.clone(),
            now_playing: serving.now_playing,
            pumps: Pumps::new(&ended),
            hls,
            router,
            rooms: Rooms::new(serving.limits),
            stall: serving.limits.stall,
            passes: serving.passes.clone(),
            tls: serving.tls,
        });
        runtime.spawn(let_go_off_air(
            serving.on_air.clone(),
            serving.audience.clone(),
            ended.clone(),
        ));
        let listening =
            Listening::start(bound, shared, serving.on_air, leg, guests, ended.clone())?;
        Ok(Server {
            listening,
            passes: serving.passes,
            audience: serving.audience,
            ended,
            farewells,
        })
    }

    /// End, and wait until the network and remote controls were told.
    pub(crate) async fn end(&mut self) {
        self.ended.cancel();
        self.listening.shut().await;
        for farewell in self.farewells.drain(..) {
            let _ = farewell.await;
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listening.address()
    }

    /// Let the network in, or this computer only. Who watches from elsewhere is let go then.
    ///
    /// # Errors
    ///
    /// If that cannot be, everything is as before.
    pub(crate) async fn share(&mut self, on: bool) -> Result<(), StudioError> {
        if on {
            // Writes a file, the first time.
            tokio::task::block_in_place(|| self.passes.share())?;
        }
        self.listening.share(on).await?;
        if !on {
            // WebRTC and HLS hold no connection.
            self.audience.kick_those(|who| {
                let local = who.ip().is_some_and(|ip| ip.is_loopback());
                who.transport != Transport::Icecast && !local
            });
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

/// When the broadcast ends, its viewers are let go.
async fn let_go_off_air(
    mut on_air: watch::Receiver<bool>,
    audience: Audience,
    ended: CancellationToken,
) {
    let work = async {
        while on_air.changed().await.is_ok() {
            if !*on_air.borrow_and_update() {
                audience.kick_all(|t| matches!(t, Transport::Http | Transport::Webrtc));
            }
        }
    };
    tokio::select! {
        () = work => (),
        () = ended.cancelled() => (),
    }
}

/// The addresses under which this computer can be reached when listening on `ip`: itself, or for "any" one per
/// network it is in.
pub(crate) fn reachable(ip: IpAddr) -> Vec<IpAddr> {
    if !ip.is_unspecified() {
        return vec![ip];
    }
    let mut all = vec![IpAddr::from([127, 0, 0, 1])];
    // Asks the routing table, sends nothing: "which address of mine would reach the outside?"
    for (from, to) in [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")] {
        let found = std::net::UdpSocket::bind(from)
            .and_then(|s| s.connect(to).map(|()| s))
            .and_then(|s| s.local_addr());
        if let Ok(found) = found
            && (ip.is_ipv6() || found.is_ipv4())
            && !all.contains(&found.ip())
        {
            all.push(found.ip());
        }
    }
    all
}
