// SPDX-License-Identifier: GPL-3.0-or-later
//! Over the preview while something is dragged: where it can be dropped, and in words what happens then.

use std::cell::Cell;

use gettextrs::gettext;
use gtk::{
    accessible::Property, gdk, glib, graphene, gsk, pango, prelude::*, subclass::prelude::*,
};
use studio::program::scene::Corner;

use super::staging::Place;

/// Share of width and height that the corners take.
const CORNER: f32 = 0.28;
/// Share of the width that the halves listen on.
const SIDE: f32 = 0.32;

/// The place for what is dropped here, on a preview of this size.
pub fn place_at(x: f64, y: f64, width: f64, height: f64) -> Place {
    let (x, y) = ((x / width.max(1.0)) as f32, (y / height.max(1.0)) as f32);
    let (left, right) = (x < CORNER, x > 1.0 - CORNER);
    match (y < CORNER, y > 1.0 - CORNER) {
        (true, _) if left => Place::Corner(Corner::TopLeft),
        (true, _) if right => Place::Corner(Corner::TopRight),
        (_, true) if left => Place::Corner(Corner::BottomLeft),
        (_, true) if right => Place::Corner(Corner::BottomRight),
        _ if x < SIDE => Place::Left,
        _ if x > 1.0 - SIDE => Place::Right,
        _ => Place::Whole,
    }
}

/// What happens to what is dropped there.
fn words(place: Place) -> String {
    match place {
        Place::Whole => gettext("Show it alone"),
        Place::Left => gettext("Show it in the left half"),
        Place::Right => gettext("Show it in the right half"),
        Place::Corner(Corner::TopLeft) => gettext("Show it small, top left"),
        Place::Corner(Corner::TopRight) => gettext("Show it small, top right"),
        Place::Corner(Corner::BottomLeft) => gettext("Show it small, bottom left"),
        Place::Corner(Corner::BottomRight) => gettext("Show it small, bottom right"),
        Place::Free | Place::Unseen => gettext("Add it"),
    }
}

/// The part of the picture that it will take, as shares: left, top, width, height.
fn area(place: Place) -> (f32, f32, f32, f32) {
    let far = 1.0 - CORNER;
    match place {
        Place::Whole | Place::Free | Place::Unseen => (0.0, 0.0, 1.0, 1.0),
        Place::Left => (0.0, 0.0, 0.5, 1.0),
        Place::Right => (0.5, 0.0, 0.5, 1.0),
        Place::Corner(Corner::TopLeft) => (0.0, 0.0, CORNER, CORNER),
        Place::Corner(Corner::TopRight) => (far, 0.0, CORNER, CORNER),
        Place::Corner(Corner::BottomLeft) => (0.0, far, CORNER, CORNER),
        Place::Corner(Corner::BottomRight) => (far, far, CORNER, CORNER),
    }
}

const CORNERS: [Corner; 4] = [
    Corner::TopLeft,
    Corner::TopRight,
    Corner::BottomLeft,
    Corner::BottomRight,
];

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct DropZones {
        pub place: Cell<Option<Place>>,
        /// There is nothing to stand beside.
        pub alone: Cell<bool>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for DropZones {
        const NAME: &'static str = "AerialDropZones";
        type Type = super::DropZones;
        type ParentType = gtk::Widget;

        fn class_init(class: &mut Self::Class) {
            class.set_css_name("dropzones");
            class.set_accessible_role(gtk::AccessibleRole::Status);
        }
    }

    impl ObjectImpl for DropZones {
        fn constructed(&self) {
            self.parent_constructed();
            // The preview below takes what is dropped.
            self.obj().set_can_target(false);
        }
    }

    impl WidgetImpl for DropZones {
        fn snapshot(&self, snapshot: &gtk::Snapshot) {
            self.obj().draw(snapshot);
        }
    }
}

