// SPDX-License-Identifier: GPL-3.0-or-later
//! Guests of our own over real sockets.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use str0m::{
    Rtc,
    media::{Direction, MediaKind as Kind},
};

use super::{
    Guests, NotReceived,
    rig::{LOOPBACK, PATIENCE, Sender},
};
use crate::{
    message::MediaKind,
    serve::webrtc::SessionId,
    source::guest::{Coding, Happening, Link, Pass, Refused, Seat, Seats, Visitor},
};

struct House {
    seats: Seats,
    seat: Option<Seat>,
    stage: mpsc::Receiver<Happening>,
    guests: Guests,
}

fn house() -> House {
    let seats = Seats::default();
    let seat = seats.open(&[1, 2]);
    let (stage, staged) = seat.stage();
    // The test's stage hears all to the end.
    std::mem::forget(staged);
    House {
        seats,
        seat: Some(seat),
        stage,
        guests: Guests::start(vec![LOOPBACK]).unwrap(),
    }
}

impl House {
    async fn receive(&self, offer: String, pass: Pass) -> Result<(SessionId, String), NotReceived> {
        let seats = self.seats.clone();
        let sit = Box::new(move || seats.sit(&pass, Visitor::default()).map(|(s, _)| s));
        self.guests.receive(offer, sit).await
    }

    async fn come(&self) -> (Sender, SessionId) {
        let (mut sender, offer, pending) = Sender::new().await;
        let (id, answer) = self.receive(offer, Pass::Place(1)).await.unwrap();
        sender.accept(&answer, pending);
        (sender, id)
    }

    /// Send until the stage got so many frames of each kind.
    async fn watch(&self, sender: &mut Sender, many: usize) -> Arc<Link> {
        let end = Instant::now() + PATIENCE;
        let (mut link, mut video, mut audio) = (None, 0, 0);
        while video < many || audio < many {
            assert!(Instant::now() < end, "{video} pictures, {audio} sounds");
            assert!(sender.send(video == 0).await);
            for what in self.stage.try_iter() {
                match what {
                    Happening::Came(came) => link = Some(came),
                    Happening::Frame(frame) => {
                        if let Some(link) = &link {
                            link.taken();
                        }
                        match frame.coding.kind() {
                            MediaKind::Video => {
                                assert_eq!(frame.coding, Coding::Vp8);
                                assert!(frame.key || video > 0, "the first is a key frame");
                                video += 1;
                            }
                            MediaKind::Audio => audio += 1,
                        }
                    }
                    Happening::Left(name) => panic!("{name} left"),
                }
            }
        }
        link.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_a_guest_come_to_the_seat_until_the_session_is_ended() {
    let house = house();
    let (mut sender, id) = house.come().await;
    let link = house.watch(&mut sender, 10).await;
    // A picture that cannot be used makes for a request.
    let before = sender.asked_for_key;
    link.want_key();
    let end = Instant::now() + PATIENCE;
    while sender.asked_for_key == before {
        assert!(Instant::now() < end && sender.send(false).await);
    }
    assert_eq!(house.guests.end(id).await, Some(1));
    assert_eq!(house.guests.end(id).await, None);
    assert!(!house.guests.candidate(id, String::new()).await);
    sender.closed().await;
    assert!(house.seats.vacant().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_that_is_taken_away_ends_the_session_at_once() {
    let mut house = house();
    let mut ended = house.guests.ended();
    let (mut sender, id) = house.come().await;
    house.watch(&mut sender, 3).await;
    drop(house.seat.take());
    let asked = Instant::now();
    let told = tokio::time::timeout(PATIENCE, ended.recv()).await.unwrap();
    assert_eq!(told, Some(id));
    assert!(asked.elapsed() < Duration::from_secs(1));
    sender.closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_takes_no_seat() {
    let house = house();
    for offer in ["", "v=0", "\u{0}"] {
        let got = house.receive(offer.into(), Pass::Place(1)).await;
        assert!(matches!(got, Err(NotReceived::Serve(_))), "{got:?}");
    }
    // One that only wants to watch.
    let mut rtc = Rtc::builder().build(Instant::now());
    let mut change = rtc.sdp_api();
    change.add_media(Kind::Video, Direction::RecvOnly, None, None, None);
    let (offer, _) = change.apply().unwrap();
    let got = house.receive(offer.to_sdp_string(), Pass::Place(1)).await;
    assert!(matches!(got, Err(NotReceived::Serve(_))), "{got:?}");
    assert_eq!(house.seats.vacant(), Some(1));
    let (_, offer, _) = Sender::new().await;
    let got = house.receive(offer, Pass::Word("guess".into())).await;
    assert_eq!(got, Err(NotReceived::Refused(Refused::Unknown)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_thread_ends_with_its_last_handle_and_tells_the_guests() {
    let house = house();
    let (mut sender, _) = house.come().await;
    house.watch(&mut sender, 1).await;
    let (guests, seats) = (house.guests, house.seats);
    tokio::task::spawn_blocking(move || drop(guests))
        .await
        .unwrap();
    assert_eq!(seats.vacant(), Some(1));
    sender.closed().await;
}
