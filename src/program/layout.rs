// SPDX-License-Identifier: GPL-3.0-or-later
//! Where each picture stands in the program: pure arithmetic.

use super::scene::{Corner, Crop, Framing, LayoutKind, Sizing};

/// A place in the program, in pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tile {
    /// Left edge.
    pub x: i32,
    /// Upper edge.
    pub y: i32,
    /// Width.
    pub width: i32,
    /// Height.
    pub height: i32,
}

impl Tile {
    /// Whether the other one lies within this one.
    pub fn covers(&self, other: &Tile) -> bool {
        self.x <= other.x
            && self.y <= other.y
            && self.x + self.width >= other.x + other.width
            && self.y + self.height >= other.y + other.height
    }

    /// On the way from this place (0) to another (1).
    pub fn towards(&self, to: &Tile, way: f64) -> Tile {
        let part = |a: i32, b: i32| a + (f64::from(b - a) * way).round() as i32;
        Tile {
            x: part(self.x, to.x),
            y: part(self.y, to.y),
            width: part(self.width, to.width).max(2),
            height: part(self.height, to.height).max(2),
        }
    }
}

/// Distance of a small picture from the edges, as a share of the program's height.
const MARGIN: f64 = 0.03;

/// Places for the first of `n` pictures in such a layout; it may be fewer than `n`.
pub fn places(kind: LayoutKind, n: usize, width: u32, height: u32) -> Vec<Tile> {
    let whole = Tile {
        x: 0,
        y: 0,
        width: width as i32,
        height: height as i32,
    };
    match kind {
        LayoutKind::Full => vec![whole; n.min(1)],
        LayoutKind::Grid => tiles(n, width, height),
        LayoutKind::SideBySide if n < 2 => vec![whole; n],
        LayoutKind::SideBySide => tiles(2, width, height),
        LayoutKind::PictureInPicture { corner, size } => {
            let mut both = vec![whole, small(corner, size, width, height)];
            both.truncate(n);
            both
        }
    }
}

/// What comes from outside may be anything; what is no number becomes the smallest.
fn within(x: f32, low: f64, high: f64) -> f64 {
    match x.is_nan() {
        true => low,
        false => f64::from(x).clamp(low, high),
    }
}

/// The small picture of a picture in picture: of the program's shape, in a corner.
fn small(corner: Corner, size: f32, width: u32, height: u32) -> Tile {
    let share = within(size, 0.1, 0.5);
    let even = |x: f64| (x.round() as i32) & !1;
    let (w, h) = (
        even(f64::from(width) * share),
        even(f64::from(height) * share),
    );
    let margin = even(f64::from(height) * MARGIN);
    let (left, top) = match corner {
        Corner::TopLeft => (true, true),
        Corner::TopRight => (false, true),
        Corner::BottomLeft => (true, false),
        Corner::BottomRight => (false, false),
    };
    Tile {
        x: if left {
            margin
        } else {
            width as i32 - margin - w
        },
        y: if top {
            margin
        } else {
            height as i32 - margin - h
        },
        width: w,
        height: h,
    }
}

/// Places for `n` pictures: one fills the program, two stand side by side, more make a grid.
pub fn tiles(n: usize, width: u32, height: u32) -> Vec<Tile> {
    let columns = (n as f64).sqrt().ceil().max(1.0) as usize;
    let rows = n.div_ceil(columns).max(1);
    // Even edges: the picture is coded with half the colour resolution.
    let edge = |i: usize, parts: usize, size: u32| ((i as u32 * size / parts as u32) & !1) as i32;
    (0..n)
        .map(|i| {
            let (column, row) = (i % columns, i / columns);
            let (x, y) = (edge(column, columns, width), edge(row, rows, height));
            Tile {
                x,
                y,
                width: edge(column + 1, columns, width) - x,
                height: edge(row + 1, rows, height) - y,
            }
        })
        .collect()
}

