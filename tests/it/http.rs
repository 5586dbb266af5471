// SPDX-License-Identifier: GPL-3.0-or-later
//! Plain HTTP over plain sockets, so that nothing is hidden by a client library.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use crate::rig::LONG;

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body, without chunk sizes.
    pub body: Vec<u8>,
}

impl Reply {
    /// A header by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn parse_head(head: &str) -> Reply {
        let mut lines = head.split("\r\n");
        let first = lines.next().unwrap();
        let mut words = first.split(' ');
        let status = words
            .nth(1)
            .and_then(|w| w.parse().ok())
            .unwrap_or_else(|| panic!("no status in {first:?}"));
        let headers = lines
            .filter_map(|l| l.split_once(':'))
            .map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_string()))
            .collect();
        Reply {
            status,
            headers,
            body: vec![],
        }
    }

    fn chunked(&self) -> bool {
        self.header("transfer-encoding")
            .is_some_and(|v| v.contains("chunked"))
    }
}

/// Takes the sizes out of a chunked body, which may be cut off anywhere.
pub fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut out = vec![];
    while let Some(end) = body.windows(2).position(|w| w == b"\r\n") {
        let size = std::str::from_utf8(&body[..end])
            .ok()
            .and_then(|s| usize::from_str_radix(s.trim(), 16).ok());
        let Some(size) = size else { break };
        body = &body[end + 2..];
        let take = size.min(body.len());
        out.extend_from_slice(&body[..take]);
        body = body.get(size + 2..).unwrap_or(&[]);
    }
    out
}

/// As much of an answer as anybody needs: a live stream has no end.
const ENOUGH: usize = 200_000;

/// How long an answer is that begins like this, if it says so.
fn told_length(answer: &[u8]) -> usize {
    let Some(end) = answer.windows(4).position(|w| w == b"\r\n\r\n") else {
        return 0;
    };
    let head = Reply::parse_head(&String::from_utf8_lossy(&answer[..end]));
    let length = head.header("content-length").and_then(|v| v.parse().ok());
    length.map_or(0, |length: usize| end + 4 + length)
}

/// Sends these bytes, then reads until the other side closes or has said enough. `None`: it closed without an answer.
pub fn exchange(address: SocketAddr, request: &[u8]) -> Option<Reply> {
    let mut stream = TcpStream::connect(address).unwrap();
    // A server that waits for the rest of a request is told after a while that there is none.
    stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    // One that has refused may close before it has read everything.
    let _ = stream.write_all(request);
    let mut all = vec![];
    let mut buffer = [0; 16 * 1024];
    let mut told = false;
    while all.len() < ENOUGH || all.len() < told_length(&all) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(got) => all.extend_from_slice(&buffer[..got]),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => break,
            Err(e) if e.kind() == ErrorKind::WouldBlock && !told => {
                told = true;
                let _ = stream.shutdown(Shutdown::Write);
                stream.set_read_timeout(Some(LONG)).unwrap();
            }
            Err(e) => panic!(
                "{}: no end of the answer: {e}",
                String::from_utf8_lossy(&request[..request.len().min(80)])
            ),
        }
    }
    if all.is_empty() {
        return None;
    }
    let end = all
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .unwrap_or(all.len());
    let mut reply = Reply::parse_head(&String::from_utf8_lossy(&all[..end]));
    let body = all.get(end + 4..).unwrap_or(&[]);
    reply.body = if reply.chunked() {
        unchunk(body)
    } else {
        body.to_vec()
    };
    Some(reply)
}

/// One request on a connection of its own. `Host` is the address unless given.
pub fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("host")) {
        head += &format!("Host: {address}\r\n");
    }
    if !body.is_empty() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let bytes = [head.as_bytes(), b"\r\n", body].concat();
    exchange(address, &bytes).unwrap_or_else(|| panic!("{method} {path}: closed without an answer"))
}

#[derive(Default)]
struct Seen {
    bytes: u64,
    kept: Vec<u8>,
    ended: bool,
}

