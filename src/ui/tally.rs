// SPDX-License-Identifier: GPL-3.0-or-later
//! The tally: whether the program is on the air, for how long, and how many watch.

use adw::subclass::prelude::*;
use gettextrs::gettext;
use gtk::{CompositeTemplate, glib, prelude::*};

use super::{
    model::{Air, Broadcast},
    words,
};

mod imp {
    use std::cell::Cell;

    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "tally.ui")]
    pub struct Tally {
        #[template_child]
        pub pill: TemplateChild<gtk::Box>,
        #[template_child]
        pub word: TemplateChild<gtk::Label>,
        #[template_child]
        pub time: TemplateChild<gtk::Label>,
        #[template_child]
        pub watching: TemplateChild<gtk::Box>,
        #[template_child]
        pub count: TemplateChild<gtk::Label>,
        /// Somebody watched.
        pub anybody: Cell<bool>,
        pub narrow: Cell<bool>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Tally {
        const NAME: &'static str = "AerialTally";
        type Type = super::Tally;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
            class.set_accessible_role(gtk::AccessibleRole::Status);
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for Tally {}
    impl WidgetImpl for Tally {}
    impl BinImpl for Tally {}
}

glib::wrapper! {
    /// Pill with dot, word and time; beside it the number of viewers.
    pub struct Tally(ObjectSubclass<imp::Tally>)
        @extends gtk::Widget, adw::Bin,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

impl Tally {
    /// Follow this broadcast.
    pub fn bind(&self, broadcast: &Broadcast) {
        let imp = self.imp();
        broadcast
            .bind_property("elapsed", &*imp.time, "label")
            .sync_create()
            .build();
        broadcast.connect_air_notify(glib::clone!(
            #[weak(rename_to = tally)]
            self,
            move |b| tally.show_air(b.air())
        ));
        broadcast.connect_watching_notify(glib::clone!(
            #[weak(rename_to = tally)]
            self,
            move |b| tally.show_watching(b)
        ));
        broadcast.connect_peak_notify(glib::clone!(
            #[weak(rename_to = tally)]
            self,
            move |b| tally.show_watching(b)
        ));
        self.show_air(broadcast.air());
        self.show_watching(broadcast);
    }

    fn show_air(&self, air: Air) {
        let imp = self.imp();
        let (word, class) = match air {
            Air::Off => (gettext("Off air"), "off"),
            Air::Starting => (gettext("Starting"), "starting"),
            // Translators: the broadcast is on the air; in capitals, as on a studio lamp
            Air::Live => (gettext("LIVE"), "live"),
            Air::Stopping => (gettext("Ending"), "starting"),
        };
        imp.word.set_label(&word);
        imp.pill.set_css_classes(&["tally", class]);
        self.adapt(imp.narrow.get());
        imp.time.set_visible(air == Air::Live);
        self.update_property(&[gtk::accessible::Property::Label(&word)]);
    }

    /// In a narrow window the number of viewers stands on their tab alone.
    pub fn adapt(&self, narrow: bool) {
        let imp = self.imp();
        imp.narrow.set(narrow);
        match narrow {
            true => imp.pill.add_css_class("narrow"),
            false => imp.pill.remove_css_class("narrow"),
        }
        self.make_room();
    }

    fn make_room(&self) {
        let imp = self.imp();
        imp.watching
            .set_visible(imp.anybody.get() && !imp.narrow.get());
    }

    fn show_watching(&self, broadcast: &Broadcast) {
        let imp = self.imp();
        imp.anybody.set(broadcast.peak() > 0);
        self.make_room();
        imp.count.set_label(&broadcast.watching().to_string());
        let text = words::fill(
            gettext("{watching}, at most {peak} at a time"),
            &[
                ("watching", &words::watching(broadcast.watching())),
                ("peak", &broadcast.peak().to_string()),
            ],
        );
        imp.watching.set_tooltip_text(Some(&text));
    }
}
