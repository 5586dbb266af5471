// SPDX-License-Identifier: GPL-3.0-or-later
//! Files and links.
//!
//! ```text
//! uridecodebin ─▶ (imagefreeze ─▶) videoconvert ─▶ appsink "video"
//!              ─▶ audioconvert ─▶ audioresample ─▶ appsink "audio"
//! ```
//!
//! Picture and sound come from one pipeline, so they stay together. A file that is played over and over is played as
//! segments: at the end of one the next is asked for without flushing, so there is no gap.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use gst::prelude::*;
use parking_lot::Mutex;

use super::{
    AUDIO_CAPS, Open, Opening, Places, Said, Tell, connect_into, deck::Item, failed, start,
};
use crate::{
    error::SourceError,
    message::MediaKind,
    program::{Notice, Pipeline, PipelineError, Pusher, StudioClock},
    source::Link,
};

/// Time for a file to show what is in it.
const PREROLL: gst::ClockTime = gst::ClockTime::from_seconds(5);
/// What jitter of the network is smoothed out, for the protocols that say how much they need.
const JITTER_MS: u32 = 300;
/// Seconds a web server may be silent.
const HTTP_TIMEOUT: u32 = 10;

/// How a file is played.
pub(in crate::source) struct Player {
    seamless: bool,
}

impl Player {
    fn flags(&self) -> gst::SeekFlags {
        match self.seamless {
            true => gst::SeekFlags::SEGMENT,
            false => gst::SeekFlags::empty(),
        }
    }

    pub(super) fn rewind(&self, pipeline: &Pipeline) -> bool {
        let flush = match self.seamless {
            true => gst::SeekFlags::empty(),
            false => gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT,
        };
        let zero = gst::ClockTime::ZERO;
        pipeline.seek_simple(self.flags() | flush, zero).is_ok()
            || pipeline
                .seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT, zero)
                .is_ok()
    }

    pub(super) fn seek(&self, pipeline: &Pipeline, to: Duration) -> bool {
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE | self.flags();
        let to = gst::ClockTime::try_from(to).unwrap_or(gst::ClockTime::ZERO);
        // Beyond the end is the end.
        let to = pipeline
            .query_duration::<gst::ClockTime>()
            .map_or(to, |end| to.min(end));
        pipeline.seek_simple(flags, to).is_ok()
    }

    pub(super) fn pause(&self, pipeline: &Pipeline, pause: bool) -> bool {
        let state = match pause {
            true => gst::State::Paused,
            false => gst::State::Playing,
        };
        pipeline.set_state(state).is_ok()
    }
}

/// Moves the times of what is played to the program's, and follows a stream that falls behind (a network that
/// stalled) or comes early again. One for picture and sound, so that they stay together.
#[derive(Default)]
struct Anchor {
    clock: Option<StudioClock>,
    inner: Mutex<Pace>,
}

#[derive(Default)]
struct Pace {
    /// Nanoseconds added to each time.
    offset: i64,
    /// Since when the least lateness is looked for, and what it is.
    since: i64,
    latest: Option<i64>,
}

impl Pace {
    /// Later than this, the program would throw it away.
    const LATE: i64 = 120_000_000;
    /// All of it earlier than this, for a while: it can be shown sooner.
    const EARLY: i64 = -120_000_000;
    const WHILE: i64 = 2_000_000_000;
    /// Room for a little jitter after a correction.
    const ROOM: i64 = 40_000_000;

    /// The time at which a sample of time `t` is shown, when it is `now`.
    fn place(&mut self, t: i64, now: i64) -> i64 {
        let late = now - (t + self.offset);
        if late > Self::LATE {
            self.offset += late + Self::ROOM;
            self.latest = None;
            self.since = now;
        } else {
            self.latest = Some(self.latest.map_or(late, |l| l.max(late)));
            if now - self.since > Self::WHILE {
                if let Some(latest) = self.latest.take()
                    && latest < Self::EARLY
                {
                    self.offset += latest + Self::ROOM;
                }
                self.since = now;
            }
        }
        t + self.offset
    }
}

impl Anchor {
    fn push(&self, pusher: &Pusher, sample: &gst::Sample, source_base: gst::ClockTime) {
        let (Some(buffer), Some(caps), Some(clock)) =
            (sample.buffer_owned(), sample.caps_owned(), &self.clock)
        else {
            return;
        };
        let Some(time) = sample
            .segment()
            .and_then(|s| s.downcast_ref::<gst::ClockTime>())
            .and_then(|s| s.to_running_time(buffer.pts()))
        else {
            return;
        };
        let time = (time + source_base).nseconds() as i64 - clock.base().nseconds() as i64;
        let now = clock.now().nseconds() as i64;
        let time = self.inner.lock().place(time, now).max(0);
        pusher.push_at(buffer, &caps, gst::ClockTime::from_nseconds(time as u64));
    }
}

