// SPDX-License-Identifier: GPL-3.0-or-later
//! A connection as streams are written to it: plain, or with TLS around it.
//!
//! What serves viewers is made for each of the two, so that a plain one is the socket itself and costs nothing more.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    net::Shutdown,
    pin::Pin,
    task::Poll,
};

use futures::FutureExt;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::unconstrained,
};
use tokio_rustls::server::TlsStream;

use super::live::{Pump, Pumps};

/// A connection.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static {
    /// Nobody on the way can read it.
    const SECURE: bool;

    /// The socket below, to wait for and to set.
    fn tcp(&self) -> &TcpStream;

    /// Write what is taken now.
    ///
    /// # Errors
    /// `WouldBlock` where nothing is; wait for the socket then.
    fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Whether something was taken that the system does not have yet.
    fn holds(&self) -> bool;

    /// Hand that over.
    ///
    /// # Errors
    /// `WouldBlock` where the system does not take it now.
    fn try_flush(&mut self) -> io::Result<()>;

    /// Say "that was all", as far as that can be said without waiting.
    fn finish(&mut self);

    /// What sends to viewers of this kind of connection.
    fn pump(pumps: &Pumps) -> &Pump<Self>
    where
        Self: Sized;
}

impl Wire for TcpStream {
    const SECURE: bool = false;

    fn tcp(&self) -> &TcpStream {
        self
    }

    fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            // The usual case, and a little cheaper.
            [one] => TcpStream::try_write(self, one),
            several => self.try_write_vectored(several),
        }
    }

    fn holds(&self) -> bool {
        false
    }

    fn try_flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) {
        // Who is gone already need not hear it.
        let _ = socket2::SockRef::from(&*self).shutdown(Shutdown::Write);
    }

    fn pump(pumps: &Pumps) -> &Pump<Self> {
        &pumps.plain
    }
}

impl Wire for TlsStream<TcpStream> {
    const SECURE: bool = true;

    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }

    fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        now(|cx| Pin::new(&mut *self).poll_write_vectored(cx, slices))
    }

    fn holds(&self) -> bool {
        self.get_ref().1.wants_write()
    }

    fn try_flush(&mut self) -> io::Result<()> {
        now(|cx| Pin::new(&mut *self).poll_flush(cx))
    }

    fn finish(&mut self) {
        let _ = now(|cx| Pin::new(&mut *self).poll_shutdown(cx));
    }

    fn pump(pumps: &Pumps) -> &Pump<Self> {
        &pumps.secure
    }
}

/// What comes of it without waiting.
fn now<T>(poll: impl FnMut(&mut std::task::Context<'_>) -> Poll<io::Result<T>>) -> io::Result<T> {
    // Unconstrained: who is stopped for fairness alone must not be taken for a full socket.
    let done = unconstrained(poll_fn(poll)).now_or_never();
    done.unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
}
