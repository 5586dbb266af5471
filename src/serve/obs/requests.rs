// SPDX-License-Identifier: GPL-3.0-or-later
//! What clients of obs-websocket ask for, done by the engine.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::{
    Remote,
    desk::{Desk, Input, Scene},
    protocol::{Code, RPC_VERSION, Refusal, VERSION},
    recorder::{Recorder, Recording},
};
use crate::{
    message::{Command, Event, OutputState},
    program::scene::{Strip, Transition},
    stats::{OutputRow, Process, Status},
};

/// All that can be asked for.
const KNOWN: [&str; 30] = [
    "GetVersion",
    "GetStats",
    "GetStreamStatus",
    "StartStream",
    "StopStream",
    "ToggleStream",
    "GetRecordStatus",
    "StartRecord",
    "StopRecord",
    "ToggleRecord",
    "PauseRecord",
    "ResumeRecord",
    "ToggleRecordPause",
    "GetSceneList",
    "GetCurrentProgramScene",
    "SetCurrentProgramScene",
    "GetSceneItemList",
    "GetSceneItemEnabled",
    "GetStudioModeEnabled",
    "GetInputList",
    "GetInputKindList",
    "GetInputMute",
    "SetInputMute",
    "ToggleInputMute",
    "GetInputVolume",
    "SetInputVolume",
    "GetRecordDirectory",
    "GetHotkeyList",
    "GetSceneTransitionList",
    "Sleep",
];

/// A recording says within this time whether it can write.
const RECORDING_BEGINS: Duration = Duration::from_secs(10);
/// Longest pause between the requests of a batch.
const LONGEST_SLEEP_MS: u64 = 50_000;

type Done = Result<Value, Refusal>;

fn refuse(code: Code, words: impl Into<String>) -> Refusal {
    Refusal(code, words.into())
}

/// What came with a request.
struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn get(&self, name: &str) -> Result<&Value, Refusal> {
        let field = self.0.get(name).filter(|v| !v.is_null());
        field.ok_or_else(|| refuse(Code::MissingField, format!("{name} is missing.")))
    }

    fn wrong(name: &str) -> Refusal {
        refuse(Code::WrongFieldType, format!("{name} is of another kind."))
    }

    fn yes(&self, name: &str) -> Result<bool, Refusal> {
        self.get(name)?.as_bool().ok_or_else(|| Self::wrong(name))
    }

    fn number(&self, name: &str) -> Result<Option<f64>, Refusal> {
        match self.get(name) {
            Ok(value) => value.as_f64().map(Some).ok_or_else(|| Self::wrong(name)),
            Err(_) => Ok(None),
        }
    }

    /// A thing that is named, or else known by its UUID.
    fn named(&self, what: &str) -> Result<(bool, &str), Refusal> {
        let (name, uuid) = (format!("{what}Name"), format!("{what}Uuid"));
        let (by_name, field) = match (self.get(&name), self.get(&uuid)) {
            (Ok(field), _) => (true, field),
            (Err(_), Ok(field)) => (false, field),
            (Err(missing), Err(_)) => return Err(missing),
        };
        let text = field.as_str().ok_or_else(|| Self::wrong(&name))?;
        Ok((by_name, text))
    }

    fn input<'d>(&self, desk: &'d Desk) -> Result<&'d Input, Refusal> {
        let (by_name, text) = self.named("input")?;
        let mut all = desk.inputs.iter();
        let found = all.find(|i| {
            if by_name {
                i.name == text
            } else {
                i.uuid() == text
            }
        });
        found.ok_or_else(|| refuse(Code::NotFound, "There is no such input."))
    }

    fn scene<'d>(&self, desk: &'d Desk) -> Result<&'d Scene, Refusal> {
        let (by_name, text) = self.named("scene")?;
        let mut all = desk.scenes.iter();
        let found = all.find(|s| {
            if by_name {
                s.name == text
            } else {
                s.uuid() == text
            }
        });
        found.ok_or_else(|| refuse(Code::NotFound, "There is no such scene."))
    }
}

