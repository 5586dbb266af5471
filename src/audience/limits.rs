// SPDX-License-Identifier: GPL-3.0-or-later
//! How many may watch at one time, of one address and in all.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use super::NotLetIn;

/// How many may watch; 0 is any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of one address. Those of this computer are not limited: they may be all the viewers of a proxy.
    pub per_address: usize,
    /// In all.
    pub all: usize,
    /// How long a viewer's connection may take nothing before they are let go.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            // A school behind one router may watch; one who opens stream after stream is stopped.
            per_address: 64,
            all: 0,
            stall: Duration::from_secs(20),
        }
    }
}

/// The places that are taken.
#[derive(Default)]
pub(super) struct Places {
    pub(super) limits: Limits,
    taken: HashMap<IpAddr, usize>,
    all: usize,
}

impl Places {
    pub(super) fn check(&self, ip: Option<IpAddr>) -> Result<(), NotLetIn> {
        let full = |taken: usize, limit: usize| limit != 0 && taken >= limit;
        if full(self.all, self.limits.all) {
            return Err(NotLetIn::TooMany);
        }
        let here = ip.and_then(|ip| self.taken.get(&network(ip)));
        if full(here.copied().unwrap_or(0), self.limits.per_address) {
            return Err(NotLetIn::TooManyHere);
        }
        Ok(())
    }

    pub(super) fn take(&mut self, ip: Option<IpAddr>) {
        self.all += 1;
        if let Some(ip) = ip.filter(|ip| !ip.is_loopback()) {
            *self.taken.entry(network(ip)).or_default() += 1;
        }
    }

    pub(super) fn leave(&mut self, ip: Option<IpAddr>) {
        self.all = self.all.saturating_sub(1);
        let Some(key) = ip.map(network) else { return };
        if let Some(taken) = self.taken.get_mut(&key) {
            *taken -= 1;
            if *taken == 0 {
                self.taken.remove(&key);
            }
        }
    }
}

/// What counts as one address: whoever has one of IPv6 has all of its network.
pub(crate) fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => {
            let s = ip.segments();
            IpAddr::from([s[0], s[1], s[2], s[3], 0, 0, 0, 0])
        }
    }
}
