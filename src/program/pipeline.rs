// SPDX-License-Identifier: GPL-3.0-or-later
//! Pipelines that share one clock and one base time, and end when dropped.

use std::{ops::Deref, sync::Arc};

use gst::prelude::*;

/// The clock and base time of every pipeline of the engine, so that times mean the same in all of them.
#[derive(Debug, Clone)]
pub struct StudioClock {
    clock: gst::Clock,
    base: gst::ClockTime,
}

impl StudioClock {
    /// The system's clock, beginning now.
    pub fn start() -> Self {
        let clock = gst::SystemClock::obtain();
        let base = clock.time();
        StudioClock { clock, base }
    }

    /// When the program began, on the clock.
    pub fn base(&self) -> gst::ClockTime {
        self.base
    }

    /// Time in the program now.
    pub fn now(&self) -> gst::ClockTime {
        self.clock.time().saturating_sub(self.base)
    }

    /// An empty pipeline on this clock; `failed` hears of its errors.
    pub fn pipeline(
        &self,
        name: &str,
        failed: impl Fn(PipelineError) + Send + Sync + 'static,
    ) -> Pipeline {
        self.watched(name, move |notice| {
            if let Notice::Error(e) = notice {
                failed(e);
            }
        })
    }

    /// An empty pipeline on this clock; `watch` hears of errors, end and element messages. It is called on streaming
    /// threads and must not wait, nor change the state of the pipeline.
    pub fn watched(&self, name: &str, watch: impl Fn(Notice) + Send + Sync + 'static) -> Pipeline {
        let pipeline = gst::Pipeline::builder().name(name).build();
        pipeline.use_clock(Some(&self.clock));
        pipeline.set_base_time(self.base);
        pipeline.set_start_time(gst::ClockTime::NONE);
        attach(&pipeline, watch);
        Pipeline(pipeline)
    }

    /// An empty pipeline on this clock with a base time of its own, as a source needs that starts over (a looped file).
    pub fn loose(&self, name: &str, watch: impl Fn(Notice) + Send + Sync + 'static) -> Pipeline {
        let pipeline = gst::Pipeline::builder().name(name).build();
        pipeline.use_clock(Some(&self.clock));
        attach(&pipeline, watch);
        Pipeline(pipeline)
    }
}

fn attach(pipeline: &gst::Pipeline, watch: impl Fn(Notice) + Send + Sync + 'static) {
    let watch = Arc::new(watch);
    let bus = pipeline.bus().expect("a pipeline has a bus");
    bus.set_sync_handler(move |_, message| {
        use gst::MessageView;
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other messages are of no interest"
        )]
        match message.view() {
            MessageView::Error(e) => watch(Notice::Error(PipelineError {
                message: e.error().to_string(),
                debug: e.debug().map(|d| d.to_string()).unwrap_or_default(),
                code: e.error(),
            })),
            MessageView::Eos(_) => watch(Notice::Eos),
            MessageView::SegmentDone(_) => watch(Notice::SegmentDone),
            MessageView::Element(e) => {
                if let (Some(s), Some(from)) = (e.structure(), message.src()) {
                    watch(Notice::Element(from.name().into(), s.to_owned()));
                }
            }
            _ => (),
        }
        gst::BusSyncReply::Drop
    });
}

/// What a pipeline says.
#[derive(Debug)]
pub enum Notice {
    /// It stopped working.
    Error(PipelineError),
    /// It came to its end.
    Eos,
    /// It came to the end of a segment that was asked for.
    SegmentDone,
    /// A message of one of its elements, by name.
    Element(String, gst::Structure),
}

/// What went wrong in a pipeline.
#[derive(Debug, Clone)]
pub struct PipelineError {
    /// One sentence.
    pub message: String,
    /// Details for developers; may hold addresses, so it is never shown or logged as it is.
    pub debug: String,
    /// Domain and code.
    pub code: gst::glib::Error,
}

impl std::fmt::Display for PipelineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message.trim_end_matches('.'))
    }
}

/// A pipeline that is stopped when dropped. Not to be dropped on one of its own streaming threads.
#[derive(Debug)]
pub struct Pipeline(gst::Pipeline);

impl Pipeline {
    /// Start it.
    pub fn play(&self) -> Result<(), PipelineError> {
        match self.0.set_state(gst::State::Playing) {
            Ok(_) => Ok(()),
            Err(_) => {
                let code =
                    gst::glib::Error::new(gst::CoreError::StateChange, "it could not be started");
                Err(PipelineError {
                    message: code.message().to_string(),
                    debug: String::new(),
                    code,
                })
            }
        }
    }

    /// Elements in it whose class has this word, such as `Encoder`.
    pub fn count_elements(&self, class: &str) -> usize {
        self.0
            .iterate_recurse()
            .into_iter()
            .flatten()
            .filter_map(|e| Some(e.factory()?.klass().split('/').any(|word| word == class)))
            .filter(|found| *found)
            .count()
    }
}

impl Deref for Pipeline {
    type Target = gst::Pipeline;
    fn deref(&self) -> &gst::Pipeline {
        &self.0
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // Going to NULL cannot fail in a way that could be mended here.
        let _ = self.0.set_state(gst::State::Null);
        if let Some(bus) = self.0.bus() {
            bus.unset_sync_handler();
        }
    }
}
