// SPDX-License-Identifier: GPL-3.0-or-later
//! What a broadcast costs, measured on whole processes. `make bench` runs all of it; `make bench ONLY=http` a part.
//!
//! Load is made by other processes (this program again, in another role), so that it is not counted. CPU is user plus
//! system time of the measured process alone. Each row is the median of several runs; figures depend on the machine,
//! ratios much less.

#[path = "../../tests/it/crowd.rs"]
mod crowd;
mod crowds;
mod foreign;
mod formats;
mod frames;
mod http;
mod launch;
mod list;
mod measure;
#[path = "../../tests/it/numbered.rs"]
mod numbered;
#[path = "../../tests/it/receiver.rs"]
mod receiver;
mod smooth;
#[path = "../../tests/it/soak.rs"]
mod soak;
mod sources;
mod start;
mod webrtc;

/// What every measurement returns: it stops at the first thing that does not work.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Result<()> {
    // Thousands of sockets; clients and servers inherit it.
    rlimit::increase_nofile_limit(u64::MAX)?;
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["role", "webrtc", rest @ ..] => webrtc::viewers(rest),
        ["role", "list"] => list::window(),
        ["role", "start"] => start::windows(),
        ["role", "bare-window"] => start::bare(),
        ["role", "smooth", crowd] => smooth::window(crowd),
        ["role", "foreign"] => foreign::viewers(),
        ["role", "http", rest @ ..] => http::viewers(rest),
        ["role", "bare", rest @ ..] => http::bare_sender(rest),
        _ => {
            let wanted = |name: &str| args.is_empty() || args.contains(&name);
            let cpus = std::thread::available_parallelism()?;
            println!(
                "{cpus} CPUs; each figure is the median of {} runs of {:?}",
                measure::RUNS,
                measure::WINDOW
            );
            if wanted("webrtc") {
                webrtc::bench()?;
                foreign::bench()?;
            }
            if wanted("http") {
                http::bench()?;
            }
            if wanted("formats") {
                formats::bench()?;
            }
            if wanted("launch") {
                launch::bench()?;
            }
            if wanted("sources") {
                sources::bench()?;
            }
            if wanted("list") {
                list::bench()?;
            }
            if wanted("start") {
                start::bench()?;
            }
            if wanted("smooth") {
                smooth::bench()?;
            }
            if wanted("join") {
                webrtc::bench_join()?;
            }
            // Half an hour, and ten minutes: only when named.
            if args.contains(&"crowds") {
                crowds::bench()?;
            }
            if args.contains(&"frames") {
                frames::bench()?;
            }
            Ok(())
        }
    }
}
