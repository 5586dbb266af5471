// SPDX-License-Identifier: GPL-3.0-or-later
//! Where on which server, with which password, and as what: one URL.

use std::{fmt, str::FromStr};

use url::Url;

use crate::{encode::Format, error::SpecError, output::address::decode};

/// A mount on an Icecast server. Its `Debug` and [`public_url`](Self::public_url) never show a password.
#[derive(Clone, PartialEq, Eq)]
pub struct IcecastTarget {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// SHA-256 of the server's certificate, 64 lower-case hexadecimal digits: this one is trusted and no other. Without it
    /// the certificate must be one that this computer trusts.
    pub fingerprint: Option<String>,
    /// Mount, with its leading slash.
    pub mount: String,
    /// Source user, usually `source`.
    pub user: String,
    /// Source password.
    pub password: String,
    /// User and password of the admin interface, to list and kick listeners.
    pub admin: Option<(String, String)>,
    /// What is sent; without it the ending of the mount decides.
    pub format: Option<Format>,
    /// What the server tells its listeners.
    pub about: Box<About>,
    /// Servers that relay this mount and are asked for their listeners too, with the same admin user.
    pub relays: Vec<Relay>,
    pub(super) given: String,
}

/// What a server tells its listeners about a mount. Empty is not told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Whether public directories may list it.
    pub public: bool,
    /// What it is called.
    pub name: String,
    /// For example `talk`.
    pub genre: String,
    /// A sentence.
    pub description: String,
    /// A page about it.
    pub url: String,
}

/// A server that passes the mount on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

impl Default for IcecastTarget {
    /// As most servers are set up; host, mount and password are yet to be given.
    fn default() -> Self {
        IcecastTarget {
            host: String::new(),
            port: 8000,
            tls: false,
            fingerprint: None,
            mount: String::new(),
            user: "source".into(),
            password: String::new(),
            admin: None,
            format: None,
            about: Box::default(),
            relays: Vec::new(),
            given: String::new(),
        }
    }
}

/// Endings of mounts, which are the words of `format=` too.
const FORMATS: [(&str, Format); 9] = [
    ("webm", Format::WebM),
    ("ogg", Format::Ogg),
    ("ogv", Format::Ogg),
    ("oga", Format::Vorbis),
    ("vorbis", Format::Vorbis),
    ("opus", Format::Opus),
    ("flac", Format::Flac),
    ("mp3", Format::Mp3),
    ("aac", Format::Aac),
];

fn format_of(word: &str) -> Option<Format> {
    let word = word.to_ascii_lowercase();
    let row = FORMATS.iter().find(|(ending, _)| *ending == word)?;
    Some(row.1)
}

impl IcecastTarget {
    /// What is sent: as wished, else by the ending of the mount, else WebM. Ogg is Vorbis alone when the program has no
    /// picture.
    pub fn format(&self) -> Format {
        let ending = self.mount.rsplit_once('.').map(|(_, ending)| ending);
        self.format
            .or_else(|| format_of(ending?))
            .unwrap_or(Format::WebM)
    }

    /// Address as it was given, secrets and all: to be changed, never to be shown.
    pub fn full_url(&self) -> &str {
        &self.given
    }

    /// Host and port, as told in sentences.
    pub(super) fn host_and_port(&self) -> String {
        host_and_port(&self.host, self.port)
    }

    /// Address without user or password.
    pub fn public_url(&self) -> String {
        let scheme = if self.tls { "icecasts" } else { "icecast" };
        format!("{scheme}://{}{}", self.host_and_port(), self.mount)
    }
}

/// As in an address: an IPv6 address has brackets.
pub(super) fn host_and_port(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

impl fmt::Debug for IcecastTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public_url())
    }
}

impl FromStr for IcecastTarget {
    type Err = SpecError;

