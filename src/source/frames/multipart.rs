// SPDX-License-Identifier: GPL-3.0-or-later
//! `multipart/x-mixed-replace`: pictures one after the other in one body, as cameras and ffmpeg's `mpjpeg` send them.
//!
//! Form parsers do not fit: such a stream has no names, no end, and many senders who are careless about line ends and
//! about the two dashes before a boundary. A part ends after its `Content-Length` where it has one, else where the
//! next boundary begins. Memory is bounded by the largest part that is allowed.

use bytes::{Buf, Bytes, BytesMut};

use crate::error::PartError;

/// Far more than the head of a part needs.
const MOST_HEAD: usize = 8 << 10;

/// One part.
#[derive(Debug, PartialEq)]
pub(crate) struct Part {
    /// Its `Content-Type`, if it has one.
    pub(crate) kind: Option<String>,
    /// What is in it.
    pub(crate) body: Bytes,
}

/// The boundary that a `Content-Type` names. `None` if it is no stream of parts, `Some(None)` if it names none.
pub(crate) fn boundary(content_type: &str) -> Option<Option<String>> {
    let mut parts = content_type.split(';');
    let kind = parts.next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("multipart/x-mixed-replace") {
        return None;
    }
    let value = parts.find_map(|p| {
        let (name, value) = p.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then(|| value.trim().trim_matches('"').trim().to_string())
    });
    Some(value.filter(|b| !b.is_empty() && b.len() <= 200))
}

/// Takes bytes as they come and gives parts as they are complete.
pub(crate) struct Parser {
    /// As they may stand in the stream, the longest first.
    boundaries: Vec<Vec<u8>>,
    limit: usize,
    read: BytesMut,
    state: State,
    /// Up to here there is no boundary.
    searched: usize,
    /// Parts begun so far.
    count: usize,
}

/// What the head of a part says.
struct Head {
    kind: Option<String>,
    length: Option<usize>,
}

enum State {
    /// Before the first boundary.
    Preamble,
    /// In the head of a part.
    Head,
    /// In its body.
    Body {
        kind: Option<String>,
        length: Option<usize>,
    },
    /// Between a body of known length and the next boundary.
    Gap,
    /// After the last boundary.
    End,
}

/// What follows where a boundary may be.
enum Found {
    /// Not a boundary.
    No,
    /// It may be one; more bytes will tell.
    Perhaps,
    /// A boundary of so many bytes, its line end included; whether it is the last.
    Yes(usize, bool),
}

/// What follows the name of a boundary: two dashes after the last one, else nothing but the end of the line.
fn line_end(after: &[u8]) -> Found {
    match after {
        [b'-', b'-', ..] => return Found::Yes(2, true),
        [b'-'] => return Found::Perhaps,
        _ => (),
    }
    let blanks = after.iter().take_while(|b| matches!(b, b' ' | b'\t'));
    let blanks = blanks.take(MOST_HEAD).count();
    match &after[blanks..] {
        [b'\n', ..] => Found::Yes(blanks + 1, false),
        [b'\r', b'\n', ..] => Found::Yes(blanks + 2, false),
        [] | [b'\r'] if blanks < MOST_HEAD => Found::Perhaps,
        _ => Found::No,
    }
}

impl Parser {
    /// A parser for this boundary, for parts of at most so many bytes.
    pub(crate) fn new(boundary: &str, limit: usize) -> Parser {
        let mut boundaries = vec![format!("--{boundary}").into_bytes()];
        if boundary.starts_with("--") {
            // The two dashes were counted to its name.
            boundaries.push(boundary.as_bytes().to_vec());
        }
        Parser {
            boundaries,
            limit,
            read: BytesMut::new(),
            state: State::Preamble,
            searched: 0,
            count: 0,
        }
    }

