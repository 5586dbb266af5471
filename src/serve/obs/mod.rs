// SPDX-License-Identifier: GPL-3.0-or-later
//! A part of obs-websocket 5, so that remote controls made for OBS work here: switched on by the user, on a port of its
//! own, behind a password.
//!
//! What OBS calls stream is the broadcast, what it calls recording are all recordings together; for scenes and inputs
//! see [`desk`]. What is not there is refused with the protocol's own code, never pretended.

mod desk;
mod events;
mod protocol;
mod recorder;
mod requests;
mod session;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Extension, Router, extract::WebSocketUpgrade, response::Response, routing::any};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use parking_lot::Mutex;
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore, broadcast},
};
use tokio_util::sync::CancellationToken;

use super::{Control, Serving, StatusSource, api::SceneSource, metrics::MeterSource};
use crate::{audience::Audience, message::Event, stats::Status};
use desk::Desk;
use events::Told;
use protocol::Form;
use recorder::Recorded;

/// Remote controls at one time, those that did not say who they are among them.
const MOST: usize = 16;
/// At the end, a client that takes nothing is waited for no longer.
const FAREWELL: Duration = Duration::from_secs(1);
/// Events that a client may be behind before it is let go.
const WAITING: usize = 256;
/// A request has some hundred bytes; a batch more.
const LONGEST_MESSAGE: usize = 256 << 10;
/// A head must arrive within this time.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// A connection's right to be there, until it ends.
type Place = Arc<OwnedSemaphorePermit>;

/// What remote controls see and reach.
pub(super) struct Remote {
    password: String,
    status: StatusSource,
    scene: SceneSource,
    control: Control,
    meters: MeterSource,
    audience: Audience,
    events: broadcast::Sender<Event>,
    recorded: Mutex<Recorded>,
    processor: Processor,
}

impl Remote {
    pub(super) fn new(serving: &Serving, password: String) -> Remote {
        Remote {
            password,
            status: serving.status.clone(),
            scene: serving.scene.clone(),
            control: serving.control.clone(),
            meters: serving.meters.clone(),
            audience: serving.audience.clone(),
            events: serving.events.clone(),
            recorded: Mutex::default(),
            processor: Processor::default(),
        }
    }

    /// Everything at this moment; made where that may take a moment.
    async fn status(&self) -> Status {
        let make = self.status.clone();
        let made = tokio::task::spawn_blocking(move || make()).await;
        made.unwrap_or_default()
    }

    fn desk_of(&self, status: &Status) -> Desk {
        let (layout, _) = (self.scene)().unwrap_or_default();
        Desk::new(&status.sources, &layout)
    }

    async fn desk(&self) -> Desk {
        self.desk_of(&self.status().await)
    }
}

/// The share of all processors that was taken since the last question.
#[derive(Default)]
pub(super) struct Processor(Mutex<Option<(Instant, Duration)>>);

impl Processor {
    fn share(&self, cpu: Duration) -> f64 {
        let now = Instant::now();
        let before = self.0.lock().replace((now, cpu));
        let Some((then, before)) = before else {
            return 0.0;
        };
        let took = cpu.saturating_sub(before).as_secs_f64();
        let span = (now - then).as_secs_f64().max(0.001);
        let all = std::thread::available_parallelism().map_or(1, usize::from);
        took / span / all as f64
    }
}

/// Accept remote controls until the server ends and those there are were told.
pub(super) async fn serve(listener: TcpListener, remote: Remote, ended: CancellationToken) {
    let remote = Arc::new(remote);
    let told = broadcast::Sender::<Arc<Told>>::new(WAITING);
    let events = remote.events.subscribe();
    let follow = tokio::spawn(events::follow(remote.clone(), events, told.clone()));
    let places = Arc::new(Semaphore::new(MOST));
    let router = {
        let (ended, remote) = (ended.clone(), remote.clone());
        // Clients choose any path.
        Router::new().fallback(any(
            move |Extension(place): Extension<Place>, upgrade: WebSocketUpgrade| {
                let visit = session::Visit {
                    remote: remote.clone(),
                    told: told.clone(),
                    ended: ended.clone(),
                    _place: place,
                };
                async move { open(upgrade, visit) }
            },
        ))
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ended.cancelled() => break,
        };
        let Ok((socket, peer)) = accepted else {
            // Out of descriptors, most likely.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            tracing::warn!(%peer, "too many remote controls");
            continue;
        };
        let _ = socket.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone().layer(Extension(Arc::new(place))));
        let ended = ended.clone();
        tokio::spawn(async move {
            let served = hyper::server::conn::http1::Builder::new()
                .timer(hyper_util::rt::TokioTimer::new())
                .header_read_timeout(HEAD_TIME)
                .serve_connection(TokioIo::new(socket), service)
                .with_upgrades();
            tokio::select! {
                _ = served => (),
                () = ended.cancelled() => (),
            }
        });
    }
    // Each holds its place until it has said good-bye.
    let _ = tokio::time::timeout(FAREWELL, places.acquire_many(MOST as u32)).await;
    follow.abort();
}

fn open(upgrade: WebSocketUpgrade, visit: session::Visit) -> Response {
    upgrade
        .protocols(Form::NAMES)
        .max_message_size(LONGEST_MESSAGE)
        .max_frame_size(LONGEST_MESSAGE)
        .on_upgrade(move |socket| session::converse(socket, visit))
}
