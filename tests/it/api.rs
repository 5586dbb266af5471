// SPDX-License-Identifier: GPL-3.0-or-later
//! Programs that look and programs that control: tokens and numbers.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    net::TcpStream,
};

use serde_json::{Value, json};

use crate::{
    http::{self, Reply, Viewer},
    rig::{Aerial, Home, checkout, id, viewers},
};

pub const SMALL: &[&str] = &["--video", "test", "--audio", "tone", "--size", "320x180"];
pub const READ: &str = "canary-of-the-reader";
const OWN: &str = "canary-of-the-broadcaster";

pub fn small(more: &[&'static str]) -> Vec<&'static str> {
    [SMALL, more].concat()
}

pub fn ask(aerial: &Aerial, token: &str, method: &str, path: &str, body: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("Authorization", bearer.as_str())];
    if !body.is_empty() {
        headers.push(("Content-Type", "application/json"));
    }
    http::request(aerial.address(), method, path, &headers, body.as_bytes())
}

/// A sentence that says what to do.
fn sentence(reply: &Reply) -> String {
    reply.json()["error"].as_str().unwrap().to_string()
}

/// Every route of the API with its methods, as its document has them, and the others that programs control by.
fn routes() -> Vec<(String, String)> {
    let text = fs::read_to_string(checkout("docs/openapi.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let mut all: Vec<_> = paths
        .flat_map(|(path, item)| {
            let parts = [("{id}", "1"), ("{name}", "x"), ("{address}", "192.0.2.1")];
            let path = parts.iter().fold(path.clone(), |p, (a, b)| p.replace(a, b));
            let methods = item.as_object().unwrap().keys();
            methods
                .map(|m| (m.to_uppercase(), path.clone()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(all.len() > 30, "{all:?}");
    for (method, path) in [
        ("GET", "/metrics"),
        ("PUT", "/frames/x"),
        ("GET", "/frames/x/events"),
        ("GET", "/api/v1/nothing"),
        ("PUT", "/api/v1/status"),
    ] {
        all.push((method.into(), path.into()));
    }
    all
}

/// What is read there opens something.
const FOR_CONTROL_ALONE: [&str; 4] = [
    "/api/v1/sharing",
    "/api/v1/tokens",
    "/api/v1/sources/1/invitation",
    "/frames/x/events",
];

#[test]
fn every_route_wants_the_right_token_and_no_other_site() {
    let mut aerial = Aerial::live(&small(&["--read-token", READ]));
    let own = aerial.token();
    for (method, path) in routes() {
        let place = format!("{method} {path}");
        let none = http::request(aerial.address(), &method, &path, &[], b"");
        assert_eq!(none.status, 401, "{place}");
        assert_eq!(none.header("www-authenticate"), Some("Bearer"), "{place}");
        assert!(sentence(&none).contains("API token"), "{place}");
        let wrong = ask(&aerial, "wrong", &method, &path, "");
        assert_eq!(wrong.status, 401, "{place}");
        let bearer = format!("Bearer {own}");
        for (name, value) in [
            ("Origin", "http://example.org"),
            ("Origin", "null"),
            ("Host", "example.org"),
        ] {
            let foreign = [("Authorization", &*bearer), (name, value)];
            let foreign = http::request(aerial.address(), &method, &path, &foreign, b"");
            assert_eq!(foreign.status, 403, "{place} with {name}: {value}");
            let open = foreign.header("access-control-allow-origin");
            assert_eq!(open, None, "{place}");
        }
        // They do not end.
        if path.ends_with("/events") && method == "GET" && !path.starts_with("/frames") {
            continue;
        }
        let read = ask(&aerial, READ, &method, &path, "");
        let may = method == "GET" && !FOR_CONTROL_ALONE.contains(&&*path);
        assert_eq!(read.status != 403, may, "{place}: {read:?}");
        if !may {
            assert!(sentence(&read).contains("may only read"), "{place}");
        }
    }
    // What is not there is not there, whoever asks.
    assert_eq!(aerial.api("GET", "/api/v1/nothing").status, 404);
    let wrong = aerial.api("PUT", "/api/v1/status");
    assert_eq!(
        (wrong.status, wrong.header("allow")),
        (405, Some("GET,HEAD"))
    );
    // Sending something in as a guest is no reading either.
    assert_eq!(ask(&aerial, READ, "POST", "/whip", "v=0").status, 401);
    assert_eq!(aerial.api("GET", "/api/v1/tokens").status, 200);
    let answers = ["/api/v1/status", "/api/v1/tokens", "/metrics"];
    let answers = answers.map(|path| aerial.api("GET", path).body);
    let text = String::from_utf8_lossy(&answers.concat()).to_string();
    assert!(!text.contains(READ) && !text.contains(&aerial.token()));
    assert!(!aerial.said().contains(READ));
    aerial.stop();
}

#[test]
fn a_token_that_was_handed_out_works_until_it_is_taken_back() {
    let mut aerial = Aerial::live(SMALL);
    let own = aerial.token();
    let make = |name: &str, scope: &str| {
        let body = json!({"name": name, "scope": scope}).to_string();
        ask(&aerial, &own, "POST", "/api/v1/tokens", &body)
    };
    let (grafana, deck) = (make("grafana", "read"), make("deck", "control"));
    assert_eq!((grafana.status, deck.status), (201, 201));
    let secret = |made: &Reply| made.json()["token"].as_str().unwrap().to_string();
    let (reader, controller) = (secret(&grafana), secret(&deck));
    let status = |token: &str| ask(&aerial, token, "GET", "/api/v1/status", "").status;
    let change = |token: &str| {
        ask(
            &aerial,
            token,
            "PUT",
            "/api/v1/now-playing",
            "{\"text\": \"x\"}",
        )
    };
    assert_eq!((status(&reader), status(&controller)), (200, 200));
    assert_eq!(change(&reader).status, 403);
    assert_eq!(change(&controller).status, 200);
    for (name, scope) in [("", "read"), ("x", "all"), (" \n", "read")] {
        assert_eq!(make(name, scope).status, 422, "{name:?} {scope}");
    }

    let list = ask(&aerial, &own, "GET", "/api/v1/tokens", "");
    let rows = list.json();
    assert_eq!(rows[0]["name"], "grafana");
    assert_eq!(rows[1]["scope"], "control");
    let text = String::from_utf8_lossy(&list.body).to_string();
    assert!(!text.contains(&reader) && !text.contains(&controller));
    let file = aerial.path("config/aerial/tokens.json");
    let kept = fs::read_to_string(file).unwrap();
    assert!(!kept.contains(&reader) && !kept.contains(&controller));

    let path = format!("/api/v1/tokens/{}", id(&rows[1]));
    // The second one takes itself back.
    assert_eq!(ask(&aerial, &controller, "DELETE", &path, "").status, 204);
    assert_eq!(ask(&aerial, &own, "DELETE", &path, "").status, 404);
    assert_eq!((status(&controller), status(&reader)), (401, 200));
    assert!(!aerial.said().contains(&reader));
    aerial.stop();
}

/// The values of a page by name and labels.
fn numbers(page: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_string(), value.parse().unwrap())
        })
        .collect()
}

fn metrics(aerial: &Aerial) -> BTreeMap<String, f64> {
    let reply = aerial.api("GET", "/metrics");
    let page = String::from_utf8(reply.body).unwrap();
    assert!(page.ends_with("# EOF\n"), "{page}");
    for private in ["it/1", "127.0.0.1", "webm"] {
        assert!(!page.contains(private), "{private} is in {page}");
    }
    numbers(&page)
}

#[test]
fn metrics_tell_of_everything_and_their_counters_never_go_back() {
    let mut aerial = Aerial::live(&small(&["--record", "copy.mkv"]));
    let (first, second) = (
        Viewer::join(aerial.address(), "/live.webm"),
        Viewer::join(aerial.address(), "/live.webm"),
    );
    first.wait_more(20_000);
    let status = aerial.wait("numbers of all", |s| {
        viewers(s, "http").len() == 2
            && s["outputs"][0]["bytes"].as_u64() > Some(0)
            && s["encoders"][0]["bitrate"].as_u64() > Some(0)
    });
    let kind = aerial.api("GET", "/metrics");
    let kind = kind.header("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    aerial.wait_anew("the sums of a second", |_| true);
    aerial.wait_anew("the sums of another one", |_| true);
    let before = metrics(&aerial);
    for (name, is) in [
        ("aerial_live", 1.0),
        ("aerial_viewers{transport=\"http\"}", 2.0),
        ("aerial_viewers{transport=\"webrtc\"}", 0.0),
        ("aerial_viewer_joins_total{transport=\"http\"}", 2.0),
        ("aerial_viewers_dropped_total{reason=\"kicked\"}", 0.0),
        ("aerial_viewers_peak", 2.0),
        (
            "aerial_output_state{output=\"record\",kind=\"record\",state=\"live\"}",
            1.0,
        ),
        (
            "aerial_output_state{output=\"record\",kind=\"record\",state=\"failed\"}",
            0.0,
        ),
    ] {
        assert_eq!(before.get(name), Some(&is), "{name} in {before:#?}");
    }
    for more in [
        "aerial_encoders",
        "aerial_viewer_bytes_total",
        "aerial_encoder_fps{codec=\"vp8\",rung=\"full\"}",
        "aerial_encoder_bits_per_second{codec=\"opus\",rung=\"audio\"}",
        "aerial_output_bytes_total{output=\"record\",kind=\"record\"}",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
    ] {
        assert!(before[more] > 0.0, "{more} in {before:#?}");
    }
    let kicked = id(viewers(&status, "http")[0]);
    let path = format!("/api/v1/viewers/{kicked}");
    assert_eq!(aerial.api("DELETE", &path).status, 204);
    first.wait_end();
    drop(second);
    aerial.wait("nobody to watch", |s| viewers(s, "http").is_empty());
    // Switched off and on, an output counts from zero in the status.
    for on in ["false", "true"] {
        let body = format!("{{\"enabled\": {on}}}");
        ask(
            &aerial,
            &aerial.token(),
            "PUT",
            "/api/v1/outputs/record",
            &body,
        );
    }
    aerial.wait_anew("the sums of a second", |_| true);
    aerial.wait_anew("the sums of another one", |_| true);
    let after = metrics(&aerial);
    assert_eq!(after["aerial_viewers{transport=\"http\"}"], 0.0);
    assert_eq!(after["aerial_viewer_joins_total{transport=\"http\"}"], 2.0);
    assert_eq!(
        after["aerial_viewers_dropped_total{reason=\"kicked\"}"],
        1.0
    );
    for (name, value) in &before {
        if name.contains("_total") {
            assert!(after[name] >= *value, "{name} went back to {}", after[name]);
        }
    }
    aerial.stop();
}

#[test]
fn no_token_and_no_password_stands_in_the_log_however_much_it_tells() {
    let log = HashMap::from([("AERIAL_LOG".to_string(), "trace".to_string())]);
    let remote = "canary-of-the-remote";
    let options = [
        "--read-token",
        READ,
        "--obs-websocket",
        "0",
        "--obs-password",
        remote,
    ];
    let options = [SMALL, &["--api-token", OWN], &options].concat();
    let mut aerial = Aerial::live_in(Home::new(), &options, Some(&log));
    let made = aerial.api_with(
        "POST",
        "/api/v1/tokens",
        r#"{"name": "x", "scope": "read"}"#,
    );
    let made = made.json()["token"].as_str().unwrap().to_string();
    for token in [OWN, READ, &made] {
        assert_eq!(ask(&aerial, token, "GET", "/metrics", "").status, 200);
        let request = format!(
            "GET /api/v1/events?token={token} HTTP/1.1\r\nHost: {}\r\n\r\n",
            aerial.address()
        );
        let socket = TcpStream::connect(aerial.address()).unwrap();
        assert_eq!(Viewer::start(socket, &request, false).reply.status, 200);
    }
    aerial.stop();
    let said = aerial.said();
    assert!(said.contains("TRACE"), "it tells much");
    for secret in [OWN, READ, &made, remote] {
        assert!(!said.contains(secret), "{secret} stands in the log");
    }
}
