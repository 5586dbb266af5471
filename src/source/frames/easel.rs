// SPDX-License-Identifier: GPL-3.0-or-later
//! Holds the picture that is shown.
//!
//! The program takes a frame from every source for each of its own, and pictures come when they like: once a minute,
//! or in bursts. So the last one is handed over again for every frame of the program, by reference, each time with
//! that frame's own time: nothing drifts, whatever the rate, and a new picture is seen in the next frame.

use std::time::Duration;

use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
};
use tokio_util::task::AbortOnDropHandle;

use super::Picture;
use crate::program::StudioClock;

/// Half of the time that the program waits for a source.
const LATE: gst::ClockTime = gst::ClockTime::from_mseconds(10);

/// Where the next picture comes from.
pub(crate) enum Waiting {
    /// A queue in which each picture has its turn: at least one frame of the program.
    Each(mpsc::Receiver<Picture>),
    /// Only the newest one counts.
    Newest(watch::Receiver<Option<Picture>>),
}

impl Waiting {
    /// The picture that is to be shown from now on, if it is another one.
    fn next(&mut self) -> Option<Picture> {
        match self {
            Waiting::Each(queue) => queue.try_recv().ok(),
            Waiting::Newest(newest) => match newest.has_changed() {
                Ok(true) => newest.borrow_and_update().clone(),
                // Its sender is gone, and may have left a last one.
                Err(_) => newest.borrow().clone(),
                Ok(false) => None,
            },
        }
    }
}

/// A queue for one picture, besides the one that is shown: whoever has more waits.
pub(crate) fn queue() -> (mpsc::Sender<Picture>, Waiting) {
    let (sender, receiver) = mpsc::channel(1);
    (sender, Waiting::Each(receiver))
}

/// Show what comes, until dropped. `push` gets the picture and the time in the program at which it is to be seen; it
/// must not wait.
pub(crate) fn show(
    runtime: &Handle,
    clock: StudioClock,
    fps: u32,
    mut waiting: Waiting,
    mut push: impl FnMut(&Picture, gst::ClockTime) + Send + 'static,
) -> AbortOnDropHandle<()> {
    let task = async move {
        let mut frames = Frames::of(fps);
        let mut shown: Option<Picture> = None;
        let mut was_late = false;
        loop {
            let (wait, time) = frames.next(clock.now());
            tokio::time::sleep(wait).await;
            // The program may have gone on without this frame, and a picture that is in it alone would never be
            // seen. One that is always late is late all the same.
            let late = clock.now() > time + LATE;
            let unseen = late && !was_late;
            was_late = unseen;
            if !unseen && let Some(new) = waiting.next() {
                shown = Some(new);
            }
            if let Some(picture) = &shown {
                push(picture, time);
            }
        }
    };
    AbortOnDropHandle::new(runtime.spawn(task))
}

/// The times of the program's frames.
#[derive(Debug)]
pub(super) struct Frames {
    fps: u64,
    /// Number of the last one that was given out.
    last: Option<u64>,
}

impl Frames {
    pub(super) fn of(fps: u32) -> Frames {
        Frames {
            fps: u64::from(fps.max(1)),
            last: None,
        }
    }

    /// When the frame of this number begins. Not a multiple of a rounded length, or it would drift.
    pub(super) fn time(&self, number: u64) -> gst::ClockTime {
        let second = gst::ClockTime::SECOND.nseconds();
        let nseconds = u128::from(number) * u128::from(second) / u128::from(self.fps);
        gst::ClockTime::from_nseconds(u64::try_from(nseconds).unwrap_or(u64::MAX - 1))
    }

    /// The first middle of a frame from now on.
    pub(super) fn middle_after(&self, now: gst::ClockTime) -> gst::ClockTime {
        let half = self.time(1) / 2;
        let running = self.running(now.saturating_sub(half));
        let middle = self.time(running) + half;
        if middle >= now {
            middle
        } else {
            self.time(running + 1) + half
        }
    }

    /// The number of the frame that runs now.
    fn running(&self, now: gst::ClockTime) -> u64 {
        let second = u128::from(gst::ClockTime::SECOND.nseconds());
        let running = u128::from(now.nseconds()) * u128::from(self.fps) / second;
        u64::try_from(running).unwrap_or(u64::MAX)
    }

    /// How long to wait for the next frame, and its time. Frames that were missed are left out.
    fn next(&mut self, now: gst::ClockTime) -> (Duration, gst::ClockTime) {
        let running = self.running(now);
        let number = match self.last {
            Some(last) if last > running => last + 1,
            Some(_) | None => running + 1,
        };
        self.last = Some(number);
        let time = self.time(number);
        (time.saturating_sub(now).into(), time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_of_the_program_is_met_once_and_nothing_drifts() {
        let ms = gst::ClockTime::from_mseconds;
        let mut frames = Frames::of(30);
        let mut now = ms(1001);
        let mut last = gst::ClockTime::ZERO;
        for step in 0..30_000u64 {
            let (wait, time) = frames.next(now);
            assert!(time > last, "times go up");
            last = time;
            // Timers wake a little early or late.
            now = (now + gst::ClockTime::try_from(wait).unwrap() + ms(step % 9))
                .saturating_sub(ms(2));
        }
        // 30,000 frames of a thirtieth of a second after the first one.
        let lasted = last.nseconds() - frames.time(31).nseconds();
        assert_eq!(lasted.div_ceil(1_000_000), 999_967);
    }

    #[test]
    fn missed_frames_are_left_out() {
        let mut frames = Frames::of(25);
        let (_, first) = frames.next(gst::ClockTime::ZERO);
        assert_eq!(first.mseconds(), 40);
        let (wait, later) = frames.next(gst::ClockTime::from_mseconds(1010));
        assert_eq!((wait.as_millis(), later.mseconds()), (30, 1040));
    }
}
