// SPDX-License-Identifier: GPL-3.0-or-later
//! One coded frame.

use std::time::Duration;

use bytes::Bytes;

use super::Codec;
use crate::fanout::{self, Item};

/// One coded picture, or one block of coded sound.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Time in the program.
    pub pts: Duration,
    /// How long it is shown or sounds.
    pub duration: Duration,
    /// Whether a decoder can begin here. Always true for sound.
    pub key: bool,
    /// The coded bytes: the encoder's own memory, shared by all readers.
    pub data: Bytes,
}

impl Item for Packet {
    fn is_key(&self) -> bool {
        self.key
    }
    fn size(&self) -> usize {
        self.data.len()
    }
    fn pts(&self) -> Duration {
        self.pts
    }
}

/// What a reader of packets needs first.
#[derive(Debug, Clone)]
pub struct Track {
    /// The codec.
    pub codec: &'static Codec,
    /// Caps of the packets, with size, rate and codec headers, as a muxer wants them.
    pub caps: gst::Caps,
}

/// The packets of one rung.
pub type PacketStream = fanout::Stream<Packet, Track>;
/// A place in the packets of one rung.
pub type PacketFeed = fanout::Feed<Packet, Track>;
