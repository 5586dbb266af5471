// SPDX-License-Identifier: GPL-3.0-or-later
//! Who is watching, over every transport.
//!
//! [`Audience::join`] gives a [`Guard`]: while it lives the viewer is listed; when it is dropped, for whatever
//! reason, the viewer has left. Kicking fires [`Guard::kicked`]; ending the connection is the holder's part. Who is
//! banned does not come in again until the broadcast ends. Who came and went is kept as [`Visit`]s.

mod bans;
mod counters;
mod history;
mod host;
mod limits;
mod totals;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::SystemTime,
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use bans::Bans;
pub use bans::{Ban, NotLetIn};
pub use counters::Counters;
use history::History;
pub use history::{End, Visit, csv};
pub use limits::Limits;
use limits::Places;
pub(crate) use limits::network;
pub use totals::Totals;

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
    /// All of them, in the order of their numbers.
    pub const ALL: [Transport; 4] = [
        Transport::Http,
        Transport::Hls,
        Transport::Webrtc,
        Transport::Icecast,
    ];

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

impl Who {
    /// The address without its port, where it is one: who comes through somebody else's server has none.
    pub fn ip(&self) -> Option<IpAddr> {
        let ip = match self.address.parse::<SocketAddr>() {
            Ok(address) => address.ip(),
            Err(_) => self.address.parse().ok()?,
        };
        Some(ip.to_canonical())
    }
}

/// A viewer as listed.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// Number.
    pub id: ViewerId,
    /// Who it is.
    pub who: Arc<Who>,
    /// When it joined.
    pub since: SystemTime,
    /// What the broadcaster wrote about it.
    pub note: Arc<str>,
    /// The name of the computer it comes from, once somebody wanted to know.
    pub host: Option<Arc<str>>,
    /// Its numbers, as they are now (shared, not a copy).
    pub counters: Arc<Counters>,
}

/// Somebody came or went.
#[derive(Debug, Clone)]
pub enum Change {
    /// Came.
    Joined(Viewer),
    /// Is written about differently, or has a name now.
    Noted(Viewer),
    /// Went, and why.
    Left(ViewerId, End),
    /// Who is banned now: all of them.
    Bans(Vec<Ban>),
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
    viewers: BTreeMap<ViewerId, Entry>,
    peak: usize,
    bans: Bans,
    places: Places,
    history: History,
    /// Of those who left.
    gone: Totals,
}

struct Entry {
    viewer: Viewer,
    kicked: CancellationToken,
    /// Why it is going to leave, if not by itself.
    end: Option<End>,
    /// The place it takes of those there are.
    place: Option<Option<IpAddr>>,
}

/// Longest note, in characters.
const LONGEST_NOTE: usize = 200;

impl Audience {
    /// An empty list; `watcher` is told of each change, in order, and must not wait.
    pub fn new(watcher: impl Fn(Change) + Send + Sync + 'static) -> Self {
        Audience(Arc::new(Inner {
            list: Mutex::default(),
            watcher: Box::new(watcher),
        }))
    }

    /// No more viewers than this from now on; those who are there stay.
    pub fn limit(&self, limits: Limits) {
        self.0.list.lock().places.limits = limits;
    }

    /// List a viewer until the guard is dropped.
    ///
    /// # Errors
    /// Who is banned is not let in, nor are more than the limits allow.
    pub fn join(&self, who: Who) -> Result<Guard, NotLetIn> {
        let mut list = self.0.list.lock();
        let ip = who.ip();
        list.bans.check(ip)?;
        // Listeners of other servers are theirs to limit.
        let place = who.transport != Transport::Icecast;
        if place {
            list.places.check(ip)?;
            list.places.take(ip);
        }
        list.next += 1;
        let kicked = CancellationToken::new();
        let viewer = Viewer {
            id: list.next,
            who: Arc::new(who),
            since: SystemTime::now(),
            note: "".into(),
            host: None,
            counters: Arc::default(),
        };
        let entry = Entry {
            viewer: viewer.clone(),
            kicked: kicked.clone(),
            end: None,
            place: place.then_some(ip),
        };
        list.viewers.insert(viewer.id, entry);
        list.peak = list.peak.max(list.viewers.len());
        // Told under the lock, so that nobody is heard leaving before joining.
        (self.0.watcher)(Change::Joined(viewer.clone()));
        Ok(Guard {
            id: viewer.id,
            counters: viewer.counters,
            kicked,
            audience: self.clone(),
        })
    }

