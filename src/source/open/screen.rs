// SPDX-License-Identifier: GPL-3.0-or-later
//! The screen: through the desktop's portal where there is one, from the X server otherwise.

use std::{
    os::fd::AsRawFd,
    sync::mpsc as std_mpsc,
    thread,
    time::{Duration, Instant},
};

use gst::prelude::*;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use super::{Open, Opening, Said, Tell, VIDEO_CAPS, connect, failed, said_by, start};
use crate::{
    error::{PortalError, ScreenError, SourceError},
    portal::{self, Kinds, tokens},
    program::Notice,
    source::x11::{Aim, Display, Frame, Grabber, Region},
};

/// A still picture is shown again this often, so that nobody takes it for a dead source.
const STILL: Duration = Duration::from_millis(100);
/// The desktop ends the stream before it says that it has ended the sharing.
const WORD_FOLLOWS: Duration = Duration::from_secs(1);
/// Larger screens are made smaller before they are mixed; enough for a closer look at a part.
const LARGEST: (u32, u32) = (1920, 1080);

/// The words after `screen:`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    /// What the person chooses from these; without a portal, this.
    Chosen(Kinds, Aim),
    /// A certain thing, as only X11 knows it.
    Certain(Aim),
}

impl Wanted {
    fn of(name: Option<&str>) -> Wanted {
        let number = |text: &str| {
            let digits = text.strip_prefix("0x")?;
            u32::from_str_radix(digits, 16).ok()
        };
        match name {
            None => Wanted::Chosen(Kinds::Any, Aim::Screen),
            Some("monitor") => Wanted::Chosen(Kinds::Monitor, Aim::Screen),
            Some("window") => Wanted::Chosen(Kinds::Window, Aim::ActiveWindow),
            Some(text) => Wanted::Certain(match (number(text), Region::parse(text)) {
                (Some(window), _) => Aim::Number(window),
                (None, Some(region)) => Aim::Region(region),
                (None, None) => Aim::Name(text.to_string()),
            }),
        }
    }
}

/// Open the screen. Waits for the person's choice where the desktop asks.
pub(super) fn open(name: Option<&str>, spec: &str, opening: &Opening) -> Result<Open, SourceError> {
    let wayland = std::env::var_os("WAYLAND_DISPLAY").is_some_and(|d| !d.is_empty());
    match Wanted::of(name) {
        Wanted::Chosen(kinds, aim) => {
            if opening.around.runtime.block_on(portal::offers_screens()) {
                by_portal(kinds, spec, opening)
            } else if wayland {
                Err(PortalError::Absent("screen").into())
            } else {
                by_x11(&aim, spec, opening)
            }
        }
        Wanted::Certain(_) if wayland => {
            Err(ScreenError::ByName(name.unwrap_or_default().to_string()).into())
        }
        Wanted::Certain(aim) => by_x11(&aim, spec, opening),
    }
}

/// Each picture of the screen until it reaches the program.
fn chain(opening: &Opening) -> String {
    let settings = &opening.around.settings;
    let (width, height) = (
        settings.width.max(LARGEST.0),
        settings.height.max(LARGEST.1),
    );
    format!(
        "videoconvertscale name=smaller ! {VIDEO_CAPS},width=[1,{width}],height=[1,{height}] \
         ! appsink name=video sync=false"
    )
}