impl Remote {
    /// Carry out one request.
    pub(super) async fn request(&self, request: &Value, in_batch: bool) -> Done {
        let kind = request.get("requestType").and_then(Value::as_str);
        let kind = kind.ok_or_else(|| refuse(Code::MissingType, "requestType is missing."))?;
        let none = Map::new();
        let fields = match request.get("requestData") {
            Some(Value::Object(fields)) => fields,
            Some(Value::Null) | None => &none,
            Some(_) => return Err(Fields::wrong("requestData")),
        };
        let fields = Fields(fields);
        match kind {
            "GetVersion" => Ok(version()),
            "GetStudioModeEnabled" => Ok(json!({"studioModeEnabled": false})),
            "GetHotkeyList" => Ok(json!({"hotkeys": []})),
            "GetSceneTransitionList" => Ok(transitions()),
            "GetStats" => Ok(self.stats(&self.status().await)),
            "Sleep" if in_batch => sleep(&fields).await,
            "GetStreamStatus" => Ok(self.stream_status(&self.status().await)),
            "StartStream" => self.stream(Some(true)).await.map(|_| Value::Null),
            "StopStream" => self.stream(Some(false)).await.map(|_| Value::Null),
            "ToggleStream" => {
                let active = self.stream(None).await?;
                Ok(json!({"outputActive": active}))
            }
            "GetRecordStatus" => Ok(self.record_status(&self.status().await)),
            "GetRecordDirectory" => Ok(json!({"recordDirectory": self.folder().await?})),
            "StartRecord" => self.start_record().await.map(|()| Value::Null),
            "StopRecord" => self.stop_record().await,
            "ToggleRecord" => {
                let active = Recorder::of(&self.status().await.outputs).state != Recording::Off;
                match active {
                    true => self.stop_record().await?,
                    false => {
                        self.start_record().await?;
                        Value::Null
                    }
                };
                Ok(json!({"outputActive": !active}))
            }
            "PauseRecord" => self.pause_record(Some(true)).await.map(|_| Value::Null),
            "ResumeRecord" => self.pause_record(Some(false)).await.map(|_| Value::Null),
            "ToggleRecordPause" => {
                let paused = self.pause_record(None).await?;
                Ok(json!({"outputPaused": paused}))
            }
            "GetSceneList" => Ok(scene_list(&self.desk().await)),
            "GetCurrentProgramScene" => Ok(current_scene(&self.desk().await)),
            "SetCurrentProgramScene" => self.set_scene(&fields).await,
            "GetSceneItemList" => scene_items(&self.desk().await, &fields),
            "GetSceneItemEnabled" => scene_item_enabled(&self.desk().await, &fields),
            "GetInputList" => inputs(&self.desk().await, &fields),
            "GetInputKindList" => Ok(input_kinds(&self.desk().await)),
            "GetInputMute" => {
                let desk = self.desk().await;
                let input = sounding(fields.input(&desk)?)?;
                Ok(json!({"inputMuted": input.muted}))
            }
            "SetInputMute" => {
                let muted = fields.yes("inputMuted")?;
                let set = |strip: Strip| Strip { muted, ..strip };
                self.mix(&fields, set).await.map(|_| Value::Null)
            }
            "ToggleInputMute" => {
                let set = |strip: Strip| Strip {
                    muted: !strip.muted,
                    ..strip
                };
                let strip = self.mix(&fields, set).await?;
                Ok(json!({"inputMuted": strip.muted}))
            }
            "GetInputVolume" => {
                let desk = self.desk().await;
                Ok(volume(sounding(fields.input(&desk)?)?.gain_db))
            }
            "SetInputVolume" => self.set_volume(&fields).await,
            _ => {
                let words = format!("Aerial has no {}.", shortened(kind));
                Err(refuse(Code::UnknownType, words))
            }
        }
    }

