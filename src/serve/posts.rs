// SPDX-License-Identifier: GPL-3.0-or-later
//! What `/whep` and `/whip` share: an offer is posted, and the session that comes of it has a place of its own, where
//! candidates are sent and where it is deleted. Knowing that place is the right to end it: it cannot be guessed.

use std::net::SocketAddr;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, DefaultBodyLimit, Path, Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER, USER_AGENT},
    },
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete},
};

use serde::Deserialize;

use super::webrtc::{SessionId, Wish};
use crate::{
    audience::{NotLetIn, Transport, Who},
    error::{Remedy, ServeError},
};

/// An offer of a browser has 5 KiB.
pub(super) const LONGEST_OFFER: usize = 64 << 10;
/// As long as going on the air takes, and some.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("2");
/// Until somebody may have left.
const FULL_SECONDS: HeaderValue = HeaderValue::from_static("30");
const SDP: &str = "application/sdp";
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
/// Candidates, as they are sent later.
pub(super) const TRICKLE: &str = "application/trickle-ice-sdpfrag";
const JSON: &str = "application/json";

/// What the other side wants changed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    /// Of the picture, as in the list of viewers.
    rung: Wish,
}

/// What has sessions that are begun by a post.
pub(super) trait Sessions: Clone + Send + Sync + 'static {
    /// Where offers are posted.
    const PATH: &'static str;

    /// An address that the other side found later; `false` if there is no such session. An empty one is none.
    fn candidate(&self, id: SessionId, line: String) -> impl Future<Output = bool> + Send;

    /// Whether the other side may choose a size of the picture.
    const SIZES: bool = false;

    /// The other side chooses; `false` if there is no such session.
    fn prefer(&self, _: SessionId, _: Wish) -> impl Future<Output = bool> + Send {
        async { false }
    }

    /// End a session; `false` if there is none of that name.
    fn end(&self, id: SessionId) -> impl Future<Output = bool> + Send;
}

/// The routes of its sessions; `post` takes the offers.
pub(super) fn routes<T: Sessions, S>(post: MethodRouter<T>, sessions: T) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let session = delete(end::<T>)
        .patch(change::<T>)
        .options(session_options::<T>);
    Router::new()
        .route(T::PATH, post.options(offer_options))
        .route(&format!("{}/{{id}}", T::PATH), session)
        .layer(DefaultBodyLimit::max(LONGEST_OFFER))
        .with_state(sessions)
}

/// A sentence as an answer.
pub(super) fn plain(status: StatusCode, words: impl std::fmt::Display) -> Response {
    (status, format!("{words}\n")).into_response()
}

/// The answer to somebody who is not let in.
pub(super) fn not_let_in(why: NotLetIn) -> Response {
    let status = match why {
        NotLetIn::Banned => return plain(StatusCode::FORBIDDEN, why),
        NotLetIn::TooManyHere => StatusCode::TOO_MANY_REQUESTS,
        NotLetIn::TooMany => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = plain(status, why);
    response.headers_mut().insert(RETRY_AFTER, FULL_SECONDS);
    response
}

/// Status and words of an error; never 5xx for what the viewer sent.
pub(super) fn refusal(error: &ServeError) -> Response {
    let words = format!("{error} {}", error.remedy());
    match error {
        ServeError::Sdp(_) => plain(StatusCode::BAD_REQUEST, words),
        ServeError::NotLetIn(why) => not_let_in(*why),
        ServeError::OffAir
        | ServeError::NoSeat(_)
        | ServeError::Ended
        | ServeError::Udp(_)
        | ServeError::Listen { .. }
        | ServeError::Certificate { .. }
        | ServeError::Remotes { .. }
        | ServeError::PortInUse { .. } => {
            let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, words);
            response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
            response
        }
    }
}

/// Whether the body is said to be of this type.
fn is_type(headers: &HeaderMap, wanted: &str) -> bool {
    let sent = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    // Parameters such as a charset do not matter.
    let essence = sent.and_then(|s| s.split(';').next()).map(str::trim);
    essence.is_some_and(|e| e.eq_ignore_ascii_case(wanted))
}

/// Who sends this request.
pub(super) fn who(headers: &HeaderMap, from: Option<SocketAddr>) -> Who {
    let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    let agent = String::from_utf8_lossy(agent.unwrap_or_default());
    Who {
        transport: Transport::Webrtc,
        // Known when negotiated.
        format: String::new(),
        address: from.map(|a| a.to_string()).unwrap_or_default(),
        agent: agent
            .chars()
            .filter(|c| !c.is_control())
            .take(256)
            .collect(),
    }
}

