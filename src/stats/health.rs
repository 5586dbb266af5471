// SPDX-License-Identifier: GPL-3.0-or-later
//! Numbers to one sentence: the worst thing now, and its remedy.

use super::Status;

/// Whether so many raw frames dropped by an encoder within a second are more than anybody would overlook. One or two
/// are lost whenever an encoder starts or the computer hiccups.
pub fn is_too_slow(dropped: u64) -> bool {
    dropped > 2
}

/// One sentence about the state of things; the first of these that is true.
pub fn health(status: &Status, dropped_now: u64) -> String {
    let lost = status.sources.iter().find(|s| s.state == "lost");
    if let Some(source) = lost {
        return source
            .error
            .clone()
            .unwrap_or_else(|| format!("{} is lost.", source.spec));
    }
    let failing = status
        .outputs
        .iter()
        .find(|o| matches!(o.state.as_str(), "waiting" | "failed") && !o.paused);
    if let Some(output) = failing {
        let why = output.error.clone().unwrap_or_default();
        return format!("{}: {why}", output.name);
    }
    let warned = status
        .outputs
        .iter()
        .find_map(|o| Some((&o.name, o.warning.as_ref()?)));
    if let Some((name, warning)) = warned {
        return format!("{name}: {warning}");
    }
    if is_too_slow(dropped_now) {
        return "The encoder is too slow for this computer. Choose a smaller size or a lower frame rate.".into();
    }
    let slow = status.viewers.iter().filter(|v| v.queue > 2000).count();
    match slow {
        0 => "Everything is fine.".into(),
        1 => "One viewer is too slow for this bitrate.".into(),
        n if n * 2 > status.viewers.len() => {
            "Most viewers are too slow for this bitrate. Lower it, or check your upload.".into()
        }
        n => format!("{n} viewers are too slow for this bitrate."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::OutputRow;

    fn fine() -> Status {
        Status {
            air: "live".into(),
            since: None,
            encoders: vec![],
            sources: vec![],
            outputs: vec![],
            viewers: vec![],
            health: String::new(),
        }
    }

    #[test]
    fn without_trouble_everything_is_fine() {
        assert_eq!(health(&fine(), 0), "Everything is fine.");
    }

    #[test]
    fn a_frame_lost_now_and_then_is_no_trouble() {
        assert_eq!(health(&fine(), 2), "Everything is fine.");
        assert!(health(&fine(), 3).starts_with("The encoder"));
    }

    #[test]
    fn a_warning_is_told_and_a_pause_is_no_trouble() {
        let row = |warning: Option<&str>, paused| OutputRow {
            name: "show".into(),
            kind: "record".into(),
            enabled: true,
            state: if paused { "waiting" } else { "live" }.into(),
            url: String::new(),
            bitrate: 0,
            bytes: 0,
            dropped: 0,
            mount: None,
            error: None,
            warning: warning.map(String::from),
            paused,
        };
        let mut status = fine();
        status.outputs.push(row(None, true));
        assert_eq!(health(&status, 0), "Everything is fine.");
        status.outputs.push(row(Some("The disk fills up."), false));
        assert_eq!(health(&status, 5), "show: The disk fills up.");
    }

    #[test]
    fn a_failing_output_is_named_before_a_slow_encoder() {
        let mut status = fine();
        status.outputs.push(OutputRow {
            name: "radio".into(),
            kind: "icecast".into(),
            enabled: true,
            state: "waiting".into(),
            url: String::new(),
            bitrate: 0,
            bytes: 0,
            dropped: 0,
            mount: None,
            error: Some("It cannot be reached.".into()),
            warning: None,
            paused: false,
        });
        assert_eq!(health(&status, 5), "radio: It cannot be reached.");
        assert!(health(&fine(), 5).starts_with("The encoder"));
    }
}
