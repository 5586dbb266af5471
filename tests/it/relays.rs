// SPDX-License-Identifier: GPL-3.0-or-later
//! Growing past one machine: one broadcast, an Icecast master, and relays that share its listeners.
//!
//! This is the example of docs/scaling.md, run with real servers.

use crate::{
    icecast::{self, ADMIN, Icecast, PASSWORD, Setup},
    media::{self, Probe},
    rig::{Aerial, have_alone, id, output, viewers},
};

#[test]
fn listeners_of_relays_are_listed_and_let_go_like_all_others() {
    let story = "listeners_of_relays_are_listed_and_let_go_like_all_others";
    if !have_alone(story, &[icecast::NEEDS, media::NEEDS].concat()) {
        return;
    }
    let master = Icecast::start();
    let relay = || {
        Icecast::start_as(Setup {
            relays: Some(master.address()),
            ..Setup::default()
        })
    };
    let (one, mut two) = (relay(), relay());
    let target = master.target_at(&format!(
        "live.webm?relay={}&relay={}",
        one.address(),
        two.address()
    ));
    let mut aerial = Aerial::live(&[
        "--video",
        "test",
        "--audio",
        "tone",
        "--size",
        "320x180",
        "--fps",
        "15",
        "--icecast",
        &target,
    ]);
    aerial.wait("the master to be live", |s| {
        output(s, "icecast")["state"] == "live"
    });
    aerial.wait("both relays to have the mount", |_| {
        !one.tells("live.webm").is_null() && !two.tells("live.webm").is_null()
    });
    // Who comes later has the higher number, but only if the others are listed before.
    let listen = |server: &Icecast| {
        let probe = Probe::open(&server.link());
        probe.wait_packets();
        probe
    };
    let mut listeners: Vec<Probe> = [&master, &one, &one].map(listen).into();
    aerial.wait("the first three to be listed", |s| {
        viewers(s, "icecast").len() == 3
    });
    listeners.extend([&two, &two, &two].map(listen));
    let listed = aerial.wait("all six and nobody else to be listed", |s| {
        viewers(s, "icecast").len() == 6
    });
    let agents: Vec<_> = viewers(&listed, "icecast")
        .iter()
        .map(|v| v["agent"].as_str().unwrap().to_string())
        .collect();
    assert!(agents.iter().all(|a| a.starts_with("Lavf")), "{agents:?}");
    // The master itself has the relays among its listeners.
    let counted = aerial.wait("the master to count three", |s| {
        output(s, "icecast")["mount"]["listeners"] == 3
    });
    assert_eq!(output(&counted, "icecast")["dropped"], 0);

    // One of the second relay is let go; it is the last that came.
    let goes = viewers(&counted, "icecast")
        .into_iter()
        .map(id)
        .max()
        .unwrap();
    let kicked = aerial.api("DELETE", &format!("/api/v1/viewers/{goes}"));
    assert_eq!(kicked.status, 204);
    aerial.wait("five to be left", |s| viewers(s, "icecast").len() == 5);

    // The second relay dies: its listeners are gone, the others stay.
    two.kill();
    aerial.wait("three to be left", |s| viewers(s, "icecast").len() == 3);
    listeners.truncate(3);
    for listener in &listeners {
        listener.wait_packets();
    }
    assert_eq!(
        output(&aerial.wait("a status", |_| true), "icecast")["state"],
        "live"
    );
    let said = aerial.said();
    assert!(!said.contains(PASSWORD) && !said.contains(ADMIN), "{said}");
    drop(listeners);
    aerial.stop();
}
