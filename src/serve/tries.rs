// SPDX-License-Identifier: GPL-3.0-or-later
//! Wrong tokens and passwords, counted by address, so that nobody tries them out.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::audience::network;

/// Wrong ones in a row before an address has to wait.
const FREE: u32 = 20;
/// After those, one more each.
const EACH: Duration = Duration::from_secs(6);
/// Addresses that are remembered: some hundred kilobytes.
const MOST: usize = 4096;

/// Who tried how often. Each entry is the time at which all of its wrong ones are forgotten.
#[derive(Default)]
pub(super) struct Tries(Mutex<HashMap<IpAddr, Instant>>);

impl Tries {
    /// How long this address has to wait, if it has to.
    pub(super) fn wait(&self, ip: IpAddr) -> Option<Duration> {
        self.wait_at(ip, Instant::now())
    }

    /// Another wrong one.
    pub(super) fn wrong(&self, ip: IpAddr) {
        self.wrong_at(ip, Instant::now());
    }

    fn wait_at(&self, ip: IpAddr, now: Instant) -> Option<Duration> {
        let until = *self.0.lock().get(&network(ip))?;
        let debt = until.saturating_duration_since(now);
        let over = debt.checked_sub(EACH * (FREE - 1))?;
        (!over.is_zero()).then_some(over)
    }

    fn wrong_at(&self, ip: IpAddr, now: Instant) {
        let mut all = self.0.lock();
        let key = network(ip);
        if all.len() >= MOST && !all.contains_key(&key) {
            all.retain(|_, until| *until > now);
            // All of them are busy: the one that is forgotten first makes room.
            if all.len() >= MOST
                && let Some(first) = all.iter().min_by_key(|(_, u)| **u).map(|(k, _)| *k)
            {
                all.remove(&first);
            }
        }
        let until = all.entry(key).or_insert(now);
        // No longer than this, so that who sends thousands is let in again one day.
        *until = ((*until).max(now) + EACH).min(now + EACH * FREE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_tries_too_often_waits_and_nobody_else() {
        let (tries, now) = (Tries::default(), Instant::now());
        let [a, b] = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().unwrap());
        for _ in 0..FREE {
            assert_eq!(tries.wait_at(a, now), None);
            tries.wrong_at(a, now);
        }
        assert_eq!(tries.wait_at(a, now), Some(EACH));
        assert_eq!(tries.wait_at(b, now), None);
        for _ in 0..1000 {
            tries.wrong_at(a, now);
        }
        assert_eq!(tries.wait_at(a, now), Some(EACH), "not for ever");
        assert_eq!(tries.wait_at(a, now + EACH), None);
    }

    #[test]
    fn many_addresses_cost_no_more_than_so_much() {
        let (tries, now) = (Tries::default(), Instant::now());
        for n in 0..(MOST as u32 + 500) {
            tries.wrong_at(IpAddr::from(n.to_be_bytes()), now);
        }
        assert_eq!(tries.0.lock().len(), MOST);
    }
}
