// SPDX-License-Identifier: GPL-3.0-or-later
//! What clients of obs-websocket ask for, done by the engine.

mod record;
mod stream;
mod views;

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    Remote,
    desk::{Desk, Input, Scene},
    protocol::{Code, RPC_VERSION, Refusal, VERSION},
    recorder::{Recorder, Recording},
};
use crate::{
    message::Command,
    program::scene::{Strip, Transition},
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
            "GetSceneList" => Ok(views::scene_list(&self.desk().await)),
            "GetCurrentProgramScene" => Ok(views::current_scene(&self.desk().await)),
            "SetCurrentProgramScene" => self.set_scene(&fields).await,
            "GetSceneItemList" => views::scene_items(&self.desk().await, &fields),
            "GetSceneItemEnabled" => views::scene_item_enabled(&self.desk().await, &fields),
            "GetInputList" => views::inputs(&self.desk().await, &fields),
            "GetInputKindList" => Ok(views::input_kinds(&self.desk().await)),
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
