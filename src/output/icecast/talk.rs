// SPDX-License-Identifier: GPL-3.0-or-later
//! Requests and answers, by hand: a source client is no ordinary user of HTTP.

use std::{fmt::Write as _, io, time::Duration};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::dial::{Dialer, Link};
use crate::error::OutputError;

/// How long a server may think about a request.
const ANSWER: Duration = Duration::from_secs(10);
/// How long one question to the admin interface may take in all.
const ASK: Duration = Duration::from_secs(3);
/// Head of an answer.
const MOST_HEAD: usize = 16 << 10;
/// Body of an answer: a list of some ten thousand listeners.
const MOST_BODY: u64 = 8 << 20;

/// A user name and its password.
pub(in crate::output) type Login = (String, String);

/// What a server answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// What came after the head.
    pub(super) rest: Vec<u8>,
}

/// One line of a head.
pub(super) fn line(head: &mut String, name: &str, value: &str) {
    // A value that could begin another line is not let through, wherever it came from.
    let value = value.replace(char::is_control, " ");
    let _ = write!(head, "{name}: {value}\r\n");
}

/// The value of `Authorization`.
pub(super) fn basic((user, password): &Login) -> String {
    let both = format!("{user}:{password}");
    format!("Basic {}", glib::base64_encode(both.as_bytes()))
}

/// A path as it stands in a request.
pub(super) fn encode(text: &str, kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        match b.is_ascii_alphanumeric() || b"-._~".contains(&b) || kept.contains(&b) {
            true => out.push(b.into()),
            false => drop(write!(out, "%{b:02X}")),
        }
    }
    out
}

/// Read the head of an answer.
pub(super) async fn read_answer(link: &mut dyn Link) -> io::Result<Answer> {
    let wait = async {
        let mut got = Vec::with_capacity(1024);
        loop {
            if link.read_buf(&mut got).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = parse(&got)? {
                return Ok(answer);
            }
        }
    };
    tokio::time::timeout(ANSWER, wait)
        .await
        .map_err(|_| io::ErrorKind::TimedOut)?
}

/// The answer in these bytes; `None` if it is not complete.
pub(super) fn parse(got: &[u8]) -> io::Result<Option<Answer>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut answer = httparse::Response::new(&mut headers);
    match answer.parse(got) {
        Ok(httparse::Status::Complete(end)) => Ok(Some(Answer {
            status: answer.code.unwrap_or(0),
            rest: got[end..].to_vec(),
        })),
        Ok(httparse::Status::Partial) if got.len() < MOST_HEAD => Ok(None),
        Ok(httparse::Status::Partial) | Err(_) => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The server's own words in the body of a refusal, on one line.
pub(super) async fn reason(link: &mut dyn Link, answer: Answer) -> String {
    let mut body = answer.rest;
    let mut more = link.take(4096);
    // What does not come in time is not told.
    let _ = tokio::time::timeout(Duration::from_secs(2), more.read_to_end(&mut body)).await;
    in_words(&String::from_utf8_lossy(&body))
}

/// The text of a small page without its tags; Icecast answers with pages like
/// `<html>..<body><b>400 - Source does not exist</b></body></html>`.
pub(super) fn in_words(page: &str) -> String {
    let body = page.split_once("<body>").map_or(page, |(_, body)| body);
    let mut words = String::new();
    let mut in_tag = false;
    for c in body.chars().take(500) {
        match c {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ if in_tag => (),
            c if c.is_control() => words.push(' '),
            c => words.push(c),
        }
    }
    let words = words.trim();
    let numbered = words.split_once(" - ");
    let words = match numbered {
        Some((number, words)) if number.parse::<u16>().is_ok() => words,
        _ => words,
    };
    words.trim_end_matches('.').to_string()
}

/// Asks the admin interface of one server about one mount.
#[derive(Clone)]
pub(in crate::output) struct Admin {
    pub(super) dialer: Dialer,
    pub(super) login: Login,
    pub(super) mount: String,
}

impl Admin {
    /// Host and port.
    pub(in crate::output) fn name(&self) -> String {
        self.dialer.name()
    }

    /// One question; the body of the answer, or why there is none.
    pub(in crate::output) async fn ask(
        &self,
        command: &str,
        pairs: &[(&str, &str)],
    ) -> Result<String, String> {
        match tokio::time::timeout(ASK, self.call(command, pairs)).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(why)) => Err(why),
            Err(_) => Err("it does not answer".into()),
        }
    }

    async fn call(&self, command: &str, pairs: &[(&str, &str)]) -> Result<String, String> {
        let dialed = self.dialer.dial().await;
        let mut link = dialed.map_err(|e| {
            if let OutputError::Unreachable { why, .. } = e {
                return why;
            }
            e.to_string().trim_end_matches('.').to_string()
        })?;
        let mut path = format!("/admin/{command}?mount={}", encode(&self.mount, b"/"));
        for (key, value) in pairs {
            let _ = write!(path, "&{key}={}", encode(value, b""));
        }
        // 1.0: an answer to its end, without chunks.
        let mut head = format!("GET {path} HTTP/1.0\r\n");
        line(&mut head, "Host", &self.name());
        line(&mut head, "Authorization", &basic(&self.login));
        line(&mut head, "User-Agent", super::AGENT);
        head.push_str("\r\n");
        let io = |_| "it closed the connection".to_string();
        link.write_all(head.as_bytes()).await.map_err(io)?;
        link.flush().await.map_err(io)?;
        let answer = read_answer(&mut *link).await.map_err(io)?;
        if answer.status == 401 {
            return Err("it refused the password".into());
        }
        if answer.status != 200 {
            return Err(reason(&mut *link, answer).await);
        }
        let mut body = answer.rest;
        // Icecast ends a TLS connection without saying so, which is an error to us; the XML tells whether it is whole.
        let _ = link.take(MOST_BODY).read_to_end(&mut body).await;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_never_becomes_a_line_of_its_own() {
        let mut head = String::new();
        line(&mut head, "Ice-Name", "Sch\u{f6}n\r\nIce-Public: 1");
        assert_eq!(head, "Ice-Name: Sch\u{f6}n  Ice-Public: 1\r\n");
        assert_eq!(encode("/a b/\u{e9}.ogg", b"/"), "/a%20b/%C3%A9.ogg");
        assert_eq!(encode("a&b=c/", b""), "a%26b%3Dc%2F");
    }

    #[test]
    fn the_words_of_a_refusal_are_found_in_text_and_in_pages() {
        assert_eq!(in_words("Mountpoint in use"), "Mountpoint in use");
        let page = "<html><head><title>Error 400</title></head><body><b>400 - Source does not exist</b></body></html>\r\n";
        assert_eq!(in_words(page), "Source does not exist");
    }

    #[test]
    fn an_answer_is_read_when_it_is_whole() {
        assert!(parse(b"HTTP/1.1 100 Cont").unwrap().is_none());
        let whole = parse(b"HTTP/1.0 403 Forbidden\r\nServer: x\r\n\r\nno").unwrap();
        let whole = whole.unwrap();
        assert_eq!((whole.status, &whole.rest[..]), (403, &b"no"[..]));
        assert!(parse(b"SSH-2.0-OpenSSH\r\n").is_err());
        assert!(parse(&[b'H'; MOST_HEAD]).is_err());
    }
}