/// ```text
/// pipewiresrc ─▶ capsfilter ─▶ (what comes too often is dropped) ─▶ videoconvertscale ─▶ appsink "video"
/// ```
fn by_portal(kinds: Kinds, spec: &str, opening: &Opening) -> Result<Open, SourceError> {
    let share = opening.around.runtime.block_on(async {
        tokio::select! {
            share = portal::share(kinds, tokens::kept(spec)) => share,
            // Removed while the person was being asked.
            () = opening.tell.closed() => Err(PortalError::Ended),
        }
    })?;
    tokens::keep(spec, share.token.as_deref());
    let (broke, broken) = mpsc::unbounded_channel();
    opening
        .around
        .runtime
        .spawn(tell_end(share.ended.clone(), broken, opening.tell.clone()));
    let pipeline = opening.around.clock.watched("source", {
        let spec = spec.to_string();
        move |notice| {
            let why = match notice {
                Notice::Error(e) => failed(&spec, &e),
                Notice::Eos => failed(&spec, &"it ended"),
                Notice::Element(..) | Notice::SegmentDone => return,
            };
            let _ = broke.send(why);
        }
    });
    let launch = format!(
        "pipewiresrc name=screen do-timestamp=true keepalive-time={} ! video/x-raw ! {}",
        STILL.as_millis(),
        chain(opening)
    );
    let bin = gst::parse::bin_from_description(&launch, false).map_err(|e| failed(spec, &e))?;
    let source = bin
        .by_name("screen")
        .expect("the launch line has a part called screen");
    source.set_property("fd", share.fd.as_raw_fd());
    source.set_property("path", share.node.to_string());
    if let Some(pad) = bin.by_name("smaller").and_then(|e| e.static_pad("sink")) {
        keep_pace(&pad, opening.around.settings.fps);
    }
    pipeline.add(&bin).map_err(|e| failed(spec, &e))?;
    let samples = connect(&bin, opening);
    let mut open = start(pipeline, samples, spec)?;
    open.held.push(Box::new(share));
    open.quiet = Some(
        PortalError::Failed {
            what: "screen",
            why: "no more pictures come".into(),
        }
        .into(),
    );
    // Some desktops give a picture only when something changes on the screen, the first one, too.
    open.still = Some(PortalError::Still.into());
    Ok(open)
}

/// Let no more pictures through than the program shows: desktops give up to one for each refresh of the screen.
/// (`videorate` ends the process when pictures have no duration, as these.)
fn keep_pace(pad: &gst::Pad, fps: u32) {
    // Three quarters, so that a picture that is a little early is not lost.
    let least = gst::ClockTime::SECOND * 3 / 4 / u64::from(fps.max(1));
    let last = Mutex::new(None::<gst::ClockTime>);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(now) = info.buffer().and_then(|b| b.pts()) else {
            return gst::PadProbeReturn::Ok;
        };
        let mut last = last.lock();
        if last.is_some_and(|last| last <= now && now - last < least) {
            return gst::PadProbeReturn::Handled;
        }
        *last = Some(now);
        gst::PadProbeReturn::Ok
    });
}

/// Tell why the stream broke: because somebody pressed "stop sharing", or for another reason.
async fn tell_end(
    mut ended: watch::Receiver<bool>,
    mut broken: mpsc::UnboundedReceiver<SourceError>,
    tell: Tell,
) {
    let why = tokio::select! {
        word = ended.wait_for(|ended| *ended) => match word {
            Ok(_) => None,
            // The source was closed.
            Err(_) => return,
        },
        why = broken.recv() => match why {
            Some(why) => Some(why),
            None => return,
        },
    };
    let error = match why {
        Some(why) => {
            let word = tokio::time::timeout(WORD_FOLLOWS, ended.wait_for(|ended| *ended)).await;
            (!matches!(word, Ok(Ok(_)))).then_some(why)
        }
        None => None,
    };
    let error = error.unwrap_or(PortalError::Ended.into());
    let _ = tell.send(Said::Failed(error));
}

/// ```text
/// thread that takes pictures ─▶ appsrc ─▶ videoconvertscale ─▶ appsink "video"
/// ```
fn by_x11(aim: &Aim, spec: &str, opening: &Opening) -> Result<Open, SourceError> {
    let display = Display::connect()?;
    let target = display.find(aim)?;
    let grabber = Grabber::new(display, target)?;
    let pipeline = opening
        .around
        .clock
        .watched("source", said_by(spec.to_string(), opening.tell.clone()));
    let appsrc = gst_app::AppSrc::builder()
        .name("screen")
        .is_live(true)
        .do_timestamp(true)
        .format(gst::Format::Time)
        .max_buffers(2)
        .max_bytes(0)
        .leaky_type(gst_app::AppLeakyType::Downstream)
        .build();
    let rest =
        gst::parse::bin_from_description(&chain(opening), true).map_err(|e| failed(spec, &e))?;
    pipeline
        .add_many([appsrc.upcast_ref::<gst::Element>(), rest.upcast_ref()])
        .and_then(|()| appsrc.link(&rest))
        .map_err(|e| failed(spec, &e))?;
    let samples = connect(&rest, opening);
    let mut open = start(pipeline, samples, spec)?;
    let camera = Camera::start(
        grabber,
        appsrc,
        opening.around.settings.fps,
        opening.tell.clone(),
    );
    open.held
        .push(Box::new(camera.map_err(|e| failed(spec, &e))?));
    Ok(open)
}

