// SPDX-License-Identifier: GPL-3.0-or-later
//! What browsers say before they watch or are guests, for the fuzzers.

use std::sync::LazyLock;

use super::signalling::floor::Floor;

/// One broadcast for all inputs: starting one takes longer than thousands of them.
static FLOOR: LazyLock<Floor> = LazyLock::new(Floor::open);

/// Offers, answers and candidates of viewers and guests.
pub(crate) fn describe(text: &str) {
    FLOOR.describe(text);
}

/// Messages of peers on `/signalling`, one per line.
pub(crate) fn talk(text: &str) {
    FLOOR.talk(text);
}
