// SPDX-License-Identifier: GPL-3.0-or-later
//! `/whep`: watching by one POST.
//!
//! The viewer posts its offer and gets the answer; from then on all goes by UDP. Nothing here answers another origin's
//! page: no CORS headers, and the server refuses foreign origins before this is reached.

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::post,
};
use tokio::sync::watch;

use super::{
    posts::{self, Sessions, begun, offer, refusal},
    webrtc::{Leg, SessionId, Wish},
};
use crate::error::ServeError;

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
    posts::routes(post(watch), Whep { leg, air })
}

impl Sessions for Whep {
    const PATH: &'static str = "/whep";
    const SIZES: bool = true;

    async fn candidate(&self, id: SessionId, line: String) -> bool {
        self.leg.candidate(id, line).await
    }

    async fn prefer(&self, id: SessionId, wish: Wish) -> bool {
        self.leg.prefer(id, wish).await
    }

    async fn end(&self, id: SessionId) -> bool {
        self.leg.end(id).await
    }
}

async fn watch(State(whep): State<Whep>, request: Request) -> Response {
    let (offer, who) = match offer(request).await {
        Ok(offer) => offer,
        Err(refused) => return refused,
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
            begun::<Whep>(id, answer)
        }
        Err(error) => refusal(&error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::{
        body::{Body, to_bytes},
        extract::ConnectInfo,
        http::{
            StatusCode,
            header::{CONTENT_TYPE, LOCATION, RETRY_AFTER, USER_AGENT},
        },
    };
    use tower_service::Service;

    use super::*;
    use crate::serve::{
        posts::{LONGEST_OFFER, TRICKLE},
        webrtc::rig::{Rig, Viewer, rig, settings},
    };

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
    const JSON: &str = "application/json";

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
        let small = br#"{"rung": "low"}"#;
        assert_eq!(server.status("PATCH", &place, JSON, small).await, 204);
        for bad in ["", "{}", r#"{"rung": "gif"}"#, r#"{"rung": "low", "x": 1}"#] {
            let status = server.status("PATCH", &place, JSON, bad.as_bytes());
            assert_eq!(status.await, 400, "{bad}");
        }
        assert_eq!(server.status("DELETE", &place, SDP, b"").await, 204);
        viewer.closed().await;
        assert_eq!(server.status("DELETE", &place, SDP, b"").await, 404);
        assert_eq!(server.status("PATCH", &place, TRICKLE, fragment).await, 404);
        assert_eq!(server.status("PATCH", &place, JSON, small).await, 404);
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
