// SPDX-License-Identifier: GPL-3.0-or-later
//! Who may watch from other computers: by the link, by the password, and until when.
//!
//! The other computer is this one by the address that others know it under.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::unix::fs::PermissionsExt,
    process::Command,
    thread,
};

use serde_json::Value;

use crate::{
    browser::{self, Browser},
    http::{self, Reply, Viewer},
    media,
    receiver::Receivers,
    rig::{Aerial, Home, LONG, have, viewers},
};

const SMALL: &[&str] = &["--video", "test", "--audio", "tone", "--size", "320x180"];
/// Every address of this computer.
const ALL: &[&str] = &["--listen", "0.0.0.0:0"];

/// The address under which others see this computer; none where it is in no network.
pub fn outside() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Sends nothing: the system only says which of its addresses it would use.
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().unwrap().ip();
    (!ip.is_loopback()).then_some(ip)
}

/// The same server as others reach it; the story is skipped without a network, but not where everything must be there.
pub fn from_outside(aerial: &Aerial) -> Option<SocketAddr> {
    let ip = outside();
    assert!(
        ip.is_some() || std::env::var("CI").as_deref() != Ok("true"),
        "this computer must be in a network here"
    );
    if ip.is_none() {
        eprintln!("SKIPPED: this computer is in no network");
    }
    Some(SocketAddr::new(ip?, aerial.address().port()))
}

fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Reply {
    http::request(address, "GET", path, headers, b"")
}

fn token(aerial: &Aerial) -> String {
    let token = &aerial.serving()["viewer_token"];
    token.as_str().expect("the token is told").to_string()
}

/// The cookie that a reply sets, as it is sent back.
fn cookie(reply: &Reply) -> String {
    let set = reply.header("set-cookie").expect("a cookie is set");
    assert!(set.contains("; HttpOnly; SameSite=Strict"), "{set}");
    set.split(';').next().unwrap().to_string()
}

const WATCHED: [&str; 7] = [
    "/",
    "/live.webm",
    "/live.mp4",
    "/live.mjpeg",
    "/live.gif",
    "/hls/index.m3u8",
    "/snapshot.jpg",
];

#[test]
fn others_watch_with_the_token_of_the_link_and_not_without() {
    let story = "others_watch_with_the_token_of_the_link_and_not_without";
    if !have(story, media::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(&[SMALL, ALL].concat());
    let Some(there) = from_outside(&aerial) else {
        return;
    };
    let token = token(&aerial);
    let bearer = format!("Bearer {token}");
    for path in WATCHED {
        let status = |address, path: &str, headers: &[_]| get(address, path, headers).status;
        assert_eq!(status(aerial.address(), path, &[]), 200, "{path} here");
        let refused = get(there, path, &[]);
        assert_eq!(refused.status, 401, "{path}");
        let words = String::from_utf8_lossy(&refused.body).to_string();
        assert!(words.contains("needs the link"), "{path}: {words}");
        let wrong = format!(
            "{path}?t={}",
            token.replace(|c: char| c.is_alphanumeric(), "x")
        );
        assert_eq!(status(there, &wrong, &[]), 401, "{path}");
        let with = format!("{path}?t={token}");
        let allowed = if path == "/" { 303 } else { 200 };
        assert_eq!(status(there, &with, &[]), allowed, "{path}");
        let header = [("Authorization", bearer.as_str())];
        assert_eq!(status(there, path, &header), 200, "{path}");
    }
    let offer = |path: &str| http::request(there, "POST", path, &[], b"v=0").status;
    assert_eq!(offer("/whep"), 401);
    assert_eq!(offer(&format!("/whep?t={token}")), 415, "let in");
    // A player that knows nothing of cookies.
    let shared = aerial.serving()["links"]["share"].clone();
    let link = shared
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l.as_str().unwrap());
    let link = link
        .clone()
        .find(|l| l.contains(&there.to_string()))
        .unwrap();
    let hls = link.replace("/?t=", "/hls/index.m3u8?t=");
    media::Probe::open(&hls).wait_packets();
    aerial.stop();
}

