// SPDX-License-Identifier: GPL-3.0-or-later
//! Half an hour in which thousands come and go: what of them is left.

use std::time::Duration;

use crate::{Result, crowd::Crowd, measure::Aerial};

const JOINS: usize = 5_000;
const LASTS: Duration = Duration::from_secs(30 * 60);

/// The whole table. It takes as long as it says, so it runs only when asked for by name. An error, if threads or
/// descriptors do not come back to what they were.
pub fn bench() -> Result<()> {
    println!(
        "\n{JOINS} viewers who come and go over HTTP and WebRTC in {} minutes, 640x360\n",
        LASTS.as_secs() / 60
    );
    let aerial = Aerial::start_sized("640x360", &["--video", "test", "--audio", "tone"])?;
    let crowd = Crowd {
        address: aerial.address,
        token: aerial.token.clone(),
        pid: aerial.pid(),
        joins: JOINS,
        lasts: LASTS,
    };
    let (before, after) = crowd.run()?;
    println!("{:>12} {:>10} {:>10}", "", "before", "after");
    println!(
        "{:>12} {:>10} {:>10}",
        "threads", before.threads, after.threads
    );
    println!(
        "{:>12} {:>10} {:>10}",
        "descriptors", before.descriptors, after.descriptors
    );
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!(
        "{:>12} {:>10.1} {:>10.1}",
        "MiB",
        mib(before.memory),
        mib(after.memory)
    );
    Ok(())
}
