// SPDX-License-Identifier: GPL-3.0-or-later
//! The watch page and the guests' page, from `data/web`, kept in the program; and what the watch page asks to tell its
//! viewer why nothing is to be seen.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    extract::{RawQuery, Request, State},
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use tokio::sync::watch;

use super::{Serving, posts::peer};
use crate::{audience::Audience, now_playing::NowPlaying, settings::Origin};

/// Nothing is loaded from elsewhere, nothing runs that is not ours, and no other site has it in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      media-src 'self' blob:; img-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

const WATCH: &str = include_str!("../../data/web/watch.html");
const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// What the pages are made of.
macro_rules! part {
    ($kind:expr, $name:literal) => {
        get(|| async { file($kind, include_str!(concat!("../../data/web/", $name))) })
    };
}

#[derive(Clone)]
struct Page {
    /// The page in somebody else's, and who may have it there.
    embedded: Arc<str>,
    embedders: Option<HeaderValue>,
    audience: Audience,
    /// Never looked at as seen, so that it tells whether it was ever on the air.
    on_air: watch::Receiver<bool>,
    now_playing: NowPlaying,
    server: u64,
}

pub(super) fn routes(serving: &Serving) -> Router {
    let page = Page {
        embedded: WATCH
            .replace("<html lang=\"en\">", "<html lang=\"en\" class=\"embed\">")
            .into(),
        embedders: policy_for(&serving.embed),
        audience: serving.audience.clone(),
        on_air: serving.on_air.clone(),
        now_playing: serving.now_playing.clone(),
        server: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |t| t.as_millis() as u64),
    };
    Router::new()
        .route("/", get(watch_page))
        .route("/watch.json", get(state))
        .with_state(page)
        .route("/watch.js", part!(SCRIPT, "watch.js"))
        .route("/watch-ways.js", part!(SCRIPT, "watch-ways.js"))
        .route("/watch-pictures.js", part!(SCRIPT, "watch-pictures.js"))
        .route("/watch-controls.js", part!(SCRIPT, "watch-controls.js"))
        .route("/watch.css", part!(STYLE, "watch.css"))
        .route("/join", part!(HTML, "join.html"))
        .route("/join.js", part!(SCRIPT, "join.js"))
        .route("/join.css", part!(STYLE, "join.css"))
        .route("/icon.svg", part!("image/svg+xml", "icon.svg"))
}

/// The policy that lets these sites, and nobody else, have the page in theirs.
fn policy_for(embed: &[Origin]) -> Option<HeaderValue> {
    let origins: Vec<&str> = embed.iter().map(Origin::as_str).collect();
    let policy = POLICY.strip_suffix("'none'")?.to_string() + &origins.join(" ");
    // An origin has no sign that a header may not have.
    let policy = HeaderValue::try_from(policy).ok();
    policy.filter(|_| !origins.is_empty())
}

/// The watch page, also as it is in other pages: `/?embed`.
async fn watch_page(State(page): State<Page>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    if !is_embedded(&query) {
        return file(HTML, WATCH);
    }
    let mut response = file(HTML, "");
    *response.body_mut() = page.embedded.to_string().into();
    if let Some(policy) = page.embedders {
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        headers.remove(X_FRAME_OPTIONS);
    }
    response
}

/// Whether the page is asked for in the form for other sites' pages.
pub(super) fn is_embedded(query: &str) -> bool {
    let mut words = query.split('&');
    words.any(|word| word == "embed" || word.starts_with("embed="))
}

/// Whether there is something to watch.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Air {
    Live,
    /// Not yet.
    Off,
    /// Not any more.
    Ended,
}

/// What the watch page tells its viewer.
#[derive(Serialize)]
struct Told {
    air: Air,
    title: String,
    /// Another number is another server: it was started anew.
    server: u64,
}

async fn state(State(page): State<Page>, request: Request) -> Response {
    let no_store = [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let from = peer(&request).map(|from| from.ip());
    if let Some(Err(banned)) = from.map(|ip| page.audience.check(ip)) {
        return (StatusCode::FORBIDDEN, no_store, format!("{banned}\n")).into_response();
    }
    let air = match *page.on_air.borrow() {
        true => Air::Live,
        // The server begins off the air, so a change means that it was on it. Without a sender it is ending.
        false if page.on_air.has_changed().unwrap_or(true) => Air::Ended,
        false => Air::Off,
    };
    let told = Told {
        air,
        title: page.now_playing.get(),
        server: page.server,
    };
    (no_store, Json(told)).into_response()
}

/// Text of ours, for nobody's frame.
fn file(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &str); 6] = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_FRAME_OPTIONS, "DENY"),
        (CACHE_CONTROL, "no-cache"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text).into_response()
}
