// SPDX-License-Identifier: GPL-3.0-or-later
//! Who is watching, over every transport.
//!
//! [`Audience::join`] gives a [`Guard`]: while it lives the viewer is listed; when it is dropped, for whatever
//! reason, the viewer has left. Kicking fires [`Guard::kicked`]; ending the connection is the holder's part.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// Number of a viewer, unique while the engine runs.
pub type ViewerId = u64;

/// How the stream reaches a viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// An endless HTTP answer of our own server.
    Http,
    /// Playlists and segments of our own server.
    Hls,
    /// WebRTC, by WHEP or `/signalling`.
    Webrtc,
    /// A listener of an Icecast server that we feed.
    Icecast,
}

impl Transport {
    /// Its word in the status object.
    pub fn word(self) -> &'static str {
        match self {
            Transport::Http => "http",
            Transport::Hls => "hls",
            Transport::Webrtc => "webrtc",
            Transport::Icecast => "icecast",
        }
    }
}

/// What is known of a viewer from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// How.
    pub transport: Transport,
    /// What: `webm`, or `vp8+opus` for WebRTC.
    pub format: String,
    /// IP address (and port, where known).
    pub address: String,
    /// User agent, as sent.
    pub agent: String,
}

/// A viewer as listed.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// Number.
    pub id: ViewerId,
    /// Who it is.
    pub who: Who,
    /// When it joined.
    pub since: SystemTime,
    /// Its numbers, as they are now (shared, not a copy).
    pub counters: Arc<Counters>,
}

/// Numbers of one viewer, written by whoever serves it and read by anybody.
#[derive(Debug, Default)]
pub struct Counters {
    bytes: AtomicU64,
    bitrate: AtomicU64,
    queue_ms: AtomicU32,
    dropped: AtomicU64,
    /// Milliseconds + 1; 0 is unknown.
    rtt: AtomicU32,
    /// Thousandths + 1; 0 is unknown.
    loss: AtomicU32,
    low: AtomicBool,
}

impl Counters {
    /// Bytes that were taken by the viewer's connection.
    pub fn add_bytes(&self, n: u64) {
        self.bytes.fetch_add(n, Relaxed);
    }
    /// Set the bytes, where somebody else counts.
    pub fn set_bytes(&self, n: u64) {
        self.bytes.store(n, Relaxed);
    }
    /// Age of the oldest item not yet sent, in milliseconds.
    pub fn set_queue_ms(&self, ms: u32) {
        self.queue_ms.store(ms, Relaxed);
    }
    /// Frames this viewer missed because it was too slow.
    pub fn set_dropped(&self, n: u64) {
        self.dropped.store(n, Relaxed);
    }
    /// Round-trip time in milliseconds.
    pub fn set_rtt_ms(&self, ms: u32) {
        self.rtt.store(ms.saturating_add(1), Relaxed);
    }
    /// Share of packets lost, 0 to 1.
    pub fn set_loss(&self, share: f32) {
        self.loss
            .store((share.clamp(0.0, 1.0) * 1000.0) as u32 + 1, Relaxed);
    }
    /// Whether the picture is the small one.
    pub fn set_low(&self, low: bool) {
        self.low.store(low, Relaxed);
    }
    /// Set the rate in bit/s; done once a second by the registry's ticker.
    pub fn set_bitrate(&self, bits: u64) {
        self.bitrate.store(bits, Relaxed);
    }

    /// Bytes taken so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
    /// Rate over the last second in bit/s.
    pub fn bitrate(&self) -> u64 {
        self.bitrate.load(Relaxed)
    }
    /// Whether the picture is the small one.
    pub fn low(&self) -> bool {
        self.low.load(Relaxed)
    }
    /// Age of the queue in milliseconds.
    pub fn queue_ms(&self) -> u32 {
        self.queue_ms.load(Relaxed)
    }
    /// Frames missed.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
    /// Round-trip time in milliseconds, where it is known.
    pub fn rtt_ms(&self) -> Option<u32> {
        self.rtt.load(Relaxed).checked_sub(1)
    }
    /// Share of packets lost, where it is known.
    pub fn loss(&self) -> Option<f32> {
        Some(self.loss.load(Relaxed).checked_sub(1)? as f32 / 1000.0)
    }
}

/// Somebody came or went.
#[derive(Debug, Clone)]
pub enum Change {
    /// Came.
    Joined(Viewer),
    /// Went.
    Left(ViewerId),
}

type Watcher = Box<dyn Fn(Change) + Send + Sync>;

/// The list of everybody who watches.
#[derive(Clone)]
pub struct Audience(Arc<Inner>);

struct Inner {
    list: Mutex<List>,
    watcher: Watcher,
}

#[derive(Default)]
struct List {
    next: ViewerId,
    viewers: BTreeMap<ViewerId, (Viewer, CancellationToken)>,
    peak: usize,
    dropped_slow: u64,
}

