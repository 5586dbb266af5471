// SPDX-License-Identifier: GPL-3.0-or-later
//! Scenes and inputs, as they are listed.

use serde_json::{Value, json};

use super::{
    super::{
        desk::{Desk, Input, Scene},
        protocol::Code,
    },
    Done, Fields, refuse,
};

pub(super) fn scene_list(desk: &Desk) -> Value {
    let current = desk.scene(&desk.current).map(Scene::uuid);
    json!({
        "currentProgramSceneName": desk.current,
        "currentProgramSceneUuid": current,
        "currentPreviewSceneName": null,
        "currentPreviewSceneUuid": null,
        "scenes": desk.scene_list(),
    })
}

pub(super) fn current_scene(desk: &Desk) -> Value {
    let uuid = desk.scene(&desk.current).map(Scene::uuid);
    json!({
        "sceneName": desk.current,
        "sceneUuid": uuid,
        "currentProgramSceneName": desk.current,
        "currentProgramSceneUuid": uuid,
    })
}

pub(super) fn scene_items(desk: &Desk, fields: &Fields) -> Done {
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

pub(super) fn scene_item_enabled(desk: &Desk, fields: &Fields) -> Done {
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

pub(super) fn inputs(desk: &Desk, fields: &Fields) -> Done {
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

pub(super) fn input_kinds(desk: &Desk) -> Value {
    let kinds: std::collections::BTreeSet<_> = desk.inputs.iter().map(Input::kind).collect();
    json!({ "inputKinds": kinds })
}
