// SPDX-License-Identifier: GPL-3.0-or-later
//! The watch page in other pages, where it may be shown.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener},
    thread,
};

use crate::{
    browser::{self, Browser},
    http,
    rig::{Aerial, Home, free_port, have},
    watching::{SMALL, clean, wait_state},
};

/// A web site with one page.
fn site(html: String) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            lines
                .take_while(|l| l.as_ref().is_ok_and(|l| !l.is_empty()))
                .for_each(drop);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close";
            let _ = write!(
                stream,
                "{head}\r\nContent-Length: {}\r\n\r\n{html}",
                html.len()
            );
        }
    });
    origin
}

#[test]
fn other_sites_show_the_page_only_where_they_may() {
    if !have(
        "other_sites_show_the_page_only_where_they_may",
        browser::NEEDS,
    ) {
        return;
    }
    let listen = format!("127.0.0.1:{}", free_port());
    let frame =
        format!("<iframe src=\"http://{listen}/?embed&amp;t=word\" width=480 height=270></iframe>");
    let friend = site(frame.clone());
    let stranger = site(frame);
    let mut aerial = Aerial::live(&[SMALL, &["--listen", &listen, "--embed", &friend]].concat());

    let policy = |path| {
        let reply = http::request(aerial.address(), "GET", path, &[], b"");
        assert_eq!(reply.status, 200, "{path}");
        let policy = reply.header("content-security-policy").unwrap().to_string();
        assert!(
            policy.starts_with("default-src 'none';") && !policy.contains("unsafe"),
            "{policy}"
        );
        let framed = policy.split("frame-ancestors ").nth(1).unwrap().to_string();
        (framed, reply.header("x-frame-options").map(String::from))
    };
    assert_eq!(policy("/?embed"), (friend.clone(), None));
    for path in ["/", "/join", "/?embedded"] {
        assert_eq!(
            policy(path),
            ("'none'".into(), Some("DENY".into())),
            "{path}"
        );
    }

    // Shown where it may, and its token goes with everything that it asks for.
    let mut outer = Browser::open(&friend, &["--no-picture"]);
    outer.wait_first_frame();
    aerial.wait("the viewer in the frame", |s| {
        s["viewers"].as_array().is_some_and(|v| v.len() == 1)
    });
    clean(outer);
    let mut refused = Browser::open(&stranger, &["--no-picture"]);
    refused.wait_first_frame();
    // What the browser shows instead of a page that it may not show is nobody's.
    let blocked = "new Promise(r => { const f = document.querySelector('iframe'); const look = () => { \
                   let d = 1; try { d = f.contentDocument; } catch {} d === null ? r(true) : setTimeout(look, 20); }; look(); })";
    assert_eq!(refused.ask(blocked), true);
    aerial.wait("nobody", |s| {
        s["viewers"].as_array().is_some_and(Vec::is_empty)
    });
    let saw = refused.finish();
    let words = saw["forbidden"].to_string();
    assert!(words.contains("frame-ancestors"), "{saw:#}");

    let init = "const asked = [], real = fetch; \
                window.fetch = (address, more) => (asked.push(address), real(address, more))";
    let inner = aerial.link("/?embed&t=word");
    let mut page = Browser::open(&inner, &["--init", init]);
    page.wait_first_frame();
    wait_state(&mut page, "live");
    let told = "new Promise(r => { const look = () => asked.some(a => a.includes('watch.json')) ? r(asked) : \
                setTimeout(look, 20); look(); })";
    let asked = page.ask(told);
    for address in asked.as_array().unwrap() {
        assert!(address.as_str().unwrap().ends_with("?t=word"), "{asked}");
    }
    assert_eq!(
        page.ask("getComputedStyle(document.querySelector('header')).display"),
        "none"
    );
    clean(page);
    aerial.stop();

    let home = Home::new();
    for bad in ["example.org", "https://example.org/page", "*"] {
        let out = home
            .aerial(&["live", "--embed", bad], None)
            .output()
            .unwrap();
        assert_eq!(out.status.code(), Some(2), "{bad}");
        let said = String::from_utf8(out.stderr).unwrap();
        assert!(said.contains(bad) && said.lines().count() == 2, "{said}");
    }
}
