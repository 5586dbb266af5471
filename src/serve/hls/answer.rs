// SPDX-License-Identifier: GPL-3.0-or-later
//! Answers with a length, written to the socket itself, so that the connection is good for the next request.

use std::{ops::Range, time::Duration};

use bytes::Bytes;

use super::Request;
use crate::serve::{live::NOT_BEGUN, unsent::Unsent, wire::Wire};

/// A viewer whose connection takes nothing for this long is let go.
const STALL: Duration = Duration::from_secs(20);

const PLAYLIST: &str = "application/vnd.apple.mpegurl";
const SEGMENT: &str = "video/mp4";
/// What a segment is never changes, and only its viewer knows its address.
const KEEP: &str = "private, max-age=60";
const DO_NOT_KEEP: &str = "no-store";

/// An answer.
pub(super) struct Answer {
    status: &'static str,
    kind: &'static str,
    cache: &'static str,
    body: Vec<Bytes>,
}

impl Answer {
    pub(super) fn words(status: &'static str, sentence: &str) -> Answer {
        Answer {
            status,
            kind: "text/plain",
            cache: DO_NOT_KEEP,
            body: vec![Bytes::from(format!("{sentence}\n"))],
        }
    }

    pub(super) fn playlist(text: String) -> Answer {
        Answer {
            status: "200 OK",
            kind: PLAYLIST,
            cache: DO_NOT_KEEP,
            body: vec![Bytes::from(text)],
        }
    }

    pub(super) fn file(body: Vec<Bytes>) -> Answer {
        Answer {
            status: "200 OK",
            kind: SEGMENT,
            cache: KEEP,
            body,
        }
    }

    pub(super) fn not_found() -> Answer {
        Answer::words(
            "404 Not Found",
            "There is no such segment. Begin at /hls/index.m3u8.",
        )
    }

    pub(super) fn not_begun() -> Answer {
        Answer::words("503 Service Unavailable", NOT_BEGUN)
    }

    pub(super) fn kicked() -> Answer {
        Answer::words("410 Gone", "The broadcaster ended your connection.")
    }
}

/// Write an answer; whether the connection is good for another. `count` is told what the connection took.
pub(super) async fn send<W: Wire>(
    wire: &mut W,
    request: &Request,
    answer: Answer,
    count: impl Fn(u64),
) -> bool {
    let Answer {
        mut status,
        kind,
        cache,
        mut body,
    } = answer;
    let size: u64 = body.iter().map(|b| b.len() as u64).sum();
    let mut more = String::new();
    if kind == SEGMENT && status == "200 OK" {
        more += "Accept-Ranges: bytes\r\n";
        match request.range.and_then(|range| within(range, size)) {
            Some(Ok(range)) => {
                status = "206 Partial Content";
                more += &format!(
                    "Content-Range: bytes {}-{}/{size}\r\n",
                    range.start,
                    range.end - 1
                );
                body = cut(body, range);
            }
            Some(Err(())) => {
                status = "416 Range Not Satisfiable";
                more += &format!("Content-Range: bytes */{size}\r\n");
                body.clear();
            }
            None => (),
        }
    }
    if status.starts_with("503") || status.starts_with("429") {
        more += "Retry-After: 5\r\n";
    }
    let length: usize = body.iter().map(Bytes::len).sum();
    // No Access-Control-Allow-Origin: what is only for this computer must not be read by any site its user visits.
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: {cache}\r\n{more}\
         X-Content-Type-Options: nosniff\r\nConnection: {}\r\n\r\n",
        if request.keep { "keep-alive" } else { "close" }
    );
    if request.head_only {
        body.clear();
    }
    let mut unsent: Unsent = std::iter::once(Bytes::from(head)).chain(body).collect();
    while !unsent.is_done(wire) {
        match unsent.write(wire) {
            Ok(n) => count(n as u64),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                let ready = tokio::time::timeout(STALL, wire.tcp().writable()).await;
                if !matches!(ready, Ok(Ok(()))) {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
    request.keep
}

/// The bytes that a range means. `None` where it means nothing, an error where there are none.
fn within(range: (Option<u64>, Option<u64>), size: u64) -> Option<Result<Range<u64>, ()>> {
    let range = match range {
        (Some(first), last) => first..last.map_or(size, |last| last.saturating_add(1)).min(size),
        (None, Some(last)) => size.saturating_sub(last)..size,
        (None, None) => return None,
    };
    Some(if range.is_empty() { Err(()) } else { Ok(range) })
}

/// These bytes of all the pieces.
fn cut(pieces: Vec<Bytes>, range: Range<u64>) -> Vec<Bytes> {
    let mut at = 0;
    let mut kept = vec![];
    for piece in pieces {
        let end = at + piece.len() as u64;
        let (from, to) = (range.start.max(at), range.end.min(end));
        if from < to {
            kept.push(piece.slice((from - at) as usize..(to - at) as usize));
        }
        at = end;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_out_of_the_pieces() {
        let pieces = || vec![Bytes::from("01234"), Bytes::from("567"), Bytes::from("89")];
        let got = |range| match within(range, 10) {
            Some(Ok(range)) => Some(cut(pieces(), range).concat()),
            Some(Err(())) | None => None,
        };
        assert_eq!(got((Some(0), None)).unwrap(), b"0123456789");
        assert_eq!(got((Some(3), Some(8))).unwrap(), b"345678");
        assert_eq!(got((Some(8), Some(800))).unwrap(), b"89");
        assert_eq!(got((None, Some(4))).unwrap(), b"6789");
        assert_eq!(got((None, Some(40))).unwrap(), b"0123456789");
        assert_eq!(within((Some(10), None), 10), Some(Err(())));
        assert_eq!(within((Some(5), Some(4)), 10), Some(Err(())));
        assert_eq!(within((None, None), 10), None);
    }
}
