// SPDX-License-Identifier: GPL-3.0-or-later
//! Loudness, written by a streaming thread and read by anybody.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Loudness over the last 50 ms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    /// Highest sample of left and right in dBFS; -100 is silence.
    pub peak_db: [f32; 2],
    /// Mean level of left and right in dBFS; -100 is silence.
    pub rms_db: [f32; 2],
}

const SILENCE_DB: f32 = -100.0;

impl Default for Levels {
    fn default() -> Self {
        Levels {
            peak_db: [SILENCE_DB; 2],
            rms_db: [SILENCE_DB; 2],
        }
    }
}

/// The place where the newest levels stand.
#[derive(Debug)]
pub(super) struct LevelCells([AtomicU32; 4]);

impl Default for LevelCells {
    fn default() -> Self {
        LevelCells(std::array::from_fn(|_| {
            AtomicU32::new(SILENCE_DB.to_bits())
        }))
    }
}

impl LevelCells {
    /// Keep what a `level` element says.
    pub(super) fn store(&self, message: &gst::StructureRef) {
        for (i, field) in ["peak", "rms"].into_iter().enumerate() {
            let Ok(values) = message.get::<gst::glib::ValueArray>(field) else {
                continue;
            };
            for channel in 0..2 {
                // A mono level counts for both sides.
                let value = values.get(channel).or(values.first());
                let db = value.and_then(|v| v.get::<f64>().ok()).unwrap_or(-100.0) as f32;
                self.0[i * 2 + channel].store(db.clamp(SILENCE_DB, 20.0).to_bits(), Relaxed);
            }
        }
    }

    /// Nothing comes any more.
    pub(super) fn silence(&self) {
        for cell in &self.0 {
            cell.store(SILENCE_DB.to_bits(), Relaxed);
        }
    }

    pub(super) fn load(&self) -> Levels {
        let cell = |i: usize| f32::from_bits(self.0[i].load(Relaxed));
        Levels {
            peak_db: [cell(0), cell(1)],
            rms_db: [cell(2), cell(3)],
        }
    }
}