/// Pixels to cut off a picture before it is scaled to its place: left, top, right, bottom.
///
/// `aspect` is the width of one of its pixels divided by its height, 1 for most.
pub fn cut(framing: &Framing, (width, height): (u32, u32), aspect: f64, place: &Tile) -> [i32; 4] {
    let Crop {
        left,
        top,
        right,
        bottom,
    } = framing.crop;
    let share = |x: f32| within(x, 0.0, 0.9);
    // Of both sides together at least a tenth stays.
    let pair = |a: f32, b: f32| {
        let (a, b) = (share(a), share(b));
        let much = (a + b) / 0.9;
        if much > 1.0 {
            (a / much, b / much)
        } else {
            (a, b)
        }
    };
    let (w, h) = (f64::from(width), f64::from(height));
    let ((left, right), (top, bottom)) = (pair(left, right), pair(top, bottom));
    let (mut left, mut right) = (left * w, right * w);
    let (mut top, mut bottom) = (top * h, bottom * h);
    if framing.sizing == Sizing::Fill && place.width > 0 && place.height > 0 {
        let (inner_w, inner_h) = (w - left - right, h - top - bottom);
        let wanted = f64::from(place.width) / f64::from(place.height) / aspect;
        let too_wide = inner_w - inner_h * wanted;
        if too_wide > 0.0 {
            left += too_wide / 2.0;
            right += too_wide / 2.0;
        } else {
            let too_high = inner_h - inner_w / wanted;
            top += too_high / 2.0;
            bottom += too_high / 2.0;
        }
    }
    // Even, for the same reason as above.
    [left, top, right, bottom].map(|x| (x as i32) & !1)
}

