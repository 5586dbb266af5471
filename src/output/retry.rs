// SPDX-License-Identifier: GPL-3.0-or-later
//! How long to wait before trying again.

use std::time::Duration;

/// Delays that grow by half each time, up to a limit.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
    cap: Duration,
}

impl Backoff {
    /// 2 s, then half as much again each time (as OBS does), at most a minute: a server that was restarted is found
    /// again soon, one that is gone is not hammered.
    pub fn new() -> Self {
        Backoff {
            next: Duration::from_secs(2),
            cap: Duration::from_secs(60),
        }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff::new()
    }
}

impl Iterator for Backoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let now = self.next;
        self.next = now.mul_f64(1.5).min(self.cap);
        Some(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_by_half_up_to_a_minute() {
        let delays: Vec<f64> = Backoff::new().take(12).map(|d| d.as_secs_f64()).collect();
        assert_eq!(delays[..4], [2.0, 3.0, 4.5, 6.75]);
        assert_eq!(delays[11], 60.0);
    }
}
