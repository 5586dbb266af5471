// SPDX-License-Identifier: GPL-3.0-or-later
//! Lines of all kinds, and what is chosen on them.

use super::*;

const NEEDS: Needs = Needs {
    full: 2_500_000,
    low: 700_000,
};

fn signs(queue: u64, estimate: u64) -> Signs {
    Signs {
        queue: Duration::from_millis(queue),
        estimate: Some(estimate),
        ..Signs::default()
    }
}

/// A choice, and its time.
struct Line {
    choice: Choice,
    now: Instant,
}

impl Line {
    fn new() -> Line {
        Line {
            choice: Choice::new(),
            now: Instant::now(),
        }
    }

    /// The same signs for so long, as 30 frames a second see them; what was done.
    fn pass(&mut self, ms: u64, signs: Signs) -> Vec<Act> {
        let end = self.now + Duration::from_millis(ms);
        let mut acts = vec![];
        while self.now < end {
            self.now += Duration::from_millis(33);
            let act = self.choice.step(signs, NEEDS, self.now);
            acts.extend((act != Act::Stay).then_some(act));
        }
        acts
    }
}

const DOWN: Act = Act::Turn(Size::Low);
const UP: Act = Act::Turn(Size::Full);

#[test]
fn a_line_that_carries_it_keeps_the_full_picture() {
    let mut line = Line::new();
    // As a key frame makes it, and with an estimate that was disturbed.
    assert_eq!(line.pass(60_000, signs(150, 1_900_000)), []);
    assert_eq!(line.pass(60_000, signs(700, 2_600_000)), []);
    assert_eq!(line.choice.size(), Size::Full);
}

#[test]
fn frames_that_wait_bring_the_small_picture_at_once_and_the_line_is_asked_after_a_while() {
    let mut line = Line::new();
    assert_eq!(line.pass(33, signs(200, 1_000_000)), [DOWN]);
    assert_eq!(line.pass(4900, signs(0, 1_100_000)), []);
    assert_eq!(line.pass(200, signs(0, 1_100_000)), [Act::Ask]);
    assert_eq!(line.choice.size(), Size::Low);
    assert_eq!(line.pass(2000, signs(0, 1_100_000)), [Act::Rest]);
}

#[test]
fn the_full_picture_is_back_within_20_s_whatever_was_before() {
    let mut line = Line::new();
    line.pass(33, signs(400, 1_000_000));
    // Trials that fail, as a line makes them that lets bursts through.
    for _ in 0..10 {
        while !line.pass(33, signs(0, 9_000_000)).contains(&UP) {}
        assert_eq!(line.pass(33, signs(200, 1_000_000)), [DOWN]);
    }
    // And a line that is narrow for a long time.
    line.pass(300_000, signs(0, 1_000_000));
    let wide = line.now;
    while !line.pass(33, signs(0, 9_000_000)).contains(&UP) {}
    let took = line.now - wide;
    assert!(took < Duration::from_secs(16), "{took:?}");
}

#[test]
fn a_trial_that_fails_makes_the_next_one_later_until_one_succeeds() {
    let mut line = Line::new();
    let mut pauses = vec![];
    line.pass(33, signs(400, 1_000_000));
    for _ in 0..4 {
        let down = line.now;
        while !line.pass(33, signs(0, 9_000_000)).contains(&UP) {}
        pauses.push((line.now - down).as_secs());
        line.pass(33, signs(250, 1_000_000));
    }
    assert_eq!(pauses, [6, 11, 13, 13]);
    while !line.pass(33, signs(0, 9_000_000)).contains(&UP) {}
    assert_eq!(line.pass(6000, signs(450, 9_000_000))[0], DOWN);
    while !line.pass(33, signs(0, 9_000_000)).contains(&UP) {}
    assert_eq!(line.pass(6000, signs(0, 9_000_000)), []);
    assert_eq!(line.pass(33, signs(400, 1_000_000)), [DOWN]);
    let down = line.now;
    while !line.pass(33, signs(0, 9_000_000)).contains(&UP) {}
    assert_eq!((line.now - down).as_secs(), 6);
}

