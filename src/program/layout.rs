// SPDX-License-Identifier: GPL-3.0-or-later
//! Where each picture stands in the program.

/// A place in the program, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

#[cfg(test)]
mod tests {
    use super::*;

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
    }

    #[test]
    fn tiles_never_overlap_nor_leave_the_program() {
        for n in 0..=10 {
            let all = tiles(n, 854, 480);
            assert_eq!(all.len(), n);
            for (i, a) in all.iter().enumerate() {
                assert!(a.x >= 0 && a.y >= 0 && a.x + a.width <= 854 && a.y + a.height <= 480);
                for b in &all[i + 1..] {
                    let apart =
                        a.x + a.width <= b.x || a.y + a.height <= b.y || b.x + b.width <= a.x;
                    assert!(apart, "{a:?} {b:?}");
                }
            }
        }
    }
}
