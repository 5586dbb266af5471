// SPDX-License-Identifier: GPL-3.0-or-later
//! Every route there is, and who is refused there. The table is compared with the code, so that no route is forgotten.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    path::Path,
};

use studio::mux::CONTAINERS;

use crate::{
    http::{self, Reply},
    rig::{Aerial, checkout},
    sharing::from_outside,
};

/// What opens a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    /// Nothing: there is nothing secret behind it.
    Open,
    /// What watching wants: nothing here, the viewer token elsewhere.
    Watching,
    /// The same, and only for our own pages and programs.
    WatchingGuarded,
    /// A name that nobody can guess, and our own pages and programs.
    Named,
    /// The right password.
    Password,
    /// The API token or an invitation.
    Guest,
    /// A token that may control.
    Api,
    /// Any token of the API: it tells, and changes nothing.
    Read,
}

use Lock::{Api, Guest, Named, Open, Password, Read, Watching, WatchingGuarded};

/// Path as in the code, methods, lock.
const ROUTES: &[(&str, &str, Lock)] = &[
    ("/", "get", Watching),
    ("/watch.json", "get", Watching),
    ("/watch.js", "get", Open),
    ("/watch-controls.js", "get", Open),
    ("/watch-pictures.js", "get", Open),
    ("/watch-ways.js", "get", Open),
    ("/watch.css", "get", Open),
    ("/join", "get", Open),
    ("/join.js", "get", Open),
    ("/join.css", "get", Open),
    ("/icon.svg", "get", Open),
    ("/enter", "post", Password),
    ("/snapshot.jpg", "get", Watching),
    ("/signalling", "any", WatchingGuarded),
    ("/signalling/", "any", WatchingGuarded),
    ("/whep", "post", WatchingGuarded),
    ("/whep/{id}", "delete patch", Named),
    ("/whip", "post", Guest),
    ("/whip/{id}", "delete patch", Named),
    ("/frames/{name}", "post put", Api),
    ("/frames/{name}/events", "get", Api),
    ("/metrics", "get", Read),
    ("/api", "any", Read),
    ("/api/{*rest}", "any", Read),
    ("/api/v1/openapi.json", "get", Read),
    ("/api/v1/events", "get", Read),
    ("/api/v1/tokens", "get post", Api),
    ("/api/v1/tokens/{id}", "delete", Api),
    ("/api/v1/status", "get", Read),
    ("/api/v1/viewers", "get", Read),
    ("/api/v1/viewers/history", "get", Read),
    ("/api/v1/viewers/history.csv", "get", Read),
    ("/api/v1/viewers/{id}", "delete", Api),
    ("/api/v1/viewers/{id}/ban", "post", Api),
    ("/api/v1/viewers/{id}/note", "put", Api),
    ("/api/v1/viewers/{id}/host", "post", Api),
    ("/api/v1/viewer-token", "post", Api),
    ("/api/v1/sharing", "get put", Api),
    ("/api/v1/bans", "get", Read),
    ("/api/v1/bans/{address}", "delete", Api),
    ("/api/v1/air", "get", Read),
    ("/api/v1/air", "put", Api),
    ("/api/v1/sources", "get", Read),
    ("/api/v1/sources", "post put", Api),
    ("/api/v1/sources/{id}", "delete patch", Api),
    ("/api/v1/sources/{id}/invitation", "get post", Api),
    ("/api/v1/layout", "get", Read),
    ("/api/v1/layout", "put", Api),
    ("/api/v1/overlays", "get", Read),
    ("/api/v1/overlays", "put", Api),
    ("/api/v1/outputs", "get", Read),
    ("/api/v1/outputs/{name}", "get", Read),
    ("/api/v1/outputs/{name}", "delete put", Api),
    ("/api/v1/now-playing", "get", Read),
    ("/api/v1/now-playing", "put", Api),
];

const METHODS: [&str; 6] = ["any", "delete", "get", "patch", "post", "put"];

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(fs::read_to_string(path).unwrap());
        }
    }
}

/// The routes of the code: path and methods.
fn coded() -> BTreeMap<String, BTreeSet<&'static str>> {
    let (mut files, mut found) = (vec![], BTreeMap::<_, BTreeSet<_>>::new());
    sources(&checkout("src/serve"), &mut files);
    for file in files {
        // Tests may have routes of their own.
        let code = file.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let squeezed: String = code.split_whitespace().collect();
        for part in squeezed.split(".route(\"").skip(1) {
            let (path, rest) = part.split_once('"').unwrap();
            // Up to what is said of all routes, or the end of the function.
            let ends = [
                ".route(",
                ".merge(",
                ".layer(",
                ".route_layer(",
                ".with_state(",
                "}fn",
                "}async",
                "}///",
            ];
            let end = ends.iter().filter_map(|end| rest.find(end)).min();
            let methods = &rest[..end.unwrap_or(rest.len())];
            let named = METHODS.into_iter().filter(|m| {
                // What a page is made of is got.
                if *m == "get" && methods.contains("part!(") {
                    return true;
                }
                let call = format!("{m}(");
                methods.match_indices(&call).any(|(at, _)| {
                    let before = methods[..at].chars().next_back();
                    before.is_some_and(|c| ",.".contains(c))
                })
            });
            found.entry(path.to_string()).or_default().extend(named);
        }
        // Sessions: all have the same shape.
        for part in squeezed.split("constPATH:&'staticstr=\"").skip(1) {
            let path = part.split('"').next().unwrap();
            found.insert(path.into(), ["post"].into());
            found.insert(format!("{path}/{{id}}"), ["delete", "patch"].into());
        }
    }
    found
}

