// SPDX-License-Identifier: GPL-3.0-or-later
//! What one part of a source says of itself.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use parking_lot::Mutex;

use crate::{
    error::SourceError,
    message::{SourceId, SourceState, SourceStatus},
    source::{SourceNews, Spec, Told},
};

/// The state of one part, and who hears of its changes.
#[derive(Clone)]
pub(in crate::source) struct Voice {
    /// What it was asked for as.
    pub(in crate::source) spec: Spec,
    status: Arc<Mutex<SourceStatus>>,
    told: Told,
    /// The part was taken out: nobody is to hear of it any more.
    gone: Arc<AtomicBool>,
}

impl Voice {
    pub(in crate::source) fn new(spec: Spec, status: SourceStatus, told: Told) -> Self {
        Voice {
            spec,
            status: Arc::new(Mutex::new(status)),
            told,
            gone: Arc::default(),
        }
    }

    pub(in crate::source) fn id(&self) -> SourceId {
        self.status.lock().id
    }

    pub(in crate::source) fn status(&self) -> SourceStatus {
        self.status.lock().clone()
    }

    /// Change it before anybody has heard of it.
    pub(in crate::source) fn quietly(&self, change: impl FnOnce(&mut SourceStatus)) {
        change(&mut self.status.lock());
    }

    /// Change it, and tell.
    pub(in crate::source) fn change(&self, change: impl FnOnce(&mut SourceStatus)) {
        self.quietly(change);
        self.announce();
    }

    pub(in crate::source) fn announce(&self) {
        if !self.is_gone() {
            (self.told)(SourceNews::Changed(Box::new(self.status())));
        }
    }

    /// Tell what was left out, or that all is well.
    pub(in crate::source) fn warn(&self, warning: Option<SourceError>) {
        if self.status.lock().warning != warning {
            self.change(|status| status.warning = warning);
        }
    }

    /// The last that is heard of it.
    pub(in crate::source) fn leave(&self) {
        if !self.gone.swap(true, Relaxed) {
            (self.told)(SourceNews::Removed(self.id()));
        }
    }

    /// What was wanted only if it is there is not there.
    pub(super) fn absent(&self) {
        (self.told)(SourceNews::Absent(self.id()));
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }

    pub(in crate::source) fn tell(&self, state: SourceState) {
        let new = {
            let mut status = self.status.lock();
            let differs = status.state != state;
            status.state = state;
            differs
        };
        if new {
            self.announce();
        }
    }
}
