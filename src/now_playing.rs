// SPDX-License-Identifier: GPL-3.0-or-later
//! What is playing now: one line of text that players show beside the name of the stream.

use std::sync::Arc;

use tokio::sync::watch;

/// The text. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct NowPlaying(Arc<watch::Sender<String>>);

impl NowPlaying {
    /// The text now; empty if nobody said anything.
    pub fn get(&self) -> String {
        self.0.borrow().clone()
    }

    /// Say what is playing. Those who read it are told if it is another text than before.
    pub fn set(&self, text: String) {
        self.0.send_if_modified(|old| {
            let new = *old != text;
            *old = text;
            new
        });
    }

    /// Be told of each new text.
    pub fn subscribe(&self) -> watch::Receiver<String> {
        self.0.subscribe()
    }
}
