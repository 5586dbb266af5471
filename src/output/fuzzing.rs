// SPDX-License-Identifier: GPL-3.0-or-later
//! What servers answer, for the fuzzers.

use super::{icecast, listeners};

/// The head of an answer, the words of a refusal, and the lists and numbers of the admin interface.
pub(crate) fn icecast(data: &[u8]) {
    icecast::fuzzing::answer(data);
    let text = String::from_utf8_lossy(data);
    let _ = listeners::numbers(&text);
    for listener in listeners::parse(&text).listener {
        let _ = listener.is_relay();
    }
}