/// The point of a picture that is seen at this point of the program, as shares of its width and height, and whether it
/// is seen there at all: not in the bars beside it, nor where it was cut off. The picture is drawn at `now`, and was
/// cut for where it will stand (`to`).
pub fn under(
    framing: &Framing,
    (width, height, aspect): (u32, u32, f64),
    to: &Tile,
    now: &Tile,
    (x, y): (f64, f64),
) -> Option<((f64, f64), bool)> {
    let [left, top, right, bottom] = cut(framing, (width, height), aspect, to).map(f64::from);
    let (width, height) = (f64::from(width), f64::from(height));
    let (seen_w, seen_h) = (width - left - right, height - top - bottom);
    let (place_w, place_h) = (f64::from(now.width), f64::from(now.height));
    let (drawn_w, drawn_h) = match framing.sizing {
        Sizing::Fit => {
            let scale = (place_w / (seen_w * aspect)).min(place_h / seen_h);
            (seen_w * aspect * scale, seen_h * scale)
        }
        Sizing::Fill | Sizing::Stretch => (place_w, place_h),
    };
    let edge = |start: i32, place: f64, drawn: f64| f64::from(start) + (place - drawn) / 2.0;
    let across = (x - edge(now.x, place_w, drawn_w)) / drawn_w;
    let down = (y - edge(now.y, place_h, drawn_h)) / drawn_h;
    let point = (
        (left + across * seen_w) / width,
        (top + down * seen_h) / height,
    );
    let inside = (0.0..1.0).contains(&across) && (0.0..1.0).contains(&down);
    (point.0.is_finite() && point.1.is_finite()).then_some((point, inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(t: &Tile, w: i32, h: i32) -> bool {
        t.x >= 0 && t.y >= 0 && t.x + t.width <= w && t.y + t.height <= h
    }

    #[test]
    fn one_picture_fills_the_program_and_two_stand_side_by_side() {
        let whole = Tile {
            x: 0,
            y: 0,
            width: 1280,
            height: 720,
        };
        assert_eq!(tiles(1, 1280, 720), [whole]);
        let two = tiles(2, 1280, 720);
        assert_eq!((two[0].width, two[1].x, two[1].height), (640, 640, 720));
        assert_eq!(places(LayoutKind::Full, 3, 1280, 720), [whole]);
        assert_eq!(places(LayoutKind::SideBySide, 3, 1280, 720), two);
        assert_eq!(places(LayoutKind::SideBySide, 1, 1280, 720), [whole]);
    }

    #[test]
    fn a_small_picture_stands_in_its_corner_whatever_its_size() {
        for size in [f32::NAN, -1.0, 0.0, 0.25, 9.0, f32::INFINITY] {
            for corner in [
                Corner::TopLeft,
                Corner::TopRight,
                Corner::BottomLeft,
                Corner::BottomRight,
            ] {
                let kind = LayoutKind::PictureInPicture { corner, size };
                let two = places(kind, 2, 854, 480);
                assert!(inside(&two[1], 854, 480), "{corner:?} {size}");
                assert!(two[0].covers(&two[1]) && two[1].width >= 84);
                let left = two[1].x + two[1].width / 2 < 427;
                assert_eq!(left, matches!(corner, Corner::TopLeft | Corner::BottomLeft));
            }
        }
        assert_eq!(
            places(
                LayoutKind::PictureInPicture {
                    corner: Corner::TopLeft,
                    size: 0.2
                },
                1,
                64,
                64
            )
            .len(),
            1
        );
    }

    #[test]
    fn tiles_never_overlap_nor_leave_the_program() {
        for n in 0..=10 {
            let all = tiles(n, 854, 480);
            assert_eq!(all.len(), n);
            for (i, a) in all.iter().enumerate() {
                assert!(inside(a, 854, 480));
                for b in &all[..i] {
                    let apart = a.x >= b.x + b.width
                        || b.x >= a.x + a.width
                        || a.y >= b.y + b.height
                        || b.y >= a.y + a.height;
                    assert!(apart, "{n}: {a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn a_picture_that_fills_its_place_loses_the_same_on_both_sides() {
        let place = tiles(1, 1280, 720)[0];
        let fill = Framing {
            sizing: Sizing::Fill,
            ..Framing::default()
        };
        assert_eq!(cut(&fill, (640, 480), 1.0, &place), [0, 60, 0, 60]);
        assert_eq!(cut(&fill, (1280, 720), 1.0, &place), [0; 4]);
        assert_eq!(cut(&fill, (2000, 720), 1.0, &place), [360, 0, 360, 0]);
        assert_eq!(cut(&Framing::default(), (640, 480), 1.0, &place), [0; 4]);
    }

    /// The point of a picture of 480x270 that is seen here, in its pixels, if it is.
    fn seen(framing: &Framing, place: &Tile, point: (f64, f64)) -> Option<(f64, f64)> {
        let ((x, y), inside) = under(framing, (480, 270, 1.0), place, place, point).unwrap();
        inside.then_some(((x * 480.0).round(), (y * 270.0).round()))
    }

    #[test]
    fn a_point_is_found_again_in_the_picture_under_it() {
        let right = tiles(2, 320, 180)[1];
        let fit = Framing::default();
        // 160x90 pixels of it are used, from 45 below the edge.
        assert_eq!(seen(&fit, &right, (200.0, 90.0)), Some((120.0, 135.0)));
        assert_eq!(seen(&fit, &right, (160.0, 45.0)), Some((0.0, 0.0)));
        assert_eq!(seen(&fit, &right, (200.0, 44.0)), None, "a bar");
        assert_eq!(seen(&fit, &right, (159.0, 90.0)), None, "another one's");
        // The middle third of it fills the place.
        let fill = Framing {
            sizing: Sizing::Fill,
            ..fit
        };
        assert_eq!(seen(&fill, &right, (240.0, 90.0)), Some((240.0, 135.0)));
        assert_eq!(seen(&fill, &right, (160.0, 0.0)), Some((120.0, 0.0)));
        let stretch = Framing {
            sizing: Sizing::Stretch,
            ..fit
        };
        assert_eq!(seen(&stretch, &right, (200.0, 45.0)), Some((120.0, 68.0)));
        // Its right half is of the shape of its lower right quarter, twice as high.
        let crop = Crop {
            left: 0.5,
            ..Crop::default()
        };
        let half = Framing { crop, ..fit };
        assert_eq!(seen(&half, &right, (240.0, 90.0)), Some((360.0, 135.0)));
        assert_eq!(seen(&half, &right, (160.0, 1.0)), Some((240.0, 2.0)));
    }

    #[test]
    fn a_point_is_found_in_every_tile_of_a_grid_and_of_a_picture_with_long_pixels() {
        for place in tiles(5, 1280, 720) {
            let middle = (
                f64::from(place.x) + f64::from(place.width) / 2.0,
                f64::from(place.y) + f64::from(place.height) / 2.0,
            );
            let found = seen(&Framing::default(), &place, middle);
            assert_eq!(found, Some((240.0, 135.0)), "{place:?}");
        }
        // 720x576 for 16:9 fills a place of that shape.
        let place = tiles(1, 1280, 720)[0];
        let wide = (720, 576, 64.0 / 45.0);
        let corner = under(&Framing::default(), wide, &place, &place, (1.0, 1.0));
        let ((x, y), inside) = corner.unwrap();
        assert!(inside && (x * 1280.0 - 1.0).abs() < 0.01 && (y * 720.0 - 1.0).abs() < 0.01);
        let nothing = Tile::default();
        let nowhere = under(&Framing::default(), wide, &nothing, &nothing, (1.0, 1.0));
        assert_eq!(nowhere, None);
    }

    #[test]
    fn no_crop_leaves_less_than_a_tenth() {
        let all = Crop {
            left: 1.0,
            top: 0.5,
            right: f32::INFINITY,
            bottom: f32::NAN,
        };
        let framing = Framing {
            crop: all,
            sizing: Sizing::Fit,
        };
        let [left, top, right, bottom] = cut(&framing, (1000, 1000), 1.0, &Tile::default());
        assert!(left + right <= 900 && top == 500 && bottom == 0);
    }
}
