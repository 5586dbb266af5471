// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether a recording gets on, and who holds it up.

use std::time::Duration;

use tokio::time::Instant;

/// A disk that takes nothing for this long is given up: "live" would be untrue.
const STALL: Duration = Duration::from_secs(15);

/// What came to be written, and what was.
#[derive(Debug)]
pub(super) struct Pulse {
    /// Which tracks have given something since anything was last written. A muxer may wait for each of them.
    fed: Vec<bool>,
    since: Instant,
}

/// Who holds a recording up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// The disk: all that is needed was there to be written.
    ByDisk,
    /// Encoders, that give nothing.
    ByEncoders,
}

impl Pulse {
    /// Nothing came yet.
    pub(super) fn new(tracks: usize, now: Instant) -> Pulse {
        Pulse {
            fed: vec![false; tracks],
            since: now,
        }
    }

    /// Something of a track came.
    pub(super) fn fed(&mut self, track: usize, now: Instant) {
        let before = self.complete();
        if let Some(fed) = self.fed.get_mut(track) {
            *fed = true;
        }
        if self.complete() && !before {
            // The disk's time begins now.
            self.since = now;
        }
    }

    /// Something was written, or nothing is to be for the moment.
    pub(super) fn moved(&mut self, now: Instant) {
        self.fed.fill(false);
        self.since = now;
    }

    /// When to ask who holds it up, unless something moves before.
    pub(super) fn due(&self) -> Instant {
        self.since + STALL
    }

    /// Who holds it up. Encoders are given as long again.
    pub(super) fn held(&mut self, now: Instant) -> Held {
        match self.complete() {
            true => Held::ByDisk,
            false => {
                self.since = now;
                Held::ByEncoders
            }
        }
    }

    fn complete(&self) -> bool {
        self.fed.iter().all(|fed| *fed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_blamed_only_for_what_came_from_every_encoder() {
        let mut now = Instant::now();
        let mut pulse = Pulse::new(2, now);
        pulse.fed(1, now);
        now = pulse.due();
        assert_eq!(pulse.held(now), Held::ByEncoders, "no picture came");
        pulse.fed(0, now);
        now = pulse.due();
        assert_eq!(pulse.held(now), Held::ByDisk);
    }

    #[test]
    fn a_disk_has_its_whole_time_from_what_came_last() {
        let mut now = Instant::now();
        let mut pulse = Pulse::new(1, now);
        now += STALL - Duration::from_secs(1);
        pulse.fed(0, now);
        assert_eq!(pulse.due(), now + STALL, "not what the encoder left of it");
        pulse.fed(0, now + Duration::from_secs(1));
        assert_eq!(pulse.due(), now + STALL, "more of the same gives no more");
        now += Duration::from_secs(2);
        pulse.moved(now);
        assert_eq!(pulse.due(), now + STALL);
        now = pulse.due();
        assert_eq!(pulse.held(now), Held::ByEncoders);
        assert_eq!(pulse.due(), now + STALL, "they are asked again later");
    }
}
