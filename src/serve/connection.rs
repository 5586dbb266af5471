// SPDX-License-Identifier: GPL-3.0-or-later
//! Connections: the head of each request is read here, then live streams and everything else go separate ways.

use std::{
    io::{self, Write},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::extract::ConnectInfo;
use bytes::{Buf, Bytes, BytesMut};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::{
    Shared,
    claim::{Claim, Said},
    gate::Secure,
    hls, live,
    pass::NoPass,
    rooms::{NoRoom, Room},
    tls::Tls,
    wire::Wire,
};
use crate::mux::Container;

/// A head must arrive within this time, or it is somebody who only wants to hold a connection open.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Largest head: far more than any browser sends.
const HEAD_SIZE: usize = 16 << 10;
/// Unsent bytes the system keeps for a viewer. Small, so that a slow viewer is seen as slow; still 20 Mbit/s at 100 ms.
const SEND_BUFFER: usize = 256 << 10;

/// What ends connections.
#[derive(Clone)]
pub(super) struct Ends {
    /// Of programs on this computer.
    pub(super) here: CancellationToken,
    /// Of others.
    pub(super) abroad: CancellationToken,
}

/// Accept connections until that is to end.
pub(super) async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    shut: CancellationToken,
    ends: Ends,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shut.cancelled() => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                let room = match shared.rooms.take(peer.ip()) {
                    Ok(room) => room,
                    Err(why) => {
                        turn_away(socket, &why);
                        continue;
                    }
                };
                let ended = match peer.ip().to_canonical().is_loopback() {
                    true => ends.here.clone(),
                    false => ends.abroad.clone(),
                };
                let shared = shared.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        () = begin(socket, peer, room, &shared) => (),
                        () = ended.cancelled() => (),
                    }
                });
            }
            Err(e) => {
                // Out of descriptors, most likely: those there are go on, new ones wait a moment.
                tracing::warn!(error = %e, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Say that there are too many connections, as far as that can be said without waiting.
fn turn_away(socket: TcpStream, why: &NoRoom) {
    let (status, sentence) = match why {
        NoRoom::Here => (
            "429 Too Many Requests",
            "Your address holds too many connections. Close some and try again.",
        ),
        NoRoom::AtAll => (
            "503 Service Unavailable",
            "There are too many connections. Try again later.",
        ),
    };
    let answer = live::words(status, "Retry-After: 30\r\n", sentence, false);
    if let Ok(mut socket) = socket.into_std() {
        let _ = socket.write(answer.as_bytes());
    }
}

/// What a head asks for, as far as the ways part.
enum Wish {
    Live(live::Request),
    Hls(hls::Request),
    Other {
        websocket: bool,
    },
    /// HTTP/1.1 without its `Host`.
    Nowhere,
    /// Not to be watched by this one.
    Refused {
        why: NoPass,
        head_only: bool,
    },
    /// The same over HTTPS; `None` where that cannot be said as an address.
    Secure(Option<String>),
}

/// What is asked, and where from: as a proxy on this computer says, if one stands before us.
struct Head {
    wish: Wish,
    visitor: SocketAddr,
}

/// How heads are read on one connection.
struct Reader<'a> {
    shared: &'a Shared,
    peer: SocketAddr,
    /// It is to come again over HTTPS.
    plain: bool,
}

/// Plain or with TLS, as the other side begins.
async fn begin(socket: TcpStream, peer: SocketAddr, room: Room, shared: &Shared) {
    let _ = socket.set_nodelay(true);
    let _ = socket2::SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER);
    let Some(tls) = &shared.tls else {
        return serve(socket, peer, room, shared, false).await;
    };
    match Tls::is_wanted(&socket).await {
        Some(true) => {
            if let Some(stream) = tls.accept(socket).await {
                serve(stream, peer, room, shared, false).await;
            }
        }
        Some(false) => {
            // On this computer nobody listens in.
            let plain = !peer.ip().to_canonical().is_loopback();
            serve(socket, peer, room, shared, plain).await;
        }
        None => (),
    }
}

