// SPDX-License-Identifier: GPL-3.0-or-later
//! Control and numbers: `/api/v1`.

mod invitation;
mod now_playing;
mod outputs;
mod scene;
mod sharing;
mod viewers;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Request, State, rejection::JsonRejection},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

use super::{Control, Passes, Serving, door};
use crate::{
    audience::Audience,
    error::{Remedy, StudioError},
    message::{Command, Outcome},
    now_playing::NowPlaying,
    program::scene::{Layout, Overlays},
    source::guest::Seats,
    stats::Status,
};

/// Makes the status object; may take a moment, so it is called where that is allowed.
pub(crate) type StatusSource = Arc<dyn Fn() -> Status + Send + Sync>;

#[derive(Clone)]
struct Api {
    status: StatusSource,
    audience: Audience,
    token: Arc<str>,
    control: Control,
    scene: SceneSource,
    seats: Seats,
    now_playing: NowPlaying,
    passes: Passes,
}

/// What is on screen and over it; `None` when the engine has ended.
pub(crate) type SceneSource = Arc<dyn Fn() -> Option<(Layout, Overlays)> + Send + Sync>;

pub(super) fn routes(serving: &Serving) -> Router {
    let api = Api {
        status: serving.status.clone(),
        audience: serving.audience.clone(),
        token: serving.api_token.as_str().into(),
        control: serving.control.clone(),
        scene: serving.scene.clone(),
        seats: serving.seats.clone(),
        now_playing: serving.now_playing.clone(),
        passes: serving.passes.clone(),
    };
    Router::new()
        .route("/api/v1/status", get(status))
        .merge(scene::routes())
        .merge(outputs::routes())
        .merge(invitation::routes())
        .merge(now_playing::routes())
        .merge(viewers::routes())
        .merge(sharing::routes())
        .route("/api", get(nothing))
        .route("/api/{*rest}", get(nothing))
        .route_layer(middleware::from_fn_with_state(api.clone(), want_token))
        .with_state(api)
}

async fn want_token(State(api): State<Api>, request: Request, next: Next) -> Response {
    if door::has_token(request.headers(), &api.token) {
        return next.run(request).await;
    }
    let error =
        json!({"error": "This needs the API token. Send it as \"Authorization: Bearer TOKEN\"."});
    (
        StatusCode::UNAUTHORIZED,
        [(header::WWW_AUTHENTICATE, "Bearer")],
        Json(error),
    )
        .into_response()
}

async fn status(State(api): State<Api>) -> Response {
    let made = tokio::task::spawn_blocking(move || (api.status)()).await;
    match made {
        Ok(status) => Json(status).into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn nothing() -> Response {
    let error = json!({"error": "There is no such route."});
    (StatusCode::NOT_FOUND, Json(error)).into_response()
}

/// An answer that says what is wrong.
fn say(status: StatusCode, sentence: impl std::fmt::Display) -> Response {
    (status, Json(json!({"error": sentence.to_string()}))).into_response()
}

/// What a body could not be read for.
fn unread(e: &JsonRejection) -> Response {
    if let JsonRejection::MissingJsonContentType(_) = e {
        let sentence =
            "The request is not said to be JSON. Send \"Content-Type: application/json\".";
        return say(e.status(), sentence);
    }
    // The last part of the chain is the one that names the place.
    let text = e.body_text();
    let sentence = text
        .rsplit_once(": ")
        .map_or(text.as_str(), |(_, last)| last);
    say(
        e.status(),
        format!("The request cannot be read: {sentence}."),
    )
}

/// The status object, made where that may take a moment.
async fn snapshot(api: &Api) -> Result<Status, Response> {
    let made = tokio::task::spawn_blocking({
        let status = api.status.clone();
        move || status()
    });
    made.await
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE.into_response())
}

async fn ask(api: &Api, command: Command) -> Result<Outcome, Response> {
    (api.control)(command).await.map_err(|e| refusal(&e))
}

/// The answer to what the engine refused.
fn refusal(error: &StudioError) -> Response {
    let status = match error {
        StudioError::NoSuchSource(_)
        | StudioError::NoSuchOutput(_)
        | StudioError::NoSuchViewer
        | StudioError::NotBanned(_) => StatusCode::NOT_FOUND,
        StudioError::NoAddress => StatusCode::CONFLICT,
        StudioError::Spec(_) | StudioError::Logo { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        StudioError::NotForThis(_)
        | StudioError::WouldLoop
        | StudioError::NoTrack(_)
        | StudioError::NotPausable(_)
        | StudioError::OnlyOffAir(_)
        | StudioError::OnlyAtStart(_)
        | StudioError::Source(_)
        | StudioError::Output(_) => StatusCode::CONFLICT,
        StudioError::NoOverlay
        | StudioError::Serve(_)
        | StudioError::Incomplete { .. }
        | StudioError::Program(_)
        | StudioError::Encoder { .. }
        | StudioError::Token { .. } => StatusCode::SERVICE_UNAVAILABLE,
    };
    say(status, format!("{error} {}", error.remedy()))
}