#[test]
fn a_link_opened_in_a_browser_becomes_a_cookie_and_the_token_is_gone() {
    let mut aerial = Aerial::live(&[SMALL, ALL].concat());
    let Some(there) = from_outside(&aerial) else {
        return;
    };
    let link = format!("/?t={}&way=http", token(&aerial));
    let reply = get(there, &link, &[]);
    assert_eq!(
        (reply.status, reply.header("location")),
        (303, Some("/?way=http"))
    );
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    let cookie = cookie(&reply);
    assert!(
        !cookie.contains(&token(&aerial)),
        "made of the token, not it"
    );
    for path in WATCHED {
        assert_eq!(
            get(there, path, &[("Cookie", &cookie)]).status,
            200,
            "{path}"
        );
    }
    // A new cookie is not shown to a redirection that another site's page began.
    let reply = get(there, &link, &[("Accept", "text/html,*/*")]);
    assert_eq!(
        (reply.status, reply.header("refresh")),
        (200, Some("0;url=/?way=http"))
    );
    let typed = [("Accept", "text/html"), ("Sec-Fetch-Site", "none")];
    assert_eq!(get(there, &link, &typed).status, 303);
    // Another name for this computer may be another site's.
    let foreign = [("Host", "evil.example"), ("Cookie", cookie.as_str())];
    assert_eq!(get(there, "/live.webm", &foreign).status, 403);
    assert_eq!(
        get(aerial.address(), "/live.webm", &foreign[..1]).status,
        403
    );
    aerial.stop();
}

/// Another site: a page that leads on by itself.
fn leading_to(link: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let page =
        format!("<!doctype html><title>other</title><script>location.replace(\"{link}\")</script>");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
            let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{page}", page.len());
        }
    });
    address
}

#[test]
fn a_browser_follows_the_link_on_another_site_and_plays_without_the_token_in_its_address() {
    let story =
        "a_browser_follows_the_link_on_another_site_and_plays_without_the_token_in_its_address";
    if !have(story, browser::NEEDS) {
        return;
    }
    let mut aerial = Aerial::live(&[SMALL, ALL].concat());
    let Some(there) = from_outside(&aerial) else {
        return;
    };
    let other = leading_to(&format!("http://{there}/?t={}", token(&aerial)));
    let mut page = Browser::open(&format!("http://{other}/"), &[]);
    page.wait_first_frame();
    assert_eq!(page.ask("location.href"), format!("http://{there}/"));
    assert_eq!(page.ask("document.cookie"), "", "no script reads it");
    drop(page);
    aerial.wait("nobody to be left", |s| {
        s["viewers"] == serde_json::json!([])
    });
    aerial.stop();
}

