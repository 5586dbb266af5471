// SPDX-License-Identifier: GPL-3.0-or-later
//! What happens, as it happens: server-sent events.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use futures::stream;
use serde_json::Value;

use super::{Api, say, snapshot};
use crate::serve::facts::{Follower, MISSED, Next, message};

/// So that routers do not forget the connection, and a broken one is found out.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/api/v1/events", get(events))
}

async fn events(State(api): State<Api>, headers: HeaderMap) -> Result<Response, Response> {
    let after = headers.get("last-event-id").and_then(|v| v.to_str().ok());
    let follower = api.journal.follow(after);
    let follower = follower.ok_or_else(|| {
        let sentence = "Too many programs follow the events. End one of them.";
        say(StatusCode::TOO_MANY_REQUESTS, sentence)
    })?;
    let first = status(&api, follower.seen()).await?;
    let telling = Telling {
        api,
        follower,
        ready: Some(first),
    };
    let stream = stream::unfold(telling, |mut telling| async {
        let text = telling.next().await?;
        Some((Ok::<_, std::convert::Infallible>(text), telling))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(stream)).into_response())
}

/// How things are now.
async fn status(api: &Api, seen: Option<&str>) -> Result<Bytes, Response> {
    let status = snapshot(api).await?;
    Ok(message("status", seen, &status))
}

struct Telling {
    api: Api,
    follower: Follower,
    ready: Option<Bytes>,
}

impl Telling {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(ready) = self.ready.take() {
            return Some(ready);
        }
        match tokio::time::timeout(KEEP_ALIVE, self.follower.next()).await {
            Err(_) => Some(Bytes::from_static(b":\n\n")),
            Ok(Some(Next::Told(text))) => Some(text),
            Ok(Some(Next::Missed(missed))) => {
                let missed = serde_json::to_value(missed).unwrap_or(Value::Null);
                self.ready = status(&self.api, None).await.ok();
                Some(message(MISSED, None, &missed))
            }
            Ok(None) => None,
        }
    }
}
