// SPDX-License-Identifier: GPL-3.0-or-later
//! The numbers of the last ten minutes, once a second.

use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

use studio::{audience::ViewerId, stats::Status};

/// Seconds that are kept.
pub const KEPT: usize = 600;

/// Whose numbers they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// All of the broadcast.
    Broadcast,
    /// The output of this name.
    Output(String),
    /// This viewer.
    Viewer(ViewerId),
}

impl Subject {
    /// As the target of an action: `broadcast`, `viewer:7`, `output:radio`.
    pub fn word(&self) -> String {
        match self {
            Subject::Broadcast => "broadcast".into(),
            Subject::Output(name) => format!("output:{name}"),
            Subject::Viewer(id) => format!("viewer:{id}"),
        }
    }

    /// The one that this word means.
    pub fn of(word: &str) -> Option<Subject> {
        match word.split_once(':') {
            None if word == "broadcast" => Some(Subject::Broadcast),
            Some(("output", name)) => Some(Subject::Output(name.into())),
            Some(("viewer", id)) => id.parse().ok().map(Subject::Viewer),
            None | Some(_) => None,
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Sent, in bit/s.
    Rate,
    /// How many watch.
    Viewers,
    /// Pictures per second out of the encoder.
    Frames,
    /// Pictures left out in this second.
    Dropped,
    /// Milliseconds there and back; of several, the middle one.
    RoundTrip,
    /// Milliseconds that something waits to be sent.
    Waiting,
    /// Share of this computer's processors, in percent.
    Cpu,
}

/// All of them, in the order in which they are shown.
pub const METRICS: [Metric; 7] = [
    Metric::Rate,
    Metric::Viewers,
    Metric::Frames,
    Metric::Dropped,
    Metric::RoundTrip,
    Metric::Waiting,
    Metric::Cpu,
];

/// One second of one subject; what is not known is no number.
#[derive(Debug, Clone, Copy)]
struct Reading([f32; METRICS.len()]);

impl Reading {
    const NOTHING: Reading = Reading([f32::NAN; METRICS.len()]);

    fn with(mut self, metric: Metric, value: impl Into<Option<f64>>) -> Reading {
        if let Some(value) = value.into() {
            self.0[metric as usize] = value as f32;
        }
        self
    }
}

/// What was counted.
#[derive(Debug, Default)]
pub struct Past {
    series: HashMap<Subject, VecDeque<Reading>>,
    /// Sums of what was left out, to make numbers per second of them.
    dropped: HashMap<Subject, u64>,
    last: Option<Instant>,
}

impl Past {
    /// Take the numbers of this second. Who is not among them any more is forgotten.
    pub fn take(&mut self, status: &Status, cpu: Option<f64>, now: Instant) {
        let passed = self.last.replace(now).map(|last| now.duration_since(last));
        let missed = passed.map_or(0, |passed| passed.as_secs_f64().round() as usize);
        let missed = missed.saturating_sub(1).min(KEPT);
        let mut before = std::mem::take(&mut self.series);
        let mut dropped = std::mem::take(&mut self.dropped);
        let mut note = |subject: Subject, reading: Reading, sum: u64| {
            let since = dropped.remove(&subject).map(|old| sum.saturating_sub(old));
            let reading = reading.with(Metric::Dropped, since.map(|n| n as f64));
            let mut series = before.remove(&subject).unwrap_or_default();
            if !series.is_empty() {
                series.extend(std::iter::repeat_n(Reading::NOTHING, missed));
            }
            series.push_back(reading);
            series.drain(..series.len().saturating_sub(KEPT));
            self.series.insert(subject.clone(), series);
            self.dropped.insert(subject, sum);
        };
        for viewer in &status.viewers {
            let reading = Reading::NOTHING
                .with(Metric::Rate, viewer.bitrate as f64)
                .with(Metric::RoundTrip, viewer.rtt_ms.map(f64::from))
                .with(Metric::Waiting, f64::from(viewer.queue));
            note(Subject::Viewer(viewer.id), reading, viewer.dropped);
        }
        for output in &status.outputs {
            let listeners = output.mount.as_ref().map(|m| m.listeners as f64);
            let reading = Reading::NOTHING
                .with(Metric::Rate, output.bitrate as f64)
                .with(Metric::Viewers, listeners);
            note(
                Subject::Output(output.name.clone()),
                reading,
                output.dropped,
            );
        }
        let picture = status.encoders.iter().find(|e| e.rung == "full");
        let reading = Reading::NOTHING
            .with(Metric::Rate, upload(status) as f64)
            .with(Metric::Viewers, status.viewers.len() as f64)
            .with(Metric::Frames, picture.map(|e| e.fps))
            .with(Metric::RoundTrip, middle_round_trip(status))
            .with(Metric::Cpu, cpu);
        let sum = status.encoders.iter().map(|e| e.dropped).sum();
        note(Subject::Broadcast, reading, sum);
    }

    /// Second by second, the last one at the end; `NaN` is unknown. Empty if nothing is known of that at all.
    pub fn of(&self, subject: &Subject, metric: Metric) -> Vec<f32> {
        let Some(series) = self.series.get(subject) else {
            return Vec::new();
        };
        let values: Vec<f32> = series.iter().map(|r| r.0[metric as usize]).collect();
        match values.iter().all(|v| v.is_nan()) {
            true => Vec::new(),
            false => values,
        }
    }

    /// Whether it is still there.
    pub fn knows(&self, subject: &Subject) -> bool {
        self.series.contains_key(subject)
    }
}

/// Bits per second that leave this computer, to viewers and outputs.
pub fn upload(status: &Status) -> u64 {
    let outputs = status.outputs.iter().filter(|o| o.kind != "record");
    let viewers = status.viewers.iter().map(|v| v.bitrate);
    viewers.chain(outputs.map(|o| o.bitrate)).sum()
}

fn middle_round_trip(status: &Status) -> Option<f64> {
    let mut trips: Vec<u32> = status.viewers.iter().filter_map(|v| v.rtt_ms).collect();
    trips.sort_unstable();
    trips.get(trips.len() / 2).copied().map(f64::from)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn status(encoders: serde_json::Value, viewers: &[(u64, u64)]) -> Status {
        let viewers: Vec<_> = viewers
            .iter()
            .map(|(id, bitrate)| {
                serde_json::json!({ "id": id, "transport": "http", "format": "webm", "address": "", "agent": "",
                    "since": 0.0, "bytes": 0, "bitrate": bitrate, "queue": 5, "rtt_ms": null, "loss": null,
                    "dropped": 0, "rung": "full", "note": "", "host": null })
            })
            .collect();
        serde_json::from_value(
            serde_json::json!({ "air": "live", "since": null, "encoders": encoders, "sources": [],
            "outputs": [], "viewers": viewers, "health": "" }),
        )
        .unwrap()
    }

    fn encoder(dropped: u64) -> serde_json::Value {
        serde_json::json!([{ "codec": "vp8", "rung": "full", "width": 2, "height": 2, "fps": 30.0, "bitrate": 1,
            "dropped": dropped }])
    }

    #[test]
    fn ten_minutes_are_kept_and_seconds_that_were_missed_are_empty() {
        let (mut past, start) = (Past::default(), Instant::now());
        let at = |second: u64| start + Duration::from_secs(second);
        past.take(&status(encoder(7), &[(1, 100)]), Some(25.0), at(0));
        past.take(&status(encoder(9), &[(1, 200), (2, 50)]), None, at(3));
        let rates = past.of(&Subject::Broadcast, Metric::Rate);
        assert_eq!((rates.len(), rates[0], rates[3]), (4, 100.0, 250.0));
        assert!(rates[1].is_nan() && rates[2].is_nan());
        let dropped = past.of(&Subject::Broadcast, Metric::Dropped);
        assert!(dropped[0].is_nan() && dropped[3] == 2.0, "{dropped:?}");
        assert_eq!(past.of(&Subject::Viewer(2), Metric::Waiting), [5.0]);
        for second in 4..900 {
            past.take(&status(encoder(9), &[(2, 50)]), None, at(second));
        }
        assert_eq!(past.of(&Subject::Broadcast, Metric::Rate).len(), KEPT);
        assert!(!past.knows(&Subject::Viewer(1)) && past.knows(&Subject::Viewer(2)));
    }

    #[test]
    fn what_is_not_known_at_all_is_no_series() {
        let mut past = Past::default();
        past.take(
            &status(serde_json::json!([]), &[(1, 100)]),
            None,
            Instant::now(),
        );
        assert!(past.of(&Subject::Broadcast, Metric::Cpu).is_empty());
        assert!(past.of(&Subject::Broadcast, Metric::Frames).is_empty());
        assert!(past.of(&Subject::Viewer(1), Metric::RoundTrip).is_empty());
    }

    #[test]
    fn words_of_subjects_are_read_back() {
        for subject in [
            Subject::Broadcast,
            Subject::Output("a:b".into()),
            Subject::Viewer(7),
        ] {
            assert_eq!(Subject::of(&subject.word()), Some(subject));
        }
        assert_eq!(Subject::of("viewer:x"), None);
        assert_eq!(Subject::of("x"), None);
    }
}
