// SPDX-License-Identifier: GPL-3.0-or-later
//! A guest's seat on screen: what comes to it is decoded and put into the program.
//!
//! ```text
//! seat ─▶ appsrc ─▶ vp8dec / vp9dec / h264parse ! avdec_h264 ─▶ videoconvert ─▶ appsink "video"
//!      └▶ appsrc ─▶ opusdec ─▶ audioconvert ─▶ audioresample ─▶ appsink "audio"
//! ```
//!
//! The source is open as long as it is in the list, whether anybody sits there or not. Decoders come and go with the
//! guests, and are made anew when one breaks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    time::{Duration, Instant},
};

use gst::prelude::*;

use super::{AUDIO_CAPS, Open, Opening, Places, Said, Tell, VIDEO_CAPS, connect_into, failed};
use crate::{
    error::SourceError,
    message::MediaKind,
    program::{Notice, Pipeline, Pusher, StudioClock},
    source::guest::{Coded, Coding, Happening, Link, Seat, Staged, Timing},
};

/// A decoder that broke is made anew after this time at the earliest.
const MEND: Duration = Duration::from_millis(500);
/// What waits in front of a decoder at most: a picture takes longer to decode than to come only for a moment.
const AHEAD: u64 = 8;

/// Open the seat's place on screen.
pub(super) fn open(spec: &str, seat: &Seat, opening: &Opening) -> Result<Open, SourceError> {
    let samples = Arc::new(AtomicU64::new(0));
    let (told, staged) = seat.stage();
    let stage = Stage {
        clock: opening.around.clock.clone(),
        places: opening.places.clone(),
        tell: opening.tell.clone(),
        samples: samples.clone(),
        spec: spec.to_string(),
        link: None,
        timing: Timing::new(),
        video: Lane::default(),
        audio: Lane::default(),
    };
    let thread = std::thread::Builder::new()
        .name("guest".into())
        .spawn(move || stage.run(&told))
        .map_err(|e| failed(spec, &e))?;
    Ok(Open {
        pipeline: None,
        samples,
        device: None,
        quiet: None,
        still: None,
        player: None,
        held: vec![Box::new(Ending {
            staged: Some(staged),
            thread: Some(thread),
        })],
    })
}

/// Ends the stage's thread.
struct Ending {
    staged: Option<Staged>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        // Nobody can tell it anything any more: that ends it.
        drop(self.staged.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was logged.
            let _ = thread.join();
        }
    }
}

/// Where the frames of one seat are decoded.
struct Stage {
    clock: StudioClock,
    places: Places,
    tell: Tell,
    samples: Arc<AtomicU64>,
    spec: String,
    link: Option<Arc<Link>>,
    timing: Timing,
    video: Lane,
    audio: Lane,
}

/// Picture or sound.
#[derive(Default)]
struct Lane {
    decoder: Option<Decoder>,
    /// Nothing is decoded before a frame that needs no other.
    begun: bool,
    /// Not before then.
    rest: Option<Instant>,
}

impl Stage {
    fn run(mut self, told: &mpsc::Receiver<Happening>) {
        while let Ok(what) = told.recv() {
            match what {
                Happening::Came(link) => {
                    link.want_key();
                    self.link = Some(link);
                    self.timing = Timing::new();
                    // The decoders of the connection before are as good; only the picture begins anew.
                    self.video.begun = false;
                    self.audio.begun = false;
                }
                Happening::Frame(frame) => {
                    if let Some(link) = &self.link {
                        link.taken();
                    }
                    self.frame(frame);
                }
                Happening::Left(name) => {
                    self.link = None;
                    self.video = Lane::default();
                    self.audio = Lane::default();
                    let _ = self.tell.send(Said::Away(SourceError::GuestLeft(name)));
                }
            }
        }
    }

    fn frame(&mut self, frame: Coded) {
        let kind = frame.coding.kind();
        let wanted = match kind {
            MediaKind::Video => self.places.video.is_some(),
            MediaKind::Audio => self.places.audio.is_some(),
        };
        let Some(link) = self.link.clone().filter(|_| wanted) else {
            return;
        };
        let now = self.clock.now().into();
        let arrival = Duration::saturating_sub(now, frame.arrival.elapsed());
        let due = self.timing.place(kind, arrival, frame.count, frame.report);
        let lane = match kind {
            MediaKind::Video => &mut self.video,
            MediaKind::Audio => &mut self.audio,
        };
        let other = |d: &Decoder| d.coding != frame.coding;
        if lane
            .decoder
            .as_ref()
            .is_some_and(|d| other(d) || d.is_broken())
        {
            lane.decoder = None;
            lane.begun = false;
            lane.rest = Some(Instant::now() + MEND);
        }
        if kind == MediaKind::Video && !frame.contiguous {
            lane.begun = false;
        }
        if !lane.begun && !frame.key {
            link.want_key();
            return;
        }
        if lane.rest.is_some_and(|until| Instant::now() < until) {
            link.want_key();
            return;
        }
        if lane.decoder.is_none() {
            let made = Decoder::start(frame.coding, &self.spec, &self.clock, |bin| {
                connect_into(bin, &self.places, &self.tell, &self.samples, Pusher::push);
            });
            match made {
                Ok(decoder) => lane.decoder = Some(decoder),
                Err(error) => {
                    lane.rest = Some(Instant::now() + MEND);
                    let _ = self.tell.send(Said::Missing(kind, error));
                    return;
                }
            }
        }
        let begins = !std::mem::replace(&mut lane.begun, true);
        if let Some(decoder) = &lane.decoder
            && !decoder.push(&frame, due, begins)
        {
            lane.begun = false;
            link.want_key();
        }
    }
}

