// SPDX-License-Identifier: GPL-3.0-or-later
//! Endless streams over a plain socket: `/live.webm` and its like.
//!
//! A viewer is a place in the muxer's ring and a socket. What all viewers get is the same memory; per viewer and
//! chunk there is one system call. A viewer whose socket takes nothing keeps its place until the ring moves on; then
//! it continues at the newest key frame, and after [`STALL`] without a byte it is let go.

use std::{collections::VecDeque, io::IoSlice, net::SocketAddr, time::Duration};

use bytes::{Buf, Bytes};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::Shared;
use crate::{
    audience::{Guard, Transport, Who},
    mux::{Chunk, ChunkFeed, Container},
};

/// What a viewer asked for.
pub(super) struct Request {
    pub(super) container: &'static Container,
    /// Only what it would be, not the stream.
    pub(super) head_only: bool,
    /// What the viewer calls itself.
    pub(super) agent: String,
}

/// A viewer whose connection takes nothing for this long is let go.
const STALL: Duration = Duration::from_secs(20);
/// A stream that cannot begin within this time will not (no encoder, for instance).
const BEGIN: Duration = Duration::from_secs(10);
/// Chunks taken from the ring at once: enough to catch up quickly, few enough to skip soon.
const BATCH: usize = 16;

/// Serve one viewer to its end.
pub(super) async fn serve(
    mut socket: TcpStream,
    peer: SocketAddr,
    request: Request,
    shared: &Shared,
) {
    let Request {
        container,
        head_only,
        agent,
    } = request;
    if !*shared.on_air.borrow() {
        return refuse(
            &mut socket,
            head_only,
            "503 Service Unavailable",
            "The broadcast is not on the air. Try again when it has begun.",
        )
        .await;
    }
    let Some(lease) = shared.muxes.lease(container.format) else {
        return refuse(
            &mut socket,
            head_only,
            "404 Not Found",
            "This broadcast has nothing that such a stream could carry. Try /live.webm.",
        )
        .await;
    };
    // No Access-Control-Allow-Origin: what is only for this computer must not be read by any site its user visits.
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        lease.content_type()
    );
    if head_only {
        let _ = socket.write_all(head.as_bytes()).await;
        let _ = socket.shutdown().await;
        return;
    }
    let guard = shared.audience.join(Who {
        transport: Transport::Http,
        format: container.name.into(),
        address: peer.to_string(),
        agent,
    });
    let stream = lease.stream().clone();
    let header = tokio::select! {
        header = tokio::time::timeout(BEGIN, stream.wait_head()) => header.ok().flatten(),
        () = guard.kicked() => return,
    };
    let Some(header) = header else {
        return refuse(
            &mut socket,
            head_only,
            "503 Service Unavailable",
            "The stream could not be begun. Try again in a moment.",
        )
        .await;
    };
    let sent = async {
        let mut viewer = Sender {
            socket: &socket,
            unsent: VecDeque::from([Bytes::from(head), header]),
            guard: &guard,
        };
        let mut feed = lease.subscribe();
        viewer.run(&mut feed).await
    };
    let end = tokio::select! {
        end = sent => end,
        () = guard.kicked() => End::Over,
    };
    match end {
        End::Over => {
            let _ = tokio::time::timeout(Duration::from_secs(1), socket.shutdown()).await;
        }
        End::Gone => (),
        End::Slow => shared.audience.count_slow(),
    }
}

/// Say why there is no stream now.
async fn refuse(socket: &mut TcpStream, head_only: bool, status: &str, sentence: &str) {
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nRetry-After: 5\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{}",
        sentence.len() + 1,
        if head_only {
            String::new()
        } else {
            format!("{sentence}\n")
        }
    );
    let _ = socket.write_all(answer.as_bytes()).await;
    let _ = socket.shutdown().await;
}

/// How a stream to one viewer ended.
enum End {
    /// There is no more.
    Over,
    /// The viewer closed the connection.
    Gone,
    /// The viewer took nothing for too long.
    Slow,
}

struct Sender<'a> {
    socket: &'a TcpStream,
    unsent: VecDeque<Bytes>,
    guard: &'a Guard,
}

impl Sender<'_> {
    async fn run(&mut self, feed: &mut ChunkFeed) -> End {
        let counters = self.guard.counters();
        let mut batch: Vec<Chunk> = Vec::with_capacity(BATCH);
        loop {
            while !self.unsent.is_empty() {
                match self.write() {
                    Ok(n) => counters.add_bytes(n as u64),
                    Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                        counters.set_queue_ms(feed.lag().as_millis() as u32);
                        match self.wait(feed).await {
                            Some(end) => return end,
                            None => continue,
                        }
                    }
                    Err(_) => return End::Gone,
                }
            }
            let lag = feed.lag();
            counters.set_queue_ms(lag.as_millis() as u32);
            if !feed.next_batch(&mut batch, BATCH).await {
                return End::Over;
            }
            counters.set_dropped(feed.skipped());
            self.unsent.extend(batch.drain(..).map(|chunk| chunk.data));
        }
    }

    /// Wait until the socket takes more; meanwhile the queue's age is kept true.
    async fn wait(&self, feed: &ChunkFeed) -> Option<End> {
        let deadline = tokio::time::Instant::now() + STALL;
        loop {
            let look = tokio::time::Instant::now() + Duration::from_millis(500);
            tokio::select! {
                ready = self.socket.writable() => return ready.is_err().then_some(End::Gone),
                () = tokio::time::sleep_until(look.min(deadline)) => {
                    if tokio::time::Instant::now() >= deadline {
                        return Some(End::Slow);
                    }
                    self.guard.counters().set_queue_ms(feed.lag().as_millis() as u32);
                }
            }
        }
    }

    /// One system call for everything that waits.
    fn write(&mut self) -> std::io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); BATCH + 2];
        let mut used = 0;
        for (slice, bytes) in slices.iter_mut().zip(&self.unsent) {
            *slice = IoSlice::new(bytes);
            used += 1;
        }
        let written = self.socket.try_write_vectored(&slices[..used])?;
        if written == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        let mut left = written;
        while let Some(front) = self.unsent.front_mut() {
            if left < front.len() {
                front.advance(left);
                break;
            }
            left -= front.len();
            self.unsent.pop_front();
        }
        Ok(written)
    }
}
