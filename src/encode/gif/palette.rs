// SPDX-License-Identifier: GPL-3.0-or-later
//! 255 colours for a picture, and which of them a pixel gets.
//!
//! The colours are chosen by imagequant. Dithering is ordered: whether a pixel takes the one or the other of two
//! colours depends on its own colour and its place alone. So where the picture stands still the pattern stands still
//! (error diffusion would carry every change into all that lies below it: shimmering, and large differences), and its
//! regular pattern is what LZW compresses best.

use imagequant::RGBA;

use super::change::Picture;

/// How much the eye minds a difference in red, green and blue.
const WEIGHT: [i32; 3] = [4, 8, 3];
const WEIGHTS: i32 = WEIGHT[0] + WEIGHT[1] + WEIGHT[2];
/// One colour fewer than GIF allows: the last one stands for "transparent".
pub(super) const MAX_COLOURS: usize = 255;
/// Bits of each colour that decide which colours of the palette come into question.
const BITS: usize = 6;
/// No colours looked up yet.
const EMPTY: (u8, u8) = (255, 255);
/// Larger pictures are thinned out to about this many pixels when colours are chosen.
const ENOUGH: usize = 1 << 17;

/// Bayer's matrix, as shares of 1/128. From 4 to 124, so that a little of one colour is left out: in flat areas single
/// dots are seen as dirt, not as a mixture.
const THRESHOLD: [[i32; 8]; 8] = thresholds();

const fn thresholds() -> [[i32; 8]; 8] {
    let mut all = [[0; 8]; 8];
    let mut i = 0;
    while i < 64 {
        let (x, y) = (i % 8, i / 8);
        let (mut value, mut bit) = (0, 0);
        while bit < 3 {
            let (x, y) = (x >> bit & 1, y >> bit & 1);
            value |= ((x ^ y) << 1 | y) << (2 * (2 - bit));
            bit += 1;
        }
        all[y][x] = 4 + value as i32 * 120 / 63;
        i += 1;
    }
    all
}

pub(super) type Colour = [i32; 3];

/// A palette, with a memory of what was looked up in it.
pub(super) struct Palette {
    /// From dark to light.
    colours: Vec<Colour>,
    /// `brightness` of each.
    light: Vec<i32>,
    dither: bool,
    /// For each coarse colour the two of the palette to mix it of, the darker one first; may be the same.
    pairs: Vec<(u8, u8)>,
}

impl Palette {
    /// The best colours for `picture`.
    pub fn of(picture: Picture, dither: bool) -> Result<Palette, imagequant::Error> {
        let mut step = 1;
        while (picture.width / step) * (picture.height / step) > ENOUGH {
            step += 1;
        }
        let mut pixels = Vec::with_capacity(picture.width * picture.height / (step * step));
        for y in (0..picture.height).step_by(step) {
            let row = picture.row(y).iter().step_by(step);
            pixels.extend(row.map(|[r, g, b, _]| RGBA::new(*r, *g, *b, 255)));
        }
        let width = picture.width.div_ceil(step);
        let height = picture.height.div_ceil(step);

        let mut wish = imagequant::new();
        wish.set_max_colors(MAX_COLOURS as u32)?;
        wish.set_speed(4)?;
        let mut image = wish.new_image_borrowed(&pixels, width, height, 0.0)?;
        let mut found = wish.quantize(&mut image)?;
        let colours = found.palette().iter();
        Ok(Palette::new(
            colours.map(|c| [c.r, c.g, c.b].map(i32::from)).collect(),
            dither,
        ))
    }

    /// Of these colours; [`MAX_COLOURS`] at most.
    pub fn new(mut colours: Vec<Colour>, dither: bool) -> Palette {
        colours.sort_unstable_by_key(|c| brightness(*c));
        Palette {
            light: colours.iter().map(|c| brightness(*c)).collect(),
            colours,
            dither,
            pairs: vec![EMPTY; 1 << (3 * BITS)],
        }
    }

    /// Red, green and blue of one colour.
    pub fn colour(&self, index: u8) -> [u8; 3] {
        // They were made from bytes.
        self.colours[usize::from(index)].map(|c| c as u8)
    }