/// Open what is on the deck.
pub(super) fn open(spec: &str, opening: &Opening) -> Result<Open, SourceError> {
    let deck = opening
        .deck
        .as_ref()
        .ok_or_else(|| failed(spec, &"there is nothing to play"))?;
    let (item, seamless) = {
        let deck = deck.lock();
        (deck.item().clone(), deck.seamless())
    };
    let uri = item.uri().map_err(|e| failed(&item.text(), &e))?;
    if let Item::File(path) = &item
        && !path.is_file()
    {
        return Err(SourceError::FileGone(path.clone()));
    }
    let places = &opening.places;
    let tell = &opening.tell;
    let wanted = if places.video.is_some() {
        "picture"
    } else {
        "sound"
    };
    let pipeline = opening.around.clock.loose("source", {
        let (tell, item) = (tell.clone(), item.clone());
        move |notice| {
            let said = match notice {
                Notice::Eos | Notice::SegmentDone => Said::End,
                Notice::Element(..) => return,
                Notice::Error(e) => Said::Failed(match &item {
                    Item::File(path)
                        if e.code.is::<gst::StreamError>() || e.code.is::<gst::CoreError>() =>
                    {
                        SourceError::NotMedia {
                            path: path.clone(),
                            media: wanted,
                        }
                    }
                    Item::File(_) => failed(&item.text(), &e),
                    Item::Link(link) => failed(&item.text(), &refused(&e, link)),
                }),
            };
            let _ = tell.send(said);
        }
    });
    let decode = gst::ElementFactory::make("uridecodebin")
        .property("uri", uri.as_str())
        .build()
        .map_err(|_| SourceError::Missing {
            element: "uridecodebin".into(),
        })?;
    decode.connect("source-setup", false, |values| {
        if let Some(source) = values.get(1).and_then(|v| v.get::<gst::Element>().ok()) {
            set_up(&source);
        }
        None
    });
    pipeline.add(&decode).map_err(|e| failed(spec, &e))?;
    let streams = Streams {
        places: places.clone(),
        tell: tell.clone(),
        samples: Arc::default(),
        anchor: Arc::new(Anchor {
            clock: Some(opening.around.clock.clone()),
            inner: Mutex::default(),
        }),
        have: Arc::default(),
    };
    let weak = pipeline.downgrade();
    decode.connect_pad_added({
        let streams = streams.clone();
        move |_, pad| {
            if let Some(pipeline) = weak.upgrade()
                && streams.connect(&pipeline, pad).is_none()
            {
                tracing::warn!("a stream could not be connected");
            }
        }
    });
    decode.connect_no_more_pads({
        let (streams, item) = (streams.clone(), item.clone());
        move |_| streams.complete(&item)
    });
    let player = Player {
        seamless: seamless && make_seamless(&pipeline),
    };
    let mut open = start(pipeline, streams.samples, spec)?;
    open.player = Some(player);
    Ok(open)
}

/// Why a link does not play, in words that help more than GStreamer's ("Unhandled error").
fn refused(e: &PipelineError, link: &Link) -> String {
    use gst::{ResourceError, StreamError};
    let code = &e.code;
    if code.matches(ResourceError::NotFound) {
        "there is nothing at that address".into()
    } else if code.matches(ResourceError::NotAuthorized) {
        "it wants a user name and a password".into()
    } else if code.matches(ResourceError::OpenRead)
        || code.matches(ResourceError::OpenReadWrite)
        || code.matches(ResourceError::Failed)
    {
        "it cannot be reached, or does not answer".into()
    } else if code.matches(ResourceError::Read) {
        "the connection was lost".into()
    } else if code.matches(StreamError::TypeNotFound) || code.matches(StreamError::WrongType) {
        "it holds no picture or sound that can be played".into()
    } else {
        // GStreamer may name the address in full.
        e.to_string().replace(link.secret(), &link.to_string())
    }
}

/// Let the first round be a segment already. `false` where that cannot be; then its end is an end.
fn make_seamless(pipeline: &Pipeline) -> bool {
    if pipeline.set_state(gst::State::Paused).is_err() {
        return false;
    }
    let (result, ..) = pipeline.state(PREROLL);
    let ready = matches!(
        result,
        Ok(gst::StateChangeSuccess::Success | gst::StateChangeSuccess::Async)
    );
    let mut seekable = gst::query::Seeking::new(gst::Format::Time);
    let can_seek = pipeline.query(&mut seekable) && seekable.result().0;
    // A still has no end.
    let ends = pipeline
        .query_duration::<gst::ClockTime>()
        .is_some_and(|d| d > gst::ClockTime::ZERO);
    ready
        && can_seek
        && ends
        && pipeline
            .seek_simple(
                gst::SeekFlags::FLUSH | gst::SeekFlags::SEGMENT,
                gst::ClockTime::ZERO,
            )
            .is_ok()
}

