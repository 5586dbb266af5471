// SPDX-License-Identifier: GPL-3.0-or-later
//! The source client: asks for the mount, then sends the stream.

use std::{convert::Infallible, fmt::Write as _, io, time::Duration};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    IcecastTarget,
    dial::{Dialer, Link},
    talk::{self, Answer},
};
use crate::{
    error::OutputError,
    mux::{Chunk, ChunkFeed},
};

/// How long the server may take no bytes before the connection is given up; also how long "live" may be untrue.
const STALL: Duration = Duration::from_secs(4);
/// A stream from which nothing comes for this long has ended without saying so.
const SILENCE: Duration = Duration::from_secs(10);
/// What is handed over at once. A server that takes one such part in each [`STALL`] is slow, but alive.
const PART: usize = 16 << 10;
/// Chunks taken from the ring at once: enough to catch up quickly, few enough to skip soon.
const BATCH: usize = 16;

/// What is sent, in the words of the head.
pub(super) struct Goods {
    pub(super) content_type: &'static str,
    /// Bits per second, where it is known.
    pub(super) bitrate: Option<u64>,
    /// Whether there is sound in it.
    pub(super) sound: bool,
}

/// Ask for the mount; done when the server has accepted.
pub(super) async fn connect(
    target: &IcecastTarget,
    dialer: &Dialer,
    goods: &Goods,
) -> Result<Box<dyn Link>, OutputError> {
    let (link, answer) = request(target, dialer, goods, "PUT").await?;
    // Servers before Icecast 2.4 know only the method of their own.
    if !matches!(answer.status, 400 | 405 | 417 | 501) {
        return accepted(target, link, answer).await;
    }
    let (link, answer) = request(target, dialer, goods, "SOURCE").await?;
    accepted(target, link, answer).await
}

async fn request(
    target: &IcecastTarget,
    dialer: &Dialer,
    goods: &Goods,
    method: &str,
) -> Result<(Box<dyn Link>, Answer), OutputError> {
    let mut link = dialer.dial().await?;
    let head = head(target, goods, method);
    let asked = async {
        link.write_all(&head).await?;
        link.flush().await?;
        talk::read_answer(&mut *link).await
    };
    let answer = asked.await.map_err(|e| {
        use io::ErrorKind::{InvalidData, TimedOut};
        OutputError::Unreachable {
            host: target.host_and_port(),
            why: if e.kind() == InvalidData {
                "it is no Icecast server"
            } else if e.kind() == TimedOut {
                "it does not answer"
            } else {
                "it closed the connection"
            }
            .into(),
        }
    })?;
    Ok((link, answer))
}

/// The request. Its body has no length and is not chunked, though HTTP/1.1 would want one of the two: Icecast 2.4 takes
/// the bytes as they come and passes chunk sizes on to its listeners as if they were sound (tried). An HTTP library
/// would chunk.
fn head(target: &IcecastTarget, goods: &Goods, method: &str) -> Vec<u8> {
    let mount = talk::encode(&target.mount, b"/");
    let put = method == "PUT";
    let version = if put { "HTTP/1.1" } else { "ICE/1.0" };
    let mut head = format!("{method} {mount} {version}\r\n");
    let mut line = |name, value: &str| talk::line(&mut head, name, value);
    let login = (target.user.clone(), target.password.clone());
    line("Host", &target.host_and_port());
    line("Authorization", &talk::basic(&login));
    line("User-Agent", super::AGENT);
    line("Content-Type", goods.content_type);
    if put {
        line("Expect", "100-continue");
    }
    let about = &target.about;
    line("Ice-Public", if about.public { "1" } else { "0" });
    for (name, value) in [
        ("Ice-Name", &about.name),
        ("Ice-Genre", &about.genre),
        ("Ice-Description", &about.description),
        ("Ice-URL", &about.url),
    ] {
        if !value.is_empty() {
            line(name, value);
        }
    }
    let mut info = match goods.sound {
        true => "samplerate=48000;channels=2".to_string(),
        false => String::new(),
    };
    if let Some(kilobits) = goods.bitrate.map(|bits| bits / 1000) {
        line("Ice-Bitrate", &kilobits.to_string());
        let separator = if info.is_empty() { "" } else { ";" };
        let _ = write!(info, "{separator}bitrate={kilobits}");
    }
    if !info.is_empty() {
        line("Ice-Audio-Info", &info);
    }
    head.push_str("\r\n");
    match goods.content_type {
        // Icecast reads what it is told about these as Latin-1, and about the others as UTF-8 (tried).
        "audio/mpeg" | "audio/aac" => head.chars().map(latin1).collect(),
        _ => head.into_bytes(),
    }
}

/// The letter, or a question mark where there is none.
fn latin1(c: char) -> u8 {
    u8::try_from(u32::from(c)).unwrap_or(b'?')
}

