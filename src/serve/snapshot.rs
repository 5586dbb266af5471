// SPDX-License-Identifier: GPL-3.0-or-later
//! `/snapshot.jpg`: the picture as it is now.

use std::time::Duration;

use axum::{
    Router,
    extract::{Request, State},
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::sync::watch;

use super::{
    live::{NOT_BEGUN, NOTHING_TO_CARRY, OFF_AIR},
    posts::{not_let_in, peer},
};
use crate::{
    audience::Audience,
    encode::{Encoders, Format},
    fanout::Join,
};

/// An encoder that has given nothing by then will not.
const BEGIN: Duration = Duration::from_secs(10);

#[derive(Clone)]
struct Camera {
    encoders: Encoders,
    on_air: watch::Receiver<bool>,
    audience: Audience,
}

pub(super) fn routes(
    encoders: Encoders,
    on_air: watch::Receiver<bool>,
    audience: Audience,
) -> Router {
    let camera = Camera {
        encoders,
        on_air,
        audience,
    };
    Router::new()
        .route("/snapshot.jpg", get(take))
        .with_state(camera)
}

/// The newest picture of the encoder that `/live.mjpeg` reads; it is started if it does not run.
async fn take(State(camera): State<Camera>, request: Request) -> Response {
    let from = peer(&request).map(|from| from.ip());
    // A single picture takes no viewer's place.
    if let Some(Err(banned)) = from.map(|ip| camera.audience.check_ban(ip)) {
        let no_store = [(CACHE_CONTROL, "no-store")];
        return (no_store, not_let_in(banned)).into_response();
    }
    if !*camera.on_air.borrow() {
        return later(OFF_AIR);
    }
    let encoders = &camera.encoders;
    let rung = encoders.rungs_of(Format::Mjpeg).pop_first();
    let Some(lease) = rung.and_then(|rung| encoders.lease(rung)) else {
        let words = format!("{NOTHING_TO_CARRY}\n");
        return (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-store")], words).into_response();
    };
    let mut feed = lease.stream().subscribe(Join::LastKey);
    match tokio::time::timeout(BEGIN, feed.next()).await {
        Ok(Some(picture)) => {
            let headers = [
                (CONTENT_TYPE, "image/jpeg"),
                (CACHE_CONTROL, "no-store"),
                (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            (headers, picture.data).into_response()
        }
        Ok(None) | Err(_) => later(NOT_BEGUN),
    }
}

fn later(sentence: &str) -> Response {
    let headers = [(CACHE_CONTROL, "no-store"), (RETRY_AFTER, "5")];
    let status = StatusCode::SERVICE_UNAVAILABLE;
    (status, headers, format!("{sentence}\n")).into_response()
}
