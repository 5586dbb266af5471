// SPDX-License-Identifier: GPL-3.0-or-later
//! Which source is meant by what a viewer does.
//!
//! What is done at a point is meant for the topmost picture there; what is held down stays with the picture on which
//! it was pressed until it is let go. Keys go to the picture that was last pressed upon, as long as it is on screen;
//! else to the one under the pointer.

use super::{Event, Kind, Navigation};
use crate::{
    message::SourceId,
    program::{ProgramOut, Spot},
};

/// Fingers, buttons and keys that are held at once. More than one viewer may share a pointer.
const MOST_HELD: usize = 32;

/// What is on screen.
pub(crate) trait Seen {
    /// The topmost picture at this point (shares of the program's width and height), and the point in it.
    fn at(&self, point: (f64, f64)) -> Option<Spot>;

    /// The same for the picture of this source, whatever lies over it and even if the point lies outside of it. `None`
    /// if it is not on screen.
    fn within(&self, id: SourceId, point: (f64, f64)) -> Option<Spot>;
}

impl Seen for ProgramOut {
    fn at(&self, point: (f64, f64)) -> Option<Spot> {
        ProgramOut::at(self, point)
    }
    fn within(&self, id: SourceId, point: (f64, f64)) -> Option<Spot> {
        ProgramOut::within(self, id, point)
    }
}

/// What viewers of one output have done so far.
#[derive(Default)]
pub(crate) struct Pointer {
    last: Option<(f64, f64)>,
    focus: Option<SourceId>,
    /// The oldest first.
    held: Vec<(Held, SourceId)>,
}

#[derive(PartialEq)]
enum Held {
    Button(i32),
    Touch(u32),
    Key(String),
}

/// Whom an event is for, and the point in their picture.
type Aim = (SourceId, Option<(f64, f64)>);

impl Pointer {
    /// Find out for whom this is and hand it over. Never waits.
    pub(crate) fn follow(&mut self, event: Event, seen: &impl Seen, navigation: &Navigation) {
        for (id, at) in self.aim(&event, seen) {
            navigation.tell(id, at, event.clone());
        }
    }

    fn aim(&mut self, event: &Event, seen: &impl Seen) -> Vec<Aim> {
        let point = event.at.and_then(|at| at.shares());
        if let Some(point) = point {
            self.last = Some(point);
        }
        let here = || point.and_then(|point| seen.at(point));
        let within = |id| point.and_then(|point| seen.within(id, point));
        let located = |spot: Option<Spot>| {
            let aim = spot.map(|spot| (spot.id, Some((spot.x, spot.y))));
            aim.into_iter().collect()
        };
        let held = match event.event {
            Kind::PointerPress | Kind::PointerRelease => event.button.map(Held::Button),
            Kind::TouchDown | Kind::TouchMove | Kind::TouchUp => event.touch.map(Held::Touch),
            Kind::KeyPress | Kind::KeyRelease => event.key.clone().map(Held::Key),
            Kind::PointerMove | Kind::PointerScroll | Kind::TouchCancel => None,
        };
        match event.event {
            Kind::PointerMove | Kind::PointerScroll => located(here()),
            Kind::PointerPress | Kind::TouchDown => {
                let spot = here();
                self.focus = spot.map(|spot| spot.id);
                self.hold(held, self.focus);
                located(spot)
            }
            Kind::TouchMove => located(match self.holder(&held) {
                Some(id) => within(id),
                None => here(),
            }),
            Kind::PointerRelease | Kind::TouchUp => located(match self.release(&held) {
                Some(id) => within(id),
                None => here(),
            }),
            Kind::TouchCancel => {
                let mut all = Vec::new();
                self.held.retain(|(held, id)| {
                    let touch = matches!(held, Held::Touch(_));
                    if touch && !all.contains(&(*id, None)) {
                        all.push((*id, None));
                    }
                    !touch
                });
                all
            }
            Kind::KeyPress => {
                let id = self.typed_upon(seen);
                self.hold(held, id);
                id.map(|id| (id, None)).into_iter().collect()
            }
            Kind::KeyRelease => {
                let id = self.release(&held).or_else(|| self.typed_upon(seen));
                id.map(|id| (id, None)).into_iter().collect()
            }
        }
    }

    /// The picture that keys are for.
    fn typed_upon(&self, seen: &impl Seen) -> Option<SourceId> {
        let shown = |id: &SourceId| seen.within(*id, (0.0, 0.0)).is_some();
        let under = || Some(seen.at(self.last?)?.id);
        self.focus.filter(shown).or_else(under)
    }

    fn hold(&mut self, held: Option<Held>, id: Option<SourceId>) {
        self.release(&held);
        if let (Some(held), Some(id)) = (held, id) {
            if self.held.len() >= MOST_HELD {
                self.held.remove(0);
            }
            self.held.push((held, id));
        }
    }

