// SPDX-License-Identifier: GPL-3.0-or-later
//! Lines over the preview: what lies within them is seen on every screen, also on one that cuts off the edges. Viewers
//! never see the lines.

use gtk::{gdk, glib, graphene, gsk, prelude::*, subclass::prelude::*};

/// Shares of width and height that are safe for action and for text, by EBU R 95.
const AREAS: [f32; 2] = [0.93, 0.90];
const LIGHT: gdk::RGBA = gdk::RGBA::new(1.0, 1.0, 1.0, 0.8);
/// Seen on white.
const DARK: gdk::RGBA = gdk::RGBA::new(0.0, 0.0, 0.0, 0.6);

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct SafeAreas;

    #[glib::object_subclass]
    impl ObjectSubclass for SafeAreas {
        const NAME: &'static str = "AerialSafeAreas";
        type Type = super::SafeAreas;
        type ParentType = gtk::Widget;

        fn class_init(class: &mut Self::Class) {
            class.set_css_name("safeareas");
            class.set_accessible_role(gtk::AccessibleRole::Presentation);
        }
    }

    impl ObjectImpl for SafeAreas {
        fn constructed(&self) {
            self.parent_constructed();
            self.obj().set_can_target(false);
        }
    }

    impl WidgetImpl for SafeAreas {
        fn snapshot(&self, snapshot: &gtk::Snapshot) {
            let (width, height) = (self.obj().width() as f32, self.obj().height() as f32);
            for share in AREAS {
                let (x, y) = (width * (1.0 - share) / 2.0, height * (1.0 - share) / 2.0);
                let line = graphene::Rect::new(x.round(), y.round(), width * share, height * share);
                for (line, colour) in [(line.inset_r(-1.0, -1.0), DARK), (line, LIGHT)] {
                    let outline = gsk::RoundedRect::from_rect(line, 0.0);
                    snapshot.append_border(&outline, &[1.0; 4], &[colour; 4]);
                }
            }
        }
    }
}

glib::wrapper! {
    /// Lines around what is seen on every screen.
    pub struct SafeAreas(ObjectSubclass<imp::SafeAreas>)
        @extends gtk::Widget,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}