    /// Whether this address may watch.
    ///
    /// # Errors
    /// It is banned, or there is no place left.
    pub fn check(&self, address: IpAddr) -> Result<(), NotLetIn> {
        let list = self.0.list.lock();
        let address = Some(address.to_canonical());
        list.bans.check(address)?;
        list.places.check(address)
    }

    /// Whether this address is banned.
    ///
    /// # Errors
    /// It is.
    pub fn check_ban(&self, address: IpAddr) -> Result<(), NotLetIn> {
        self.0.list.lock().bans.check(Some(address.to_canonical()))
    }

    /// A new broadcast begins: nobody is banned from it, and its history is empty.
    pub fn begin(&self) {
        let mut list = self.0.list.lock();
        list.history = History::default();
        list.peak = list.viewers.len();
        if list.bans.clear() {
            (self.0.watcher)(Change::Bans(vec![]));
        }
    }

    /// Everybody, in order of joining.
    pub fn viewers(&self) -> Vec<Viewer> {
        let list = self.0.list.lock();
        list.viewers.values().map(|e| e.viewer.clone()).collect()
    }

    /// Who came to this broadcast, in order of joining: those who left, as far as they are remembered, and those who
    /// are there.
    pub fn visits(&self) -> Vec<Visit> {
        let list = self.0.list.lock();
        let there = list.viewers.values().map(|e| Visit::of(&e.viewer, None));
        let mut all: Vec<Visit> = list.history.visits().cloned().chain(there).collect();
        all.sort_by_key(|visit| visit.id);
        all
    }

    /// How many watch now.
    pub fn count(&self) -> usize {
        self.0.list.lock().viewers.len()
    }

    /// Numbers of all who came since the engine started; none of them ever becomes less.
    pub fn totals(&self) -> Totals {
        let list = self.0.list.lock();
        let mut all = list.gone;
        for entry in list.viewers.values() {
            all.add_present(&entry.viewer);
        }
        all
    }

    /// The most at one time.
    pub fn peak(&self) -> usize {
        self.0.list.lock().peak
    }

    /// Let a viewer go; `false` if there is none of that number.
    pub fn kick(&self, id: ViewerId) -> bool {
        let mut list = self.0.list.lock();
        let found = list.viewers.get_mut(&id);
        found.map(|entry| entry.let_go(End::Kicked)).is_some()
    }

    /// Let everybody of this viewer's address go, and nobody of it in again until the broadcast ends or
    /// [`Audience::unban`]. `None` if there is no such viewer, and an error if it has no address of its own.
    pub fn ban(&self, id: ViewerId) -> Option<Result<Ban, Nameless>> {
        let mut list = self.0.list.lock();
        let viewer = list.viewers.get(&id)?.viewer.clone();
        let Some(address) = viewer.who.ip() else {
            return Some(Err(Nameless));
        };
        let ban = list.bans.add(address, &viewer);
        let same = |e: &&mut Entry| e.viewer.who.ip() == Some(address);
        let all = list.viewers.values_mut().filter(same);
        all.for_each(|entry| entry.let_go(End::Banned));
        (self.0.watcher)(Change::Bans(list.bans.all()));
        Some(Ok(ban))
    }

