// SPDX-License-Identifier: GPL-3.0-or-later
//! Inboxes: where pictures that are sent to `/frames/NAME` wait for the sources `frames:NAME`.
//!
//! A source opens the inbox of its name; several sources may share one, and each shows every picture. There is room
//! for one picture besides the one that is shown. Whoever sends more waits: the order is kept, nothing is left out,
//! and nothing grows.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Mutex as Turns, OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::{Picture, decode, easel};
use crate::error::PictureError;

/// Pictures of one name that are received at the same time. More senders wait with their bodies unread.
const SENDERS: usize = 4;

/// All inboxes that a source has opened; cheap to clone.
#[derive(Clone, Default)]
pub struct Inboxes(Arc<Table>);

#[derive(Default)]
struct Table {
    readers: Mutex<BTreeMap<String, Vec<Reader>>>,
    /// How many sources of each name there are, whether they are open yet or not.
    expected: Mutex<BTreeMap<String, usize>>,
    changed: watch::Sender<()>,
}

/// Says that there is a source of this name, which opens its inbox by and by; until dropped.
pub(crate) struct Expected {
    table: Weak<Table>,
    name: String,
}

/// One source that reads.
#[derive(Clone)]
struct Reader {
    inbox: Arc<Shared>,
    number: u64,
    pictures: mpsc::Sender<Picture>,
}

/// What the sources of one name share.
struct Shared {
    /// Size of the program.
    program: (u32, u32),
    /// One picture after the other, in the order in which they were complete.
    turn: Turns<()>,
    senders: Arc<Semaphore>,
}

/// A source's place in an inbox; given up when dropped.
pub(crate) struct Place {
    table: Weak<Table>,
    name: String,
    number: u64,
}

/// For senders: the inbox of a name.
#[derive(Clone)]
pub(crate) struct Inbox {
    inboxes: Inboxes,
    name: String,
    shared: Arc<Shared>,
}

impl Inboxes {
    /// Open the inbox of this name, for a program of this size.
    pub(crate) fn open(&self, name: &str, program: (u32, u32)) -> (Place, easel::Waiting) {
        let (pictures, waiting) = easel::queue();
        let mut all = self.0.readers.lock();
        let readers = all.entry(name.to_string()).or_default();
        let inbox = match readers.first() {
            Some(reader) => reader.inbox.clone(),
            None => Arc::new(Shared {
                program,
                turn: Turns::default(),
                senders: Arc::new(Semaphore::new(SENDERS)),
            }),
        };
        let number = readers.last().map_or(0, |reader| reader.number + 1);
        readers.push(Reader {
            inbox,
            number,
            pictures,
        });
        drop(all);
        self.0.changed.send_replace(());
        let place = Place {
            table: Arc::downgrade(&self.0),
            name: name.to_string(),
            number,
        };
        (place, waiting)
    }

    /// There is a source of this name.
    pub(crate) fn expect(&self, name: &str) -> Expected {
        *self.0.expected.lock().entry(name.to_string()).or_default() += 1;
        Expected {
            table: Arc::downgrade(&self.0),
            name: name.to_string(),
        }
    }

    /// The inbox of this name. If there is a source of this name that is not open yet, waits for it.
    pub(crate) async fn find(&self, name: &str) -> Option<Inbox> {
        let mut changed = self.0.changed.subscribe();
        loop {
            changed.borrow_and_update();
            let reader = self.readers(name).into_iter().next();
            if let Some(reader) = reader {
                return Some(Inbox {
                    inboxes: self.clone(),
                    name: name.to_string(),
                    shared: reader.inbox,
                });
            }
            if !self.0.expected.lock().contains_key(name) || changed.changed().await.is_err() {
                return None;
            }
        }
    }

    /// Names that pictures can be sent to.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.expected.lock().keys().cloned().collect()
    }

    fn readers(&self, name: &str) -> Vec<Reader> {
        let all = self.0.readers.lock();
        all.get(name).cloned().unwrap_or_default()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(table) = self.table.upgrade() {
            let mut all = table.readers.lock();
            if let Some(readers) = all.get_mut(&self.name) {
                readers.retain(|reader| reader.number != self.number);
                if readers.is_empty() {
                    all.remove(&self.name);
                }
            }
        }
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        let Some(table) = self.table.upgrade() else {
            return;
        };
        let mut expected = table.expected.lock();
        if let Some(sources) = expected.get_mut(&self.name) {
            *sources -= 1;
            if *sources == 0 {
                expected.remove(&self.name);
            }
        }
        drop(expected);
        // Whoever waits for it waits in vain.
        table.changed.send_replace(());
    }
}

