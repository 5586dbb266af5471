// SPDX-License-Identifier: GPL-3.0-or-later
//! Raw frames on standard input.
//!
//! A thread reads one frame ahead of the one that is due, so a writer that is faster than its rate is made to wait
//! by its pipe. A writer that is slower, or pauses, is waited for: its next frame is shown when it comes, and the
//! rate counts from there. When standard input ends, the last frame stays.

use std::{
    fs,
    io::{IsTerminal, Stdin},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{FileTypeExt, MetadataExt},
    },
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread::JoinHandle,
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::Errno,
};
use tokio::sync::{mpsc, watch};

use super::{Picture, Pixels, RawFormat, easel};
use crate::{error::SourceError, program::StudioClock};

/// There is one standard input.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// A frame that comes later than this after it was due begins a new count.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// What there is to tell about standard input.
#[derive(Debug, PartialEq)]
pub(crate) enum News {
    /// No more frames will come. Whether the last one was cut short.
    Ended { cut: bool },
    /// It cannot be read.
    Failed(String),
}

/// Standard input is being read until this is dropped.
pub(crate) struct Reading {
    stop: OwnedFd,
    thread: Option<JoinHandle<()>>,
    _taken: Taken,
}

struct Taken;

impl Taken {
    fn take() -> Option<Taken> {
        (!TAKEN.swap(true, Relaxed)).then_some(Taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        TAKEN.store(false, Relaxed);
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // The thread waits for this as well as for whatever else it waits for.
        let _ = rustix::io::write(&self.stop, &1u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Read frames of this kind from standard input, for a program of this rate.
pub(crate) fn read(
    format: &RawFormat,
    clock: StudioClock,
    program_fps: u32,
    tell: impl FnOnce(News) + Send + 'static,
) -> Result<(Reading, easel::Waiting), SourceError> {
    let spec = || format!("stdin:{format}");
    let input = std::io::stdin();
    if input.is_terminal() || is_null() {
        return Err(SourceError::NothingPiped);
    }
    let taken = Taken::take().ok_or(SourceError::InputTaken)?;
    let failed = |why: String| SourceError::Failed { spec: spec(), why };
    let frame = Layout::of(format).map_err(|e| failed(e.to_string()))?;
    let stop = eventfd(0, EventfdFlags::CLOEXEC).map_err(|e| failed(e.to_string()))?;
    let heard = stop.try_clone().map_err(|e| failed(e.to_string()))?;
    let (shown, waiting) = Shown::new(format.fps > program_fps);
    let pace = Pace::new(format.fps, program_fps);
    let thread = std::thread::Builder::new()
        .name("stdin".into())
        .spawn(move || {
            let mut reader = Reader {
                input,
                stop: heard,
                clock,
            };
            if let Some(news) = reader.run(&frame, pace, &shown) {
                tell(news);
            }
        })
        .map_err(|e| failed(e.to_string()))?;
    let reading = Reading {
        stop,
        thread: Some(thread),
        _taken: taken,
    };
    Ok((reading, waiting))
}

/// Whether standard input is `/dev/null`: what programs get that are not started from a shell.
fn is_null() -> bool {
    let device = |path| {
        fs::metadata(path)
            .ok()
            .filter(|m| m.file_type().is_char_device())
    };
    match (device("/dev/stdin"), device("/dev/null")) {
        (Some(input), Some(null)) => input.rdev() == null.rdev(),
        (None, _) | (_, None) => false,
    }
}

/// Where the rows of a frame stand: one after the other on the pipe, aligned in memory.
#[derive(Debug)]
struct Layout {
    caps: gst::Caps,
    /// Width and height.
    picture: (u32, u32),
    /// Bytes in memory.
    size: usize,
    /// Where in memory, and how many bytes.
    rows: Vec<(usize, usize)>,
}

impl Layout {
    fn of(format: &RawFormat) -> Result<Layout, gst::glib::BoolError> {
        let (width, height) = (format.width as usize, format.height as usize);
        // What is transparent has nothing behind it.
        let name = match format.pixels {
            Pixels::Rgba => gst_video::VideoFormat::Rgbx,
            Pixels::Bgra => gst_video::VideoFormat::Bgrx,
            Pixels::Rgb => gst_video::VideoFormat::Rgb,
            Pixels::Bgr => gst_video::VideoFormat::Bgr,
            Pixels::I420 => gst_video::VideoFormat::I420,
            Pixels::Nv12 => gst_video::VideoFormat::Nv12,
            Pixels::Yuy2 => gst_video::VideoFormat::Yuy2,
            Pixels::Gray8 => gst_video::VideoFormat::Gray8,
        };
        let info = gst_video::VideoInfo::builder(name, format.width, format.height)
            .fps(gst::Fraction::new(0, 1))
            .par(gst::Fraction::new(1, 1))
            .build()?;
        let half = (width.div_ceil(2), height.div_ceil(2));
        // Bytes of a row, and rows, of each plane on the pipe.
        let planes: &[(usize, usize)] = match format.pixels {
            Pixels::Rgba | Pixels::Bgra => &[(width * 4, height)],
            Pixels::Rgb | Pixels::Bgr => &[(width * 3, height)],
            Pixels::Gray8 => &[(width, height)],
            Pixels::Yuy2 => &[(half.0 * 4, height)],
            Pixels::I420 => &[(width, height), half, half],
            Pixels::Nv12 => &[(width, height), (half.0 * 2, half.1)],
        };
        let mut rows: Vec<(usize, usize)> = Vec::new();
        for ((bytes, count), (offset, stride)) in
            planes.iter().zip(info.offset().iter().zip(info.stride()))
        {
            for row in 0..*count {
                let at = offset + row * usize::try_from(*stride).unwrap_or_default();
                match rows.last_mut() {
                    // Without padding between them, rows are read at one go.
                    Some((begin, length)) if *begin + *length == at => *length += bytes,
                    Some(_) | None => rows.push((at, *bytes)),
                }
            }
        }
        Ok(Layout {
            caps: info.to_caps()?,
            picture: (format.width, format.height),
            size: info.size(),
            rows,
        })
    }
}

/// When frames are due.
#[derive(Debug)]
struct Pace {
    fps: u64,
    program: easel::Frames,
    /// The first frame of this count, and frames since.
    count: Option<(gst::ClockTime, u64)>,
}

impl Pace {
    fn new(fps: u32, program_fps: u32) -> Pace {
        Pace {
            fps: u64::from(fps.max(1)),
            program: easel::Frames::of(program_fps),
            count: None,
        }
    }

    /// When a frame is to be shown that is complete now.
    fn due(&mut self, now: gst::ClockTime) -> gst::ClockTime {
        if let Some((first, number)) = &mut self.count {
            let since = gst::ClockTime::SECOND.nseconds() * *number / self.fps;
            let due = *first + gst::ClockTime::from_nseconds(since);
            if now <= due + PATIENCE {
                *number += 1;
                return due;
            }
        }
        // In the middle between two frames of the program, so that at the same rate each of its frames meets one of
        // ours, even if one is a little early and the next a little late.
        let first = self.program.middle_after(now);
        self.count = Some((first, 1));
        first
    }
}

/// Where frames go when they are due.
enum Shown {
    /// One for each frame of the program at most: every one has its turn, even if the computer stumbles.
    Each(mpsc::Sender<Picture>),
    /// More than the program has frames: some cannot be seen.
    Newest(watch::Sender<Option<Picture>>),
}

impl Shown {
    fn new(more_than_can_be_seen: bool) -> (Shown, easel::Waiting) {
        if more_than_can_be_seen {
            let (sender, newest) = watch::channel(None);
            (Shown::Newest(sender), easel::Waiting::Newest(newest))
        } else {
            let (sender, waiting) = easel::queue();
            (Shown::Each(sender), waiting)
        }
    }

    /// `None`: nobody looks any more.
    fn send(&self, picture: Picture) -> Option<()> {
        match self {
            Shown::Each(queue) => queue.blocking_send(picture).ok(),
            Shown::Newest(newest) => newest.send(Some(picture)).ok(),
        }
    }
}

/// Why a wait or a frame is over.
enum Stop {
    /// The source is being closed.
    Closed,
    /// There is something to tell.
    News(News),
}

struct Reader {
    input: Stdin,
    stop: OwnedFd,
    clock: StudioClock,
}

impl Reader {
    fn run(&mut self, layout: &Layout, mut pace: Pace, shown: &Shown) -> Option<News> {
        loop {
            let picture = match self.frame(layout) {
                Ok(picture) => picture,
                Err(Stop::Closed) => return None,
                Err(Stop::News(news)) => return Some(news),
            };
            let due = pace.due(self.clock.now());
            if self.wait_until(due).is_err() {
                return None;
            }
            // Nobody looks any more: the source is being closed.
            shown.send(picture)?;
        }
    }

    fn frame(&self, layout: &Layout) -> Result<Picture, Stop> {
        let failed = |why: String| Stop::News(News::Failed(why));
        let full = || failed("there is not enough memory for a frame".into());
        let mut buffer = gst::Buffer::with_size(layout.size).map_err(|_| full())?;
        {
            let buffer = buffer.get_mut().ok_or_else(full)?;
            let mut map = buffer.map_writable().map_err(|_| full())?;
            let mut begun = false;
            for (at, bytes) in &layout.rows {
                let row = map.get_mut(*at..at + bytes).ok_or_else(full)?;
                self.fill(row, &mut begun)?;
            }
        }
        Ok(Picture {
            buffer,
            caps: layout.caps.clone(),
            sent: layout.picture,
        })
    }

    /// Fill this with what comes. `begun`: whether any of the frame has come.
    fn fill(&self, mut row: &mut [u8], begun: &mut bool) -> Result<(), Stop> {
        while !row.is_empty() {
            self.wait_for_input()?;
            match rustix::io::read(&self.input, &mut *row) {
                Ok(0) => return Err(Stop::News(News::Ended { cut: *begun })),
                Ok(bytes) => {
                    *begun = true;
                    row = row.get_mut(bytes..).unwrap_or_default();
                }
                Err(Errno::INTR | Errno::AGAIN) => (),
                Err(e) => {
                    return Err(Stop::News(News::Failed(
                        std::io::Error::from(e).to_string(),
                    )));
                }
            }
        }
        Ok(())
    }

    fn wait_for_input(&self) -> Result<(), Stop> {
        let mut both = [
            PollFd::new(&self.stop, PollFlags::IN),
            PollFd::from_borrowed_fd(self.input.as_fd(), PollFlags::IN),
        ];
        loop {
            match poll(&mut both, None) {
                Ok(_) if !both[0].revents().is_empty() => return Err(Stop::Closed),
                // The end of the pipe is told by reading.
                Ok(_) if !both[1].revents().is_empty() => return Ok(()),
                Ok(_) | Err(Errno::INTR) => (),
                Err(e) => {
                    return Err(Stop::News(News::Failed(
                        std::io::Error::from(e).to_string(),
                    )));
                }
            }
        }
    }

    fn wait_until(&self, due: gst::ClockTime) -> Result<(), Stop> {
        loop {
            let wait = due.saturating_sub(self.clock.now());
            if wait.is_zero() {
                return Ok(());
            }
            let second = gst::ClockTime::SECOND.nseconds();
            let timeout = Timespec {
                tv_sec: i64::try_from(wait.nseconds() / second).unwrap_or(i64::MAX),
                tv_nsec: (wait.nseconds() % second) as _,
            };
            let mut stop = [PollFd::new(&self.stop, PollFlags::IN)];
            if poll(&mut stop, Some(&timeout)).is_ok() && !stop[0].revents().is_empty() {
                return Err(Stop::Closed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_on_the_pipe_have_no_padding_and_rows_in_memory_may() {
        gst::init().unwrap();
        for (text, bytes, pieces) in [
            ("rgba:640x480@30", 640 * 480 * 4, 1),
            ("rgb:638x480@30", 638 * 480 * 3, 480),
            ("bgr:640x480@30", 640 * 480 * 3, 1),
            ("gray8:642x16@30", 642 * 16, 16),
            ("yuy2:642x16@30", 642 * 16 * 2, 1),
            ("i420:640x480@30", 640 * 480 * 3 / 2, 1),
            // 18 pixels and their 9 colours both need padding.
            ("i420:18x16@30", 18 * 16 * 3 / 2, 16 + 8 + 8),
            ("nv12:18x16@30", 18 * 16 * 3 / 2, 16 + 8),
        ] {
            let layout = Layout::of(&text.parse().unwrap()).unwrap();
            let read: usize = layout.rows.iter().map(|(_, bytes)| bytes).sum();
            assert_eq!((read, layout.rows.len()), (bytes, pieces), "{text}");
            let (at, length) = layout.rows.last().unwrap();
            assert!(at + length <= layout.size, "{text}");
        }
    }

    #[test]
    fn there_is_one_standard_input() {
        let first = Taken::take();
        assert!(first.is_some() && Taken::take().is_none());
        drop(first);
        assert!(Taken::take().is_some());
    }

    #[test]
    fn frames_keep_their_rate_and_a_pause_begins_a_new_count() {
        let ms = gst::ClockTime::from_mseconds;
        let mut pace = Pace::new(50, 25);
        let first = pace.due(ms(1000));
        assert_eq!(
            first,
            ms(1020),
            "between the frames of the program at 1000 and 1040"
        );
        // A writer that is ahead: as many a second as it said, however long.
        for number in 1..100_000 {
            assert_eq!(pace.due(first), first + ms(20) * number);
        }
        let last = first + ms(20) * 99_999;
        // A little late is shown late, and what follows is on time.
        assert_eq!(pace.due(last + ms(60)), last + ms(20));
        assert_eq!(pace.due(last + ms(60)), last + ms(40));
        // After a pause nothing is hurried.
        let later = last + ms(5000);
        let again = pace.due(later);
        assert!(again >= later && again < later + ms(40));
        assert_eq!(pace.due(later), again + ms(20));
    }
}
