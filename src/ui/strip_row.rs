// SPDX-License-Identifier: GPL-3.0-or-later
//! The channel strip of one sound: level, loudness, mute; listening, balance and delay.

use std::rc::Rc;

use gettextrs::gettext;
use gtk::{CompositeTemplate, accessible::Property, glib, prelude::*, subclass::prelude::*};
use studio::{message::Command, program::scene::Strip};

use super::{
    bridge::Bridge,
    drag::{self, Dragged},
    drag_order,
    meter::LevelMeter,
    model::SourceItem,
    settle::Settle,
    source_options::SourceOptions,
    states::States,
    transport::Transport,
    words::{call, decibels, fill},
};

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "strip_row.ui")]
    pub struct StripRow {
        #[template_child]
        pub icon: TemplateChild<gtk::Image>,
        #[template_child]
        pub handle: TemplateChild<gtk::Box>,
        #[template_child]
        pub name: TemplateChild<gtk::Label>,
        #[template_child]
        pub dot: TemplateChild<gtk::Box>,
        #[template_child]
        pub words: TemplateChild<gtk::Label>,
        #[template_child]
        pub trouble: TemplateChild<gtk::Label>,
        #[template_child]
        pub mute: TemplateChild<gtk::ToggleButton>,
        #[template_child]
        pub options: TemplateChild<gtk::MenuButton>,
        #[template_child]
        pub choices: TemplateChild<SourceOptions>,
        #[template_child]
        pub meter: TemplateChild<LevelMeter>,
        #[template_child]
        pub gain: TemplateChild<gtk::Scale>,
        #[template_child]
        pub decibels: TemplateChild<gtk::Label>,
        #[template_child]
        pub transport: TemplateChild<Transport>,
        #[template_child]
        pub listen: TemplateChild<gtk::ToggleButton>,
        #[template_child]
        pub pan: TemplateChild<gtk::Scale>,
        #[template_child]
        pub delay: TemplateChild<gtk::SpinButton>,
        pub settle: Settle,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for StripRow {
        const NAME: &'static str = "AerialStripRow";
        type Type = super::StripRow;
        type ParentType = gtk::ListBoxRow;

        fn class_init(class: &mut Self::Class) {
            SourceOptions::ensure_type();
            Transport::ensure_type();
            LevelMeter::ensure_type();
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for StripRow {}
    impl WidgetImpl for StripRow {}
    impl ListBoxRowImpl for StripRow {}
}

glib::wrapper! {
    /// The channel strip of one sound.
    pub struct StripRow(ObjectSubclass<imp::StripRow>)
        @extends gtk::Widget, gtk::ListBoxRow,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget, gtk::Actionable;
}

impl StripRow {
    /// A strip that follows this source.
    pub fn new(item: &SourceItem, bridge: &Rc<Bridge>) -> StripRow {
        let row: StripRow = glib::Object::new();
        let imp = row.imp();
        let (id, states) = (item.id(), States::install(&row, "row"));
        let flag = |name: &str, set: fn(&mut Strip, bool)| {
            states.flag(
                name,
                glib::clone!(
                    #[weak]
                    item,
                    #[weak]
                    bridge,
                    move |wanted| {
                        let mut strip = item.strip();
                        set(&mut strip, wanted);
                        bridge.command(Command::SetStrip(id, strip));
                    }
                ),
            );
        };
        flag("muted", |strip, on| strip.muted = on);
        flag("listen", |strip, on| strip.solo = on);
        imp.icon.set_icon_name(Some(item.icon()));
        imp.choices.bind(item, bridge, &states);
        // The picture of a film has the buttons already.
        if item.partner().is_none() {
            imp.transport.bind(item, bridge);
        }
        imp.meter.follow({
            let studio = bridge.studio().clone();
            move || studio.source_levels(id).unwrap_or_default()
        });
        imp.handle.set_cursor_from_name(Some("grab"));
        let dragged = Dragged::Source { id, picture: false };
        drag::offer(&row, dragged);
        drag_order::install(&row, item, bridge);
        let moved = glib::clone!(
            #[weak]
            row,
            #[weak]
            item,
            #[weak]
            bridge,
            move || row.moved(&item, &bridge)
        );
        for slider in [&*imp.gain, &*imp.pan] {
            let moved = moved.clone();
            slider.connect_value_changed(move |_| moved());
        }
        imp.delay.connect_value_changed(move |_| moved());
        item.follow(&row, move |row, item| row.update(item, &states));
        row
    }

    /// Close the settings.
    pub fn close(&self) {
        self.imp().options.popdown();
    }

    fn moved(&self, item: &SourceItem, bridge: &Rc<Bridge>) {
        let ask = glib::clone!(
            #[weak(rename_to = row)]
            self,
            #[weak]
            item,
            #[weak]
            bridge,
            move || {
                let imp = row.imp();
                let strip = Strip {
                    gain_db: imp.gain.value() as f32,
                    pan: imp.pan.value() as f32,
                    delay_ms: imp.delay.value() as u32,
                    ..item.strip()
                };
                bridge.command(Command::SetStrip(item.id(), strip));
            }
        );
        let rest = glib::clone!(
            #[weak(rename_to = row)]
            self,
            #[weak]
            item,
            move || row.show_strip(item.strip())
        );
        self.imp().settle.moved(ask, rest);
    }

    fn show_strip(&self, strip: Strip) {
        let imp = self.imp();
        imp.settle.show(|| {
            imp.gain.set_value(strip.gain_db.into());
            imp.pan.set_value(strip.pan.into());
            imp.delay.set_value(strip.delay_ms.into());
        });
        let loudness = decibels(strip.gain_db);
        imp.decibels.set_label(&loudness);
        imp.gain.update_property(&[Property::ValueText(&loudness)]);
    }

    fn update(&self, item: &SourceItem, states: &States) {
        let imp = self.imp();
        let (name, strip) = (item.name(), item.strip());
        imp.name.set_label(&name);
        imp.name.set_tooltip_text(Some(&name));
        imp.words.set_label(&item.in_short());
        imp.trouble.set_label(&item.trouble());
        imp.trouble.set_visible(!item.trouble().is_empty());
        item.tone().mark(&*imp.dot);
        states.show_flag("muted", strip.muted);
        states.show_flag("listen", strip.solo);
        self.show_strip(strip);
        let labels: [(&gtk::Widget, String); 6] = [
            (imp.mute.upcast_ref(), gettext("Mute {name}")),
            (imp.options.upcast_ref(), gettext("Settings of {name}")),
            (imp.gain.upcast_ref(), gettext("Loudness of {name}")),
            (imp.listen.upcast_ref(), gettext("Listen to {name}")),
            (imp.pan.upcast_ref(), gettext("Balance of {name}")),
            (
                imp.delay.upcast_ref(),
                gettext("Delay of {name} in milliseconds"),
            ),
        ];
        for (widget, label) in labels {
            call(widget, &fill(label, &[("name", &name)]));
        }
        imp.meter
            .be_small(&fill(gettext("Level of {name}"), &[("name", &name)]));
        self.update_property(&[Property::Label(&name)]);
    }
}
