// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether others can watch, and the token that their links carry.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Api, Body, ask, read, say};
use crate::message::Command;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/api/v1/viewer-token", post(renew))
}

/// These tell the token.
pub(super) fn opening() -> Router<Api> {
    Router::new().route("/api/v1/sharing", get(sharing).put(share))
}

/// Who can watch, and how.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Reach {
    /// Others on the network can.
    pub(crate) network: bool,
    /// Links of the watch page, with the token where it is needed.
    pub(crate) links: Vec<String>,
}

/// Asks the engine for it.
pub(crate) type ReachSource = Arc<dyn Fn() -> Reach + Send + Sync>;

const NO_STORE: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

async fn sharing(State(api): State<Api>) -> Response {
    (NO_STORE, Json((api.reach)())).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Share {
    network: bool,
}

/// Let the network in, or shut it out.
async fn share(State(api): State<Api>, body: Body<Share>) -> Response {
    let on = match read(body) {
        Ok(body) => body.network,
        Err(refusal) => return refusal,
    };
    match ask(&api, Command::Share(on)).await {
        Ok(_) => sharing(State(api)).await,
        Err(refused) => refused,
    }
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
    (NO_STORE, Json(json!({"viewer_token": api.passes.word()}))).into_response()
}