async fn serve<W: Wire>(mut wire: W, peer: SocketAddr, room: Room, shared: &Shared, plain: bool) {
    let reader = Reader {
        shared,
        peer,
        plain,
    };
    let mut read = BytesMut::with_capacity(2048);
    let Head { wish, visitor } = loop {
        let Ok(Ok(head)) = tokio::time::timeout(HEAD_TIME, reader.head(&mut wire, &mut read)).await
        else {
            return;
        };
        match head.wish {
            // A player asks again and again. What it asks for next may be something else.
            Wish::Hls(request) => {
                if !shared.hls.serve(&mut wire, head.visitor, &request).await {
                    let _ = wire.shutdown().await;
                    return;
                }
            }
            Wish::Live(_)
            | Wish::Nowhere
            | Wish::Other { .. }
            | Wish::Refused { .. }
            | Wish::Secure(_) => break head,
        }
    };
    match wish {
        Wish::Hls(_) => (),
        Wish::Live(request) => live::serve(wire, visitor, request, room, shared).await,
        Wish::Nowhere => {
            let answer =
                b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = wire.write_all(answer).await;
        }
        Wish::Refused { why, head_only } => {
            let (status, sentence) = why.words();
            let more = why
                .headers()
                .map(|(name, value)| format!("{name}: {value}\r\n"));
            say(
                &mut wire,
                status,
                &more.unwrap_or_default(),
                &sentence,
                head_only,
            )
            .await;
        }
        Wish::Secure(Some(link)) => {
            let more = format!("Location: {link}\r\n");
            say(
                &mut wire,
                "308 Permanent Redirect",
                &more,
                HTTPS_ONLY,
                false,
            )
            .await;
        }
        Wish::Secure(None) => say(&mut wire, "403 Forbidden", "", HTTPS_ONLY, false).await,
        Wish::Other { websocket } => {
            let router = shared.router.clone();
            let service = hyper::service::service_fn(
                move |mut request: hyper::Request<hyper::body::Incoming>| {
                    request.extensions_mut().insert(ConnectInfo(visitor));
                    request.extensions_mut().insert(Secure(W::SECURE));
                    router.clone().call(request)
                },
            );
            let io = TokioIo::new(Rewound {
                first: read.freeze(),
                wire,
            });
            // One request per connection, so that every request passes through here and can become a live stream. A
            // WebSocket is one request anyway, and some clients do not understand "upgrade, close".
            let served = hyper::server::conn::http1::Builder::new()
                .keep_alive(websocket)
                .timer(hyper_util::rt::TokioTimer::new())
                .header_read_timeout(HEAD_TIME)
                .serve_connection(io, service)
                .with_upgrades()
                .await;
            if let Err(e) = served {
                tracing::debug!(error = %e, "a connection ended early");
            }
        }
    }
}

const HTTPS_ONLY: &str = "This server speaks HTTPS only. Begin its address with https://";

async fn say<W: Wire>(wire: &mut W, status: &str, more: &str, sentence: &str, head_only: bool) {
    let answer = live::words(status, more, sentence, head_only);
    let _ = wire.write_all(answer.as_bytes()).await;
    let _ = wire.shutdown().await;
}

