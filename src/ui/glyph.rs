// SPDX-License-Identifier: GPL-3.0-or-later
//! Small drawings of layouts, in the colour of the text, for buttons.

use std::cell::RefCell;

use gtk::{glib, graphene, gsk, prelude::*, subclass::prelude::*};

const WIDTH: f32 = 18.0;
const HEIGHT: f32 = 14.0;

mod imp {
    use super::*;

    #[derive(Default, glib::Properties)]
    #[properties(wrapper_type = super::LayoutGlyph)]
    pub struct LayoutGlyph {
        /// `full`, `side`, `grid`, or the corner of a small picture: `top-left` and the like.
        #[property(get, set)]
        pub form: RefCell<String>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for LayoutGlyph {
        const NAME: &'static str = "AerialLayoutGlyph";
        type Type = super::LayoutGlyph;
        type ParentType = gtk::Widget;

        fn class_init(class: &mut Self::Class) {
            class.set_accessible_role(gtk::AccessibleRole::Presentation);
        }
    }

    #[glib::derived_properties]
    impl ObjectImpl for LayoutGlyph {}

    impl WidgetImpl for LayoutGlyph {
        fn measure(&self, orientation: gtk::Orientation, _for_size: i32) -> (i32, i32, i32, i32) {
            let size = if orientation == gtk::Orientation::Horizontal {
                WIDTH as i32
            } else {
                HEIGHT as i32
            };
            (size, size, -1, -1)
        }

        fn snapshot(&self, snapshot: &gtk::Snapshot) {
            self.obj().draw(snapshot);
        }
    }
}

glib::wrapper! {
    /// The drawing.
    pub struct LayoutGlyph(ObjectSubclass<imp::LayoutGlyph>)
        @extends gtk::Widget,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

/// Filled parts, as left, top, width and height in points; whether the frame is drawn around them.
fn parts(form: &str) -> (Vec<(f32, f32, f32, f32)>, bool) {
    let (w, h) = (8.0, 6.0);
    match form {
        "side" => (vec![(0.0, 0.0, w, HEIGHT), (10.0, 0.0, w, HEIGHT)], false),
        "grid" => {
            let cells = [(0.0, 0.0), (10.0, 0.0), (0.0, 8.0), (10.0, 8.0)];
            (cells.map(|(x, y)| (x, y, w, h)).to_vec(), false)
        }
        "top-left" => (vec![(2.5, 2.5, 7.0, 5.0)], true),
        "top-right" => (vec![(8.5, 2.5, 7.0, 5.0)], true),
        "bottom-left" => (vec![(2.5, 6.5, 7.0, 5.0)], true),
        "bottom-right" => (vec![(8.5, 6.5, 7.0, 5.0)], true),
        _ => (vec![(0.0, 0.0, WIDTH, HEIGHT)], false),
    }
}

impl LayoutGlyph {
    fn draw(&self, snapshot: &gtk::Snapshot) {
        let colour = self.style_context().color();
        let (x0, y0) = (
            ((self.width() as f32 - WIDTH) / 2.0).floor(),
            ((self.height() as f32 - HEIGHT) / 2.0).floor(),
        );
        let shape = |x: f32, y: f32, w: f32, h: f32, radius: f32| {
            gsk::RoundedRect::from_rect(graphene::Rect::new(x0 + x, y0 + y, w, h), radius)
        };
        let (parts, framed) = parts(&self.form());
        if framed {
            let frame = shape(0.0, 0.0, WIDTH, HEIGHT, 2.0);
            snapshot.append_border(&frame, &[1.0; 4], &[colour; 4]);
        }
        for (x, y, w, h) in parts {
            let part = shape(x, y, w, h, 1.5);
            snapshot.push_rounded_clip(&part);
            snapshot.append_color(&colour, part.bounds());
            snapshot.pop();
        }
    }
}