    async fn ask(&self, command: Command) -> Result<(), Refusal> {
        let done = (self.control)(command).await;
        done.map(drop).map_err(|e| {
            let remedy = crate::error::Remedy::remedy(&e);
            refuse(Code::Failed, format!("{e} {remedy}"))
        })
    }

    fn stats(&self, status: &Status) -> Value {
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

    fn stream_status(&self, status: &Status) -> Value {
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
    async fn stream(&self, wanted: Option<bool>) -> Result<bool, Refusal> {
        let active = matches!(self.status().await.air.as_str(), "live" | "starting");
        match (wanted.unwrap_or(!active), active) {
            (true, true) => Err(refuse(Code::Running, "The program is on the air.")),
            (false, false) => Err(refuse(Code::NotRunning, "The program is off the air.")),
            (true, false) => self.ask(Command::GoLive).await.map(|()| true),
            (false, true) => self.ask(Command::EndLive).await.map(|()| false),
        }
    }

    fn record_status(&self, status: &Status) -> Value {
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

    async fn folder(&self) -> Result<String, Refusal> {
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
    async fn start_record(&self) -> Result<(), Refusal> {
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

    async fn stop_record(&self) -> Done {
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
    async fn pause_record(&self, wanted: Option<bool>) -> Result<bool, Refusal> {
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

    async fn set_scene(&self, fields: &Fields<'_>) -> Done {
        let desk = self.desk().await;
        let layout = fields.scene(&desk)?.layout.clone();
        self.ask(Command::SetLayout(layout, Transition::Cut))
            .await?;
        Ok(Value::Null)
    }

    /// Change the strip of an input; how it is then.
    async fn mix(
        &self,
        fields: &Fields<'_>,
        change: impl FnOnce(Strip) -> Strip,
    ) -> Result<Strip, Refusal> {
        let status = self.status().await;
        let desk = self.desk_of(&status);
        let id = sounding(fields.input(&desk)?)?.audio;
        let row = status.sources.iter().find(|row| Some(row.id) == id);
        let strip = change(row.and_then(|row| row.strip).unwrap_or_default());
        match id {
            Some(id) => self.ask(Command::SetStrip(id, strip)).await?,
            None => return Err(refuse(Code::NotFound, "There is no such input.")),
        }
        Ok(strip)
    }

    async fn set_volume(&self, fields: &Fields<'_>) -> Done {
        let db = fields.number("inputVolumeDb")?;
        let factor = fields.number("inputVolumeMul")?;
        let db = match (db, factor) {
            (Some(db), None) => db,
            (None, Some(factor)) if factor <= 0.0 => f64::from(Strip::SILENT_DB),
            (None, Some(factor)) => 20.0 * factor.log10(),
            (Some(_), Some(_)) | (None, None) => {
                let words = "Say inputVolumeDb or inputVolumeMul.";
                return Err(refuse(Code::MissingField, words));
            }
        };
        let most = f64::from(Strip::LOUDEST_DB);
        if db > most {
            let words = format!("No sound can be louder than {most} dB.");
            return Err(refuse(Code::OutOfRange, words));
        }
        let set = |strip: Strip| Strip {
            gain_db: db.max(f64::from(Strip::SILENT_DB)) as f32,
            ..strip
        };
        self.mix(fields, set).await.map(|_| Value::Null)
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
                    let remedy = crate::error::Remedy::remedy(&e);
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

fn sounding(input: &Input) -> Result<&Input, Refusal> {
    match input.audio {
        Some(_) => Ok(input),
        None => Err(refuse(Code::WrongState, "That input has no sound.")),
    }
}

fn version() -> Value {
    let version = env!("CARGO_PKG_VERSION");
    json!({
        "obsVersion": version,
        "obsWebSocketVersion": VERSION,
        "rpcVersion": RPC_VERSION,
        "availableRequests": KNOWN,
        "supportedImageFormats": [],
        "platform": "linux",
        "platformDescription": format!("Aerial {version}"),
    })
}

fn transitions() -> Value {
    json!({
        "currentSceneTransitionName": "Cut",
        "currentSceneTransitionUuid": null,
        "currentSceneTransitionKind": "cut_transition",
        "transitions": [{
            "transitionName": "Cut", "transitionKind": "cut_transition", "transitionFixed": true, "transitionConfigurable": false
        }],
    })
}

async fn sleep(fields: &Fields<'_>) -> Done {
    let ms = fields.get("sleepMillis")?.as_u64();
    let ms = ms.ok_or_else(|| Fields::wrong("sleepMillis"))?;
    if ms > LONGEST_SLEEP_MS {
        let words = format!("sleepMillis is at most {LONGEST_SLEEP_MS}.");
        return Err(refuse(Code::OutOfRange, words));
    }
    tokio::time::sleep(Duration::from_millis(ms)).await;
    Ok(Value::Null)
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

fn scene_list(desk: &Desk) -> Value {
    let current = desk.scene(&desk.current).map(Scene::uuid);
    json!({
        "currentProgramSceneName": desk.current,
        "currentProgramSceneUuid": current,
        "currentPreviewSceneName": null,
        "currentPreviewSceneUuid": null,
        "scenes": desk.scene_list(),
    })
}

fn current_scene(desk: &Desk) -> Value {
    let uuid = desk.scene(&desk.current).map(Scene::uuid);
    json!({
        "sceneName": desk.current,
        "sceneUuid": uuid,
        "currentProgramSceneName": desk.current,
        "currentProgramSceneUuid": uuid,
    })
}

fn scene_items(desk: &Desk, fields: &Fields) -> Done {
    let scene = fields.scene(desk)?;
    let items = desk.items(scene).into_iter().enumerate();
    let items = items.map(|(i, (id, input))| {
        json!({
            "sceneItemId": id, "sceneItemIndex": i, "sceneItemEnabled": true, "sceneItemLocked": true,
            "sourceName": input.name, "sourceUuid": input.uuid(), "sourceType": "OBS_SOURCE_TYPE_INPUT",
            "inputKind": input.kind(), "isGroup": null,
        })
    });
    Ok(json!({"sceneItems": items.collect::<Vec<_>>()}))
}

fn scene_item_enabled(desk: &Desk, fields: &Fields) -> Done {
    let scene = fields.scene(desk)?;
    let id = fields.get("sceneItemId")?.as_u64();
    let id = id.ok_or_else(|| Fields::wrong("sceneItemId"))?;
    match desk.items(scene).iter().any(|(item, _)| *item == id) {
        true => Ok(json!({"sceneItemEnabled": true})),
        false => Err(refuse(
            Code::NotFound,
            "There is no such item in that scene.",
        )),
    }
}

fn inputs(desk: &Desk, fields: &Fields) -> Done {
    let wanted = match fields.get("inputKind") {
        Ok(kind) => Some(kind.as_str().ok_or_else(|| Fields::wrong("inputKind"))?),
        Err(_) => None,
    };
    let all = desk.inputs.iter();
    let all = all.filter(|i| wanted.is_none_or(|kind| kind == i.kind()));
    let rows = all.map(|i| {
        json!({"inputName": i.name, "inputUuid": i.uuid(), "inputKind": i.kind(), "unversionedInputKind": i.kind()})
    });
    Ok(json!({"inputs": rows.collect::<Vec<_>>()}))
}

fn input_kinds(desk: &Desk) -> Value {
    let kinds: std::collections::BTreeSet<_> = desk.inputs.iter().map(Input::kind).collect();
    json!({ "inputKinds": kinds })
}

pub(super) fn volume(gain_db: f32) -> Value {
    let strip = Strip {
        gain_db,
        ..Strip::default()
    };
    json!({"inputVolumeDb": gain_db, "inputVolumeMul": strip.volume()})
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
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
