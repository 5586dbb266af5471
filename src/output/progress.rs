// SPDX-License-Identifier: GPL-3.0-or-later
//! What a sink has really taken.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use gst::prelude::*;
use tokio::sync::Notify;

/// What a sink has really taken. A buffer counts as taken when the sink asks for the next one: its streaming thread
/// comes back only after the first was written.
pub(crate) struct Progress {
    pub(super) accepted: Arc<AtomicU64>,
    pub(super) moved: Arc<Notify>,
}

impl Progress {
    /// Nothing yet; somebody counts and calls [`set`](Progress::set).
    pub(super) fn counted() -> Progress {
        Progress {
            accepted: Arc::default(),
            moved: Arc::default(),
        }
    }

    /// Done when something was taken since the last time.
    pub(super) async fn moved(&self) {
        self.moved.notified().await;
        // Not used up: it is news for others too.
        self.moved.notify_one();
    }

    /// So many bytes were taken so far.
    pub(super) fn set(&self, bytes: u64) {
        self.accepted.store(bytes, Relaxed);
        self.moved.notify_one();
    }

    pub(super) fn new() -> Progress {
        Progress {
            accepted: Arc::default(),
            moved: Arc::default(),
        }
    }

    /// Count what this sink takes too.
    pub(super) fn follow(&self, sink: &gst::Element) {
        let (accepted, moved) = (self.accepted.clone(), self.moved.clone());
        let (pending, any) = (AtomicU64::new(0), AtomicBool::new(false));
        if let Some(pad) = sink.static_pad("sink") {
            let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
            pad.add_probe(kinds, move |_, info| {
                let size = match &info.data {
                    Some(gst::PadProbeData::Buffer(buffer)) => buffer.size(),
                    Some(gst::PadProbeData::BufferList(list)) => list.calculate_size(),
                    _ => 0,
                };
                let taken = pending.swap(size as u64, Relaxed);
                if any.swap(true, Relaxed) {
                    accepted.fetch_add(taken, Relaxed);
                    moved.notify_one();
                }
                gst::PadProbeReturn::Ok
            });
        }
    }
}
