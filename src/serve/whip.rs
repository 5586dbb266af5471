// SPDX-License-Identifier: GPL-3.0-or-later
//! `/whip`: becoming a source by one POST, from the join page, OBS or whipclientsink.
//!
//! Who posts needs an invitation, the key of a seat, or the broadcaster's token; the answer to an invitation carries
//! the key in the header `Aerial-Seat`. As with `/whep`, nothing here answers another origin's page.

use axum::{
    Router,
    extract::{Query, Request, State, rejection::QueryRejection},
    http::{HeaderName, StatusCode, header::WWW_AUTHENTICATE},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::Deserialize;

use super::{
    guests::NotReceived,
    posts::{self, Sessions, begun, offer, plain, refusal},
    reception::Reception,
    webrtc::SessionId,
};
use crate::source::guest::{Refused, Visitor};

/// The key for coming back to the same seat.
pub(super) const SEAT: HeaderName = HeaderName::from_static("aerial-seat");

/// The routes `/whip` and `/whip/ID`. Requests should carry a `ConnectInfo<SocketAddr>` extension.
pub(super) fn routes<S>(reception: Reception) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    posts::routes(post(come), reception)
}

impl Sessions for Reception {
    const PATH: &'static str = "/whip";

    async fn candidate(&self, id: SessionId, line: String) -> bool {
        self.guests().candidate(id, line).await
    }

    async fn end(&self, id: SessionId) -> bool {
        Reception::end(self, id).await
    }
}

#[derive(Deserialize)]
struct Called {
    name: Option<String>,
}

/// Words for one who may not come in.
pub(super) fn words(refused: Refused) -> &'static str {
    match refused {
        Refused::Unknown => {
            "This needs an invitation or the API token. Send it as \"Authorization: Bearer TOKEN\"."
        }
        Refused::Spent => {
            "This invitation was used already, or the seat taken away. Ask the host for a new one."
        }
        Refused::Taken => "Somebody else has just taken that seat. Try again.",
    }
}

fn turned_away(refused: Refused) -> Response {
    match refused {
        Refused::Unknown => {
            let how = [(WWW_AUTHENTICATE, "Bearer")];
            (how, plain(StatusCode::UNAUTHORIZED, words(refused))).into_response()
        }
        Refused::Spent => plain(StatusCode::FORBIDDEN, words(refused)),
        Refused::Taken => plain(StatusCode::CONFLICT, words(refused)),
    }
}

