// SPDX-License-Identifier: GPL-3.0-or-later
//! The program shown on this computer: a pipeline that exists only while somebody looks.

use gst::prelude::*;
use gst_utils::ConsumptionLink;

use super::{Pipeline, ProgramOut};
use crate::error::StudioError;

/// Where and how the program is to be shown.
#[derive(Debug, Clone)]
pub struct Preview {
    /// Any video sink.
    pub sink: gst::Element,
    /// Largest width worth showing; the picture is made smaller before it reaches the sink.
    pub width: u32,
    /// Frames per second at most.
    pub fps: u32,
}

/// A running preview; ends when dropped.
pub(crate) struct PreviewPipeline {
    _link: ConsumptionLink,
    _pipeline: Pipeline,
    filter: Option<gst::Element>,
    /// Of the program.
    size: (u32, u32),
}

/// Two frames: the preview may lag, never grow.
const PREVIEW_QUEUE: u64 = 2;

impl PreviewPipeline {
    /// ```text
    /// program ─raw─▶ appsrc "raw" ─▶ videorate ─▶ videoscale ─▶ videoconvert ─▶ caps ─▶ sink
    /// ```
    pub(crate) fn start(
        program: &ProgramOut,
        size: (u32, u32),
        preview: Preview,
    ) -> Result<PreviewPipeline, StudioError> {
        let broken = |e: &dyn std::fmt::Display| StudioError::Program(e.to_string());
        let producer = program
            .video()
            .ok_or_else(|| StudioError::Program("it has no picture".into()))?;
        let pipeline = program.clock().pipeline("preview", |e| {
            tracing::warn!(error = %e, "the preview stopped");
        });
        // Dropped before scaling, scaled before converting: the fewest pixels are touched.
        let chain = gst::parse::bin_from_description(
            &format!(
                "videorate drop-only=true max-rate={} ! videoscale method=bilinear \
                 ! capsfilter name=size caps=\"{}\" ! videoconvert",
                preview.fps.max(1),
                caps(size, preview.width)
            ),
            true,
        )
        .map_err(|e| broken(&e))?;
        let raw = gst_app::AppSrc::builder().name("raw").build();
        preview.sink.set_property("sync", false);
        let parts = [raw.upcast_ref(), chain.upcast_ref(), &preview.sink];
        pipeline
            .add_many(parts)
            .and_then(|()| gst::Element::link_many(parts))
            .map_err(|e| broken(&e))?;
        let link = producer
            .add_consumer_with(
                &raw,
                gst_utils::streamproducer::ConsumerSettings {
                    max_buffer: PREVIEW_QUEUE,
                    max_bytes: gst::format::Bytes::ZERO,
                    max_time: gst::ClockTime::ZERO,
                },
            )
            .map_err(|e| broken(&e))?;
        pipeline.play().map_err(|e| broken(&e))?;
        Ok(PreviewPipeline {
            _link: link,
            _pipeline: pipeline,
            filter: chain.by_name("size"),
            size,
        })
    }

    /// Show it this wide from now on. Nothing stops for it.
    pub(crate) fn set_width(&self, width: u32) {
        if let Some(filter) = &self.filter {
            filter.set_property("caps", caps(self.size, width));
        }
    }
}

/// A program of this size, so wide at most.
fn caps((w, h): (u32, u32), width: u32) -> gst::Caps {
    let width = width.clamp(16, w.max(16)) & !1;
    let height = ((u64::from(width) * u64::from(h) / u64::from(w.max(1))) as u32).max(2) & !1;
    gst::Caps::builder("video/x-raw")
        .field("width", width as i32)
        .field("height", height as i32)
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .build()
}