#[test]
fn the_network_is_let_in_and_shut_out_while_live_and_nobody_here_notices() {
    let mut aerial = Aerial::live(&[SMALL, &["--listen", "127.0.0.1:0"]].concat());
    let Some(there) = from_outside(&aerial) else {
        return;
    };
    let near = Viewer::join(aerial.address(), "/live.webm");
    near.wait_more(10_000);
    let receivers = Receivers::start();
    let close = receivers.join(aerial.address(), "close");
    assert!(close.wait(LONG, |got| got.video > 10), "{:?}", close.got());
    let knock = || TcpStream::connect(there).err().map(|e| e.kind());
    assert_eq!(knock(), Some(ErrorKind::ConnectionRefused));
    let share = |on: bool| {
        let body = format!("{{\"network\": {on}}}");
        let answer = aerial.api_with("PUT", "/api/v1/sharing", &body);
        assert_eq!(
            answer.status,
            200,
            "{:?}",
            String::from_utf8_lossy(&answer.body)
        );
        let reach = answer.json();
        assert_eq!(reach["network"], on);
        assert_eq!(aerial.api("GET", "/api/v1/sharing").json(), reach);
        let links = reach["links"].as_array().unwrap().clone();
        let of_there = format!("http://{there}/");
        links
            .iter()
            .filter_map(|l| l.as_str()?.strip_prefix(&of_there).map(String::from))
            .next()
    };
    assert_eq!(
        aerial.api("GET", "/api/v1/sharing").json()["network"],
        false
    );
    let mut tokens = vec![];
    for _ in 0..2 {
        let token = share(true).expect("a link for others");
        assert!(token.starts_with("?t="), "{token}");
        assert_eq!(get(there, "/live.webm", &[]).status, 401);
        let far = Viewer::join(there, &format!("/live.webm{token}"));
        far.wait_more(10_000);
        let offer = str0m_offer();
        let kind = [("Content-Type", "application/sdp")];
        let answer = http::request(
            there,
            "POST",
            &format!("/whep{token}"),
            &kind,
            offer.as_bytes(),
        );
        let answer = String::from_utf8_lossy(&answer.body).to_string();
        assert!(
            answer.contains(&there.ip().to_string()),
            "reached there by UDP: {answer}"
        );
        assert_eq!(share(false), None);
        far.wait_end();
        assert_eq!(knock(), Some(ErrorKind::ConnectionRefused));
        near.wait_more(10_000);
        tokens.push(token);
    }
    assert_eq!(tokens[0], tokens[1], "links stay good");
    // Somebody else may have the port there.
    let other = TcpListener::bind(there).unwrap();
    let taken = aerial.api_with("PUT", "/api/v1/sharing", "{\"network\": true}");
    assert_eq!(
        taken.status,
        409,
        "{:?}",
        String::from_utf8_lossy(&taken.body)
    );
    assert_eq!(
        aerial.api("GET", "/api/v1/sharing").json()["network"],
        false
    );
    drop(other);
    near.wait_more(10_000);
    let seen = close.got();
    assert!(close.wait(LONG, |got| got.video > seen.video + 10));
    assert_eq!(close.got().over, None);
    drop((near, close));
    aerial.wait("nobody to be left", |s| {
        s["viewers"] == serde_json::json!([])
    });
    aerial.stop();
}

/// What a browser would send to watch.
fn str0m_offer() -> String {
    let mut rtc = str0m::Rtc::new(std::time::Instant::now());
    let here = str0m::Candidate::host("127.0.0.1:9".parse().unwrap(), "udp").unwrap();
    rtc.add_local_candidate(here);
    let mut change = rtc.sdp_api();
    let kind = str0m::media::MediaKind::Video;
    change.add_media(kind, str0m::media::Direction::RecvOnly, None, None, None);
    change.apply().unwrap().0.to_sdp_string()
}

#[test]
fn a_new_token_ends_the_viewers_of_the_old_one_and_no_others() {
    let home = Home::new();
    let file = home.path("config/aerial/viewer-token");
    let mut aerial = Aerial::live_in(home, &[SMALL, ALL].concat(), None);
    let Some(there) = from_outside(&aerial) else {
        return;
    };
    let kept = |file: &std::path::Path| fs::read_to_string(file).unwrap().trim().to_string();
    let old = token(&aerial);
    assert_eq!(kept(&file), old, "links survive a restart");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let cookie = cookie(&get(there, &format!("/?t={old}"), &[]));
    let far = Viewer::join(there, &format!("/live.webm?t={old}"));
    let near = Viewer::join(aerial.address(), "/live.webm");
    far.wait_more(10_000);
    near.wait_more(10_000);
    let answer = aerial.api("POST", "/api/v1/viewer-token");
    assert_eq!(answer.status, 200);
    let new = answer.json()["viewer_token"].as_str().unwrap().to_string();
    assert_ne!(new, old);
    far.wait_end();
    near.wait_more(10_000);
    let status = |path: &str, headers: &[_]| get(there, path, headers).status;
    assert_eq!(status(&format!("/live.webm?t={old}"), &[]), 401);
    assert_eq!(status("/live.webm", &[("Cookie", &cookie)]), 401);
    assert_eq!(status(&format!("/live.webm?t={new}"), &[]), 200);
    assert_eq!(kept(&file), new);
    drop(near);
    aerial.wait("nobody to be left", |s| viewers(s, "http").is_empty());
    aerial.stop();
}