#[test]
fn the_table_has_every_route_of_the_code() {
    let mut table = BTreeMap::<String, BTreeSet<&str>>::new();
    for (path, methods, _) in ROUTES {
        let known = table.entry(path.to_string()).or_default();
        known.extend(methods.split(' '));
    }
    let coded = coded();
    assert!(
        coded.values().all(|methods| !methods.is_empty()),
        "{coded:?}"
    );
    assert_eq!(coded, table);
}

/// Those of the table with every method, and the streams.
fn all() -> Vec<(String, String, Lock)> {
    let mut all = vec![];
    for (path, methods, lock) in ROUTES {
        let path = path
            .replace("{id}", "1")
            .replace("{name}", "plot")
            .replace("{address}", "192.0.2.99")
            .replace("{*rest}", "v9/nothing");
        for method in methods.split(' ') {
            let method = if method == "any" { "get" } else { method };
            all.push((method.to_uppercase(), path.clone(), *lock));
        }
    }
    let folder = "0".repeat(32);
    let streams = CONTAINERS.iter().filter_map(|c| c.path.map(String::from));
    let hls = [
        "index.m3u8",
        &format!("{folder}/full.m3u8"),
        &format!("{folder}/full/s1.m4s"),
    ];
    let hls = hls.map(|file| format!("/hls/{file}"));
    for path in streams.chain(hls) {
        for method in ["GET", "HEAD"] {
            all.push((method.into(), path.clone(), Watching));
        }
    }
    all
}

/// A request with nothing in it, but what makes a WebSocket.
fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    if !path.starts_with("/signalling") {
        return http::request(address, method, path, headers, b"");
    }
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    );
    if !headers.iter().any(|(name, _)| *name == "Host") {
        head += &format!("Host: {address}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    http::exchange(address, format!("{head}\r\n").as_bytes()).expect("an answer")
}

#[test]
fn every_route_refuses_who_may_not_use_it() {
    let args = ["--video", "test", "--audio", "tone", "--size", "320x180"];
    let share = [
        "--listen",
        "0.0.0.0:0",
        "--viewer-token",
        "viewer-token",
        "--viewer-password",
        "pass word",
        "--read-token",
        "read-token",
    ];
    let mut aerial = Aerial::live(&[&args[..], &share].concat());
    let here = aerial.address();
    let there = from_outside(&aerial);
    let good = format!("Bearer {}", aerial.token());
    for (method, path, lock) in all() {
        let status = |address, headers: &[_]| ask(address, &method, &path, headers).status;
        let what = format!("{method} {path}");
        let foreign = [
            ("Host", "evil.example"),
            ("Origin", "http://evil.example"),
            ("Origin", "null"),
        ];
        for header in foreign {
            let what = format!("{what} with {}: {}", header.0, header.1);
            match lock {
                Open => assert_eq!(status(here, &[header]), 200, "{what}"),
                Watching => assert_eq!(status(here, &[header]), 403, "{what}"),
                // Before anything else, even with the right token.
                WatchingGuarded | Named | Password | Guest | Api | Read => {
                    let with = [header, ("Authorization", good.as_str())];
                    assert_eq!(status(here, &with), 403, "{what}");
                }
            }
        }
        match lock {
            Open | Watching | WatchingGuarded => (),
            Named => assert!([404, 415].contains(&status(here, &[])), "{what}"),
            Password => assert_eq!(status(here, &[]), 401, "{what}"),
            Guest | Api | Read => {
                assert_eq!(status(here, &[]), 401, "{what} without token");
                // The viewers' token is for watching.
                for wrong in ["Bearer viewer-token", "Bearer x", "Basic Og==", "Bearer"] {
                    let with = [("Authorization", wrong)];
                    assert_eq!(status(here, &with), 401, "{what} with {wrong}");
                }
                if lock != Read {
                    let with = [("Authorization", "Bearer read-token")];
                    // Where guests come in it is no token at all.
                    let refusal = if lock == Guest { 401 } else { 403 };
                    assert_eq!(status(here, &with), refusal, "{what} with a reader's token");
                }
                let by_query = format!("{path}?t=viewer-token");
                let by_query = ask(here, &method, &by_query, &[]).status;
                assert_eq!(by_query, 401, "{what} with a viewer's link");
            }
        }
        let Some(there) = there else { continue };
        let without = status(there, &[]);
        match lock {
            Open => assert_eq!(without, 200, "{what} from elsewhere"),
            Named => assert!([404, 415].contains(&without), "{what} from elsewhere"),
            // A form without the password would be counted as a wrong one.
            Password => (),
            Watching | WatchingGuarded | Guest | Api | Read => {
                assert_eq!(without, 401, "{what} from elsewhere");
            }
        }
        if let Watching | WatchingGuarded = lock {
            let cookie = [("Cookie", format!("aerial_{}=viewer-token", there.port()))];
            let cookie = cookie.each_ref().map(|(n, v)| (*n, v.as_str()));
            assert_eq!(status(there, &cookie), 401, "{what} with a made-up cookie");
            let forwarded = [("X-Forwarded-For", "127.0.0.1")];
            assert_eq!(status(there, &forwarded), 401, "{what} as if from here");
            assert_eq!(status(here, &forwarded), 401, "{what} by a proxy");
        }
    }
    aerial.stop();
}
