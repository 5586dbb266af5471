// SPDX-License-Identifier: GPL-3.0-or-later
//! What differs between two pictures, noise apart.

/// Pixels are judged in squares of this side: noise averages out, and the edges of what moved are still met closely.
const BLOCK: usize = 4;

// Limits for one block, in steps of 0..=255. A camera's noise, scaled down, differs by about 4 from picture to
// picture; these stay clear of it, and no eye sees what stays below them.
/// A single pixel that differs by more than this is a change: fine lines, text.
const PIXEL: i32 = 32;
/// Mean difference regardless of sign: texture that moves.
const MEAN: i32 = 12;
/// Mean difference of one colour, with its sign: slow fades, soft shadows.
const SHIFT: i32 = 6;

/// One picture: rows of 4 bytes a pixel (red, green, blue, anything).
#[derive(Clone, Copy)]
pub(super) struct Picture<'a> {
    pub width: usize,
    pub height: usize,
    /// Bytes from row to row.
    pub stride: usize,
    pub data: &'a [u8],
}

impl<'a> Picture<'a> {
    /// The pixels of row `y`.
    pub fn row(&self, y: usize) -> &'a [[u8; 4]] {
        let start = y * self.stride;
        self.data[start..start + self.width * 4].as_chunks().0
    }
}

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub left: usize,
    pub top: usize,
    pub width: usize,
    pub height: usize,
}

/// Which blocks of a picture changed.
pub(super) struct Changes {
    columns: usize,
    /// Row by row.
    blocks: Vec<bool>,
    /// The smallest rectangle around them. Never empty.
    pub area: Area,
}

impl Changes {
    /// All of a picture.
    pub fn all(width: usize, height: usize) -> Changes {
        let columns = width.div_ceil(BLOCK);
        Changes {
            columns,
            blocks: vec![true; columns * height.div_ceil(BLOCK)],
            area: Area {
                left: 0,
                top: 0,
                width,
                height,
            },
        }
    }

    /// Where `new` differs from `old`, which has the same size; `None` if nowhere.
    pub fn between(old: Picture, new: Picture) -> Option<Changes> {
        let columns = new.width.div_ceil(BLOCK);
        let rows = new.height.div_ceil(BLOCK);
        let mut blocks = vec![false; columns * rows];
        // In blocks: left, top, right, bottom; the latter two are one beyond.
        let mut bounds = (columns, rows, 0, 0);
        for row in 0..rows {
            let lines = row * BLOCK..new.height.min((row + 1) * BLOCK);
            for column in 0..columns {
                let span = column * BLOCK..new.width.min((column + 1) * BLOCK);
                let pairs = lines
                    .clone()
                    .map(|y| (&old.row(y)[span.clone()], &new.row(y)[span.clone()]));
                if differs(pairs) {
                    blocks[row * columns + column] = true;
                    let (left, top, right, bottom) = bounds;
                    bounds = (
                        left.min(column),
                        top.min(row),
                        right.max(column + 1),
                        bottom.max(row + 1),
                    );
                }
            }
        }
        let (left, top, right, bottom) = bounds;
        (left < right).then(|| Changes {
            columns,
            blocks,
            area: Area {
                left: left * BLOCK,
                top: top * BLOCK,
                width: new.width.min(right * BLOCK) - left * BLOCK,
                height: new.height.min(bottom * BLOCK) - top * BLOCK,
            },
        })
    }

    /// Whether pixel (`x`, `y`) is part of it.
    pub fn has(&self, x: usize, y: usize) -> bool {
        self.blocks[y / BLOCK * self.columns + x / BLOCK]
    }

    /// How many pixels, roughly: of blocks at the right and lower edge also what is outside counts.
    pub fn pixels(&self) -> usize {
        self.blocks.iter().filter(|b| **b).count() * BLOCK * BLOCK
    }
}

/// Whether one block's rows differ.
fn differs<'a>(rows: impl Iterator<Item = (&'a [[u8; 4]], &'a [[u8; 4]])>) -> bool {
    let (mut sum, mut shift, mut pixels) = (0, [0; 3], 0);
    for (old, new) in rows {
        pixels += old.len() as i32;
        if old == new {
            continue;
        }
        for (old, new) in old.iter().zip(new) {
            let mut most = 0;
            for c in 0..3 {
                let by = i32::from(new[c]) - i32::from(old[c]);
                shift[c] += by;
                most = most.max(by.abs());
            }
            if most > PIXEL {
                return true;
            }
            sum += most;
        }
    }
    sum > MEAN * pixels || shift.iter().any(|s| s.abs() > SHIFT * pixels)
}
