// SPDX-License-Identifier: GPL-3.0-or-later
//! Listeners of an Icecast server, through its admin interface.

use std::{collections::BTreeMap, time::Duration};

use quick_xml::de::from_str;
use serde::Deserialize;

use super::{Context, IcecastTarget};
use crate::audience::{Guard, Transport, Who};

/// A viewer must be listed within 2 s.
const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
struct Answer {
    source: Option<Source>,
}

#[derive(Debug, Deserialize)]
struct Source {
    #[serde(default)]
    listener: Vec<Listener>,
}

#[derive(Debug, Deserialize)]
struct Listener {
    #[serde(rename = "IP", default)]
    ip: String,
    #[serde(rename = "UserAgent", default)]
    agent: String,
    #[serde(rename = "ID")]
    id: String,
}

/// Keep the server's listeners in the list of viewers, and pass kicks on, for ever. A server that does not answer
/// (the password is wrong, say) is said once in the log and asked again.
pub(super) async fn follow(context: &Context, target: &IcecastTarget, admin: &(String, String)) {
    let mut guards: BTreeMap<String, Guard> = BTreeMap::new();
    let mut complained = false;
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        for id in guards
            .iter()
            .filter(|(_, g)| g.is_kicked())
            .map(|(id, _)| id.clone())
            .collect::<Vec<_>>()
        {
            let _ = ask(context, target, admin, "killclient", Some(id)).await;
        }
        match ask(context, target, admin, "listclients", None).await {
            Ok(text) => {
                let listed = parse(&text);
                guards.retain(|id, _| listed.iter().any(|l| l.id == *id));
                for listener in listed {
                    guards.entry(listener.id).or_insert_with(|| {
                        context.audience.join(Who {
                            transport: Transport::Icecast,
                            format: "webm".into(),
                            address: listener.ip,
                            agent: listener.agent,
                        })
                    });
                }
            }
            Err(why) if !complained => {
                complained = true;
                tracing::warn!(server = %target.public_url(), why, "the listeners cannot be read");
            }
            Err(_) => (),
        }
    }
}

fn parse(text: &str) -> Vec<Listener> {
    from_str::<Answer>(text)
        .ok()
        .and_then(|a| a.source)
        .map(|s| s.listener)
        .unwrap_or_default()
}

/// One call of the admin interface; blocking, so elsewhere.
async fn ask(
    context: &Context,
    target: &IcecastTarget,
    (user, password): &(String, String),
    command: &str,
    id: Option<String>,
) -> Result<String, String> {
    let host = if target.host.contains(':') {
        format!("[{}]", target.host)
    } else {
        target.host.clone()
    };
    let mut url = url::Url::parse(&format!("http://{host}:{}/admin/{command}", target.port))
        .map_err(|e| e.to_string())?;
    url.query_pairs_mut().append_pair("mount", &target.mount);
    if let Some(id) = id {
        url.query_pairs_mut().append_pair("id", &id);
    }
    let login = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
    let call = move || {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(3)))
            .build()
            .into();
        agent
            .get(url.as_str())
            .header("Authorization", &login)
            .call()
            .and_then(|mut answer| answer.body_mut().read_to_string())
            .map_err(|e| e.to_string())
    };
    context
        .runtime
        .spawn_blocking(call)
        .await
        .map_err(|e| e.to_string())?
}

fn base64(bytes: &[u8]) -> String {
    gst::glib::base64_encode(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_read_from_the_servers_answer() {
        let text = r#"<?xml version="1.0"?><icestats><source mount="/live.webm"><Listeners>2</Listeners>
            <listener><IP>127.0.0.1</IP><UserAgent>Lavf/59</UserAgent><Connected>3</Connected><ID>12</ID></listener>
            <listener><IP>10.0.0.9</IP><Connected>1</Connected><ID>15</ID></listener></source></icestats>"#;
        let listed = parse(text);
        assert_eq!(listed.len(), 2);
        assert_eq!(
            (listed[0].agent.as_str(), listed[1].id.as_str()),
            ("Lavf/59", "15")
        );
        assert!(parse("<icestats></icestats>").is_empty());
        assert!(parse("not at all").is_empty());
    }
}
