// SPDX-License-Identifier: GPL-3.0-or-later
//! The bar at the bottom: go live, record, how things are, the numbers.

use std::cell::{Cell, RefCell};

use adw::subclass::prelude::*;
use gettextrs::gettext;
use gtk::{CompositeTemplate, accessible::Property, glib, prelude::*};

use super::{
    model::{Air, Broadcast},
    words,
};

/// Below this width buttons and words do not fit beside each other in every language.
const NARROW: i32 = 760;
/// Below this width the words need all the room. More than both buttons with their words want in any language: a window
/// never becomes narrower than what is in it.
const VERY_NARROW: i32 = 560;

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "controls.ui")]
    pub struct Controls {
        #[template_child]
        pub bar: TemplateChild<gtk::Box>,
        #[template_child]
        pub live: TemplateChild<gtk::Button>,
        #[template_child]
        pub record: TemplateChild<gtk::Button>,
        #[template_child]
        pub record_content: TemplateChild<adw::ButtonContent>,
        #[template_child]
        pub dot: TemplateChild<gtk::Box>,
        #[template_child]
        pub health: TemplateChild<gtk::Label>,
        #[template_child]
        pub lower: TemplateChild<gtk::Button>,
        #[template_child]
        pub statistics: TemplateChild<gtk::Button>,
        #[template_child]
        pub numbers: TemplateChild<gtk::Label>,
        pub record_label: RefCell<String>,
        pub very_narrow: Cell<bool>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Controls {
        const NAME: &'static str = "AerialControls";
        type Type = super::Controls;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for Controls {}
    impl WidgetImpl for Controls {}
    impl BinImpl for Controls {}
}

glib::wrapper! {
    /// The bar at the bottom.
    pub struct Controls(ObjectSubclass<imp::Controls>)
        @extends gtk::Widget, adw::Bin,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

impl Controls {
    /// Follow this broadcast.
    pub fn bind(&self, broadcast: &Broadcast) {
        let imp = self.imp();
        for (property, label) in [("health", &imp.health), ("numbers", &imp.numbers)] {
            broadcast
                .bind_property(property, &**label, "label")
                .sync_create()
                .build();
        }
        broadcast
            .bind_property("health", &*imp.health, "tooltip-text")
            .sync_create()
            .build();
        let update = glib::clone!(
            #[weak(rename_to = controls)]
            self,
            move |b: &Broadcast| controls.update(b)
        );
        broadcast.connect_air_notify(update.clone());
        broadcast.connect_recording_notify(update.clone());
        broadcast.connect_tone_notify(update.clone());
        broadcast.connect_lower_to_notify(update);
        // A window is never narrower than what is in it: what is too long in some language is cut short.
        shorten(imp.record_content.upcast_ref());
        self.update(broadcast);
    }

    /// In a narrow window the buttons fill the width, in a very narrow one the numbers go.
    pub fn adapt(&self, width: i32) {
        let imp = self.imp();
        let narrow = width < NARROW;
        imp.statistics.set_visible(width >= VERY_NARROW);
        imp.bar.set_orientation(match narrow {
            true => gtk::Orientation::Vertical,
            false => gtk::Orientation::Horizontal,
        });
        let very_narrow = width < VERY_NARROW;
        imp.live.set_hexpand(narrow);
        imp.record.set_hexpand(narrow && !very_narrow);
        // "Go live" is longer in other languages. What the other one does is told by its sign, and to screen readers.
        imp.very_narrow.set(very_narrow);
        self.label_record();
    }

    fn label_record(&self) {
        let imp = self.imp();
        let label = imp.record_label.borrow();
        let shown = Some(label.as_str()).filter(|_| !imp.very_narrow.get());
        imp.record_content.set_label(shown.unwrap_or_default());
        // Words that are seen are its name already, and would be read twice.
        match imp.very_narrow.get() {
            true => imp.record.update_property(&[Property::Label(&label)]),
            false => imp.record.reset_property(gtk::AccessibleProperty::Label),
        }
    }

    fn update(&self, broadcast: &Broadcast) {
        let imp = self.imp();
        let (label, class, tooltip) = match broadcast.air() {
            Air::Off => (
                gettext("Go live"),
                "suggested-action",
                gettext("Let everybody with the link watch (Ctrl+Return)"),
            ),
            Air::Starting | Air::Live => (
                gettext("End"),
                "destructive-action",
                gettext("End the broadcast for everybody (Ctrl+Return)"),
            ),
            Air::Stopping => (
                gettext("Ending…"),
                "destructive-action",
                gettext("The broadcast is being ended; this takes a moment"),
            ),
        };
        imp.live.set_label(&label);
        shorten(imp.live.upcast_ref());
        imp.live.set_css_classes(&["pill", "air", class]);
        imp.live.set_tooltip_text(Some(&tooltip));
        imp.live.update_property(&[Property::Label(&label)]);

        let (label, icon, tooltip) = match broadcast.recording() {
            false => (
                gettext("Record"),
                "media-record-symbolic",
                gettext("Record into the Videos folder, live or not (Ctrl+R)"),
            ),
            true => (
                gettext("Stop recording"),
                "media-playback-stop-symbolic",
                gettext("Finish the recording (Ctrl+R)"),
            ),
        };
        imp.record_label.replace(label);
        self.label_record();
        imp.record_content.set_icon_name(icon);
        imp.record.set_css_classes(match broadcast.recording() {
            true => &["pill", "recording"],
            false => &["pill"],
        });
        imp.record.set_tooltip_text(Some(&tooltip));

        let kbit = broadcast.lower_to();
        imp.lower.set_visible(kbit > 0);
        if kbit > 0 {
            let rate = words::rate(u64::from(kbit) * 1000);
            imp.lower
                .set_label(&words::fill(gettext("Lower to {rate}"), &[("rate", &rate)]));
            // The target goes first: an action of that name without one does not exist.
            imp.lower.set_action_target_value(Some(&kbit.to_variant()));
            imp.lower.set_action_name(Some("win.lower-bitrate"));
        }

        broadcast.tone().mark(&*imp.dot);
    }
}

/// Let the words in this give way.
fn shorten(widget: &gtk::Widget) {
    if let Some(label) = widget.downcast_ref::<gtk::Label>() {
        label.set_ellipsize(gtk::pango::EllipsizeMode::End);
    }
    let children = std::iter::successors(widget.first_child(), |w| w.next_sibling());
    children.for_each(|child| shorten(&child));
}
