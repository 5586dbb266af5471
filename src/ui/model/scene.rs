// SPDX-License-Identifier: GPL-3.0-or-later
//! What is on screen: the layout and what lies over it.

use std::cell::{Cell, RefCell};

use gtk::{glib, prelude::*, subclass::prelude::*};
use studio::program::scene::{Corner, Layout, LayoutKind, Overlays, Transition};

mod imp {
    use super::*;

    #[derive(glib::Properties)]
    #[properties(wrapper_type = super::Scene)]
    pub struct Scene {
        /// Grows with every change, so that widgets can be told.
        #[property(get)]
        pub changes: Cell<u32>,
        pub layout: RefCell<Layout>,
        pub overlays: RefCell<Overlays>,
        pub transition: Cell<Transition>,
        pub small: Cell<(Corner, f32)>,
    }

    impl Default for Scene {
        fn default() -> Self {
            Scene {
                changes: Cell::default(),
                layout: RefCell::default(),
                overlays: RefCell::default(),
                transition: Cell::default(),
                small: Cell::new((Corner::default(), 0.25)),
            }
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Scene {
        const NAME: &'static str = "AerialScene";
        type Type = super::Scene;
    }

    #[glib::derived_properties]
    impl ObjectImpl for Scene {}
}

glib::wrapper! {
    /// What is on screen.
    pub struct Scene(ObjectSubclass<imp::Scene>);
}

impl Default for Scene {
    fn default() -> Self {
        glib::Object::new()
    }
}

impl Scene {
    /// How the pictures stand, and which.
    pub fn layout(&self) -> Layout {
        self.imp().layout.borrow().clone()
    }

    /// Text and logo.
    pub fn overlays(&self) -> Overlays {
        self.imp().overlays.borrow().clone()
    }

    /// How layouts change. Only the window knows: the engine is told with each change.
    pub fn transition(&self) -> Transition {
        self.imp().transition.get()
    }

    /// Change layouts in this way from now on.
    pub fn set_transition(&self, transition: Transition) {
        self.imp().transition.set(transition);
        self.changed();
    }

    /// Corner and size of the small picture, as it is or was last.
    pub fn small(&self) -> (Corner, f32) {
        self.imp().small.get()
    }

    /// Show this layout.
    pub fn set_layout(&self, layout: Layout) {
        if let LayoutKind::PictureInPicture { corner, size } = layout.kind {
            self.imp().small.set((corner, size));
        }
        self.imp().layout.replace(layout);
        self.changed();
    }

    /// Show these overlays.
    pub fn set_overlays(&self, overlays: Overlays) {
        self.imp().overlays.replace(overlays);
        self.changed();
    }

    fn changed(&self) {
        let changes = &self.imp().changes;
        changes.set(changes.get().wrapping_add(1));
        self.notify_changes();
    }
}
