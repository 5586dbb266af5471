// SPDX-License-Identifier: GPL-3.0-or-later
//! Sources, layout, overlays and air: what the window does, for programs.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, patch},
};
use serde::Deserialize;
use serde_json::json;

use super::{Api, Body, Object, Segment, ask, ending, read, refusal, say, snapshot, unread};
use crate::{
    error::{SpecError, StudioError},
    message::{Command, MediaKind, NewSource, Outcome, Playback, SourceId},
    program::scene::{Framing, Layout, LayoutKind, Overlays, Strip, Transition},
    source::Spec,
    stats::SourceRow,
};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route(
            "/api/v1/sources",
            get(sources).put(put_sources).post(add_source),
        )
        .route(
            "/api/v1/sources/{id}",
            patch(change_source).delete(remove_source),
        )
        .route("/api/v1/layout", get(layout).put(put_layout))
        .route("/api/v1/overlays", get(overlays).put(put_overlays))
        .route("/api/v1/air", get(air).put(put_air))
}

async fn rows(api: &Api) -> Result<Vec<SourceRow>, Response> {
    snapshot(api).await.map(|s| s.sources)
}

async fn sources(State(api): State<Api>) -> Result<Json<Vec<SourceRow>>, Response> {
    rows(&api).await.map(Json)
}

/// A source in a list that is put: one that is there, by its number, or a new one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    id: Option<SourceId>,
    kind: Option<MediaKind>,
    spec: Option<String>,
    framing: Option<Framing>,
    strip: Option<Strip>,
    /// Of a new picture: whether it goes on screen.
    #[serde(default = "yes")]
    show: bool,
}

fn yes() -> bool {
    true
}

impl Wanted {
    fn spec(&self) -> Option<Result<Spec, SpecError>> {
        let spec = self.spec.as_ref()?;
        Some(Spec::parse(self.kind?, spec))
    }
}

async fn tune(
    api: &Api,
    id: SourceId,
    framing: Option<Framing>,
    strip: Option<Strip>,
) -> Result<(), Response> {
    if let Some(framing) = framing {
        ask(api, Command::SetFraming(id, framing)).await?;
    }
    if let Some(strip) = strip {
        ask(api, Command::SetStrip(id, strip)).await?;
    }
    Ok(())
}

/// The whole list: what is not in it is removed. Everything is checked before anything is changed.
async fn put_sources(
    State(api): State<Api>,
    body: Result<Json<Vec<Object<Wanted>>>, JsonRejection>,
) -> Result<Json<Vec<SourceRow>>, Response> {
    let Json(wanted) = body.map_err(|e| unread(&e))?;
    let wanted: Vec<Wanted> = wanted.into_iter().map(|Object(one)| one).collect();
    let before = rows(&api).await?;
    let mut new = Vec::new();
    for one in &wanted {
        match one.id {
            Some(id) if !before.iter().any(|row| row.id == id) => {
                return Err(refusal(&StudioError::NoSuchSource(id)));
            }
            Some(_) => new.push(None),
            None => match one.spec() {
                Some(spec) => {
                    new.push(Some(spec.map_err(|e| refusal(&StudioError::Spec(e)))?));
                }
                None => {
                    let sentence = "A new source needs \"kind\" (video or audio) and \"spec\".";
                    return Err(say(StatusCode::UNPROCESSABLE_ENTITY, sentence));
                }
            },
        }
    }
    for row in &before {
        let stays = wanted.iter().any(|one| one.id == Some(row.id));
        // Gone already, if it was the other half of a guest.
        if !stays && rows(&api).await?.iter().any(|r| r.id == row.id) {
            ask(&api, Command::RemoveSource(row.id)).await?;
        }
    }
    let mut place = 0;
    for (one, spec) in wanted.iter().zip(new) {
        let ids = match (one.id, spec) {
            (Some(id), _) => vec![id],
            (None, Some(spec)) => add(&api, vec![spec], one.show, false).await?,
            (None, None) => continue,
        };
        for id in ids {
            ask(&api, Command::MoveSource(id, place)).await?;
            place += 1;
        }
        if let Some(id) = one.id {
            tune(&api, id, one.framing, one.strip).await?;
        }
    }
    rows(&api).await.map(Json)
}

async fn add(
    api: &Api,
    specs: Vec<Spec>,
    show: bool,
    optional: bool,
) -> Result<Vec<SourceId>, Response> {
    let new = NewSource {
        specs,
        show,
        optional,
    };
    match ask(api, Command::AddSource(new)).await? {
        Outcome::Added(ids) => Ok(ids),
        Outcome::Done => Ok(vec![]),
    }
}

/// A source to be added: a picture, a sound, or both of one thing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Added {
    video: Option<String>,
    audio: Option<String>,
    #[serde(default = "yes")]
    show: bool,
    framing: Option<Framing>,
    strip: Option<Strip>,
}

