// SPDX-License-Identifier: GPL-3.0-or-later
//! One number over the last ten minutes: its name, what it is now, and a line.

use std::cell::{Cell, RefCell};

use gettextrs::gettext;
use gtk::{accessible::Property, gdk, glib, graphene, prelude::*, subclass::prelude::*};

use crate::ui::{
    model::past::{KEPT, Metric},
    words::{self, fill},
};

/// Room of the line, in pixels.
const HEIGHT: i32 = 72;
/// Seconds between two lines of the grid.
const GRID: usize = 120;

mod imp {
    use super::*;

    /// The line alone.
    #[derive(Default)]
    pub struct Curve {
        pub values: RefCell<Vec<f32>>,
        /// What the upper edge stands for.
        pub top: Cell<f32>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Curve {
        const NAME: &'static str = "AerialCurve";
        type Type = super::Curve;
        type ParentType = gtk::Widget;

        fn class_init(class: &mut Self::Class) {
            class.set_css_name("curve");
            class.set_accessible_role(gtk::AccessibleRole::Img);
        }
    }

    impl ObjectImpl for Curve {}

    impl WidgetImpl for Curve {
        fn measure(&self, orientation: gtk::Orientation, _: i32) -> (i32, i32, i32, i32) {
            match orientation == gtk::Orientation::Vertical {
                true => (HEIGHT, HEIGHT, -1, -1),
                false => (120, 300, -1, -1),
            }
        }

        fn snapshot(&self, snapshot: &gtk::Snapshot) {
            let widget = self.obj();
            let (width, height) = (widget.width() as f32, widget.height() as f32);
            if width < 1.0 || height < 1.0 {
                return;
            }
            #[allow(deprecated, reason = "GTK 4.10 has another way, 4.8 has this one")]
            let context = widget.style_context();
            #[allow(deprecated, reason = "as above")]
            let colour = context.color();
            #[allow(deprecated, reason = "as above")]
            let accent = context.lookup_color("accent_color").unwrap_or(colour);
            let pale = gdk::RGBA::new(colour.red(), colour.green(), colour.blue(), 0.12);
            let second = width / (KEPT - 1) as f32;
            for at in (0..=KEPT).step_by(GRID) {
                let x = (width - at as f32 * second).floor();
                let line = graphene::Rect::new(x.clamp(0.0, width - 1.0), 0.0, 1.0, height);
                snapshot.append_color(&pale, &line);
            }
            for at in 0..=2 {
                let y = ((height - 1.0) * at as f32 / 2.0).floor();
                snapshot.append_color(&pale, &graphene::Rect::new(0.0, y, width, 1.0));
            }
            let cairo = snapshot.append_cairo(&graphene::Rect::new(0.0, 0.0, width, height));
            // A widget that cannot be drawn on is not worth an end.
            let _ = draw(
                &cairo,
                &self.values.borrow(),
                self.top.get(),
                (width, height),
                &accent,
            );
        }
    }
}

/// Draw the line, and what lies under it, from the right. Where nothing is known it is interrupted.
fn draw(
    cairo: &gtk::cairo::Context,
    values: &[f32],
    top: f32,
    (width, height): (f32, f32),
    colour: &gdk::RGBA,
) -> Result<(), gtk::cairo::Error> {
    let second = f64::from(width) / (KEPT - 1) as f64;
    let point = |at: usize| {
        let x = f64::from(width) - (values.len() - 1 - at) as f64 * second;
        let share = (values[at] / top.max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
        (
            x,
            f64::from(height - 1.5) - f64::from(share * (height - 3.0)),
        )
    };
    let (red, green, blue) = (
        colour.red().into(),
        colour.green().into(),
        colour.blue().into(),
    );
    for run in runs(values) {
        let (first, last) = (point(run.start), point(run.end - 1));
        let line = |cairo: &gtk::cairo::Context| {
            cairo.move_to(first.0, first.1);
            run.clone()
                .map(point)
                .for_each(|(x, y)| cairo.line_to(x, y));
            // One second alone is seen too.
            cairo.line_to(last.0 + 0.5, last.1);
        };
        line(cairo);
        cairo.line_to(last.0, height.into());
        cairo.line_to(first.0, height.into());
        cairo.close_path();
        cairo.set_source_rgba(red, green, blue, 0.2);
        cairo.fill()?;
        line(cairo);
        cairo.set_source_rgba(red, green, blue, 1.0);
        cairo.set_line_width(1.5);
        cairo.stroke()?;
    }
    Ok(())
}

/// The parts in which all is known.
fn runs(values: &[f32]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for at in (0..values.len()).filter(|at| !values[*at].is_nan()) {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end = at + 1,
            Some(_) | None => runs.push(at..at + 1),
        }
    }
    runs
}

/// The next number of the form 1, 2 or 5 with noughts.
fn round_up(highest: f32) -> f32 {
    let step = 10f32.powf(highest.max(1.0).log10().floor());
    let all = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * step);
    all.into_iter()
        .find(|n| *n >= highest)
        .unwrap_or(10.0 * step)
}

