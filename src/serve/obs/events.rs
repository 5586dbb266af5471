// SPDX-License-Identifier: GPL-3.0-or-later
//! What happens, in the words of obs-websocket.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::broadcast::{self, error::RecvError};

use super::{
    Remote,
    desk::{Desk, Input, Scene},
    protocol::intent,
    recorder::{Recorder, Recording},
    requests,
};
use crate::message::{AirState, Event};

/// Something that happened.
pub(super) struct Told {
    /// Told to those who asked for this kind.
    pub(super) intent: u64,
    kind: &'static str,
    data: Value,
}

impl Told {
    pub(super) fn new(intent: u64, kind: &'static str, data: Value) -> Told {
        Told { intent, kind, data }
    }

    /// As it stands in a message.
    pub(super) fn message(&self) -> Value {
        json!({"eventType": self.kind, "eventIntent": self.intent, "eventData": self.data})
    }
}

/// Follow the engine's events, and tell those that OBS would have told.
pub(super) async fn follow(
    remote: Arc<Remote>,
    mut events: broadcast::Receiver<Event>,
    tell: broadcast::Sender<Arc<Told>>,
) {
    let status = remote.status().await;
    let mut desk = remote.desk_of(&status);
    let mut recorder = Recorder::of(&status.outputs);
    remote.recorded.lock().follow(recorder.state);
    loop {
        let mut news = Vec::new();
        match events.recv().await {
            Ok(Event::Air(state)) => news.push(stream(state)),
            Ok(Event::Output(status)) if status.kind == Recorder::KIND => {
                let now = Recorder::of(&remote.status().await.outputs).after(&recorder);
                remote.recorded.lock().follow(now.state);
                news.extend(record(&recorder, &now));
                recorder = now;
            }
            Ok(
                Event::Source(_)
                | Event::SourceRemoved(_)
                | Event::SourceOrder(_)
                | Event::Layout(_),
            ) => {
                let now = remote.desk().await;
                news.extend(changes(&desk, &now));
                desk = now;
            }
            Ok(
                Event::Output(_)
                | Event::OutputRemoved(_)
                | Event::Overlays(_)
                | Event::ViewerJoined(_)
                | Event::ViewerNoted(_)
                | Event::ViewerLeft(..)
                | Event::Bans(_)
                | Event::ViewerToken
                | Event::Shared(_)
                | Event::Devices(_)
                | Event::Encoding(_)
                | Event::Abilities
                | Event::NowPlaying(_)
                | Event::Refused(_),
            ) => (),
            // What was missed is seen in how things are now.
            Err(RecvError::Lagged(_)) => {
                let status = remote.status().await;
                let now = remote.desk_of(&status);
                news.extend(changes(&desk, &now));
                desk = now;
                let now = Recorder::of(&status.outputs).after(&recorder);
                remote.recorded.lock().follow(now.state);
                news.extend(record(&recorder, &now));
                recorder = now;
            }
            Err(RecvError::Closed) => return,
        }
        for told in news {
            // Nobody connected is nobody's fault.
            let _ = tell.send(Arc::new(told));
        }
    }
}

fn stream(state: AirState) -> Told {
    let (active, word) = match state {
        AirState::Off => (false, "OBS_WEBSOCKET_OUTPUT_STOPPED"),
        AirState::Starting => (false, "OBS_WEBSOCKET_OUTPUT_STARTING"),
        AirState::Live { .. } => (true, "OBS_WEBSOCKET_OUTPUT_STARTED"),
        AirState::Stopping => (false, "OBS_WEBSOCKET_OUTPUT_STOPPING"),
    };
    let data = json!({"outputActive": active, "outputState": word});
    Told::new(intent::OUTPUTS, "StreamStateChanged", data)
}

fn record(before: &Recorder, now: &Recorder) -> Option<Told> {
    if before.state == now.state {
        return None;
    }
    let word = match (before.state, now.state) {
        (_, Recording::Off) => "OBS_WEBSOCKET_OUTPUT_STOPPED",
        (_, Recording::Starting) => "OBS_WEBSOCKET_OUTPUT_STARTING",
        (Recording::Paused, Recording::On) => "OBS_WEBSOCKET_OUTPUT_RESUMED",
        (_, Recording::On) => "OBS_WEBSOCKET_OUTPUT_STARTED",
        (_, Recording::Paused) => "OBS_WEBSOCKET_OUTPUT_PAUSED",
    };
    let active = matches!(now.state, Recording::On | Recording::Paused);
    let path = now.path.as_ref().or(before.path.as_ref());
    let data = json!({"outputActive": active, "outputState": word, "outputPath": path});
    Some(Told::new(intent::OUTPUTS, "RecordStateChanged", data))
}

fn changes(before: &Desk, now: &Desk) -> Vec<Told> {
    let mut news = Vec::new();
    let name = |i: &Input| json!({"inputName": i.name, "inputUuid": i.uuid()});
    for gone in before
        .inputs
        .iter()
        .filter(|i| now.input(&i.name).is_none())
    {
        news.push(Told::new(intent::INPUTS, "InputRemoved", name(gone)));
    }
    for input in &now.inputs {
        let Some(old) = before.input(&input.name) else {
            let mut data = name(input);
            data["inputKind"] = json!(input.kind());
            data["unversionedInputKind"] = json!(input.kind());
            news.push(Told::new(intent::INPUTS, "InputCreated", data));
            continue;
        };
        if old.muted != input.muted {
            let mut data = name(input);
            data["inputMuted"] = json!(input.muted);
            news.push(Told::new(intent::INPUTS, "InputMuteStateChanged", data));
        }
        if old.gain_db.to_bits() != input.gain_db.to_bits() {
            let mut data = requests::volume(input.gain_db);
            data["inputName"] = json!(input.name);
            data["inputUuid"] = json!(input.uuid());
            news.push(Told::new(intent::INPUTS, "InputVolumeChanged", data));
        }
    }
    let scenes = |desk: &Desk| -> Vec<String> {
        let names = desk.scenes.iter().map(|s| s.name.clone());
        names.collect()
    };
    if scenes(before) != scenes(now) {
        let data = json!({"scenes": now.scene_list()});
        news.push(Told::new(intent::SCENES, "SceneListChanged", data));
    }
    if before.current != now.current {
        let uuid = now.scene(&now.current).map(Scene::uuid);
        let data = json!({"sceneName": now.current, "sceneUuid": uuid});
        let kind = "CurrentProgramSceneChanged";
        news.push(Told::new(intent::SCENES, kind, data));
    }
    news
}
