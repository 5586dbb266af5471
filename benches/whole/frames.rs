// SPDX-License-Identifier: GPL-3.0-or-later
//! Ten minutes of pictures sent at an irregular rate: whether each is seen, in order, how long it takes from sending
//! to the decoded picture of an HTTP viewer, and whether anything drifts or grows.

use std::time::Duration;

use crate::{Result, measure::Aerial, soak::Soak};

const LASTS: Duration = Duration::from_secs(600);

/// The whole table. It takes as long as it says, so it runs only when asked for by name.
pub fn bench() -> Result<()> {
    let minutes = LASTS.as_secs() / 60;
    println!(
        "\nPictures (480x270 PNG) sent in bursts and after pauses for {minutes} minutes, 320x180 at 25\n"
    );
    let words = ["--video", "frames:plot", "--audio", "none", "--fps", "25"];
    let aerial = Aerial::start_sized("320x180", &words)?;
    let soak = Soak {
        address: aerial.address,
        token: aerial.token.clone(),
        pid: aerial.pid(),
        lasts: LASTS,
    };
    let seen = soak.run()?;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let at = |percent: usize| {
        let delay = seen
            .delays
            .get(seen.delays.len().saturating_sub(1) * percent / 100);
        delay.map_or(f64::NAN, |d| ms(*d))
    };
    println!("{:>36} {:>10}", "pictures sent", seen.sent);
    println!("{:>36} {:>10}", "never seen", seen.missed.len());
    println!("{:>36} {:>10}", "seen out of order", seen.out_of_order);
    for (what, value) in [
        ("sent to seen, median, ms", at(50)),
        ("95th of a hundred, ms", at(95)),
        ("longest, ms", at(100)),
        ("median of the first quarter, ms", ms(seen.first_delay)),
        ("median of the last quarter, ms", ms(seen.last_delay)),
        (
            "memory after two minutes, MiB",
            seen.memory as f64 / f64::from(1 << 20),
        ),
        ("grown since, MiB", seen.grown as f64 / f64::from(1 << 20)),
    ] {
        println!("{what:>36} {value:>10.1}");
    }
    Ok(())
}
