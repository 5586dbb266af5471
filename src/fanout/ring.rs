// SPDX-License-Identifier: GPL-3.0-or-later
//! The last seconds of a stream, numbered.

use std::{collections::VecDeque, time::Duration};

use super::{Depth, Item};

/// Items by number. Numbers only grow, over restarts too, so a feed's cursor can never point at a wrong item.
#[derive(Debug)]
pub(super) struct Ring<T> {
    items: VecDeque<T>,
    /// Number of the first item kept.
    first: u64,
    last_key: Option<u64>,
    bytes: usize,
    epoch: u64,
    depth: Depth,
}

impl<T: Item> Ring<T> {
    pub(super) fn new(depth: Depth) -> Self {
        Ring {
            items: VecDeque::new(),
            first: 0,
            last_key: None,
            bytes: 0,
            epoch: 0,
            depth,
        }
    }

    /// Add an item; the number after it.
    pub(super) fn push(&mut self, item: T) -> u64 {
        if item.is_key() {
            self.last_key = Some(self.end());
        }
        self.bytes += item.size();
        self.items.push_back(item);
        while let Some(front) = self.items.front() {
            let newest = self.items.back().map_or(Duration::ZERO, Item::pts);
            let old = newest.saturating_sub(front.pts()) > self.depth.time;
            // The last key frame and all after it stay: they are what a newcomer starts with.
            let spare = self.last_key.is_none_or(|key| self.first < key);
            if !(self.bytes > self.depth.bytes || (old && spare)) {
                break;
            }
            self.bytes -= front.size();
            self.items.pop_front();
            self.first += 1;
        }
        if self.last_key.is_some_and(|key| key < self.first) {
            self.last_key = None;
        }
        self.end()
    }

    pub(super) fn restart(&mut self) -> u64 {
        // One number is left out, so that watchers see a change.
        self.first = self.end() + 1;
        self.items.clear();
        self.bytes = 0;
        self.last_key = None;
        self.epoch += 1;
        self.end()
    }

    pub(super) fn get(&self, number: u64) -> Option<&T> {
        self.items.get(number.checked_sub(self.first)? as usize)
    }

    /// Whether a reader at this number has fallen off the ring, or is further behind than the depth although there
    /// is a newer key frame.
    pub(super) fn is_behind(&self, number: u64) -> bool {
        number < self.first
            || (self.last_key.is_some_and(|key| key > number) && self.lag(number) > self.depth.time)
    }

    pub(super) fn lag(&self, number: u64) -> Duration {
        let Some(newest) = self.items.back() else {
            return Duration::ZERO;
        };
        let next = self.get(number.max(self.first)).unwrap_or(newest);
        newest.pts().saturating_sub(next.pts())
    }

    pub(super) fn last_key(&self) -> Option<u64> {
        self.last_key
    }

    /// The number after the newest item.
    pub(super) fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
