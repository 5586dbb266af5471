// SPDX-License-Identifier: GPL-3.0-or-later
//! Who watches by HLS. There is no connection that would begin and end with a viewer, so each gets a folder of its own
//! from the first playlist, and is a viewer as long as it asks for something in there.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::audience::{Audience, Guard, NotLetIn, Who};

/// Folders at one time: a viewer costs little, but somebody may make up names.
const MOST: usize = 20_000;
/// Letters of a folder's name: nobody guesses 128 bits.
const LETTERS: usize = 32;

/// How long silence must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// A viewer who asks for nothing for so long has left. Players ask at least every target duration.
    left: Duration,
    /// One who was let go is told so for as long as it asks, and this much longer.
    forgotten: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            left: Duration::from_secs(10),
            forgotten: Duration::from_secs(60),
        }
    }
}

/// The list of folders.
#[derive(Clone)]
pub(super) struct Sessions {
    list: Arc<Mutex<HashMap<String, Session>>>,
    audience: Audience,
    patience: Patience,
}

struct Session {
    /// `None` once the viewer was let go.
    guard: Option<Arc<Guard>>,
    asked: Instant,
    /// Requests that are being answered.
    busy: Arc<AtomicUsize>,
}

/// Why there is no viewer.
#[derive(Debug, PartialEq)]
pub(super) enum NoViewer {
    /// No such folder can be.
    Name,
    /// The broadcaster let it go.
    Kicked,
    /// Its address is banned, or there are enough.
    NotLetIn(NotLetIn),
    /// There are too many.
    Full,
}

/// A viewer while one request of theirs is answered.
pub(super) struct Visit {
    pub(super) guard: Arc<Guard>,
    busy: Arc<AtomicUsize>,
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.busy.fetch_sub(1, Relaxed);
    }
}

impl Sessions {
    pub(super) fn new(audience: Audience, patience: Patience) -> Self {
        Sessions {
            list: Arc::default(),
            audience,
            patience,
        }
    }

    /// Whether this address may watch.
    pub(super) fn check(&self, address: IpAddr) -> Result<(), NotLetIn> {
        self.audience.check(address)
    }

    /// A name for a folder. It is kept nowhere: whoever only looks is no viewer.
    pub(super) fn name() -> String {
        format!("{:032x}", rand::random::<u128>())
    }

