// SPDX-License-Identifier: GPL-3.0-or-later
//! Tokens for other programs: handed out, listed without their secrets, taken back.

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{delete, get},
};
use serde::{Deserialize, Serialize};

use super::{Api, Body, Segment, ending, read, refusal, say};
use crate::settings::tokens::{MOST_TOKENS, Scope, TokenRow};

/// The longest name of a token, in characters.
const NAME: usize = 100;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/api/v1/tokens", get(list).post(make))
        .route("/api/v1/tokens/{id}", delete(revoke))
}

async fn list(State(api): State<Api>) -> Json<Vec<TokenRow>> {
    Json(api.keys.list())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
    scope: Scope,
}

/// A token as it is told once.
#[derive(Serialize)]
struct Made {
    #[serde(flatten)]
    row: TokenRow,
    token: String,
}

async fn make(State(api): State<Api>, body: Body<Wanted>) -> Result<Response, Response> {
    let Wanted { name, scope } = read(body)?;
    let name = name.trim().to_string();
    let length = name.chars().count();
    if length == 0 || length > NAME || name.contains(char::is_control) {
        let sentence = "The name of a token has 1 to 100 characters, in one line.";
        return Err(say(StatusCode::UNPROCESSABLE_ENTITY, sentence));
    }
    let made = tokio::task::spawn_blocking(move || api.keys.add(&name, scope)).await;
    let made = made.map_err(|_| ending())?;
    match made.map_err(|e| refusal(&e))? {
        Some((row, token)) => {
            let headers = [(header::CACHE_CONTROL, "no-store")];
            Ok((StatusCode::CREATED, headers, Json(Made { row, token })).into_response())
        }
        None => {
            let sentence = format!("There are {MOST_TOKENS} tokens already. Take one back first.");
            Err(say(StatusCode::CONFLICT, sentence))
        }
    }
}

async fn revoke(
    State(api): State<Api>,
    Segment(id): Segment<String>,
) -> Result<StatusCode, Response> {
    let unknown = || {
        let sentence = "There is no token of that number. GET /api/v1/tokens lists them.";
        say(StatusCode::NOT_FOUND, sentence)
    };
    let id = id.parse().map_err(|_| unknown())?;
    let gone = tokio::task::spawn_blocking(move || api.keys.remove(id)).await;
    let gone = gone.map_err(|_| ending())?;
    match gone.map_err(|e| refusal(&e))? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown()),
    }
}
