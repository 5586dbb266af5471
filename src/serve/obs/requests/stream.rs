// SPDX-License-Identifier: GPL-3.0-or-later
//! The broadcast: begun, ended, and its numbers.

use serde_json::{Value, json};

use super::{
    super::{
        Remote,
        protocol::{Code, Refusal},
    },
    refuse,
};
use crate::{
    message::Command,
    stats::{Process, Status},
};

impl Remote {
    pub(super) fn stats(&self, status: &Status) -> Value {
        let now = Process::now();
        let meters = (self.meters)();
        let full = status.encoders.iter().find(|e| e.rung == "full");
        let mega = f64::from(1 << 20);
        let free = rustix::fs::statvfs(".").map_or(0.0, |disk| {
            disk.f_bavail as f64 * disk.f_frsize as f64 / mega
        });
        json!({
            "cpuUsage": self.processor.share(now.cpu) * 100.0,
            "memoryUsage": now.memory as f64 / mega,
            "availableDiskSpace": free,
            "activeFps": full.map_or(0.0, |e| e.fps),
            // Aerial does not measure it.
            "averageFrameRenderTime": 0.0,
            "renderSkippedFrames": meters.dropped,
            "renderTotalFrames": meters.frames + meters.dropped,
            "outputSkippedFrames": meters.dropped,
            "outputTotalFrames": meters.frames,
        })
    }

    pub(super) fn stream_status(&self, status: &Status) -> Value {
        let active = status.air == "live";
        let since = status.since.filter(|_| active);
        let now = crate::stats::seconds(std::time::SystemTime::now());
        let ms = since.map_or(0, |since| ((now - since).max(0.0) * 1000.0) as u64);
        let meters = (self.meters)();
        let pushed = meters.outputs.values().filter(|o| o.kind != "record");
        let bytes = self.audience.totals().bytes() + pushed.map(|o| o.bytes).sum::<u64>();
        let slow = status.viewers.iter().filter(|v| v.queue > 2000).count();
        json!({
            "outputActive": active,
            "outputReconnecting": false,
            "outputTimecode": timecode(ms),
            "outputDuration": ms,
            "outputCongestion": slow as f64 / status.viewers.len().max(1) as f64,
            "outputBytes": bytes,
            "outputSkippedFrames": meters.dropped,
            "outputTotalFrames": meters.frames,
        })
    }

    /// Go live or end the broadcast, or do the other thing; whether it is live then.
    pub(super) async fn stream(&self, wanted: Option<bool>) -> Result<bool, Refusal> {
        let active = matches!(self.status().await.air.as_str(), "live" | "starting");
        match (wanted.unwrap_or(!active), active) {
            (true, true) => Err(refuse(Code::Running, "The program is on the air.")),
            (false, false) => Err(refuse(Code::NotRunning, "The program is off the air.")),
            (true, false) => self.ask(Command::GoLive).await.map(|()| true),
            (false, true) => self.ask(Command::EndLive).await.map(|()| false),
        }
    }
}

/// Hours, minutes, seconds and milliseconds.
pub(super) fn timecode(ms: u64) -> String {
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    format!(
        "{:02}:{:02}:{seconds:02}.{ms:03}",
        minutes / 60,
        minutes % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timecode_has_hours() {
        assert_eq!(timecode(0), "00:00:00.000");
        assert_eq!(timecode(3_723_004), "01:02:03.004");
    }
}
