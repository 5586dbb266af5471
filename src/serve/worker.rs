// SPDX-License-Identifier: GPL-3.0-or-later
//! The handle of a thread that carries out commands.

use std::{sync::Arc, thread::JoinHandle};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::error::ServeError;

/// Where the thread answers.
pub(super) type Reply<T> = oneshot::Sender<T>;

/// Clones are handles of the same thread. When the last is dropped, the thread has no more commands, ends, and is waited for.
pub(super) struct Worker<C>(Arc<Inner<C>>);

struct Inner<C> {
    commands: Mutex<Option<mpsc::UnboundedSender<C>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<C> Clone for Worker<C> {
    fn clone(&self) -> Self {
        Worker(self.0.clone())
    }
}

impl<C> Drop for Inner<C> {
    fn drop(&mut self) {
        // The thread ends when nobody can send to it any more.
        drop(self.commands.get_mut().take());
        if let Some(thread) = self.thread.get_mut().take() {
            // A panic there was logged; its sockets are closed by now.
            let _ = thread.join();
        }
    }
}

impl<C> Worker<C> {
    /// The handle of a thread that reads these commands until there can be no more.
    pub(super) fn new(commands: mpsc::UnboundedSender<C>, thread: JoinHandle<()>) -> Worker<C> {
        Worker(Arc::new(Inner {
            commands: Mutex::new(Some(commands)),
            thread: Mutex::new(Some(thread)),
        }))
    }

    /// Give a command.
    pub(super) fn send(&self, command: C) -> Result<(), ServeError> {
        let commands = self.0.commands.lock();
        let sender = commands.as_ref().ok_or(ServeError::Ended)?;
        sender.send(command).map_err(|_| ServeError::Ended)
    }

    /// Give a command, and hear what came of it.
    pub(super) async fn ask<T>(
        &self,
        command: impl FnOnce(Reply<T>) -> C,
    ) -> Result<T, ServeError> {
        let (reply, told) = oneshot::channel();
        self.send(command(reply))?;
        told.await.map_err(|_| ServeError::Ended)
    }
}
