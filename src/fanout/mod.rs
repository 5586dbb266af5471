// SPDX-License-Identifier: GPL-3.0-or-later
//! One stream, many readers.
//!
//! A [`Stream`] keeps the last seconds of what was published in one ring. A [`Feed`] is a place in that ring: it
//! owns no queue, so a slow reader costs nothing but its own place. A reader that falls behind is moved to the
//! newest key frame and told how much it missed; nobody else notices.
//!
//! ```text
//! publish() ──▶ [ k · · · k · · · k · · ] ──▶ feed, feed, feed …
//!                         ▲ join: head + from the last key frame
//! ```

mod ring;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::watch;

use ring::Ring;

/// What travels through a stream: cheap to clone (it is, for every reader).
pub trait Item: Clone + Send + Sync + 'static {
    /// Whether a reader can begin here.
    fn is_key(&self) -> bool;
    /// Bytes it holds.
    fn size(&self) -> usize;
    /// Its time in the program.
    fn pts(&self) -> Duration;
}

/// Where a reader begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// At the last key frame: something to show at once, at the price of up to one key frame interval of delay.
    LastKey,
    /// At the next key frame: no delay, but nothing until it comes.
    NextKey,
}

/// How much a stream keeps, and how far a reader may fall behind.
#[derive(Debug, Clone, Copy)]
pub struct Depth {
    /// Oldest item kept, unless the last key frame is older. A feed further behind than this skips.
    pub time: Duration,
    /// Bytes kept at most, whatever the time.
    pub bytes: usize,
}

impl Default for Depth {
    /// Six seconds: longer than a usual network hiccup, short enough to be called live. 32 MiB: six seconds of 40 Mbit/s.
    fn default() -> Self {
        Depth {
            time: Duration::from_secs(6),
            bytes: 32 << 20,
        }
    }
}

/// A stream that many can read. `H` is what a reader needs before the first item (caps, a container's header).
#[derive(Debug)]
pub struct Stream<T, H> {
    ring: Mutex<Ring<T>>,
    /// Changes with every publication.
    newest: watch::Sender<u64>,
    head: watch::Sender<Option<H>>,
}

impl<T: Item, H: Clone + Send + Sync + 'static> Stream<T, H> {
    /// An empty stream.
    pub fn new(depth: Depth) -> Arc<Self> {
        Arc::new(Stream {
            ring: Mutex::new(Ring::new(depth)),
            newest: watch::Sender::new(0),
            head: watch::Sender::new(None),
        })
    }

    /// Set what a reader needs before the first item.
    pub fn set_head(&self, head: H) {
        self.head.send_replace(Some(head));
    }

    /// What a reader needs before the first item, if it is known yet.
    pub fn head(&self) -> Option<H> {
        self.head.borrow().clone()
    }

    /// Wait for the head. `None` if the stream is dropped.
    pub async fn wait_head(&self) -> Option<H> {
        let mut seen = self.head.subscribe();
        let head = seen.wait_for(Option::is_some).await.ok()?;
        head.clone()
    }

    /// Add an item. Never waits for a reader.
    pub fn publish(&self, item: T) {
        let newest = self.ring.lock().push(item);
        self.newest.send_replace(newest);
    }

    /// Add an item without waking anybody for it: waiting readers find it with the next one. For small items that may
    /// come a little later, since waking a thousand readers costs more than the item.
    pub fn publish_quietly(&self, item: T) {
        self.ring.lock().push(item);
    }

    /// Forget everything and end all present feeds; new feeds read what comes after.
    pub fn reset(&self) {
        self.head.send_replace(None);
        let newest = self.ring.lock().restart();
        self.newest.send_replace(newest);
    }

    /// Start reading.
    pub fn subscribe(self: &Arc<Self>, join: Join) -> Feed<T, H> {
        let newest = self.newest.subscribe();
        let ring = self.ring.lock();
        let cursor = match join {
            Join::LastKey => ring.last_key().unwrap_or(ring.end()),
            Join::NextKey => ring.end(),
        };
        Feed {
            epoch: ring.epoch(),
            cursor,
            needs_key: true,
            skipped: 0,
            newest,
            stream: self.clone(),
        }
    }

    /// Items published since the beginning.
    pub fn published(&self) -> u64 {
        self.ring.lock().end()
    }
}

/// One reader's place in a stream.
#[derive(Debug)]
pub struct Feed<T, H> {
    stream: Arc<Stream<T, H>>,
    newest: watch::Receiver<u64>,
    epoch: u64,
    cursor: u64,
    needs_key: bool,
    skipped: u64,
}

/// What [`Feed::poll`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// So many items were added to the vector.
    Items(usize),
    /// Nothing new yet.
    Nothing,
    /// The stream was reset; subscribe anew.
    Ended,
}

