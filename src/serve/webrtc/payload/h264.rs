// SPDX-License-Identifier: GPL-3.0-or-later
//! H.264 (RFC 6184, packetization mode 1): frames come as NAL units with their lengths in front, as in MP4.

use std::sync::Arc;

use str0m::RtcConfig;

use super::{PAYLOAD, join};
use crate::encode::Packet;

const KIND: u8 = 0x1f;
const IMPORTANCE: u8 = 0x60;
const SPS: u8 = 7;
const DELIMITER: u8 = 9;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const START: u8 = 0x80;
const END: u8 = 0x40;

/// Constrained baseline and baseline, level 3.1, with fragments: what every browser takes.
pub(super) fn enable(mut config: RtcConfig) -> RtcConfig {
    for (pt, resend, profile) in [(108, 109, 0x42_e0_1f), (127, 121, 0x42_00_1f)] {
        config
            .codec_config()
            .add_h264(pt.into(), Some(resend.into()), true, profile);
    }
    config
}

/// What a decoder needs before a key frame, from the caps (an AVCDecoderConfigurationRecord).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sets {
    /// Bytes of each length.
    width: usize,
    /// Sequence and picture parameter sets.
    sets: Vec<Vec<u8>>,
}

impl Sets {
    pub(super) fn of(caps: &gst::CapsRef) -> Option<Sets> {
        let data = caps.structure(0)?.get::<gst::Buffer>("codec_data").ok()?;
        Sets::read(&data.map_readable().ok()?)
    }

    fn read(record: &[u8]) -> Option<Sets> {
        let width = usize::from(record.get(4)? & 3) + 1;
        let mut rest = record.get(5..)?;
        let mut sets = Vec::new();
        for mask in [0x1f, 0xff] {
            let (count, after) = rest.split_first()?;
            rest = after;
            for _ in 0..count & mask {
                let (length, after) = rest.split_at_checked(2)?;
                let length = u16::from_be_bytes([length[0], length[1]]);
                let (set, after) = after.split_at_checked(length.into())?;
                sets.push(set.to_vec());
                rest = after;
            }
        }
        Some(Sets { width, sets })
    }
}

/// Add the payloads of one frame.
pub(super) fn chop(packet: &Packet, sets: &Sets, into: &mut Vec<Arc<[u8]>>) {
    let units: Vec<&[u8]> = Units(sets.width, &packet.data).collect();
    let has_sets = units.iter().any(|unit| unit[0] & KIND == SPS);
    if packet.key && !has_sets {
        aggregate(&sets.sets, into);
    }
    for unit in units {
        match unit[0] & KIND {
            DELIMITER => (),
            _ if unit.len() <= PAYLOAD => into.push(Arc::from(unit)),
            _ => fragment(unit, into),
        }
    }
}

/// All of them in one payload, if they fit.
fn aggregate(sets: &[Vec<u8>], into: &mut Vec<Arc<[u8]>>) {
    let size: usize = 1 + sets.iter().map(|set| 2 + set.len()).sum::<usize>();
    if size > PAYLOAD {
        return into.extend(sets.iter().map(|set| Arc::from(&set[..])));
    }
    let importance = sets
        .iter()
        .filter_map(|s| s.first())
        .map(|b| b & IMPORTANCE);
    let mut payload = Vec::with_capacity(size);
    payload.push(STAP_A | importance.max().unwrap_or_default());
    for set in sets {
        payload.extend_from_slice(&(set.len() as u16).to_be_bytes());
        payload.extend_from_slice(set);
    }
    into.push(payload.into());
}

/// One unit in several payloads.
fn fragment(unit: &[u8], into: &mut Vec<Arc<[u8]>>) {
    let (head, body) = (unit[0], &unit[1..]);
    let last = body.len().div_ceil(PAYLOAD - 2) - 1;
    for (n, part) in body.chunks(PAYLOAD - 2).enumerate() {
        let mut flags = head & KIND;
        if n == 0 {
            flags |= START;
        }
        if n == last {
            flags |= END;
        }
        into.push(join(&[FU_A | head & IMPORTANCE, flags], part));
    }
}

/// The units of a frame, none of them empty. A length that is too large ends them.
struct Units<'a>(usize, &'a [u8]);

impl<'a> Iterator for Units<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let (length, rest) = self.1.split_at_checked(self.0)?;
            let length = length.iter().fold(0, |n, b| n << 8 | usize::from(*b));
            let (unit, rest) = rest.split_at_checked(length)?;
            self.1 = rest;
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;

    /// Two lengths of four bytes: one SPS of three bytes, one PPS of two.
    const RECORD: &[u8] = &[
        1, 0x42, 0xe0, 0x1f, 0xff, 0xe1, 0, 3, 0x67, 1, 2, 1, 0, 2, 0x68, 3,
    ];

    fn frame(key: bool, units: &[&[u8]]) -> Packet {
        let mut data = Vec::new();
        for unit in units {
            data.extend_from_slice(&(unit.len() as u32).to_be_bytes());
            data.extend_from_slice(unit);
        }
        Packet {
            pts: Duration::ZERO,
            duration: Duration::ZERO,
            key,
            data: Bytes::from(data),
        }
    }

    fn chopped(packet: &Packet) -> Vec<Arc<[u8]>> {
        let mut into = Vec::new();
        chop(packet, &Sets::read(RECORD).unwrap(), &mut into);
        into
    }

    #[test]
    fn a_key_frame_brings_its_parameter_sets_in_one_payload() {
        let parts = chopped(&frame(true, &[&[0x09, 0x10], &[0x65, 7, 7]]));
        assert_eq!(parts[0][..], [0x78, 0, 3, 0x67, 1, 2, 0, 2, 0x68, 3]);
        assert_eq!(parts[1][..], [0x65, 7, 7], "the delimiter is left out");
        assert_eq!(parts.len(), 2);
        let own = chopped(&frame(true, &[&[0x67, 9], &[0x65, 7]]));
        assert_eq!(own.len(), 2, "not twice");
        assert_eq!(chopped(&frame(false, &[&[0x41, 7]])).len(), 1);
    }

    #[test]
    fn a_large_unit_is_cut_and_marked_at_both_ends() {
        let mut unit = vec![7; 3000];
        unit[0] = 0x41;
        let parts = chopped(&frame(false, &[&unit]));
        let heads: Vec<_> = parts.iter().map(|p| (p[0], p[1])).collect();
        assert_eq!(heads, [(0x5c, 0x81), (0x5c, 0x01), (0x5c, 0x41)]);
        let bytes: usize = parts.iter().map(|p| p.len() - 2).sum();
        assert_eq!(bytes, 2999);
        assert!(parts.iter().all(|p| p.len() <= PAYLOAD));
    }

    #[test]
    fn what_is_broken_is_left_out() {
        assert_eq!(Sets::read(&RECORD[..9]), None);
        let mut broken = frame(false, &[&[0x41, 7], &[0x41, 8]]);
        broken.data = broken.data.slice(..9);
        assert_eq!(chopped(&broken).len(), 1);
        broken.data = Bytes::from_static(&[0xff; 5]);
        assert!(chopped(&broken).is_empty());
    }
}
