// SPDX-License-Identifier: GPL-3.0-or-later
//! Who sits where, by what right.

use std::{sync::Arc, time::Instant};

use super::{seats::WAITING, *};

fn ada() -> Visitor {
    Visitor::new(Some("Ada"), "Browser/1", "192.0.2.1:5".into())
}

fn by(word: &str) -> Pass {
    Pass::Word(word.to_string())
}

fn frame() -> Coded {
    Coded {
        coding: Coding::Opus,
        key: true,
        contiguous: true,
        arrival: Instant::now(),
        count: 0.0,
        report: None,
        data: Arc::from([1, 2, 3]),
    }
}

#[test]
fn an_invitation_lets_one_in_and_its_key_lets_the_same_one_back() {
    let seats = Seats::default();
    let _seat = seats.open(&[7, 17]);
    let invitation = seats.invitation(7).unwrap();
    assert_eq!(
        seats.invitation(17),
        Some(invitation.clone()),
        "the sound's too"
    );
    assert_eq!(seats.check(&invitation), Ok(()));
    let (sitting, key) = seats.sit(&by(&invitation), ada()).unwrap();
    let key = key.expect("the first time gives a key");
    assert_eq!(sitting.id(), 7);
    assert!(seats.row(7).unwrap().connected);
    assert_eq!((seats.invitation(7), seats.invitation(17)), (None, None));
    assert_eq!(seats.check(&invitation), Err(Refused::Spent));
    assert_eq!(
        seats.sit(&by(&invitation), ada()).err(),
        Some(Refused::Spent)
    );
    assert_eq!(seats.check("guess"), Err(Refused::Unknown));
    assert_eq!(seats.sit(&by(""), ada()).err(), Some(Refused::Unknown));

    let (again, none) = seats.sit(&by(&key), ada()).unwrap();
    assert_eq!((again.id(), none), (7, None));
    assert!(sitting.is_over(), "the connection before is ended");
    drop(sitting);
    assert!(seats.row(7).unwrap().connected, "the new one still sits");
    drop(again);
    assert!(!seats.row(7).unwrap().connected);
    assert_eq!(seats.row(7).unwrap().name, "Ada");
    assert_eq!(seats.check(&key), Ok(()));
}

#[test]
fn a_new_invitation_voids_the_old_one() {
    let seats = Seats::default();
    let _seat = seats.open(&[1, 11]);
    let old = seats.invitation(1).unwrap();
    let new = seats.invite(1).unwrap();
    assert_ne!(old, new);
    assert_eq!(seats.check(&old), Err(Refused::Spent));
    let (first, key) = seats.sit(&by(&new), ada()).unwrap();
    // The seat is given to somebody else: who had it comes back no more.
    let other = seats.invite(1).unwrap();
    let _second = seats.sit(&by(&other), ada()).unwrap();
    assert!(first.is_over());
    assert_eq!(seats.check(&key.unwrap()), Err(Refused::Spent));
    assert_eq!(seats.invite(2), None);
}

#[test]
fn a_seat_that_is_taken_away_sends_its_guest_home() {
    let seats = Seats::default();
    let seat = seats.open(&[3, 13]);
    let invitation = seats.invitation(3).unwrap();
    let (sitting, key) = seats.sit(&by(&invitation), ada()).unwrap();
    assert!(!sitting.is_over());
    drop(seat);
    assert!(sitting.is_over());
    assert!(!sitting.push(frame()));
    assert_eq!(seats.check(&key.unwrap()), Err(Refused::Spent));
    assert_eq!((seats.row(3), seats.has(3)), (None, false));
    drop(sitting);
}

#[test]
fn the_broadcaster_takes_seats_that_were_given_to_nobody() {
    let seats = Seats::default();
    assert_eq!(seats.vacant(), None);
    let (_a, _b) = (seats.open(&[1, 11]), seats.open(&[2, 12]));
    let invitation = seats.invitation(1).unwrap();
    let (guest, _) = seats.sit(&by(&invitation), ada()).unwrap();
    drop(guest);
    assert_eq!(seats.vacant(), Some(2), "1 is kept for who was there");
    let (own, key) = seats.sit(&Pass::Place(2), ada()).unwrap();
    assert_eq!((own.id(), key), (2, None));
    assert_eq!(seats.vacant(), None);
    assert_eq!(
        seats.sit(&Pass::Place(2), ada()).err(),
        Some(Refused::Taken)
    );
    drop(own);
    assert_eq!(seats.vacant(), Some(2));
}

#[test]
fn the_stage_hears_who_comes_and_what_they_send_and_never_too_much() {
    let seats = Seats::default();
    let seat = seats.open(&[1, 11]);
    let (early, _) = seats.sit(&Pass::Place(1), ada()).unwrap();
    assert!(!early.push(frame()), "nobody looks yet");
    let (stage, staged) = seat.stage();
    let Ok(Happening::Came(link)) = stage.try_recv() else {
        panic!("told of the one who sits already");
    };
    for _ in 0..WAITING {
        assert!(early.push(frame()));
    }
    assert!(!early.push(frame()), "no more than so many wait");
    assert!(matches!(stage.try_recv(), Ok(Happening::Frame(_))));
    link.taken();
    assert!(early.push(frame()));
    link.want_key();
    assert!(early.wants_key() && !early.wants_key());
    drop(early);
    drop(staged);
    let said: Vec<_> = stage.try_iter().collect();
    assert_eq!(said.len(), WAITING + 1);
    assert!(matches!(said.last(), Some(Happening::Left(name)) if name == "Ada"));
}

#[tokio::test]
async fn comings_and_goings_can_be_waited_for() {
    let seats = Seats::default();
    let seat = seats.open(&[1, 11]);
    assert!(seats.left(1).await);
    let (sitting, _) = seats.sit(&Pass::Place(1), ada()).unwrap();
    assert!(seats.taken(1).await);
    let (gone, ()) = tokio::join!(seats.left(1), async { drop(sitting) });
    assert!(gone);
    let (there, ()) = tokio::join!(seats.taken(1), async { drop(seat) });
    assert!(!there, "the seat itself is gone");
}

#[test]
fn names_are_one_line_of_moderate_length() {
    let name = |name, agent| Visitor::new(name, agent, String::new()).name;
    assert_eq!(name(Some("  Zoë\n\u{7}"), "x"), "Zoë");
    assert_eq!(name(Some(" \t"), "OBS/30"), "OBS/30");
    assert_eq!(name(None, ""), "A guest");
    assert_eq!(name(Some(&"é".repeat(500)), "").chars().count(), NAME);
}
