// SPDX-License-Identifier: GPL-3.0-or-later
//! What happened, as programs hear it: numbered, and kept for a while for those whose connection broke.
//!
//! The engine's events go through one journal. A follower is a place in it, not a queue of its own, so one who reads
//! slowly costs no memory: what it could not take in time it is told to have missed.

use std::{
    collections::VecDeque,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::SystemTime,
};

use bytes::Bytes;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{
    error::Remedy,
    message::{AirState, Event, OutputState, SourceState},
    stats::{ViewerRow, seconds},
};

/// Facts that are kept for those who come back.
const KEPT: usize = 1000;
/// Followers at one time.
const MOST: usize = 64;

/// Everything that happened lately. Clones are handles of the same.
#[derive(Clone)]
pub(super) struct Journal(Arc<Inner>);

struct Inner {
    /// Tells the numbers of this run from those of another.
    run: String,
    book: Mutex<Book>,
    live: broadcast::Sender<Arc<Fact>>,
    followers: AtomicUsize,
}

#[derive(Default)]
struct Book {
    last: u64,
    kept: VecDeque<Arc<Fact>>,
}

/// One thing that happened.
pub(super) struct Fact {
    number: u64,
    at: f64,
    what: What,
    /// As it is sent; made for the first follower, and shared by all.
    text: OnceLock<Bytes>,
}

enum What {
    Happened(Box<Event>),
    /// The journal itself was too slow for this many.
    Missed(u64),
}

impl Journal {
    /// Write down what the engine tells, until it ends.
    pub(super) fn start(mut events: broadcast::Receiver<Event>) -> Journal {
        let journal = Journal(Arc::new(Inner {
            run: format!("{:08x}", rand::random::<u32>()),
            book: Mutex::default(),
            live: broadcast::Sender::new(KEPT),
            followers: AtomicUsize::new(0),
        }));
        let inner = Arc::downgrade(&journal.0);
        tokio::spawn(async move {
            loop {
                let what = match events.recv().await {
                    Ok(event) if word(&event).is_none() => continue,
                    Ok(event) => What::Happened(event.into()),
                    Err(RecvError::Lagged(n)) => What::Missed(n),
                    Err(RecvError::Closed) => return,
                };
                let Some(inner) = inner.upgrade() else {
                    return;
                };
                inner.write(what);
            }
        });
        journal
    }

    /// Hear of everything from now on, and of what came after the one with this id. `None` if too many follow.
    pub(super) fn follow(&self, after: Option<&str>) -> Option<Follower> {
        // Counted first, so that two who come at once are not both the last one.
        let place = Place(self.0.clone());
        if self.0.followers.fetch_add(1, Relaxed) >= MOST {
            return None;
        }
        // Nothing is written between looking back and listening.
        let book = self.0.book.lock();
        let live = self.0.live.subscribe();
        let (back, missed) = match after {
            Some(id) => self.0.since(&book, id),
            None => (VecDeque::new(), None),
        };
        Some(Follower {
            seen: self.0.id(book.last),
            back,
            missed,
            live,
            _place: place,
        })
    }
}

impl Inner {
    fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.run)
    }

    fn write(&self, what: What) {
        let mut book = self.book.lock();
        book.last += match what {
            What::Happened(_) => 1,
            What::Missed(n) => n,
        };
        let fact = Arc::new(Fact {
            number: book.last,
            at: seconds(SystemTime::now()),
            what,
            text: OnceLock::new(),
        });
        if book.kept.len() == KEPT {
            book.kept.pop_front();
        }
        book.kept.push_back(fact.clone());
        // Nobody following is nobody's fault.
        let _ = self.live.send(fact);
    }

    /// What is kept of all that came after this id, and what is lacking.
    fn since(&self, book: &Book, id: &str) -> (VecDeque<Arc<Fact>>, Option<Missed>) {
        let number = id.strip_prefix(&self.run).and_then(|n| n.strip_prefix('-'));
        let number = number.and_then(|n| n.parse().ok());
        let Some(number) = number.filter(|n| *n <= book.last) else {
            return (VecDeque::new(), Some(Missed { missed: None }));
        };
        let later = book.kept.iter().filter(|fact| fact.number > number);
        let later: VecDeque<_> = later.cloned().collect();
        let first = later.front().map_or(book.last, |fact| fact.before());
        let lacking = first.saturating_sub(number);
        let missed = (lacking > 0).then_some(Missed {
            missed: Some(lacking),
        });
        (later, missed)
    }

    fn text(&self, fact: &Fact) -> Bytes {
        let make = || {
            let (name, mut data) = match &fact.what {
                What::Happened(event) => (word(event).unwrap_or_default(), data(event)),
                What::Missed(n) => (MISSED, json!({ "missed": n })),
            };
            data["at"] = json!(fact.at);
            message(name, Some(&self.id(fact.number)), &data)
        };
        fact.text.get_or_init(make).clone()
    }
}