impl Reader<'_> {
    /// Read until the head is complete, or is none; nothing read is lost.
    async fn head<W: Wire>(&self, wire: &mut W, read: &mut BytesMut) -> io::Result<Head> {
        let mut fresh = !read.is_empty();
        loop {
            // Of two requests that came at once, the second is there already.
            if !std::mem::take(&mut fresh) && wire.read_buf(read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut request = httparse::Request::new(&mut headers);
            match request.parse(read) {
                Ok(httparse::Status::Partial) if read.len() < HEAD_SIZE => (),
                Ok(httparse::Status::Complete(size)) => {
                    let head = self.wish(&request);
                    if matches!(head.wish, Wish::Hls(_)) {
                        read.advance(size);
                    }
                    return Ok(head);
                }
                // Too long or no HTTP at all: hyper has the right answers.
                Ok(httparse::Status::Partial) | Err(_) => {
                    return Ok(Head {
                        wish: Wish::Other { websocket: false },
                        visitor: self.peer,
                    });
                }
            }
        }
    }

    fn wish(&self, request: &httparse::Request<'_, '_>) -> Head {
        let whole = request.path.unwrap_or("");
        let (path, query) = whole.split_once('?').unwrap_or((whole, ""));
        let method = request.method.unwrap_or("");
        let passes = &self.shared.passes;
        let pairs = request.headers.iter().map(|h| (h.name, h.value));
        let claim = Claim::new(self.peer, query, passes.cookie(), pairs);
        let done = |wish| Head {
            wish,
            visitor: claim.visitor,
        };
        let header = |name: &str| {
            let mut all = request.headers.iter();
            all.find(|h| h.name.eq_ignore_ascii_case(name))
                .map(|h| h.value)
        };
        let watching = matches!(method, "GET" | "HEAD");
        let head_only = method == "HEAD";
        if self.plain {
            if !passes.names().are_of(&claim) {
                let why = NoPass::Foreign;
                return done(Wish::Refused { why, head_only });
            }
            return done(Wish::Secure(match claim.host {
                Said::Once(host) if watching && whole.starts_with('/') => {
                    Some(format!("https://{host}{whole}"))
                }
                Said::Once(_) | Said::Nothing | Said::Wrong => None,
            }));
        }
        let container = Container::at(path).filter(|_| watching);
        let hls = path.strip_prefix("/hls/").filter(|_| watching);
        let says = |name: &str, word: &str| {
            let value = header(name).and_then(|v| std::str::from_utf8(v).ok());
            value.is_some_and(|v| v.split(',').any(|w| w.trim().eq_ignore_ascii_case(word)))
        };
        if container.is_none() && hls.is_none() {
            let websocket = says("upgrade", "websocket");
            return done(Wish::Other { websocket });
        }
        if request.version == Some(1) && header("host").is_none() {
            return done(Wish::Nowhere);
        }
        let pass = match passes.check(&claim) {
            Ok(pass) => pass,
            Err(why) => return done(Wish::Refused { why, head_only }),
        };
        let agent = || -> String {
            let agent = String::from_utf8_lossy(header("user-agent").unwrap_or_default());
            agent
                .chars()
                .filter(|c| !c.is_control())
                .take(200)
                .collect()
        };
        if let Some(container) = container {
            return done(Wish::Live(live::Request {
                container,
                head_only,
                icy: says("icy-metadata", "1"),
                agent: agent(),
            }));
        }
        // Nobody sends a body with such a request; what would follow it is not to be taken for another one.
        let body = header("transfer-encoding").is_some()
            || header("content-length").is_some_and(|v| v.trim_ascii() != b"0");
        done(Wish::Hls(hls::Request {
            path: hls.unwrap_or_default().to_string(),
            query: query.to_string(),
            head_only,
            range: header("range").and_then(range),
            agent: agent(),
            token: claim.link.filter(|_| pass.by_link).map(String::from),
            keep: request.version == Some(1) && !body && !says("connection", "close"),
        }))
    }
}

/// First and last byte of `bytes=1-2`, either of which may be missing. Several ranges at once are none: then everything
/// is sent.
fn range(value: &[u8]) -> Option<(Option<u64>, Option<u64>)> {
    let value = std::str::from_utf8(value).ok()?.trim();
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| match text.trim() {
        "" => Some(None),
        text => text.parse().ok().map(Some),
    };
    Some((number(first)?, number(last)?))
}

/// A connection of which the first bytes were read already.
struct Rewound<W> {
    first: Bytes,
    wire: W,
}

impl<W: Wire> AsyncRead for Rewound<W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.has_remaining() {
            let n = self.first.remaining().min(into.remaining());
            into.put_slice(&self.first.split_to(n));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.wire).poll_read(cx, into)
    }
}

impl<W: Wire> AsyncWrite for Rewound<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, data)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write_vectored(cx, data)
    }
    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }
}
