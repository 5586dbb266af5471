// SPDX-License-Identifier: GPL-3.0-or-later
//! For the fuzzers: a broadcast whose peers say what they are told to.

use std::time::Duration;

use gst_plugin_webrtc_signalling_protocol as p;
use tokio::{
    runtime::{Builder, Runtime},
    sync::{mpsc, watch},
};

use super::{FromSocket, Signalling, new_peer_id};
use crate::{
    serve::{
        reception::{
            Reception, Right,
            rig::{Made, reception},
        },
        webrtc::rig::{Rig, rig, settings, who},
    },
    source::guest::{Refused, Seats},
};

/// Far more than any answer takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Peers of one input: two who watch, one who may be a guest.
const PEERS: usize = 3;
/// Room for all that a peer is told while one input is played.
const WAITING: usize = 4096;

pub(in crate::serve) struct Floor {
    runtime: Runtime,
    rig: Rig,
    reception: Reception,
    signalling: Signalling,
    _air: watch::Sender<bool>,
    _seats: Seats,
    _made: Made,
}

struct Peer {
    id: String,
    told: mpsc::Receiver<p::OutgoingMessage>,
}

/// Names that peers learn and use in what they say.
#[derive(Default)]
struct Learnt {
    producer: String,
    session: String,
}

impl Floor {
    pub(in crate::serve) fn open() -> Floor {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("the system gives threads");
        let inside = runtime.enter();
        let rig = rig(settings());
        let (air, seen) = watch::channel(true);
        let (reception, seats, made) = reception();
        let signalling = Signalling::start(rig.leg.clone(), reception.clone(), seen);
        drop(inside);
        Floor {
            runtime,
            rig,
            reception,
            signalling,
            _air: air,
            _seats: seats,
            _made: made,
        }
    }

    /// The text as an offer of a viewer and of a guest, as an answer to ours, and its lines as candidates.
    pub(in crate::serve) fn describe(&self, text: &str) {
        self.runtime.block_on(async {
            let leg = &self.rig.leg;
            if let Ok((id, answer)) = leg.accept(text.into(), who()).await {
                assert!(answer.starts_with("v=0"), "{answer}");
                for line in text.lines().take(8) {
                    leg.candidate(id, line.into()).await;
                }
                assert!(leg.end(id).await);
            }
            let (id, _) = leg
                .offer(who())
                .await
                .expect("viewers are offered what is live");
            let answered = leg.answer(id, text.into()).await.is_ok();
            assert!(leg.end(id).await || !answered);
            let sit = Box::new(|| Err(Refused::Taken));
            assert!(
                self.reception
                    .guests()
                    .receive(text.into(), sit)
                    .await
                    .is_err()
            );
        });
    }

    /// Peers say these lines. The first letter tells which of them; `$0` to `$2`, `$p` and `$s` are the names of peers, of
    /// the producer and of the last session.
    pub(in crate::serve) fn talk(&self, text: &str) {
        self.runtime.block_on(async {
            let mut peers = Vec::new();
            for n in 0..PEERS {
                let right = (n + 1 == PEERS).then_some(Right::Own);
                peers.push(self.come(right).await);
            }
            let mut learnt = Learnt::default();
            for line in text.lines().take(32) {
                self.say(line, &mut peers, &mut learnt).await;
            }
            for peer in peers {
                let went = FromSocket::Went(peer.id);
                assert!(self.signalling.hub.send(went).await.is_ok());
            }
        });
    }

    async fn come(&self, right: Option<Right>) -> Peer {
        let (tell, told) = mpsc::channel(WAITING);
        let id = new_peer_id();
        let came = FromSocket::Came(id.clone(), (who(), right), tell);
        assert!(self.signalling.hub.send(came).await.is_ok());
        Peer { id, told }
    }

    async fn say(&self, line: &str, peers: &mut [Peer], learnt: &mut Learnt) {
        let mut letters = line.chars();
        let who = letters.next().map_or(0, |c| c as usize % PEERS);
        let mut json = letters.as_str().replace("$p", &learnt.producer);
        json = json.replace("$s", &learnt.session);
        for (n, peer) in peers.iter().enumerate() {
            json = json.replace(&format!("${n}"), &peer.id);
        }
        let Ok(message) = serde_json::from_str(&json) else {
            return;
        };
        let id = &peers[who].id;
        for message in [message, p::IncomingMessage::List] {
            let said = FromSocket::Said(id.clone(), message);
            assert!(self.signalling.hub.send(said).await.is_ok());
        }
        // The list comes after the answers to all that was said before.
        let told = &mut peers[who].told;
        loop {
            let message = tokio::time::timeout(PATIENCE, told.recv()).await;
            match message.expect("the hub answers") {
                Some(p::OutgoingMessage::List { producers }) => {
                    learnt.producer = producers.first().map_or_else(String::new, |p| p.id.clone());
                    return;
                }
                Some(p::OutgoingMessage::SessionStarted { session_id, .. }) => {
                    learnt.session = session_id;
                }
                Some(_) => (),
                // It was let go.
                None => return,
            }
        }
    }
}
