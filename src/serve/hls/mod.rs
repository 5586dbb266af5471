// SPDX-License-Identifier: GPL-3.0-or-later
//! HLS: `/hls/index.m3u8`, with low latency for players that know it.
//!
//! ```text
//! chunks of fragmented MP4, 100 ms each ──▶ window: segments of parts ──▶ playlists and files
//! ```
//!
//! A rendition follows its muxer only while somebody asks for it. The first playlist gives each viewer a folder of its
//! own (`/hls/NAME/full.m3u8`, `/hls/NAME/full/s12.m4s`), so that it can be listed, counted and let go; what is in the
//! folders is the same memory for all. All renditions are cut at the same times, by one plan. Like the endless streams it is written to the socket itself.

mod answer;
mod plan;
mod playlist;
mod rendition;
mod sessions;
mod window;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpStream, runtime::Handle, sync::watch};
use tokio_util::sync::CancellationToken;

use super::{
    live::{self, OFF_AIR},
    wire::Wire,
};
use crate::{
    audience::{Audience, NotLetIn, Transport, Who},
    encode::{Encoders, Format},
    mux::Muxes,
};
use answer::{Answer, send};
use rendition::{Rendition, Supplies};
use sessions::{NoViewer, Patience, Sessions};
use window::Found;

/// The sizes to choose from, by name.
const RENDITIONS: [(&str, Format); 2] = [("full", Format::Mp4), ("low", Format::Mp4Low)];
/// What does not come within this time will not.
const BEGIN: Duration = Duration::from_secs(10);

/// What a viewer asked for.
pub(super) struct Request {
    /// After `/hls/`.
    pub(super) path: String,
    /// After the `?`.
    pub(super) query: String,
    pub(super) head_only: bool,
    /// The first and the last byte; without a first, how many of the end.
    pub(super) range: Option<(Option<u64>, Option<u64>)>,
    pub(super) agent: String,
    /// The token that came in the link, which its playlists carry on.
    pub(super) token: Option<String>,
    /// Whether another request may follow on this connection.
    pub(super) keep: bool,
}

/// The renditions and their viewers.
pub(super) struct Hls {
    supplies: Supplies,
    renditions: [Arc<Rendition>; 2],
    sessions: Sessions,
}

impl Hls {
    /// Renditions that wait for somebody to ask, until `ended`.
    pub(super) fn start(
        runtime: &Handle,
        muxes: Muxes,
        encoders: Encoders,
        audience: Audience,
        on_air: watch::Receiver<bool>,
        ended: &CancellationToken,
    ) -> Hls {
        let hls = Hls {
            supplies: Supplies {
                muxes,
                encoders,
                on_air: on_air.clone(),
                zero: Arc::default(),
                plan: Arc::default(),
                joining: Arc::default(),
            },
            renditions: RENDITIONS.map(|(name, format)| Rendition::new(name, format)),
            sessions: Sessions::new(audience, Patience::default()),
        };
        for rendition in &hls.renditions {
            let work = rendition.clone().run(hls.supplies.clone());
            runtime.spawn(ended.clone().run_until_cancelled_owned(work));
        }
        let work = clear_off_air(on_air, hls.sessions.clone());
        runtime.spawn(ended.clone().run_until_cancelled_owned(work));
        hls
    }

    /// Answer one request; whether the connection is good for another.
    pub(super) async fn serve<W: Wire>(
        &self,
        wire: &mut W,
        peer: SocketAddr,
        request: &Request,
    ) -> bool {
        if !*self.supplies.on_air.borrow() {
            let answer = Answer::words("503 Service Unavailable", OFF_AIR);
            return send(wire, request, answer, |_| ()).await;
        }
        if request.path == "index.m3u8" {
            if let Err(why) = self.sessions.check(peer.ip()) {
                let answer = not_let_in(why);
                return send(wire, request, answer, |_| ()).await;
            }
            return send(wire, request, self.master(request), |_| ()).await;
        }
        let Some((name, file)) = request.path.split_once('/') else {
            return send(wire, request, Answer::not_found(), |_| ()).await;
        };
        let who = || Who {
            transport: Transport::Hls,
            format: "mp4".into(),
            address: peer.to_string(),
            agent: request.agent.clone(),
        };
        let visit = match self.sessions.visit(name, who) {
            Ok(visit) => visit,
            Err(why) => {
                let answer = match why {
                    NoViewer::Name => Answer::not_found(),
                    NoViewer::Kicked => Answer::kicked(),
                    NoViewer::NotLetIn(why) => not_let_in(why),
                    NoViewer::Full => Answer::words(
                        "503 Service Unavailable",
                        "There are too many viewers. Try again later.",
                    ),
                };
                return send(wire, request, answer, |_| ()).await;
            }
        };
        let guard = &visit.guard;
        let answer = tokio::select! {
            answer = self.find(file, request) => answer,
            () = guard.kicked() => None,
            // A player that has left while it waits is no viewer.
            () = closed(wire.tcp()) => return false,
        };
        let Some((rendition, answer)) = answer else {
            return send(wire, request, Answer::kicked(), |_| ()).await;
        };
        if let Some(rendition) = rendition {
            guard.counters().set_low(rendition.format == Format::Mp4Low);
        }
        tokio::select! {
            keep = send(wire, request, answer, |n| guard.counters().add_bytes(n)) => keep,
            () = guard.kicked() => false,
        }
    }