/// A viewer of a live stream, who reads as fast as it comes.
pub struct Viewer {
    /// What the server said first.
    pub reply: Reply,
    socket: TcpStream,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    keep: bool,
}

impl Viewer {
    /// Joins with HTTP/1.1; what comes is counted and thrown away.
    pub fn join(address: SocketAddr, path: &str) -> Viewer {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: it/1\r\n\r\n");
        Viewer::start(TcpStream::connect(address).unwrap(), &request, false)
    }

    /// Sends this request on this connection, and reads on. Whatever comes is kept if asked for.
    pub fn start(mut socket: TcpStream, request: &str, keep: bool) -> Viewer {
        socket.set_read_timeout(Some(LONG)).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let (reply, rest) = read_head(&mut socket);
        let seen = Arc::new((
            Mutex::new(Seen {
                bytes: rest.len() as u64,
                kept: rest,
                ended: false,
            }),
            Condvar::new(),
        ));
        Viewer {
            reply,
            socket,
            seen,
            keep,
        }
        .reading()
    }

    /// The same, but nothing is read until [`reading`](Self::reading).
    pub fn stuck(mut socket: TcpStream, request: &str) -> Viewer {
        socket.set_read_timeout(Some(LONG)).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let (reply, rest) = read_head(&mut socket);
        let seen = Seen {
            bytes: rest.len() as u64,
            kept: rest,
            ended: false,
        };
        Viewer {
            reply,
            socket,
            seen: Arc::new((Mutex::new(seen), Condvar::new())),
            keep: true,
        }
    }

    /// Begins to read.
    pub fn reading(self) -> Viewer {
        let mut socket = self.socket.try_clone().unwrap();
        let (seen, keep) = (self.seen.clone(), self.keep);
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let got = socket.read(&mut buffer).unwrap_or(0);
                let mut now = seen.0.lock().unwrap();
                now.bytes += got as u64;
                if keep {
                    now.kept.extend_from_slice(&buffer[..got]);
                }
                now.ended = got == 0;
                seen.1.notify_all();
                if got == 0 {
                    return;
                }
            }
        });
        self
    }

    /// Where the server sees this viewer.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    fn wait(&self, what: &str, test: impl Fn(&Seen) -> bool) {
        let end = Instant::now() + LONG;
        let mut seen = self.seen.0.lock().unwrap();
        while !test(&seen) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "viewer {:?}: waited in vain for {what}",
                self.address()
            );
            seen = self
                .seen
                .1
                .wait_timeout(seen, left.min(Duration::from_secs(1)))
                .unwrap()
                .0;
        }
    }

    /// Waits until this many more bytes have come.
    pub fn wait_more(&self, bytes: u64) {
        let goal = self.seen.0.lock().unwrap().bytes + bytes;
        self.wait("more bytes", |seen| {
            assert!(
                !seen.ended || seen.bytes >= goal,
                "the stream ended after {} bytes",
                seen.bytes
            );
            seen.bytes >= goal
        });
    }

    /// Waits until the server ends the stream.
    pub fn wait_end(&self) {
        self.wait("the stream to end", |seen| seen.ended);
    }

    /// What was kept, without chunk sizes.
    pub fn kept(&self) -> Vec<u8> {
        let kept = &self.seen.0.lock().unwrap().kept;
        if self.reply.chunked() {
            unchunk(kept)
        } else {
            kept.clone()
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// Reads up to the empty line; returns what already came after it.
fn read_head(socket: &mut TcpStream) -> (Reply, Vec<u8>) {
    let mut all = vec![];
    let mut buffer = [0; 4096];
    loop {
        let got = socket.read(&mut buffer).unwrap();
        assert!(got > 0, "closed without an answer");
        all.extend_from_slice(&buffer[..got]);
        if let Some(end) = all.windows(4).position(|w| w == b"\r\n\r\n") {
            let reply = Reply::parse_head(&String::from_utf8_lossy(&all[..end]));
            return (reply, all[end + 4..].to_vec());
        }
    }
}
