// SPDX-License-Identifier: GPL-3.0-or-later
//! The mouse pointer, which the X server leaves out of its pictures.

/// How the pointer looks: ARGB, each colour already multiplied by its alpha.
#[derive(Debug, Clone, Default)]
pub(super) struct Pointer {
    pub(super) width: u16,
    /// The pixel that points.
    pub(super) tip: (u16, u16),
    pub(super) pixels: Vec<u32>,
}

impl Pointer {
    /// Draw it with its tip at this place into a picture in `BGRx`.
    pub(super) fn draw(&self, (x, y): (i32, i32), picture: &mut [u8], (width, height): (u16, u16)) {
        let left = x - i32::from(self.tip.0);
        let top = y - i32::from(self.tip.1);
        let rows = self.pixels.chunks_exact(usize::from(self.width.max(1)));
        for (row, y) in rows.zip(top..) {
            if y < 0 || y >= i32::from(height) {
                continue;
            }
            for (pixel, x) in row.iter().zip(left..) {
                if x < 0 || x >= i32::from(width) {
                    continue;
                }
                let at = (y as usize * usize::from(width) + x as usize) * 4;
                if let Some(under) = picture.get_mut(at..at + 3) {
                    blend(*pixel, under);
                }
            }
        }
    }
}

fn blend(pixel: u32, under: &mut [u8]) {
    let [blue, green, red, alpha] = pixel.to_le_bytes();
    for (over, under) in [blue, green, red].into_iter().zip(under) {
        let shines_through = u32::from(*under) * (255 - u32::from(alpha)) / 255;
        *under = (u32::from(over) + shines_through).min(255) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrow(pixels: &[u32]) -> Pointer {
        Pointer {
            width: 2,
            tip: (1, 0),
            pixels: pixels.to_vec(),
        }
    }

    #[test]
    fn the_tip_lies_where_the_mouse_is_and_glass_is_seen_through() {
        let mut picture = vec![100u8; 3 * 2 * 4];
        // Opaque red, clear; half a blue, clear.
        arrow(&[0xffff_0000, 0, 0x8000_0080, 0]).draw((1, 0), &mut picture, (3, 2));
        assert_eq!(picture[0..4], [0, 0, 255, 100]);
        assert_eq!(picture[4..8], [100, 100, 100, 100]);
        assert_eq!(picture[12..16], [177, 49, 49, 100]);
    }

    #[test]
    fn a_pointer_at_the_edge_is_cut_off() {
        let mut picture = vec![0u8; 4];
        let all = [0xffff_ffffu32; 4];
        for place in [(0, 0), (1, 0), (2, 1), (0, -1), (9, 9), (-9, -9)] {
            arrow(&all).draw(place, &mut picture, (1, 1));
        }
        assert_eq!(picture, [255, 255, 255, 0]);
    }
}
