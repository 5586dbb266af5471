// SPDX-License-Identifier: GPL-3.0-or-later
//! Guests: people elsewhere, with a browser or a program such as OBS, whose picture and sound are sources here.
//!
//! Each source for a guest opens a seat. The server lets a guest sit down who has the seat's invitation, which works
//! once; from then on the guest has a key for coming back to the same seat. What the guest sends goes from the seat to
//! whoever shows it.
//!
//! ```text
//! server: sit() ─▶ Sitting::push(coded frame) ─▶ seat ─▶ Stage (decodes, puts it into the program)
//! source: open() ─▶ Seat, for as long as the source is there
//! ```

mod seats;
#[cfg(test)]
mod tests;
mod timing;

use std::{sync::Arc, time::Instant};

use serde::{Deserialize, Serialize};

pub use seats::Seats;
pub(crate) use seats::{Link, Seat, Sitting, Staged};
pub(crate) use timing::{Report, Timing};

use crate::message::{MediaKind, SourceId};

/// A name is for a row of a list.
const NAME: usize = 64;

/// How a frame is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Coding {
    /// Picture.
    Vp8,
    /// Picture.
    Vp9,
    /// Picture; Annex B, one access unit at a time.
    H264,
    /// Sound.
    Opus,
}

impl Coding {
    /// Picture or sound.
    pub(crate) fn kind(self) -> MediaKind {
        match self {
            Coding::Vp8 | Coding::Vp9 | Coding::H264 => MediaKind::Video,
            Coding::Opus => MediaKind::Audio,
        }
    }
}

/// One frame as the guest sent it.
#[derive(Debug, Clone)]
pub(crate) struct Coded {
    /// How.
    pub(crate) coding: Coding,
    /// It needs no other to be decoded.
    pub(crate) key: bool,
    /// Nothing is missing between the one before and this one.
    pub(crate) contiguous: bool,
    /// When it came.
    pub(crate) arrival: Instant,
    /// Its time in the guest's own count, in seconds.
    pub(crate) count: f64,
    /// The guest's last report on this track.
    pub(crate) report: Option<Report>,
    /// The frame.
    pub(crate) data: Arc<[u8]>,
}

/// What happens at a seat, for whoever shows it.
#[derive(Debug)]
pub(crate) enum Happening {
    /// Somebody sat down: what follows is theirs.
    Came(Arc<Link>),
    /// A frame.
    Frame(Coded),
    /// The guest of this name left.
    Left(String),
}

/// A guest as shown in lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GuestRow {
    /// What they call themselves; else their program.
    pub name: String,
    /// Where they are.
    pub address: String,
    /// Whether they are connected now.
    pub connected: bool,
    /// Round-trip time in milliseconds, where known.
    pub rtt_ms: Option<u32>,
    /// Bits per second that come from them.
    pub bitrate: u64,
    /// Share of packets lost on the way, 0 to 1, where known.
    pub loss: Option<f32>,
}

/// Who wants to sit down.
#[derive(Debug, Clone, Default)]
pub(crate) struct Visitor {
    /// What they call themselves; else their program.
    pub(crate) name: String,
    /// Where they are.
    pub(crate) address: String,
}

impl Visitor {
    /// One line of moderate length for each.
    pub(crate) fn new(name: Option<&str>, agent: &str, address: String) -> Self {
        let tidy = |text: &str| -> String {
            let text: String = text.chars().filter(|c| !c.is_control()).collect();
            text.trim().chars().take(NAME).collect()
        };
        let name = name.map(tidy).filter(|n| !n.is_empty());
        let agent = tidy(agent);
        let stranger = || {
            if agent.is_empty() {
                "A guest".into()
            } else {
                agent
            }
        };
        Visitor {
            name: name.unwrap_or_else(stranger),
            address,
        }
    }
}

/// By what right somebody sits down.
#[derive(Debug, Clone)]
pub(crate) enum Pass {
    /// An invitation not used yet, or the key of one who was here before.
    Word(String),
    /// The broadcaster's own: this seat.
    Place(SourceId),
}

/// Why somebody may not sit down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Nobody was ever invited with these words.
    Unknown,
    /// The invitation was used, or the seat taken away.
    Spent,
    /// Somebody else has that seat.
    Taken,
}
