// SPDX-License-Identifier: GPL-3.0-or-later
//! What plays now: `{"text": "Artist - Title"}`.

use axum::{Json, Router, extract::State, response::Response, routing::get};
use serde::{Deserialize, Serialize};

use super::{Api, Body, read, refusal};
use crate::message::Command;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Title {
    /// One line; empty is nothing.
    text: String,
}

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/api/v1/now-playing", get(told).put(tell))
}

async fn told(State(api): State<Api>) -> Json<Title> {
    Json(Title {
        text: api.now_playing.get(),
    })
}

async fn tell(State(api): State<Api>, body: Body<Title>) -> Result<Json<Title>, Response> {
    let title = read(body)?;
    (api.control)(Command::SetNowPlaying(title.text))
        .await
        .map_err(|e| refusal(&e))?;
    Ok(told(State(api)).await)
}
