// SPDX-License-Identifier: GPL-3.0-or-later
//! Connections: the head of each request is read here, then live streams and everything else go separate ways.

use std::{
    io,
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

use super::{Shared, hls, live};
use crate::mux::Container;

/// A head must arrive within this time, or it is somebody who only wants to hold a connection open.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Largest head: far more than any browser sends.
const HEAD_SIZE: usize = 16 << 10;
/// Unsent bytes the system keeps for a viewer. Small, so that a slow viewer is seen as slow; still 20 Mbit/s at 100 ms.
const SEND_BUFFER: usize = 256 << 10;

/// Accept connections until the server ends.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>, ended: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ended.cancelled() => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                let (shared, ended) = (shared.clone(), ended.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = serve(socket, peer, &shared) => (),
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

/// What a head asks for, as far as the ways part.
enum Wish {
    Live(live::Request),
    Hls(hls::Request),
    Other {
        websocket: bool,
    },
    /// HTTP/1.1 without its `Host`.
    Nowhere,
}

async fn serve(mut socket: TcpStream, peer: SocketAddr, shared: &Shared) {
    let _ = socket.set_nodelay(true);
    let _ = socket2::SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER);
    let mut read = BytesMut::with_capacity(2048);
    let wish = loop {
        let Ok(Ok(wish)) = tokio::time::timeout(HEAD_TIME, head(&mut socket, &mut read)).await
        else {
            return;
        };
        match wish {
            // A player asks again and again. What it asks for next may be something else.
            Wish::Hls(request) => {
                if !shared.hls.serve(&socket, peer, &request).await {
                    let _ = socket.shutdown().await;
                    return;
                }
            }
            wish @ (Wish::Live(_) | Wish::Nowhere | Wish::Other { .. }) => break wish,
        }
    };
    match wish {
        Wish::Hls(_) => (),
        Wish::Live(request) => live::serve(socket, peer, request, shared).await,
        Wish::Nowhere => {
            let answer =
                b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = socket.write_all(answer).await;
        }
        Wish::Other { websocket } => {
            let router = shared.router.clone();
            let service = hyper::service::service_fn(
                move |mut request: hyper::Request<hyper::body::Incoming>| {
                    request.extensions_mut().insert(ConnectInfo(peer));
                    router.clone().call(request)
                },
            );
            let io = TokioIo::new(Rewound {
                first: read.freeze(),
                socket,
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

/// Read until the head is complete, or is none; nothing read is lost.
async fn head(socket: &mut TcpStream, read: &mut BytesMut) -> io::Result<Wish> {
    let mut fresh = !read.is_empty();
    loop {
        // Of two requests that came at once, the second is there already.
        if !std::mem::take(&mut fresh) && socket.read_buf(read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(read) {
            Ok(httparse::Status::Partial) if read.len() < HEAD_SIZE => (),
            Ok(httparse::Status::Complete(size)) => {
                let whole = request.path.unwrap_or("");
                let (path, query) = whole.split_once('?').unwrap_or((whole, ""));
                let method = request.method.unwrap_or("");
                let header = |name: &str| {
                    let mut all = request.headers.iter();
                    all.find(|h| h.name.eq_ignore_ascii_case(name))
                        .map(|h| h.value)
                };
                let agent = || -> String {
                    let agent = String::from_utf8_lossy(header("user-agent").unwrap_or_default());
                    agent
                        .chars()
                        .filter(|c| !c.is_control())
                        .take(200)
                        .collect()
                };
                let watching = matches!(method, "GET" | "HEAD");
                let nowhere = request.version == Some(1) && header("host").is_none();
                let container = Container::at(path).filter(|_| watching);
                let hls = path.strip_prefix("/hls/").filter(|_| watching);
                if nowhere && (container.is_some() || hls.is_some()) {
                    return Ok(Wish::Nowhere);
                }
                let says = |name: &str, word: &str| {
                    let value = header(name).and_then(|v| std::str::from_utf8(v).ok());
                    value.is_some_and(|v| v.split(',').any(|w| w.trim().eq_ignore_ascii_case(word)))
                };
                if let Some(container) = container {
                    return Ok(Wish::Live(live::Request {
                        container,
                        head_only: method == "HEAD",
                        icy: says("icy-metadata", "1"),
                        agent: agent(),
                    }));
                }
                let Some(hls) = hls else {
                    let websocket = says("upgrade", "websocket");
                    return Ok(Wish::Other { websocket });
                };
                // Nobody sends a body with such a request; what would follow it is not to be taken for another one.
                let body = header("transfer-encoding").is_some()
                    || header("content-length").is_some_and(|v| v.trim_ascii() != b"0");
                let wish = hls::Request {
                    path: hls.to_string(),
                    query: query.to_string(),
                    head_only: method == "HEAD",
                    range: header("range").and_then(range),
                    agent: agent(),
                    keep: request.version == Some(1) && !body && !says("connection", "close"),
                };
                read.advance(size);
                return Ok(Wish::Hls(wish));
            }
            // Too long or no HTTP at all: hyper has the right answers.
            Ok(httparse::Status::Partial) | Err(_) => {
                return Ok(Wish::Other { websocket: false });
            }
        }
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

/// A socket of which the first bytes were read already.
struct Rewound {
    first: Bytes,
    socket: TcpStream,
}

impl AsyncRead for Rewound {
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
        Pin::new(&mut self.socket).poll_read(cx, into)
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, data)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, data)
    }
    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
