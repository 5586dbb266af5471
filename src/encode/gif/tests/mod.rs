// SPDX-License-Identifier: GPL-3.0-or-later
//! Stories of the GIF encoder. What it writes is read by three others: the crates `gif` and `image`, and ffmpeg.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod canvas;
mod element;

use std::io::Cursor;

use image::AnimationDecoder;

use super::{blocks, change::Picture};

const WIDTH: usize = 120;
const HEIGHT: usize = 88;

type Rgb = [u8; 3];

/// Pixels as the encoder takes them; the fourth byte is nobody's.
struct Raw(Vec<u8>);

impl Raw {
    fn of(colour: impl Fn(usize, usize) -> Rgb) -> Raw {
        let mut raw = vec![];
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                raw.extend(colour(x, y));
                raw.push((x * y) as u8);
            }
        }
        Raw(raw)
    }

    fn picture(&self) -> Picture<'_> {
        Picture {
            width: WIDTH,
            height: HEIGHT,
            stride: WIDTH * 4,
            data: &self.0,
        }
    }

    /// Mean difference from what a decoder shows.
    fn error(&self, shown: &[u8]) -> f64 {
        assert_eq!(self.0.len(), shown.len());
        let pixels = self.0.chunks(4).zip(shown.chunks(4));
        let sum: u32 = pixels
            .flat_map(|(a, b)| (0..3).map(|c| u32::from(a[c].abs_diff(b[c]))))
            .sum();
        f64::from(sum) / (WIDTH * HEIGHT * 3) as f64
    }

    /// The same for the means of squares of 8 by 8: what an eye sees that stands back a little.
    fn error_from_afar(&self, shown: &[u8]) -> f64 {
        let mut sum = 0.0;
        for (x, y) in squares() {
            for c in 0..3 {
                sum += (mean(&self.0, x, y, c) - mean(shown, x, y, c)).abs();
            }
        }
        sum / (squares().count() * 3) as f64
    }
}

fn squares() -> impl Iterator<Item = (usize, usize)> {
    (0..HEIGHT / 8).flat_map(|y| (0..WIDTH / 8).map(move |x| (x * 8, y * 8)))
}

fn mean(pixels: &[u8], left: usize, top: usize, c: usize) -> f64 {
    let places = (0..64).map(|i| (top + i / 8) * WIDTH + left + i % 8);
    places.map(|at| f64::from(pixels[at * 4 + c])).sum::<f64>() / 64.0
}

fn bars(x: usize, _y: usize) -> Rgb {
    let on = |bit: usize| {
        if (x * 8 / WIDTH) >> bit & 1 == 1 {
            191
        } else {
            0
        }
    };
    [on(0), on(1), on(2)]
}

fn grey_gradient(x: usize, y: usize) -> Rgb {
    [((x + y) * 255 / (WIDTH + HEIGHT)) as u8; 3]
}

/// All hues, from dark to light: far more colours than fit into a palette.
fn rainbow(x: usize, y: usize) -> Rgb {
    let wave = |shift: f64| {
        let hue = (x as f64 / WIDTH as f64 * 6.3 + shift).sin() * 0.5 + 0.5;
        (hue * 255.0 * (y as f64 / HEIGHT as f64)) as u8
    };
    [wave(0.0), wave(2.1), wave(4.2)]
}

fn with_square(left: usize, top: usize, behind: impl Fn(usize, usize) -> Rgb) -> Raw {
    Raw::of(|x, y| {
        if (left..left + 20).contains(&x) && (top..top + 20).contains(&y) {
            [220, 40, 30]
        } else {
            behind(x, y)
        }
    })
}

fn stream<'a>(parts: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    let mut gif = blocks::header(WIDTH as u16, HEIGHT as u16);
    for part in parts {
        gif.extend(part);
    }
    gif.push(0x3b);
    gif
}

/// What the screen shows after each image.
fn screens(gif: &[u8]) -> Vec<Vec<u8>> {
    let decoder = image::codecs::gif::GifDecoder::new(Cursor::new(gif)).unwrap();
    let frames = decoder.into_frames().collect_frames().unwrap();
    let screens = frames.into_iter().map(|f| f.into_buffer().into_raw());
    screens.collect()
}

/// Left, top, right and bottom of each image.
fn places(gif: &[u8]) -> Vec<[usize; 4]> {
    let mut decoder = gif::DecodeOptions::new().read_info(gif).unwrap();
    let mut places = vec![];
    while let Some(f) = decoder.next_frame_info().unwrap() {
        assert_eq!(f.dispose, gif::DisposalMethod::Keep);
        assert_eq!(f.delay, 6);
        assert!(f.palette.is_some(), "a colour table of its own");
        places.push([f.left, f.top, f.left + f.width, f.top + f.height].map(usize::from));
    }
    places
}
