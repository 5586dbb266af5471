// SPDX-License-Identifier: GPL-3.0-or-later
//! The watch page and the guests' page, from `data/web`, kept in the program.

use axum::{Router, http::header, response::IntoResponse, routing::get};

/// Nothing is loaded from elsewhere, nothing runs that is not ours.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      media-src 'self' blob:; img-src 'self' data:; base-uri 'none'; form-action 'none'";

pub(super) fn routes() -> Router {
    Router::new()
        .route(
            "/",
            get(|| {
                file(
                    "text/html; charset=utf-8",
                    include_str!("../../data/web/watch.html"),
                )
            }),
        )
        .route(
            "/watch.js",
            get(|| {
                file(
                    "text/javascript; charset=utf-8",
                    include_str!("../../data/web/watch.js"),
                )
            }),
        )
        .route(
            "/watch.css",
            get(|| {
                file(
                    "text/css; charset=utf-8",
                    include_str!("../../data/web/watch.css"),
                )
            }),
        )
        .route(
            "/join",
            get(|| {
                file(
                    "text/html; charset=utf-8",
                    include_str!("../../data/web/join.html"),
                )
            }),
        )
        .route(
            "/join.js",
            get(|| {
                file(
                    "text/javascript; charset=utf-8",
                    include_str!("../../data/web/join.js"),
                )
            }),
        )
        .route(
            "/join.css",
            get(|| {
                file(
                    "text/css; charset=utf-8",
                    include_str!("../../data/web/join.css"),
                )
            }),
        )
        .route(
            "/icon.svg",
            get(|| file("image/svg+xml", include_str!("../../data/web/icon.svg"))),
        )
}

async fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text)
}
