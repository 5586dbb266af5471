// SPDX-License-Identifier: GPL-3.0-or-later
//! The level meter: left and right from −60 to 0 dBFS, with peak hold.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use gettextrs::gettext;
use gtk::{accessible::Property, gdk, glib, graphene, pango, prelude::*, subclass::prelude::*};
use studio::program::Levels;

use super::words::{fill, signed};

/// Twenty times a second: the engine measures in steps of 50 ms.
const STEP: Duration = Duration::from_millis(50);
const FLOOR_DB: f32 = -60.0;
/// From here on it gets loud, and from there on too loud.
const AMBER_DB: f32 = -18.0;
const RED_DB: f32 = -6.0;
/// At full scale samples are cut off.
const CLIP_DB: f32 = -0.1;
const HOLD: Duration = Duration::from_millis(1500);
/// How fast a bar falls back, per step.
const FALL_DB: f32 = 1.5;
const BAR: f32 = 6.0;
const GAP: f32 = 3.0;
const TICKS: [f32; 7] = [-60.0, -48.0, -36.0, -24.0, -12.0, -6.0, 0.0];

const GREEN: gdk::RGBA = gdk::RGBA::new(0.20, 0.76, 0.49, 1.0);
const AMBER: gdk::RGBA = gdk::RGBA::new(0.90, 0.65, 0.04, 1.0);
const RED: gdk::RGBA = gdk::RGBA::new(0.88, 0.11, 0.14, 1.0);

/// One channel as it is drawn.
#[derive(Debug, Clone, Copy)]
struct Channel {
    shown: f32,
    mean: f32,
    held: f32,
    held_at: Instant,
}

impl Channel {
    fn silent() -> Channel {
        Channel {
            shown: FLOOR_DB,
            mean: FLOOR_DB,
            held: FLOOR_DB,
            held_at: Instant::now(),
        }
    }

    /// Up at once, down slowly; the highest stays for a while.
    fn take(&mut self, peak: f32, mean: f32, now: Instant) {
        let peak = peak.clamp(FLOOR_DB, 0.0);
        self.mean = mean.clamp(FLOOR_DB, 0.0).max(self.mean - FALL_DB);
        self.shown = peak.max(self.shown - FALL_DB).max(FLOOR_DB);
        if peak >= self.held || now.duration_since(self.held_at) > HOLD {
            self.held = peak;
            self.held_at = now;
        }
    }
}

type Reader = Box<dyn Fn() -> Levels>;

mod imp {
    use super::*;

    pub struct LevelMeter {
        pub(super) channels: Cell<[Channel; 2]>,
        pub(super) clipped_at: Cell<Option<Instant>>,
        pub(super) spoken_at: Cell<Option<Instant>>,
        pub(super) reader: RefCell<Option<Reader>>,
        pub(super) timer: RefCell<Option<glib::SourceId>>,
        /// Of one sound among others: without a scale.
        pub(super) compact: Cell<bool>,
    }