async fn come(
    State(reception): State<Reception>,
    called: Result<Query<Called>, QueryRejection>,
    request: Request,
) -> Response {
    // First of all: strangers are told nothing about anything else.
    let right = match reception.right(request.headers()) {
        Ok(right) => right,
        Err(refused) => return turned_away(refused),
    };
    let (offer, who) = match offer(request).await {
        Ok(offer) => offer,
        Err(refused) => return refused,
    };
    let name = called.ok().and_then(|Query(called)| called.name);
    let visitor = Visitor::new(name.as_deref(), &who.agent, who.address);
    match reception.receive(right, offer, visitor).await {
        Ok(received) => {
            let mut response = begun::<Reception>(received.session, received.answer);
            if let Some(key) = received.key.and_then(|key| key.parse().ok()) {
                response.headers_mut().insert(SEAT, key);
            }
            response
        }
        Err(NotReceived::Refused(refused)) => turned_away(refused),
        Err(NotReceived::Serve(error)) => refusal(&error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::{
        body::{Body, to_bytes},
        extract::ConnectInfo,
        http::header::{CONTENT_TYPE, LOCATION},
    };
    use tower_service::Service;

    use super::*;
    use crate::{
        serve::{
            guests::rig::Sender,
            posts::{LONGEST_OFFER, TRICKLE},
            reception::rig::{Made, TOKEN, reception},
        },
        source::guest::Seats,
    };

    const SDP: &str = "application/sdp";

    struct Server {
        seats: Seats,
        made: Made,
        router: Router,
    }

    fn server() -> Server {
        let (reception, seats, made) = reception();
        let router = routes(reception);
        Server {
            seats,
            made,
            router,
        }
    }

    impl Server {
        async fn send(
            &mut self,
            (method, path): (&str, &str),
            token: &str,
            kind: &str,
            body: &[u8],
        ) -> Response {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(CONTENT_TYPE, kind)
                .header("authorization", format!("Bearer {token}"))
                .header("user-agent", "caller/1")
                .body(Body::from(body.to_vec()));
            let mut request = request.unwrap();
            let from = ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 1234)));
            request.extensions_mut().insert(from);
            self.router.call(request).await.unwrap()
        }

        /// Come in with this word; the connection, its place, and the key.
        async fn come(&mut self, path: &str, token: &str) -> (Sender, String, Option<String>) {
            let (mut sender, offer, pending) = Sender::new().await;
            let post = ("POST", path);
            let response = self.send(post, token, SDP, offer.as_bytes()).await;
            assert_eq!(response.status(), StatusCode::CREATED);
            assert_eq!(response.headers()[CONTENT_TYPE], SDP);
            let text = |name: HeaderName| {
                let value = response.headers().get(name);
                value.map(|v| v.to_str().unwrap().to_string())
            };
            let (place, key) = (text(LOCATION).unwrap(), text(SEAT));
            let answer = to_bytes(response.into_body(), 1 << 20).await.unwrap();
            sender.accept(std::str::from_utf8(&answer).unwrap(), pending);
            (sender, place, key)
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_invitation_works_once_and_its_key_brings_the_guest_back() {
        let mut server = server();
        let _seat = server.seats.open(&[1, 2]);
        let invitation = server.seats.invitation(1).unwrap();
        let (mut first, place, key) = server.come("/whip?name=Ada%20L", &invitation).await;
        first.connected().await;
        let row = server.seats.row(2).unwrap();
        assert_eq!((row.name.as_str(), row.connected), ("Ada L", true));
        assert_eq!(row.address, "192.0.2.1:1234");
        let key = key.expect("the key comes with the first answer");
        let again = server.send(("POST", "/whip"), &invitation, SDP, b"").await;
        assert_eq!(again.status(), StatusCode::FORBIDDEN);
        // Another tab, or the page after a reload.
        let (mut second, _, none) = server.come("/whip", &key).await;
        assert_eq!(none, None);
        second.connected().await;
        first.closed().await;
        let row = server.seats.row(1).unwrap();
        assert_eq!((row.name.as_str(), row.connected), ("caller/1", true));
        let gone = server.send(("DELETE", &place), "", SDP, b"").await;
        assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_program_with_the_token_gets_a_source_that_goes_with_it() {
        let mut server = server();
        let seat = server.seats.open(&[1]);
        // The seat that waits is taken first.
        let (_first, _, none) = server.come("/whip", TOKEN).await;
        assert_eq!((none, server.made.lock().len()), (None, 0));
        let (mut second, place, _) = server.come("/whip", TOKEN).await;
        second.connected().await;
        assert_eq!(server.made.lock().len(), 1);
        let fragment = b"a=candidate:1 1 udp 1 192.0.2.9 9 typ host\r\n";
        let patched = server
            .send(("PATCH", &place), "", TRICKLE, fragment)
            .await
            .status();
        assert_eq!(patched, StatusCode::NO_CONTENT);
        let options = server.send(("OPTIONS", &place), "", SDP, b"").await;
        assert_eq!(options.status(), StatusCode::NO_CONTENT);
        let ended = server.send(("DELETE", &place), "", SDP, b"").await;
        assert_eq!(ended.status(), StatusCode::NO_CONTENT);
        second.closed().await;
        assert_eq!(server.made.lock().len(), 0);
        drop(seat);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_cannot_be_used_is_the_senders_fault_and_said_so() {
        let mut server = server();
        let _seat = server.seats.open(&[1]);
        let (_, offer, _) = Sender::new().await;
        let offer = offer.as_bytes();
        let long = vec![b'a'; LONGEST_OFFER + 1];
        type Case<'a> = ((&'a str, &'a str), &'a str, &'a str, &'a [u8], u16);
        let cases: [Case<'_>; 14] = [
            (("POST", "/whip"), "", SDP, offer, 401),
            (("POST", "/whip"), "wrong", SDP, offer, 401),
            (("POST", "/whip"), "wrong", "", b"", 401),
            (("POST", "/whip"), TOKEN, SDP, b"", 400),
            (("POST", "/whip"), TOKEN, SDP, b"v=0", 400),
            (("POST", "/whip"), TOKEN, SDP, &[0xff, 0xfe, 0], 400),
            (("POST", "/whip"), TOKEN, SDP, &long, 413),
            (("POST", "/whip"), TOKEN, "text/plain", offer, 415),
            (("PUT", "/whip"), TOKEN, SDP, offer, 405),
            (("GET", "/whip"), TOKEN, "", b"", 405),
            (("DELETE", "/whip/1"), TOKEN, "", b"", 404),
            (("DELETE", "/whip/%ff%00"), TOKEN, "", b"", 400),
            (("PATCH", "/whip/1"), TOKEN, TRICKLE, b"", 404),
            (("PATCH", "/whip/1"), TOKEN, SDP, b"", 415),
        ];
        for (what, token, kind, body, status) in cases {
            let got = server.send(what, token, kind, body).await.status();
            assert_eq!(got, status, "{what:?} {token} {kind} {body:.20?}");
        }
        assert_eq!(server.made.lock().len(), 0, "no source was made for these");
        // A bad offer does not use up an invitation.
        let invitation = server.seats.invitation(1).unwrap();
        let got = server
            .send(("POST", "/whip"), &invitation, SDP, b"v=0")
            .await;
        assert_eq!(got.status(), 400);
        assert_eq!(server.seats.invitation(1), Some(invitation));
    }
}
