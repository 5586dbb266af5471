// SPDX-License-Identifier: GPL-3.0-or-later
//! What a request says about who sends it, as far as doors are opened by it.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, Uri};

/// A header that may stand there once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said<'a> {
    Nothing,
    Once(&'a str),
    /// Twice, or in letters that are none.
    Wrong,
}

impl<'a> Said<'a> {
    fn and(self, value: &'a [u8]) -> Self {
        match (self, std::str::from_utf8(value)) {
            (Said::Nothing, Ok(text)) => Said::Once(text.trim()),
            (Said::Nothing | Said::Once(_) | Said::Wrong, _) => Said::Wrong,
        }
    }
}

/// What a request says.
#[derive(Debug, Clone)]
pub(super) struct Claim<'a> {
    /// Where it comes from: what a proxy on this computer says, if one stands before us.
    pub(super) visitor: SocketAddr,
    /// Passed on by a proxy.
    pub(super) proxied: bool,
    pub(super) host: Said<'a>,
    pub(super) origin: Said<'a>,
    /// `?t=`, `Authorization: Bearer`, and the cookie of this server.
    pub(super) link: Option<&'a str>,
    pub(super) bearer: Option<&'a str>,
    pub(super) cookie: Option<&'a str>,
    /// The browser says that no page of another site leads here. Over plain HTTP it says nothing.
    pub(super) same_site: bool,
}

impl<'a> Claim<'a> {
    /// Read it off these headers. `cookie` is the name of ours.
    pub(super) fn new(
        peer: SocketAddr,
        query: &'a str,
        cookie: &str,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Claim<'a> {
        let mut claim = Claim {
            visitor: peer,
            proxied: false,
            host: Said::Nothing,
            origin: Said::Nothing,
            link: value(query, "t"),
            bearer: None,
            cookie: None,
            same_site: false,
        };
        let mut forwarded = None;
        for (name, value) in headers {
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            let text = || std::str::from_utf8(value).ok();
            if is("host") {
                claim.host = claim.host.and(value);
            } else if is("origin") {
                claim.origin = claim.origin.and(value);
            } else if is("authorization") {
                claim.bearer = claim.bearer.or(text().and_then(bearer));
            } else if is("cookie") {
                let pairs = text().unwrap_or_default().split(';');
                let mut own = pairs.filter_map(|p| p.trim().strip_prefix(cookie));
                let own = own.find_map(|rest| rest.strip_prefix('='));
                claim.cookie = claim.cookie.or(own);
            } else if is("sec-fetch-site") {
                claim.same_site = value != b"cross-site";
            } else if is("x-forwarded-for") {
                // Each proxy adds the one it heard: only the last is from ours.
                forwarded = text().and_then(|t| t.rsplit(',').next());
                claim.proxied = true;
            } else if is("forwarded") || is("x-real-ip") || is("via") {
                claim.proxied = true;
            }
        }
        // Only who is on this computer is believed.
        if peer.ip().to_canonical().is_loopback()
            && let Some(ip) = forwarded.and_then(|f| f.trim().parse::<IpAddr>().ok())
        {
            claim.visitor = SocketAddr::new(ip, peer.port());
        }
        claim
    }

    /// The same of a request that was read already.
    pub(super) fn of(
        peer: SocketAddr,
        uri: &'a Uri,
        headers: &'a HeaderMap,
        cookie: &str,
    ) -> Claim<'a> {
        let pairs = headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes()));
        let mut claim = Claim::new(peer, uri.query().unwrap_or_default(), cookie, pairs);
        if let (Said::Nothing, Some(authority)) = (claim.host, uri.authority()) {
            claim.host = Said::Once(authority.as_str());
        }
        claim
    }
}

/// What stands after `Bearer`.
pub(super) fn bearer(value: &str) -> Option<&str> {
    let (scheme, given) = value.trim().split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(given.trim())
}

/// The first of this name in a query.
pub(super) fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim<'a>(peer: &str, query: &'a str, headers: &'a [(&'a str, &'a str)]) -> Claim<'a> {
        let pairs = headers.iter().map(|(n, v)| (*n, v.as_bytes()));
        Claim::new(peer.parse().unwrap(), query, "aerial_80", pairs)
    }

    #[test]
    fn what_opens_doors_is_read_off_a_request() {
        let said = [
            ("Host", "a:80"),
            ("COOKIE", "x=1; aerial_8080=no; aerial_80=yes"),
            ("authorization", "bearer  word "),
        ];
        let claim = claim("192.0.2.1:1", "way=http&t=link", &said);
        assert_eq!(claim.host, Said::Once("a:80"));
        assert_eq!(
            (claim.link, claim.bearer, claim.cookie),
            (Some("link"), Some("word"), Some("yes"))
        );
        assert!(!claim.proxied);
    }

    #[test]
    fn a_proxy_is_believed_on_this_computer_only_and_no_further_than_its_own_word() {
        let said = [("X-Forwarded-For", "127.0.0.1, 203.0.113.9")];
        let ip = |peer: &str| claim(peer, "", &said).visitor.ip().to_string();
        assert_eq!(ip("127.0.0.1:5"), "203.0.113.9");
        assert_eq!(ip("[::1]:5"), "203.0.113.9");
        assert_eq!(ip("192.0.2.1:5"), "192.0.2.1");
        assert!(claim("127.0.0.1:5", "", &[("Via", "1.1 proxy")]).proxied);
        let two = [("Host", "a"), ("host", "a")];
        assert_eq!(claim("127.0.0.1:5", "", &two).host, Said::Wrong);
    }
}