#[test]
fn a_line_is_not_asked_while_even_the_small_picture_waits() {
    let mut line = Line::new();
    line.pass(33, signs(400, 300_000));
    assert_eq!(line.pass(60_000, signs(300, 800_000)), []);
    assert_eq!(line.pass(60_000, signs(0, 300_000)), []);
    assert_eq!(line.pass(33, signs(0, 800_000)), [Act::Ask]);
    assert_eq!(line.pass(33, signs(300, 800_000)), [Act::Rest]);
}

#[test]
fn an_estimate_too_low_for_the_small_picture_is_doubted_less_and_less_often() {
    let mut line = Line::new();
    line.pass(33, signs(400, 300_000));
    assert_eq!(line.pass(900, signs(1000, 300_000)), []);
    let mut when = vec![];
    while when.len() < 6 {
        let start = line.now;
        while line.pass(33, signs(1000, 300_000)) != [Act::Doubt] {}
        when.push((line.now - start).as_millis() / 1000);
    }
    assert_eq!(when, [0, 2, 4, 8, 16, 16]);
    // One that is enough is not, whatever waits.
    assert_eq!(line.pass(60_000, signs(1000, 800_000)), []);
}

#[test]
fn who_tells_nothing_of_the_line_is_judged_by_loss_and_tried_seldom() {
    let mut line = Line::new();
    let blind = |loss| Signs {
        loss,
        ..Signs::default()
    };
    assert_eq!(line.pass(60_000, blind(0.05)), []);
    assert_eq!(line.pass(2900, blind(0.2)), []);
    assert_eq!(line.pass(200, blind(0.2)), [DOWN]);
    assert_eq!(line.pass(59_000, blind(0.0)), []);
    assert_eq!(line.pass(2000, blind(0.0)), [UP]);
}

#[test]
fn while_very_much_is_lost_the_picture_is_small_whatever_the_line_carries() {
    let mut line = Line::new();
    let lossy = |loss| Signs {
        loss,
        ..signs(0, 9_000_000)
    };
    assert_eq!(line.pass(60_000, lossy(0.06)), []);
    assert_eq!(line.pass(4000, lossy(0.15)), [DOWN]);
    assert_eq!(line.pass(8000, lossy(0.15)), [Act::Ask, Act::Rest]);
    assert!(line.pass(20_000, lossy(0.0)).contains(&UP));
}

#[test]
fn on_this_computer_there_is_no_line_and_an_estimate_of_one_is_not_believed() {
    let mut line = Line::new();
    let here = |queue| Signs {
        is_local: true,
        ..signs(queue, 300_000)
    };
    assert_eq!(line.pass(60_000, here(0)), []);
    let acts = line.pass(10_000, here(1000));
    assert!(acts.iter().all(|act| *act == Act::Trust), "{acts:?}");
    assert_eq!(acts.len(), 10);
    assert_eq!(line.choice.wish(Wish::Low, line.now), DOWN);
    assert_eq!(line.pass(10_000, here(0)), []);
    line.choice.wish(Wish::Auto, line.now);
    assert_eq!(line.pass(33, here(0)), [UP]);
}

#[test]
fn what_the_viewer_asks_for_counts_for_more_than_the_line() {
    let mut line = Line::new();
    assert_eq!(line.choice.wish(Wish::Low, line.now), DOWN);
    assert_eq!(line.choice.wish(Wish::Low, line.now), Act::Stay);
    assert_eq!(line.pass(60_000, signs(0, 9_000_000)), []);
    assert_eq!(line.choice.wish(Wish::Full, line.now), UP);
    assert_eq!(line.pass(60_000, signs(2000, 100_000)), []);
    assert_eq!(line.choice.wish(Wish::Auto, line.now), Act::Stay);
    assert_eq!(line.pass(33, signs(2000, 100_000)), [DOWN]);
    let wish = |text| serde_json::from_str::<Wish>(text).unwrap();
    assert_eq!((wish("\"auto\""), wish("\"low\"")), (Wish::Auto, Wish::Low));
}
