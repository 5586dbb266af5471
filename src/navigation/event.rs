// SPDX-License-Identifier: GPL-3.0-or-later
//! One thing that a viewer did.

use serde::Serialize;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    PointerMove,
    PointerPress,
    PointerRelease,
    PointerScroll,
    TouchDown,
    TouchMove,
    TouchUp,
    TouchCancel,
    KeyPress,
    KeyRelease,
}

/// A key that is held meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Modifier {
    Shift,
    CapsLock,
    Control,
    Alt,
    Super,
    Hyper,
    Meta,
}

/// A point in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct At {
    /// Pixels from the left.
    pub(crate) x: f64,
    /// Pixels from above.
    pub(crate) y: f64,
    /// Of the picture.
    pub(crate) width: u32,
    /// Of the picture.
    pub(crate) height: u32,
}

impl At {
    /// The same as shares of width and height; `None` if that is no point at all.
    pub(crate) fn shares(&self) -> Option<(f64, f64)> {
        let (x, y) = (
            self.x / f64::from(self.width),
            self.y / f64::from(self.height),
        );
        (x.is_finite() && y.is_finite()).then_some((x, y))
    }
}

/// What a viewer did, and where. As JSON it is what listeners get.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Event {
    pub(crate) event: Kind,
    /// Of all but keys.
    #[serde(flatten)]
    pub(crate) at: Option<At>,
    /// From 1 (left).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) button: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delta_x: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delta_y: Option<f64>,
    /// Which finger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) touch: Option<u32>,
    /// From 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pressure: Option<f64>,
    /// Its name: `a`, `Return`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) modifiers: Vec<Modifier>,
}

impl Event {
    /// One with nothing else to say.
    pub(crate) fn of(event: Kind) -> Event {
        Event {
            event,
            at: None,
            button: None,
            delta_x: None,
            delta_y: None,
            touch: None,
            pressure: None,
            key: None,
            modifiers: Vec::new(),
        }
    }

    /// Whether a later one of the same pointer makes it worthless.
    pub(super) fn is_move(&self) -> bool {
        matches!(self.event, Kind::PointerMove | Kind::TouchMove)
    }

    /// Whether it is a move of the same pointer.
    pub(super) fn replaces(&self, earlier: &Event) -> bool {
        self.is_move() && self.event == earlier.event && self.touch == earlier.touch
    }
}
