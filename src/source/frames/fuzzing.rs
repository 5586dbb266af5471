// SPDX-License-Identifier: GPL-3.0-or-later
//! Bodies of uploads, for the fuzzers.

use std::sync::Once;

use super::{
    image,
    multipart::{self, Parser, Part},
};

/// Memory that a part may take here; the fuzzer's inputs are small.
const LIMIT: usize = 1 << 20;
/// A program so small that what counts is decoding.
const PROGRAM: (u32, u32) = (16, 16);

/// The first line is the type, the rest the body: parts of it, and each as a picture. However the bytes come in, the parts
/// are the same.
pub(crate) fn frames(data: &[u8]) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| gst::init().expect("GStreamer is installed"));
    let end = data.iter().position(|b| *b == b'\n');
    let (kind, body) = data.split_at(end.unwrap_or(0));
    let body = body.strip_prefix(b"\n").unwrap_or(body);
    let kind = String::from_utf8_lossy(kind);
    let Some(boundary) = multipart::boundary(&kind) else {
        let _ = image::decode(body, Some(&kind), PROGRAM);
        return;
    };
    let boundary = boundary.unwrap_or_else(|| "frame".into());
    let whole = parts(&boundary, body.chunks(body.len().max(1)));
    let bytewise = parts(&boundary, body.chunks(1));
    let uneven = parts(&boundary, body.chunks(7));
    assert_eq!(whole, bytewise);
    assert_eq!(whole, uneven);
    for part in whole {
        let _ = image::decode(&part.body, part.kind.as_deref(), PROGRAM);
    }
}

/// The parts before the stream ended or broke.
fn parts<'a>(boundary: &str, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Part> {
    let mut parser = Parser::new(boundary, LIMIT);
    let mut parts = Vec::new();
    for piece in pieces {
        parser.feed(piece);
        loop {
            match parser.next() {
                Ok(Some(part)) => parts.push(part),
                Ok(None) => break,
                Err(_) => return parts,
            }
        }
    }
    if let Ok(Some(part)) = parser.finish() {
        parts.push(part);
    }
    parts
}