glib::wrapper! {
    /// The zones.
    pub struct DropZones(ObjectSubclass<imp::DropZones>)
        @extends gtk::Widget,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

impl DropZones {
    /// Something is being dragged; `alone` if there is no other picture to stand beside.
    pub fn offer(&self, alone: bool) {
        self.imp().alone.set(alone);
        self.set_visible(true);
        self.highlight(None);
    }

    /// Nothing is dragged any more.
    pub fn withdraw(&self) {
        self.imp().place.set(None);
        self.set_visible(false);
    }

    /// The place for what is dropped here.
    pub fn place_at(&self, x: f64, y: f64) -> Place {
        match self.imp().alone.get() {
            true => Place::Whole,
            false => place_at(x, y, self.width().into(), self.height().into()),
        }
    }

    /// It is over this place, or over none.
    pub fn highlight(&self, place: Option<Place>) {
        if self.imp().place.replace(place) != place {
            self.queue_draw();
        }
        let text = place.map_or_else(|| gettext("Drop it here to show it"), words);
        self.update_property(&[Property::Label(&text)]);
    }

    fn draw(&self, snapshot: &gtk::Snapshot) {
        let (width, height) = (self.width() as f32, self.height() as f32);
        let rect = |(x, y, w, h): (f32, f32, f32, f32)| {
            graphene::Rect::new(x * width, y * height, w * width, h * height).inset_r(3.0, 3.0)
        };
        let accent = self
            .style_context()
            .lookup_color("accent_bg_color")
            .unwrap_or(gdk::RGBA::BLUE);
        let place = self.imp().place.get();
        snapshot.append_color(
            &gdk::RGBA::BLACK.with_alpha(0.45),
            &graphene::Rect::new(0.0, 0.0, width, height),
        );
        let outline = |place: Place, strong: bool| {
            let shape = gsk::RoundedRect::from_rect(rect(area(place)), 9.0);
            if strong {
                snapshot.push_rounded_clip(&shape);
                snapshot.append_color(&accent.with_alpha(0.75), shape.bounds());
                snapshot.pop();
            }
            let colour = gdk::RGBA::WHITE.with_alpha(if strong { 1.0 } else { 0.45 });
            snapshot.append_border(&shape, &[if strong { 2.0 } else { 1.0 }; 4], &[colour; 4]);
        };
        if !self.imp().alone.get() {
            for other in [Place::Left, Place::Right]
                .into_iter()
                .chain(CORNERS.map(Place::Corner))
            {
                outline(other, false);
            }
        }
        if let Some(place) = place {
            outline(place, true);
        }
        self.write(snapshot, place, rect(area(place.unwrap_or(Place::Whole))));
    }

    fn write(&self, snapshot: &gtk::Snapshot, place: Option<Place>, room: graphene::Rect) {
        let text = place.map_or_else(|| gettext("Drop it here to show it"), words);
        let layout = self.create_pango_layout(Some(&text));
        let attributes = pango::AttrList::new();
        attributes.insert(pango::AttrInt::new_weight(pango::Weight::Bold));
        layout.set_attributes(Some(&attributes));
        layout.set_alignment(pango::Alignment::Center);
        layout.set_width((room.width() - 12.0).max(1.0) as i32 * pango::SCALE);
        layout.set_wrap(pango::WrapMode::WordChar);
        let (_, text_height) = layout.pixel_size();
        snapshot.save();
        snapshot.translate(&graphene::Point::new(
            room.x() + 6.0,
            room.y() + (room.height() - text_height as f32) / 2.0,
        ));
        snapshot.append_layout(&layout, &gdk::RGBA::WHITE);
        snapshot.restore();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_the_preview_has_its_meaning() {
        let at = |x, y| place_at(x, y, 1600.0, 900.0);
        assert_eq!(at(800.0, 450.0), Place::Whole);
        assert_eq!(at(100.0, 450.0), Place::Left);
        assert_eq!(at(1500.0, 450.0), Place::Right);
        assert_eq!(at(100.0, 50.0), Place::Corner(Corner::TopLeft));
        assert_eq!(at(1590.0, 890.0), Place::Corner(Corner::BottomRight));
        assert_eq!(at(800.0, 5.0), Place::Whole);
    }
}
