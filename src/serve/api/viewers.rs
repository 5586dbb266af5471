// SPDX-License-Identifier: GPL-3.0-or-later
//! Who watches, who watched, who may not.

use std::net::IpAddr;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use serde::{Deserialize, Serialize};

use super::{Api, Body, Segment, read, refusal, say};
use crate::{
    audience::{Ban, End, Transport, Visit, csv},
    error::StudioError,
    message::Command,
    stats::{ViewerRow, seconds},
};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/api/v1/viewers", get(viewers))
        .route("/api/v1/viewers/history", get(history))
        .route("/api/v1/viewers/history.csv", get(table))
        .route("/api/v1/viewers/{id}", delete(kick))
        .route("/api/v1/viewers/{id}/ban", post(ban))
        .route("/api/v1/viewers/{id}/note", put(note))
        .route("/api/v1/viewers/{id}/host", post(host))
        .route("/api/v1/bans", get(bans))
        .route("/api/v1/bans/{address}", delete(unban))
}

async fn viewers(State(api): State<Api>) -> Json<Vec<ViewerRow>> {
    Json(api.audience.viewers().iter().map(ViewerRow::from).collect())
}

async fn kick(State(api): State<Api>, Segment(id): Segment<String>) -> Response {
    // What is no number is no viewer either.
    if id.parse().is_ok_and(|id| api.audience.kick(id)) {
        return StatusCode::NO_CONTENT.into_response();
    }
    unknown()
}

fn unknown() -> Response {
    let words = "There is no such viewer (any more). GET /api/v1/viewers lists them.";
    say(StatusCode::NOT_FOUND, words)
}

/// Done by the engine, so that the window hears of it.
async fn command(api: &Api, command: Command) -> Response {
    match (api.control)(command).await {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(StudioError::NoSuchViewer) => unknown(),
        Err(error) => refusal(&error),
    }
}

async fn ban(State(api): State<Api>, Segment(id): Segment<String>) -> Response {
    match id.parse() {
        Ok(id) => command(&api, Command::Ban(id)).await,
        Err(_) => unknown(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    /// One line; empty is nothing.
    note: String,
}

async fn note(State(api): State<Api>, Segment(id): Segment<String>, body: Body<Note>) -> Response {
    let note = match read(body) {
        Ok(body) => body.note,
        Err(refusal) => return refusal,
    };
    match id.parse() {
        Ok(id) => command(&api, Command::Note(id, note)).await,
        Err(_) => unknown(),
    }
}

#[derive(Serialize)]
struct Host<'a> {
    host: &'a str,
}

async fn host(State(api): State<Api>, Segment(id): Segment<String>) -> Response {
    let Ok(id) = id.parse() else {
        return unknown();
    };
    match api.audience.look_up(id).await {
        Ok(host) => Json(Host { host: &host }).into_response(),
        Err(StudioError::NoSuchViewer) => unknown(),
        Err(error) => refusal(&error),
    }
}

#[derive(Serialize)]
struct BanRow {
    address: IpAddr,
    agent: String,
    note: String,
    /// Seconds since 1970.
    since: f64,
}

async fn bans(State(api): State<Api>) -> Json<Vec<BanRow>> {
    let row = |ban: Ban| BanRow {
        address: ban.address,
        agent: ban.agent,
        note: ban.note,
        since: seconds(ban.since),
    };
    Json(api.audience.bans().into_iter().map(row).collect())
}

async fn unban(State(api): State<Api>, Segment(address): Segment<String>) -> Response {
    match address.parse() {
        Ok(address) => command(&api, Command::Unban(address)).await,
        Err(_) => say(
            StatusCode::NOT_FOUND,
            "That is no IP address. GET /api/v1/bans lists them.",
        ),
    }
}

#[derive(Serialize)]
struct VisitRow<'a> {
    id: u64,
    transport: Transport,
    format: &'a str,
    address: &'a str,
    agent: &'a str,
    joined: f64,
    left: Option<f64>,
    end: Option<End>,
    bytes: u64,
    dropped: u64,
    note: &'a str,
}

impl<'a> From<&'a Visit> for VisitRow<'a> {
    fn from(v: &'a Visit) -> Self {
        VisitRow {
            id: v.id,
            transport: v.who.transport,
            format: &v.who.format,
            address: &v.who.address,
            agent: &v.who.agent,
            joined: seconds(v.joined),
            left: v.left.map(seconds),
            end: v.end,
            bytes: v.bytes,
            dropped: v.dropped,
            note: &v.note,
        }
    }
}

async fn history(State(api): State<Api>) -> Response {
    let visits = api.audience.visits();
    Json(visits.iter().map(VisitRow::from).collect::<Vec<_>>()).into_response()
}

async fn table(State(api): State<Api>) -> Response {
    let head = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"viewers.csv\"",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (head, csv(&api.audience.visits())).into_response()
}