/// The thread that takes pictures of the screen; ends when dropped.
struct Camera {
    stop: Option<std_mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Camera {
    fn start(
        grabber: Grabber,
        into: gst_app::AppSrc,
        fps: u32,
        tell: Tell,
    ) -> std::io::Result<Camera> {
        let (stop, stopped) = std_mpsc::channel();
        let thread = thread::Builder::new()
            .name("screen".into())
            .spawn(move || {
                if let Err(error) = film(grabber, &into, fps, &stopped) {
                    let _ = tell.send(Said::Failed(error.into()));
                }
            })?;
        Ok(Camera {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Take pictures until told to stop. What has not changed is not taken again.
fn film(
    mut grabber: Grabber,
    into: &gst_app::AppSrc,
    fps: u32,
    stopped: &std_mpsc::Receiver<()>,
) -> Result<(), ScreenError> {
    let tick = Duration::from_secs(1) / fps.max(1);
    let mut next = Instant::now();
    let mut last: Option<(gst::Sample, Instant)> = None;
    loop {
        let fresh = grabber.grab()?.map(|frame| sample(&frame));
        let still = || {
            let (sample, when) = last.as_ref()?;
            (when.elapsed() >= STILL).then(|| again(sample)).flatten()
        };
        if let Some(sample) = fresh.or_else(still) {
            // A source that is being closed takes nothing.
            let _ = into.push_sample(&sample);
            last = Some((sample, Instant::now()));
        }
        next = (next + tick).max(Instant::now());
        let wait = next.saturating_duration_since(Instant::now());
        if stopped.recv_timeout(wait) != Err(std_mpsc::RecvTimeoutError::Timeout) {
            return Ok(());
        }
    }
}

fn sample(frame: &Frame) -> gst::Sample {
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "BGRx")
        .field("width", i32::from(frame.width))
        .field("height", i32::from(frame.height))
        .field("framerate", gst::Fraction::new(0, 1))
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .build();
    gst::Sample::builder()
        .buffer(&frame.buffer)
        .caps(&caps)
        .build()
}

/// The same picture with a time of its own.
fn again(sample: &gst::Sample) -> Option<gst::Sample> {
    let mut buffer = sample.buffer()?.copy();
    {
        let buffer = buffer.make_mut();
        buffer.set_pts(gst::ClockTime::NONE);
        buffer.set_dts(gst::ClockTime::NONE);
    }
    let caps = sample.caps()?;
    let caps = caps.copy();
    Some(gst::Sample::builder().buffer(&buffer).caps(&caps).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_show_in_words() {
        let certain = |text: &str| match Wanted::of(Some(text)) {
            Wanted::Certain(aim) => aim,
            Wanted::Chosen(..) => panic!("{text} is certain"),
        };
        assert_eq!(Wanted::of(None), Wanted::Chosen(Kinds::Any, Aim::Screen));
        assert_eq!(
            Wanted::of(Some("window")),
            Wanted::Chosen(Kinds::Window, Aim::ActiveWindow)
        );
        assert_eq!(certain("0x40000c"), Aim::Number(0x40_000c));
        assert!(matches!(certain("0,0,320x180"), Aim::Region(_)));
        assert_eq!(certain("0xcafe bar"), Aim::Name("0xcafe bar".into()));
        assert_eq!(
            certain("My talk, part 2"),
            Aim::Name("My talk, part 2".into())
        );
    }
}
