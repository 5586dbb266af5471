// SPDX-License-Identifier: GPL-3.0-or-later
//! The protocol as a peer on a socket sees it.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "any other message fails the test"
)]

use std::time::Duration;

use gst_plugin_webrtc_signalling_protocol::{
    EndSessionMessage, IncomingMessage as In, OutgoingMessage as Out, PeerMessage,
    PeerMessageInner, PeerRole, PeerStatus, SdpMessage, StartSessionMessage,
};
use str0m::change::SdpOffer;
use tokio::sync::{mpsc, watch};

use super::{FromSocket, Signalling, new_peer_id};
use crate::{
    serve::{
        guests::rig::Sender,
        reception::{
            Right,
            rig::{Made, reception},
        },
        webrtc::rig::{PATIENCE, Rig, Viewer, rig, settings, who},
    },
    source::guest::Seats,
};

struct Server {
    rig: Rig,
    air: watch::Sender<bool>,
    signalling: Signalling,
    seats: Seats,
    made: Made,
}

fn server() -> Server {
    let rig = rig(settings());
    let (air, seen) = watch::channel(true);
    let (reception, seats, made) = reception();
    let signalling = Signalling::start(rig.leg.clone(), reception, seen);
    Server {
        rig,
        air,
        signalling,
        seats,
        made,
    }
}

struct Peer {
    id: String,
    hub: mpsc::Sender<FromSocket>,
    told: mpsc::Receiver<Out>,
}

impl Peer {
    async fn new(server: &Server) -> Peer {
        Peer::with(server, None).await
    }

    async fn with(server: &Server, right: Option<Right>) -> Peer {
        let (tell, told) = mpsc::channel(64);
        let hub = server.signalling.hub.clone();
        let id = new_peer_id();
        let came = FromSocket::Came(id.clone(), (who(), right), tell);
        assert!(hub.send(came).await.is_ok());
        let mut peer = Peer { id, hub, told };
        let welcome = peer.told().await;
        assert_eq!(
            welcome,
            Out::Welcome {
                peer_id: peer.id.clone()
            }
        );
        peer
    }

    async fn say(&self, message: In) {
        let said = FromSocket::Said(self.id.clone(), message);
        assert!(self.hub.send(said).await.is_ok());
    }

    async fn told(&mut self) -> Out {
        let told = tokio::time::timeout(PATIENCE, self.told.recv()).await;
        told.unwrap().unwrap()
    }

    async fn status(&mut self, role: PeerRole) -> Out {
        self.say(In::SetPeerStatus(PeerStatus {
            roles: vec![role],
            meta: None,
            peer_id: None,
        }))
        .await;
        self.told().await
    }

    async fn producers(&mut self) -> Vec<String> {
        self.say(In::List).await;
        match self.told().await {
            Out::List { producers } => producers.into_iter().map(|p| p.id).collect(),
            other => panic!("{other:?}"),
        }
    }

    /// Start a session; its name and what the producer said first.
    async fn start(&mut self, offer: Option<String>) -> (String, SdpMessage) {
        let peer_id = self.producers().await.remove(0);
        self.say(In::StartSession(StartSessionMessage { peer_id, offer }))
            .await;
        let Out::SessionStarted { session_id, .. } = self.told().await else {
            panic!("no session");
        };
        let sdp = match self.told().await {
            Out::Peer(PeerMessage {
                peer_message: PeerMessageInner::Sdp(sdp),
                ..
            }) => sdp,
            other => panic!("{other:?}"),
        };
        let next = self.told().await;
        let is_address = matches!(&next, Out::Peer(PeerMessage {
            peer_message: PeerMessageInner::Ice { candidate, .. },
            ..
        }) if candidate.starts_with("candidate:") && !candidate.contains("ufrag"));
        assert!(is_address, "{next:?}");
        (session_id, sdp)
    }

    async fn ended(&mut self) -> String {
        loop {
            match self.told().await {
                Out::EndSession(end) => return end.session_id,
                // More addresses, or the end of the producer.
                Out::Peer(_) | Out::PeerStatusChanged(_) => (),
                other => panic!("{other:?}"),
            }
        }
    }

