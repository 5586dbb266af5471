// SPDX-License-Identifier: GPL-3.0-or-later
//! A link as a picture that telephones read.

use gtk::{gdk, glib};
use qrcode::{Color, EcLevel, QrCode};

/// Pixels of one dot.
const DOT: usize = 8;
/// Dots of white around it, without which it is not found.
const EDGE: usize = 4;

/// The picture; `None` of what is too long for one.
pub fn code(link: &str) -> Option<gdk::Texture> {
    let code = QrCode::with_error_correction_level(link, EcLevel::M).ok()?;
    let dots = code.width();
    let side = (dots + 2 * EDGE) * DOT;
    let colors = code.to_colors();
    let mut pixels = Vec::with_capacity(side * side * 3);
    for at in 0..side * side {
        let (x, y) = (at % side / DOT, at / side / DOT);
        let inside = (EDGE..EDGE + dots).contains(&x) && (EDGE..EDGE + dots).contains(&y);
        let dark = inside && colors[(y - EDGE) * dots + (x - EDGE)] == Color::Dark;
        pixels.extend([if dark { 0 } else { 255 }; 3]);
    }
    let side = i32::try_from(side).ok()?;
    let bytes = glib::Bytes::from_owned(pixels);
    let format = gdk::MemoryFormat::R8g8b8;
    let stride = side as usize * 3;
    Some(gdk::MemoryTexture::new(side, side, format, &bytes, stride).into())
}