/// Where the request came from, if the listener told.
pub(super) fn peer<B>(request: &axum::http::Request<B>) -> Option<SocketAddr> {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
    info.map(|ConnectInfo(address)| *address)
}

/// The body, unless it is too long.
async fn body(request: Request<Body>) -> Result<Bytes, Response> {
    use axum::extract::FromRequest;
    Bytes::from_request(request, &())
        .await
        .map_err(IntoResponse::into_response)
}

/// The offer in a request, and who sends it.
pub(super) async fn offer(request: Request) -> Result<(String, Who), Response> {
    if !is_type(request.headers(), SDP) {
        let words = format!("Post an offer as {SDP}.");
        let mut response = plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, words);
        let wanted = HeaderValue::from_static(SDP);
        response.headers_mut().insert(ACCEPT_POST, wanted);
        return Err(response);
    }
    let who = who(request.headers(), peer(&request));
    let offer = body(request).await?;
    match String::from_utf8(offer.into()) {
        Ok(offer) => Ok((offer, who)),
        Err(_) => Err(refusal(&ServeError::Sdp("it is not text".into()))),
    }
}

/// The answer to an offer, and where the session is.
pub(super) fn begun<T: Sessions>(id: SessionId, answer: String) -> Response {
    let kind = [(CONTENT_TYPE, SDP), (CACHE_CONTROL, "no-store")];
    let location = [(LOCATION, format!("{}/{id}", T::PATH))];
    (StatusCode::CREATED, kind, location, answer).into_response()
}

fn unknown<T: Sessions>() -> Response {
    let words = format!("There is no such session. Post a new offer to {}.", T::PATH);
    plain(StatusCode::NOT_FOUND, words)
}

async fn end<T: Sessions>(State(sessions): State<T>, Path(id): Path<String>) -> Response {
    match id.parse::<SessionId>() {
        Ok(id) if sessions.end(id).await => StatusCode::NO_CONTENT.into_response(),
        Ok(_) | Err(_) => unknown::<T>(),
    }
}

/// What may be sent to a session.
fn patches<T: Sessions>() -> String {
    let json = T::SIZES.then_some(JSON);
    let all: Vec<_> = std::iter::once(TRICKLE).chain(json).collect();
    all.join(", ")
}

/// Something about a session changes: addresses that the other side found after it made its offer, or the size of the
/// picture that it wants. A restart of the connection is not offered: who lost it posts anew.
async fn change<T: Sessions>(
    State(sessions): State<T>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let json = T::SIZES && is_type(request.headers(), JSON);
    if !json && !is_type(request.headers(), TRICKLE) {
        let words = format!("Send one of these: {}.", patches::<T>());
        return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, words);
    }
    let Ok(id) = id.parse::<SessionId>() else {
        return unknown::<T>();
    };
    let body = match body(request).await {
        Ok(bytes) => bytes,
        Err(refused) => return refused,
    };
    if json {
        prefer(&sessions, id, &body).await
    } else {
        trickle(&sessions, id, &body).await
    }
}

async fn prefer<T: Sessions>(sessions: &T, id: SessionId, body: &[u8]) -> Response {
    match serde_json::from_slice::<Patch>(body) {
        Ok(patch) if sessions.prefer(id, patch.rung).await => {
            StatusCode::NO_CONTENT.into_response()
        }
        Ok(_) => unknown::<T>(),
        Err(_) => {
            let words = r#"Send {"rung": "auto"}, or "full" or "low" in place of "auto"."#;
            plain(StatusCode::BAD_REQUEST, words)
        }
    }
}

async fn trickle<T: Sessions>(sessions: &T, id: SessionId, lines: &[u8]) -> Response {
    let lines = String::from_utf8_lossy(lines);
    let candidates = lines.lines().filter(|l| l.starts_with("a=candidate:"));
    // An empty one, so that an unknown session is told from one with nothing new.
    for line in candidates.chain([""]) {
        if !sessions.candidate(id, line.to_string()).await {
            return unknown::<T>();
        }
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn offer_options() -> Response {
    let allow = [(ALLOW, "POST, OPTIONS")];
    (StatusCode::NO_CONTENT, allow, [(ACCEPT_POST, SDP)]).into_response()
}

async fn session_options<T: Sessions>() -> Response {
    let allow = [(ALLOW, "DELETE, PATCH, OPTIONS")];
    let patches = [(ACCEPT_PATCH, patches::<T>())];
    (StatusCode::NO_CONTENT, allow, patches).into_response()
}
