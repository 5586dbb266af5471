// SPDX-License-Identifier: GPL-3.0-or-later
//! Somebody who looks at the broadcast: ffmpeg decodes it, and stories wait for what is to be seen.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Instant,
};

use crate::rig::LONG;

/// Size of the pictures that are looked at: the broadcast, made small.
const WIDTH: usize = 64;
const HEIGHT: usize = 36;

/// One picture of the broadcast.
#[derive(Clone)]
pub struct Picture(Vec<u8>);

impl Picture {
    /// Red, green and blue at this place, given in parts of the width and height.
    pub fn at(&self, x: f64, y: f64) -> [u8; 3] {
        let column = ((x * WIDTH as f64) as usize).min(WIDTH - 1);
        let row = ((y * HEIGHT as f64) as usize).min(HEIGHT - 1);
        let at = (row * WIDTH + column) * 3;
        self.0[at..at + 3].try_into().unwrap()
    }

    /// Whether it is about this colour there. Video codecs change colours a little.
    pub fn is(&self, place: (f64, f64), colour: [u8; 3]) -> bool {
        let seen = self.at(place.0, place.1);
        seen.iter().zip(colour).all(|(a, b)| a.abs_diff(b) < 40)
    }
}

#[derive(Default)]
struct Seen {
    last: Option<Picture>,
    count: u64,
    ended: bool,
}

/// Looks at a stream until dropped.
pub struct Eye {
    child: Child,
    seen: Arc<(Mutex<Seen>, Condvar)>,
}

impl Eye {
    /// Begins to look.
    pub fn open(url: &str) -> Eye {
        let mut child = Command::new("ffmpeg")
            .args(["-v", "fatal", "-nostdin", "-fflags", "nobuffer", "-i", url])
            .args(["-an", "-vf", &format!("scale={WIDTH}:{HEIGHT}:flags=area")])
            .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut pictures = child.stdout.take().unwrap();
        let seen = Arc::new((Mutex::new(Seen::default()), Condvar::new()));
        let tell = seen.clone();
        thread::spawn(move || {
            let mut bytes = vec![0; WIDTH * HEIGHT * 3];
            while pictures.read_exact(&mut bytes).is_ok() {
                let mut seen = tell.0.lock().unwrap();
                seen.last = Some(Picture(bytes.clone()));
                seen.count += 1;
                tell.1.notify_all();
            }
            tell.0.lock().unwrap().ended = true;
            tell.1.notify_all();
        });
        Eye { child, seen }
    }

    /// Waits for a picture, later than those so far, of which this is true.
    pub fn wait(&self, what: &str, test: impl Fn(&Picture) -> bool) -> Picture {
        let end = Instant::now() + LONG;
        let mut seen = self.seen.0.lock().unwrap();
        let mut looked = seen.count;
        loop {
            if let Some(last) = seen.last.clone()
                && seen.count > looked
            {
                if test(&last) {
                    return last;
                }
                looked = seen.count;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && !seen.ended,
                "looked in vain for {what}; {} pictures, the middle of the last is {:?}",
                seen.count,
                seen.last.as_ref().map(|p| p.at(0.5, 0.5))
            );
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
    }
}

impl Drop for Eye {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
