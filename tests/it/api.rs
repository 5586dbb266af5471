// SPDX-License-Identifier: GPL-3.0-or-later
//! Programs that look and programs that control: tokens, numbers, events.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::{
    browser::{self, Browser},
    http::{self, Reply, Viewer},
    rig::{Aerial, LONG, have, id, viewers},
};

const SMALL: &[&str] = &["--video", "test", "--audio", "tone", "--size", "320x180"];
const READ: &str = "canary-of-the-reader";

fn small(more: &[&'static str]) -> Vec<&'static str> {
    [SMALL, more].concat()
}

fn ask(aerial: &Aerial, token: &str, method: &str, path: &str, body: &str) -> Reply {
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

#[test]
fn a_token_for_reading_reads_and_changes_nothing() {
    let mut aerial = Aerial::live(&small(&["--read-token", READ]));
    let may = |method: &str, path: &str| ask(&aerial, READ, method, path, "").status;
    for path in [
        "/api/v1/status",
        "/api/v1/viewers",
        "/api/v1/viewers/history",
        "/api/v1/viewers/history.csv",
        "/api/v1/bans",
        "/api/v1/air",
        "/api/v1/sources",
        "/api/v1/layout",
        "/api/v1/overlays",
        "/api/v1/outputs",
        "/api/v1/now-playing",
        "/metrics",
    ] {
        assert_eq!(may("GET", path), 200, "{path}");
        let wrong = ask(&aerial, "wrong", "GET", path, "");
        assert_eq!(wrong.status, 401, "{path}");
        assert_eq!(wrong.header("www-authenticate"), Some("Bearer"), "{path}");
        let none = http::request(aerial.address(), "GET", path, &[], b"");
        assert_eq!(none.status, 401, "{path}");
        let foreign = [
            ("Authorization", &*format!("Bearer {READ}")),
            ("Origin", "null"),
        ];
        let foreign = http::request(aerial.address(), "GET", path, &foreign, b"");
        assert_eq!(foreign.status, 403, "{path}");
    }
    for (method, path) in [
        ("PUT", "/api/v1/air"),
        ("POST", "/api/v1/sources"),
        ("PATCH", "/api/v1/sources/1"),
        ("DELETE", "/api/v1/sources/1"),
        ("PUT", "/api/v1/layout"),
        ("PUT", "/api/v1/overlays"),
        ("PUT", "/api/v1/outputs/copy"),
        ("DELETE", "/api/v1/outputs/copy"),
        ("DELETE", "/api/v1/viewers/1"),
        ("POST", "/api/v1/viewers/1/ban"),
        ("PUT", "/api/v1/viewers/1/note"),
        ("DELETE", "/api/v1/bans/192.0.2.1"),
        ("PUT", "/api/v1/now-playing"),
        ("POST", "/api/v1/tokens"),
        ("DELETE", "/api/v1/tokens/1"),
        // What is read there opens something.
        ("GET", "/api/v1/tokens"),
        ("GET", "/api/v1/sources/1/invitation"),
        ("POST", "/api/v1/sources/1/invitation"),
        ("PUT", "/frames/x"),
        ("GET", "/frames/x/events"),
    ] {
        let refused = ask(&aerial, READ, method, path, "");
        assert_eq!(refused.status, 403, "{method} {path}");
        assert!(
            sentence(&refused).contains("may only read"),
            "{method} {path}"
        );
    }
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

/// curl that follows the events.
struct Follower {
    curl: Child,
    lines: BufReader<std::process::ChildStdout>,
}

/// One message.
#[derive(Debug)]
struct Message {
    name: String,
    id: Option<String>,
    data: Value,
}

impl Follower {
    fn start(aerial: &Aerial, after: Option<&str>) -> Follower {
        let mut curl = Command::new("curl");
        curl.args(["-sSN", "--max-time", &LONG.as_secs().to_string()]);
        curl.args(["-H", &format!("Authorization: Bearer {}", aerial.token())]);
        if let Some(id) = after {
            curl.args(["-H", &format!("Last-Event-ID: {id}")]);
        }
        let curl = curl.arg(aerial.link("/api/v1/events"));
        let curl = curl.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut curl = curl.stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(curl.stdout.take().unwrap());
        Follower { curl, lines }
    }

    /// The next one; `None` at the end.
    fn next(&mut self) -> Option<Message> {
        let (mut name, mut id) = (String::new(), None);
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("event", word)) => name = word.to_string(),
                Some(("id", word)) => id = Some(word.to_string()),
                Some(("data", data)) => {
                    let data = serde_json::from_str(data).unwrap();
                    return Some(Message { name, id, data });
                }
                _ => (),
            }
        }
    }

    /// The next one of this name.
    fn until(&mut self, name: &str) -> Message {
        let end = "the events ended";
        loop {
            let message = self.next().expect(end);
            if message.name == name {
                return message;
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.curl.kill();
        let _ = self.curl.wait();
    }
}

#[test]
fn events_are_told_as_they_happen_and_who_comes_back_hears_what_came_since() {
    if !have("events", &["curl"]) {
        return;
    }
    let mut aerial = Aerial::live(SMALL);
    let mut follower = Follower::start(&aerial, None);
    let first = follower.next().unwrap();
    assert_eq!(
        (&*first.name, &first.data["air"]),
        ("status", &json!("live"))
    );
    assert!(first.id.is_some());

    let viewer = Viewer::join(aerial.address(), "/live.webm");
    let joined = follower.until("viewer-joined");
    assert_eq!(joined.data["transport"], "http");
    let path = format!("/api/v1/viewers/{}", id(&joined.data));
    assert_eq!(aerial.api("DELETE", &path).status, 204);
    let left = follower.until("viewer-left");
    assert_eq!(
        (&left.data["id"], &left.data["end"]),
        (&joined.data["id"], &json!("kicked"))
    );
    viewer.wait_end();
    let own = aerial.token();
    let put = |path: &str, body: Value| {
        let reply = ask(&aerial, &own, "PUT", path, &body.to_string());
        assert!(reply.status < 300, "{path}: {reply:?}");
    };
    put("/api/v1/now-playing", json!({"text": "A song"}));
    assert_eq!(follower.until("now-playing").data["text"], "A song");
    put("/api/v1/layout", json!({"kind": "full", "pictures": [1]}));
    assert_eq!(follower.until("layout").data["kind"], "full");
    let secret = "rtmp://127.0.0.1:9/live/canary-key";
    put("/api/v1/outputs/x", json!({"kind": "rtmp", "url": secret}));
    let output = follower.until("output");
    assert_eq!(
        (&output.data["name"], &output.data["kind"]),
        (&json!("x"), &json!("rtmp"))
    );
    assert!(!output.data.to_string().contains("canary"));
    put("/api/v1/air", json!({"air": "off"}));
    let air = [(); 2].map(|()| follower.until("air").data["air"].clone());
    assert_eq!(air, [json!("stopping"), json!("off")]);

    // The connection broke after the viewer had joined.
    let mut back = Follower::start(&aerial, joined.id.as_deref());
    let now = back.next().unwrap();
    assert_eq!(
        (&*now.name, &now.data["air"], now.id),
        ("status", &json!("off"), None)
    );
    let next = back.next().unwrap();
    assert_eq!((next.name, next.id), ("viewer-left".into(), left.id));
    // And here so long ago that nobody knows.
    let mut lost = Follower::start(&aerial, Some("0-1"));
    assert_eq!(lost.next().unwrap().name, "status");
    let missed = lost.next().unwrap();
    assert_eq!(
        (&*missed.name, &missed.data),
        ("missed", &json!({"missed": null}))
    );

    aerial.stop();
    while follower.next().is_some() {}
    let ended = follower.curl.wait().unwrap();
    assert_ne!(ended.code(), Some(28), "curl had to give up");
}

#[test]
fn a_page_follows_events_with_a_token_for_reading() {
    if !have("events in a page", browser::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(&small(&["--read-token", READ]));
    let mut page = Browser::open(&aerial.link("/"), &[]);
    page.wait_first_frame();
    let ask = |word: &str| {
        format!(
            "new Promise((done) => {{
               const events = new EventSource('/api/v1/events?token={word}');
               events.addEventListener('status', (e) => {{
                 done(JSON.parse(e.data).air + ' ' + (e.lastEventId !== ''));
                 events.close();
               }});
               events.onerror = () => done('refused');
             }})"
        )
    };
    assert_eq!(page.ask(&ask(READ)), "live true");
    assert_eq!(page.ask(&ask("wrong")), "refused");
    page.finish();
    // The word in the address opens nothing else.
    let path = format!("/api/v1/status?token={READ}");
    assert_eq!(
        http::request(aerial.address(), "GET", &path, &[], b"").status,
        401
    );
    aerial.stop();
}

#[test]
fn one_who_does_not_read_its_events_is_no_burden() {
    let mut aerial = Aerial::live(SMALL);
    let request = format!(
        "GET /api/v1/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
        aerial.address(),
        aerial.token()
    );
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&aerial.address().into()).unwrap();
    let stuck = Viewer::stuck(TcpStream::from(socket), &request);
    assert_eq!(
        stuck.reply.header("content-type"),
        Some("text/event-stream")
    );
    // More than the system keeps for a connection, and more than is kept of the events.
    let own = aerial.token();
    let long = "\u{1d11e}".repeat(300);
    let tell = |n: usize| {
        let body = json!({"text": format!("{n} {long}")}).to_string();
        ask(&aerial, &own, "PUT", "/api/v1/now-playing", &body).status
    };
    for n in 0..3000 {
        assert_eq!(tell(n), 200);
    }
    let reading = stuck.reading();
    let told = || String::from_utf8_lossy(&reading.kept()).to_string();
    crate::rig::wait_for("the gap to be told", || told().contains("event: missed\n"));
    assert!(told().contains("\"missed\":"));
    assert_eq!(tell(0), 200);
    aerial.stop();
}
