// SPDX-License-Identifier: GPL-3.0-or-later
//! `/whep`: watching by one POST.
//!
//! The viewer posts its offer and gets the answer; from then on all goes by UDP. Nothing here answers another origin's
//! page: no CORS headers, and the server refuses foreign origins before this is reached.

use std::net::SocketAddr;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, DefaultBodyLimit, Path, Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{ALLOW, CONTENT_TYPE, LOCATION, RETRY_AFTER, USER_AGENT},
    },
    response::{IntoResponse, Response},
    routing::post,
};
use tokio::sync::watch;

use super::webrtc::{Leg, SessionId};
use crate::{
    audience::{Transport, Who},
    error::{Remedy, ServeError},
};

/// An offer of a browser has 5 KiB.
pub(super) const LONGEST_OFFER: usize = 64 << 10;
/// As long as going on the air takes, and some.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("2");
pub(super) const SDP: HeaderValue = HeaderValue::from_static("application/sdp");
pub(super) const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
pub(super) const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
pub(super) const TRICKLE: &str = "application/trickle-ice-sdpfrag";

#[derive(Clone)]
struct Whep {
    leg: Leg,
    air: watch::Receiver<bool>,
}

/// The routes `/whep` and `/whep/ID`. Requests should carry a `ConnectInfo<SocketAddr>` extension: it is the address
/// in the list of viewers.
pub fn routes<S>(leg: Leg, air: watch::Receiver<bool>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/whep", post(watch).options(offer_options))
        .route(
            "/whep/{id}",
            axum::routing::delete(end)
                .patch(trickle)
                .options(session_options),
        )
        .layer(DefaultBodyLimit::max(LONGEST_OFFER))
        .with_state(Whep { leg, air })
}

/// A sentence as an answer.
pub(super) fn plain(status: StatusCode, words: impl std::fmt::Display) -> Response {
    (status, format!("{words}\n")).into_response()
}

/// Status and words of an error; never 5xx for what the viewer sent.
pub(super) fn refusal(error: &ServeError) -> Response {
    let words = format!("{error} {}", error.remedy());
    match error {
        ServeError::Sdp(_) => plain(StatusCode::BAD_REQUEST, words),
        ServeError::Banned(banned) => plain(StatusCode::FORBIDDEN, banned),
        ServeError::OffAir
        | ServeError::NoSeat(_)
        | ServeError::Ended
        | ServeError::Udp(_)
        | ServeError::Listen { .. }
        | ServeError::PortInUse { .. } => {
            let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, words);
            response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
            response
        }
    }
}

/// Whether the body is said to be of this type.
pub(super) fn is_type(headers: &HeaderMap, wanted: &str) -> bool {
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
pub(super) async fn body(request: Request<Body>) -> Result<Bytes, Response> {
    use axum::extract::FromRequest;
    Bytes::from_request(request, &())
        .await
        .map_err(IntoResponse::into_response)
}

async fn watch(State(whep): State<Whep>, request: Request) -> Response {
    if !is_type(request.headers(), "application/sdp") {
        let words = "Post an offer as application/sdp.";
        let mut response = plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, words);
        response.headers_mut().insert(ACCEPT_POST, SDP);
        return response;
    }
    let who = who(request.headers(), peer(&request));
    let offer = match body(request).await {
        Ok(bytes) => bytes,
        Err(refused) => return refused,
    };
    let Ok(offer) = String::from_utf8(offer.into()) else {
        return refusal(&ServeError::Sdp("it is not text".into()));
    };
    if !*whep.air.borrow() {
        return refusal(&ServeError::OffAir);
    }
    match whep.leg.accept(offer, who).await {
        Ok((id, answer)) => {
            // It may have gone off the air meanwhile, after the sessions were ended.
            if !*whep.air.borrow() {
                whep.leg.end(id).await;
                return refusal(&ServeError::OffAir);
            }
            let place = [(CONTENT_TYPE, "application/sdp".to_string())];
            let location = [(LOCATION, format!("/whep/{id}"))];
            (StatusCode::CREATED, place, location, answer).into_response()
        }
        Err(error) => refusal(&error),
    }
}

fn unknown() -> Response {
    plain(
        StatusCode::NOT_FOUND,
        "There is no such session. Post a new offer to /whep.",
    )
}

async fn end(State(whep): State<Whep>, Path(id): Path<String>) -> Response {
    match id.parse::<SessionId>() {
        Ok(id) if whep.leg.end(id).await => StatusCode::NO_CONTENT.into_response(),
        Ok(_) | Err(_) => unknown(),
    }
}

