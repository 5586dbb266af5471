// SPDX-License-Identifier: GPL-3.0-or-later
//! Small pictures of sources, for lists of them.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use gst_video::VideoFrameExt;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// A small picture: red, green and blue, a byte each.
#[derive(Debug, Clone)]
pub struct Thumbnail {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Bytes from one row to the next.
    pub stride: usize,
    /// The rows, from above.
    pub pixels: Vec<u8>,
}

/// Hands over one frame to whoever asked last. Frames pass by at the cost of looking at a flag.
#[derive(Debug, Default)]
pub(super) struct Tray {
    asked: AtomicBool,
    asker: Mutex<Option<oneshot::Sender<gst::Sample>>>,
}

impl Tray {
    pub(super) fn ask(&self) -> oneshot::Receiver<gst::Sample> {
        let (give, given) = oneshot::channel();
        *self.asker.lock() = Some(give);
        self.asked.store(true, Relaxed);
        given
    }

    /// Called on a streaming thread with each frame.
    pub(super) fn offer(&self, sample: &gst::Sample) {
        if self.asked.load(Relaxed)
            && self.asked.swap(false, Relaxed)
            && let Some(asker) = self.asker.lock().take()
        {
            // Whoever asked may be gone.
            let _ = asker.send(sample.clone());
        }
    }
}

impl Thumbnail {
    /// A frame made so small that it fits in this box, in its own shape. `None` if it is no picture that can be read.
    /// Takes a moment: not for streaming threads.
    pub fn of(frame: &gst::Sample, (width, height): (u32, u32)) -> Option<Thumbnail> {
        let from = gst_video::VideoInfo::from_caps(frame.caps()?).ok()?;
        let wide = u64::from(from.width()) * u64::try_from(from.par().numer()).ok()?;
        let high = u64::from(from.height()) * u64::try_from(from.par().denom()).ok()?;
        let (width, height) = fit((wide, high), (width, height))?;
        let into = gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgb, width, height)
            .fps(from.fps())
            .interlace_mode(from.interlace_mode())
            .build()
            .ok()?;
        let source =
            gst_video::VideoFrameRef::from_buffer_ref_readable(frame.buffer()?, &from).ok()?;
        let converter = gst_video::VideoConverter::new(&from, &into, None).ok()?;
        let mut small = gst_video::VideoFrame::from_buffer_writable(
            gst::Buffer::with_size(into.size()).ok()?,
            &into,
        )
        .ok()?;
        converter.frame_ref(&source, &mut small.as_mut_video_frame_ref());
        Some(Thumbnail {
            width,
            height,
            stride: usize::try_from(small.plane_stride()[0]).ok()?,
            pixels: small.plane_data(0).ok()?.to_vec(),
        })
    }
}

/// The largest even size of this shape within the box.
fn fit((wide, high): (u64, u64), (width, height): (u32, u32)) -> Option<(u32, u32)> {
    if wide == 0 || high == 0 {
        return None;
    }
    let (width, height) = (u64::from(width), u64::from(height));
    let (width, height) = match wide * height > high * width {
        true => (width, high * width / wide),
        false => (wide * height / high, height),
    };
    let even = |side: u64| u32::try_from(side & !1).unwrap_or(u32::MAX).max(2);
    Some((even(width), even(height)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame whose left half is red and whose right half is blue.
    fn halves(width: u32, height: u32) -> gst::Sample {
        let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Bgra, width, height)
            .build()
            .unwrap();
        let pixels = (0..width * height).flat_map(|n| match n % width < width / 2 {
            true => [0, 0, 255, 255],
            false => [255, 0, 0, 255],
        });
        let buffer = gst::Buffer::from_slice(pixels.collect::<Vec<u8>>());
        let caps = info.to_caps().unwrap();
        gst::Sample::builder().buffer(&buffer).caps(&caps).build()
    }

    #[test]
    fn a_thumbnail_is_the_frame_but_small_and_in_its_own_shape() {
        gst::init().unwrap();
        let small = Thumbnail::of(&halves(640, 360), (64, 64)).unwrap();
        assert_eq!((small.width, small.height), (64, 36));
        let at = |x: usize, y: usize| &small.pixels[y * small.stride + x * 3..][..3];
        assert_eq!(at(3, 18), [255, 0, 0]);
        assert_eq!(at(60, 18), [0, 0, 255]);
        let upright = Thumbnail::of(&halves(360, 640), (64, 36)).unwrap();
        assert_eq!((upright.width, upright.height), (20, 36));
    }

    #[test]
    fn only_the_last_one_who_asks_gets_a_frame_and_only_one() {
        gst::init().unwrap();
        let tray = Tray::default();
        let frame = halves(4, 4);
        tray.offer(&frame);
        let (mut before, mut asker) = (tray.ask(), tray.ask());
        tray.offer(&frame);
        tray.offer(&frame);
        assert!(asker.try_recv().is_ok());
        assert!(before.try_recv().is_err());
        assert!(!tray.asked.load(Relaxed));
    }

    #[test]
    fn what_has_no_size_gives_none() {
        assert_eq!(fit((0, 9), (64, 36)), None);
        assert_eq!(fit((16_000, 1), (64, 36)), Some((64, 2)));
    }
}
