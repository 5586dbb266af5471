// SPDX-License-Identifier: GPL-3.0-or-later
//! Shown instead of the window when the engine does not start: what is wrong and what to do.

use adw::subclass::prelude::*;
use gtk::{CompositeTemplate, gio, glib};

use super::notice::Notice;

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "failure.ui")]
    pub struct Failure {
        #[template_child]
        pub status: TemplateChild<adw::StatusPage>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Failure {
        const NAME: &'static str = "AerialFailure";
        type Type = super::Failure;
        type ParentType = adw::ApplicationWindow;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for Failure {}
    impl WidgetImpl for Failure {}
    impl WindowImpl for Failure {}
    impl ApplicationWindowImpl for Failure {}
    impl AdwApplicationWindowImpl for Failure {}
}

glib::wrapper! {
    /// One error, its remedy, and the way out.
    pub struct Failure(ObjectSubclass<imp::Failure>)
        @extends gtk::Widget, gtk::Window, gtk::ApplicationWindow, adw::ApplicationWindow,
        @implements gio::ActionGroup, gio::ActionMap, gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget,
            gtk::Native, gtk::Root, gtk::ShortcutManager;
}

impl Failure {
    /// A window that says this.
    pub fn new(app: &adw::Application, notice: &Notice) -> Failure {
        let window: Failure = glib::Object::builder().property("application", app).build();
        let text = glib::markup_escape_text(&notice.text());
        window.imp().status.set_description(Some(&text));
        window
    }
}