async fn add_source(State(api): State<Api>, body: Body<Added>) -> Result<Response, Response> {
    let added = read(body)?;
    let words = [
        (MediaKind::Video, &added.video),
        (MediaKind::Audio, &added.audio),
    ];
    let specs = words
        .iter()
        .filter_map(|(kind, text)| text.as_ref().map(|text| Spec::parse(*kind, text)))
        .collect::<Result<Vec<Spec>, _>>()
        .map_err(|e| refusal(&StudioError::Spec(e)))?;
    if specs.is_empty() {
        let sentence = "Name a source as \"video\", as \"audio\", or both.";
        return Err(say(StatusCode::UNPROCESSABLE_ENTITY, sentence));
    }
    let ids = add(&api, specs, added.show, false).await?;
    let rows = rows(&api).await?;
    for row in rows.iter().filter(|row| ids.contains(&row.id)) {
        let picture = row.kind == MediaKind::Video;
        let framing = added.framing.filter(|_| picture);
        tune(&api, row.id, framing, added.strip.filter(|_| !picture)).await?;
    }
    Ok((StatusCode::CREATED, Json(json!({"ids": ids}))).into_response())
}

/// What is to be changed about a source.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    framing: Option<Framing>,
    strip: Option<Strip>,
    place: Option<usize>,
    play: Option<Play>,
}

/// Pausing, seeking and the like.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Play {
    Pause,
    Resume,
    Next,
    Previous,
    /// Seconds from the beginning.
    Seek(f64),
    Loop(bool),
}

async fn change_source(
    State(api): State<Api>,
    Segment(id): Segment<SourceId>,
    body: Body<Change>,
) -> Result<Json<SourceRow>, Response> {
    let change = read(body)?;
    tune(&api, id, change.framing, change.strip).await?;
    if let Some(place) = change.place {
        ask(&api, Command::MoveSource(id, place)).await?;
    }
    if let Some(play) = change.play {
        let what = match play {
            Play::Pause => Playback::Pause,
            Play::Resume => Playback::Resume,
            Play::Next => Playback::Next,
            Play::Previous => Playback::Previous,
            Play::Loop(on) => Playback::Loop(on),
            Play::Seek(seconds) => {
                let to = Duration::try_from_secs_f64(seconds).map_err(|_| {
                    let sentence = "A place in a file is a number of seconds from its beginning.";
                    say(StatusCode::UNPROCESSABLE_ENTITY, sentence)
                })?;
                Playback::Seek(to)
            }
        };
        ask(&api, Command::Play(id, what)).await?;
    }
    let row = rows(&api).await?.into_iter().find(|row| row.id == id);
    row.map(Json)
        .ok_or_else(|| refusal(&StudioError::NoSuchSource(id)))
}

async fn remove_source(
    State(api): State<Api>,
    Segment(id): Segment<SourceId>,
) -> Result<StatusCode, Response> {
    ask(&api, Command::RemoveSource(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn scene(api: &Api) -> Option<(Layout, Overlays)> {
    (api.scene)()
}

async fn layout(State(api): State<Api>) -> Result<Json<Layout>, Response> {
    let (layout, _) = scene(&api).ok_or_else(ending)?;
    Ok(Json(layout))
}

/// A layout, and how it comes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLayout {
    kind: LayoutKind,
    /// As they are, if it does not say.
    pictures: Option<Vec<SourceId>>,
    /// A cut, if it does not say.
    #[serde(default)]
    fade_ms: u64,
}

async fn put_layout(
    State(api): State<Api>,
    body: Body<NewLayout>,
) -> Result<Json<Layout>, Response> {
    let new = read(body)?;
    let (before, _) = scene(&api).ok_or_else(ending)?;
    let layout = Layout {
        kind: new.kind,
        pictures: new.pictures.unwrap_or(before.pictures),
    };
    let how = match new.fade_ms {
        0 => Transition::Cut,
        ms => Transition::Fade(Duration::from_millis(ms)),
    };
    ask(&api, Command::SetLayout(layout, how)).await?;
    let (now, _) = scene(&api).ok_or_else(ending)?;
    Ok(Json(now))
}

async fn overlays(State(api): State<Api>) -> Result<Json<Overlays>, Response> {
    let (_, overlays) = scene(&api).ok_or_else(ending)?;
    Ok(Json(overlays))
}

async fn put_overlays(
    State(api): State<Api>,
    body: Body<Overlays>,
) -> Result<Json<Overlays>, Response> {
    let new = read(body)?;
    ask(&api, Command::SetOverlays(new)).await?;
    let (_, now) = scene(&api).ok_or_else(ending)?;
    Ok(Json(now))
}

/// Whether the program is, or is to be, on the air.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Air {
    air: Wish,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wish {
    Live,
    Off,
}

async fn air(State(api): State<Api>) -> Result<Response, Response> {
    let status = snapshot(&api).await?;
    Ok(Json(json!({"air": status.air, "since": status.since})).into_response())
}

async fn put_air(State(api): State<Api>, body: Body<Air>) -> Result<Response, Response> {
    let Air { air: wish } = read(body)?;
    let command = match wish {
        Wish::Live => Command::GoLive,
        Wish::Off => Command::EndLive,
    };
    ask(&api, command).await?;
    air(State(api)).await
}