#[test]
fn a_password_opens_the_page_and_guessing_is_stopped() {
    let args = ["--viewer-password", "open sesame"];
    let mut aerial = Aerial::live(&[SMALL, ALL, &args].concat());
    let Some(there) = from_outside(&aerial) else {
        return;
    };
    let asked = get(there, "/", &[("Accept", "text/html,*/*")]);
    let page = String::from_utf8_lossy(&asked.body).to_string();
    assert!(
        asked.status == 401 && page.contains("type=\"password\""),
        "{page}"
    );
    let enter = |form: &str, more: &[(&str, &str)]| {
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        let headers = [&[kind], more].concat();
        http::request(there, "POST", "/enter", &headers, form.as_bytes())
    };
    let right = enter("password=open+sesame", &[]);
    assert_eq!((right.status, right.header("location")), (303, Some("/")));
    let cookie = cookie(&right);
    assert_eq!(get(there, "/live.webm", &[("Cookie", &cookie)]).status, 200);
    let foreign = [("Origin", "http://evil.example")];
    assert_eq!(enter("password=open+sesame", &foreign).status, 403);
    let guesses: Vec<u16> = (0..25)
        .map(|n| enter(&format!("password={n}"), &[]).status)
        .collect();
    assert_eq!(guesses[..20], [401; 20]);
    assert_eq!(guesses[21..], [429; 4]);
    let late = enter("password=open+sesame", &[]);
    assert!(late.status == 429 && late.header("retry-after").is_some());
    // Who is in stays in, and this computer is not another one.
    assert_eq!(get(there, "/live.webm", &[("Cookie", &cookie)]).status, 200);
    assert_eq!(get(aerial.address(), "/live.webm", &[]).status, 200);
    aerial.stop();
}

#[test]
fn open_lets_everybody_watch_but_other_sites() {
    let mut aerial =
        Aerial::live(&[SMALL, ALL, &["--open", "--host", "live.example.org"]].concat());
    let Some(there) = from_outside(&aerial) else {
        return;
    };
    assert_eq!(aerial.serving()["viewer_token"], Value::Null);
    let status = |host: &str| get(there, "/live.webm", &[("Host", host)]).status;
    assert_eq!(status(&there.to_string()), 200);
    assert_eq!(status("live.example.org"), 200);
    assert_eq!(status("evil.example"), 403);
    assert_eq!(aerial.api("POST", "/api/v1/viewer-token").status, 409);
    aerial.stop();
}

#[test]
fn no_more_viewers_than_the_broadcaster_allows() {
    let limits = ["--max-viewers", "3", "--max-viewers-per-address", "2"];
    let mut aerial = Aerial::live(&[SMALL, ALL, &limits].concat());
    let Some(there) = from_outside(&aerial) else {
        return;
    };
    let path = format!("/live.webm?t={}", token(&aerial));
    let far = [Viewer::join(there, &path), Viewer::join(there, &path)];
    far.iter().for_each(|v| v.wait_more(1000));
    let refused = get(there, &path, &[]);
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
    let near = Viewer::join(aerial.address(), "/live.webm");
    near.wait_more(1000);
    let refused = get(aerial.address(), "/live.webm", &[]);
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    drop(far);
    aerial.wait_anew("places to become free", |s| viewers(s, "http").len() == 1);
    Viewer::join(there, &path).wait_more(1000);
    aerial.stop();
}

