// SPDX-License-Identifier: GPL-3.0-or-later
//! Cuts the output of a muxer into chunks for its readers.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};

use super::{Chunk, ChunkStream, blocks::Blocks, container::Container, container::Cut};

/// The longest that sound waits for the next picture: three frames at 30 per second.
const PIECE_WAITS: Duration = Duration::from_millis(100);

/// The end of a muxer's pipeline: publishes what it gives. Its first piece brings the head.
pub(super) fn sink(
    container: &'static Container,
    has_picture: bool,
    stream: Arc<ChunkStream>,
) -> gst_app::AppSink {
    let sink = gst_app::AppSink::builder()
        .name("chunks")
        .enable_last_sample(false)
        .sync(false)
        .async_(false)
        .build();
    let mut chunker = Chunker::new(container, has_picture, stream);
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Flushing)?;
                chunker.take(&sample).ok_or(gst::FlowError::Error)?;
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    sink
}

struct Chunker {
    container: &'static Container,
    has_picture: bool,
    stream: Arc<ChunkStream>,
    head_known: bool,
    /// Time of the last chunk that readers were woken for.
    told: Duration,
    blocks: Blocks,
    /// Pieces of the chunk that is being put together.
    pieces: BytesMut,
    begun: Option<(Duration, bool)>,
}

impl Chunker {
    fn new(container: &'static Container, has_picture: bool, stream: Arc<ChunkStream>) -> Self {
        Chunker {
            container,
            has_picture,
            stream,
            head_known: false,
            told: Duration::ZERO,
            blocks: Blocks::default(),
            pieces: BytesMut::new(),
            begun: None,
        }
    }

    /// `None` if the memory cannot be read.
    fn take(&mut self, sample: &gst::Sample) -> Option<()> {
        if !self.head_known {
            match sample.caps().and_then(head_in) {
                Some(head) => self.set_head(head),
                None if self.container.headless() => self.set_head(Bytes::new()),
                None => (),
            }
        }
        let Some(buffer) = sample.buffer_owned() else {
            return Some(());
        };
        let flags = buffer.flags();
        let is_head = match self.container.cut {
            Cut::Pieces | Cut::Blocks => flags.contains(gst::BufferFlags::HEADER),
            Cut::Fragments => flags.contains(gst::BufferFlags::HEADER | gst::BufferFlags::DISCONT),
            Cut::Times => false,
        };
        if is_head {
            return Some(());
        }
        // A muxer may count from elsewhere, as its segment tells: that of MP4 from a thousand hours.
        let segment = sample.segment();
        let time = segment.and_then(|s| {
            s.downcast_ref::<gst::ClockTime>()?
                .to_running_time(buffer.pts())
        });
        let time = time.or(buffer.pts());
        let pts = Duration::from_nanos(time.map_or(0, |t| t.nseconds()));
        let key = !flags.contains(gst::BufferFlags::DELTA_UNIT);
        let last = flags.contains(gst::BufferFlags::MARKER);
        let memory = buffer.into_mapped_buffer_readable().ok()?;
        match self.container.cut {
            Cut::Pieces => {
                let data = match self.container.wrap {
                    Some(wrap) => wrap(&memory),
                    None => Bytes::from_owner(memory),
                };
                self.stream.publish(Chunk { pts, key, data });
            }
            Cut::Blocks => {
                let data = Bytes::from_owner(memory);
                self.publish_block(Chunk { pts, key, data });
            }
            Cut::Times => {
                if self.begun.is_some_and(|(begun, _)| key || begun != pts) {
                    self.publish_pieces();
                }
                // Sound alone has no key frames, and a packet of it begins with each new time.
                self.begun.get_or_insert((pts, key || !self.has_picture));
                self.pieces.extend_from_slice(&memory);
            }
            Cut::Fragments => {
                self.begun.get_or_insert((pts, key));
                self.pieces.extend_from_slice(&memory);
                if last {
                    self.publish_pieces();
                }
            }
        }
        Some(())
    }

    fn set_head(&mut self, head: Bytes) {
        self.stream.set_head(head);
        self.head_known = true;
    }

    /// One write per viewer and frame, though the muxer gives it in several pieces and sound in between.
    fn publish_block(&mut self, chunk: Chunk) {
        let complete = self.blocks.completes_picture(&chunk.data);
        if self.has_picture && !complete && chunk.pts < self.told + PIECE_WAITS {
            self.stream.publish_quietly(chunk);
        } else {
            self.told = chunk.pts;
            self.stream.publish(chunk);
        }
    }

    fn publish_pieces(&mut self) {
        if let Some((pts, key)) = self.begun.take() {
            let data = self.pieces.split().freeze();
            self.stream.publish(Chunk { pts, key, data });
        }
    }
}

/// The container's header from the caps.
fn head_in(caps: &gst::CapsRef) -> Option<Bytes> {
    let mut all = Vec::new();
    for buffer in headers_in(caps)? {
        all.extend_from_slice(&buffer.map_readable().ok()?);
    }
    Some(Bytes::from(all))
}

/// Headers that travel in the caps.
pub(super) fn headers_in(caps: &gst::CapsRef) -> Option<Vec<gst::Buffer>> {
    let value = caps.structure(0)?.value("streamheader").ok()?;
    match value.get::<gst::ArrayRef>() {
        Ok(parts) => {
            let parts = parts.as_slice().iter();
            parts.map(|p| p.get::<gst::Buffer>().ok()).collect()
        }
        Err(_) => Some(vec![value.get::<gst::Buffer>().ok()?]),
    }
}
