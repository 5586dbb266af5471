// SPDX-License-Identifier: GPL-3.0-or-later
//! Who may use which route.
//!
//! A web page somewhere else must not be able to control a broadcast through its visitor's browser. So control
//! routes refuse, before anything else, every request whose `Host` could be another site's name for this computer
//! (DNS rebinding) or whose `Origin` is not ours; then they want the token, from loopback too.

use std::{net::IpAddr, sync::LazyLock};

use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq;

use super::claim::{self, Claim, Said};

/// Routes that are for our own pages and for programs only. Watching by WebRTC is among them: a page somewhere must
/// not be able to see what is meant for this computer.
const GUARDED: [&str; 7] = [
    "/api",
    "/signalling",
    "/whep",
    "/whip",
    "/frames",
    "/enter",
    "/metrics",
];

/// Whether foreign pages are refused here before anything else.
pub(super) fn is_guarded(path: &str) -> bool {
    GUARDED.iter().any(|root| is_below(path, root))
}

/// Whether this is that route, or one below it.
pub(super) fn is_below(path: &str, root: &str) -> bool {
    path.strip_prefix(root)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The names under which this computer is reached.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(Vec<String>);

impl Names {
    /// Its own, and these: those of proxies before it.
    pub(super) fn new(hosts: &[String]) -> Names {
        Names(hosts.to_vec())
    }

    /// Whether there are any but its own.
    pub(super) fn are_given(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether neither the name it was reached by nor the page it comes from is somebody else's.
    pub(super) fn are_of(&self, claim: &Claim) -> bool {
        let host = match claim.host {
            Said::Once(host) => host,
            // HTTP/1.0 has no Host; nothing that runs in a browser sends such a request.
            Said::Nothing => return claim.origin == Said::Nothing,
            Said::Wrong => return false,
        };
        if !is_own_name(host) && !self.0.contains(&name_of(host).to_lowercase()) {
            return false;
        }
        match claim.origin {
            Said::Nothing => true,
            Said::Once(origin) => {
                let rest = origin
                    .strip_prefix("http://")
                    .or(origin.strip_prefix("https://"));
                rest.is_some_and(|rest| rest.eq_ignore_ascii_case(host))
            }
            Said::Wrong => false,
        }
    }
}

/// Somebody on this computer, who came straight to us.
pub(super) fn is_local(claim: &Claim) -> bool {
    let named = match claim.host {
        Said::Nothing => true,
        Said::Wrong => false,
        Said::Once(host) => match name_of(host).parse::<IpAddr>() {
            Ok(ip) => ip.to_canonical().is_loopback(),
            Err(_) => is_own_name(host),
        },
    };
    named && !claim.proxied && claim.visitor.ip().to_canonical().is_loopback()
}

/// Names of this computer: `mybox` and `mybox.local`.
pub(super) static COMPUTER: LazyLock<Vec<String>> = LazyLock::new(|| {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        // A kernel's name before anybody gave it one.
        "" | "(none)" => vec![],
        name => vec![
            name.to_lowercase(),
            format!("{}.local", name.to_lowercase()),
        ],
    }
});

/// A host without its port.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

/// Addresses cannot be rebound, and these names are ours. Anything else may be another site's.
fn is_own_name(host: &str) -> bool {
    let name = name_of(host);
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok()
        || COMPUTER.contains(&name.to_lowercase())
}

/// What the request carries as `Authorization: Bearer`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?;
    claim::bearer(value.to_str().ok()?)
}

/// Whether two secrets are the same, without telling by the time it takes.
pub(super) fn same(given: &str, secret: &str) -> bool {
    given.as_bytes().ct_eq(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(pairs: &[(&str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name: header::HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        let uri = "/api/v1/status".parse().unwrap();
        let claim = Claim::of(([127, 0, 0, 1], 9).into(), &uri, &headers, "c");
        Names::new(&["live.example.org".into()]).are_of(&claim)
    }

    #[test]
    fn own_addresses_are_let_in_and_other_sites_are_not() {
        for host in [
            "127.0.0.1:8080",
            "localhost:8080",
            "[::1]:8080",
            "192.168.1.5",
            "localhost",
            "live.example.org",
            "Live.example.org:443",
        ] {
            assert!(ours(&[("host", host)]), "{host}");
            assert!(
                ours(&[("host", host), ("origin", &format!("http://{host}"))]),
                "{host}"
            );
        }
        for host in [
            "evil.example",
            "localhost.evil.example:8080",
            "127.0.0.1.evil.example",
            "not.live.example.org",
            "",
        ] {
            assert!(!ours(&[("host", host)]), "{host}");
        }
        for origin in [
            "null",
            "http://evil.example",
            "http://127.0.0.1:9",
            "file://",
            "127.0.0.1:8080",
        ] {
            assert!(
                !ours(&[("host", "127.0.0.1:8080"), ("origin", origin)]),
                "{origin}"
            );
        }
        let two = [
            ("host", "127.0.0.1:8080"),
            ("origin", "http://127.0.0.1:8080"),
            ("origin", "null"),
        ];
        assert!(!ours(&two));
    }

    #[test]
    fn only_the_whole_token_opens() {
        let has_token =
            |headers: &HeaderMap| bearer(headers).is_some_and(|given| same(given, "s3cret"));
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            has_token(&headers)
        };
        assert!(with("Bearer s3cret") && with("bearer s3cret"));
        assert!(
            !with("Bearer s3cre") && !with("Basic s3cret") && !with("s3cret") && !with("Bearer ")
        );
        assert!(!has_token(&HeaderMap::new()));
    }
}
