// SPDX-License-Identifier: GPL-3.0-or-later
//! Who came and went.

use std::{
    collections::VecDeque,
    fmt::Write,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

use super::{Viewer, ViewerId, Who};

/// Visits that are remembered: about 3 MB. The oldest are forgotten first.
const MOST: usize = 10_000;

/// One viewer from coming to going.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The viewer's number.
    pub id: ViewerId,
    /// Who it was.
    pub who: Arc<Who>,
    /// What the broadcaster wrote about it.
    pub note: Arc<str>,
    /// When it came.
    pub joined: SystemTime,
    /// When it went; `None` while it is there.
    pub left: Option<SystemTime>,
    /// Why it went.
    pub end: Option<End>,
    /// Bytes its connection took.
    pub bytes: u64,
    /// Frames it missed because it was too slow.
    pub dropped: u64,
}

/// Why a viewer went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// By itself.
    Left,
    /// It was kicked.
    Kicked,
    /// Its address was banned.
    Banned,
    /// It took nothing for too long.
    Slow,
    /// The broadcast was ended.
    Over,
}

impl End {
    /// All of them, in the order of their numbers.
    pub const ALL: [End; 5] = [End::Left, End::Kicked, End::Banned, End::Slow, End::Over];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            End::Left => "left",
            End::Kicked => "kicked",
            End::Banned => "banned",
            End::Slow => "slow",
            End::Over => "over",
        }
    }
}

impl Visit {
    pub(super) fn of(viewer: &Viewer, end: Option<End>) -> Visit {
        Visit {
            id: viewer.id,
            who: viewer.who.clone(),
            note: viewer.note.clone(),
            joined: viewer.since,
            left: end.map(|_| SystemTime::now()),
            end,
            bytes: viewer.counters.bytes(),
            dropped: viewer.counters.dropped(),
        }
    }
}

#[derive(Default)]
pub(super) struct History {
    visits: VecDeque<Visit>,
}

impl History {
    pub(super) fn add(&mut self, visit: Visit) {
        if self.visits.len() == MOST {
            self.visits.pop_front();
        }
        self.visits.push_back(visit);
    }

    pub(super) fn visits(&self) -> impl Iterator<Item = &Visit> {
        self.visits.iter()
    }
}

/// A table for spreadsheets (RFC 4180), a line per visit. Times are seconds since 1970.
pub fn csv(visits: &[Visit]) -> String {
    let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut table =
        "id,transport,format,address,agent,joined,left,end,bytes,dropped,note\r\n".to_string();
    for v in visits {
        let left = v.left.map(|at| seconds(at).to_string()).unwrap_or_default();
        let _ = write!(
            table,
            "{},{},{},{},{},{},{left},{},{},{},{}\r\n",
            v.id,
            v.who.transport.word(),
            cell(&v.who.format),
            cell(&v.who.address),
            cell(&v.who.agent),
            seconds(v.joined),
            v.end.map_or("", End::word),
            v.bytes,
            v.dropped,
            cell(&v.note),
        );
    }
    table
}

/// Text as a cell. Strangers choose what they call themselves: a spreadsheet must not take it for a formula.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if formula { "'" } else { "" };
    match formula || text.contains([',', '"', '\r', '\n']) {
        true => format!("\"{guard}{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audience::{Counters, Transport};

    fn viewer(id: ViewerId, agent: &str) -> Viewer {
        let who = Who {
            transport: Transport::Http,
            format: "webm".into(),
            address: "192.0.2.7:1000".into(),
            agent: agent.into(),
        };
        Viewer {
            id,
            who: Arc::new(who),
            since: UNIX_EPOCH,
            note: "".into(),
            host: None,
            counters: Arc::new(Counters::default()),
        }
    }

    #[test]
    fn a_table_holds_what_strangers_call_themselves_as_text() {
        let visits = ["=1+1", "a, \"b\"", "plain"].map(|agent| Visit::of(&viewer(1, agent), None));
        let table = csv(&visits);
        let lines: Vec<_> = table.lines().skip(1).collect();
        let end = ",0,,,0,0,";
        assert_eq!(
            lines[0],
            format!("1,http,webm,192.0.2.7:1000,\"'=1+1\"{end}")
        );
        assert_eq!(
            lines[1],
            format!("1,http,webm,192.0.2.7:1000,\"a, \"\"b\"\"\"{end}")
        );
        assert_eq!(lines[2], format!("1,http,webm,192.0.2.7:1000,plain{end}"));
    }

    #[test]
    fn the_oldest_visits_are_forgotten_first() {
        let mut history = History::default();
        for id in 0..MOST as u64 + 5 {
            history.add(Visit::of(&viewer(id, ""), Some(End::Left)));
        }
        assert_eq!(history.visits().count(), MOST);
        assert_eq!(history.visits().next().map(|v| v.id), Some(5));
    }
}
