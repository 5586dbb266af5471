// SPDX-License-Identifier: GPL-3.0-or-later
//! The stage: which pictures are seen, where, and how one arrangement becomes the next.
//!
//! A picture that is not on screen keeps its pad in the compositor, unseen (alpha 0, which costs next to nothing),
//! so a switch is a change of numbers: no pipeline is touched, no caps change, and encoders notice nothing.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use gst::prelude::*;
use parking_lot::Mutex;

use super::{
    layout::{Tile, cut, places, under},
    scene::{Framing, LayoutKind, Sizing, Transition},
};
use crate::message::SourceId;

/// Pictures that come in lie over those that stay.
const ABOVE: u32 = 1000;

/// All pictures of the program.
#[derive(Debug)]
pub(super) struct Stage {
    size: (u32, u32),
    inner: Mutex<Inner>,
    /// Whether a fade is under way, so that asking costs one load per frame.
    fading: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    pictures: Vec<Picture>,
    kind: LayoutKind,
    /// Those on screen, in order.
    shown: Vec<SourceId>,
    fade: Option<Fade>,
}

#[derive(Debug)]
struct Fade {
    /// Time in the program of its first frame.
    since: Option<gst::ClockTime>,
    length: gst::ClockTime,
}

#[derive(Debug)]
struct Picture {
    id: SourceId,
    pad: gst::Pad,
    crop: gst::Element,
    framing: Framing,
    /// Pixels, and the shape of one.
    size: Option<(u32, u32, f64)>,
    now: Look,
    from: Look,
    to: Look,
    z: u32,
}

/// A point in a source's picture, as shares of its width and height: (0, 0) is its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// The source.
    pub id: SourceId,
    /// From the left.
    pub x: f64,
    /// From above.
    pub y: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Look {
    place: Tile,
    alpha: f64,
}

impl Picture {
    fn look(&mut self, look: Look) {
        if self.now.place != look.place {
            self.pad.set_property("xpos", look.place.x);
            self.pad.set_property("ypos", look.place.y);
            self.pad.set_property("width", look.place.width);
            self.pad.set_property("height", look.place.height);
        }
        if self.now.alpha != look.alpha {
            self.pad.set_property("alpha", look.alpha);
        }
        self.now = look;
    }

    /// What of it is at this point of the program, and whether it is seen there. One that leaves is not there any more.
    fn under(&self, point: (f64, f64)) -> Option<(Spot, bool)> {
        let size = self.size.filter(|_| self.to.alpha > 0.0)?;
        let ((x, y), inside) = under(&self.framing, size, &self.to.place, &self.now.place, point)?;
        Some((Spot { id: self.id, x, y }, inside))
    }

    fn rise(&mut self, z: u32) {
        if self.z != z {
            self.pad.set_property("zorder", z);
            self.z = z;
        }
    }

    /// Cut off what is not to be seen, for the place where it will stand.
    fn reframe(&self) {
        let policy = match self.framing.sizing {
            Sizing::Fit => "keep-aspect-ratio",
            // What fills its place has its shape already, but for a pixel.
            Sizing::Fill | Sizing::Stretch => "none",
        };
        self.pad.set_property_from_str("sizing-policy", policy);
        let Some((width, height, aspect)) = self.size else {
            return;
        };
        let edges = cut(&self.framing, (width, height), aspect, &self.to.place);
        for (edge, pixels) in ["left", "top", "right", "bottom"].into_iter().zip(edges) {
            if self.crop.property::<i32>(edge) != pixels {
                self.crop.set_property(edge, pixels);
            }
        }
    }
}

impl Stage {
    pub(super) fn new(size: (u32, u32)) -> Self {
        Stage {
            size,
            inner: Mutex::default(),
            fading: AtomicBool::new(false),
        }
    }

    /// Width and height of the program.
    pub(super) fn size(&self) -> (u32, u32) {
        self.size
    }

    /// A new picture, not on screen yet.
    pub(super) fn add(&self, id: SourceId, pad: gst::Pad, crop: gst::Element) {
        pad.set_property("alpha", 0.0f64);
        pad.set_property("zorder", 1u32);
        let picture = Picture {
            id,
            pad,
            crop,
            framing: Framing::default(),
            size: None,
            now: Look::default(),
            from: Look::default(),
            to: Look::default(),
            z: 1,
        };
        picture.reframe();
        let mut inner = self.inner.lock();
        inner.pictures.push(picture);
    }

    /// A picture that is gone.
    pub(super) fn remove(&self, id: SourceId) {
        let mut inner = self.inner.lock();
        inner.pictures.retain(|p| p.id != id);
        if inner.shown.contains(&id) {
            inner.shown.retain(|shown| *shown != id);
            let (kind, shown) = (inner.kind, inner.shown.clone());
            self.put(&mut inner, kind, shown, Transition::Cut);
        }
    }

    /// Show these pictures, in this way.
    pub(super) fn arrange(&self, kind: LayoutKind, shown: Vec<SourceId>, how: Transition) {
        self.put(&mut self.inner.lock(), kind, shown, how);
    }