    impl Default for LevelMeter {
        fn default() -> Self {
            LevelMeter {
                channels: Cell::new([Channel::silent(); 2]),
                clipped_at: Cell::default(),
                spoken_at: Cell::default(),
                reader: RefCell::default(),
                timer: RefCell::default(),
                compact: Cell::default(),
            }
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for LevelMeter {
        const NAME: &'static str = "AerialLevelMeter";
        type Type = super::LevelMeter;
        type ParentType = gtk::Widget;

        fn class_init(class: &mut Self::Class) {
            class.set_css_name("levelmeter");
            class.set_accessible_role(gtk::AccessibleRole::Meter);
        }
    }

    impl ObjectImpl for LevelMeter {
        fn constructed(&self) {
            self.parent_constructed();
            self.obj().update_property(&[
                Property::Label(&gettext("Sound level")),
                Property::ValueMin(FLOOR_DB.into()),
                Property::ValueMax(0.0),
                Property::ValueNow(FLOOR_DB.into()),
            ]);
        }

        fn dispose(&self) {
            if let Some(timer) = self.timer.take() {
                timer.remove();
            }
        }
    }

    impl WidgetImpl for LevelMeter {
        fn map(&self) {
            self.parent_map();
            let weak = self.obj().downgrade();
            let timer = glib::timeout_add_local(STEP, move || match weak.upgrade() {
                Some(meter) => {
                    meter.step();
                    glib::ControlFlow::Continue
                }
                None => glib::ControlFlow::Break,
            });
            self.timer.replace(Some(timer));
        }

        fn unmap(&self) {
            if let Some(timer) = self.timer.take() {
                timer.remove();
            }
            self.parent_unmap();
        }

        fn measure(&self, orientation: gtk::Orientation, _for_size: i32) -> (i32, i32, i32, i32) {
            if orientation == gtk::Orientation::Horizontal {
                return (120, 360, -1, -1);
            }
            let height = match self.compact.get() {
                true => (BAR * 2.0 + GAP) as i32,
                false => (BAR * 2.0 + GAP * 2.0) as i32 + self.obj().text_height(),
            };
            (height, height, -1, -1)
        }

        fn snapshot(&self, snapshot: &gtk::Snapshot) {
            self.obj().draw(snapshot);
        }
    }
}

glib::wrapper! {
    /// Two bars with ticks.
    pub struct LevelMeter(ObjectSubclass<imp::LevelMeter>)
        @extends gtk::Widget,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

impl LevelMeter {
    /// Show what this tells, while the meter can be seen.
    pub fn follow(&self, reader: impl Fn() -> Levels + 'static) {
        self.imp().reader.replace(Some(Box::new(reader)));
    }

    /// Be the meter of one sound among others, called this: without a scale.
    pub fn be_small(&self, label: &str) {
        self.imp().compact.set(true);
        self.update_property(&[Property::Label(label)]);
        self.queue_resize();
    }

    fn step(&self) {
        let imp = self.imp();
        let Some(levels) = imp.reader.borrow().as_ref().map(|read| read()) else {
            return;
        };
        let now = Instant::now();
        let before = imp.channels.get();
        let mut channels = before;
        let loud = levels.peak_db.into_iter().zip(levels.rms_db);
        for (channel, (peak, mean)) in channels.iter_mut().zip(loud) {
            channel.take(peak, mean, now);
        }
        if levels.peak_db.iter().any(|peak| *peak >= CLIP_DB) {
            imp.clipped_at.set(Some(now));
        }
        imp.channels.set(channels);
        let moved = |(a, b): (&Channel, &Channel)| {
            a.shown != b.shown || a.mean != b.mean || a.held != b.held
        };
        if before.iter().zip(&channels).any(moved) || imp.clipped_at.get().is_some() {
            self.queue_draw();
        }
        // Screen readers are told once in a while, not twenty times a second.
        let due = imp
            .spoken_at
            .get()
            .is_none_or(|at| now.duration_since(at) > Duration::from_secs(2));
        if due {
            imp.spoken_at.set(Some(now));
            self.speak(channels);
        }
    }

    fn clipping(&self) -> bool {
        self.imp()
            .clipped_at
            .get()
            .is_some_and(|at| at.elapsed() < HOLD)
    }

    fn speak(&self, channels: [Channel; 2]) {
        let loudest = channels[0].held.max(channels[1].held);
        let text = match () {
            () if self.clipping() => gettext("Too loud: the sound is cut off"),
            () if loudest <= FLOOR_DB => gettext("Silence"),
            () => fill(gettext("{n} decibels"), &[("n", &format!("{loudest:.0}"))]),
        };
        self.update_property(&[
            Property::ValueNow(loudest.into()),
            Property::ValueText(&text),
        ]);
        let tooltip = match self.clipping() {
            true => gettext("Too loud: the sound is cut off. Turn the microphone down."),
            false => gettext(
                "Loudness of the broadcast, left and right. Speech is good between −18 and −6.",
            ),
        };
        self.set_tooltip_text(Some(&tooltip));
    }

    fn text_height(&self) -> i32 {
        self.tick_layout("0").pixel_size().1
    }

    fn tick_layout(&self, text: &str) -> pango::Layout {
        let layout = self.create_pango_layout(Some(text));
        let attributes = pango::AttrList::new();
        attributes.insert(pango::AttrFloat::new_scale(0.72));
        layout.set_attributes(Some(&attributes));
        layout
    }

    fn draw(&self, snapshot: &gtk::Snapshot) {
        let width = self.width() as f32;
        let mirrored = self.direction() == gtk::TextDirection::Rtl;
        let at = |db: f32| {
            let share = ((db - FLOOR_DB) / -FLOOR_DB).clamp(0.0, 1.0);
            match mirrored {
                true => (1.0 - share) * width,
                false => share * width,
            }
        };
        let text = self.style_context().color();
        let faded = |alpha: f32| gdk::RGBA::new(text.red(), text.green(), text.blue(), alpha);
        for (row, channel) in self.imp().channels.get().iter().enumerate() {
            let y = row as f32 * (BAR + GAP);
            let bar = |from: f32, to: f32, colour: &gdk::RGBA| {
                if to > from {
                    snapshot.append_color(
                        colour,
                        &graphene::Rect::new(
                            at(from).min(at(to)),
                            y,
                            (at(to) - at(from)).abs(),
                            BAR,
                        ),
                    );
                }
            };
            bar(FLOOR_DB, 0.0, &faded(0.12));
            // The highest samples lightly, the mean on top of them.
            for (to, alpha) in [(channel.shown, 0.5), (channel.mean, 1.0)] {
                bar(FLOOR_DB, to.min(AMBER_DB), &GREEN.with_alpha(alpha));
                bar(AMBER_DB, to.min(RED_DB), &AMBER.with_alpha(alpha));
                bar(RED_DB, to, &RED.with_alpha(alpha));
            }
            if channel.held > FLOOR_DB {
                let x = (at(channel.held) - if mirrored { 0.0 } else { 2.0 }).clamp(0.0, width);
                snapshot.append_color(&faded(0.85), &graphene::Rect::new(x, y, 2.0, BAR));
            }
        }
        if self.imp().compact.get() {
            return;
        }
        let y = 2.0 * (BAR + GAP);
        for db in TICKS {
            // The proper minus sign, which fonts draw as wide as a digit.
            let label = signed(format!("{db}").replace('-', "−"));
            let layout = self.tick_layout(&label);
            let text_width = layout.pixel_size().0 as f32;
            let x = (at(db) - text_width / 2.0).clamp(0.0, (width - text_width).max(0.0));
            snapshot.save();
            snapshot.translate(&graphene::Point::new(x, y));
            snapshot.append_layout(&layout, &faded(0.7));
            snapshot.restore();
        }
        if self.clipping() {
            let layout = self.tick_layout(&gettext("Too loud"));
            let text_width = layout.pixel_size().0 as f32;
            let x = match mirrored {
                true => at(RED_DB) + 12.0,
                false => at(RED_DB) - text_width - 12.0,
            };
            let x = x.clamp(0.0, (width - text_width).max(0.0));
            snapshot.save();
            snapshot.translate(&graphene::Point::new(x, y));
            // As the look of the window has it: the red of the bars is too dark for letters on a dark one.
            let red = self.style_context().lookup_color("error_color");
            snapshot.append_layout(&layout, &red.unwrap_or(RED));
            snapshot.restore();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_rises_at_once_falls_slowly_and_its_peak_stays() {
        let mut channel = Channel::silent();
        let now = Instant::now();
        channel.take(-6.0, -6.0, now);
        assert_eq!((channel.shown, channel.held), (-6.0, -6.0));
        channel.take(-100.0, -100.0, now + STEP);
        assert_eq!((channel.shown, channel.held), (-7.5, -6.0));
        channel.take(-40.0, -40.0, now + HOLD + STEP);
        assert_eq!(channel.held, -40.0);
        channel.take(3.0, 3.0, now + HOLD + STEP);
        assert_eq!(channel.shown, 0.0);
    }
}
