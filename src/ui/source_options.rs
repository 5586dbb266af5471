// SPDX-License-Identifier: GPL-3.0-or-later
//! What can be set for one source, in the popover of its row: size and crop of a picture, place in the list, address,
//! remove.

use std::rc::Rc;

use gettextrs::gettext;
use gtk::{CompositeTemplate, accessible::Property, glib, prelude::*, subclass::prelude::*};
use studio::{
    message::Command,
    program::scene::{Crop, Framing, Sizing},
};

use super::{
    bridge::Bridge, model::SourceItem, settle::Settle, staging, states::States, words::fill,
};

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "source_options.ui")]
    pub struct SourceOptions {
        #[template_child]
        pub sizing: TemplateChild<gtk::Box>,
        #[template_child]
        pub crop: TemplateChild<gtk::Expander>,
        #[template_child]
        pub left: TemplateChild<gtk::SpinButton>,
        #[template_child]
        pub right: TemplateChild<gtk::SpinButton>,
        #[template_child]
        pub top: TemplateChild<gtk::SpinButton>,
        #[template_child]
        pub bottom: TemplateChild<gtk::SpinButton>,
        #[template_child]
        pub address_box: TemplateChild<gtk::Box>,
        #[template_child]
        pub address: TemplateChild<gtk::Label>,
        #[template_child]
        pub remove: TemplateChild<gtk::Button>,
        pub settle: Settle,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for SourceOptions {
        const NAME: &'static str = "AerialSourceOptions";
        type Type = super::SourceOptions;
        type ParentType = gtk::Box;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for SourceOptions {}
    impl WidgetImpl for SourceOptions {}
    impl BoxImpl for SourceOptions {}
}

glib::wrapper! {
    /// The settings of one source.
    pub struct SourceOptions(ObjectSubclass<imp::SourceOptions>)
        @extends gtk::Widget, gtk::Box,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget, gtk::Orientable;
}

const SIZINGS: [(&str, Sizing); 3] = [
    ("fit", Sizing::Fit),
    ("fill", Sizing::Fill),
    ("stretch", Sizing::Stretch),
];

impl SourceOptions {
    /// Show and change this source; its actions are among those of its row.
    pub fn bind(&self, item: &SourceItem, bridge: &Rc<Bridge>, states: &States) {
        let imp = self.imp();
        let id = item.id();
        imp.sizing.set_visible(item.picture());
        imp.crop.set_visible(item.picture());
        imp.remove.set_action_target_value(Some(&id.to_variant()));
        for (name, down) in [("up", false), ("down", true)] {
            let bridge = Rc::downgrade(bridge);
            states.plain(name, move || {
                if let Some(bridge) = bridge.upgrade() {
                    staging::nudge(&bridge, id, down);
                }
            });
        }
        states.plain(
            "copy-address",
            glib::clone!(
                #[weak(rename_to = options)]
                self,
                move || {
                    let address = options.imp().address.label();
                    options.clipboard().set_text(&address);
                }
            ),
        );
        states.choice(
            "sizing",
            glib::clone!(
                #[weak]
                item,
                #[weak]
                bridge,
                move |wanted| {
                    let sizing = SIZINGS.iter().find(|(word, _)| *word == wanted);
                    if let Some((_, sizing)) = sizing {
                        let framing = Framing {
                            sizing: *sizing,
                            ..item.framing()
                        };
                        bridge.command(Command::SetFraming(id, framing));
                    }
                }
            ),
        );
        for spin in self.spins() {
            spin.connect_value_changed(glib::clone!(
                #[weak(rename_to = options)]
                self,
                #[weak]
                item,
                #[weak]
                bridge,
                move |_| options.crop(&item, &bridge)
            ));
        }
        self.show_address(item, bridge);
        let (states, weak) = (states.clone(), Rc::downgrade(bridge));
        item.follow(self, move |options, item| {
            let sizing = item.framing().sizing;
            let word = SIZINGS.iter().find(|(_, s)| *s == sizing);
            states.show_choice("sizing", word.map_or("", |(word, _)| word));
            options.show_crop(item.framing().crop);
            let remove = fill(gettext("Remove {name}"), &[("name", &item.name())]);
            options
                .imp()
                .remove
                .update_property(&[Property::Label(&remove)]);
            if let Some(bridge) = weak.upgrade() {
                options.show_address(item, &bridge);
            }
        });
    }

    fn spins(&self) -> [gtk::SpinButton; 4] {
        let imp = self.imp();
        [&imp.left, &imp.top, &imp.right, &imp.bottom].map(|spin| spin.get())
    }

    fn show_crop(&self, crop: Crop) {
        let shares = [crop.left, crop.top, crop.right, crop.bottom];
        self.imp().settle.show(|| {
            for (spin, share) in self.spins().iter().zip(shares) {
                spin.set_value(f64::from(share * 100.0).round());
            }
        });
    }

    fn crop(&self, item: &SourceItem, bridge: &Rc<Bridge>) {
        let ask = glib::clone!(
            #[weak(rename_to = options)]
            self,
            #[weak]
            item,
            #[weak]
            bridge,
            move || {
                let [left, top, right, bottom] =
                    options.spins().map(|spin| (spin.value() / 100.0) as f32);
                let crop = Crop {
                    left,
                    top,
                    right,
                    bottom,
                };
                let framing = Framing {
                    crop,
                    ..item.framing()
                };
                bridge.command(Command::SetFraming(item.id(), framing));
            }
        );
        let rest = glib::clone!(
            #[weak(rename_to = options)]
            self,
            #[weak]
            item,
            move || options.show_crop(item.framing().crop)
        );
        self.imp().settle.moved(ask, rest);
    }

    /// Where others send what this source shows.
    fn show_address(&self, item: &SourceItem, bridge: &Bridge) {
        let imp = self.imp();
        let address = bridge.address_of(item);
        imp.address_box.set_visible(address.is_some());
        let address = address.unwrap_or_default();
        if imp.address.label() != address {
            imp.address.set_label(&address);
            imp.address.set_tooltip_text(Some(&address));
        }
    }
}
