// SPDX-License-Identifier: GPL-3.0-or-later
//! Icecast, through shout2send.

use std::{fmt, str::FromStr};

use url::Url;

use crate::error::SpecError;

/// A mount on an Icecast server. Its `Debug` and [`public_url`](Self::public_url) never show a password.
#[derive(Clone, PartialEq, Eq)]
pub struct IcecastTarget {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Mount, with its leading slash.
    pub mount: String,
    /// Source user, usually `source`.
    pub user: String,
    /// Source password.
    pub password: String,
    /// User and password of the admin interface, to list and kick listeners.
    pub admin: Option<(String, String)>,
}

impl IcecastTarget {
    /// Address without user or password.
    pub fn public_url(&self) -> String {
        format!("icecast://{}:{}{}", self.host, self.port, self.mount)
    }
}

impl fmt::Debug for IcecastTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public_url())
    }
}

impl FromStr for IcecastTarget {
    type Err = SpecError;

    /// `icecast://USER:PASSWORD@HOST:PORT/MOUNT[?admin=USER:PASSWORD]`; `http://` is understood too. User and port
    /// default to `source` and 8000.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let bad = |why: &str| SpecError::IcecastUrl {
            // What cannot be parsed is not repeated: it may hold a password.
            url: Url::parse(text).map_or("given".into(), |u| {
                format!(
                    "{}://{}{}",
                    u.scheme(),
                    u.host_str().unwrap_or(""),
                    u.path()
                )
            }),
            why: why.into(),
        };
        let plain = |s: &str| {
            percent_decode(s)
                .ok_or_else(|| bad("a % in it is not followed by two hexadecimal digits"))
        };
        let url = Url::parse(text).map_err(|e| bad(&e.to_string()))?;
        if !matches!(url.scheme(), "icecast" | "http") {
            return Err(bad("it does not begin with icecast://"));
        }
        let host = url
            .host_str()
            .filter(|h| !h.is_empty())
            .ok_or_else(|| bad("it names no host"))?;
        let mount = url.path();
        if mount.len() < 2 {
            return Err(bad("it names no mount"));
        }
        let password = match url.password() {
            Some(p) => plain(p)?,
            None => std::env::var("AERIAL_ICECAST_PASSWORD")
                .map_err(|_| bad("it has no password, and AERIAL_ICECAST_PASSWORD is not set"))?,
        };
        let admin = url.query_pairs().find(|(k, _)| k == "admin").map(|(_, v)| {
            let (user, password) = v.split_once(':').unwrap_or(("admin", &v));
            (user.to_string(), password.to_string())
        });
        Ok(IcecastTarget {
            host: host.trim_matches(['[', ']']).to_string(),
            port: url.port().unwrap_or(8000),
            mount: plain(mount)?,
            user: match url.username() {
                "" => "source".into(),
                user => plain(user)?,
            },
            password,
            admin,
        })
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        out.push(if b == b'%' {
            let pair = [bytes.next()?, bytes.next()?];
            u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?
        } else {
            b
        });
    }
    String::from_utf8(out).ok()
}