/// Decodes one track of one guest.
struct Decoder {
    coding: Coding,
    appsrc: gst_app::AppSrc,
    broken: Arc<AtomicBool>,
    _pipeline: Pipeline,
}

/// Caps of what comes, and what decodes it: the first that is installed.
fn way(coding: Coding) -> (&'static str, &'static [&'static str]) {
    match coding {
        Coding::Vp8 => ("video/x-vp8", &["vp8dec"]),
        Coding::Vp9 => ("video/x-vp9", &["vp9dec"]),
        Coding::H264 => (
            "video/x-h264,stream-format=byte-stream,alignment=au",
            &["avdec_h264", "openh264dec"],
        ),
        Coding::Opus => (
            "audio/x-opus,channel-mapping-family=0,channels=2,rate=48000",
            &["opusdec"],
        ),
    }
}

impl Decoder {
    fn start(
        coding: Coding,
        spec: &str,
        clock: &StudioClock,
        connect: impl FnOnce(&gst::Bin),
    ) -> Result<Decoder, SourceError> {
        let (caps, elements) = way(coding);
        let installed = |name: &&&str| gst::ElementFactory::find(name).is_some();
        let Some(element) = elements.iter().find(installed) else {
            return Err(SourceError::Missing {
                element: elements.first().copied().unwrap_or_default().into(),
            });
        };
        let parse = match coding {
            Coding::H264 => "h264parse ! ",
            Coding::Vp8 | Coding::Vp9 | Coding::Opus => "",
        };
        let rest = match coding.kind() {
            MediaKind::Video => {
                format!("videoconvert ! {VIDEO_CAPS} ! appsink name=video sync=false")
            }
            MediaKind::Audio => format!(
                "audioconvert ! audioresample ! {AUDIO_CAPS} ! appsink name=audio sync=false"
            ),
        };
        let launch = format!(
            "appsrc name=in caps=\"{caps}\" format=time is-live=true block=false max-buffers={AHEAD} max-bytes=0 \
             ! {parse}{element} name=decoder ! {rest}"
        );
        let broken = Arc::new(AtomicBool::new(false));
        let pipeline = clock.watched("guest", {
            let broken = broken.clone();
            move |notice| match notice {
                Notice::Error(e) => {
                    tracing::debug!(error = %e, ?coding, "a guest's decoder failed");
                    broken.store(true, Relaxed);
                }
                Notice::Eos => broken.store(true, Relaxed),
                Notice::Element(..) | Notice::SegmentDone => (),
            }
        });
        let bin = gst::parse::bin_from_description(&launch, false).map_err(|e| failed(spec, &e))?;
        if let Some(decoder) = bin.by_name("decoder") {
            // One frame in, one frame out: threads that work on several frames would keep some back.
            if decoder.has_property("thread-type") {
                decoder.set_property_from_str("thread-type", "slice");
            }
            if coding == Coding::Opus {
                decoder.set_property("plc", true);
                decoder.set_property("use-inband-fec", true);
            }
        }
        let appsrc = bin
            .by_name("in")
            .and_downcast::<gst_app::AppSrc>()
            .expect("the launch line has an appsrc called in");
        pipeline.add(&bin).map_err(|e| failed(spec, &e))?;
        connect(bin.upcast_ref());
        pipeline.play().map_err(|e| failed(spec, &e))?;
        Ok(Decoder {
            coding,
            appsrc,
            broken,
            _pipeline: pipeline,
        })
    }

    fn is_broken(&self) -> bool {
        self.broken.load(Relaxed)
    }

    /// Hand over a frame; `false` if the decoder has too many to do.
    fn push(&self, frame: &Coded, due: Duration, begins: bool) -> bool {
        if self.appsrc.current_level_buffers() >= AHEAD {
            return false;
        }
        let mut buffer = gst::Buffer::from_slice(frame.data.clone());
        let flags = buffer.make_mut();
        flags.set_pts(gst::ClockTime::try_from(due).ok());
        if begins || !frame.contiguous {
            flags.set_flags(gst::BufferFlags::DISCONT);
        }
        if !frame.key {
            flags.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        self.appsrc.push_buffer(buffer).is_ok()
    }
}
