// SPDX-License-Identifier: GPL-3.0-or-later
//! Addresses that may not watch.

use std::{collections::BTreeMap, net::IpAddr, time::SystemTime};

use thiserror::Error;

use super::Viewer;

/// Somebody who may not watch until the broadcast ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// Their address.
    pub address: IpAddr,
    /// What they called themselves.
    pub agent: String,
    /// What was noted about them.
    pub note: String,
    /// Since when.
    pub since: SystemTime,
}

/// Said to somebody who is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotLetIn {
    /// Their address is banned.
    #[error("The broadcaster does not let this address watch. Ask them to let you in again.")]
    Banned,
    /// Others of their address watch already.
    #[error("Too many viewers watch from your address. Try again when one has left.")]
    TooManyHere,
    /// The broadcaster wants no more viewers.
    #[error("There are as many viewers as the broadcaster allows. Try again later.")]
    TooMany,
}

#[derive(Default)]
pub(super) struct Bans(BTreeMap<IpAddr, Ban>);

impl Bans {
    pub(super) fn check(&self, address: Option<IpAddr>) -> Result<(), NotLetIn> {
        match address.is_some_and(|a| self.0.contains_key(&a)) {
            true => Err(NotLetIn::Banned),
            false => Ok(()),
        }
    }

    pub(super) fn add(&mut self, address: IpAddr, viewer: &Viewer) -> Ban {
        let ban = self.0.entry(address).or_insert_with(|| Ban {
            address,
            agent: viewer.who.agent.clone(),
            note: viewer.note.to_string(),
            since: SystemTime::now(),
        });
        ban.clone()
    }

    pub(super) fn remove(&mut self, address: IpAddr) -> bool {
        self.0.remove(&address).is_some()
    }

    pub(super) fn all(&self) -> Vec<Ban> {
        self.0.values().cloned().collect()
    }

    /// Whether there were any.
    pub(super) fn clear(&mut self) -> bool {
        !std::mem::take(&mut self.0).is_empty()
    }
}
