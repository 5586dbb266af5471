// SPDX-License-Identifier: GPL-3.0-or-later
//! Who may use which route.
//!
//! A web page somewhere else must not be able to control a broadcast through its visitor's browser. So control
//! routes refuse, before anything else, every request whose `Host` could be another site's name for this computer
//! (DNS rebinding) or whose `Origin` is not ours; then they want the token, from loopback too.

use std::sync::LazyLock;

use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use subtle::ConstantTimeEq;

/// Routes that are for our own pages and for programs only. Watching by WebRTC is among them: a page somewhere must
/// not be able to see what is meant for this computer.
const GUARDED: [&str; 6] = [
    "/api",
    "/signalling",
    "/whep",
    "/whip",
    "/frames",
    "/metrics",
];

/// Refuse foreign `Host` and `Origin` on guarded routes.
pub(super) async fn refuse_foreigners(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let guarded = GUARDED.iter().any(|root| {
        path.strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    if guarded && !is_ours(request.headers(), request.uri()) {
        let sentence =
            "This request comes from another site. Open Aerial's own page, or use its address.\n";
        return (StatusCode::FORBIDDEN, sentence).into_response();
    }
    next.run(request).await
}

fn is_ours(headers: &HeaderMap, uri: &Uri) -> bool {
    let text = |name| {
        headers
            .get_all(name)
            .iter()
            .map(|v| v.to_str().ok())
            .collect::<Vec<_>>()
    };
    let host = match (text(header::HOST).as_slice(), uri.authority()) {
        ([Some(host)], _) => host.to_string(),
        // HTTP/1.0 has no Host; nothing that runs in a browser sends such a request.
        ([], None) if headers.get(header::ORIGIN).is_none() => return true,
        _ => return false,
    };
    if !is_own_name(&host) {
        return false;
    }
    match text(header::ORIGIN).as_slice() {
        [] => true,
        [Some(origin)] => {
            let rest = origin
                .strip_prefix("http://")
                .or(origin.strip_prefix("https://"));
            rest.is_some_and(|rest| rest.eq_ignore_ascii_case(&host))
        }
        _ => false,
    }
}

/// Names of this computer: `mybox` and `mybox.local`.
static COMPUTER: LazyLock<Vec<String>> = LazyLock::new(|| {
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

/// Addresses cannot be rebound, and these names are ours. Anything else may be another site's.
fn is_own_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok()
        || COMPUTER.contains(&name.to_lowercase())
}

/// What the request carries as `Authorization: Bearer`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, given)| given.trim())
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
        is_ours(&headers, &"/api/v1/status".parse().unwrap())
    }

    #[test]
    fn own_addresses_are_let_in_and_other_sites_are_not() {
        for host in [
            "127.0.0.1:8080",
            "localhost:8080",
            "[::1]:8080",
            "192.168.1.5",
            "localhost",
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
