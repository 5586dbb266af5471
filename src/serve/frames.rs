// SPDX-License-Identifier: GPL-3.0-or-later
//! Pictures that other programs send: `/frames/NAME`.
//!
//! A request carries one picture, or a stream of them (`multipart/x-mixed-replace`) that may never end. Its answer
//! comes when the last one was taken, so whoever waits for answers never sends more than can be shown. What is wrong
//! with a picture is wrong with that request alone: the one before it stays on screen.
//!
//! What viewers do with the picture comes back from `/frames/NAME/events`, one JSON object for each event.

use std::time::Duration;

use axum::{
    Json, Router,
    body::BodyDataStream,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{
        IntoResponse, Response, Sse,
        sse::{self, KeepAlive},
    },
    routing::{get, put},
};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use serde_json::json;

use super::{
    Serving,
    keys::{self, Need},
};
use crate::{
    error::{PartError, PictureError, Remedy},
    navigation::Navigation,
    source::frames::{Inbox, Inboxes, MOST_BYTES, Parser, boundary},
};

/// A sender whose picture stands still for so long is let go; between the pictures of a stream there may be hours.
const STALLED: Duration = Duration::from_secs(20);
/// How long a sender waits for others of the same name to be done; and anybody for a source that is not open yet.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone)]
struct Frames {
    inboxes: Inboxes,
    navigation: Navigation,
}

pub(super) fn routes(serving: &Serving) -> Router {
    let frames = Frames {
        inboxes: serving.inboxes.clone(),
        navigation: serving.navigation.clone(),
    };
    Router::new()
        .route("/frames/{name}", put(receive).post(receive))
        .route("/frames/{name}/events", get(events))
        .route_layer(middleware::from_fn_with_state(
            (serving.keys.clone(), Need::Control),
            keys::want,
        ))
        .with_state(frames)
}

fn refusal(status: StatusCode, words: impl std::fmt::Display) -> Response {
    (status, Json(json!({"error": words.to_string()}))).into_response()
}

async fn receive(
    State(frames): State<Frames>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let Ok(Some(inbox)) = tokio::time::timeout(PATIENCE, frames.inboxes.find(&name)).await else {
        return nowhere(&frames.inboxes);
    };
    let kind = text(request.headers(), header::CONTENT_TYPE);
    let stream = match kind.as_deref().map(boundary) {
        Some(Some(Some(boundary))) => Some(boundary),
        Some(Some(None)) => {
            let words = "Content-Type names no boundary. Write \
                         multipart/x-mixed-replace; boundary=NAME.";
            return refusal(StatusCode::BAD_REQUEST, words);
        }
        Some(None) | None => None,
    };
    let length = text(request.headers(), header::CONTENT_LENGTH).and_then(|l| l.parse().ok());
    if stream.is_none() && length.is_some_and(|bytes: u64| bytes > MOST_BYTES as u64) {
        return Fault::Picture(PictureError::TooManyBytes).answer(None);
    }
    let Ok(Some(_leave)) = tokio::time::timeout(PATIENCE, inbox.enter()).await else {
        let words = "Others send pictures of this name all the time. End one of them.";
        return refusal(StatusCode::TOO_MANY_REQUESTS, words);
    };
    let body = request.into_body().into_data_stream();
    let done = match stream {
        Some(boundary) => parts(&inbox, body, &boundary).await,
        None => one(&inbox, body, kind).await.map_err(|e| (e, None)),
    };
    match done {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err((fault, part)) => fault.answer(part),
    }
}

/// What viewers do with the pictures of this name, until there is no source for them any more or the listener leaves.
async fn events(State(frames): State<Frames>, Path(name): Path<String>) -> Response {
    // A source that is not open yet is waited for.
    let _ = tokio::time::timeout(PATIENCE, frames.inboxes.find(&name)).await;
    let Some(listener) = frames.navigation.listen(&name) else {
        return nowhere(&frames.inboxes);
    };
    let batches = stream::unfold(listener, |mut listener| async move {
        let batch = listener.next().await?;
        Some((batch, listener))
    });
    let events = batches.flat_map(|batch| {
        let told = batch.into_iter();
        stream::iter(told.map(|event| sse::Event::default().json_data(event)))
    });
    // A listener that is gone without a word is noticed when it is written to.
    Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response()
}