#[test]
fn https_and_http_share_a_port_and_others_are_sent_to_https() {
    let story = "https_and_http_share_a_port_and_others_are_sent_to_https";
    if !have(story, &[media::NEEDS, &["curl", "openssl"]].concat()) {
        return;
    }
    let home = Home::new();
    let certificate = home.path("config/aerial/certificate.pem");
    let key = home.path("config/aerial/certificate-key.pem");
    let mut aerial = Aerial::live_in(home, &[SMALL, ALL, &["--tls"]].concat(), None);
    let Some(there) = from_outside(&aerial) else {
        return;
    };
    let mode = fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let shown = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(&certificate)
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let told = aerial.serving()["fingerprint"]
        .as_str()
        .unwrap()
        .to_string();
    assert!(shown.trim().ends_with(&told), "{shown} {told}");
    // Judged by somebody else's eyes: a chain, and the address that was asked for.
    let curl = |link: &str, more: &[&str]| {
        let out = Command::new("curl")
            .args([
                "-sS",
                "--max-time",
                "60",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code} %{redirect_url}",
                "--cacert",
            ])
            .arg(&certificate)
            .args(more)
            .arg(link)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stderr).to_string();
        (
            String::from_utf8(out.stdout).unwrap().trim().to_string(),
            said,
        )
    };
    let token = token(&aerial);
    let (answer, said) = curl(&format!("https://{there}/snapshot.jpg?t={token}"), &[]);
    assert_eq!(answer, "200", "{said}");
    assert_eq!(curl(&format!("https://{there}/snapshot.jpg"), &[]).0, "401");
    let port = there.port();
    assert_eq!(curl(&format!("https://localhost:{port}/"), &[]).0, "200");
    for path in ["live.webm", "hls/index.m3u8"] {
        media::Probe::open(&format!("https://{there}/{path}?t={token}")).wait_packets();
    }
    // Without TLS: from here as ever, from elsewhere not.
    assert_eq!(get(aerial.address(), "/live.webm", &[]).status, 200);
    let sent = get(there, "/live.webm?t=x", &[]);
    let to = format!("https://{there}/live.webm?t=x");
    assert_eq!(
        (sent.status, sent.header("location")),
        (308, Some(to.as_str()))
    );
    let control = http::request(there, "POST", "/api/v1/viewer-token", &[], b"");
    assert_eq!(control.status, 403);
    let foreign = get(there, "/", &[("Host", "evil.example")]);
    assert_eq!((foreign.status, foreign.header("location")), (403, None));
    let link = format!("https://{there}/?t={token}");
    let (answer, _) = curl(&link, &["-D", "-"]);
    assert!(
        answer.contains("303") && answer.contains("; Secure"),
        "{answer}"
    );
    aerial.stop();
}

#[test]
fn who_says_nothing_holds_no_connection_for_long() {
    let mut aerial = Aerial::live(&[SMALL, &["--tls"]].concat());
    let silent = std::net::TcpStream::connect(aerial.address()).unwrap();
    let mut slow = std::net::TcpStream::connect(aerial.address()).unwrap();
    let head = "POST /whep HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n\
                Content-Length: 100\r\n\r\nv=0";
    slow.write_all(head.as_bytes()).unwrap();
    // A handshake that stops in the middle.
    let mut half = std::net::TcpStream::connect(aerial.address()).unwrap();
    half.write_all(&[0x16, 3, 1, 2, 0, 1]).unwrap();
    for mut stream in [silent, half, slow] {
        stream.set_read_timeout(Some(LONG)).unwrap();
        let mut answer = vec![];
        let ended = stream.read_to_end(&mut answer);
        assert!(ended.is_ok() || ended.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
        assert!(!answer.starts_with(b"HTTP/1.1 2"));
    }
    aerial.stop();
}

#[test]
fn the_network_is_told_of_the_page_while_it_is_live_and_shared() {
    let mut aerial = Aerial::live(&[SMALL, ALL].concat());
    let Some(there) = from_outside(&aerial) else {
        return;
    };
    let eyes = mdns_sd::ServiceDaemon::new().unwrap();
    let seen = eyes.browse("_http._tcp.local.").unwrap();
    let mut name = None;
    while name.is_none() {
        // Others may announce pages of theirs.
        if let mdns_sd::ServiceEvent::ServiceResolved(found) = seen.recv_timeout(LONG).unwrap()
            && found.get_port() == there.port()
        {
            assert!(found.get_fullname().starts_with("Aerial on "), "{found:?}");
            assert_eq!(found.get_property_val_str("path"), Some("/"));
            assert!(!format!("{found:?}").contains(&token(&aerial)));
            name = Some(found.get_fullname().to_string());
        }
    }
    let off = aerial.api_with("PUT", "/api/v1/air", r#"{"air": "off"}"#);
    assert!(off.status < 300, "{off:?}");
    loop {
        if let mdns_sd::ServiceEvent::ServiceRemoved(_, gone) = seen.recv_timeout(LONG).unwrap()
            && Some(&gone) == name.as_ref()
        {
            break;
        }
    }
    eyes.shutdown().unwrap();
    aerial.stop();
}
