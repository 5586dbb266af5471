// SPDX-License-Identifier: GPL-3.0-or-later
//! What viewers do with the picture: webrtcsink takes it from its data channel and sends it upstream.

use gst::prelude::*;
use gst_video::{NavigationEvent, NavigationModifierType as Mask};
use parking_lot::Mutex;

use crate::{
    navigation::{At, Event, Kind, Modifier, Pointer},
    output::Context,
};

/// Names of keys are shorter; what comes from outside may be anything.
const LONGEST_KEY: usize = 64;

/// How modifiers are called.
const MODIFIERS: [(Mask, Modifier); 7] = [
    (Mask::SHIFT_MASK, Modifier::Shift),
    (Mask::LOCK_MASK, Modifier::CapsLock),
    (Mask::CONTROL_MASK, Modifier::Control),
    (Mask::MOD1_MASK, Modifier::Alt),
    (Mask::SUPER_MASK, Modifier::Super),
    (Mask::HYPER_MASK, Modifier::Hyper),
    (Mask::META_MASK, Modifier::Meta),
];

/// Hand on what comes out of this sink, for which the picture has this size. All its viewers share one pointer: which
/// of them it was, the sink does not say.
pub(super) fn follow(context: &Context, sink: &gst::Element, size: (u32, u32)) {
    for pad in sink.sink_pads() {
        if !pad.name().starts_with("video_") {
            continue;
        }
        let (program, navigation) = (context.program.clone(), context.navigation.clone());
        let pointer = Mutex::new(Pointer::default());
        // The sink is locked meanwhile: it must not be asked for anything.
        pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
            if navigation.is_heard()
                && let Some(event) = info.event()
                && event.type_() == gst::EventType::Navigation
                && let Some(event) = read(event, size)
            {
                pointer.lock().follow(event, &program, &navigation);
            }
            gst::PadProbeReturn::Ok
        });
    }
}

/// GStreamer's words in ours. `None` for what is of no use, such as the commands of a DVD.
fn read(event: &gst::EventRef, (width, height): (u32, u32)) -> Option<Event> {
    let done = NavigationEvent::parse(event).ok()?;
    let at = |event, x: f64, y: f64| Event {
        at: Some(At {
            x,
            y,
            width,
            height,
        }),
        ..Event::of(event)
    };
    let key = |event, key: String| {
        (key.len() <= LONGEST_KEY).then(|| Event {
            key: Some(key),
            ..Event::of(event)
        })
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all others are commands and the like"
    )]
    let (event, state) = match done {
        NavigationEvent::MouseMove {
            x,
            y,
            modifier_state,
        } => (at(Kind::PointerMove, x, y), modifier_state),
        NavigationEvent::MouseButtonPress {
            button,
            x,
            y,
            modifier_state,
        } => {
            let button = Some(button);
            let event = at(Kind::PointerPress, x, y);
            (Event { button, ..event }, modifier_state)
        }
        NavigationEvent::MouseButtonRelease {
            button,
            x,
            y,
            modifier_state,
        } => {
            let button = Some(button);
            let event = at(Kind::PointerRelease, x, y);
            (Event { button, ..event }, modifier_state)
        }
        NavigationEvent::MouseScroll {
            x,
            y,
            delta_x,
            delta_y,
            modifier_state,
        } => {
            let event = Event {
                delta_x: Some(delta_x),
                delta_y: Some(delta_y),
                ..at(Kind::PointerScroll, x, y)
            };
            (event, modifier_state)
        }
        NavigationEvent::TouchDown {
            identifier,
            x,
            y,
            pressure,
            modifier_state,
        } => {
            let event = Event {
                touch: Some(identifier),
                pressure: Some(pressure),
                ..at(Kind::TouchDown, x, y)
            };
            (event, modifier_state)
        }
        NavigationEvent::TouchMotion {
            identifier,
            x,
            y,
            pressure,
            modifier_state,
        } => {
            let event = Event {
                touch: Some(identifier),
                pressure: Some(pressure),
                ..at(Kind::TouchMove, x, y)
            };
            (event, modifier_state)
        }
        NavigationEvent::TouchUp {
            identifier,
            x,
            y,
            modifier_state,
        } => {
            let touch = Some(identifier);
            let event = at(Kind::TouchUp, x, y);
            (Event { touch, ..event }, modifier_state)
        }
        NavigationEvent::TouchCancel { modifier_state } => {
            (Event::of(Kind::TouchCancel), modifier_state)
        }
        NavigationEvent::KeyPress {
            key: name,
            modifier_state,
        } => (key(Kind::KeyPress, name)?, modifier_state),
        NavigationEvent::KeyRelease {
            key: name,
            modifier_state,
        } => (key(Kind::KeyRelease, name)?, modifier_state),
        _ => return None,
    };
    let modifiers = MODIFIERS.iter().filter(|(mask, _)| state.contains(*mask));
    Some(Event {
        modifiers: modifiers.map(|(_, modifier)| *modifier).collect(),
        ..event
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gstreamer_says_is_understood() {
        gst::init().unwrap();
        let said = |event: gst::Event| {
            read(&event, (320, 180)).map(|event| serde_json::to_value(event).unwrap())
        };
        let press = NavigationEvent::mouse_button_press_builder(3, 7.5, 9.0)
            .modifier_state(Mask::CONTROL_MASK | Mask::SHIFT_MASK | Mask::BUTTON1_MASK)
            .build();
        let wanted = serde_json::json!({
            "event": "pointer-press", "x": 7.5, "y": 9.0, "width": 320, "height": 180, "button": 3,
            "modifiers": ["shift", "control"]
        });
        assert_eq!(said(press), Some(wanted));
        let key = NavigationEvent::key_press_builder("Return").build();
        let wanted = serde_json::json!({"event": "key-press", "key": "Return"});
        assert_eq!(said(key), Some(wanted));
        let scroll = NavigationEvent::mouse_scroll_builder(1.0, 2.0, 0.0, -120.0).build();
        let wanted = serde_json::json!({
            "event": "pointer-scroll", "x": 1.0, "y": 2.0, "width": 320, "height": 180,
            "delta_x": 0.0, "delta_y": -120.0
        });
        assert_eq!(said(scroll), Some(wanted));
        let touch = NavigationEvent::touch_down_builder(4, 1.0, 2.0, 0.5).build();
        let wanted = serde_json::json!({
            "event": "touch-down", "x": 1.0, "y": 2.0, "width": 320, "height": 180,
            "touch": 4, "pressure": 0.5
        });
        assert_eq!(said(touch), Some(wanted));
        let long = "a".repeat(LONGEST_KEY + 1);
        assert_eq!(
            said(NavigationEvent::key_press_builder(&long).build()),
            None
        );
        let strange = gst::Structure::builder("application/x-gst-navigation").build();
        assert_eq!(said(gst::event::Navigation::new(strange)), None);
    }
}
