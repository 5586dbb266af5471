// SPDX-License-Identifier: GPL-3.0-or-later
//! What the other side has really got, from the reports that it sends about it (RTCP), and who it is.

use std::{collections::BTreeMap, sync::Arc};

use gst::{glib, prelude::*};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::WebRtcTarget;
use crate::{
    audience::{Audience, Guard, Transport, Who},
    encode::Codec,
    output::Context,
};

/// The most who may watch through one sink: each costs a percent of a core, or an encoder.
const MOST: u64 = 64;

/// Descriptors of one session, twice: the other half is for everything else. A process that has none left is ended by
/// GLib.
const DESCRIPTORS: u64 = 2 * 24;

/// Follows the sessions of a sink.
pub(super) struct Witness {
    sessions: Arc<Mutex<Sessions>>,
    count: watch::Receiver<usize>,
}

#[derive(Default)]
struct Sessions {
    /// By the name of the peer.
    open: BTreeMap<String, Session>,
    /// Numbers of sessions by the name of the peer, as the signaller tells them first.
    ids: BTreeMap<String, String>,
    /// Bytes of those that have ended.
    before: u64,
}

struct Session {
    webrtcbin: glib::WeakRef<gst::Element>,
    /// Sum of all that the peer reported as its highest numbers.
    reported: u64,
    bytes: u64,
    guard: Option<Arc<Guard>>,
    _kick: DropGuard,
}

impl Witness {
    /// Follow a sink from before it starts. Where viewers come through it, they are listed.
    pub(super) fn watch(
        context: &Context,
        target: &WebRtcTarget,
        sink: &gst::Element,
        codecs: &[&'static Codec],
    ) -> Witness {
        let sessions = Arc::<Mutex<Sessions>>::default();
        let (tell, count) = watch::channel(0);
        let tell = Arc::new(tell);
        let signaller: glib::Object = sink.property("signaller");
        let names: Vec<_> = codecs.iter().map(|c| c.name).collect();
        let visited = target.peer.visited().then(|| Visited {
            audience: context.audience.clone(),
            format: names.join("+"),
            via: format!("via {}", target.host()),
            runtime: context.runtime.clone(),
            sink: sink.downgrade(),
        });
        let ids = sessions.clone();
        signaller.connect("session-requested", false, move |args| {
            if let [_, id, peer, ..] = args
                && let (Ok(id), Ok(peer)) = (id.get::<String>(), peer.get::<String>())
            {
                ids.lock().ids.insert(peer, id);
            }
            None
        });
        let (open, told) = (sessions.clone(), tell.clone());
        let watched = sink.downgrade();
        sink.connect("consumer-added", false, move |args| {
            if let [_, peer, bin] = args
                && let (Ok(peer), Ok(bin)) = (peer.get::<String>(), bin.get::<gst::Element>())
            {
                quiet_on_the_network(&bin);
                if let Some(sink) = &watched.upgrade() {
                    outlive(sink, &bin);
                }
                let mut sessions = open.lock();
                let id = sessions.ids.remove(&peer);
                if let Some(visited) = &visited
                    && sessions.open.len() as u64 >= room()
                {
                    tracing::warn!("a viewer was turned away: there is no room for more");
                    visited.let_go(id);
                    return None;
                }
                let kick = CancellationToken::new();
                let guard = visited
                    .as_ref()
                    .and_then(|v| v.join(&peer, id, kick.clone()));
                let session = Session {
                    webrtcbin: bin.downgrade(),
                    reported: 0,
                    bytes: 0,
                    guard,
                    _kick: kick.drop_guard(),
                };
                sessions.open.insert(peer, session);
                told.send_replace(sessions.open.len());
            }
            None
        });
        let open = sessions.clone();
        sink.connect("consumer-removed", false, move |args| {
            if let [_, peer, _] = args
                && let Ok(peer) = peer.get::<String>()
            {
                let mut sessions = open.lock();
                if let Some(session) = sessions.open.remove(&peer) {
                    sessions.before += session.bytes;
                }
                tell.send_replace(sessions.open.len());
            }
            None
        });
        Witness { sessions, count }
    }

    /// Done when there was a session and there is none any more.
    pub(super) async fn deserted(&self) {
        let mut count = self.count.clone();
        let _ = count.wait_for(|n| *n > 0).await;
        let _ = count.wait_for(|n| *n == 0).await;
    }

    /// Looks how many bytes were sent to peers that report that they get them.
    pub(super) fn taken(&self) -> impl FnMut() -> u64 + Send + 'static {
        let sessions = self.sessions.clone();
        move || {
            // The locks of the sessions' pipelines are not taken under ours.
            let bins: Vec<_> = {
                let sessions = sessions.lock();
                let open = sessions.open.iter();
                open.filter_map(|(peer, s)| Some((peer.clone(), s.webrtcbin.upgrade()?)))
                    .collect()
            };
            let looks: Vec<_> = bins
                .into_iter()
                .filter_map(|(peer, bin)| Some((peer, Look::at(&bin)?)))
                .collect();
            let mut sessions = sessions.lock();
            for (peer, look) in looks {
                if let Some(session) = sessions.open.get_mut(&peer) {
                    session.see(look);
                }
            }
            sessions.before + sessions.open.values().map(|s| s.bytes).sum::<u64>()
        }
    }
}

impl Session {
    fn see(&mut self, look: Look) {
        if look.reported != self.reported {
            self.reported = look.reported;
            self.bytes = look.sent;
        }
        if let Some(guard) = &self.guard {
            let counters = guard.counters();
            counters.set_bytes(self.bytes);
            if let Some(loss) = look.loss {
                counters.set_loss(loss);
            }
            if let Some(rtt) = look.rtt_ms {
                counters.set_rtt_ms(rtt);
            }
        }
    }
}

