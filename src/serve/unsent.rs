// SPDX-License-Identifier: GPL-3.0-or-later
//! Bytes that wait for a socket: shared memory, one system call for everything that waits.

use std::{collections::VecDeque, io, io::IoSlice};

use bytes::{Buf, Bytes};

use super::wire::Wire;

/// Pieces handed to the system at once.
const SLICES: usize = 32;

/// What is still to be written, in order.
#[derive(Debug, Default)]
pub(super) struct Unsent(VecDeque<Bytes>);

impl Unsent {
    pub(super) fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.0.push_back(piece);
        }
    }

    /// Whether the system has everything.
    pub(super) fn is_done<W: Wire>(&self, wire: &W) -> bool {
        self.0.is_empty() && !wire.holds()
    }

    /// Write as much as the connection takes now; how much that was.
    pub(super) fn write<W: Wire>(&mut self, wire: &mut W) -> io::Result<usize> {
        if self.0.is_empty() {
            return wire.try_flush().map(|()| 0);
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut used = 0;
        for (slice, bytes) in slices.iter_mut().zip(&self.0) {
            *slice = IoSlice::new(bytes);
            used += 1;
        }
        let written = wire.try_write(&slices[..used])?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let mut left = written;
        while let Some(front) = self.0.front_mut() {
            if left < front.len() {
                front.advance(left);
                break;
            }
            left -= front.len();
            self.0.pop_front();
        }
        Ok(written)
    }

    /// The pieces, for tests.
    #[cfg(test)]
    pub(super) fn joined(&self) -> Vec<u8> {
        self.0.iter().flatten().copied().collect()
    }
}

impl FromIterator<Bytes> for Unsent {
    fn from_iter<I: IntoIterator<Item = Bytes>>(pieces: I) -> Self {
        Unsent(pieces.into_iter().filter(|p| !p.is_empty()).collect())
    }
}
