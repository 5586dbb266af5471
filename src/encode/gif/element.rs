// SPDX-License-Identifier: GPL-3.0-or-later
//! `aerialgifenc`: `video/x-raw` in, `image/gif` out.

use std::sync::LazyLock;

use gst::subclass::prelude::*;
use gst_video::{
    VideoCodecFrameFlags, VideoCodecState, prelude::*, subclass::prelude::*,
    video_codec_state::Readable,
};
use parking_lot::Mutex;

use super::{
    blocks,
    canvas::{Canvas, GifError},
    change::Picture,
};

glib::wrapper! {
    /// Codes video as an endless animated GIF.
    pub(crate) struct GifEnc(ObjectSubclass<imp::GifEnc>)
        @extends gst_video::VideoEncoder, gst::Element, gst::Object,
        @implements gst::Preset;
}

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        super::ELEMENT,
        gst::DebugColorFlags::empty(),
        Some("Endless animated GIF"),
    )
});

/// What the user of the element sets.
#[derive(Clone, Copy)]
struct Settings {
    gop_size: u32,
    dither: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            gop_size: 50,
            dither: true,
        }
    }
}

/// What is there while caps are.
struct Running {
    info: gst_video::VideoInfo,
    canvas: Canvas,
    /// Pictures since the last key frame, that one included.
    since_key: u32,
}

impl Running {
    /// The blocks of a picture, and whether it is a key frame.
    fn code(
        &mut self,
        buffer: &gst::BufferRef,
        forced: bool,
        gop_size: u32,
    ) -> Result<(Vec<u8>, bool), GifError> {
        let key = forced || self.canvas.is_empty() || self.since_key >= gop_size;
        let raw = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &self.info)?;
        let picture = Picture {
            width: raw.width() as usize,
            height: raw.height() as usize,
            stride: raw.plane_stride()[0] as usize,
            data: raw.plane_data(0)?,
        };
        let coded = self.canvas.paint(picture, key)?;
        self.since_key = if key { 1 } else { self.since_key + 1 };
        Ok((coded, key))
    }
}

mod imp {
    use super::*;

    #[derive(Default)]
    pub(crate) struct GifEnc {
        settings: Mutex<Settings>,
        running: Mutex<Option<Running>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for GifEnc {
        const NAME: &'static str = "AerialGifEnc";
        type Type = super::GifEnc;
        type ParentType = gst_video::VideoEncoder;
    }

    impl ObjectImpl for GifEnc {
        fn properties() -> &'static [glib::ParamSpec] {
            static ALL: LazyLock<[glib::ParamSpec; 2]> = LazyLock::new(|| {
                let default = Settings::default();
                [
                    glib::ParamSpecUInt::builder("gop-size")
                        .nick("Group of pictures")
                        .blurb("Pictures from one key frame to the next, at most")
                        .minimum(1)
                        .default_value(default.gop_size)
                        .mutable_playing()
                        .build(),
                    glib::ParamSpecBoolean::builder("dither")
                        .nick("Dither")
                        .blurb("Mix colours that are not in the palette (from the next caps on)")
                        .default_value(default.dither)
                        .mutable_ready()
                        .build(),
                ]
            });
            &*ALL
        }

        fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
            const TYPE: &str = "GObject has checked the type";
            let mut settings = self.settings.lock();
            match pspec.name() {
                "gop-size" => settings.gop_size = value.get().expect(TYPE),
                "dither" => settings.dither = value.get().expect(TYPE),
                name => unreachable!("no property {name} is installed"),
            }
        }

        fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
            let settings = self.settings.lock();
            match pspec.name() {
                "gop-size" => settings.gop_size.to_value(),
                "dither" => settings.dither.to_value(),
                name => unreachable!("no property {name} is installed"),
            }
        }
    }

    impl GstObjectImpl for GifEnc {}

    impl ElementImpl for GifEnc {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                gst::subclass::ElementMetadata::new(
                    "Endless GIF encoder",
                    "Codec/Encoder/Video",
                    "Codes video as an animated GIF that never ends",
                    "The Aerial project",
                )
            });
            Some(&METADATA)
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: LazyLock<[gst::PadTemplate; 2]> = LazyLock::new(|| {
                let side = 1..=i32::from(u16::MAX);
                let raw = gst_video::VideoCapsBuilder::new()
                    .format_list([gst_video::VideoFormat::Rgbx, gst_video::VideoFormat::Rgba])
                    .width_range(side.clone())
                    .height_range(side.clone())
                    .build();
                let rates = gst::FractionRange::new((0, 1), (i32::MAX, 1));
                let gif = gst::Caps::builder("image/gif")
                    .field("width", gst::IntRange::new(*side.start(), *side.end()))
                    .field("height", gst::IntRange::new(*side.start(), *side.end()))
                    .field("framerate", rates)
                    .build();
                let pad = |name, direction, caps| {
                    gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps)
                        .expect("the template is well formed")
                };
                [
                    pad("sink", gst::PadDirection::Sink, &raw),
                    pad("src", gst::PadDirection::Src, &gif),
                ]
            });
            &*TEMPLATES
        }
    }

    impl VideoEncoderImpl for GifEnc {
        fn stop(&self) -> Result<(), gst::ErrorMessage> {
            *self.running.lock() = None;
            Ok(())
        }

        fn flush(&self) -> bool {
            if let Some(running) = &mut *self.running.lock() {
                running.canvas.clear();
            }
            true
        }

        fn set_format(
            &self,
            state: &VideoCodecState<'static, Readable>,
        ) -> Result<(), gst::LoggableError> {
            let refuse = |why: &str| gst::loggable_error!(CAT, "{why}");
            let info = state.info().clone();
            let (Ok(width), Ok(height)) = (info.width().try_into(), info.height().try_into())
            else {
                return Err(refuse("the picture is larger than a GIF can be"));
            };
            let rate = info.fps();
            let interval = match rate.numer() {
                0 => 0.0,
                rate_numer => 100.0 * f64::from(rate.denom()) / f64::from(rate_numer),
            };
            let dither = self.settings.lock().dither;
            let canvas = Canvas::new(width, height, blocks::delay(interval), dither)
                .map_err(|e| refuse(&e.to_string()))?;
            *self.running.lock() = Some(Running {
                info,
                canvas,
                since_key: 0,
            });

            let mut header = gst::Buffer::from_slice(blocks::header(width, height));
            header
                .get_mut()
                .expect("nobody else has the new buffer")
                .set_flags(gst::BufferFlags::HEADER);
            let caps = gst::Caps::builder("image/gif")
                .field("streamheader", gst::Array::new([header]))
                .build();
            let encoder = self.obj();
            let output = encoder
                .set_output_state(caps, Some(state))
                .map_err(|_| refuse("the output's caps were refused"))?;
            encoder
                .negotiate(output)
                .map_err(|_| refuse("nothing that follows takes a GIF"))
        }

        fn handle_frame(
            &self,
            mut frame: gst_video::VideoCodecFrame,
        ) -> Result<gst::FlowSuccess, gst::FlowError> {
            let forced = frame.flags().contains(VideoCodecFrameFlags::FORCE_KEYFRAME);
            let input = frame.input_buffer().ok_or(gst::FlowError::Error)?;
            // Not locked while the picture is handed on.
            let (coded, key) = self
                .running
                .lock()
                .as_mut()
                .ok_or(gst::FlowError::NotNegotiated)?
                .code(input, forced, self.settings.lock().gop_size)
                .map_err(|e| {
                    gst::element_imp_error!(self, gst::StreamError::Encode, ["{e}"]);
                    gst::FlowError::Error
                })?;
            if key {
                frame.set_flags(VideoCodecFrameFlags::SYNC_POINT);
            } else {
                frame.unset_flags(VideoCodecFrameFlags::SYNC_POINT);
            }
            frame.set_output_buffer(gst::Buffer::from_slice(coded));
            self.obj().finish_frame(frame)
        }
    }
}
