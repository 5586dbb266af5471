// SPDX-License-Identifier: GPL-3.0-or-later
//! Web sites, as browsers name them.

use std::str::FromStr;

use url::{Host, Url};

use crate::error::SpecError;

/// A web site: `https://example.org`, with a port where it is not the usual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// As browsers write it; never with a sign that means something in a header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let wrong = || SpecError::Origin(text.to_string());
        let url = Url::parse(text.trim()).map_err(|_| wrong())?;
        // A name may hold signs that end a rule of the header which it is put into.
        let clean = match url.host() {
            Some(Host::Domain(name)) => name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)),
            Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
            None => false,
        };
        let alone = matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !clean || !alone || !matches!(url.scheme(), "http" | "https") {
            return Err(wrong());
        }
        Ok(Origin(url.origin().ascii_serialization()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_site_is_a_scheme_and_a_host() {
        for (text, origin) in [
            ("https://example.org", "https://example.org"),
            ("https://Example.org/", "https://example.org"),
            ("http://192.168.1.5:8000", "http://192.168.1.5:8000"),
            ("http://[::1]:8000", "http://[::1]:8000"),
            ("https://example.org:443", "https://example.org"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
        ] {
            let got: Origin = text.parse().unwrap();
            assert_eq!(got.as_str(), origin);
        }
        for bad in [
            "",
            "*",
            "example.org",
            "https://",
            "https://*",
            "https://*.example.org",
            "https://example.org/page",
            "https://example.org?x",
            "https://example.org#x",
            "https://me@example.org",
            "https://a;script-src",
            "https://a,b",
            "https://'self'",
            "ftp://example.org",
            "null",
            "data:text/html,x",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