fn set_up(source: &gst::Element) {
    let is = |name: &str| source.factory().is_some_and(|f| f.name() == name);
    if is("rtspsrc") {
        source.set_property("latency", JITTER_MS);
        source.set_property("drop-on-latency", true);
    }
    if is("souphttpsrc") {
        source.set_property("timeout", HTTP_TIMEOUT);
        // Asks radio stations for titles; without, some send them inside the sound.
        source.set_property("iradio-mode", true);
    }
}

/// Connects the streams of one opening to the program.
#[derive(Clone)]
struct Streams {
    places: Places,
    tell: Tell,
    samples: Arc<AtomicU64>,
    anchor: Arc<Anchor>,
    /// Whether there is a picture, a sound.
    have: Arc<[AtomicBool; 2]>,
}

impl Streams {
    fn connect(&self, pipeline: &gst::Pipeline, pad: &gst::Pad) -> Option<()> {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let structure = caps.structure(0)?;
        let still = structure
            .get::<gst::Fraction>("framerate")
            .is_ok_and(|rate| rate.numer() == 0)
            && is_still(pad);
        let (have, wanted, launch) = if structure.name().starts_with("video/") {
            let freeze = match still {
                true => "imagefreeze ! video/x-raw,framerate=10/1 ! ",
                false => "",
            };
            let rest = "videoconvert ! video/x-raw,format=I420 ! appsink name=video sync=true";
            (
                &self.have[0],
                self.places.video.is_some(),
                format!("{freeze}{rest}"),
            )
        } else {
            let rest = format!(
                "audioconvert ! audioresample ! {AUDIO_CAPS} ! appsink name=audio sync=true"
            );
            (&self.have[1], self.places.audio.is_some(), rest)
        };
        // One of each kind; what nobody wants is thrown away, but must go somewhere.
        let launch = if wanted && !have.swap(true, Relaxed) {
            format!("queue ! {launch}")
        } else {
            "fakesink sync=true".to_string()
        };
        let bin = gst::parse::bin_from_description(&launch, true).ok()?;
        let anchor = self.anchor.clone();
        connect_into(
            bin.upcast_ref(),
            &self.places,
            &self.tell,
            &self.samples,
            move |pusher, sample, base| anchor.push(pusher, sample, base),
        );
        pipeline.add(&bin).ok()?;
        bin.sync_state_with_parent().ok()?;
        pad.link(&bin.static_pad("sink")?).ok()?;
        Some(())
    }

    fn complete(&self, item: &Item) {
        let kinds = [
            (MediaKind::Video, self.places.video.is_some(), "picture"),
            (MediaKind::Audio, self.places.audio.is_some(), "sound"),
        ];
        for (have, (kind, wanted, media)) in self.have.iter().zip(kinds) {
            if wanted && !have.load(Relaxed) {
                let error = match item {
                    Item::File(path) => SourceError::NotMedia {
                        path: path.clone(),
                        media,
                    },
                    Item::Link(link) => failed(&link.to_string(), &format!("it has no {media}")),
                };
                let _ = self.tell.send(Said::Missing(kind, error));
            }
        }
    }
}

/// Films may leave out their rate as well; only a picture has no length.
fn is_still(pad: &gst::Pad) -> bool {
    let mut query = gst::query::Duration::new(gst::Format::Time);
    let known = pad.query(&mut query);
    let duration = Option::<gst::ClockTime>::try_from(query.result());
    let duration = duration.ok().flatten().unwrap_or(gst::ClockTime::ZERO);
    !known || duration <= gst::ClockTime::from_mseconds(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn a_stream_that_stalled_is_shown_later_and_then_goes_on_evenly() {
        let mut pace = Pace::default();
        assert_eq!(pace.place(0, 10 * MS), 0);
        assert_eq!(pace.place(40 * MS, 50 * MS), 40 * MS);
        // Half a second late: from now on everything is shown that much later.
        let first = pace.place(80 * MS, 580 * MS);
        assert_eq!(first, 620 * MS);
        assert_eq!(pace.place(120 * MS, 620 * MS), first + 40 * MS);
    }

    #[test]
    fn a_stream_that_caught_up_is_shown_at_its_time_again() {
        let mut pace = Pace::default();
        pace.place(0, 0);
        pace.place(40 * MS, 540 * MS);
        let mut shown = 0;
        for n in 0..200 {
            let t = 540 * MS + n * 40 * MS;
            shown = pace.place(t, t) - t;
        }
        assert!((0..=Pace::ROOM).contains(&shown), "{shown}");
    }
}
