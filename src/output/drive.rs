// SPDX-License-Identifier: GPL-3.0-or-later
//! The life of an output that keeps a connection up: connecting, live, waiting for the next try, or given up.

use std::{
    future::Future,
    time::{Duration, Instant, SystemTime},
};

use super::{Backoff, Context};
use crate::{error::OutputError, message::OutputState};

/// A connection that held this long was a good one: the next failure starts counting anew.
const GOOD_CONNECTION: Duration = Duration::from_secs(30);

/// Connect again and again with growing delays, until told to stop or until trying again cannot help. `connect` is one
/// connection from its beginning to its failure; it says by [`Context::report`] when it is live, and is dropped when the
/// output is to end.
pub(super) async fn keep<C: Future<Output = OutputError>>(
    context: &Context,
    connect: impl Fn() -> C,
) {
    let mut delays = Backoff::new();
    let mut attempt = 1;
    loop {
        context.tell(OutputState::Connecting { attempt });
        let began = Instant::now();
        let error = tokio::select! {
            error = connect() => error,
            () = context.stopped() => break,
        };
        if error.is_final() {
            return context.tell(OutputState::Failed(error));
        }
        if began.elapsed() >= GOOD_CONNECTION {
            delays = Backoff::new();
            attempt = 0;
        }
        let delay = delays.next().expect("the delays have no end");
        context.tell(OutputState::Waiting {
            retry_at: SystemTime::now() + delay,
            error,
        });
        tokio::select! {
            () = tokio::time::sleep(delay) => attempt += 1,
            () = context.stopped() => break,
        }
    }
    context.tell(OutputState::Off);
}
