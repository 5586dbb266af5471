// SPDX-License-Identifier: GPL-3.0-or-later
//! The life of an output that keeps a connection up: connecting, live, waiting for the next try, or given up.

use std::{
    future::Future,
    time::{Duration, Instant, SystemTime},
};

use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{Backoff, Context, Progress};
use crate::{
    error::OutputError,
    message::OutputState,
    program::{Pipeline, PipelineError},
};

/// A connection that held this long was a good one: the next failure starts counting anew.
const GOOD_CONNECTION: Duration = Duration::from_secs(30);

/// How long the end of a connection may take.
const FAREWELL: Duration = Duration::from_secs(4);

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
    // Sessions are ended politely, but nobody is waited for long.
    context.endings.close();
    let _ = tokio::time::timeout(FAREWELL, context.endings.wait()).await;
    context.tell(OutputState::Off);
}

/// How often a sink's own counters are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Follow a sink that counts by itself what the other side has taken: `taken` gives the bytes so far. Ends only when
/// there is no thread any more to look with.
pub(super) async fn sample(progress: &Progress, mut taken: impl FnMut() -> u64 + Send + 'static) {
    let mut before = 0;
    loop {
        tokio::time::sleep(LOOK).await;
        // It takes the locks of the sink.
        let looked = tokio::task::spawn_blocking(move || {
            let bytes = taken();
            (bytes, taken)
        });
        let Ok((bytes, again)) = looked.await else {
            return;
        };
        taken = again;
        // Twice more than before, so that an empty greeting is not taken for a stream.
        if bytes > before && before > 0 {
            progress.set(bytes);
        }
        before = bytes;
    }
}

/// Start a pipeline in a thread of its own: it may block, and some elements want no tokio around them.
pub(super) async fn start(
    context: &Context,
    pipeline: Pipeline,
) -> Result<Threaded, PipelineError> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let pipeline = Threaded(Some((pipeline, context.endings.token())));
    let run = move || {
        let playing = pipeline.0.as_ref().map_or(Ok(()), |(p, _)| p.play());
        drop(tell.send(playing.map(|()| pipeline)));
    };
    let broken = |what: &str| PipelineError {
        message: what.into(),
        debug: String::new(),
        code: gst::glib::Error::new(gst::CoreError::Thread, what),
    };
    std::thread::Builder::new()
        .name("output".into())
        .spawn(run)
        .map_err(|_| broken("the system gives no more threads"))?;
    told.await
        .unwrap_or_else(|_| Err(broken("it could not be started")))
}

/// A pipeline that is also ended in a thread of its own.
pub(super) struct Threaded(Option<(Pipeline, TaskTrackerToken)>);

impl Drop for Threaded {
    fn drop(&mut self) {
        if let Some(ending) = self.0.take() {
            let end = std::thread::Builder::new().name("output".into());
            // Without a thread it is ended here: the closure is dropped with what it holds.
            let _ = end.spawn(move || drop(ending));
        }
    }
}

/// The state of an output whose sink is not installed.
pub(super) fn missing(element: &'static str, package: &'static str) -> Option<OutputState> {
    match gst::ElementFactory::find(element) {
        Some(_) => None,
        None => Some(OutputState::Failed(OutputError::Missing {
            element,
            package,
        })),
    }
}