glib::wrapper! {
    /// The line of a graph.
    pub struct Curve(ObjectSubclass<imp::Curve>)
        @extends gtk::Widget,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

/// A graph with its name.
pub struct Graph {
    metric: Metric,
    all: gtk::Box,
    now: gtk::Label,
    span: gtk::Label,
    curve: Curve,
}

impl Graph {
    /// Of this number; nothing is known yet.
    pub fn new(metric: Metric) -> Graph {
        let label = |class: &[&str], xalign: f32| {
            gtk::Label::builder()
                .xalign(xalign)
                .css_classes(class.iter().map(|c| (*c).to_string()).collect::<Vec<_>>())
                .build()
        };
        let name = label(&["heading"], 0.0);
        name.set_label(&metric_name(metric));
        name.set_hexpand(true);
        name.set_ellipsize(gtk::pango::EllipsizeMode::End);
        let now = label(&["numeric"], 1.0);
        let span = label(&["caption", "dim-label", "numeric"], 0.0);
        span.set_ellipsize(gtk::pango::EllipsizeMode::End);
        let curve: Curve = glib::Object::new();
        let head = gtk::Box::new(gtk::Orientation::Horizontal, 12);
        head.append(&name);
        head.append(&now);
        let all = gtk::Box::new(gtk::Orientation::Vertical, 6);
        all.append(&head);
        all.append(&curve);
        all.append(&span);
        Graph {
            metric,
            all,
            now,
            span,
            curve,
        }
    }

    /// For its place in the window.
    pub fn widget(&self) -> &gtk::Widget {
        self.all.upcast_ref()
    }

    /// Show these values, second by second.
    pub fn show(&self, values: Vec<f32>) {
        let Some(figures) = Figures::of(&values) else {
            self.all.set_visible(false);
            return;
        };
        self.all.set_visible(true);
        let words = |value: f32| metric_words(self.metric, value);
        self.now
            .set_label(&figures.now.map(words).unwrap_or_else(|| "–".into()));
        let span = fill(
            gettext("{lowest} to {highest}, on average {mean}"),
            &[
                ("lowest", &words(figures.lowest)),
                ("highest", &words(figures.highest)),
                ("mean", &words(figures.mean)),
            ],
        );
        self.span.set_label(&span);
        let spoken = format!("{}: {}. {span}", metric_name(self.metric), self.now.label());
        self.curve.update_property(&[Property::Label(&spoken)]);
        let imp = self.curve.imp();
        imp.top.set(round_up(figures.highest));
        imp.values.replace(values);
        self.curve.queue_draw();
    }
}

/// What is said of a series in words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// In the last second.
    pub now: Option<f32>,
    /// Of all.
    pub lowest: f32,
    /// Of all.
    pub highest: f32,
    /// Of all.
    pub mean: f32,
}

impl Figures {
    /// `None` if nothing is known.
    pub fn of(values: &[f32]) -> Option<Figures> {
        let known: Vec<f32> = values.iter().copied().filter(|v| !v.is_nan()).collect();
        let (first, rest) = known.split_first()?;
        Some(Figures {
            now: values.last().copied().filter(|v| !v.is_nan()),
            lowest: rest.iter().fold(*first, |a, b| a.min(*b)),
            highest: rest.iter().fold(*first, |a, b| a.max(*b)),
            mean: known.iter().sum::<f32>() / known.len() as f32,
        })
    }
}

/// What a number is called.
pub fn metric_name(metric: Metric) -> String {
    match metric {
        Metric::Rate => gettext("Sent"),
        Metric::Viewers => gettext("Viewers"),
        Metric::Frames => gettext("Pictures per second"),
        Metric::Dropped => gettext("Left out"),
        Metric::RoundTrip => gettext("Round trip"),
        Metric::Waiting => gettext("Waiting to be sent"),
        Metric::Cpu => gettext("Processor"),
    }
}

/// A value with its unit.
pub fn metric_words(metric: Metric, value: f32) -> String {
    let whole = || format!("{value:.0}");
    match metric {
        Metric::Rate => words::rate(value as u64),
        Metric::Viewers | Metric::Dropped => whole(),
        Metric::Frames => fill(gettext("{n} fps"), &[("n", &whole())]),
        // Translators: milliseconds
        Metric::RoundTrip | Metric::Waiting => fill(gettext("{n} ms"), &[("n", &whole())]),
        // Translators: percent
        Metric::Cpu => fill(gettext("{n} %"), &[("n", &whole())]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_interrupted_where_nothing_is_known() {
        let nan = f32::NAN;
        assert_eq!(runs(&[nan, 1.0, 2.0, nan, nan, 3.0]), [1..3, 5..6]);
        assert!(runs(&[nan]).is_empty());
    }

    #[test]
    fn the_upper_edge_is_a_round_number() {
        for (highest, top) in [
            (0.0, 1.0),
            (1.0, 1.0),
            (3.0, 5.0),
            (2_400_000.0, 5_000_000.0),
        ] {
            assert_eq!(round_up(highest), top);
        }
    }

    #[test]
    fn figures_leave_out_what_is_unknown() {
        let figures = Figures::of(&[1.0, f32::NAN, 3.0]).unwrap();
        assert_eq!(
            (figures.lowest, figures.highest, figures.mean),
            (1.0, 3.0, 2.0)
        );
        assert_eq!(figures.now, Some(3.0));
        assert_eq!(Figures::of(&[1.0, f32::NAN]).unwrap().now, None);
        assert_eq!(Figures::of(&[f32::NAN]), None);
    }
}