    /// Let this address in again; `false` if it was not banned.
    pub fn unban(&self, address: IpAddr) -> bool {
        let mut list = self.0.list.lock();
        let was = list.bans.remove(address.to_canonical());
        if was {
            (self.0.watcher)(Change::Bans(list.bans.all()));
        }
        was
    }

    /// Who is banned, in order of address.
    pub fn bans(&self) -> Vec<Ban> {
        self.0.list.lock().bans.all()
    }

    /// Write something about a viewer; `false` if there is none of that number.
    pub fn note(&self, id: ViewerId, note: &str) -> bool {
        let note: String = note.chars().filter(|c| !c.is_control()).collect();
        let note: String = note.trim().chars().take(LONGEST_NOTE).collect();
        let mut list = self.0.list.lock();
        let Some(entry) = list.viewers.get_mut(&id) else {
            return false;
        };
        entry.viewer.note = note.into();
        (self.0.watcher)(Change::Noted(entry.viewer.clone()));
        true
    }

    /// The viewer of this number.
    pub fn viewer(&self, id: ViewerId) -> Option<Viewer> {
        let list = self.0.list.lock();
        list.viewers.get(&id).map(|entry| entry.viewer.clone())
    }

    /// List a viewer with the name of its computer; `false` if there is none of that number.
    fn found(&self, id: ViewerId, host: Arc<str>) -> bool {
        let mut list = self.0.list.lock();
        let Some(entry) = list.viewers.get_mut(&id) else {
            return false;
        };
        entry.viewer.host = Some(host);
        (self.0.watcher)(Change::Noted(entry.viewer.clone()));
        true
    }

    /// Let these go.
    pub fn kick_those(&self, which: impl Fn(&Who) -> bool) {
        for entry in self.0.list.lock().viewers.values_mut() {
            if which(&entry.viewer.who) {
                entry.let_go(End::Kicked);
            }
        }
    }

    /// Let everybody of these transports go.
    pub fn kick_all(&self, which: impl Fn(Transport) -> bool) {
        for entry in self.0.list.lock().viewers.values_mut() {
            if which(entry.viewer.who.transport) {
                entry.let_go(End::Over);
            }
        }
    }

    /// Note that a viewer is let go for being too slow.
    pub fn let_slow_go(&self, id: ViewerId) {
        let mut list = self.0.list.lock();
        if let Some(entry) = list.viewers.get_mut(&id) {
            entry.let_go(End::Slow);
        }
    }
}

impl Entry {
    fn let_go(&mut self, why: End) {
        self.end.get_or_insert(why);
        self.kicked.cancel();
    }
}