    fn put(&self, inner: &mut Inner, kind: LayoutKind, shown: Vec<SourceId>, how: Transition) {
        let (width, height) = self.size;
        let there: Vec<SourceId> = shown
            .iter()
            .copied()
            .filter(|id| inner.pictures.iter().any(|p| p.id == *id))
            .collect();
        let tiles = places(kind, there.len(), width, height);
        let wanted: Vec<_> = there.iter().copied().zip(tiles).collect();
        inner.kind = kind;
        inner.shown = shown;
        let fade = match how {
            Transition::Cut => None,
            Transition::Fade(length) => Some(length.min(Transition::LONGEST)),
        };
        let mut coming = Vec::new();
        for picture in &mut inner.pictures {
            picture.from = picture.now;
            let at = wanted.iter().position(|(id, _)| *id == picture.id);
            match at {
                Some(n) => {
                    let place = wanted[n].1;
                    picture.to = Look { place, alpha: 1.0 };
                    let z = n as u32 + 1;
                    if picture.now.alpha == 0.0 {
                        // It appears where it will stand.
                        picture.from.place = place;
                        coming.push(place);
                        picture.rise(ABOVE + z);
                    } else {
                        picture.rise(z);
                    }
                }
                None => picture.to.alpha = 0.0,
            }
            picture.reframe();
        }
        for picture in &mut inner.pictures {
            let leaves = picture.to.alpha == 0.0 && picture.from.alpha > 0.0;
            if leaves {
                picture.to.place = picture.now.place;
                // Below a picture that comes in over it, it stays whole until it is covered: two half-seen pictures
                // would let the slate shine through.
                let covered = coming.iter().any(|tile| tile.covers(&picture.now.place));
                if covered && picture.now.alpha >= 1.0 {
                    picture.from.alpha = f64::INFINITY;
                } else {
                    picture.rise(ABOVE / 2);
                }
            }
        }
        inner.fade = fade.filter(|length| !length.is_zero()).map(|length| Fade {
            since: None,
            length: gst::ClockTime::try_from(length).unwrap_or(gst::ClockTime::SECOND),
        });
        if inner.fade.is_none() {
            inner.settle();
        } else {
            inner.step(0.0);
        }
        self.fading.store(inner.fade.is_some(), Relaxed);
    }

    /// A frame of the program is out: one step further, if a fade is under way. Called on its streaming thread.
    pub(super) fn frame(&self, time: Option<gst::ClockTime>) {
        if !self.fading.load(Relaxed) {
            return;
        }
        let Some(time) = time else { return };
        let mut inner = self.inner.lock();
        let Some(fade) = &mut inner.fade else { return };
        let since = *fade.since.get_or_insert(time);
        let gone = time.saturating_sub(since).nseconds() as f64;
        let way = gone / fade.length.nseconds().max(1) as f64;
        if way < 1.0 {
            inner.step(way);
        } else {
            inner.fade = None;
            inner.settle();
            self.fading.store(false, Relaxed);
        }
    }

    pub(super) fn frame_as(&self, id: SourceId, framing: Framing) {
        let mut inner = self.inner.lock();
        if let Some(picture) = inner.pictures.iter_mut().find(|p| p.id == id) {
            picture.framing = framing;
            picture.reframe();
        }
    }

    /// The topmost picture at this point (shares of the program's width and height), and the point in it.
    pub(super) fn at(&self, point: (f64, f64)) -> Option<Spot> {
        let point = self.pixels(point);
        let inner = self.inner.lock();
        let pictures = inner.pictures.iter();
        let hit =
            pictures.filter_map(|p| Some((p.z, p.under(point).filter(|(_, inside)| *inside)?)));
        hit.max_by_key(|(z, _)| *z).map(|(_, (spot, _))| spot)
    }

    /// The same for one picture, whatever lies over it and even if the point lies outside of it. `None` if it is not
    /// on screen.
    pub(super) fn within(&self, id: SourceId, point: (f64, f64)) -> Option<Spot> {
        let inner = self.inner.lock();
        let picture = inner.pictures.iter().find(|p| p.id == id)?;
        picture.under(self.pixels(point)).map(|(spot, _)| spot)
    }

    fn pixels(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let (width, height) = self.size;
        (x * f64::from(width), y * f64::from(height))
    }

    /// The picture of this source has this size from now on.
    pub(super) fn resized(&self, id: SourceId, width: u32, height: u32, aspect: f64) {
        let mut inner = self.inner.lock();
        if let Some(picture) = inner.pictures.iter_mut().find(|p| p.id == id) {
            picture.size = Some((width, height, aspect));
            picture.reframe();
        }
    }
}

impl Inner {
    fn step(&mut self, way: f64) {
        for picture in &mut self.pictures {
            let (from, to) = (picture.from, picture.to);
            // An infinite start means: whole until the end.
            let alpha = if from.alpha.is_finite() {
                from.alpha + (to.alpha - from.alpha) * way
            } else {
                1.0
            };
            picture.look(Look {
                place: from.place.towards(&to.place, way),
                alpha,
            });
        }
    }

    fn settle(&mut self) {
        let shown = self.shown.clone();
        for picture in &mut self.pictures {
            picture.look(picture.to);
            if let Some(n) = shown.iter().position(|id| *id == picture.id) {
                picture.rise(n as u32 + 1);
            }
        }
    }
}
