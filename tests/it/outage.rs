// SPDX-License-Identifier: GPL-3.0-or-later
//! The Icecast server goes and comes back; everything else goes on.

use crate::{
    http::Viewer,
    icecast::{self, ADMIN, Icecast, PASSWORD},
    media::{self, Probe},
    rig::{Aerial, have, output, viewers},
};

#[test]
fn icecast_is_killed_and_comes_back_by_itself() {
    if !have(
        "icecast_is_killed_and_comes_back_by_itself",
        &[icecast::NEEDS, media::NEEDS].concat(),
    ) {
        return;
    }
    let mut icecast = Icecast::start();
    let mut aerial = Aerial::live(&[
        "--video",
        "test",
        "--audio",
        "tone",
        "--size",
        "640x360",
        "--icecast",
        &icecast.target(),
        "--record",
        "x.webm",
    ]);
    let http = Viewer::join(aerial.address(), "/live.webm");
    let start = aerial.wait("Icecast to be live", |s| {
        output(s, "icecast")["state"] == "live"
    });
    let url = output(&start, "icecast")["url"]
        .as_str()
        .unwrap()
        .to_string();
    assert!(
        url.contains(&format!("{}/live.webm", icecast.address())),
        "{url}"
    );
    let listener = Probe::open(&icecast.link());
    listener.wait_packets();
    aerial.wait("the listener to be listed", |s| {
        viewers(s, "icecast").len() == 1
    });
    let before = aerial.statuses().len();

    icecast.kill();
    let down = aerial.wait("the loss to be told", |s| {
        output(s, "icecast")["state"] == "waiting"
    });
    let error = output(&down, "icecast")["error"]
        .as_str()
        .expect("why it waits")
        .to_string();
    assert!(
        error.contains("127.0.0.1") && error.ends_with('.'),
        "one clear sentence: {error}"
    );
    let down = aerial.wait("its listeners to leave the list", |s| {
        viewers(s, "icecast").is_empty()
    });
    assert_eq!(
        (&down["air"], viewers(&down, "http").len()),
        (&"live".into(), 1)
    );
    assert_eq!(output(&down, "record")["state"], "live");
    http.wait_more(50_000);
    // It tries again and says why that failed.
    aerial.wait("a try that failed", |s| {
        let icecast = output(s, "icecast");
        icecast["state"] == "waiting"
            && icecast["error"]
                .as_str()
                .is_some_and(|e| e.contains("cannot be reached"))
    });
    http.wait_more(50_000);

    icecast.start_again();
    aerial.wait("Icecast to be live again", |s| {
        output(s, "icecast")["state"] == "live" && output(s, "icecast")["error"].is_null()
    });
    let listener = Probe::open(&icecast.link());
    listener.wait_packets();
    aerial.wait("the listener to be listed again", |s| {
        viewers(s, "icecast").len() == 1
    });

    let rows = aerial.statuses();
    let mut states: Vec<_> = rows[before - 1..]
        .iter()
        .map(|s| output(s, "icecast")["state"].as_str().unwrap())
        .collect();
    states.dedup();
    assert!(
        states
            .iter()
            .all(|s| ["live", "waiting", "connecting"].contains(s)),
        "{states:?}"
    );
    for status in &rows[before - 1..] {
        assert_eq!(status["air"], "live", "the broadcast never left the air");
        assert_eq!(
            viewers(status, "http").len(),
            1,
            "the HTTP viewer was never gone: {status:#}"
        );
        assert_eq!(
            viewers(status, "http")[0]["dropped"],
            0,
            "the HTTP viewer missed nothing: {status:#}"
        );
    }
    drop((http, listener));
    aerial.stop();
    let said = aerial.said();
    assert!(
        !said.contains(PASSWORD) && !said.contains(ADMIN),
        "a password was told:\n{said}"
    );
}
