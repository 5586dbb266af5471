// SPDX-License-Identifier: GPL-3.0-or-later
//! Where viewers point and what they type, on its way to the sources that take it.
//!
//! ```text
//! output ─▶ Pointer (whose picture is under it?) ─▶ Navigation ─▶ a queue for each listener ─▶ GET /frames/NAME/events
//! ```
//!
//! Sources that take such events say so, under a name; whoever listens to that name gets what is meant for them. Where
//! nobody listens, an event costs one load and is gone. Knows no GStreamer.

mod event;
mod pointer;
mod queue;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;

pub(crate) use event::{At, Event, Kind, Modifier};
pub(crate) use pointer::Pointer;
use queue::Queue;

use crate::message::SourceId;

/// All sources that take events and all who listen to them; cheap to clone.
#[derive(Clone)]
pub(crate) struct Navigation(Arc<Inner>);

struct Inner {
    /// Moves are told once in this time at most.
    frame: Duration,
    /// How many listen.
    listening: AtomicUsize,
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    takers: BTreeMap<SourceId, Taker>,
    listeners: Vec<(String, Arc<Queue>)>,
}

/// A source that takes events.
struct Taker {
    name: String,
    size: PictureSize,
}

/// Size of the picture that a source shows, as whoever painted it knows it. Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct PictureSize(Arc<AtomicU64>);

impl PictureSize {
    /// A picture of this size is shown from now on.
    pub(crate) fn set(&self, (width, height): (u32, u32)) {
        let both = u64::from(width) << 32 | u64::from(height);
        self.0.store(both, Relaxed);
    }

    fn get(&self) -> Option<(u32, u32)> {
        let both = self.0.load(Relaxed);
        let (width, height) = ((both >> 32) as u32, both as u32);
        (width > 0 && height > 0).then_some((width, height))
    }
}

impl Navigation {
    /// For a program of this rate.
    pub(crate) fn new(fps: u32) -> Navigation {
        Navigation(Arc::new(Inner {
            frame: Duration::from_secs(1) / fps.max(1),
            listening: AtomicUsize::new(0),
            all: Mutex::default(),
        }))
    }

    /// From now on the source of this number takes events, under this name.
    pub(crate) fn take(&self, id: SourceId, name: &str, size: PictureSize) -> Taken {
        let name = name.to_string();
        self.0.all.lock().takers.insert(id, Taker { name, size });
        Taken {
            navigation: Arc::downgrade(&self.0),
            id,
        }
    }

    /// Listen to the sources of this name, if there are any.
    pub(crate) fn listen(&self, name: &str) -> Option<Listener> {
        let queue = Arc::new(Queue::new(self.0.frame));
        let mut all = self.0.all.lock();
        if !all.takers.values().any(|taker| taker.name == name) {
            return None;
        }
        all.listeners.push((name.to_string(), queue.clone()));
        self.0.listening.fetch_add(1, Relaxed);
        Some(Listener {
            navigation: self.clone(),
            queue,
        })
    }

    /// Whether anybody listens at all.
    pub(crate) fn is_heard(&self) -> bool {
        self.0.listening.load(Relaxed) > 0
    }

    /// Hand an event to the source of this number. `at` is the point in its picture, as shares of width and height.
    /// Never waits.
    fn tell(&self, id: SourceId, at: Option<(f64, f64)>, mut event: Event) {
        let all = self.0.all.lock();
        let Some(taker) = all.takers.get(&id) else {
            return;
        };
        event.at = match (at, taker.size.get()) {
            (Some((x, y)), Some((width, height))) => Some(At {
                x: x * f64::from(width),
                y: y * f64::from(height),
                width,
                height,
            }),
            // Nothing was painted yet.
            (Some(_), None) => return,
            (None, _) => None,
        };
        for (name, queue) in &all.listeners {
            if *name == taker.name {
                queue.push(event.clone());
            }
        }
    }
}

/// A source's say that it takes events; ends when dropped, and with the last one of a name who listens to it is told.
pub(crate) struct Taken {
    navigation: Weak<Inner>,
    id: SourceId,
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Some(inner) = self.navigation.upgrade() else {
            return;
        };
        let mut all = inner.all.lock();
        let Some(gone) = all.takers.remove(&self.id) else {
            return;
        };
        if !all.takers.values().any(|taker| taker.name == gone.name) {
            for (name, queue) in &all.listeners {
                if *name == gone.name {
                    queue.end();
                }
            }
        }
    }
}

/// Hears what is meant for the sources of a name; leaves when dropped.
pub(crate) struct Listener {
    navigation: Navigation,
    queue: Arc<Queue>,
}

impl Listener {
    /// What came since the last time, once there is something. `None` when there is no source of that name any more.
    pub(crate) async fn next(&mut self) -> Option<Vec<Event>> {
        self.queue.next().await
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut all = self.navigation.0.all.lock();
        all.listeners.retain(|(_, q)| !Arc::ptr_eq(q, &self.queue));
        self.navigation.0.listening.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(x: f64, y: f64) -> Event {
        let at = At {
            x,
            y,
            width: 320,
            height: 180,
        };
        Event {
            at: Some(at),
            button: Some(1),
            ..Event::of(Kind::PointerPress)
        }
    }

    #[tokio::test]
    async fn listeners_hear_what_is_meant_for_their_name_in_pixels_of_the_picture_as_it_was_sent() {
        let all = Navigation::new(30);
        let size = PictureSize::default();
        let taken = all.take(7, "plot", size.clone());
        let _other = all.take(8, "map", PictureSize::default());
        assert!(all.listen("nobody").is_none() && !all.is_heard());
        let mut plot = all.listen("plot").unwrap();
        let map = all.listen("map").unwrap();
        assert!(all.is_heard());
        all.tell(7, Some((0.5, 0.5)), press(0.0, 0.0));
        size.set((480, 270));
        all.tell(7, Some((0.25, 0.5)), press(0.0, 0.0));
        all.tell(9, Some((0.25, 0.5)), press(0.0, 0.0));
        let heard = plot.next().await.unwrap();
        let said = serde_json::to_value(&heard).unwrap();
        let wanted = serde_json::json!([{
            "event": "pointer-press", "x": 120.0, "y": 135.0, "width": 480, "height": 270, "button": 1
        }]);
        assert_eq!(said, wanted);
        drop(map);
        drop(taken);
        assert!(
            plot.next().await.is_none(),
            "the last source of the name is gone"
        );
        drop(plot);
        assert!(!all.is_heard());
    }
}
