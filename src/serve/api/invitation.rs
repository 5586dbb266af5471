// SPDX-License-Identifier: GPL-3.0-or-later
//! Invitations of guests.

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

use super::{Api, Segment, say};

pub(super) fn routes() -> Router<Api> {
    Router::new().route(
        "/api/v1/sources/{id}/invitation",
        get(invitation).post(invite),
    )
}

/// The path of an invitation. Not to be kept by anybody on the way.
fn invited(status: StatusCode, word: Option<&String>) -> Response {
    let path = word.map(|word| format!("/join#{word}"));
    let headers = [(header::CACHE_CONTROL, "no-store")];
    (status, headers, Json(json!({ "invitation": path }))).into_response()
}

fn no_seat() -> Response {
    let sentence =
        "There is no guest's source of that number. GET /api/v1/sources lists all sources.";
    say(StatusCode::NOT_FOUND, sentence)
}

/// The invitation that nobody used yet, or null.
async fn invitation(State(api): State<Api>, Segment(id): Segment<String>) -> Response {
    match id.parse() {
        Ok(id) if api.seats.has(id) => invited(StatusCode::OK, api.seats.invitation(id).as_ref()),
        Ok(_) | Err(_) => no_seat(),
    }
}

/// Make a new invitation; the one before is void.
async fn invite(State(api): State<Api>, Segment(id): Segment<String>) -> Response {
    match id.parse().ok().and_then(|id| api.seats.invite(id)) {
        Some(word) => invited(StatusCode::CREATED, Some(&word)),
        None => no_seat(),
    }
}
