// SPDX-License-Identifier: GPL-3.0-or-later
//! Threads that their owner waits for.

use std::{
    io,
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::Mutex;

/// How long the end of a thread is waited for: what it waits for may never answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A thread that has been told to end before this is dropped. None should outlive the program: libraries are taken down
/// then, under its feet.
pub(crate) struct Helper {
    /// Closes when the thread has nothing more to do.
    over: Mutex<mpsc::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Helper {
    /// Let a thread of this name do this.
    ///
    /// # Errors
    ///
    /// When the system gives no more threads.
    pub(crate) fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Helper> {
        let (running, over) = mpsc::channel::<()>();
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            let _running = running;
            work();
        })?;
        Ok(Helper {
            over: Mutex::new(over),
            thread: Some(thread),
        })
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let hangs = self.over.get_mut().recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
        let Some(thread) = self.thread.take() else {
            return;
        };
        // The last owner may be the thread itself.
        if !hangs && thread.thread().id() != thread::current().id() {
            let _ = thread.join();
        }
    }
}