    /// The viewer whose folder this is; listed from now on.
    pub(super) fn visit(&self, name: &str, who: impl FnOnce() -> Who) -> Result<Visit, NoViewer> {
        if name.len() != LETTERS || !name.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(NoViewer::Name);
        }
        let mut list = self.list.lock();
        if let Some(session) = list.get_mut(name) {
            session.asked = Instant::now();
            let guard = session.guard.clone().filter(|g| !g.is_kicked());
            let guard = guard.ok_or(NoViewer::Kicked)?;
            session.busy.fetch_add(1, Relaxed);
            let busy = session.busy.clone();
            return Ok(Visit { guard, busy });
        }
        if list.len() >= MOST {
            return Err(NoViewer::Full);
        }
        let guard = self.audience.join(who()).map_err(NoViewer::NotLetIn)?;
        let guard = Arc::new(guard);
        let busy = Arc::new(AtomicUsize::new(1));
        list.insert(
            name.to_string(),
            Session {
                guard: Some(guard.clone()),
                asked: Instant::now(),
                busy: busy.clone(),
            },
        );
        tokio::spawn(self.clone().watch(name.to_string(), guard.clone()));
        Ok(Visit { guard, busy })
    }

    /// Follow one viewer to its end.
    async fn watch(self, name: String, guard: Arc<Guard>) {
        let same = |session: &Session| {
            session
                .guard
                .as_ref()
                .is_some_and(|g| Arc::ptr_eq(g, &guard))
        };
        let kicked = tokio::select! {
            () = guard.kicked() => true,
            () = self.silence(&name, self.patience.left, same) => false,
        };
        if !kicked {
            return self.remove(&name, same);
        }
        match self.list.lock().get_mut(&name).filter(|s| same(s)) {
            Some(session) => session.guard = None,
            None => return,
        }
        // Gone from the list of viewers.
        drop(guard);
        let let_go = |session: &Session| session.guard.is_none();
        self.silence(&name, self.patience.forgotten, let_go).await;
        self.remove(&name, let_go);
    }

    fn remove(&self, name: &str, which: impl Fn(&Session) -> bool) {
        let mut list = self.list.lock();
        if list.get(name).is_some_and(which) {
            list.remove(name);
        }
    }

    /// Done when nothing was asked for this long, or the session is no longer this one.
    async fn silence(&self, name: &str, length: Duration, which: impl Fn(&Session) -> bool) {
        loop {
            let end = match self.list.lock().get(name).filter(|s| which(s)) {
                Some(session) if session.busy.load(Relaxed) > 0 => Instant::now() + length,
                Some(session) => session.asked + length,
                None => return,
            };
            if Instant::now() >= end {
                return;
            }
            sleep_until(end).await;
        }
    }

    /// Let everybody go and forget them: the broadcast is over. Who comes back when it goes on is welcome.
    pub(super) fn clear(&self) {
        let sessions = std::mem::take(&mut *self.list.lock());
        for guard in sessions.into_values().filter_map(|s| s.guard) {
            self.audience.kick(guard.id());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audience::{Change, Transport};
    use tokio::sync::mpsc;

    /// A list with so little patience, and the numbers of those who left.
    fn rig(left: u64, forgotten: u64) -> (Sessions, Audience, mpsc::UnboundedReceiver<u64>) {
        let (tell, told) = mpsc::unbounded_channel();
        let audience = Audience::new(move |change| {
            if let Change::Left(id, _) = change {
                let _ = tell.send(id);
            }
        });
        let patience = Patience {
            left: Duration::from_millis(left),
            forgotten: Duration::from_millis(forgotten),
        };
        (Sessions::new(audience.clone(), patience), audience, told)
    }

    fn who() -> Who {
        Who {
            transport: Transport::Hls,
            format: "mp4".into(),
            address: "127.0.0.1:1".into(),
            agent: "test".into(),
        }
    }

    #[tokio::test]
    async fn a_viewer_is_listed_as_long_as_it_asks() {
        let (sessions, audience, mut left) = rig(20, 20);
        let name = Sessions::name();
        let asks = sessions.visit(&name, who).unwrap();
        assert_eq!(
            sessions.visit(&name, who).unwrap().guard.id(),
            asks.guard.id()
        );
        let silent = sessions.visit(&Sessions::name(), who).unwrap();
        assert_eq!(audience.count(), 2);
        let id = silent.guard.id();
        drop(silent);
        assert_eq!(left.recv().await, Some(id));
        assert_eq!(audience.count(), 1, "the other one is being answered");
        let id = asks.guard.id();
        drop(asks);
        assert_eq!(left.recv().await, Some(id));
        drop(sessions.visit(&name, who).unwrap());
        assert_eq!(audience.count(), 1, "back again");
    }

    #[tokio::test]
    async fn who_was_let_go_stays_out_and_others_stay() {
        let (sessions, audience, mut left) = rig(60_000, 60_000);
        let (goes, stays) = (Sessions::name(), Sessions::name());
        let id = sessions.visit(&goes, who).unwrap().guard.id();
        drop(sessions.visit(&stays, who).unwrap());
        assert!(audience.kick(id));
        let refused = |name: &str| sessions.visit(name, who).err();
        assert_eq!(refused(&goes), Some(NoViewer::Kicked));
        assert_eq!(left.recv().await, Some(id), "off the list");
        assert_eq!(refused(&goes), Some(NoViewer::Kicked));
        assert_eq!(refused(&stays), None);
        assert_eq!(refused("../../x"), Some(NoViewer::Name));
    }

    #[tokio::test]
    async fn the_end_of_a_broadcast_lets_everybody_go_and_back_in_later() {
        let (sessions, audience, mut left) = rig(60_000, 60_000);
        let name = Sessions::name();
        let id = sessions.visit(&name, who).unwrap().guard.id();
        sessions.clear();
        assert_eq!(left.recv().await, Some(id));
        assert_ne!(sessions.visit(&name, who).unwrap().guard.id(), id);
        assert_eq!(audience.count(), 1);
    }
}