impl<T: Item, H: Clone + Send + Sync + 'static> Feed<T, H> {
    /// Add up to `most` items that are there already to `into`.
    pub fn poll(&mut self, into: &mut Vec<T>, most: usize) -> Taken {
        // Seen before the ring is read, so that nothing published meanwhile is missed.
        self.newest.mark_unchanged();
        let ring = self.stream.ring.lock();
        if ring.epoch() != self.epoch {
            return Taken::Ended;
        }
        if ring.is_behind(self.cursor) {
            let to = ring.last_key().unwrap_or(ring.end());
            if to > self.cursor {
                self.skipped += to - self.cursor;
                self.cursor = to;
                self.needs_key = true;
            }
        }
        let mut taken = 0;
        while taken < most {
            let Some(item) = ring.get(self.cursor) else {
                break;
            };
            self.cursor += 1;
            if self.needs_key && !item.is_key() {
                continue;
            }
            self.needs_key = false;
            into.push(item.clone());
            taken += 1;
        }
        if taken == 0 {
            Taken::Nothing
        } else {
            Taken::Items(taken)
        }
    }

    /// Wait until there is something, then add up to `most` items. `false` when the stream was reset.
    pub async fn next_batch(&mut self, into: &mut Vec<T>, most: usize) -> bool {
        loop {
            match self.poll(into, most) {
                Taken::Items(_) => return true,
                Taken::Ended => return false,
                Taken::Nothing => {
                    if self.newest.changed().await.is_err() {
                        return false;
                    }
                }
            }
        }
    }

    /// The next item; `None` when the stream was reset.
    pub async fn next(&mut self) -> Option<T> {
        let mut one = Vec::with_capacity(1);
        if self.next_batch(&mut one, 1).await {
            one.pop()
        } else {
            None
        }
    }

    /// Wait until something was published after the last look.
    pub async fn changed(&mut self) {
        // An error means that the stream is gone; the next poll says so.
        let _ = self.newest.changed().await;
    }

    /// Items this reader missed because it was too slow.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How old the next unread item is, compared with the newest.
    pub fn lag(&self) -> Duration {
        self.stream.ring.lock().lag(self.cursor)
    }

    /// The stream this feed reads.
    pub fn stream(&self) -> &Arc<Stream<T, H>> {
        &self.stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Frame(u64, bool);
    impl Item for Frame {
        fn is_key(&self) -> bool {
            self.1
        }
        fn size(&self) -> usize {
            1000
        }
        fn pts(&self) -> Duration {
            Duration::from_millis(self.0 * 100)
        }
    }

    fn stream() -> Arc<Stream<Frame, u8>> {
        Stream::new(Depth {
            time: Duration::from_secs(2),
            bytes: 1 << 20,
        })
    }

    fn read(feed: &mut Feed<Frame, u8>) -> Vec<u64> {
        let mut got = Vec::new();
        feed.poll(&mut got, 1000);
        got.iter().map(|f| f.0).collect()
    }

    #[test]
    fn a_late_reader_starts_at_the_last_key_frame() {
        let s = stream();
        for n in 0..15 {
            s.publish(Frame(n, n % 10 == 0));
        }
        assert_eq!(read(&mut s.subscribe(Join::LastKey)), [10, 11, 12, 13, 14]);
    }

    #[test]
    fn a_reader_that_wants_no_delay_waits_for_the_next_key_frame() {
        let s = stream();
        s.publish(Frame(0, true));
        let mut feed = s.subscribe(Join::NextKey);
        s.publish(Frame(1, false));
        assert!(read(&mut feed).is_empty());
        s.publish(Frame(2, true));
        s.publish(Frame(3, false));
        assert_eq!(read(&mut feed), [2, 3]);
    }

    #[test]
    fn a_slow_reader_is_moved_to_the_newest_key_frame_and_others_are_not() {
        let s = stream();
        s.publish(Frame(0, true));
        let (mut slow, mut quick) = (s.subscribe(Join::LastKey), s.subscribe(Join::LastKey));
        assert_eq!(read(&mut slow), [0]);
        let mut seen = read(&mut quick);
        for n in 1..55 {
            s.publish(Frame(n, n % 10 == 0));
            seen.extend(read(&mut quick));
        }
        assert_eq!(seen, (0..55).collect::<Vec<_>>());
        assert_eq!(quick.skipped(), 0);
        assert_eq!(read(&mut slow), [50, 51, 52, 53, 54]);
        assert_eq!(slow.skipped(), 49);
    }

    #[test]
    fn what_is_kept_is_bounded_in_time_and_bytes() {
        let s = Stream::<Frame, u8>::new(Depth {
            time: Duration::from_secs(3600),
            bytes: 20_000,
        });
        for n in 0..1000 {
            s.publish(Frame(n, n == 0));
        }
        assert!(s.ring.lock().bytes() <= 20_000);
        // The only key frame is gone, so a newcomer waits for the next one.
        assert!(read(&mut s.subscribe(Join::LastKey)).is_empty());
    }

    #[test]
    fn a_reset_ends_present_feeds_and_later_ones_read_on() {
        let s = stream();
        s.set_head(1);
        s.publish(Frame(0, true));
        let mut old = s.subscribe(Join::LastKey);
        s.reset();
        assert_eq!(old.poll(&mut Vec::new(), 1), Taken::Ended);
        assert_eq!(s.head(), None);
        let mut new = s.subscribe(Join::LastKey);
        s.publish(Frame(7, true));
        assert_eq!(read(&mut new), [7]);
    }

    #[tokio::test]
    async fn what_was_published_quietly_comes_with_the_next_item() {
        let s = stream();
        let mut feed = s.subscribe(Join::NextKey);
        let reader = tokio::spawn(async move {
            let mut got = Vec::new();
            feed.next_batch(&mut got, 10).await;
            got
        });
        tokio::task::yield_now().await;
        s.publish_quietly(Frame(1, true));
        tokio::task::yield_now().await;
        assert!(!reader.is_finished());
        s.publish(Frame(2, false));
        assert_eq!(reader.await.unwrap(), [Frame(1, true), Frame(2, false)]);
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken() {
        let s = stream();
        let mut feed = s.subscribe(Join::NextKey);
        let reader = tokio::spawn(async move { feed.next().await });
        tokio::task::yield_now().await;
        s.publish(Frame(1, true));
        assert_eq!(reader.await.unwrap(), Some(Frame(1, true)));
    }
}