impl Fact {
    /// The number before the first thing that this tells of.
    fn before(&self) -> u64 {
        match self.what {
            What::Happened(_) => self.number - 1,
            What::Missed(n) => self.number - n,
        }
    }
}

/// One who follows what happens.
pub(super) struct Follower {
    seen: String,
    back: VecDeque<Arc<Fact>>,
    missed: Option<Missed>,
    live: broadcast::Receiver<Arc<Fact>>,
    _place: Place,
}

struct Place(Arc<Inner>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.followers.fetch_sub(1, Relaxed);
    }
}

/// How many facts were not told; unknown after another start of Aerial.
#[derive(Serialize)]
pub(super) struct Missed {
    missed: Option<u64>,
}

/// What comes next.
pub(super) enum Next {
    Told(Bytes),
    /// Some could not be told; how things are now makes up for it.
    Missed(Missed),
}

impl Follower {
    /// The id under which the state of now is told: of the last fact, unless some from before are still to be told.
    pub(super) fn seen(&self) -> Option<&str> {
        (self.back.is_empty() && self.missed.is_none()).then_some(&self.seen)
    }

    /// The next fact; `None` when the engine ends. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Option<Next> {
        if let Some(missed) = self.missed.take() {
            return Some(Next::Missed(missed));
        }
        if let Some(fact) = self.back.pop_front() {
            return Some(Next::Told(self._place.0.text(&fact)));
        }
        match self.live.recv().await {
            Ok(fact) => Some(Next::Told(self._place.0.text(&fact))),
            Err(RecvError::Lagged(n)) => Some(Next::Missed(Missed { missed: Some(n) })),
            Err(RecvError::Closed) => None,
        }
    }
}

/// The name of what tells of a gap.
pub(super) const MISSED: &str = "missed";

/// A message of an event stream. JSON has no line breaks in it.
pub(super) fn message(name: &str, id: Option<&str>, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_else(|_| "null".into());
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    Bytes::from(format!("event: {name}\n{id}data: {data}\n\n"))
}

/// What a fact is called; `None` for what is no fact about the broadcast.
fn word(event: &Event) -> Option<&'static str> {
    Some(match event {
        Event::Air(_) => "air",
        Event::Source(_) => "source",
        Event::SourceRemoved(_) => "source-removed",
        Event::SourceOrder(_) => "sources",
        Event::Layout(_) => "layout",
        Event::Overlays(_) => "overlays",
        Event::Output(_) => "output",
        Event::OutputRemoved(_) => "output-removed",
        Event::ViewerJoined(_) => "viewer-joined",
        Event::ViewerNoted(_) => "viewer-noted",
        Event::ViewerLeft(..) => "viewer-left",
        Event::ViewerToken => "viewer-token",
        Event::Shared(_) => "shared",
        Event::Bans(_) => "bans",
        Event::NowPlaying(_) => "now-playing",
        Event::Devices(_) | Event::Encoding(_) | Event::Abilities | Event::Refused(_) => {
            return None;
        }
    })
}

