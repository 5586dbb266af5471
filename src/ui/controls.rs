// SPDX-License-Identifier: GPL-3.0-or-later
//! The bar at the bottom: go live, record, how things are, the numbers.

use adw::subclass::prelude::*;
use gettextrs::gettext;
use gtk::{CompositeTemplate, accessible::Property, glib, prelude::*};

use super::{
    model::{Air, Broadcast},
    words,
};

/// Below this width buttons and words do not fit beside each other in every language.
const NARROW: i32 = 760;
/// Below this width the words need all the room.
const VERY_NARROW: i32 = 500;

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "controls.ui")]
    pub struct Controls {
        #[template_child]
        pub bar: TemplateChild<gtk::Box>,
        #[template_child]
        pub buttons: TemplateChild<gtk::Box>,
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
        imp.buttons.set_homogeneous(narrow);
        imp.live.set_hexpand(narrow);
        imp.record.set_hexpand(narrow);
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
        imp.record_content.set_label(&label);
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
