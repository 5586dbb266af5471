// SPDX-License-Identifier: GPL-3.0-or-later
//! Made-up viewers, for trying the program, for screenshots and for measuring what a crowd costs the window. They are in
//! the same list as real ones, come and go, and can be let go; nothing is sent to them.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{sync::watch, time::MissedTickBehavior};

use crate::{
    audience::{Audience, Guard, Transport, Who},
    message::AirState,
};

/// More often than rates are made, or those would swing.
const TICK: Duration = Duration::from_millis(250);
/// Of those who are missing, so many come in that time; of those who are there, so many go.
const COME: f64 = 0.1;
const GO: f64 = 0.001;

const AGENTS: [&str; 8] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15",
    "VLC/3.0.21 LibVLC/3.0.21",
    "mpv 0.38.0",
    "Lavf/59.27.100",
];

/// One of them.
struct Made {
    guard: Guard,
    /// Bytes in a second.
    rate: f64,
    rtt: u32,
    loss: f32,
    /// Its line is too narrow.
    slow: bool,
}

/// Fill the list with so many while on the air, until the engine ends.
pub(super) async fn run(audience: Audience, air: watch::Receiver<AirState>, crowd: usize) {
    let mut demo = Demo::new(audience, crowd);
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let live = matches!(*air.borrow(), AirState::Live { .. });
        demo.turn(live);
    }
}

struct Demo {
    audience: Audience,
    crowd: usize,
    dice: StdRng,
    there: Vec<Made>,
}

impl Demo {
    fn new(audience: Audience, crowd: usize) -> Demo {
        Demo {
            audience,
            crowd,
            // The same each time, so that pictures of it can be compared.
            dice: StdRng::seed_from_u64(7),
            there: Vec::with_capacity(crowd),
        }
    }

    /// What happens in a tick.
    fn turn(&mut self, live: bool) {
        let dice = &mut self.dice;
        self.there.retain(|made| live && !made.guard.is_kicked());
        if !live {
            return;
        }
        self.there.retain(|_| !dice.random_bool(GO));
        let missing = self.crowd - self.there.len();
        for _ in 0..(missing as f64 * COME).ceil() as usize {
            // One whose address is banned stays away.
            self.there.extend(make(&self.audience, dice));
        }
        for made in &self.there {
            made.live_on(dice);
        }
    }
}

fn make(audience: &Audience, dice: &mut StdRng) -> Option<Made> {
    let (transport, format) = match dice.random_range(0..10) {
        0..5 => (Transport::Webrtc, "vp8+opus"),
        5..8 => (Transport::Http, "webm"),
        8 => (Transport::Hls, "hls"),
        _ => (Transport::Http, "mp3"),
    };
    // Addresses that are kept for documentation.
    let net = ["192.0.2", "198.51.100", "203.0.113"][dice.random_range(0..3)];
    let (host, port) = (dice.random_range(1..255), dice.random_range(32768..60999));
    let guard = audience.join(Who {
        transport,
        format: format.into(),
        address: format!("{net}.{host}:{port}"),
        agent: AGENTS[dice.random_range(0..AGENTS.len())].into(),
    });
    let sound = format == "mp3";
    let slow = dice.random_bool(0.06);
    let full = if sound { 16_000.0 } else { 320_000.0 };
    Some(Made {
        guard: guard.ok()?,
        rate: if slow { full * 0.4 } else { full },
        rtt: dice.random_range(8..90),
        loss: if slow { 0.04 } else { 0.0 },
        slow,
    })
}

impl Made {
    /// Another tick of it.
    fn live_on(&self, dice: &mut StdRng) {
        let counters = self.guard.counters();
        counters.add_bytes((self.rate * TICK.as_secs_f64() * dice.random_range(0.9..1.1)) as u64);
        counters.set_rtt_ms(self.rtt + dice.random_range(0..6));
        counters.set_loss(self.loss);
        if self.slow {
            counters.set_queue_ms(dice.random_range(200..900));
            counters.set_dropped(counters.dropped() + dice.random_range(0..4));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_viewers_are_there_while_live_and_can_be_let_go() {
        let audience = Audience::new(|_| ());
        let mut demo = Demo::new(audience.clone(), 40);
        let mut turns = |live, count: usize| (0..count).for_each(|_| demo.turn(live));
        turns(false, 10);
        assert_eq!(
            audience.viewers().len(),
            0,
            "nobody watches what is not live"
        );
        turns(true, 60);
        let there = audience.viewers();
        assert!((35..=40).contains(&there.len()), "{}", there.len());
        assert!(there.iter().all(|v| v.counters.bytes() > 0));
        assert!(audience.kick(there[0].id));
        turns(true, 1);
        assert!(audience.viewer(there[0].id).is_none());
        turns(false, 1);
        assert_eq!(audience.viewers().len(), 0);
    }
}