/// The connection if the answer lets us in, else why not.
async fn accepted(
    target: &IcecastTarget,
    mut link: Box<dyn Link>,
    answer: Answer,
) -> Result<Box<dyn Link>, OutputError> {
    let status = answer.status;
    if matches!(status, 100 | 200) {
        return Ok(link);
    }
    let why = match status {
        401 => String::new(),
        _ => talk::reason(&mut *link, answer).await,
    };
    Err(refusal(target, status, why))
}

/// A server's answer to our errors. Icecast has one number, 403, for several, so its words must be looked at.
fn refusal(target: &IcecastTarget, status: u16, why: String) -> OutputError {
    let (host, mount) = (target.host_and_port(), target.mount.clone());
    let words = why.to_ascii_lowercase();
    if status == 401 {
        OutputError::Denied { host }
    } else if status == 409 || words.contains("in use") {
        OutputError::MountInUse { host, mount }
    } else if words.contains("too many sources") {
        OutputError::ServerFull { host }
    } else if (300..400).contains(&status) || status == 404 || why.is_empty() {
        OutputError::Refused {
            host,
            mount,
            why: format!("it answered {status}"),
        }
    } else {
        OutputError::Refused { host, mount, why }
    }
}

/// Send the stream to its end, which is an error, whatever it is. `took` hears of bytes that the server took,
/// `skipped` of chunks that it was too slow for.
pub(super) async fn stream(
    target: &IcecastTarget,
    link: Box<dyn Link>,
    head: Bytes,
    feed: ChunkFeed,
    took: impl Fn(usize),
    skipped: impl Fn(u64),
) -> OutputError {
    let (read, write) = tokio::io::split(link);
    let ended = tokio::select! {
        // The server's word goes first: it says why it does not take any more.
        biased;
        error = listen(target, read) => return error,
        ended = send(target, write, head, feed, took, skipped) => ended,
    };
    match ended {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

/// Hear what the server says meanwhile: nothing, usually. When it goes, that is known at once.
async fn listen(target: &IcecastTarget, mut link: impl AsyncRead + Unpin) -> OutputError {
    let mut said = Vec::new();
    let mut part = [0; 1024];
    let lost = || OutputError::Lost {
        host: target.host_and_port(),
    };
    loop {
        match link.read(&mut part).await {
            Ok(0) | Err(_) => return lost(),
            Ok(n) => said.extend_from_slice(&part[..n]),
        }
        // After "100 Continue" comes "200 OK", or a refusal.
        while let Ok(Some(answer)) = talk::parse(&said) {
            if answer.status >= 300 {
                let why = String::from_utf8_lossy(&answer.rest).trim().to_string();
                return refusal(target, answer.status, why);
            }
            said = answer.rest;
        }
        // Nothing that we would understand.
        if said.len() > 64 << 10 {
            said.clear();
        }
    }
}

async fn send(
    target: &IcecastTarget,
    mut link: impl AsyncWrite + Unpin,
    head: Bytes,
    mut feed: ChunkFeed,
    took: impl Fn(usize),
    skipped: impl Fn(u64),
) -> Result<Infallible, OutputError> {
    let host = || target.host_and_port();
    let mut batch: Vec<Chunk> = Vec::with_capacity(BATCH);
    let mut missed = 0;
    let mut unsent = vec![head];
    loop {
        for bytes in unsent.drain(..) {
            for part in bytes.chunks(PART) {
                // Through the encryption too, down to the system.
                let passed_on = async {
                    link.write_all(part).await?;
                    link.flush().await
                };
                match tokio::time::timeout(STALL, passed_on).await {
                    Ok(Ok(())) => took(part.len()),
                    Ok(Err(_)) => return Err(OutputError::Lost { host: host() }),
                    Err(_) => return Err(OutputError::Stalled { host: host() }),
                }
            }
        }
        match tokio::time::timeout(SILENCE, feed.next_batch(&mut batch, BATCH)).await {
            Ok(true) => (),
            Ok(false) => return Err(OutputError::Other("the encoders were restarted".into())),
            Err(_) => return Err(OutputError::Other("the encoders give nothing".into())),
        }
        if feed.skipped() > missed {
            skipped(feed.skipped() - missed);
            missed = feed.skipped();
        }
        unsent.extend(batch.drain(..).map(|chunk| chunk.data));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    };

    use tokio::net::TcpListener;

    use super::*;
    use crate::fanout::{Depth, Join, Stream};

    const GOODS: Goods = Goods {
        content_type: "audio/mpeg",
        bitrate: Some(128_000),
        sound: true,
    };

    fn target(port: u16) -> IcecastTarget {
        format!("icecast://source:pw@127.0.0.1:{port}/a%20b.mp3?name=N")
            .parse()
            .unwrap()
    }

    /// A server that gives these answers, one connection after the other, and tells the first lines it got.
    async fn server(
        answers: &'static [&'static str],
    ) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            let mut lines = Vec::new();
            for answer in answers {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut got = Vec::new();
                while !got.ends_with(b"\r\n\r\n") {
                    assert_ne!(socket.read_buf(&mut got).await.unwrap(), 0);
                }
                let got = String::from_utf8(got).unwrap();
                lines.push(got.lines().next().unwrap().to_string());
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
            lines
        });
        (port, task)
    }

    async fn outcome(answers: &'static [&'static str]) -> (Result<(), OutputError>, Vec<String>) {
        let (port, task) = server(answers).await;
        let target = target(port);
        let dialer = Dialer::new(&target.host, target.port, false, None);
        let result = connect(&target, &dialer, &GOODS).await.map(drop);
        (result, task.await.unwrap())
    }

    #[tokio::test]
    async fn an_old_server_is_asked_in_its_own_way() {
        let (result, lines) = outcome(&[
            "HTTP/1.0 405 Method Not Allowed\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\n",
        ])
        .await;
        assert_eq!(result, Ok(()));
        assert_eq!(
            lines,
            ["PUT /a%20b.mp3 HTTP/1.1", "SOURCE /a%20b.mp3 ICE/1.0"]
        );
    }

    #[tokio::test]
    async fn each_refusal_has_its_own_error() {
        let forbidden = |body: &str| format!("HTTP/1.0 403 Forbidden\r\n\r\n{body}");
        type IsRight = fn(&OutputError) -> bool;
        let cases: [(String, IsRight); 6] = [
            ("HTTP/1.0 401 No\r\n\r\n".into(), |e| {
                matches!(e, OutputError::Denied { .. })
            }),
            (forbidden("Mountpoint in use"), |e| {
                matches!(e, OutputError::MountInUse { .. })
            }),
            (forbidden("too many sources connected"), |e| {
                matches!(e, OutputError::ServerFull { .. })
            }),
            (
                forbidden("Content-type not supported"),
                |e| matches!(e, OutputError::Refused { why, .. } if why == "Content-type not supported"),
            ),
            (
                "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n".into(),
                |e| matches!(e, OutputError::Refused { why, .. } if why.contains("302")),
            ),
            (
                "SSH-2.0-OpenSSH_9\r\n".into(),
                |e| matches!(e, OutputError::Unreachable { why, .. } if why.contains("no Icecast")),
            ),
        ];
        for (answer, is_right) in cases {
            let answer: &'static str = answer.leak();
            let (result, _) = outcome(vec![answer].leak()).await;
            let error = result.unwrap_err();
            assert!(is_right(&error), "{answer}: {error:?}");
        }
    }

    #[test]
    fn the_request_says_what_is_sent_and_never_chunks() {
        let head = head(&target(8000), &GOODS, "PUT");
        let head = String::from_utf8(head).unwrap();
        for line in [
            "Host: 127.0.0.1:8000",
            "Authorization: Basic c291cmNlOnB3",
            "Content-Type: audio/mpeg",
            "Expect: 100-continue",
            "Ice-Public: 0",
            "Ice-Name: N",
            "Ice-Bitrate: 128",
            "Ice-Audio-Info: samplerate=48000;channels=2;bitrate=128",
        ] {
            assert!(head.contains(&format!("\r\n{line}\r\n")), "{line}: {head}");
        }
        assert!(!head.contains("Transfer-Encoding") && !head.contains("Ice-Genre"));
    }

    #[tokio::test]
    async fn a_slow_server_misses_pieces_and_goes_on_at_a_key_frame() {
        let chunks = Stream::new(Depth {
            time: Duration::from_secs(2),
            ..Depth::default()
        });
        let publish = |n: u8| {
            chunks.publish(Chunk {
                pts: Duration::from_millis(u64::from(n) * 100),
                key: n.is_multiple_of(10),
                data: vec![n; 1000].into(),
            })
        };
        publish(0);
        let feed = chunks.subscribe(Join::LastKey);
        // Takes a hundred bytes, then no more until they are read.
        let (ours, mut theirs) = tokio::io::duplex(100);
        let missed = Arc::new(AtomicU64::new(0));
        let (target, count) = (target(1), missed.clone());
        let sending = tokio::spawn(async move {
            let skipped = |n| {
                count.fetch_add(n, Relaxed);
            };
            stream(&target, Box::new(ours), Bytes::new(), feed, |_| (), skipped).await
        });
        let mut first = [9; 1000];
        // As soon as its first byte is here, nothing else was taken from the stream.
        theirs.read_exact(&mut first[..1]).await.unwrap();
        (1..=55).for_each(publish);
        theirs.read_exact(&mut first[1..]).await.unwrap();
        assert_eq!(first, [0; 1000]);
        let mut rest = [0; 6000];
        theirs.read_exact(&mut rest).await.unwrap();
        let got: Vec<u8> = rest.chunks(1000).map(|chunk| chunk[0]).collect();
        assert_eq!(got, [50, 51, 52, 53, 54, 55]);
        assert_eq!(missed.load(Relaxed), 49);
        // The server goes, which is seen though there is nothing to send.
        drop(theirs);
        assert!(matches!(sending.await, Ok(OutputError::Lost { .. })));
    }
}
