// SPDX-License-Identifier: GPL-3.0-or-later
//! The leg's place in the encode: a lease and a feed per track, payloads made once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    payload::{self, Head, Row},
    session::{Frame, Offered, OnAir},
};
use crate::{
    encode::{Codec, Encoders, Format, Lease, Packet, PacketFeed, RungId, Size},
    fanout::{Join, Taken},
    message::MediaKind,
};

/// The encoder makes at most one key frame in this time, so asking more often is of no use.
const KEY_EVERY: Duration = Duration::from_millis(500);
/// Who comes this soon after a key frame gets it and what followed; later, a new one is quicker. A little longer than
/// the encoder's limit, for the time a key frame takes.
const FRESH: Duration = Duration::from_millis(600);
/// An encoder that fails at once is started again at most this often.
const RENEW_EVERY: Duration = Duration::from_secs(1);

/// What is on the air, as configured.
pub(super) fn on_air(encoders: &Encoders) -> OnAir {
    let offered = |kind| {
        let codec = rung(encoders, kind, Size::Full)?.codec;
        let row = payload::row(codec)?;
        Some(Offered { codec, row })
    };
    OnAir {
        video: offered(MediaKind::Video),
        audio: offered(MediaKind::Audio),
    }
}

/// The rung of that kind and size that viewers get, as the settings are now.
fn rung(encoders: &Encoders, kind: MediaKind, size: Size) -> Option<RungId> {
    let format = match size {
        Size::Low => Format::WebRtcLow,
        Size::Full | Size::Gif => Format::WebRtc,
    };
    let rungs = encoders.rungs_of(format);
    rungs.into_iter().find(|id| id.codec.media == kind)
}

/// One track.
pub(super) struct Track {
    kind: MediaKind,
    size: Size,
    lease: Lease,
    feed: PacketFeed,
    /// Codec of the packets, once the encoder has told.
    codec: Option<&'static Codec>,
    row: Option<&'static Row>,
    /// What stands in the caps, as of the last key frame.
    head: Head,
    /// Number of the next frame, as written into its payloads.
    number: u16,
    packets: Vec<Packet>,
    skipped: u64,
    renewed: Instant,
    ended: bool,
    asked: Option<Instant>,
    wanted: bool,
    /// The frames since the last key frame, while it is fresh, and when it came.
    fresh: Vec<Arc<Frame>>,
    fresh_from: Instant,
}

/// What a track brought.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Packets are in another codec than before.
    pub(super) codec: Option<&'static Codec>,
    /// Packets that were missed.
    pub(super) skipped: u64,
}

impl Track {
    /// Lease the rung of that kind and size. `None` if the program has no such track.
    pub(super) fn lease(
        encoders: &Encoders,
        kind: MediaKind,
        size: Size,
        now: Instant,
    ) -> Option<Track> {
        let lease = encoders.lease(rung(encoders, kind, size)?)?;
        let feed = lease.stream().subscribe(Join::NextKey);
        Some(Track {
            kind,
            size,
            lease,
            feed,
            codec: None,
            row: None,
            head: Head::default(),
            number: rand::random::<u16>() & 0x7fff,
            packets: Vec::new(),
            skipped: 0,
            renewed: now,
            ended: false,
            asked: None,
            wanted: false,
            fresh: Vec::new(),
            fresh_from: now,
        })
    }

    /// Wait until there may be something new.
    pub(super) async fn changed(&mut self) {
        if self.ended {
            // Renewed by the timer.
            std::future::pending().await
        } else {
            self.feed.changed().await
        }
    }

    /// Take what is there, as frames. `anchor` is the moment of the program's time zero.
    pub(super) fn take(
        &mut self,
        encoders: &Encoders,
        anchor: &mut Option<Instant>,
        now: Instant,
        into: &mut Vec<Arc<Frame>>,
    ) -> News {
        let mut news = News::default();
        if self.ended {
            if now < self.renewed + RENEW_EVERY {
                return news;
            }
            self.renew(encoders, now);
        }
        match self.feed.poll(&mut self.packets, usize::MAX) {
            Taken::Nothing => return news,
            Taken::Ended => {
                // Restarted, or failed: read on, with a new lease so that a failed one is started again.
                self.ended = true;
                self.fresh.clear();
                if now >= self.renewed + RENEW_EVERY {
                    self.renew(encoders, now);
                }
                news.skipped = 1;
                return news;
            }
            Taken::Items(_) => (),
        }
        if self.codec.is_none()
            && let Some(head) = self.lease.stream().head()
        {
            self.codec = Some(head.codec);
            self.row = payload::row(head.codec);
            news.codec = Some(head.codec);
        }
        news.skipped = self.feed.skipped() - self.skipped;
        self.skipped = self.feed.skipped();
        if news.skipped > 0 {
            self.fresh.clear();
        }
        let Some(row) = self.row else {
            self.packets.clear();
            return news;
        };
        let mut packets = std::mem::take(&mut self.packets);
        for packet in packets.drain(..) {
            let anchor = *anchor.get_or_insert_with(|| now.checked_sub(packet.pts).unwrap_or(now));
            let mut payloads = Vec::new();
            if packet.key {
                self.wanted = false;
                if self.kind == MediaKind::Video
                    && let Some(head) = self.lease.stream().head()
                {
                    self.head = row.head(&head.caps);
                }
            }
            row.chop(&packet, &self.head, self.number, &mut payloads);
            self.number = (self.number + 1) & 0x7fff;
            let frame = Arc::new(Frame {
                kind: self.kind,
                size: self.size,
                key: packet.key,
                ticks: row.ticks(&packet),
                wallclock: anchor + packet.pts,
                payloads,
            });
            if self.kind == MediaKind::Video {
                self.keep(&frame, now);
            }
            into.push(frame);
        }
        self.packets = packets;
        news
    }

    fn renew(&mut self, encoders: &Encoders, now: Instant) {
        self.renewed = now;
        self.ended = false;
        // The new one first, so that an encoder that was just restarted for others goes on.
        let lease = rung(encoders, self.kind, self.size).and_then(|id| encoders.lease(id));
        if let Some(lease) = lease {
            self.lease = lease;
        }
        self.feed = self.lease.stream().subscribe(Join::NextKey);
        self.skipped = 0;
        self.codec = None;
        self.row = None;
    }

    /// Keep a frame for those who come soon after a key frame, when the encoder would not make another.
    fn keep(&mut self, frame: &Arc<Frame>, now: Instant) {
        if frame.key {
            self.fresh_from = now;
            self.fresh.clear();
        } else if self.fresh.is_empty() {
            return;
        }
        if now < self.fresh_from + FRESH {
            self.fresh.push(frame.clone());
        } else {
            self.fresh.clear();
        }
    }

    /// All frames since the last key frame, if that is not long ago.
    pub(super) fn fresh(&self) -> &[Arc<Frame>] {
        &self.fresh
    }

    /// A viewer needs a key frame.
    pub(super) fn want_key(&mut self) {
        self.wanted = true;
    }

    /// Ask for a key frame if one is wanted and it is of use.
    pub(super) fn ask_key(&mut self, now: Instant) {
        if self.wanted && self.asked.is_none_or(|at| now >= at + KEY_EVERY) {
            self.asked = Some(now);
            self.lease.request_key_frame();
        }
    }

    /// When to look again although nothing came.
    pub(super) fn due(&self) -> Option<Instant> {
        let key = self.asked.filter(|_| self.wanted).map(|at| at + KEY_EVERY);
        let renew = self.ended.then(|| self.renewed + RENEW_EVERY);
        key.into_iter().chain(renew).min()
    }
}