/// A header that is there once, as text.
fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn nowhere(inboxes: &Inboxes) -> Response {
    let names = inboxes.names();
    let there = if names.is_empty() {
        "There is no source for pictures. Add one with --video frames:NAME.".to_string()
    } else {
        let names: Vec<_> = names.iter().map(|n| format!("/frames/{n}")).collect();
        format!(
            "There is no source of this name. There is {}.",
            names.join(" and ")
        )
    };
    refusal(StatusCode::NOT_FOUND, there)
}

/// Why pictures were not taken.
enum Fault {
    Picture(PictureError),
    Stream(PartError),
    /// The body did not come.
    Stalled,
    Unreadable,
}

impl Fault {
    fn answer(self, part: Option<usize>) -> Response {
        let (status, words) = match self {
            Fault::Picture(error) => (status(&error), format!("{error} {}", error.remedy())),
            Fault::Stream(error) => {
                let status = match error {
                    PartError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
                    PartError::NoBoundary
                    | PartError::Head(_)
                    | PartError::Length(_)
                    | PartError::Cut(_) => StatusCode::BAD_REQUEST,
                };
                return refusal(status, format!("{error} {}", error.remedy()));
            }
            Fault::Stalled => (
                StatusCode::REQUEST_TIMEOUT,
                "The rest of the picture did not come. Send it again.".to_string(),
            ),
            Fault::Unreadable => (
                StatusCode::BAD_REQUEST,
                "The body of the request cannot be read. Send it again.".to_string(),
            ),
        };
        match part {
            Some(number) => refusal(status, format!("Part {number}: {words}")),
            None => refusal(status, words),
        }
    }
}

fn status(error: &PictureError) -> StatusCode {
    match error {
        PictureError::Empty => StatusCode::BAD_REQUEST,
        PictureError::Unknown | PictureError::Contradiction { .. } => {
            StatusCode::UNSUPPORTED_MEDIA_TYPE
        }
        PictureError::TooManyBytes
        | PictureError::TooLarge { .. }
        | PictureError::TooMuchMemory => StatusCode::PAYLOAD_TOO_LARGE,
        PictureError::Broken { .. } | PictureError::Unreadable(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        PictureError::NoSource => StatusCode::NOT_FOUND,
    }
}

/// A body that is one picture.
async fn one(inbox: &Inbox, mut body: BodyDataStream, kind: Option<String>) -> Result<(), Fault> {
    let mut picture = BytesMut::new();
    loop {
        let next = tokio::time::timeout(STALLED, body.next()).await;
        match next.map_err(|_| Fault::Stalled)? {
            Some(bytes) => picture.extend_from_slice(&bytes.map_err(|_| Fault::Unreadable)?),
            None => break,
        }
        if picture.len() > MOST_BYTES {
            return Err(Fault::Picture(PictureError::TooManyBytes));
        }
    }
    deliver(inbox, picture.freeze(), kind).await
}

async fn deliver(inbox: &Inbox, picture: Bytes, kind: Option<String>) -> Result<(), Fault> {
    inbox.deliver(picture, kind).await.map_err(Fault::Picture)
}

/// A body that is a stream of pictures. Faults come with the number of the part, if it is the picture's.
async fn parts(
    inbox: &Inbox,
    mut body: BodyDataStream,
    boundary: &str,
) -> Result<(), (Fault, Option<usize>)> {
    let mut parser = Parser::new(boundary, MOST_BYTES);
    let mut number = 0;
    let broken = |e| (Fault::Stream(e), None);
    loop {
        let more = match body.next().await {
            Some(Ok(bytes)) => {
                parser.feed(&bytes);
                true
            }
            Some(Err(_)) => return Err((Fault::Unreadable, None)),
            None => false,
        };
        loop {
            let mut part = parser.next().map_err(broken)?;
            if part.is_none() && !more {
                part = parser.finish().map_err(broken)?;
            }
            let Some(part) = part else { break };
            number += 1;
            deliver(inbox, part.body, part.kind)
                .await
                .map_err(|e| (e, Some(number)))?;
        }
        if !more {
            return Ok(());
        }
    }
}
