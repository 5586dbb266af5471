// SPDX-License-Identifier: GPL-3.0-or-later
//! Recordings: started, paused and stopped together.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::{
    super::{
        Remote,
        protocol::{Code, Refusal},
        recorder::{Recorder, Recording},
    },
    Done, refuse,
    stream::timecode,
};
use crate::{
    error::Remedy,
    message::{Command, Event, OutputState},
    stats::{OutputRow, Status},
};

/// A recording says within this time whether it can write.
const RECORDING_BEGINS: Duration = Duration::from_secs(10);
impl Remote {
    pub(super) fn record_status(&self, status: &Status) -> Value {
        let recorder = Recorder::of(&status.outputs);
        let bytes = recordings(status).map(|o| o.bytes).sum::<u64>();
        let ms = self.recorded.lock().time().as_millis() as u64;
        json!({
            "outputActive": recorder.state != Recording::Off,
            "outputPaused": recorder.state == Recording::Paused,
            "outputTimecode": timecode(ms),
            "outputDuration": ms,
            "outputBytes": bytes,
        })
    }

    pub(super) async fn folder(&self) -> Result<String, Refusal> {
        let status = self.status().await;
        let first = recordings(&status).next().ok_or_else(no_recording)?;
        let path = std::path::Path::new(Recorder::path(&first.url));
        let folder = path.parent().unwrap_or(path).display().to_string();
        Ok(if folder.is_empty() {
            ".".into()
        } else {
            folder
        })
    }

    /// Switch on every recording that there is.
    pub(super) async fn start_record(&self) -> Result<(), Refusal> {
        let status = self.status().await;
        if Recorder::of(&status.outputs).state != Recording::Off {
            return Err(refuse(Code::Running, "A recording runs."));
        }
        let names: Vec<_> = recordings(&status).map(|o| o.name.clone()).collect();
        if names.is_empty() {
            return Err(no_recording());
        }
        for name in names {
            // Listened to first, so that nothing is missed.
            let events = self.events.subscribe();
            self.ask(Command::EnableOutput(name.clone(), true)).await?;
            begun(events, &name).await?;
        }
        Ok(())
    }

    pub(super) async fn stop_record(&self) -> Done {
        let status = self.status().await;
        let recorder = Recorder::of(&status.outputs);
        if recorder.state == Recording::Off {
            return Err(refuse(Code::NotRunning, "No recording runs."));
        }
        let running = recordings(&status).filter(|o| o.enabled);
        for name in running.map(|o| o.name.clone()).collect::<Vec<_>>() {
            self.ask(Command::EnableOutput(name, false)).await?;
        }
        Ok(json!({"outputPath": recorder.path}))
    }

    /// Let recordings pause, go on, or do the other thing; whether they stand still then.
    pub(super) async fn pause_record(&self, wanted: Option<bool>) -> Result<bool, Refusal> {
        let status = self.status().await;
        let paused = match Recorder::of(&status.outputs).state {
            Recording::Off => return Err(refuse(Code::NotRunning, "No recording runs.")),
            Recording::Starting | Recording::On => false,
            Recording::Paused => true,
        };
        let pause = wanted.unwrap_or(!paused);
        if pause == paused {
            return Err(match pause {
                true => refuse(Code::Paused, "The recording stands still already."),
                false => refuse(Code::NotPaused, "The recording does not stand still."),
            });
        }
        let running = recordings(&status).filter(|o| o.enabled && o.paused == paused);
        for name in running.map(|o| o.name.clone()).collect::<Vec<_>>() {
            self.ask(Command::PauseOutput(name, pause)).await?;
        }
        Ok(pause)
    }
}

fn recordings(status: &Status) -> impl Iterator<Item = &OutputRow> {
    status.outputs.iter().filter(|o| o.kind == Recorder::KIND)
}

fn no_recording() -> Refusal {
    let words = "No recording is set up. Add one in Aerial, or start it with --record FILE.";
    refuse(Code::WrongState, words)
}

/// Wait until a recording writes, or says why it cannot.
async fn begun(
    mut events: tokio::sync::broadcast::Receiver<Event>,
    name: &str,
) -> Result<(), Refusal> {
    let told = async {
        loop {
            let status = match events.recv().await {
                Ok(Event::Output(status)) if status.name == name => status,
                Ok(_) => continue,
                // Whoever asks for the status sees how it is.
                Err(RecvError::Lagged(_) | RecvError::Closed) => return Ok(()),
            };
            match status.state {
                OutputState::Live { .. } | OutputState::Paused => return Ok(()),
                OutputState::Failed(e) | OutputState::Waiting { error: e, .. } => {
                    let remedy = e.remedy();
                    return Err(refuse(Code::Failed, format!("{e} {remedy}")));
                }
                OutputState::Off | OutputState::Connecting { .. } => (),
            }
        }
    };
    tokio::time::timeout(RECORDING_BEGINS, told)
        .await
        .unwrap_or(Ok(()))
}