    fn master(&self, request: &Request) -> Answer {
        let encoders = &self.supplies.encoders;
        let tracks = encoders.tracks();
        if !request.head_only {
            // Players look at one for a moment and then take another: both begin now, with the same frame. What nobody
            // takes ends by itself.
            let all = || {
                let all = self.renditions.iter();
                all.filter(|r| tracks.video || r.format != Format::Mp4Low)
            };
            // Told of all before the first begins.
            let mut plan = self.supplies.plan.lock();
            all().for_each(|rendition| plan.want(rendition.format));
            drop(plan);
            all().for_each(|rendition| rendition.ask());
        }
        let text = playlist::master(&encoders.settings(), tracks, &Sessions::name());
        Answer::playlist(carrying(text, request))
    }

    /// The file of a viewer's folder. `None` never comes from here: it is what a kick makes of it.
    async fn find(&self, file: &str, request: &Request) -> Option<(Option<&Rendition>, Answer)> {
        let encoders = &self.supplies.encoders;
        let (name, piece) = match file.split_once('/') {
            Some((name, piece)) => (name, Some(piece)),
            None => (file.strip_suffix(".m3u8").unwrap_or_default(), None),
        };
        let rendition = self.renditions.iter().find(|r| r.name == name);
        let Some(rendition) = rendition.filter(|r| {
            // Sound alone has no small picture.
            encoders.tracks().video || r.format != Format::Mp4Low
        }) else {
            return Some((None, Answer::not_found()));
        };
        rendition.ask();
        let answer = match piece {
            None => self.media(rendition, request).await,
            Some(piece) => file_of(rendition, piece).await,
        };
        Some((Some(rendition), answer))
    }

    async fn media(&self, rendition: &Rendition, request: &Request) -> Answer {
        let (mut segment, mut part) = (None, None);
        for (key, value) in request.query.split('&').filter_map(|q| q.split_once('=')) {
            let place = match key {
                "_HLS_msn" => &mut segment,
                "_HLS_part" => &mut part,
                _ => continue,
            };
            match value.parse::<u64>() {
                Ok(number) => *place = Some(number),
                Err(_) => {
                    return Answer::words("400 Bad Request", "Ask for a segment by its number.");
                }
            }
        }
        let settings = self.supplies.encoders.settings();
        let told = rendition.wait(|window| {
            if !window.is_ready() {
                return None;
            }
            if let Some(segment) = segment {
                match window.tells(segment, part) {
                    Some(true) => (),
                    Some(false) => return None,
                    None => return Some(None),
                }
            }
            let zero = *self.supplies.zero.get()?;
            let text = playlist::media(window, rendition.name, settings.key_interval, zero);
            Some(Some(text))
        });
        match tokio::time::timeout(BEGIN, told).await {
            Ok(Some(text)) => Answer::playlist(carrying(text, request)),
            Ok(None) => Answer::words("400 Bad Request", "That segment is far in the future."),
            Err(_) => Answer::not_begun(),
        }
    }
}

/// A playlist whose addresses carry the token that it was asked for with: players have no cookies.
fn carrying(text: String, request: &Request) -> String {
    match &request.token {
        Some(token) => playlist::carrying(&text, token),
        None => text,
    }
}

fn not_let_in(why: NotLetIn) -> Answer {
    Answer::words(live::status_of(why), &why.to_string())
}

/// `i1.mp4`, `s12.m4s` or `p57.m4s`.
async fn file_of(rendition: &Rendition, piece: &str) -> Answer {
    let number = |begin: &str, end: &str| -> Option<u64> {
        piece.strip_prefix(begin)?.strip_suffix(end)?.parse().ok()
    };
    let found = async {
        if let Some(epoch) = number("i", ".mp4") {
            rendition.look(|w| w.head(epoch))
        } else if let Some(n) = number("s", ".m4s") {
            rendition.fetch(|w| w.segment(n)).await
        } else if let Some(n) = number("p", ".m4s") {
            rendition.fetch(|w| w.part(n)).await
        } else {
            Found::Nowhere
        }
    };
    match tokio::time::timeout(BEGIN, found).await {
        Ok(Found::Pieces(body)) => Answer::file(body),
        Ok(Found::Nowhere | Found::Soon) => Answer::not_found(),
        Err(_) => Answer::not_begun(),
    }
}

/// When the broadcast ends, its viewers are let go.
async fn clear_off_air(mut on_air: watch::Receiver<bool>, sessions: Sessions) {
    while on_air.changed().await.is_ok() {
        if !*on_air.borrow_and_update() {
            sessions.clear();
        }
    }
}

/// Done when the other side has closed the connection.
async fn closed(socket: &TcpStream) {
    let mut byte = [0];
    // Anything that comes is the next request, and who has only finished speaking still listens.
    if socket.peek(&mut byte).await.is_ok() {
        std::future::pending::<()>().await;
    }
}
