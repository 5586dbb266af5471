// SPDX-License-Identifier: GPL-3.0-or-later
//! Aerial: the window, and `aerial live` without one.

mod check;
mod cli;
#[cfg(feature = "ui")]
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Diagnostics only on request: what a user must know is said in sentences by the command line or the window.
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("AERIAL_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("off")),
        )
        .with_writer(|| studio::hush::Hushed(std::io::stderr()))
        .init();
    studio::hush::hush_panics();
    cli::run()
}
