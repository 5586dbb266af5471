// SPDX-License-Identifier: GPL-3.0-or-later
//! Once a second: counters become rates.

use std::{collections::BTreeMap, sync::Weak, time::Duration};

use tokio::time::{Instant, MissedTickBehavior};

use super::Shared;
use crate::{
    encode::{EncodeSettings, EncoderStatus, RungId},
    stats::{EncoderRow, Meters},
};

/// Rates over the last second, and what is needed to make the next ones.
#[derive(Debug, Default)]
pub(super) struct Rates {
    pub(super) encoders: Vec<EncoderRow>,
    /// Raw frames dropped by encoders in the last second.
    pub(super) dropped_lately: u64,
    /// Sums since the start.
    pub(super) meters: Meters,
    outputs: BTreeMap<String, u64>,
    before: Counts,
}

/// Counters as they were one second ago.
#[derive(Debug, Default)]
struct Counts {
    viewers: BTreeMap<u64, u64>,
    /// Bytes and drops.
    outputs: BTreeMap<String, (u64, u64)>,
    encoders: BTreeMap<RungId, EncoderStatus>,
}

impl Rates {
    pub(super) fn of_output(&self, name: &str) -> u64 {
        self.outputs.get(name).copied().unwrap_or(0)
    }

    fn update(&mut self, shared: &Shared, running: Vec<EncoderStatus>, span: Duration) {
        let per_second = |n: u64| n as f64 / span.as_secs_f64().max(0.001);
        let bits = |now: u64, before: u64| (per_second(now.saturating_sub(before)) * 8.0) as u64;
        let mut now = Counts {
            // The counters of an encoder that ended go on when it is needed again.
            encoders: std::mem::take(&mut self.before.encoders),
            ..Counts::default()
        };
        for viewer in shared.audience.viewers() {
            let bytes = viewer.counters.bytes();
            let before = self.before.viewers.get(&viewer.id).copied().unwrap_or(0);
            viewer.counters.set_bitrate(bits(bytes, before));
            now.viewers.insert(viewer.id, bytes);
        }
        self.outputs.clear();
        let mut meters = BTreeMap::new();
        for (status, bytes) in shared.outputs.list() {
            let name = status.name;
            let dropped = shared.outputs.numbers(&name).dropped;
            let before = self.before.outputs.get(&name).copied().unwrap_or((0, 0));
            self.outputs.insert(name.clone(), bits(bytes, before.0));
            let mut meter = self.meters.outputs.remove(&name).unwrap_or_default();
            meter.kind = status.kind;
            meter.bytes += grown(bytes, before.0);
            meter.dropped += grown(dropped, before.1);
            meters.insert(name.clone(), meter);
            now.outputs.insert(name, (bytes, dropped));
        }
        self.meters.outputs = meters;
        let settings = shared.encoding.lock().clone();
        self.encoders.clear();
        self.dropped_lately = 0;
        for encoder in running {
            let before = now.encoders.get(&encoder.rung);
            let since = |get: fn(&EncoderStatus) -> u64| {
                get(&encoder).saturating_sub(before.map_or(0, get))
            };
            self.dropped_lately += before.map_or(0, |_| since(|e| e.dropped));
            let (packets, dropped) = before.map_or((0, 0), |b| (b.packets, b.dropped));
            if encoder.rung.word() == FULL {
                self.meters.frames += grown(encoder.packets, packets);
            }
            self.meters.dropped += grown(encoder.dropped, dropped);
            let row = row(
                &settings,
                &encoder,
                per_second(since(|e| e.packets)),
                bits(since(|e| e.bytes), 0),
            );
            // One row for each encoder element really there, not for each that should be.
            self.encoders
                .extend(std::iter::repeat_n(row, encoder.elements));
            now.encoders.insert(encoder.rung, encoder);
        }
        self.before = now;
    }
}

/// What came since; what begins again from zero has grown by what it is.
fn grown(now: u64, before: u64) -> u64 {
    now.checked_sub(before).unwrap_or(now)
}

/// The rung of the program's own size.
const FULL: &str = "full";

fn row(settings: &EncodeSettings, encoder: &EncoderStatus, fps: f64, bitrate: u64) -> EncoderRow {
    let (width, height) = settings.size(encoder.rung);
    EncoderRow {
        codec: encoder.rung.codec.name.into(),
        element: encoder.element.into(),
        rung: encoder.rung.word().into(),
        width,
        height,
        fps: (fps * 10.0).round() / 10.0,
        bitrate,
        dropped: encoder.dropped,
    }
}

/// Keep the rates true until the engine ends.
pub(super) async fn follow(shared: Weak<Shared>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    loop {
        ticks.tick().await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let span = last.elapsed();
        last = Instant::now();
        // Counting elements waits for the worker that owns the encoders.
        let counted = tokio::task::spawn_blocking(move || {
            let running = shared.encoders.running();
            shared.rates.lock().update(&shared, running, span);
        });
        if counted.await.is_err() {
            return;
        }
    }
}
