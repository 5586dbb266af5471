// SPDX-License-Identifier: GPL-3.0-or-later
//! Events, as programs and pages hear them.

use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::{
    api::{READ, SMALL, ask, small},
    browser::{self, Browser},
    http::{self, Viewer},
    rig::{Aerial, LONG, have, id, wait_for},
};

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
    wait_for("the gap to be told", || told().contains("event: missed\n"));
    assert!(told().contains("\"missed\":"));
    assert_eq!(tell(0), 200);
    aerial.stop();
}