    /// The colour for a pixel at that place.
    pub fn pick(&mut self, [r, g, b, _]: [u8; 4], x: usize, y: usize) -> u8 {
        let wanted = [r, g, b].map(i32::from);
        let (dark, light) = self.pair(wanted);
        if dark == light {
            return dark;
        }
        let (from, to) = (self.colours[dark as usize], self.colours[light as usize]);
        let (along, length) = along(wanted, from, to);
        let second = if self.dither {
            along * 128 > THRESHOLD[y % 8][x % 8] * length
        } else {
            along * 2 > length
        };
        if second { light } else { dark }
    }

    /// How far a pixel is from the nearest colour: 0 is exact, 15 is a difference of 1 in each of red, green and blue,
    /// and it grows with the square.
    pub fn misfit(&mut self, [r, g, b, _]: [u8; 4]) -> i32 {
        let wanted = [r, g, b].map(i32::from);
        let (dark, light) = self.pair(wanted);
        let to = |index: u8| distance(wanted, self.colours[usize::from(index)]);
        to(dark).min(to(light))
    }

    fn pair(&mut self, wanted: Colour) -> (u8, u8) {
        let cell = wanted
            .iter()
            .fold(0, |cell, c| cell << BITS | *c as usize >> (8 - BITS));
        let known = self.pairs[cell];
        if known != EMPTY {
            return known;
        }
        let middle = wanted.map(|c| c >> (8 - BITS) << (8 - BITS) | 1 << (7 - BITS));
        let pair = self.find_pair(middle);
        self.pairs[cell] = pair;
        pair
    }

    /// The nearest colour, and one beyond the wanted colour to make up for what is amiss; if none does, twice the
    /// nearest.
    fn find_pair(&self, wanted: Colour) -> (u8, u8) {
        let first = self.nearest(wanted);
        let near = self.colours[first];
        let mut best = (distance(wanted, near), first);
        for reach in [1, 2, 4, 8] {
            let beyond =
                [0, 1, 2].map(|c| (wanted[c] + reach * (wanted[c] - near[c])).clamp(0, 255));
            let second = self.nearest(beyond);
            if second == first {
                continue;
            }
            let (along, length) = along(wanted, near, self.colours[second]);
            // What no mixture of the two makes up for; and two colours that are far apart are seen as two.
            let amiss = best_mix(wanted, near, self.colours[second], along, length);
            let score = amiss + length / 256;
            if score < best.0 {
                best = (score, second);
            }
        }
        let second = best.1;
        (first.min(second) as u8, first.max(second) as u8)
    }

    /// The index of the nearest colour. Looks around the wanted brightness, and no further than a nearer one can be:
    /// by Cauchy and Schwarz, (difference in brightness)² ≤ WEIGHTS · distance.
    fn nearest(&self, wanted: Colour) -> usize {
        let brightness = brightness(wanted);
        let start = self.light.partition_point(|l| *l < brightness);
        let (mut best, mut at) = (i32::MAX, 0);
        let mut look = |index: usize| {
            let off = self.light[index] - brightness;
            if off * off / WEIGHTS > best {
                return false;
            }
            let distance = distance(wanted, self.colours[index]);
            if distance < best {
                (best, at) = (distance, index);
            }
            true
        };
        let (mut up, mut down) = (start, start);
        let (mut ups, mut downs) = (true, true);
        while ups || downs {
            ups = ups && up < self.light.len() && look(up);
            up += 1;
            downs = downs && down > 0 && look(down - 1);
            down = down.saturating_sub(1);
        }
        at
    }
}

fn brightness(colour: Colour) -> i32 {
    (0..3).map(|c| WEIGHT[c] * colour[c]).sum()
}

fn distance(a: Colour, b: Colour) -> i32 {
    (0..3).map(|c| WEIGHT[c] * (a[c] - b[c]).pow(2)).sum()
}

/// The distance from `wanted` to the nearest mixture of two colours; `along` and `length` are those of [`along`].
fn best_mix(wanted: Colour, from: Colour, to: Colour, along: i32, length: i32) -> i32 {
    let share = along.clamp(0, length) * 128 / length.max(1);
    distance(
        wanted,
        [0, 1, 2].map(|c| from[c] + (to[c] - from[c]) * share / 128),
    )
}

/// How far `wanted` lies along the way from one colour to another: `.0` of `.1`.
fn along(wanted: Colour, from: Colour, to: Colour) -> (i32, i32) {
    let part = (0..3)
        .map(|c| WEIGHT[c] * (wanted[c] - from[c]) * (to[c] - from[c]))
        .sum();
    (part, distance(from, to))
}
