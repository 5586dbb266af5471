// SPDX-License-Identifier: GPL-3.0-or-later
//! Outputs: added, switched and removed by programs. Addresses come back without their secrets.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;

use super::{Api, Body, Segment, ask, read, refusal, say, snapshot};
use crate::{
    error::StudioError,
    message::Command,
    output::{OutputSpec, Target},
    stats::OutputRow,
};

/// The longest name of an output.
const NAME: usize = 100;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/api/v1/outputs", get(outputs)).route(
        "/api/v1/outputs/{name}",
        get(output).put(put_output).delete(remove_output),
    )
}

/// An output, or what is to be changed about it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    kind: Option<String>,
    url: Option<String>,
    enabled: Option<bool>,
    /// Of a recording: whether it pauses.
    paused: Option<bool>,
}

async fn outputs(State(api): State<Api>) -> Result<Json<Vec<OutputRow>>, Response> {
    snapshot(&api).await.map(|s| Json(s.outputs))
}

async fn find(api: &Api, name: &str) -> Result<Option<OutputRow>, Response> {
    let outputs = snapshot(api).await?.outputs;
    Ok(outputs.into_iter().find(|row| row.name == name))
}

async fn output(
    State(api): State<Api>,
    Segment(name): Segment<String>,
) -> Result<Json<OutputRow>, Response> {
    let row = find(&api, &name).await?;
    row.map(Json)
        .ok_or_else(|| refusal(&StudioError::NoSuchOutput(name)))
}

/// With a kind and an address: add it, or replace the one of that name. With `enabled` alone: switch it. With `paused`
/// alone: let a recording pause or go on.
async fn put_output(
    State(api): State<Api>,
    Segment(name): Segment<String>,
    body: Body<Wanted>,
) -> Result<Response, Response> {
    let wanted = read(body)?;
    let before = find(&api, &name).await?;
    let unclear = |sentence| say(StatusCode::UNPROCESSABLE_ENTITY, sentence);
    let command = match (wanted.kind, wanted.url, wanted.enabled) {
        (None, None, None) if wanted.paused.is_some_and(|_| before.is_some()) => {
            Command::PauseOutput(name.clone(), wanted.paused == Some(true))
        }
        _ if wanted.paused.is_some() && before.is_some() => {
            return Err(unclear("Say \"paused\" alone."));
        }
        (Some(_), Some(_), _) if name.is_empty() || name.len() > NAME => {
            return Err(unclear("The name of an output has 1 to 100 characters."));
        }
        (Some(kind), Some(url), enabled) => {
            let target = Target::parse(&kind, &url).map_err(|e| refusal(&StudioError::Spec(e)))?;
            Command::SetOutput(Box::new(OutputSpec {
                name: name.clone(),
                enabled: enabled.unwrap_or_else(|| before.as_ref().is_none_or(|row| row.enabled)),
                target,
            }))
        }
        (None, None, Some(enabled)) => Command::EnableOutput(name.clone(), enabled),
        (Some(_), None, _) | (None, Some(_), _) => {
            return Err(unclear("An output needs both \"kind\" and \"url\"."));
        }
        (None, None, None) => {
            return Err(unclear(
                "Say \"kind\" and \"url\", or \"enabled\", or \"paused\".",
            ));
        }
    };
    ask(&api, command).await?;
    let status = match before {
        Some(_) => StatusCode::OK,
        None => StatusCode::CREATED,
    };
    let row = output(State(api), Segment(name)).await?;
    Ok((status, row).into_response())
}

async fn remove_output(
    State(api): State<Api>,
    Segment(name): Segment<String>,
) -> Result<StatusCode, Response> {
    ask(&api, Command::RemoveOutput(name)).await?;
    Ok(StatusCode::NO_CONTENT)
}