    async fn watch(&mut self) -> (Viewer, String) {
        let (session, sdp) = self.start(None).await;
        let SdpMessage::Offer { sdp } = sdp else {
            panic!("{sdp:?}")
        };
        let mut viewer = Viewer::new().await;
        let offer = SdpOffer::from_sdp_string(&sdp).unwrap();
        let answer = viewer.rtc.sdp_api().accept_offer(offer).unwrap();
        let answer = PeerMessage {
            session_id: session.clone(),
            peer_message: PeerMessageInner::Sdp(SdpMessage::Answer {
                sdp: answer.to_sdp_string(),
            }),
        };
        self.say(In::Peer(answer)).await;
        viewer.frames(2).await;
        (viewer, session)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_watches_our_offer_until_it_is_kicked() {
    let mut server = server();
    let mut peer = Peer::new(&server).await;
    let (mut viewer, session) = peer.watch().await;
    let listed = server.rig.joined().await;
    assert!(server.rig.audience.kick(listed.id));
    assert_eq!(peer.ended().await, session);
    viewer.closed().await;
    server.rig.left().await;
    server.rig.assert_unused();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_who_offers_is_answered() {
    let mut server = server();
    let mut peer = Peer::new(&server).await;
    let mut viewer = Viewer::new().await;
    let (offer, pending) = viewer.offer();
    let (session, sdp) = peer.start(Some(offer)).await;
    let SdpMessage::Answer { sdp } = sdp else {
        panic!("{sdp:?}")
    };
    let streams = sdp.lines().filter(|l| l.starts_with("a=msid:aerial "));
    assert_eq!(streams.count(), 2, "both tracks are of one stream: {sdp}");
    viewer.accept(&sdp, pending);
    viewer.frames(2).await;
    server.rig.joined().await;
    let end = EndSessionMessage {
        session_id: session,
    };
    peer.say(In::EndSession(end)).await;
    viewer.closed().await;
    server.rig.left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_whose_socket_closes_is_gone_from_the_list() {
    let mut server = server();
    let mut peer = Peer::new(&server).await;
    let (mut viewer, _) = peer.watch().await;
    server.rig.joined().await;
    let went = FromSocket::Went(peer.id.clone());
    assert!(peer.hub.send(went).await.is_ok());
    viewer.closed().await;
    server.rig.left().await;
    server.rig.assert_unused();
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_may_only_watch_and_not_meddle() {
    let mut server = server();
    let mut peer = Peer::new(&server).await;
    for role in [PeerRole::Producer, PeerRole::Consumer] {
        let told = peer.status(role).await;
        assert!(matches!(told, Out::Error { .. }), "{told:?}");
    }
    peer.say(In::NewPeer).await;
    assert!(matches!(peer.told().await, Out::Error { .. }));
    let listener = peer.status(PeerRole::Listener).await;
    assert!(matches!(listener, Out::PeerStatusChanged(_)));
    assert_eq!(peer.producers().await.len(), 1);

    let mut other = Peer::new(&server).await;
    let (mut viewer, session) = other.watch().await;
    server.rig.joined().await;
    let end = EndSessionMessage {
        session_id: session,
    };
    peer.say(In::EndSession(end)).await;
    peer.say(In::StartSession(StartSessionMessage {
        peer_id: other.id.clone(),
        offer: None,
    }))
    .await;
    assert!(matches!(peer.told().await, Out::Error { .. }));
    viewer.frames(10).await;

    let offer = Some("v=0\r\n".into());
    let peer_id = peer.producers().await.remove(0);
    peer.say(In::StartSession(StartSessionMessage { peer_id, offer }))
        .await;
    assert!(matches!(peer.told().await, Out::SessionStarted { .. }));
    assert!(matches!(peer.told().await, Out::Error { .. }));
    peer.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_producer_comes_and_goes_with_the_broadcast() {
    let mut server = server();
    let mut peer = Peer::new(&server).await;
    peer.status(PeerRole::Listener).await;
    let (mut viewer, session) = peer.watch().await;
    server.rig.joined().await;
    server.air.send_replace(false);
    assert_eq!(peer.ended().await, session);
    viewer.closed().await;
    server.rig.left().await;
    server.rig.assert_unused();
    // The news of the producer's end may still be on its way.
    while !matches!(peer.told.try_recv(), Err(mpsc::error::TryRecvError::Empty)) {}
    server.air.send_replace(true);
    let back = loop {
        match peer.told().await {
            Out::PeerStatusChanged(status) if status.producing() => break status,
            _ => (),
        }
    };
    assert_eq!(back.meta, Some(serde_json::json!({"name": "Aerial"})));
    let (mut viewer, _) = peer.watch().await;
    viewer.frames(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_who_does_not_read_is_let_go() {
    let server = server();
    let (tell, mut told) = mpsc::channel(1);
    let id = new_peer_id();
    let hub = &server.signalling.hub;
    let came = FromSocket::Came(id.clone(), (who(), None), tell);
    assert!(hub.send(came).await.is_ok());
    for _ in 0..10 {
        let said = FromSocket::Said(id.clone(), In::List);
        assert!(hub.send(said).await.is_ok());
    }
    let closed = async { while told.recv().await.is_some() {} };
    let closed = tokio::time::timeout(Duration::from_secs(30), async {
        // Not read until the hub has seen that it is full.
        while hub.capacity() < hub.max_capacity() {
            tokio::task::yield_now().await;
        }
        closed.await;
    });
    assert!(closed.await.is_ok());
}

impl Peer {
    /// Produce: answer the start of the session with an offer, as gstwebrtc-api does.
    async fn produce(&mut self) -> (Sender, String) {
        self.say(In::SetPeerStatus(PeerStatus {
            roles: vec![PeerRole::Producer],
            meta: Some(serde_json::json!({"name": "Grace"})),
            peer_id: None,
        }))
        .await;
        let started = self.told().await;
        let Out::StartSession { session_id, .. } = started else {
            panic!("{started:?}");
        };
        let (mut sender, sdp, pending) = Sender::new().await;
        self.say(In::Peer(PeerMessage {
            session_id: session_id.clone(),
            peer_message: PeerMessageInner::Sdp(SdpMessage::Offer { sdp }),
        }))
        .await;
        match self.told().await {
            Out::Peer(PeerMessage {
                peer_message: PeerMessageInner::Sdp(SdpMessage::Answer { sdp }),
                ..
            }) => sender.accept(&sdp, pending),
            other => panic!("{other:?}"),
        }
        sender.connected().await;
        (sender, session_id)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_with_an_invitation_becomes_a_guest_and_nobody_else_sees_it() {
    let server = server();
    let seat = server.seats.open(&[1]);
    let word = server.seats.invitation(1).unwrap();
    let mut watcher = Peer::new(&server).await;
    watcher.status(PeerRole::Listener).await;
    let mut guest = Peer::with(&server, Some(Right::Word(word))).await;
    let (mut sender, session) = guest.produce().await;
    let row = server.seats.row(1).unwrap();
    assert_eq!((row.name.as_str(), row.connected), ("Grace", true));
    assert_eq!(server.seats.invitation(1), None);

    let listed = watcher.producers().await;
    assert_eq!(listed.len(), 1, "the broadcast alone");
    watcher
        .say(In::StartSession(StartSessionMessage {
            peer_id: guest.id.clone(),
            offer: None,
        }))
        .await;
    assert!(matches!(watcher.told().await, Out::Error { .. }));

    drop(seat);
    assert_eq!(guest.ended().await, session);
    sender.closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_stops_producing_or_closes_the_socket_has_left() {
    let server = server();
    for close in [false, true] {
        let mut guest = Peer::with(&server, Some(Right::Own)).await;
        let (mut sender, _) = guest.produce().await;
        assert_eq!(server.made.lock().len(), 1);
        if close {
            let went = FromSocket::Went(guest.id.clone());
            assert!(guest.hub.send(went).await.is_ok());
        } else {
            guest
                .say(In::SetPeerStatus(PeerStatus {
                    roles: vec![],
                    meta: None,
                    peer_id: None,
                }))
                .await;
        }
        sender.closed().await;
        let id = server.made.lock().first().map(|(id, _)| *id);
        if let Some(id) = id {
            let there = server.seats.left(id).await && server.seats.taken(id).await;
            assert!(!there, "its source goes too");
        }
    }
}
