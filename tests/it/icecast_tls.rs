// SPDX-License-Identifier: GPL-3.0-or-later
//! A real Icecast server with TLS: whom it is trusted by, and that all of its interfaces work.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    icecast::{self, ADMIN, Icecast, PASSWORD, Setup},
    media::{self, Probe},
    rig::{Aerial, Home, have, id, output, viewers},
};

const SMALL: &[&str] = &[
    "--video", "test", "--audio", "tone", "--size", "320x180", "--fps", "15",
];

/// Runs openssl in this folder and returns what it says.
fn openssl(dir: &Path, line: &str) -> String {
    let out = Command::new("openssl")
        .args(line.split(' '))
        .current_dir(dir)
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "openssl {line}: {complaints}");
    String::from_utf8(out.stdout).unwrap()
}

/// A file with a certificate and its key, as Icecast wants it.
fn joined(dir: &Path, certificate: &str, key: &str) -> PathBuf {
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    let path = dir.join("icecast.pem");
    fs::write(&path, read(certificate) + &read(key)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    path
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::Builder::new()
        .prefix("aerial-tls.")
        .tempdir()
        .unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

fn encrypted(certificate: PathBuf) -> Icecast {
    Icecast::start_as(Setup {
        certificate: Some(certificate),
        ..Setup::default()
    })
}

#[test]
fn a_server_that_signed_itself_is_trusted_by_its_fingerprint_alone() {
    let story = "a_server_that_signed_itself_is_trusted_by_its_fingerprint_alone";
    if !have(story, &["openssl", icecast::NEEDS[0], "ffprobe"]) {
        return;
    }
    let dir = folder();
    let made =
        "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem -out cert.pem -subj /CN=radio";
    openssl(dir.path(), made);
    let server = encrypted(joined(dir.path(), "cert.pem", "key.pem"));
    let printed = openssl(dir.path(), "x509 -in cert.pem -noout -fingerprint -sha256");
    let printed = printed.trim().split_once('=').unwrap().1;
    let target = |pin: &str| {
        format!(
            "icecasts://source:{PASSWORD}@{}/live.webm?admin=admin:{ADMIN}{pin}",
            server.tls_address()
        )
    };

    // Not trusted; the fingerprint is told.
    let mut aerial = Aerial::live(&[SMALL, &["--icecast", &target("")]].concat());
    let failed = aerial.wait("it to be refused", |s| {
        output(s, "icecast")["state"] == "failed"
    });
    let why = output(&failed, "icecast")["error"]
        .as_str()
        .unwrap()
        .to_string();
    let hex = printed.replace(':', "").to_lowercase();
    assert!(
        why.contains("not trusted") && why.contains(&format!("fingerprint=sha256:{hex}")),
        "{why}"
    );
    aerial.stop();

    // Another one's fingerprint is not enough.
    let wrong = format!("&fingerprint=sha256:{}", "0".repeat(64));
    let mut aerial = Aerial::live(&[SMALL, &["--icecast", &target(&wrong)]].concat());
    let failed = aerial.wait("it to be refused", |s| {
        output(s, "icecast")["state"] == "failed"
    });
    let why = output(&failed, "icecast")["error"].as_str().unwrap();
    assert!(why.contains("not the one with the fingerprint"), "{why}");
    aerial.stop();

    // Trusted: the stream, the list and kicks go over TLS.
    let right = target(&format!("&fingerprint={printed}"));
    let mut aerial = Aerial::live(&[SMALL, &["--icecast", &right]].concat());
    let live = aerial.wait("it to be live", |s| output(s, "icecast")["state"] == "live");
    let url = output(&live, "icecast")["url"]
        .as_str()
        .unwrap()
        .to_string();
    assert_eq!(
        url,
        format!("icecasts://{}/live.webm", server.tls_address())
    );
    let listener = Probe::open(&server.link());
    listener.wait_packets();
    let listed = aerial.wait("the listener to be listed", |s| {
        viewers(s, "icecast").len() == 1
    });
    let goes = id(viewers(&listed, "icecast")[0]);
    let kicked = aerial.api("DELETE", &format!("/api/v1/viewers/{goes}"));
    assert_eq!(kicked.status, 204);
    listener.wait_end();
    aerial.wait("the listener to be gone", |s| {
        viewers(s, "icecast").is_empty()
    });
    let said = aerial.said();
    assert!(!said.contains(PASSWORD) && !said.contains(ADMIN), "{said}");
    aerial.stop();
}

#[test]
fn a_server_is_trusted_when_this_computer_trusts_who_signed_it() {
    let story = "a_server_is_trusted_when_this_computer_trusts_who_signed_it";
    if !have(story, &["openssl", icecast::NEEDS[0], media::NEEDS[0]]) {
        return;
    }
    let dir = folder();
    for line in [
        "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out ca.pem -subj /CN=Authority",
        "req -newkey rsa:2048 -nodes -keyout key.pem -out asked.pem -subj /CN=radio",
    ] {
        openssl(dir.path(), line);
    }
    let sign = |name: &str, out: &str| {
        fs::write(dir.path().join("names"), format!("subjectAltName={name}\n")).unwrap();
        let line = "x509 -req -in asked.pem -CA ca.pem -CAkey ca.key -days 2 -CAcreateserial -extfile names -out";
        openssl(dir.path(), &format!("{line} {out}"));
        joined(dir.path(), out, "key.pem")
    };
    let authorities = dir.path().join("ca.pem").display().to_string();
    // Where this computer's list of trusted certificates is.
    let trusting = HashMap::from([("SSL_CERT_FILE".to_string(), authorities)]);
    let start = |server: &Icecast, desktop: Option<&HashMap<String, String>>| {
        let address = server.tls_address();
        let target = format!("icecasts://source:{PASSWORD}@{address}/live.webm");
        let args = [SMALL, &["--icecast", &target]].concat();
        Aerial::live_in(Home::new(), &args, desktop)
    };
    let refusal = |mut aerial: Aerial| {
        let failed = aerial.wait("it to be refused", |s| {
            output(s, "icecast")["state"] == "failed"
        });
        aerial.stop();
        output(&failed, "icecast")["error"]
            .as_str()
            .unwrap()
            .to_string()
    };

    let server = encrypted(sign("IP:127.0.0.1", "right.pem"));
    let mut aerial = start(&server, Some(&trusting));
    aerial.wait("it to be live", |s| output(s, "icecast")["state"] == "live");
    Probe::open(&server.link()).wait_packets();
    aerial.stop();
    let why = refusal(start(&server, None));
    assert!(why.contains("nobody whom this computer trusts"), "{why}");

    let server = encrypted(sign("DNS:elsewhere.example", "other.pem"));
    let why = refusal(start(&server, Some(&trusting)));
    assert!(why.contains("another name"), "{why}");
}

#[test]
fn a_server_without_tls_is_told_from_one_with_it() {
    let story = "a_server_without_tls_is_told_from_one_with_it";
    if !have(story, icecast::NEEDS) {
        return;
    }
    let server = Icecast::start();
    let target = format!(
        "icecasts://source:{PASSWORD}@{}/live.webm",
        server.address()
    );
    let mut aerial = Aerial::live(&[SMALL, &["--icecast", &target]].concat());
    let waits = aerial.wait("it to be told", |s| {
        output(s, "icecast")["state"] == "waiting"
    });
    let why = output(&waits, "icecast")["error"].as_str().unwrap();
    assert!(why.contains("does not answer over TLS"), "{why}");
    aerial.stop();
}
