// SPDX-License-Identifier: GPL-3.0-or-later
//! Endless streams over a plain socket: `/live.webm` and its like.
//!
//! A viewer is a place in the muxer's ring and a socket. What all viewers get is the same memory; per viewer and
//! chunk there is one system call. Who joins catches up in a task of its own, which ends as soon as there is nothing
//! more to send: from then on a [pump](Pumps) sends to all such viewers in turn.

mod pump;
mod viewer;

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use tokio::io::AsyncWriteExt;

pub(super) use pump::{Pump, Pumps};
use viewer::Viewer;

use super::{
    Shared,
    icy::{self, Weaver},
    rooms::Room,
    wire::Wire,
};
use crate::{
    audience::{NotLetIn, Transport, Who},
    encode::Format,
    mux::Container,
};

/// What a viewer asked for.
pub(super) struct Request {
    pub(super) container: &'static Container,
    /// Only what it would be, not the stream.
    pub(super) head_only: bool,
    /// With what is playing in between, where the format allows it.
    pub(super) icy: bool,
    /// What the viewer calls itself.
    pub(super) agent: String,
}

/// A stream that cannot begin within this time will not (no encoder, for instance).
const BEGIN: Duration = Duration::from_secs(10);
/// Of pictures that come one by one, no more than this may wait in the system: what is sent next is the newest.
const PICTURES_WAIT: u32 = 16 << 10;

pub(super) const OFF_AIR: &str = "The broadcast is not on the air. Try again when it has begun.";
pub(super) const NOT_BEGUN: &str = "The stream could not be begun. Try again in a moment.";
pub(super) const NOTHING_TO_CARRY: &str =
    "This broadcast has nothing that such a stream could carry. Try /live.webm.";

/// Serve one viewer to its end.
pub(super) async fn serve<W: Wire>(
    mut socket: W,
    peer: SocketAddr,
    request: Request,
    room: Room,
    shared: &Shared,
) {
    let Request {
        container,
        head_only,
        icy,
        agent,
    } = request;
    let icy = icy && container.format == Format::Mp3;
    if !*shared.on_air.borrow() {
        return refuse(&mut socket, head_only, "503 Service Unavailable", OFF_AIR).await;
    }
    let Some(lease) = shared.muxes.lease(container.format) else {
        return refuse(&mut socket, head_only, "404 Not Found", NOTHING_TO_CARRY).await;
    };
    // No Access-Control-Allow-Origin: what is only for this computer must not be read by any site its user visits.
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\n{}Connection: close\r\n\r\n",
        lease.content_type(),
        match icy {
            true => format!("icy-metaint: {}\r\n", icy::INTERVAL),
            false => String::new(),
        }
    );
    if head_only {
        let _ = socket.write_all(head.as_bytes()).await;
        let _ = socket.shutdown().await;
        return;
    }
    let joined = shared.audience.join(Who {
        transport: Transport::Http,
        format: container.name.into(),
        address: peer.to_string(),
        agent,
    });
    let guard = match joined {
        Ok(guard) => guard,
        Err(why) => {
            return refuse(&mut socket, head_only, status_of(why), &why.to_string()).await;
        }
    };
    if container.format == Format::Mjpeg {
        let _ = socket2::SockRef::from(socket.tcp()).set_tcp_notsent_lowat(PICTURES_WAIT);
    }
    let stream = lease.stream().clone();
    let header = tokio::select! {
        header = tokio::time::timeout(BEGIN, stream.wait_head()) => header.ok().flatten(),
        () = guard.kicked() => return,
    };
    let Some(header) = header else {
        return refuse(&mut socket, head_only, "503 Service Unavailable", NOT_BEGUN).await;
    };
    let feed = lease.subscribe();
    let mut viewer = Viewer {
        socket,
        unsent: [Bytes::from(head), header].into_iter().collect(),
        weaver: icy.then(|| Weaver::new(shared.now_playing.subscribe())),
        feed,
        stuck: None,
        stall: shared.stall,
        guard,
        lease,
        room,
    };
    match viewer.catch_up().await {
        None => W::pump(&shared.pumps).hand(viewer),
        Some(end) => viewer.part(end),
    }
}

/// Say why there is no stream now.
async fn refuse<W: Wire>(socket: &mut W, head_only: bool, status: &str, sentence: &str) {
    // What the broadcast does not have will not be there in a moment either.
    let retry = match status.starts_with("503") || status.starts_with("429") {
        true => "Retry-After: 5\r\n",
        false => "",
    };
    let answer = words(status, retry, sentence, head_only);
    let _ = socket.write_all(answer.as_bytes()).await;
    let _ = socket.shutdown().await;
}

/// How somebody is told that they are not let in.
pub(super) fn status_of(why: NotLetIn) -> &'static str {
    match why {
        NotLetIn::Banned => "403 Forbidden",
        NotLetIn::TooManyHere => "429 Too Many Requests",
        NotLetIn::TooMany => "503 Service Unavailable",
    }
}

/// An answer of one sentence, after which the connection is closed. `more` are lines of its head.
pub(super) fn words(status: &str, more: &str, sentence: &str, head_only: bool) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{more}\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{}",
        sentence.len() + 1,
        if head_only {
            String::new()
        } else {
            format!("{sentence}\n")
        }
    )
}
