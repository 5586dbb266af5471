// SPDX-License-Identifier: GPL-3.0-or-later
//! Just enough of Matroska to know when a picture is complete.
//!
//! The muxer gives a block in pieces (its head, then the coded frame), and sound in blocks of its own. Readers are
//! woken once per picture, not once per piece. Element ids and sizes: RFC 8794; blocks: RFC 9559.

const SIMPLE_BLOCK: u8 = 0xa3;
const BLOCK_GROUP: u8 = 0xa0;
const BLOCK: u8 = 0xa1;
/// The picture, where there is one, is linked first and so is track 1; sound is track 2.
const SOUND: u64 = 2;

/// Follows a stream of pieces.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// Bytes of the present block still to come.
    rest: u64,
    sound: bool,
}

impl Blocks {
    /// Take the next piece; whether a picture is complete with it.
    pub(super) fn completes_picture(&mut self, piece: &[u8]) -> bool {
        if self.rest > 0 {
            self.rest = self.rest.saturating_sub(piece.len() as u64);
            return self.rest == 0 && !self.sound;
        }
        match begin(piece) {
            Some((size, track)) => {
                self.sound = track == SOUND;
                self.rest = size.saturating_sub(piece.len() as u64);
                self.rest == 0 && !self.sound
            }
            // The head of a cluster: its first block follows at once.
            None => false,
        }
    }
}

/// Size of the block that begins here, its head included, and its track.
fn begin(piece: &[u8]) -> Option<(u64, u64)> {
    let (id, rest) = piece.split_first()?;
    let (size, after) = number(rest)?;
    let whole = size + (piece.len() - after.len()) as u64;
    let track = match *id {
        SIMPLE_BLOCK => number(after)?.0,
        BLOCK_GROUP => {
            let (&BLOCK, rest) = after.split_first()? else {
                return None;
            };
            number(number(rest)?.1)?.0
        }
        _ => return None,
    };
    Some((whole, track))
}

/// A number as EBML writes it (as many bytes as leading zeros and one), and what follows.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let first = *bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    if length > 8 {
        return None;
    }
    let (number, rest) = bytes.split_at_checked(length)?;
    let value = number
        .iter()
        .fold(0u64, |n, byte| n << 8 | u64::from(*byte));
    Some((value & !(1 << (7 * length)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_complete_with_its_last_piece() {
        let mut blocks = Blocks::default();
        assert!(
            !blocks.completes_picture(&[0x1f, 0x43, 0xb6, 0x75, 0xff]),
            "a cluster's head"
        );
        // Six bytes: track, time, flags and two of the frame.
        assert!(!blocks.completes_picture(&[0xa3, 0x86, 0x81, 0, 0, 0x80]));
        assert!(blocks.completes_picture(&[1, 2]));
        assert!(blocks.completes_picture(&[0xa3, 0x40, 0x05, 0x81, 0, 0, 0x80, 9]));
    }

    #[test]
    fn sound_never_completes_a_picture() {
        let mut blocks = Blocks::default();
        assert!(!blocks.completes_picture(&[0xa3, 0x85, 0x82, 0, 0, 0x80, 7]));
        let group = [
            0xa0, 0x01, 0, 0, 0, 0, 0, 0, 7, 0xa1, 0x85, 0x82, 0, 0, 0, 7,
        ];
        assert!(!blocks.completes_picture(&group[..12]));
        assert!(!blocks.completes_picture(&group[12..]));
        assert!(
            blocks.completes_picture(&[0xa3, 0x85, 0x81, 0, 0, 0x80, 7]),
            "in step again"
        );
    }

    #[test]
    fn what_is_no_block_is_passed_over() {
        let mut blocks = Blocks::default();
        for piece in [
            &[][..],
            &[0xa3],
            &[0xa3, 0],
            &[0xa0, 0x81],
            &[0xa0, 0x82, 0xa2, 0x80],
            &[0xff; 9],
        ] {
            assert!(!blocks.completes_picture(piece));
        }
    }
}
