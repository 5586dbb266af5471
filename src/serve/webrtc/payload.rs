// SPDX-License-Identifier: GPL-3.0-or-later
//! Coded frames to RTP payloads, once for all viewers.
//!
//! Each viewer has its own headers and encryption, but the payloads are the same for all, so they are made here and
//! shared. The table says which codecs there are; a new one is a row.

mod h264;

use std::sync::Arc;

use str0m::{RtcConfig, format::Codec as Format};

use crate::encode::{Codec, Packet};

/// Bytes of payload in one packet. With RTP header and extensions (36 at most), the number of a repeated packet (2),
/// the tag of the encryption (16) and UDP over IPv6 (48) this is below 1280, which every IPv6 link carries.
const PAYLOAD: usize = 1170;

/// What the leg needs to know of a codec.
pub(super) struct Row {
    /// Name in the encoders' table.
    name: &'static str,
    /// The same codec in the negotiation.
    pub(super) format: Format,
    /// Ticks of the RTP time in a second.
    pub(super) clock: u32,
    /// Put it into an offer or answer.
    pub(super) enable: fn(RtcConfig) -> RtcConfig,
    chop: Chop,
}

/// How a frame is cut.
enum Chop {
    /// By itself.
    Plain(fn(&Packet, u16, &mut Vec<Arc<[u8]>>)),
    /// With what the caps say.
    H264,
}

/// What stands in the caps of the packets, as far as their codec needs it here.
#[derive(Debug, Clone, Default)]
pub(super) struct Head(Option<h264::Sets>);

static ROWS: &[Row] = &[
    Row {
        name: "vp8",
        format: Format::Vp8,
        clock: 90_000,
        enable: |config| config.enable_vp8(true),
        chop: Chop::Plain(chop_vp8),
    },
    Row {
        name: "vp9",
        format: Format::Vp9,
        clock: 90_000,
        enable: |config| config.enable_vp9(true),
        chop: Chop::Plain(chop_vp9),
    },
    Row {
        name: "h264",
        format: Format::H264,
        clock: 90_000,
        enable: h264::enable,
        chop: Chop::H264,
    },
    Row {
        name: "opus",
        format: Format::Opus,
        clock: 48_000,
        enable: |config| config.enable_opus(true, false),
        chop: Chop::Plain(|packet, _, into| into.push(Arc::from(&packet.data[..]))),
    },
];

/// The row of a codec, if WebRTC can carry it.
pub(super) fn row(codec: &Codec) -> Option<&'static Row> {
    ROWS.iter()
        .find(|row| codec.webrtc && row.name == codec.name)
}

impl Row {
    /// RTP time of a moment in the program.
    pub(super) fn ticks(&self, packet: &Packet) -> u32 {
        // RTP time wraps by design.
        (packet.pts.as_nanos() * u128::from(self.clock) / 1_000_000_000) as u32
    }

    /// What is needed of the caps.
    pub(super) fn head(&self, caps: &gst::CapsRef) -> Head {
        match self.chop {
            Chop::Plain(_) => Head::default(),
            Chop::H264 => Head(h264::Sets::of(caps)),
        }
    }

    /// Add the payloads of one frame. `number` counts frames.
    pub(super) fn chop(
        &self,
        packet: &Packet,
        head: &Head,
        number: u16,
        into: &mut Vec<Arc<[u8]>>,
    ) {
        if packet.data.is_empty() {
            return;
        }
        match (&self.chop, &head.0) {
            (Chop::Plain(chop), _) => chop(packet, number, into),
            (Chop::H264, Some(sets)) => h264::chop(packet, sets, into),
            // Nobody could decode it.
            (Chop::H264, None) => (),
        }
    }
}

fn join(head: &[u8], body: &[u8]) -> Arc<[u8]> {
    let mut payload = Vec::with_capacity(head.len() + body.len());
    payload.extend_from_slice(head);
    payload.extend_from_slice(body);
    payload.into()
}

/// RFC 7741: a descriptor of four bytes with a picture number of 15 bits.
fn chop_vp8(packet: &Packet, number: u16, into: &mut Vec<Arc<[u8]>>) {
    const EXTENDED: u8 = 0x80;
    const START: u8 = 0x10;
    const PICTURE_ID: u8 = 0x80;
    let [high, low] = (number | 0x8000).to_be_bytes();
    for (n, body) in packet.data.chunks(PAYLOAD - 4).enumerate() {
        let start = if n == 0 { START } else { 0 };
        into.push(join(&[EXTENDED | start, PICTURE_ID, high, low], body));
    }
}

