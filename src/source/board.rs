// SPDX-License-Identifier: GPL-3.0-or-later
//! What can be read of the sources from anywhere, in the order of the list.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Spec, keeper::Voice};
use crate::{
    message::{Progress, SourceId, SourceStatus},
    program::{Input, Levels},
};

/// The list of sources. Clones are the same list.
#[derive(Clone, Default)]
pub(crate) struct Board(Arc<Mutex<Vec<Entry>>>);

struct Entry {
    voice: Voice,
    input: Weak<Input>,
    progress: Arc<Mutex<Option<Progress>>>,
}

impl Board {
    pub(super) fn add(
        &self,
        voice: &Voice,
        input: &Arc<Input>,
        progress: &Arc<Mutex<Option<Progress>>>,
    ) {
        self.0.lock().push(Entry {
            voice: voice.clone(),
            input: Arc::downgrade(input),
            progress: progress.clone(),
        });
    }

    pub(super) fn remove(&self, id: SourceId) {
        self.0.lock().retain(|e| e.voice.id() != id);
    }

    pub(super) fn order(&self, ids: &[SourceId]) {
        let place = |e: &Entry| ids.iter().position(|id| *id == e.voice.id());
        self.0
            .lock()
            .sort_by_key(|e| place(e).unwrap_or(usize::MAX));
    }

    pub(super) fn move_to(&self, id: SourceId, place: usize) -> bool {
        let mut entries = self.0.lock();
        let Some(from) = entries.iter().position(|e| e.voice.id() == id) else {
            return false;
        };
        let entry = entries.remove(from);
        let place = place.min(entries.len());
        entries.insert(place, entry);
        true
    }

    /// Numbers in their order.
    pub(crate) fn ids(&self) -> Vec<SourceId> {
        self.0.lock().iter().map(|e| e.voice.id()).collect()
    }

    /// All sources as they are now.
    pub(crate) fn list(&self) -> Vec<SourceStatus> {
        self.0.lock().iter().map(|e| e.voice.status()).collect()
    }

    /// All sources as they are now, and as they were asked for.
    pub(crate) fn asked(&self) -> Vec<(Spec, SourceStatus)> {
        let entries = self.0.lock();
        let both = |e: &Entry| (e.voice.spec.clone(), e.voice.status());
        entries.iter().map(both).collect()
    }

    /// All sources with how loud they are and where they are in their file.
    pub(crate) fn rows(&self) -> Vec<(SourceStatus, Option<Levels>, Option<Progress>)> {
        let entries = self.0.lock();
        let row = |e: &Entry| {
            let levels = e.input.upgrade().map(|input| input.levels());
            (e.voice.status(), levels, e.progress.lock().clone())
        };
        entries.iter().map(row).collect()
    }

    /// How loud a source is.
    pub(crate) fn levels(&self, id: SourceId) -> Option<Levels> {
        self.input(id).map(|input| input.levels())
    }

    /// The next frame of a picture that comes.
    pub(crate) fn next_frame(&self, id: SourceId) -> Option<oneshot::Receiver<gst::Sample>> {
        self.input(id).map(|input| input.next_frame())
    }

    fn input(&self, id: SourceId) -> Option<Arc<Input>> {
        let entries = self.0.lock();
        let entry = entries.iter().find(|e| e.voice.id() == id)?;
        entry.input.upgrade()
    }

    /// Where a source is in its file.
    pub(crate) fn progress(&self, id: SourceId) -> Option<Progress> {
        let entries = self.0.lock();
        let entry = entries.iter().find(|e| e.voice.id() == id)?;
        entry.progress.lock().clone()
    }
}
