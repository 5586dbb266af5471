// SPDX-License-Identifier: GPL-3.0-or-later
//! Before any route but the streams: who may come through.
//!
//! What is not named here as open or as guarded by its own token wants what watching wants: a route that is
//! forgotten is shut.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use futures::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::{
    claim::{self, Claim},
    door::{self, is_below},
    enter, page,
    pass::{NoPass, Passes},
    posts::{self, plain},
};

/// Whether a request came over TLS.
#[derive(Debug, Clone, Copy)]
pub(super) struct Secure(pub(super) bool);

/// Bodies are small, but those of `/frames`, which wait only for who has the token.
const BODY_TIME: Duration = Duration::from_secs(30);

/// What opens a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    /// Nothing: scripts and styles of pages, the page for guests, the question for the password.
    None,
    /// A token of its own, or a name that cannot be guessed; wrong tokens are counted here.
    Own,
    /// What watching wants.
    Watching,
    /// The same, or the token of one who sends: asked there.
    Signalling,
}

fn lock(path: &str) -> Lock {
    match path {
        "/join" | "/enter" => return Lock::None,
        "/signalling" | "/signalling/" => return Lock::Signalling,
        _ => (),
    }
    let part = [".js", ".css", ".svg"];
    if part.iter().any(|ending| path.ends_with(ending)) && path.matches('/').count() == 1 {
        return Lock::None;
    }
    let own = ["/api", "/frames", "/whip", "/metrics"];
    // A session of `/whep` has a name that only its viewer knows.
    if own.iter().any(|root| is_below(path, root)) || path.starts_with("/whep/") {
        return Lock::Own;
    }
    Lock::Watching
}

/// Somebody's way to a route.
pub(super) async fn pass(
    State(passes): State<Passes>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_string();
    // Who cannot be told is not of this computer.
    let peer = posts::peer(&request).unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    let claim = Claim::of(peer, &uri, &headers, passes.cookie());
    if door::is_guarded(&path) && !passes.names().are_of(&claim) {
        return refuse(NoPass::Foreign);
    }
    let query = uri.query().unwrap_or_default();
    let given = claim.bearer.or(claim::value(query, "token")).is_some();
    match lock(&path) {
        Lock::None => (),
        Lock::Own => {
            if given && let Some(later) = passes.wait(&claim) {
                return refuse(later);
            }
            let response = next.run(in_time(request, &path)).await;
            if given && response.status() == StatusCode::UNAUTHORIZED {
                passes.wrong(&claim);
            }
            return response;
        }
        Lock::Watching => match passes.check(&claim) {
            // In a frame of another site no cookie would come back, so that page keeps the token and sends it along.
            Ok(pass)
                if pass.by_link
                    && path == "/"
                    && request.method() == Method::GET
                    && !page::is_embedded(query) =>
            {
                let secure = request.extensions().get::<Secure>();
                let secure = secure.is_some_and(|s| s.0);
                let led = accepts_pages(&headers) && !claim.same_site;
                return enter::by_link(&passes, query, secure, led);
            }
            Ok(_) => (),
            Err(why) if path == "/" && accepts_pages(&headers) => {
                return enter::page(why, passes.asks());
            }
            Err(why) => return refuse(why),
        },
        Lock::Signalling => {
            let pass = passes.look(&claim);
            if let Err(why @ (NoPass::Later(_) | NoPass::Foreign)) = pass {
                return refuse(why);
            }
            request.extensions_mut().insert(Arc::new(pass));
            let response = next.run(request).await;
            if given && response.status() == StatusCode::UNAUTHORIZED {
                passes.wrong(&claim);
            }
            return response;
        }
    }
    next.run(in_time(request, &path)).await
}

fn accepts_pages(headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok());
    accepts.is_some_and(|a| a.contains("text/html"))
}

/// Say why not.
pub(super) fn refuse(why: NoPass) -> Response {
    let (status, sentence) = why.words();
    let status = status.split(' ').next().and_then(|s| s.parse().ok());
    let mut response = plain(status.unwrap_or(StatusCode::FORBIDDEN), sentence);
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    if let Some((name, value)) = why.headers()
        && let Ok(value) = value.parse()
    {
        headers.insert(name, value);
    }
    response
}

/// The same request, whose body must be there in time.
fn in_time(request: Request, path: &str) -> Request {
    if is_below(path, "/frames") {
        return request;
    }
    let end = Instant::now() + BODY_TIME;
    request.map(|body| {
        let pieces = body.into_data_stream();
        // A body that comes too late ends with an error, and nothing after it.
        let pieces = futures::stream::unfold(Some(pieces), move |body| async move {
            let mut body = body?;
            match timeout_at(end, body.next()).await {
                Ok(piece) => Some((piece?, Some(body))),
                Err(_) => {
                    let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
                    Some((Err(axum::Error::new(late)), None))
                }
            }
        });
        Body::from_stream(pieces)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_nobody_named_is_shut() {
        for path in ["/", "/whep", "/snapshot.jpg", "/new", "/a/b.js", "/joint"] {
            assert_eq!(lock(path), Lock::Watching, "{path}");
        }
        for path in ["/watch.js", "/join", "/join.css", "/icon.svg", "/enter"] {
            assert_eq!(lock(path), Lock::None, "{path}");
        }
        for path in ["/api", "/api/v1/status", "/frames/a", "/whip/1", "/whep/1"] {
            assert_eq!(lock(path), Lock::Own, "{path}");
        }
    }
}