/// RFC 9628, non-flexible mode (Safari drops the other): picture number, one layer, and an empty scalability
/// structure at key frames.
fn chop_vp9(packet: &Packet, number: u16, into: &mut Vec<Arc<[u8]>>) {
    const PICTURE_ID_AND_LAYER: u8 = 0xA0;
    const PREDICTED: u8 = 0x40;
    const BEGIN: u8 = 0x08;
    const END: u8 = 0x04;
    const STRUCTURE: u8 = 0x02;
    /// Layer 0, from which higher layers could be switched to.
    const LAYER: u8 = 0x10;
    let [high, low] = (number | 0x8000).to_be_bytes();
    let last = packet.data.len().div_ceil(PAYLOAD - 6) - 1;
    for (n, body) in packet.data.chunks(PAYLOAD - 6).enumerate() {
        let structure = packet.key && n == 0;
        let mut flags = PICTURE_ID_AND_LAYER;
        for (set, bit) in [
            (!packet.key, PREDICTED),
            (n == 0, BEGIN),
            (n == last, END),
            (structure, STRUCTURE),
        ] {
            if set {
                flags |= bit;
            }
        }
        let head = [flags, high, low, LAYER, number as u8, 0];
        into.push(join(&head[..if structure { 6 } else { 5 }], body));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::message::MediaKind;

    fn packet(key: bool, len: usize) -> Packet {
        Packet {
            pts: Duration::from_secs(2),
            duration: Duration::ZERO,
            key,
            data: Bytes::from(vec![7; len]),
        }
    }

    fn chopped(name: &str, media: MediaKind, packet: &Packet) -> Vec<Arc<[u8]>> {
        let row = row(Codec::find(name, media).unwrap()).unwrap();
        let mut into = Vec::new();
        row.chop(packet, &Head::default(), 0x1234, &mut into);
        into
    }

    #[test]
    fn every_codec_marked_for_webrtc_has_a_row() {
        for codec in crate::encode::CODECS.iter().filter(|c| c.webrtc) {
            assert!(row(codec).is_some(), "{}", codec.name);
        }
    }

    #[test]
    fn a_frame_is_cut_into_equal_pieces_and_a_rest() {
        for name in ["vp8", "vp9"] {
            let parts = chopped(name, MediaKind::Video, &packet(false, 3000));
            assert_eq!(parts.len(), 3);
            assert_eq!(parts[0].len(), parts[1].len(), "one size, for batches");
            assert!(parts.iter().all(|p| p.len() <= PAYLOAD));
        }
        assert!(chopped("vp8", MediaKind::Video, &packet(true, 0)).is_empty());
        assert!(chopped("vp9", MediaKind::Video, &packet(true, 0)).is_empty());
    }

    #[test]
    fn vp8_descriptors_mark_the_start_and_number_the_picture() {
        let parts = chopped("vp8", MediaKind::Video, &packet(true, 2000));
        assert_eq!(parts[0][..4], [0x90, 0x80, 0x92, 0x34]);
        assert_eq!(parts[1][..4], [0x80, 0x80, 0x92, 0x34]);
    }

    #[test]
    fn vp9_descriptors_mark_start_end_and_prediction() {
        let key = chopped("vp9", MediaKind::Video, &packet(true, 2000));
        assert_eq!(key[0][..6], [0xAA, 0x92, 0x34, 0x10, 0x34, 0]);
        assert_eq!(key[1][..5], [0xA4, 0x92, 0x34, 0x10, 0x34]);
        let delta = chopped("vp9", MediaKind::Video, &packet(false, 10));
        assert_eq!(delta[0][..5], [0xEC, 0x92, 0x34, 0x10, 0x34]);
    }

    #[test]
    fn time_is_counted_in_the_codecs_own_clock() {
        let vp8 = row(Codec::find("vp8", MediaKind::Video).unwrap()).unwrap();
        let opus = row(Codec::find("opus", MediaKind::Audio).unwrap()).unwrap();
        assert_eq!(vp8.ticks(&packet(true, 1)), 180_000);
        assert_eq!(opus.ticks(&packet(true, 1)), 96_000);
    }
}