    /// Take more bytes. Call [`next`](Self::next) until it gives nothing.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        // What follows the last boundary is of no interest.
        if !matches!(self.state, State::End) {
            self.read.extend_from_slice(bytes);
        }
    }

    /// The next complete part, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Part>, PartError> {
        loop {
            match &mut self.state {
                State::Preamble | State::Gap => {
                    let preamble = matches!(self.state, State::Preamble);
                    if !self.skip_to_boundary(preamble)? {
                        return Ok(None);
                    }
                }
                State::Head => {
                    let Some(Head { kind, length }) = self.head()? else {
                        return Ok(None);
                    };
                    self.state = State::Body { kind, length };
                    self.searched = 0;
                }
                State::Body { kind, length } => {
                    let (kind, length) = (kind.take(), *length);
                    let part = match length {
                        Some(length) => self.counted(length),
                        None => self.delimited()?,
                    };
                    if let Some(body) = part {
                        return Ok(Some(Part { kind, body }));
                    }
                    self.state = State::Body { kind, length };
                    return Ok(None);
                }
                State::End => {
                    self.read.clear();
                    return Ok(None);
                }
            }
        }
    }

    /// The stream has ended: the last part, if only its closing boundary is missing.
    pub(crate) fn finish(&mut self) -> Result<Option<Part>, PartError> {
        match &mut self.state {
            State::End | State::Gap => Ok(None),
            State::Preamble => Err(PartError::NoBoundary),
            State::Head if self.read.iter().all(u8::is_ascii_whitespace) => Ok(None),
            State::Head => Err(PartError::Cut(self.count)),
            State::Body {
                length: Some(_), ..
            } => Err(PartError::Cut(self.count)),
            State::Body { kind, length: None } => {
                let kind = kind.take();
                self.state = State::End;
                let body = std::mem::take(&mut self.read).freeze();
                Ok(Some(Part { kind, body }))
            }
        }
    }

    /// Whether a boundary begins at this byte, which must be the first of a line.
    fn boundary_at(&self, at: usize) -> Found {
        let rest = &self.read[at..];
        for boundary in &self.boundaries {
            let found = match rest.strip_prefix(boundary.as_slice()) {
                Some(after) => line_end(after),
                None if boundary.starts_with(rest) => Found::Perhaps,
                None => Found::No,
            };
            match found {
                Found::Yes(bytes, last) => return Found::Yes(boundary.len() + bytes, last),
                Found::Perhaps => return Found::Perhaps,
                Found::No => (),
            }
        }
        Found::No
    }

    fn begin_after(&mut self, bytes: usize, last: bool) {
        self.read.advance(bytes);
        self.searched = 0;
        if last {
            self.state = State::End;
            self.read = BytesMut::new();
        } else {
            self.count += 1;
            self.state = State::Head;
        }
    }

    /// Skip lines until a boundary begins one. In a gap only empty lines are allowed.
    fn skip_to_boundary(&mut self, preamble: bool) -> Result<bool, PartError> {
        loop {
            match self.boundary_at(0) {
                Found::Yes(bytes, last) => {
                    self.begin_after(bytes, last);
                    return Ok(true);
                }
                Found::Perhaps => return Ok(false),
                Found::No => (),
            }
            let line = self.read.iter().take(MOST_HEAD).position(|b| *b == b'\n');
            match line {
                Some(end) => {
                    let empty = self.read[..end].iter().all(u8::is_ascii_whitespace);
                    if !preamble && !empty {
                        return Err(PartError::Length(self.count));
                    }
                    self.read.advance(end + 1);
                }
                None if !preamble && !self.read.iter().all(u8::is_ascii_whitespace) => {
                    return Err(PartError::Length(self.count));
                }
                None if self.read.len() >= MOST_HEAD => return Err(PartError::NoBoundary),
                None => return Ok(false),
            }
        }
    }

    /// Type and length from the head of a part.
    fn head(&mut self) -> Result<Option<Head>, PartError> {
        let (mut kind, mut length) = (None, None);
        let mut at = 0;
        loop {
            let rest = &self.read[at..];
            let Some(end) = rest.iter().position(|b| *b == b'\n') else {
                if self.read.len() > MOST_HEAD {
                    return Err(PartError::Head(self.count));
                }
                return Ok(None);
            };
            let line = rest[..end].trim_ascii();
            at += end + 1;
            if at > MOST_HEAD {
                return Err(PartError::Head(self.count));
            }
            if line.is_empty() {
                break;
            }
            let line = String::from_utf8_lossy(line);
            let Some((name, value)) = line.split_once(':') else {
                return Err(PartError::Head(self.count));
            };
            let (name, value) = (name.trim(), value.trim());
            if name.eq_ignore_ascii_case("content-type") {
                kind = Some(value.to_string());
            } else if name.eq_ignore_ascii_case("content-length") {
                let bytes = value.parse().map_err(|_| PartError::Head(self.count))?;
                if bytes > self.limit {
                    return Err(PartError::TooLarge(self.count));
                }
                length = Some(bytes);
            }
        }
        self.read.advance(at);
        Ok(Some(Head { kind, length }))
    }

    fn counted(&mut self, length: usize) -> Option<Bytes> {
        if self.read.len() < length {
            return None;
        }
        let body = self.read.split_to(length).freeze();
        self.state = State::Gap;
        self.unshare();
        Some(body)
    }

    fn delimited(&mut self) -> Result<Option<Bytes>, PartError> {
        loop {
            let rest = &self.read[self.searched..];
            let Some(newline) = rest.iter().position(|b| *b == b'\n') else {
                self.searched = self.read.len();
                break;
            };
            let newline = self.searched + newline;
            match self.boundary_at(newline + 1) {
                Found::Yes(bytes, last) => {
                    // The line end before a boundary belongs to the boundary.
                    let end = match newline.checked_sub(1) {
                        Some(before) if self.read[before] == b'\r' => before,
                        Some(_) | None => newline,
                    };
                    if end > self.limit {
                        return Err(PartError::TooLarge(self.count));
                    }
                    let body = self.read.split_to(end).freeze();
                    self.read.advance(newline + 1 - end);
                    self.begin_after(bytes, last);
                    self.unshare();
                    return Ok(Some(body));
                }
                Found::Perhaps => {
                    self.searched = newline;
                    break;
                }
                Found::No => self.searched = newline + 1,
            }
        }
        // The end of the body may already hold a part of the boundary.
        if self.read.len() > self.limit + MOST_HEAD {
            return Err(PartError::TooLarge(self.count));
        }
        Ok(None)
    }

    /// What was read of the next part gets memory of its own, or the memory of the last one would grow for ever.
    fn unshare(&mut self) {
        self.read = BytesMut::from(self.read.as_ref());
    }
}

#[cfg(test)]
mod tests;
