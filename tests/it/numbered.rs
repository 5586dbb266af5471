// SPDX-License-Identifier: GPL-3.0-or-later
//! Pictures that carry a number and a colour which survive any codec, and the eyes that read them again in what comes
//! out: decoded by ffmpeg. The benchmarks use them too.

use std::{
    io::{Cursor, Read},
    process::{Child, ChildStdout, Command, Stdio},
};

pub use image::ImageFormat;
use image::{Rgb, RgbImage};

/// Numbers are below this.
pub const MOST: u32 = 1 << BITS;
const BITS: u32 = 10;
/// A white bar and a black one, by which the code is known; then the bits.
const BARS: u32 = BITS + 2;
/// Size of the frames that are looked at; the picture is of the same shape.
const SEEN: (usize, usize) = (96, 54);

/// What is below the bars.
const COLOURS: [[u8; 3]; 3] = [[220, 0, 0], [0, 180, 0], [0, 0, 240]];

fn colour(number: u32) -> usize {
    number as usize % COLOURS.len()
}

/// Pixels of the picture with this number.
pub fn paint(number: u32, width: u32, height: u32) -> RgbImage {
    assert!(number < MOST);
    RgbImage::from_fn(width, height, |x, y| {
        let bar = x * BARS / width;
        let lit = match bar {
            0 => true,
            1 => false,
            bit => number >> (bit - 2) & 1 == 1,
        };
        Rgb(match (y < height / 2, lit) {
            (false, _) => COLOURS[colour(number)],
            (true, true) => [255; 3],
            (true, false) => [0; 3],
        })
    })
}

/// The picture with this number as a file.
pub fn file(number: u32, width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(vec![]);
    let picture = paint(number, width, height);
    picture
        .write_to(&mut bytes, format)
        .expect("it can be coded");
    bytes.into_inner()
}

/// The number in a decoded frame; `None` if it is another picture.
fn read(frame: &[u8]) -> Option<u32> {
    let at = |x: usize, y: usize| -> [u8; 3] {
        let start = (y * SEEN.0 + x) * 3;
        frame[start..start + 3].try_into().expect("three bytes")
    };
    let bright = |bar: u32| {
        let x = (2 * bar as usize + 1) * SEEN.0 / (2 * BARS as usize);
        let [r, g, b] = at(x, SEEN.1 / 4);
        let light = (u32::from(r) + u32::from(g) + u32::from(b)) / 3;
        match light {
            0..=80 => Some(false),
            175..=255 => Some(true),
            _ => None,
        }
    };
    if (bright(0), bright(1)) != (Some(true), Some(false)) {
        return None;
    }
    let mut number = 0;
    for bit in 0..BITS {
        number |= u32::from(bright(bit + 2)?) << bit;
    }
    let seen = at(SEEN.0 / 2, SEEN.1 * 3 / 4);
    let wanted = COLOURS[colour(number)];
    let near = seen.iter().zip(wanted).all(|(s, w)| s.abs_diff(w) < 60);
    assert!(
        near,
        "picture {number} has the colour {seen:?}, not {wanted:?}"
    );
    Some(number)
}

/// ffmpeg, decoding a file or a live stream.
pub struct Eyes {
    child: Child,
    frames: ChildStdout,
}

impl Eyes {
    /// Begins to look.
    pub fn open(input: &str) -> Eyes {
        // What comes live is to be seen at once; it also makes ffmpeg throw away the first pictures.
        let haste: &[&str] = match input.starts_with("http:") {
            true => &["-fflags", "nobuffer"],
            false => &[],
        };
        let size = format!("{}x{}", SEEN.0, SEEN.1);
        let mut child = Command::new("ffmpeg")
            .args(["-v", "fatal", "-nostdin"])
            .args(haste)
            .args(["-threads", "1", "-i", input])
            .args(["-map", "0:v", "-fps_mode", "passthrough"])
            .args(["-pix_fmt", "rgb24", "-s", &size, "-sws_flags", "area"])
            .args(["-f", "rawvideo", "-flush_packets", "1", "-"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("ffmpeg can be started");
        let frames = child.stdout.take().expect("a pipe was asked for");
        Eyes { child, frames }
    }

    /// Pixels of the next frame, three bytes each; `None` at the end.
    pub fn frame(&mut self) -> Option<Vec<u8>> {
        let mut frame = vec![0; SEEN.0 * SEEN.1 * 3];
        self.frames.read_exact(&mut frame).ok()?;
        Some(frame)
    }

    /// The number in the next frame; `Some(None)` for another picture, `None` at the end.
    pub fn number(&mut self) -> Option<Option<u32>> {
        self.frame().map(|frame| read(&frame))
    }
}

impl Drop for Eyes {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
