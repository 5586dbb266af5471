// SPDX-License-Identifier: GPL-3.0-or-later
//! What plays now, in one line of text, for all who want to tell it.

use std::sync::Arc;

use tokio::sync::watch;

/// The text; empty is nothing. Clones are the same.
#[derive(Clone, Default)]
pub struct NowPlaying(Arc<watch::Sender<String>>);

impl NowPlaying {
    /// What it is now.
    pub fn get(&self) -> String {
        self.0.borrow().clone()
    }

    /// Change it.
    pub fn set(&self, text: String) {
        self.0.send_replace(text);
    }

    /// Hear of every change.
    pub fn subscribe(&self) -> watch::Receiver<String> {
        self.0.subscribe()
    }
}