fn data(event: &Event) -> Value {
    let with_remedy =
        |error: &dyn std::fmt::Display, remedy: String| json!(format!("{error} {remedy}"));
    match event {
        Event::Air(state) => {
            let since = match state {
                AirState::Live { since } => Some(seconds(*since)),
                AirState::Off | AirState::Starting | AirState::Stopping => None,
            };
            json!({"air": state.word(), "since": since})
        }
        Event::Source(s) => {
            let error = match &s.state {
                SourceState::Lost { error, .. } | SourceState::Ended(error) => {
                    with_remedy(error, error.remedy())
                }
                SourceState::Starting | SourceState::Live => Value::Null,
            };
            let warning = s.warning.as_ref().map(|w| with_remedy(w, w.remedy()));
            let picture = s.kind == crate::message::MediaKind::Video;
            json!({"id": s.id, "kind": s.kind, "spec": s.spec, "state": s.state.word(), "error": error, "warning": warning,
                "partner": s.partner, "framing": picture.then_some(s.framing), "strip": (!picture).then_some(s.strip)})
        }
        Event::SourceRemoved(id) => json!({ "id": id }),
        Event::SourceOrder(ids) => json!({ "ids": ids }),
        Event::Layout(layout) => json!(layout),
        Event::Overlays(overlays) => json!(overlays),
        Event::Output(o) => {
            let error = o.state.error().map(|e| with_remedy(e, e.remedy()));
            let warning = o.warning.as_ref().map(|w| with_remedy(w, w.remedy()));
            json!({"name": o.name, "kind": o.kind, "url": o.url, "enabled": o.enabled, "state": o.state.word(),
                "paused": o.state == OutputState::Paused, "error": error, "warning": warning})
        }
        Event::OutputRemoved(name) => json!({ "name": name }),
        Event::ViewerJoined(viewer) | Event::ViewerNoted(viewer) => json!(ViewerRow::from(viewer)),
        Event::ViewerLeft(id, end) => json!({"id": id, "end": end}),
        // Only that there is another: it opens something.
        Event::ViewerToken => json!({}),
        Event::Shared(on) => json!({ "network": on }),
        Event::Bans(bans) => {
            let all = bans.iter().map(|ban| json!(ban.address));
            json!({"addresses": all.collect::<Vec<_>>()})
        }
        Event::NowPlaying(text) => json!({ "text": text }),
        Event::Devices(_) | Event::Encoding(_) | Event::Abilities | Event::Refused(_) => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audience::End;

    async fn told(follower: &mut Follower) -> String {
        match follower.next().await.unwrap() {
            Next::Told(text) => String::from_utf8(text.to_vec()).unwrap(),
            Next::Missed(missed) => serde_json::to_string(&missed).unwrap(),
        }
    }

    /// A journal that has heard this many viewers leave.
    async fn journal(many: u64) -> (broadcast::Sender<Event>, Journal) {
        let events = broadcast::Sender::new(4096);
        let journal = Journal::start(events.subscribe());
        let mut first = journal.follow(None).unwrap();
        for id in 1..=many {
            events.send(Event::Abilities).unwrap();
            events.send(Event::ViewerLeft(id, End::Kicked)).unwrap();
            assert!(told(&mut first).await.contains(&format!("\"id\":{id}}}")));
        }
        (events, journal)
    }

    #[tokio::test]
    async fn who_comes_back_hears_what_came_since_and_of_what_is_lost() {
        let (_events, journal) = journal(KEPT as u64 + 10).await;
        let run = journal.0.run.clone();
        let last = KEPT + 10;
        let back = |after: &str| journal.follow(Some(after)).unwrap();
        let mut recent = back(&format!("{run}-{}", last - 2));
        assert_eq!(recent.seen(), None);
        let text = told(&mut recent).await;
        let head = format!("event: viewer-left\nid: {run}-{}\ndata: {{", last - 1);
        assert!(text.starts_with(&head) && text.ends_with("}\n\n"), "{text}");
        assert!(text.contains("\"end\":\"kicked\""), "{text}");
        assert!(told(&mut recent).await.contains(&format!("{run}-{last}\n")));
        let up_to_date = back(&format!("{run}-{last}"));
        assert_eq!(up_to_date.seen(), Some(&*format!("{run}-{last}")));
        let mut old = back(&format!("{run}-4"));
        assert_eq!(told(&mut old).await, r#"{"missed":6}"#);
        assert!(told(&mut old).await.contains(&format!("{run}-11\n")));
        for other in ["feed-3", "", "x", &format!("{run}-99999")] {
            assert_eq!(told(&mut back(other)).await, r#"{"missed":null}"#);
        }
    }

    #[tokio::test]
    async fn one_who_does_not_read_is_told_how_much_it_missed() {
        let (events, journal) = journal(1).await;
        let mut slow = journal.follow(None).unwrap();
        let mut quick = journal.follow(None).unwrap();
        for id in 0..KEPT as u64 * 2 {
            events.send(Event::ViewerLeft(id, End::Left)).unwrap();
            told(&mut quick).await;
        }
        // The ring may hold a little more than asked for.
        let missed = told(&mut slow).await;
        assert!(missed.starts_with(r#"{"missed":"#), "{missed}");
        assert!(told(&mut slow).await.starts_with("event: viewer-left\n"));
    }

    #[tokio::test]
    async fn only_so_many_follow_at_once() {
        let (_events, journal) = journal(0).await;
        let mut all: Vec<_> = (0..MOST).map(|_| journal.follow(None).unwrap()).collect();
        assert!(journal.follow(None).is_none());
        all.pop();
        assert!(journal.follow(None).is_some());
    }
}
