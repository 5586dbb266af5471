// SPDX-License-Identifier: GPL-3.0-or-later
//! Control and numbers: `/api/v1`.

mod events;
mod invitation;
mod now_playing;
mod outputs;
mod scene;
mod sharing;
mod tokens;
mod viewers;

use std::{fmt, marker::PhantomData, sync::Arc};

use axum::{
    Json, Router,
    extract::{FromRequestParts, Path, State, rejection::JsonRejection},
    http::{StatusCode, header, request::Parts},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::json;

use super::{
    Control, Passes, Serving,
    facts::Journal,
    keys::{self, Keys, Need},
};
use crate::{
    audience::Audience,
    error::{Remedy, StudioError},
    message::{Command, Outcome},
    now_playing::NowPlaying,
    program::scene::{Layout, Overlays},
    source::guest::Seats,
    stats::Status,
};

pub(crate) use sharing::{Reach, ReachSource};

/// Makes the status object; may take a moment, so it is called where that is allowed.
pub(crate) type StatusSource = Arc<dyn Fn() -> Status + Send + Sync>;

#[derive(Clone)]
struct Api {
    status: StatusSource,
    audience: Audience,
    keys: Keys,
    journal: Journal,
    control: Control,
    scene: SceneSource,
    seats: Seats,
    now_playing: NowPlaying,
    passes: Passes,
    reach: ReachSource,
}

/// What is on screen and over it; `None` when the engine has ended.
pub(crate) type SceneSource = Arc<dyn Fn() -> Option<(Layout, Overlays)> + Send + Sync>;

pub(super) fn routes(serving: &Serving, journal: Journal) -> Router {
    let api = Api {
        status: serving.status.clone(),
        audience: serving.audience.clone(),
        keys: serving.keys.clone(),
        journal,
        control: serving.control.clone(),
        scene: serving.scene.clone(),
        seats: serving.seats.clone(),
        now_playing: serving.now_playing.clone(),
        passes: serving.passes.clone(),
        reach: serving.reach.clone(),
    };
    let guarded = |routes: Router<Api>, need: Need| {
        let guard = middleware::from_fn_with_state((serving.keys.clone(), need), keys::want);
        // Before the guard, so that nobody is told of methods without a token.
        routes
            .method_not_allowed_fallback(no_method)
            .route_layer(guard)
    };
    let open = Router::new()
        .route("/api/v1/status", get(status))
        .route("/api/v1/openapi.json", get(openapi))
        .merge(scene::routes())
        .merge(outputs::routes())
        .merge(now_playing::routes())
        .merge(viewers::routes())
        .merge(sharing::routes())
        .route("/api", any(nothing))
        .route("/api/{*rest}", any(nothing));
    let opening = invitation::routes()
        .merge(tokens::routes())
        .merge(sharing::opening());
    guarded(open, Need::Token)
        .merge(guarded(opening, Need::Control))
        .merge(guarded(events::routes(), Need::TokenOrWord))
        .with_state(api)
}

/// A variable part of a path. What cannot be read is the name of nothing.
struct Segment<T>(T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segment<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(part)) => Ok(Segment(part)),
            Err(_) => Err(say(
                StatusCode::NOT_FOUND,
                "There is nothing of that name. Look at the list again.",
            )),
        }
    }
}

async fn status(State(api): State<Api>) -> Result<Json<Status>, Response> {
    snapshot(&api).await.map(Json)
}

/// All of this as OpenAPI, kept by hand.
async fn openapi() -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, include_str!("../../../docs/openapi.json")).into_response()
}

async fn nothing() -> Response {
    say(StatusCode::NOT_FOUND, "There is no such route.")
}

async fn no_method() -> Response {
    let sentence = "This route has no such method. \"Allow\" names those that it has.";
    say(StatusCode::METHOD_NOT_ALLOWED, sentence)
}

/// An answer that says what is wrong.
fn say(status: StatusCode, sentence: impl std::fmt::Display) -> Response {
    (status, Json(json!({"error": sentence.to_string()}))).into_response()
}

/// An object. Serde would take a list of its values, too.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, words: &mut fmt::Formatter) -> fmt::Result {
                words.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        from.deserialize_map(Fields(PhantomData))
    }
}

/// What a request says.
type Body<T> = Result<Json<Object<T>>, JsonRejection>;

#[expect(clippy::result_large_err, reason = "the answer is sent at once")]
fn read<T>(body: Body<T>) -> Result<T, Response> {
    match body {
        Ok(Json(Object(body))) => Ok(body),
        Err(e) => Err(unread(&e)),
    }
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
    made.await.map_err(|_| ending())
}

/// The engine is gone already, and the server goes.
fn ending() -> Response {
    let sentence = "Aerial is ending. Start it again.";
    say(StatusCode::SERVICE_UNAVAILABLE, sentence)
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
        | StudioError::NoHost(_)
        | StudioError::NotBanned(_) => StatusCode::NOT_FOUND,
        StudioError::NoAddress => StatusCode::CONFLICT,
        StudioError::Spec(_) | StudioError::Logo { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        StudioError::NotForThis(_)
        | StudioError::WouldLoop
        | StudioError::NoTrack(_)
        | StudioError::NotPausable(_)
        | StudioError::OnlyOffAir(_)
        | StudioError::OnlyAtStart(_)
        | StudioError::Serve(_)
        | StudioError::Source(_)
        | StudioError::Output(_) => StatusCode::CONFLICT,
        StudioError::NoOverlay
        | StudioError::Incomplete { .. }
        | StudioError::Program(_)
        | StudioError::Encoder { .. }
        | StudioError::Token { .. } => StatusCode::SERVICE_UNAVAILABLE,
    };
    say(status, format!("{error} {}", error.remedy()))
}