    fn holder(&self, held: &Option<Held>) -> Option<SourceId> {
        let held = held.as_ref()?;
        let found = self.held.iter().find(|(other, _)| other == held)?;
        Some(found.1)
    }

    fn release(&mut self, held: &Option<Held>) -> Option<SourceId> {
        let held = held.as_ref()?;
        let at = self.held.iter().position(|(other, _)| other == held)?;
        Some(self.held.remove(at).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::navigation::At;

    /// Picture 1 is the left half, 2 the right one above its lower quarter. Both can be taken off.
    struct Halves(Vec<SourceId>);

    impl Seen for Halves {
        fn at(&self, (x, y): (f64, f64)) -> Option<Spot> {
            let inside = (0.0..1.0).contains(&x) && (0.0..0.75).contains(&y);
            self.within(if x < 0.5 { 1 } else { 2 }, (x, y))
                .filter(|_| inside)
        }
        fn within(&self, id: SourceId, (x, y): (f64, f64)) -> Option<Spot> {
            let left = if id == 1 { 0.0 } else { 0.5 };
            let (x, y) = ((x - left) * 2.0, y / 0.75);
            self.0.contains(&id).then_some(Spot { id, x, y })
        }
    }

    fn at(event: Kind, x: f64, y: f64) -> Event {
        let (width, height) = (100, 100);
        Event {
            at: Some(At {
                x,
                y,
                width,
                height,
            }),
            button: Some(1).filter(|_| event != Kind::PointerMove),
            ..Event::of(event)
        }
    }

    fn key(event: Kind) -> Event {
        Event {
            key: Some("a".into()),
            ..Event::of(event)
        }
    }

    #[test]
    fn pointers_go_to_what_is_under_them_and_what_is_let_go_to_where_it_was_pressed() {
        use Kind::*;
        let (seen, mut pointer) = (Halves(vec![1, 2]), Pointer::default());
        let mut aim = |event| pointer.aim(&event, &seen);
        assert_eq!(
            aim(at(PointerMove, 25.0, 30.0)),
            [(1, Some((0.5, 0.3 / 0.75)))]
        );
        assert_eq!(
            aim(at(PointerPress, 75.0, 75.0 / 2.0)),
            [(2, Some((0.5, 0.5)))]
        );
        assert_eq!(aim(at(PointerMove, 25.0, 0.0)), [(1, Some((0.5, 0.0)))]);
        assert_eq!(
            aim(at(PointerRelease, 25.0, 0.0)),
            [(2, Some((-0.5, 0.0)))],
            "outside of it"
        );
        assert_eq!(aim(at(PointerRelease, 25.0, 0.0)), [(1, Some((0.5, 0.0)))]);
        assert_eq!(aim(at(PointerPress, 25.0, 80.0)), [], "nothing is there");
        assert_eq!(aim(at(PointerMove, f64::INFINITY, 0.0)), []);
    }

    #[test]
    fn keys_go_to_what_was_pressed_upon_while_it_is_seen() {
        use Kind::*;
        let (mut seen, mut pointer) = (Halves(vec![1, 2]), Pointer::default());
        assert_eq!(pointer.aim(&key(KeyPress), &seen), []);
        pointer.aim(&at(PointerMove, 25.0, 0.0), &seen);
        assert_eq!(pointer.aim(&key(KeyPress), &seen), [(1, None)]);
        pointer.aim(&at(PointerPress, 75.0, 0.0), &seen);
        pointer.aim(&at(PointerMove, 25.0, 0.0), &seen);
        assert_eq!(
            pointer.aim(&key(KeyRelease), &seen),
            [(1, None)],
            "it was pressed there"
        );
        assert_eq!(pointer.aim(&key(KeyPress), &seen), [(2, None)]);
        seen.0.retain(|id| *id != 2);
        assert_eq!(pointer.aim(&key(KeyPress), &seen), [(1, None)]);
    }

    #[test]
    fn fingers_stay_with_the_picture_they_were_put_upon() {
        use Kind::*;
        let (seen, mut pointer) = (Halves(vec![1, 2]), Pointer::default());
        let finger = |event, touch, x| Event {
            touch: Some(touch),
            ..at(event, x, 0.0)
        };
        pointer.aim(&finger(TouchDown, 1, 25.0), &seen);
        pointer.aim(&finger(TouchDown, 2, 75.0), &seen);
        let moved = pointer.aim(&finger(TouchMove, 1, 75.0), &seen);
        assert_eq!(moved, [(1, Some((1.5, 0.0)))]);
        let cancelled = pointer.aim(&Event::of(TouchCancel), &seen);
        assert_eq!(cancelled, [(1, None), (2, None)]);
        let up = pointer.aim(&finger(TouchUp, 1, 75.0), &seen);
        assert_eq!(up, [(2, Some((0.5, 0.0)))], "it is held no more");
    }
}