impl Audience {
    /// An empty list; `watcher` is told of each change, in order, and must not wait.
    pub fn new(watcher: impl Fn(Change) + Send + Sync + 'static) -> Self {
        Audience(Arc::new(Inner {
            list: Mutex::default(),
            watcher: Box::new(watcher),
        }))
    }

    /// List a viewer until the guard is dropped.
    pub fn join(&self, who: Who) -> Guard {
        let kicked = CancellationToken::new();
        let viewer = {
            let mut list = self.0.list.lock();
            list.next += 1;
            let viewer = Viewer {
                id: list.next,
                who,
                since: SystemTime::now(),
                counters: Arc::default(),
            };
            list.viewers
                .insert(viewer.id, (viewer.clone(), kicked.clone()));
            list.peak = list.peak.max(list.viewers.len());
            // Told under the lock, so that nobody is heard leaving before joining.
            (self.0.watcher)(Change::Joined(viewer.clone()));
            viewer
        };
        Guard {
            id: viewer.id,
            counters: viewer.counters,
            kicked,
            audience: self.clone(),
        }
    }

    /// Everybody, in order of joining.
    pub fn viewers(&self) -> Vec<Viewer> {
        let list = self.0.list.lock();
        list.viewers.values().map(|(v, _)| v.clone()).collect()
    }

    /// How many watch now.
    pub fn count(&self) -> usize {
        self.0.list.lock().viewers.len()
    }

    /// The most at one time.
    pub fn peak(&self) -> usize {
        self.0.list.lock().peak
    }

    /// Let a viewer go; `false` if there is none of that number.
    pub fn kick(&self, id: ViewerId) -> bool {
        let list = self.0.list.lock();
        list.viewers
            .get(&id)
            .map(|(_, kicked)| kicked.cancel())
            .is_some()
    }

    /// Let everybody of these transports go.
    pub fn kick_all(&self, which: impl Fn(Transport) -> bool) {
        for (viewer, kicked) in self.0.list.lock().viewers.values() {
            if which(viewer.who.transport) {
                kicked.cancel();
            }
        }
    }

    /// Note that a viewer was let go for being too slow.
    pub fn count_slow(&self) {
        self.0.list.lock().dropped_slow += 1;
    }

    /// Viewers let go for being too slow, so far.
    pub fn dropped_slow(&self) -> u64 {
        self.0.list.lock().dropped_slow
    }
}

/// A viewer's place in the list.
#[must_use = "the viewer is listed only while this lives"]
pub struct Guard {
    id: ViewerId,
    counters: Arc<Counters>,
    kicked: CancellationToken,
    audience: Audience,
}

impl Guard {
    /// The viewer's number.
    pub fn id(&self) -> ViewerId {
        self.id
    }
    /// The viewer's numbers.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
    /// Done when the viewer is to be let go.
    pub fn kicked(&self) -> WaitForCancellationFuture<'_> {
        self.kicked.cancelled()
    }
    /// Whether the viewer is to be let go.
    pub fn is_kicked(&self) -> bool {
        self.kicked.is_cancelled()
    }
    /// The list this guard belongs to.
    pub fn audience(&self) -> &Audience {
        &self.audience
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut list = self.audience.0.list.lock();
        list.viewers.remove(&self.id);
        (self.audience.0.watcher)(Change::Left(self.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who() -> Who {
        Who {
            transport: Transport::Http,
            format: "webm".into(),
            address: "127.0.0.1".into(),
            agent: "test".into(),
        }
    }

    #[test]
    fn a_viewer_is_listed_as_long_as_its_guard_lives() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let audience = Audience::new({
            let log = log.clone();
            move |change| {
                log.lock().push(match change {
                    Change::Joined(v) => (v.id, true),
                    Change::Left(id) => (id, false),
                })
            }
        });
        let (a, b) = (audience.join(who()), audience.join(who()));
        assert_eq!(audience.count(), 2);
        drop(a);
        assert_eq!(audience.viewers()[0].id, b.id());
        drop(b);
        assert_eq!((audience.count(), audience.peak()), (0, 2));
        assert_eq!(*log.lock(), [(1, true), (2, true), (1, false), (2, false)]);
    }

    #[test]
    fn a_kick_reaches_that_viewer_only() {
        let audience = Audience::new(|_| ());
        let (a, b) = (audience.join(who()), audience.join(who()));
        assert!(audience.kick(a.id()));
        assert!(a.is_kicked() && !b.is_kicked());
        assert!(!audience.kick(99));
    }

    #[test]
    fn unknown_round_trip_and_loss_are_not_zero() {
        let c = Counters::default();
        assert_eq!((c.rtt_ms(), c.loss()), (None, None));
        c.set_rtt_ms(0);
        c.set_loss(0.25);
        assert_eq!((c.rtt_ms(), c.loss()), (Some(0), Some(0.25)));
    }
}