/// How many there is room for. The limit may change while we run.
fn room() -> u64 {
    let limit = rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(1024, |(soft, _)| soft);
    (limit / DESCRIPTORS).clamp(1, MOST)
}

/// Where viewers come through.
#[derive(Clone)]
struct Visited {
    audience: Audience,
    format: String,
    via: String,
    runtime: tokio::runtime::Handle,
    sink: glib::WeakRef<gst::Element>,
}

impl Visited {
    /// List one who came. Kicked, they are let go; `ended` ends waiting for that.
    fn join(
        &self,
        peer: &str,
        session: Option<String>,
        ended: CancellationToken,
    ) -> Option<Arc<Guard>> {
        let joined = self.audience.join(Who {
            transport: Transport::Webrtc,
            format: self.format.clone(),
            address: self.via.clone(),
            agent: peer.to_string(),
        });
        let Ok(guard) = joined.map(Arc::new) else {
            self.let_go(session);
            return None;
        };
        let (watched, visited) = (guard.clone(), self.clone());
        self.runtime.spawn(async move {
            tokio::select! {
                () = ended.cancelled() => (),
                () = watched.kicked() => visited.let_go(session),
            }
        });
        Some(guard)
    }

    /// End a session, here and there. Not on this thread: it takes the sink's locks, and ends a pipeline.
    fn let_go(&self, session: Option<String>) {
        let sink = self.sink.clone();
        let end = move || {
            if let (Some(sink), Some(id)) = (sink.upgrade(), session) {
                let signaller: glib::Object = sink.property("signaller");
                signaller.emit_by_name::<bool>("session-ended", &[&id]);
                signaller.emit_by_name::<bool>("end-session", &[&id]);
            }
        };
        let _ = std::thread::Builder::new().name("kick".into()).spawn(end);
    }
}

/// Keep a sink until a session's element and the RTP in it are gone.
///
/// The sink's handlers there are also ended by its own end. Where both come at the same moment, in two threads, GLib
/// ends the process ("invalid_closure_notify: assertion failed"). Whoever looks at a session may be the last to hold it.
fn outlive(sink: &gst::Element, webrtcbin: &gst::Element) {
    let rtpbin = webrtcbin
        .downcast_ref::<gst::Bin>()
        .and_then(|bin| bin.by_name("rtpbin"));
    for part in std::iter::once(webrtcbin).chain(&rtpbin) {
        let sink = sink.clone();
        // Called after the handlers of what goes are ended.
        part.add_weak_ref_notify(move || drop(sink));
    }
}

/// libnice would look for routers that open ports, with sockets of its own for each session.
fn quiet_on_the_network(webrtcbin: &gst::Element) {
    let ice: Option<glib::Object> = webrtcbin.property("ice-agent");
    if let Some(ice) = ice
        && ice.find_property("agent").is_some()
        && let Some(agent) = ice.property::<Option<glib::Object>>("agent")
        && agent.find_property("upnp").is_some()
    {
        agent.set_property("upnp", false);
    }
}

/// What one session's RTP says now.
struct Look {
    sent: u64,
    reported: u64,
    loss: Option<f32>,
    rtt_ms: Option<u32>,
}

impl Look {
    fn at(webrtcbin: &gst::Element) -> Option<Look> {
        let rtpbin = webrtcbin.downcast_ref::<gst::Bin>()?.by_name("rtpbin")?;
        let mut look = Look {
            sent: 0,
            reported: 0,
            loss: None,
            rtt_ms: None,
        };
        // Picture and sound share a session, unless the peer wants one for each.
        for number in 0..2u32 {
            let session: Option<glib::Object> =
                rtpbin.emit_by_name("get-internal-session", &[&number]);
            let Some(session) = session else {
                break;
            };
            let stats: gst::Structure = session.property("stats");
            let Ok(sources) = stats.get::<glib::ValueArray>("source-stats") else {
                continue;
            };
            for source in sources
                .iter()
                .filter_map(|s| s.get::<gst::Structure>().ok())
            {
                look.add(&source);
            }
        }
        Some(look)
    }

    fn add(&mut self, source: &gst::StructureRef) {
        let flag = |name: &str| source.get::<bool>(name).unwrap_or_default();
        let number = |name: &str| source.get::<u32>(name).unwrap_or_default();
        if flag("internal") {
            self.sent += source.get::<u64>("octets-sent").unwrap_or_default();
        } else if flag("have-rb") {
            self.reported = self
                .reported
                .wrapping_add(u64::from(number("rb-exthighestseq")));
            self.loss = Some(number("rb-fractionlost") as f32 / 256.0);
            // In units of 1/65536 s.
            let rtt = u64::from(number("rb-round-trip")) * 1000 / 65536;
            self.rtt_ms = u32::try_from(rtt).ok().filter(|ms| *ms > 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_is_there_until_nobody_looks_at_its_sessions_any_more() {
        gst::init().unwrap();
        let make = |name: &str| gst::ElementFactory::make(name).build().unwrap();
        let (sink, bin) = (make("fakesink"), make("webrtcbin"));
        let watched = sink.downgrade();
        outlive(&sink, &bin);
        drop(sink);
        let rtpbin = bin.downcast_ref::<gst::Bin>().unwrap().by_name("rtpbin");
        drop(bin);
        assert!(watched.upgrade().is_some(), "the RTP is still looked at");
        drop(rtpbin.unwrap());
        assert!(watched.upgrade().is_none());
    }
}
