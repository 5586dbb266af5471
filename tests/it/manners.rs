// SPDX-License-Identifier: GPL-3.0-or-later
//! Old, curious and malicious HTTP clients.

use std::net::TcpStream;

use crate::{
    http::{self, Viewer, exchange},
    rig::{Aerial, viewers},
};

const SMALL: &[&str] = &["--video", "test", "--audio", "tone", "--size", "640x360"];
/// How every WebM begins.
const EBML: &[u8] = &[0x1a, 0x45, 0xdf, 0xa3];

#[test]
fn http_1_0_clients_get_the_stream() {
    let mut aerial = Aerial::live(SMALL);
    for request in [
        "GET /live.webm HTTP/1.0\r\n\r\n".to_string(),
        format!(
            "GET /live.webm HTTP/1.0\r\nHost: {}\r\nUser-Agent: old/1\r\nIcy-MetaData: 1\r\n\r\n",
            aerial.address()
        ),
    ] {
        let old = Viewer::start(
            TcpStream::connect(aerial.address()).unwrap(),
            &request,
            true,
        );
        assert_eq!(old.reply.status, 200, "{request:?}");
        assert_eq!(
            old.reply.header("transfer-encoding"),
            None,
            "{request:?}: {:?}",
            old.reply
        );
        assert_eq!(
            old.reply.header("content-length"),
            None,
            "{request:?}: {:?}",
            old.reply
        );
        old.wait_more(50_000);
        assert_eq!(&old.kept()[..4], EBML);
        aerial.wait("it to be listed", |s| viewers(s, "http").len() == 1);
        drop(old);
        aerial.wait("it to be gone", |s| viewers(s, "http").is_empty());
    }
    aerial.stop();
}

#[test]
fn head_tells_what_get_would_give_and_makes_nobody_a_viewer() {
    let mut aerial = Aerial::live(SMALL);
    for (path, kind) in [("/live.webm", "video/webm"), ("/", "text/html")] {
        let reply = http::request(aerial.address(), "HEAD", path, &[], b"");
        assert_eq!(reply.status, 200, "{path}");
        assert!(
            reply
                .header("content-type")
                .is_some_and(|t| t.starts_with(kind)),
            "{path}: {reply:?}"
        );
        assert!(reply.body.is_empty(), "{path}");
    }
    let status = aerial.wait_anew("the next status", |_| true);
    assert_eq!(
        status["viewers"].as_array().map(Vec::len),
        Some(0),
        "{status:#}"
    );
    aerial.stop();
}

#[test]
fn a_stream_is_not_kept_by_caches_and_not_read_by_foreign_pages() {
    let mut aerial = Aerial::live(SMALL);
    let viewer = Viewer::join(aerial.address(), "/live.webm");
    assert!(
        viewer
            .reply
            .header("cache-control")
            .is_some_and(|c| c.contains("no-store") || c.contains("no-cache"))
    );
    assert_eq!(viewer.reply.header("content-type"), Some("video/webm"));
    let good = format!("Bearer {}", aerial.token());
    for path in ["/api/v1/status", "/api/v1/viewers"] {
        let reply = http::request(
            aerial.address(),
            "GET",
            path,
            &[("Authorization", &good)],
            b"",
        );
        assert_eq!(
            (reply.status, reply.header("access-control-allow-origin")),
            (200, None),
            "{path}"
        );
        assert_eq!(
            http::request(aerial.address(), "GET", path, &[], b"").status,
            401,
            "{path}"
        );
    }
    // Foreign pages and names are refused before anything else.
    for path in ["/api/v1/status", "/api/v1/viewers", "/signalling", "/whep"] {
        for (name, value) in [
            ("Origin", "http://example.org"),
            ("Origin", "null"),
            ("Host", "example.org"),
        ] {
            for method in ["GET", "POST", "OPTIONS"] {
                let headers = [("Authorization", good.as_str()), (name, value)];
                let reply = http::request(aerial.address(), method, path, &headers, b"");
                assert_eq!(reply.status, 403, "{method} {path} with {name}: {value}");
                assert_eq!(
                    reply.header("access-control-allow-origin"),
                    None,
                    "{method} {path}"
                );
            }
        }
    }
    aerial.stop();
}