/// Leave to send, until dropped.
pub(crate) struct Leave(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

impl Inbox {
    /// Wait until there are few enough others who send.
    pub(crate) async fn enter(&self) -> Option<Leave> {
        let permit = self.shared.senders.clone().acquire_owned().await;
        permit.ok().map(Leave)
    }

    /// Decode a picture and hand it to every source of this name. Done when each of them has taken it: one that
    /// still shows the picture before the last one does so at its next frame.
    pub(crate) async fn deliver(
        &self,
        bytes: Bytes,
        told: Option<String>,
    ) -> Result<(), PictureError> {
        let _turn = self.shared.turn.lock().await;
        let program = self.shared.program;
        let decoded =
            tokio::task::spawn_blocking(move || decode(&bytes, told.as_deref(), program)).await;
        let picture = decoded.map_err(|_| PictureError::NoSource)??;
        let mut taken = false;
        for reader in self.inboxes.readers(&self.name) {
            // A source that is being removed takes nothing more.
            taken |= reader.pictures.send(picture.clone()).await.is_ok();
        }
        if taken {
            Ok(())
        } else {
            Err(PictureError::NoSource)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::source::frames::Waiting;

    fn picture(grey: u8) -> Bytes {
        let picture = ::image::GrayImage::from_pixel(16, 16, ::image::Luma([grey]));
        let mut bytes = std::io::Cursor::new(vec![]);
        picture
            .write_to(&mut bytes, ::image::ImageFormat::Png)
            .unwrap();
        bytes.into_inner().into()
    }

    fn queue(waiting: Waiting) -> mpsc::Receiver<Picture> {
        match waiting {
            Waiting::Each(queue) => queue,
            Waiting::Newest(_) => panic!("an inbox has a queue"),
        }
    }

    fn grey(picture: &Picture) -> u8 {
        picture.buffer.map_readable().unwrap()[0]
    }

    #[tokio::test]
    async fn every_source_of_a_name_gets_every_picture_in_order_and_senders_wait() {
        gst::init().unwrap();
        let inboxes = Inboxes::default();
        let (_a, first) = inboxes.open("plot", (64, 48));
        let (b, second) = inboxes.open("plot", (64, 48));
        let (mut first, mut second) = (queue(first), queue(second));
        let inbox = inboxes.find("plot").await.unwrap();
        inbox.deliver(picture(0), None).await.unwrap();
        // Nobody has taken the first one yet.
        let next = inbox.deliver(picture(255), None);
        tokio::pin!(next);
        let waited = tokio::time::timeout(Duration::from_millis(200), &mut next).await;
        assert!(waited.is_err(), "there is room for one");
        for queue in [&mut first, &mut second] {
            assert_eq!(grey(&queue.recv().await.unwrap()), 16);
        }
        next.await.unwrap();
        assert_eq!(grey(&first.recv().await.unwrap()), 235);
        // A source that is removed while others wait for it does not hold them up.
        let third = inbox.deliver(picture(0), None);
        drop((b, second));
        third.await.unwrap();
        assert_eq!(grey(&first.recv().await.unwrap()), 16);
    }

    #[tokio::test]
    async fn a_picture_for_nobody_is_refused() {
        gst::init().unwrap();
        let inboxes = Inboxes::default();
        let (place, waiting) = inboxes.open("plot", (64, 48));
        let inbox = inboxes.find("plot").await.unwrap();
        drop((place, waiting));
        assert!(inboxes.find("plot").await.is_none());
        let refused = inbox.deliver(picture(0), None).await;
        assert_eq!(refused, Err(PictureError::NoSource));
    }
    #[tokio::test]
    async fn whoever_sends_before_a_source_is_open_waits_for_it_and_not_for_one_that_goes() {
        let inboxes = Inboxes::default();
        let (a, b) = (inboxes.expect("plot"), inboxes.expect("plot"));
        drop(a);
        assert_eq!(inboxes.names(), ["plot"]);
        {
            let early = inboxes.find("plot");
            tokio::pin!(early);
            assert!(futures::poll!(&mut early).is_pending());
            let _open = inboxes.open("plot", (64, 48));
            assert!(early.await.is_some());
        }
        let vain = inboxes.find("plot");
        tokio::pin!(vain);
        assert!(futures::poll!(&mut vain).is_pending());
        drop(b);
        assert!(vain.await.is_none() && inboxes.names().is_empty());
    }
}
