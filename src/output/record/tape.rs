// SPDX-License-Identifier: GPL-3.0-or-later
//! The packets of all tracks, in the order of their times.

use std::{collections::VecDeque, time::Duration};

use futures::future::select_all;

use crate::{
    encode::{Encoders, Format, Packet, Track},
    error::StudioError,
    fanout::{Join, Taken},
    mux::{self, Reading},
};

/// A track that gives nothing for so long is not waited for by the others.
const PATIENCE: Duration = Duration::from_secs(2);

/// A place in the tracks of a format.
pub(super) struct Tape {
    readers: Vec<Reader>,
    ended: bool,
}

struct Reader {
    reading: Reading,
    waiting: VecDeque<Packet>,
}

impl Tape {
    /// Read from now on. Waits until the encoders have started.
    pub(super) async fn open(encoders: &Encoders, format: Format) -> Result<Tape, StudioError> {
        let tracks = mux::read(encoders, format, Join::NextKey).await?;
        let reader = |reading| Reader {
            reading,
            waiting: VecDeque::new(),
        };
        Ok(Tape {
            readers: tracks.into_iter().map(reader).collect(),
            ended: false,
        })
    }

    /// What a muxer needs to know of the tracks; the first one leads.
    pub(super) fn tracks(&self) -> Vec<Track> {
        self.readers
            .iter()
            .map(|r| r.reading.track.clone())
            .collect()
    }

    /// Ask for a key frame of the leading track.
    pub(super) fn request_key_frame(&self) {
        if let Some(first) = self.readers.first() {
            first.reading.lease.request_key_frame();
        }
    }

    /// Packets that were left out because they were not read in time.
    pub(super) fn skipped(&self) -> u64 {
        self.readers.iter().map(|r| r.reading.feed.skipped()).sum()
    }

    /// The next packet, and the number of its track. `None` when the encoders were restarted or ended. Nothing is lost
    /// when the waiting is given up.
    pub(super) async fn next(&mut self) -> Option<(usize, Packet)> {
        loop {
            self.collect();
            if let Some(next) = self.earliest() {
                return Some(next);
            }
            if self.ended {
                return None;
            }
            let news = self
                .readers
                .iter_mut()
                .map(|r| Box::pin(r.reading.feed.changed()));
            select_all(news).await;
        }
    }

    fn collect(&mut self) {
        let mut batch = Vec::new();
        for reader in &mut self.readers {
            if reader.reading.feed.poll(&mut batch, 64) == Taken::Ended {
                self.ended = true;
            }
            reader.waiting.extend(batch.drain(..));
        }
    }

    /// The earliest packet, if no earlier one can come.
    fn earliest(&mut self) -> Option<(usize, Packet)> {
        let times = |r: &Reader| {
            let (first, last) = (r.waiting.front()?, r.waiting.back()?);
            Some((first.pts, last.pts))
        };
        let sure = self.ended
            || self.readers.iter().all(|r| !r.waiting.is_empty())
            || self
                .readers
                .iter()
                .filter_map(times)
                .any(|(first, last)| last >= first + PATIENCE);
        if !sure {
            return None;
        }
        let first = self
            .readers
            .iter()
            .enumerate()
            .filter_map(|(i, r)| Some((times(r)?.0, i)))
            .min()?
            .1;
        let packet = self.readers[first].waiting.pop_front()?;
        Some((first, packet))
    }
}
