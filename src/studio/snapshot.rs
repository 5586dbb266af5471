// SPDX-License-Identifier: GPL-3.0-or-later
//! Everything at one moment, for the status.

use super::Shared;
use crate::{
    message::{
        AirState, MediaKind, OutputState, OutputStatus, Progress, SourceState, SourceStatus,
    },
    program::{Levels, scene::Layout},
    stats::{self, LevelRow, MountRow, OutputRow, SourceRow, Status, ViewerRow},
};

impl Shared {
    pub(super) fn snapshot(&self) -> Status {
        let air = *self.air.borrow();
        let rates = self.rates.lock();
        let layout = self.layout.lock().clone();
        let rows = self.sources.rows();
        let sources = rows
            .into_iter()
            .map(|row| SourceRow {
                guest: self.seats.row(row.0.id),
                ..source_row(row, &layout)
            })
            .collect();
        let outputs = self.outputs.list();
        let mut status = Status {
            air: air.word().into(),
            since: match air {
                AirState::Live { since } => Some(stats::seconds(since)),
                AirState::Off | AirState::Starting | AirState::Stopping => None,
            },
            encoders: rates.encoders.clone(),
            sources,
            outputs: outputs
                .iter()
                .map(|(status, bytes)| {
                    let row = output_row(status, *bytes, rates.of_output(&status.name));
                    let numbers = self.outputs.numbers(&status.name);
                    OutputRow {
                        dropped: numbers.dropped,
                        mount: numbers.mount.map(|m| MountRow {
                            listeners: m.listeners,
                            peak: m.peak,
                            bytes: m.bytes,
                        }),
                        ..row
                    }
                })
                .collect(),
            viewers: self
                .audience
                .viewers()
                .iter()
                .map(ViewerRow::from)
                .collect(),
            health: String::new(),
        };
        status.health = stats::health(&status, rates.dropped_lately);
        status
    }
}

fn with_remedy(error: &(impl std::fmt::Display + crate::error::Remedy)) -> String {
    format!("{error} {}", error.remedy())
}

fn source_row(
    (s, levels, progress): (SourceStatus, Option<Levels>, Option<Progress>),
    layout: &Layout,
) -> SourceRow {
    let picture = s.kind == MediaKind::Video;
    SourceRow {
        id: s.id,
        kind: s.kind,
        state: s.state.word().into(),
        error: match &s.state {
            SourceState::Lost { error, .. } | SourceState::Ended(error) => Some(with_remedy(error)),
            SourceState::Starting | SourceState::Live => None,
        },
        warning: s.warning.as_ref().map(with_remedy),
        spec: s.spec,
        partner: s.partner,
        shown: picture.then(|| layout.shows(s.id)),
        framing: picture.then_some(s.framing),
        strip: (!picture).then_some(s.strip),
        levels: levels.filter(|_| !picture).map(|l| LevelRow {
            peak_db: l.peak_db,
            rms_db: l.rms_db,
        }),
        progress,
        guest: None,
    }
}

fn output_row(s: &OutputStatus, bytes: u64, bitrate: u64) -> OutputRow {
    OutputRow {
        name: s.name.clone(),
        kind: s.kind.into(),
        enabled: s.enabled,
        state: s.state.word().into(),
        url: s.url.clone(),
        bitrate,
        bytes,
        dropped: 0,
        mount: None,
        error: s.state.error().map(with_remedy),
        warning: s.warning.as_ref().map(with_remedy),
        paused: s.state == OutputState::Paused,
    }
}
