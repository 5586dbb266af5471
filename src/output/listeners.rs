// SPDX-License-Identifier: GPL-3.0-or-later
//! Listeners of an Icecast server and of those that relay it, through their admin interfaces.

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use futures::future::join_all;
use quick_xml::de::from_str;
use serde::Deserialize;

use super::{Context, MountNumbers, icecast::Admin};
use crate::audience::{Guard, Transport, Who};

/// A viewer must be listed within 2 s.
const EVERY: Duration = Duration::from_secs(1);
/// So many questions without an answer, and a server's listeners are taken to be gone.
const PATIENCE: u32 = 3;

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    source: Vec<Source>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Source {
    #[serde(default)]
    pub(super) listener: Vec<Listener>,
    #[serde(default)]
    listeners: Option<u64>,
    #[serde(default)]
    listener_peak: Option<u64>,
    #[serde(default)]
    total_bytes_sent: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Listener {
    #[serde(rename = "IP", default)]
    ip: String,
    #[serde(rename = "UserAgent", default)]
    agent: String,
    #[serde(rename = "ID")]
    id: String,
}

impl Listener {
    /// Another server that passes the mount on: it is nobody who listens.
    pub(super) fn is_relay(&self) -> bool {
        self.agent.starts_with("Icecast ")
    }
}

/// Keep the servers' listeners in the list of viewers, pass kicks on, and note the numbers of the mount on the first one,
/// for ever.
pub(super) async fn follow(
    context: &Context,
    servers: Vec<Admin>,
    format: &'static str,
) -> Infallible {
    let all = servers.iter().enumerate();
    join_all(all.map(|(i, server)| follow_one(context, server, format, i == 0))).await;
    // There is nobody to ask.
    std::future::pending().await
}

/// A server that does not answer (the password is wrong, say) is said once in the log and asked again.
async fn follow_one(context: &Context, server: &Admin, format: &str, is_first: bool) -> Infallible {
    let mut guards: BTreeMap<String, Guard> = BTreeMap::new();
    let mut failed = 0;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for (id, _) in guards.iter().filter(|(_, g)| g.is_kicked()) {
            let _ = server.ask("killclient", &[("id", id)]).await;
        }
        match server.ask("listclients", &[]).await {
            Ok(text) => {
                failed = 0;
                let mut listed = parse(&text).listener;
                listed.retain(|l| !l.is_relay());
                guards.retain(|id, _| listed.iter().any(|l| l.id == *id));
                for listener in listed {
                    if guards.contains_key(&listener.id) {
                        continue;
                    }
                    let joined = context.audience.join(Who {
                        transport: Transport::Icecast,
                        format: format.into(),
                        address: listener.ip,
                        agent: listener.agent,
                    });
                    match joined {
                        Ok(guard) => {
                            guards.insert(listener.id, guard);
                        }
                        // Icecast lets everybody in; who is banned is sent away as soon as they are seen.
                        Err(_) => {
                            let _ = server.ask("killclient", &[("id", &listener.id)]).await;
                        }
                    }
                }
            }
            Err(why) => {
                failed += 1;
                if failed == PATIENCE {
                    guards.clear();
                    tracing::warn!(server = server.name(), why, "the listeners cannot be read");
                }
            }
        }
        if is_first && let Ok(text) = server.ask("stats", &[]).await {
            context.note_mount(numbers(&text));
        }
    }
}

pub(super) fn numbers(text: &str) -> Option<MountNumbers> {
    let source = parse(text);
    Some(MountNumbers {
        listeners: source.listeners?,
        peak: source.listener_peak?,
        bytes: source.total_bytes_sent?,
    })
}

pub(super) fn parse(text: &str) -> Source {
    let answer = from_str::<Answer>(text).ok();
    answer
        .and_then(|a| a.source.into_iter().next())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_read_from_the_servers_answer() {
        let text = r#"<?xml version="1.0"?><icestats><source mount="/live.webm"><Listeners>3</Listeners>
            <listener><IP>127.0.0.1</IP><UserAgent>Lavf/59</UserAgent><Connected>3</Connected><ID>12</ID></listener>
            <listener><IP>10.0.0.8</IP><UserAgent>Icecast 2.4.4</UserAgent><Connected>3</Connected><ID>13</ID></listener>
            <listener><IP>10.0.0.9</IP><Connected>1</Connected><ID>15</ID></listener></source></icestats>"#;
        let listed = parse(text).listener;
        assert_eq!(listed.len(), 3);
        assert_eq!(
            (listed[0].agent.as_str(), listed[2].id.as_str()),
            ("Lavf/59", "15")
        );
        let relays: Vec<_> = listed.iter().map(Listener::is_relay).collect();
        assert_eq!(relays, [false, true, false]);
        assert!(parse("<icestats></icestats>").listener.is_empty());
        assert!(parse("not at all").listener.is_empty());
    }

    #[test]
    fn numbers_of_the_mount_are_read_from_the_servers_answer() {
        let text = r#"<?xml version="1.0"?><icestats><listeners>7</listeners><sources>1</sources><source mount="/a.mp3">
            <genre>various</genre><listener_peak>4</listener_peak><listeners>2</listeners><public>0</public>
            <total_bytes_read>10</total_bytes_read><total_bytes_sent>99</total_bytes_sent></source></icestats>"#;
        let read = numbers(text).unwrap();
        assert_eq!((read.listeners, read.peak, read.bytes), (2, 4, 99));
        assert_eq!(
            numbers("<icestats><listeners>0</listeners></icestats>"),
            None
        );
    }
}