#[test]
fn malformed_requests_never_give_5xx() {
    let mut aerial = Aerial::live(SMALL);
    let host = format!("Host: {}\r\nConnection: close\r\n", aerial.address());
    let good = format!("Authorization: Bearer {}\r\n", aerial.token());
    let long = "a".repeat(100_000);
    let sdp = |body: &str, kind: &str| {
        format!(
            "POST /whep HTTP/1.1\r\n{host}Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let upgrade = |more: &str| {
        format!(
            "GET /signalling HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{more}\r\n",
            aerial.address()
        )
    };
    let mut requests: Vec<Vec<u8>> = [
        "\r\n\r\n".to_string(),
        "hello\r\n\r\n".into(),
        "GET\r\n\r\n".into(),
        "GET / HTTP/9.9\r\n\r\n".into(),
        "GET /live.webm HTTP/1.1\r\n\r\n".into(),
        format!("BREW /live.webm HTTP/1.1\r\n{host}\r\n"),
        format!("POST /live.webm HTTP/1.1\r\n{host}Content-Length: 3\r\n\r\nabc"),
        format!("GET /%zz HTTP/1.1\r\n{host}\r\n"),
        format!("GET /%00 HTTP/1.1\r\n{host}\r\n"),
        format!("GET /../../etc/passwd HTTP/1.1\r\n{host}\r\n"),
        format!("GET /..%2f..%2fetc%2fpasswd HTTP/1.1\r\n{host}\r\n"),
        format!("GET //// HTTP/1.1\r\n{host}\r\n"),
        format!("GET /{long} HTTP/1.1\r\n{host}\r\n"),
        format!("GET / HTTP/1.1\r\n{host}X: {long}{long}{long}{long}{long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}{}\r\n", "X: 1\r\n".repeat(500)),
        format!("GET / HTTP/1.1\r\n{host}bad header\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}{host}\r\n"),
        "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n".into(),
        format!("GET /live.webm HTTP/1.1\r\n{host}Range: bytes=9-1,x\r\nContent-Length: -1\r\n\r\n"),
        format!("GET /api/v1/status HTTP/1.1\r\n{host}Authorization: Bearer\r\n\r\n"),
        format!("GET /api/v1/status HTTP/1.1\r\n{host}Authorization: Basic =\r\n\r\n"),
        format!("GET /api/v1/nothing HTTP/1.1\r\n{host}{good}\r\n"),
        format!("DELETE /api/v1/viewers/ HTTP/1.1\r\n{host}{good}\r\n"),
        format!("DELETE /api/v1/viewers/-1 HTTP/1.1\r\n{host}{good}\r\n"),
        format!("DELETE /api/v1/viewers/99999999999999999999999 HTTP/1.1\r\n{host}{good}\r\n"),
        format!("DELETE /api/v1/viewers/%ff HTTP/1.1\r\n{host}{good}\r\n"),
        format!("PUT /api/v1/status HTTP/1.1\r\n{host}{good}Content-Length: 1\r\n\r\n{{"),
        format!("POST /whep HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        format!("POST /whep HTTP/1.1\r\n{host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("POST /whep HTTP/1.1\r\n{host}Content-Type: application/sdp\r\nContent-Length: 999\r\n\r\nv=0"),
        sdp("", "application/sdp"),
        sdp("v=0", "text/plain"),
        sdp("v=0\r\n", "application/sdp"),
        sdp("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", "application/sdp"),
        sdp("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 99999999999\r\n", "application/sdp"),
        sdp(&long, "application/sdp"),
        format!("DELETE /whep/nobody HTTP/1.1\r\n{host}\r\n"),
        format!("PATCH /whep/nobody HTTP/1.1\r\n{host}Content-Length: 1\r\n\r\nx"),
        format!("GET /signalling HTTP/1.1\r\n{host}\r\n"),
        upgrade(""),
        upgrade("Sec-WebSocket-Version: 1\r\nSec-WebSocket-Key: x\r\n"),
        upgrade("Sec-WebSocket-Version: 13\r\n"),
    ]
    .map(String::into_bytes)
    .to_vec();
    requests.push(vec![0; 100]);
    requests.push(vec![0xff; 70_000]);
    requests.push(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec());
    requests.push([b"\x16\x03\x01\x02\x00\x01\x00".as_slice(), &[7; 600]].concat());
    requests.push([b"GET /\xff\xfe HTTP/1.1\r\n", host.as_bytes(), b"\r\n"].concat());
    requests.push(
        [
            b"GET / HTTP/1.1\r\n",
            host.as_bytes(),
            b"Origin: \xff\xfe\r\n\r\n",
        ]
        .concat(),
    );
    requests.push(
        [
            sdp("\u{0}", "application/sdp").into_bytes(),
            vec![0xc3, 0x28],
        ]
        .concat(),
    );

    // Odd, but understood: these may be answered.
    let harmless = [
        "GET / ",
        "GET ////",
        "GET /live.webm HTTP/1.1\r\n\r\n",
        "\r\nRange: ",
    ];
    for request in &requests {
        let head = String::from_utf8_lossy(&request[..request.len().min(90)]).to_string();
        if let Some(reply) = exchange(aerial.address(), request) {
            assert!(reply.status < 500, "{head:?} gave {}", reply.status);
            assert!(
                reply.status >= 400 || harmless.iter().any(|h| head.contains(h)),
                "{head:?} gave {}",
                reply.status
            );
            let body = String::from_utf8_lossy(&reply.body);
            assert!(
                !body.contains("panicked") && !body.contains("root:"),
                "{head:?} gave {body}"
            );
        }
    }
    assert_eq!(
        aerial.api("GET", "/api/v1/status").status,
        200,
        "it still answers"
    );
    Viewer::join(aerial.address(), "/live.webm").wait_more(20_000);
    assert!(!aerial.said().contains("panicked"), "{}", aerial.said());
    aerial.stop();
}