    /// `icecast://USER:PASSWORD@HOST:PORT/MOUNT`, or `icecasts://` over TLS; `http://` and `https://` are understood too.
    /// User defaults to `source`, the password to the variable `AERIAL_ICECAST_PASSWORD`, the port to 8000, 8443 for
    /// `icecasts://` and 443 for `https://`. After a `?`: `admin=USER:PASSWORD`, `format=WORD`, `public=1`, `name=`, `genre=`,
    /// `description=`, `url=`, `fingerprint=sha256:HEX`, and `relay=HOST:PORT` as often as there are relays.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let bad = |why: &str| SpecError::IcecastUrl {
            // What cannot be parsed is not repeated: it may hold a password.
            url: Url::parse(text).map_or("given".into(), |u| {
                let host = u.host_str().unwrap_or("");
                format!("{}://{host}{}", u.scheme(), u.path())
            }),
            why: why.into(),
        };
        let plain = |s: &str| {
            decode(s).ok_or_else(|| bad("a % in it is not followed by two hexadecimal digits"))
        };
        let scheme = text.split(':').next().unwrap_or("").to_ascii_lowercase();
        let (tls, port) = match scheme.as_str() {
            "icecast" | "http" => (false, 8000),
            "icecasts" => (true, 8443),
            "https" => (true, 443),
            _ => return Err(bad("it does not begin with icecast:// or icecasts://")),
        };
        // As a scheme that has no port of its own: otherwise `http://HOST:80` would look as if it had none.
        let url = Url::parse(&format!("icecast{}", &text[scheme.len()..]))
            .map_err(|e| bad(&e.to_string()))?;
        let host = url
            .host_str()
            .filter(|h| !h.is_empty())
            .ok_or_else(|| bad("it names no host"))?;
        let mount = plain(url.path())?;
        if mount.len() < 2 {
            return Err(bad("it names no mount"));
        }
        if mount.contains(char::is_control) {
            return Err(bad("its mount holds a character that cannot be sent"));
        }
        let password = match url.password() {
            Some(p) => plain(p)?,
            None => std::env::var("AERIAL_ICECAST_PASSWORD")
                .map_err(|_| bad("it has no password, and AERIAL_ICECAST_PASSWORD is not set"))?,
        };
        crate::hush::hide(&password);
        let mut target = IcecastTarget {
            host: host.trim_matches(['[', ']']).to_string(),
            port: url.port().unwrap_or(port),
            tls,
            mount,
            password,
            given: text.to_string(),
            ..IcecastTarget::default()
        };
        if !url.username().is_empty() {
            target.user = plain(url.username())?;
        }
        for (key, value) in url.query_pairs() {
            target.set(&key, &value).map_err(|why| bad(&why))?;
        }
        Ok(target)
    }
}

impl IcecastTarget {
    /// One pair after the `?`.
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let line = || value.replace(char::is_control, " ").trim().to_string();
        match key {
            "admin" => {
                let (user, password) = value.split_once(':').unwrap_or(("admin", value));
                self.admin = Some((user.into(), password.into()));
            }
            "format" => {
                let format = format_of(value).ok_or(
                    "its format is none of webm, ogg, vorbis, opus, flac, mp3 and aac".to_string(),
                )?;
                self.format = Some(format);
            }
            "public" => {
                self.about.public = match value {
                    "1" => true,
                    "0" => false,
                    _ => return Err("public is 1 or 0".into()),
                }
            }
            "name" => self.about.name = line(),
            "genre" => self.about.genre = line(),
            "description" => self.about.description = line(),
            "url" => self.about.url = line(),
            "fingerprint" => self.fingerprint = Some(fingerprint(value)?),
            "relay" => self.relays.push(value.parse()?),
            _ => return Err(format!("{key} is nothing that can be set in it")),
        }
        if self.fingerprint.is_some() && !self.tls {
            return Err("a fingerprint needs icecasts://".into());
        }
        Ok(())
    }
}

/// As `openssl x509 -fingerprint -sha256` prints it, with or without the colons.
fn fingerprint(text: &str) -> Result<String, String> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    let hex = hex.replace(':', "").to_ascii_lowercase();
    match hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        true => Ok(hex),
        false => Err("its fingerprint is not sha256: and 64 hexadecimal digits".into()),
    }
}

impl FromStr for Relay {
    type Err = String;

