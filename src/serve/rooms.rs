// SPDX-License-Identifier: GPL-3.0-or-later
//! How many connections one address may hold, and all together, before anything is read from them.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use parking_lot::Mutex;

use crate::audience::{Limits, network};

/// A page with its streams has some connections at a time.
const EACH_VIEWER: usize = 4;
/// Pages, scripts and hands on the way out of one address that may have few viewers.
const LEAST: usize = 64;

/// The connections there are. Clones are handles of the same.
#[derive(Clone)]
pub(super) struct Rooms(Arc<Inner>);

struct Inner {
    per_address: usize,
    all: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    by: HashMap<IpAddr, usize>,
    all: usize,
}

/// One connection's place; free again when dropped.
pub(super) struct Room {
    rooms: Rooms,
    by: Option<IpAddr>,
}

/// There is no place left.
#[derive(Debug, PartialEq)]
pub(super) enum NoRoom {
    /// For this address.
    Here,
    /// For anybody.
    AtAll,
}

impl Rooms {
    /// As many as these viewers need, and as the system has descriptors: some are left for files and outputs.
    pub(super) fn new(limits: Limits) -> Rooms {
        let descriptors = rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(1024, |(now, _)| now);
        let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
        Rooms::with(
            match limits.per_address {
                0 => usize::MAX,
                n => n.saturating_mul(EACH_VIEWER).max(LEAST),
            },
            descriptors - descriptors / 4,
        )
    }

    fn with(per_address: usize, all: usize) -> Rooms {
        Rooms(Arc::new(Inner {
            per_address,
            all,
            held: Mutex::default(),
        }))
    }

    /// A place for a connection from there.
    pub(super) fn take(&self, ip: IpAddr) -> Result<Room, NoRoom> {
        let by = Some(network(ip)).filter(|_| !ip.to_canonical().is_loopback());
        let mut held = self.0.held.lock();
        if held.all >= self.0.all {
            return Err(NoRoom::AtAll);
        }
        if let Some(ip) = by {
            let here = held.by.entry(ip).or_default();
            if *here >= self.0.per_address {
                return Err(NoRoom::Here);
            }
            *here += 1;
        }
        held.all += 1;
        Ok(Room {
            rooms: self.clone(),
            by,
        })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut held = self.rooms.0.held.lock();
        held.all -= 1;
        if let Some(ip) = self.by
            && let Some(here) = held.by.get_mut(&ip)
        {
            *here -= 1;
            if *here == 0 {
                held.by.remove(&ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_and_given_back() {
        let rooms = Rooms::with(2, 4);
        let take = |ip: &str| rooms.take(ip.parse().unwrap());
        let (a, _b) = (take("192.0.2.1").unwrap(), take("192.0.2.1").unwrap());
        assert_eq!(take("192.0.2.1").err(), Some(NoRoom::Here));
        let own = [take("127.0.0.1").unwrap(), take("127.0.0.1").unwrap()];
        assert_eq!(take("192.0.2.2").err(), Some(NoRoom::AtAll));
        drop((a, own));
        assert!(take("192.0.2.1").is_ok());
        assert_eq!(rooms.0.held.lock().by.len(), 1);
    }
}