/// Addresses that the viewer found after it made its offer. A restart of the connection is not offered: a viewer who
/// lost it posts anew.
async fn trickle(State(whep): State<Whep>, Path(id): Path<String>, request: Request) -> Response {
    if !is_type(request.headers(), TRICKLE) {
        let words = format!("Send candidates as {TRICKLE}.");
        return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, words);
    }
    let Ok(id) = id.parse::<SessionId>() else {
        return unknown();
    };
    let lines = match body(request).await {
        Ok(bytes) => bytes,
        Err(refused) => return refused,
    };
    let lines = String::from_utf8_lossy(&lines);
    let candidates = lines.lines().filter(|l| l.starts_with("a=candidate:"));
    // An empty one, so that an unknown session is told from one with nothing new.
    for line in candidates.chain([""]) {
        if !whep.leg.candidate(id, line.to_string()).await {
            return unknown();
        }
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn offer_options() -> Response {
    let allow = [(ALLOW, "POST, OPTIONS")];
    (StatusCode::NO_CONTENT, allow, [(ACCEPT_POST, SDP)]).into_response()
}

async fn session_options() -> Response {
    let allow = [(ALLOW, "DELETE, PATCH, OPTIONS")];
    (StatusCode::NO_CONTENT, allow, [(ACCEPT_PATCH, TRICKLE)]).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use tower_service::Service;

    use super::*;
    use crate::serve::webrtc::rig::{Rig, Viewer, rig, settings};

    struct Server {
        rig: Rig,
        air: watch::Sender<bool>,
        router: Router,
    }

    fn server() -> Server {
        let rig = rig(settings());
        let (air, seen) = watch::channel(true);
        let router = routes(rig.leg.clone(), seen);
        Server { rig, air, router }
    }

    impl Server {
        async fn send(&mut self, method: &str, path: &str, kind: &str, body: Vec<u8>) -> Response {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(CONTENT_TYPE, kind)
                .header(USER_AGENT, "test\ter/1")
                .body(Body::from(body));
            let mut request = request.unwrap();
            let from = ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 1234)));
            request.extensions_mut().insert(from);
            self.router.call(request).await.unwrap()
        }

        async fn status(&mut self, method: &str, path: &str, kind: &str, body: &[u8]) -> u16 {
            let response = self.send(method, path, kind, body.to_vec()).await;
            response.status().as_u16()
        }
    }

    const SDP: &str = "application/sdp";

    #[tokio::test(flavor = "multi_thread")]
    async fn one_post_and_the_picture_comes_until_the_session_is_deleted() {
        let mut server = server();
        let mut viewer = Viewer::new().await;
        let (offer, pending) = viewer.offer();
        let response = server.send("POST", "/whep", SDP, offer.into()).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers()[CONTENT_TYPE], SDP);
        assert!(
            !response
                .headers()
                .contains_key("access-control-allow-origin")
        );
        let place = response.headers()[LOCATION].to_str().unwrap().to_string();
        let answer = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        viewer.accept(std::str::from_utf8(&answer).unwrap(), pending);
        viewer.frames(3).await;
        let listed = server.rig.joined().await.who;
        assert_eq!(listed.address, "192.0.2.1:1234");
        assert_eq!(listed.agent, "tester/1");

        let fragment = b"a=mid:0\r\na=candidate:1 1 udp 1 192.0.2.9 9 typ host\r\n";
        assert_eq!(server.status("PATCH", &place, TRICKLE, fragment).await, 204);
        assert_eq!(server.status("OPTIONS", &place, SDP, b"").await, 204);
        assert_eq!(server.status("DELETE", &place, SDP, b"").await, 204);
        viewer.closed().await;
        assert_eq!(server.status("DELETE", &place, SDP, b"").await, 404);
        assert_eq!(server.status("PATCH", &place, TRICKLE, fragment).await, 404);
        server.rig.assert_unused();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_cannot_be_used_is_the_senders_fault_and_said_so() {
        let mut server = server();
        let (offer, _) = Viewer::new().await.offer();
        let long = vec![b'a'; LONGEST_OFFER + 1];
        let cases: [(&str, &str, &str, &[u8], u16); 12] = [
            ("POST", "/whep", SDP, b"", 400),
            ("POST", "/whep", SDP, b"v=0", 400),
            ("POST", "/whep", SDP, &[0xff, 0xfe, 0], 400),
            ("POST", "/whep", SDP, &long, 413),
            ("POST", "/whep", "text/plain", offer.as_bytes(), 415),
            ("POST", "/whep", "", offer.as_bytes(), 415),
            ("PUT", "/whep", SDP, offer.as_bytes(), 405),
            ("GET", "/whep", "", b"", 405),
            ("DELETE", "/whep/1", "", b"", 404),
            ("DELETE", "/whep/%ff%00", "", b"", 400),
            ("PATCH", "/whep/1", TRICKLE, b"", 404),
            ("PATCH", "/whep/1", SDP, b"", 415),
        ];
        for (method, path, kind, body, status) in cases {
            let got = server.status(method, path, kind, body).await;
            assert_eq!(got, status, "{method} {path} {kind} {body:.20?}");
        }
        server.rig.assert_unused();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn off_the_air_a_viewer_is_told_when_to_come_again() {
        let mut server = server();
        server.air.send_replace(false);
        let (offer, _) = Viewer::new().await.offer();
        let response = server.send("POST", "/whep", SDP, offer.into()).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key(RETRY_AFTER));
        server.rig.assert_unused();
    }
}
