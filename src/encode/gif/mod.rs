// SPDX-License-Identifier: GPL-3.0-or-later
//! The endless animated GIF, as an encoder element of our own: `aerialgifenc`.
//!
//! Anything that can show a GIF can watch it: one header, then a picture at a time, and never an end. The element is
//! used like any other video encoder. The header travels in its caps (`streamheader`); each buffer is a sequence of
//! whole GIF blocks with a colour table of its own. A viewer may begin at any key frame: header, key frame, and all
//! that follows.
//!
//! - `change`: what differs from what the viewer has on the screen
//! - `palette`: 255 colours for a picture, and which of them a pixel gets
//! - `canvas`: the viewer's screen, kept here: pictures in, images to draw onto it out
//! - `blocks`: images to GIF blocks, and how long each is shown
//! - `element`: the GStreamer side

mod blocks;
mod canvas;
mod change;
mod element;
mod palette;
#[cfg(test)]
mod tests;

use gst::prelude::*;

/// The element's factory.
pub(crate) const ELEMENT: &str = "aerialgifenc";

/// Make `aerialgifenc` known to GStreamer in this process. May be called any number of times, after `gst::init`.
///
/// # Errors
/// If GStreamer refuses it, which it does only before `gst::init`.
pub(crate) fn register() -> Result<(), glib::BoolError> {
    static DONE: std::sync::OnceLock<Result<(), glib::BoolError>> = std::sync::OnceLock::new();
    DONE.get_or_init(|| {
        gst::Element::register(
            None,
            ELEMENT,
            gst::Rank::NONE,
            element::GifEnc::static_type(),
        )
    })
    .clone()
}
