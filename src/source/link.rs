// SPDX-License-Identifier: GPL-3.0-or-later
//! Addresses of streams elsewhere. Their passwords are never shown.

use std::{fmt, str::FromStr};

use url::Url;

use crate::{error::SpecError, hush};

/// Kinds of address that are played.
const SCHEMES: [&str; 12] = [
    "http", "https", "icy", "rtsp", "rtsps", "rtsph", "rtspt", "rtmp", "rtmps", "srt", "udp", "rtp",
];

/// The address of a stream. `Display` leaves its password out, and so does `Debug`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Link(Url);

impl Link {
    /// Whether the text is meant as an address, however broken.
    pub fn looks_like_one(text: &str) -> bool {
        text.contains("://")
    }

    /// The whole address, secrets included: for whoever opens it, for nobody else.
    pub fn secret(&self) -> &str {
        self.0.as_str()
    }

    /// Host and port, or what there is of them.
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        match self.0.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        }
    }
}

impl FromStr for Link {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Link, SpecError> {
        let refuse = |why: String| SpecError::LinkUrl {
            // Not the text itself: it may hold a password.
            url: text.split_once("://").map_or("", |(s, _)| s).to_string(),
            why,
        };
        hush::hide_address(text);
        let url = Url::parse(text).map_err(|e| refuse(e.to_string()))?;
        if !SCHEMES.contains(&url.scheme()) {
            return Err(refuse(format!(
                "\"{}\" is no kind of stream that can be played",
                url.scheme()
            )));
        }
        if url.host_str().is_none_or(str::is_empty) && url.scheme() != "srt" {
            return Err(refuse("it names no host".into()));
        }
        Ok(Link(url))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.0.clone();
        // Addresses without a host can have neither, and then there is nothing to hide.
        if url.password().is_some() {
            let _ = url.set_password(Some("***"));
        }
        // Keys of streams often stand in the query: only its names are shown.
        if let Some(query) = self.0.query() {
            let names: Vec<String> = query
                .split('&')
                .map(|pair| match pair.split_once('=') {
                    Some((name, _)) => format!("{name}=***"),
                    None => "***".to_string(),
                })
                .collect();
            url.set_query(Some(&names.join("&")));
        }
        f.write_str(url.as_str())
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_an_address_are_not_shown() {
        let link: Link = "rtsp://me:geheim@cam.example:554/a?key=topsecret&flat"
            .parse()
            .unwrap();
        let shown = format!("{link} {link:?}");
        assert!(!shown.contains("geheim") && !shown.contains("topsecret"));
        assert!(shown.contains("cam.example") && shown.contains("key="));
        assert!(link.secret().contains("geheim"));
    }

    #[test]
    fn what_cannot_be_played_is_refused_without_its_secrets() {
        for text in ["ftp://u:geheim@h/x", "http://", "file:///etc/passwd"] {
            let error = text.parse::<Link>().unwrap_err().to_string();
            assert!(!error.contains("geheim"), "{error}");
        }
    }
}
