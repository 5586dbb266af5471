// SPDX-License-Identifier: GPL-3.0-or-later
//! The viewer's screen, as far as we know it: pictures in, images to draw onto it out.

use super::{
    blocks::Writer,
    change::{Changes, Picture},
    palette::{MAX_COLOURS, Palette},
};

/// In a picture being made: what the screen shows may stay. Never the index of a colour.
const STAYS: u8 = MAX_COLOURS as u8;
/// Up to this misfit (a difference of about 3 in each colour) there is no reason for a new palette.
const FITS: i64 = 15 * 10;
/// So many pixels tell how well a palette fits.
const SAMPLES: usize = 4096;

/// Why a picture could not be coded.
#[derive(Debug, thiserror::Error)]
pub(super) enum GifError {
    #[error("A picture is not of the form that was agreed on: {0}")]
    Raw(#[from] glib::BoolError),
    #[error("No colours could be chosen for a picture: {0}")]
    Palette(#[from] imagequant::Error),
    #[error("A picture could not be written: {0}")]
    Write(#[from] gif::EncodingError),
}

/// What viewers see.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    dither: bool,
    writer: Writer,
    painted: Option<Painted>,
}

struct Painted {
    /// The pixels that the screen was painted after, 4 bytes each. What is compared is picture with picture, not
    /// picture with palette: neither dithering nor a poor palette counts as a change, and no error adds up.
    source: Vec<u8>,
    /// The colours on the screen.
    shown: Vec<[u8; 3]>,
    palette: Palette,
    /// The misfit that asks for a new palette.
    limit: i64,
}

impl Canvas {
    /// An empty one. Each picture is to be shown for `delay` (in 1/100 s).
    pub fn new(width: u16, height: u16, delay: u16, dither: bool) -> Result<Canvas, GifError> {
        Ok(Canvas {
            width: width.into(),
            height: height.into(),
            dither,
            writer: Writer::new(width, height, delay)?,
            painted: None,
        })
    }

    /// Whether the next picture will be a key frame in any case.
    pub fn is_empty(&self) -> bool {
        self.painted.is_none()
    }

    /// Forget what viewers see.
    pub fn clear(&mut self) {
        self.painted = None;
    }

    /// The blocks that bring `picture` (of the canvas's size) onto the screen: all of it if `whole` or if it is the
    /// first, else what changed.
    pub fn paint(&mut self, picture: Picture, whole: bool) -> Result<Vec<u8>, GifError> {
        let size = self.width * self.height;
        let whole = whole || self.is_empty();
        let painted = match &mut self.painted {
            Some(painted) => painted,
            none => none.insert(Painted {
                source: vec![0; size * 4],
                shown: vec![[0; 3]; size],
                palette: Palette::of(picture, self.dither)?,
                limit: 0,
            }),
        };
        let changes = if whole {
            Some(Changes::all(self.width, self.height))
        } else {
            Changes::between(painted.picture(self.width, self.height), picture)
        };
        let Some(changes) = changes else {
            return Ok(self.writer.nothing()?);
        };
        painted.fit_palette(picture, &changes, self.dither)?;
        let mut indices = painted.paint(picture, &changes, !whole);
        let (colours, transparent) = compact(&painted.palette, &mut indices);
        Ok(self
            .writer
            .image(changes.area, colours, transparent, &indices)?)
    }
}

impl Painted {
    fn picture(&self, width: usize, height: usize) -> Picture<'_> {
        Picture {
            width,
            height,
            stride: width * 4,
            data: &self.source,
        }
    }

    /// Keeps the palette while it fits what is to be painted: a new one costs as much as several pictures, and shifts
    /// the colours a little.
    fn fit_palette(
        &mut self,
        picture: Picture,
        changes: &Changes,
        dither: bool,
    ) -> Result<(), GifError> {
        if self.limit > 0 && misfit(&mut self.palette, picture, changes) <= self.limit {
            return Ok(());
        }
        if self.limit > 0 {
            self.palette = Palette::of(picture, dither)?;
        }
        // If even a new palette does not fit well, there is no use in another one for the next picture.
        let reached = misfit(&mut self.palette, picture, changes);
        self.limit = FITS.max(reached * 3 / 2);
        Ok(())
    }

    /// Indices of the colours in the changed area, row by row; [`STAYS`] (only if `sparse`) where nothing is to be done.
    fn paint(&mut self, picture: Picture, changes: &Changes, sparse: bool) -> Vec<u8> {
        let area = changes.area;
        let mut indices = Vec::with_capacity(area.width * area.height);
        for y in area.top..area.top + area.height {
            let row = picture.row(y);
            let mut last = STAYS;
            for (x, pixel) in row.iter().enumerate().skip(area.left).take(area.width) {
                let at = y * picture.width + x;
                if !changes.has(x, y) {
                    last = STAYS;
                } else {
                    self.source[at * 4..at * 4 + 4].copy_from_slice(pixel);
                    let index = self.palette.pick(*pixel, x, y);
                    let colour = self.palette.colour(index);
                    // Where the colour is on the screen already there is a choice: what makes the longer run.
                    last = if sparse && colour == self.shown[at] && last != index {
                        STAYS
                    } else {
                        index
                    };
                    self.shown[at] = colour;
                }
                indices.push(last);
            }
        }
        indices
    }
}

/// The mean misfit over the changed pixels, or enough of them.
fn misfit(palette: &mut Palette, picture: Picture, changes: &Changes) -> i64 {
    let area = changes.area;
    let step = (changes.pixels() / SAMPLES).max(1);
    let pixels = (area.top..area.top + area.height)
        .flat_map(|y| (area.left..area.left + area.width).map(move |x| (x, y)))
        .filter(|(x, y)| changes.has(*x, *y));
    let (mut sum, mut count) = (0, 0);
    for (x, y) in pixels.step_by(step) {
        sum += i64::from(palette.misfit(picture.row(y)[x]));
        count += 1;
    }
    sum / count.max(1)
}

/// The colours that are used, as GIF wants them, and which of them means "stays"; the indices are made to match. A
/// small change has few colours, and then the table and all codes are smaller.
fn compact(palette: &Palette, indices: &mut [u8]) -> (Vec<u8>, Option<u8>) {
    let mut new = [None; 256];
    for index in &*indices {
        new[usize::from(*index)] = Some(0);
    }
    let mut colours = vec![];
    for (index, new) in (0..=255).zip(&mut new) {
        if new.is_some() {
            *new = Some((colours.len() / 3) as u8);
            colours.extend(match index {
                STAYS => [0; 3],
                index => palette.colour(index),
            });
        }
    }
    for index in indices {
        *index = new[usize::from(*index)].expect("all that are used were counted");
    }
    (colours, new[usize::from(STAYS)])
}