/// A viewer without an address of its own cannot be banned: it comes through somebody else's server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nameless;

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
        if let Some(entry) = list.viewers.remove(&self.id) {
            if let Some(ip) = entry.place {
                list.places.leave(ip);
            }
            let end = entry.end.unwrap_or(End::Left);
            list.gone.add(&entry.viewer, end);
            list.history.add(Visit::of(&entry.viewer, Some(end)));
            (self.audience.0.watcher)(Change::Left(self.id, end));
        }
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
                    Change::Left(id, _) => (id, false),
                    Change::Noted(_) | Change::Bans(_) => unreachable!(),
                })
            }
        });
        let (a, b) = (audience.join(who()).unwrap(), audience.join(who()).unwrap());
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
        let (a, b) = (audience.join(who()).unwrap(), audience.join(who()).unwrap());
        assert!(audience.kick(a.id()));
        assert!(a.is_kicked() && !b.is_kicked());
        assert!(!audience.kick(99));
    }

    fn from(address: &str) -> Who {
        Who {
            address: address.into(),
            ..who()
        }
    }

    #[test]
    fn who_is_banned_goes_with_all_of_the_same_address_and_comes_back_when_that_is_taken_back() {
        let audience = Audience::new(|_| ());
        let join = |address: &str| audience.join(from(address));
        let (a, b) = (join("192.0.2.7:1000").unwrap(), join("192.0.2.7").unwrap());
        let other = join("192.0.2.8:1000").unwrap();
        let ban = audience.ban(a.id()).unwrap().unwrap();
        assert!(a.is_kicked() && b.is_kicked() && !other.is_kicked());
        assert_eq!(audience.bans(), [ban]);
        // The same address, written as IPv6 does.
        for again in ["192.0.2.7:2000", "[::ffff:192.0.2.7]:1", "192.0.2.7"] {
            assert!(join(again).is_err(), "{again}");
        }
        assert!(audience.check("192.0.2.7".parse().unwrap()).is_err());
        assert!(!audience.unban("192.0.2.8".parse().unwrap()));
        assert!(audience.unban("192.0.2.7".parse().unwrap()));
        drop(join("192.0.2.7:2000").unwrap());
        // Who comes through a foreign server has its address, which must not be shut for all.
        let through = join("media.example").unwrap();
        assert_eq!(audience.ban(through.id()), Some(Err(Nameless)));
        assert_eq!(audience.ban(99), None);
        audience.ban(other.id());
        audience.begin();
        assert!(audience.bans().is_empty() && join("192.0.2.8:1").is_ok());
    }

    #[test]
    fn more_than_the_limits_allow_are_not_let_in_and_places_become_free_again() {
        let audience = Audience::new(|_| ());
        audience.limit(Limits {
            per_address: 2,
            all: 4,
            ..Limits::default()
        });
        let join = |address: &str| audience.join(from(address));
        let (a, b) = (join("192.0.2.7:1").unwrap(), join("192.0.2.7:2").unwrap());
        assert_eq!(join("192.0.2.7:3").err(), Some(NotLetIn::TooManyHere));
        // A network of IPv6 counts as one: whoever has one address there has them all.
        let six = [
            join("[2001:db8::1]:1").unwrap(),
            join("[2001:db8::2]:1").unwrap(),
        ];
        assert_eq!(join("192.0.2.8:1").err(), Some(NotLetIn::TooMany));
        drop(six);
        let kept = [join("[2001:db8::1]:1"), join("[2001:db8::2]:1")];
        drop((a, kept));
        assert!(join("192.0.2.7:3").is_ok());
        // This computer's own are many where a proxy stands before them.
        let own: Vec<_> = (1..4).map(|n| join(&format!("127.0.0.1:{n}"))).collect();
        assert!(own.iter().all(Result::is_ok));
        drop(b);
    }

    #[test]
    fn who_came_and_went_is_kept_with_the_reason_until_the_next_broadcast() {
        let audience = Audience::new(|_| ());
        let join = || audience.join(who()).unwrap();
        let (left, kicked, slow, here) = (join(), join(), join(), join());
        left.counters().add_bytes(500);
        assert!(audience.note(left.id(), " a friend\n "));
        assert!(!audience.note(99, ""));
        audience.kick(kicked.id());
        audience.let_slow_go(slow.id());
        drop((left, kicked, slow));
        let (totals, visits) = (audience.totals(), audience.visits());
        assert_eq!((totals.joined(Transport::Http), totals.bytes()), (4, 500));
        assert_eq!(totals.present(Transport::Http), 1);
        assert_eq!((totals.ended(End::Slow), totals.ended(End::Over)), (1, 0));
        let ends: Vec<_> = visits.iter().map(|v| v.end).collect();
        let gone = [End::Left, End::Kicked, End::Slow].map(Some);
        assert_eq!(ends, [&gone[..], &[None]].concat());
        assert_eq!((&*visits[0].note, visits[0].bytes), ("a friend", 500));
        assert!(visits.iter().all(|v| v.left.is_some() == v.end.is_some()));
        audience.begin();
        assert_eq!(audience.visits().len(), 1, "one is still there");
        assert_eq!(
            audience.totals(),
            totals,
            "a new broadcast takes nothing back"
        );
        drop(here);
    }
}