    /// `HOST:PORT`, or `https://HOST:PORT`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (tls, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://").unwrap_or(text)),
        };
        let bad = || "a relay is not HOST:PORT or https://HOST:PORT".to_string();
        let url = Url::parse(&format!("icecast://{rest}")).map_err(|_| bad())?;
        let host = url.host_str().filter(|h| !h.is_empty()).ok_or_else(bad)?;
        if !url.username().is_empty() || !matches!(url.path(), "" | "/") {
            return Err(bad());
        }
        Ok(Relay {
            host: host.trim_matches(['[', ']']).to_string(),
            port: url.port().ok_or_else(bad)?,
            tls,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let text = "icecast://me:s3cr%65t@[::1]:8010/show.webm?admin=boss:h1dden";
        let target: IcecastTarget = text.parse().unwrap();
        assert_eq!(
            (target.user.as_str(), target.password.as_str()),
            ("me", "s3cret")
        );
        assert_eq!((target.host.as_str(), target.port), ("::1", 8010));
        assert_eq!(target.admin, Some(("boss".into(), "h1dden".into())));
        let shown = format!("{target:?} {}", target.public_url());
        assert!(!shown.contains("cret") && !shown.contains("h1dden"));
    }

    #[test]
    fn a_wrong_address_is_explained_without_repeating_the_password() {
        for bad in [
            "ftp://a:pw1@h/m.webm",
            "icecast://a:pw1@h",
            "icecast://a:pw1@h:99999/m",
            "icecast://a:pw1%zz@h/m",
            "icecast://a:pw1@h/m%0d%0aX.webm",
            "icecast://a:pw1@h/m?format=avi",
            "icecast://a:pw1@h/m?admn=b:pw1",
            "icecast://a:pw1@h/m?public=maybe",
            "icecasts://a:pw1@h/m?fingerprint=sha256:12",
            "icecast://a:pw1@h/m?relay=b:pw1@h:8000",
            "icecast://a:pw1@h/m?relay=h",
        ] {
            let error = bad.parse::<IcecastTarget>().unwrap_err();
            assert!(!error.to_string().contains("pw1"), "{error}");
        }
        let pin = "0".repeat(64);
        let plain = format!("icecast://a:b@h/m?fingerprint={pin}");
        assert!(plain.parse::<IcecastTarget>().is_err());
    }

    #[test]
    fn the_ending_of_the_mount_says_what_is_sent_unless_told_otherwise() {
        let format = |rest: &str| {
            let target: IcecastTarget = format!("icecast://a:b@h/{rest}").parse().unwrap();
            target.format()
        };
        assert_eq!(format("live"), Format::WebM);
        assert_eq!(format("live.WEBM"), Format::WebM);
        assert_eq!(format("a.b/live.ogg"), Format::Ogg);
        assert_eq!(format("live.oga"), Format::Vorbis);
        assert_eq!(format("live.opus"), Format::Opus);
        assert_eq!(format("live.flac"), Format::Flac);
        assert_eq!(format("live.aac"), Format::Aac);
        assert_eq!(format("live?format=mp3"), Format::Mp3);
        assert_eq!(format("live.webm?format=ogg"), Format::Ogg);
    }

    #[test]
    fn each_way_to_write_an_address_has_its_own_port() {
        for (text, tls, port) in [
            ("icecast://a:b@h/m", false, 8000),
            ("http://a:b@h/m", false, 8000),
            ("http://a:b@h:80/m", false, 80),
            ("icecasts://a:b@h/m", true, 8443),
            ("https://a:b@h/m", true, 443),
            ("https://a:b@h:8443/m", true, 8443),
        ] {
            let target: IcecastTarget = text.parse().unwrap();
            assert_eq!((target.tls, target.port), (tls, port), "{text}");
        }
    }

    #[test]
    fn all_that_can_be_said_of_a_mount_is_read() {
        let pin = "AB:".repeat(31) + "AB";
        let text = format!(
            "icecasts://source:pw@h:8443/m.ogg?public=1&name=My%20Radio&genre=talk&description=A%0Ab&url=https://x.org/\
             &fingerprint=sha256:{pin}&relay=r1:8000&relay=https://[::1]:8443"
        );
        let target: IcecastTarget = text.parse().unwrap();
        assert_eq!(
            *target.about,
            About {
                public: true,
                name: "My Radio".into(),
                genre: "talk".into(),
                description: "A b".into(),
                url: "https://x.org/".into(),
            }
        );
        assert_eq!(target.fingerprint, Some("ab".repeat(32)));
        let relay = |host: &str, port, tls| Relay {
            host: host.into(),
            port,
            tls,
        };
        assert_eq!(
            target.relays,
            [relay("r1", 8000, false), relay("::1", 8443, true)]
        );
    }
}
