// SPDX-License-Identifier: GPL-3.0-or-later
//! All recordings together, as the one recording that OBS has.

use std::time::{Duration, Instant};

use crate::stats::OutputRow;

/// What they do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Recording {
    #[default]
    Off,
    Starting,
    On,
    Paused,
}

/// What they do, and the file of the first that does it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Recorder {
    pub(super) state: Recording,
    pub(super) path: Option<String>,
}

impl Recorder {
    /// The kind of output that is a recording.
    pub(super) const KIND: &str = "record";

    pub(super) fn of(outputs: &[OutputRow]) -> Recorder {
        let path = |o: &OutputRow| Some(Recorder::path(&o.url).to_string());
        let mut all = Recorder::default();
        for o in outputs.iter().filter(|o| o.kind == Recorder::KIND) {
            let state = match o.state.as_str() {
                "live" => Recording::On,
                "connecting" => Recording::Starting,
                "waiting" if o.paused => Recording::Paused,
                _ => Recording::Off,
            };
            // One that writes counts more than one that stands still.
            let more = |state| match state {
                Recording::Off => 0,
                Recording::Starting => 1,
                Recording::Paused => 2,
                Recording::On => 3,
            };
            if more(state) > more(all.state) {
                all = Recorder {
                    state,
                    path: path(o),
                };
            }
        }
        all
    }

    /// The same, seen after what was before: one that goes on after a pause is no new one.
    pub(super) fn after(self, before: &Recorder) -> Recorder {
        match (before.state, self.state) {
            (Recording::Paused, Recording::Starting) => before.clone(),
            _ => self,
        }
    }

    /// Where an output of this address writes.
    pub(super) fn path(url: &str) -> &str {
        url.strip_prefix("file:").unwrap_or(url)
    }
}

/// How long was recorded, without pauses.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    state: Recording,
    before: Duration,
    since: Option<Instant>,
}

impl Recorded {
    pub(super) fn follow(&mut self, state: Recording) {
        if state == self.state {
            return;
        }
        if let Some(since) = self.since.take() {
            self.before += since.elapsed();
        }
        if matches!(state, Recording::Off | Recording::Starting) {
            self.before = Duration::ZERO;
        }
        self.since = (state == Recording::On).then(Instant::now);
        self.state = state;
    }

    pub(super) fn time(&self) -> Duration {
        self.before + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}
