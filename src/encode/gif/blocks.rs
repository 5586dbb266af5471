// SPDX-License-Identifier: GPL-3.0-or-later
//! GIF blocks: the header of the stream, and images.

use std::{borrow::Cow, mem};

use super::change::Area;

/// What comes before the first picture: signature, screen without a global colour table, "repeat for ever" (without
/// which some viewers do not take it for an animation).
pub(super) fn header(width: u16, height: u16) -> Vec<u8> {
    let mut header = b"GIF89a".to_vec();
    header.extend(width.to_le_bytes());
    header.extend(height.to_le_bytes());
    // 8 bits a colour; background and shape of pixels as usual.
    header.extend([0x70, 0, 0]);
    header.extend(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00");
    header
}

/// Browsers take less for a mistake and wait 1/10 s instead.
const SHORTEST: u16 = 2;

/// How long a picture is to be shown, in 1/100 s, if pictures follow each other after `interval` (the same; 0 if
/// unknown).
///
/// Viewers keep to these times, but wait for a picture that is not there yet. So too short a time costs nothing, while
/// one that is just right leaves a viewer who once fell behind (or began with a whole group of pictures) behind for
/// ever. At half the interval it catches up at double speed.
pub(super) fn delay(interval: f64) -> u16 {
    (interval / 2.0).clamp(f64::from(SHORTEST), f64::from(u16::MAX)) as u16
}

/// Writes images, each as blocks that can stand by themselves after the header.
pub(super) struct Writer {
    encoder: gif::Encoder<Vec<u8>>,
    delay: u16,
}

impl Writer {
    pub fn new(width: u16, height: u16, delay: u16) -> Result<Writer, gif::EncodingError> {
        let mut encoder = gif::Encoder::new(vec![], width, height, &[])?;
        // It has begun with a header; ours is told apart from the pictures.
        encoder.get_mut().clear();
        Ok(Writer { encoder, delay })
    }

    /// An image of `area`. `colours` are triples; 256 of them at most.
    pub fn image(
        &mut self,
        area: Area,
        colours: Vec<u8>,
        transparent: Option<u8>,
        indices: &[u8],
    ) -> Result<Vec<u8>, gif::EncodingError> {
        self.encoder.write_frame(&gif::Frame {
            delay: self.delay,
            dispose: gif::DisposalMethod::Keep,
            transparent,
            // The canvas is no larger than a GIF can be.
            left: area.left as u16,
            top: area.top as u16,
            width: area.width as u16,
            height: area.height as u16,
            palette: Some(colours),
            buffer: Cow::Borrowed(indices),
            ..gif::Frame::default()
        })?;
        Ok(mem::take(self.encoder.get_mut()))
    }

    /// The smallest image there is, which changes nothing: the viewer hears that the stream is alive.
    pub fn nothing(&mut self) -> Result<Vec<u8>, gif::EncodingError> {
        let pixel = Area {
            left: 0,
            top: 0,
            width: 1,
            height: 1,
        };
        self.image(pixel, vec![0; 6], Some(0), &[0])
    }
}
