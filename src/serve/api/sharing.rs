// SPDX-License-Identifier: GPL-3.0-or-later
//! The token that viewers' links carry.

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::json;

use super::{Api, ask, say};
use crate::message::Command;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/api/v1/viewer-token", post(renew))
}

/// Another token; the links of before are void.
async fn renew(State(api): State<Api>) -> Response {
    if api.passes.word().is_none() {
        let words = "Everybody may watch (--open): there is no token to renew.";
        return say(StatusCode::CONFLICT, words);
    }
    if let Err(refused) = ask(&api, Command::RenewViewerToken).await {
        return refused;
    }
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    (no_store, Json(json!({"viewer_token": api.passes.word()}))).into_response()
}
