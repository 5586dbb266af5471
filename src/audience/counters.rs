// SPDX-License-Identifier: GPL-3.0-or-later
//! Numbers of one viewer.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Numbers of one viewer, written by whoever serves it and read by anybody.
#[derive(Debug, Default)]
pub struct Counters {
    bytes: AtomicU64,
    bitrate: AtomicU64,
    queue_ms: AtomicU32,
    dropped: AtomicU64,
    /// Milliseconds + 1; 0 is unknown.
    rtt: AtomicU32,
    /// Thousandths + 1; 0 is unknown.
    loss: AtomicU32,
    low: AtomicBool,
}

impl Counters {
    /// Bytes that were taken by the viewer's connection.
    pub fn add_bytes(&self, n: u64) {
        self.bytes.fetch_add(n, Relaxed);
    }
    /// Set the bytes, where somebody else counts.
    pub fn set_bytes(&self, n: u64) {
        self.bytes.store(n, Relaxed);
    }
    /// Age of the oldest item not yet sent, in milliseconds.
    pub fn set_queue_ms(&self, ms: u32) {
        self.queue_ms.store(ms, Relaxed);
    }
    /// Frames this viewer missed because it was too slow.
    pub fn set_dropped(&self, n: u64) {
        self.dropped.store(n, Relaxed);
    }
    /// Round-trip time in milliseconds.
    pub fn set_rtt_ms(&self, ms: u32) {
        self.rtt.store(ms.saturating_add(1), Relaxed);
    }
    /// Share of packets lost, 0 to 1.
    pub fn set_loss(&self, share: f32) {
        self.loss
            .store((share.clamp(0.0, 1.0) * 1000.0) as u32 + 1, Relaxed);
    }
    /// Whether the picture is the small one.
    pub fn set_low(&self, low: bool) {
        self.low.store(low, Relaxed);
    }
    /// Set the rate in bit/s; done once a second by the registry's ticker.
    pub fn set_bitrate(&self, bits: u64) {
        self.bitrate.store(bits, Relaxed);
    }

    /// Bytes taken so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
    /// Rate over the last second in bit/s.
    pub fn bitrate(&self) -> u64 {
        self.bitrate.load(Relaxed)
    }
    /// Whether the picture is the small one.
    pub fn low(&self) -> bool {
        self.low.load(Relaxed)
    }
    /// Age of the queue in milliseconds.
    pub fn queue_ms(&self) -> u32 {
        self.queue_ms.load(Relaxed)
    }
    /// Frames missed.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
    /// Round-trip time in milliseconds, where it is known.
    pub fn rtt_ms(&self) -> Option<u32> {
        self.rtt.load(Relaxed).checked_sub(1)
    }
    /// Share of packets lost, where it is known.
    pub fn loss(&self) -> Option<f32> {
        Some(self.loss.load(Relaxed).checked_sub(1)? as f32 / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_round_trip_and_loss_are_not_zero() {
        let c = Counters::default();
        assert_eq!((c.rtt_ms(), c.loss()), (None, None));
        c.set_rtt_ms(0);
        c.set_loss(0.25);
        assert_eq!((c.rtt_ms(), c.loss()), (Some(0), Some(0.25)));
    }
}
