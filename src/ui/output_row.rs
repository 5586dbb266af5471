// SPDX-License-Identifier: GPL-3.0-or-later
//! The card of one output: name, switch, state in words with what to do about it.

use gettextrs::gettext;
use gtk::{CompositeTemplate, accessible::Property, glib, prelude::*, subclass::prelude::*};

use super::{
    model::{OutputItem, OutputKind},
    words::fill,
};

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "output_row.ui")]
    pub struct OutputRow {
        #[template_child]
        pub icon: TemplateChild<gtk::Image>,
        #[template_child]
        pub name: TemplateChild<gtk::Label>,
        #[template_child]
        pub dot: TemplateChild<gtk::Box>,
        #[template_child]
        pub words: TemplateChild<gtk::Label>,
        #[template_child]
        pub remedy: TemplateChild<gtk::Label>,
        #[template_child]
        pub retry: TemplateChild<gtk::Button>,
        #[template_child]
        pub pause: TemplateChild<gtk::Button>,
        #[template_child]
        pub edit: TemplateChild<gtk::Button>,
        #[template_child]
        pub folder: TemplateChild<gtk::Button>,
        #[template_child]
        pub remove: TemplateChild<gtk::Button>,
        #[template_child]
        pub enabled: TemplateChild<gtk::Switch>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for OutputRow {
        const NAME: &'static str = "AerialOutputRow";
        type Type = super::OutputRow;
        type ParentType = gtk::ListBoxRow;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for OutputRow {}
    impl WidgetImpl for OutputRow {}
    impl ListBoxRowImpl for OutputRow {}
}

glib::wrapper! {
    /// The card of one output.
    pub struct OutputRow(ObjectSubclass<imp::OutputRow>)
        @extends gtk::Widget, gtk::ListBoxRow,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget, gtk::Actionable;
}

impl OutputRow {
    /// A card that follows this output.
    pub fn new(item: &OutputItem) -> OutputRow {
        let row: OutputRow = glib::Object::new();
        row.name_parts(item);
        let imp = row.imp();
        for (property, label) in [("words", &imp.words), ("remedy", &imp.remedy)] {
            item.bind_property(property, &**label, "label")
                .sync_create()
                .build();
        }
        item.bind_property("remedy", &*imp.remedy, "visible")
            .transform_to(|_, text: String| Some(!text.is_empty()))
            .sync_create()
            .build();
        item.bind_property("retryable", &*imp.retry, "visible")
            .sync_create()
            .build();
        // What would mend it stands out.
        item.bind_property("denied", &*imp.edit, "css-classes")
            .transform_to(|_, denied: bool| {
                Some(match denied {
                    true => vec!["small".to_string(), "suggested-action".to_string()],
                    false => vec!["small".to_string()],
                })
            })
            .sync_create()
            .build();
        item.bind_property("url", &*imp.name, "tooltip-text")
            .sync_create()
            .build();
        item.connect_tone_notify(glib::clone!(
            #[weak]
            row,
            move |item| item.tone().mark(&*row.imp().dot)
        ));
        item.tone().mark(&*imp.dot);
        item.bind_property("pausable", &*imp.pause, "visible")
            .sync_create()
            .build();
        item.connect_paused_notify(glib::clone!(
            #[weak]
            row,
            move |item| row.show_pause(item)
        ));
        row.show_pause(item);
        row.follow_switch(item);
        row
    }

    /// The button says what it does next.
    fn show_pause(&self, item: &OutputItem) {
        let button = &*self.imp().pause;
        let (label, whole) = match item.paused() {
            true => (gettext("Go on"), gettext("Go on recording {name}")),
            false => (gettext("Pause"), gettext("Pause recording {name}")),
        };
        button.set_label(&label);
        let whole = fill(whole, &[("name", &item.name())]);
        button.update_property(&[Property::Label(&whole)]);
        let target = (item.name(), !item.paused()).to_variant();
        button.set_action_target_value(Some(&target));
        button.set_action_name(Some("win.pause-output"));
    }

    /// The switch asks; what it shows is what the engine says.
    fn follow_switch(&self, item: &OutputItem) {
        let switch = &*self.imp().enabled;
        let show = |item: &OutputItem, switch: &gtk::Switch| {
            switch.set_state(item.enabled());
            switch.set_active(item.enabled());
        };
        show(item, switch);
        item.connect_enabled_notify(glib::clone!(
            #[weak]
            switch,
            move |item| show(item, &switch)
        ));
        switch.connect_state_set(glib::clone!(
            #[weak]
            item,
            #[upgrade_or]
            glib::Propagation::Proceed,
            move |switch, wanted| {
                if wanted != item.enabled() {
                    let target = (item.name(), wanted).to_variant();
                    if let Err(e) = switch.activate_action("win.enable-output", Some(&target)) {
                        tracing::warn!(error = %e, "a switch without a window");
                    }
                }
                glib::Propagation::Stop
            }
        ));
    }

    fn name_parts(&self, item: &OutputItem) {
        let imp = self.imp();
        let (name, kind) = (item.name(), item.kind());
        imp.name.set_label(&name);
        let target = name.to_variant();
        for button in [&imp.retry, &imp.edit, &imp.folder, &imp.remove] {
            button.set_action_target_value(Some(&target));
        }
        imp.icon.set_icon_name(Some(match kind {
            OutputKind::Push => "network-transmit-symbolic",
            OutputKind::Record => "media-record-symbolic",
        }));
        imp.edit.set_visible(kind == OutputKind::Push);
        imp.folder.set_visible(kind == OutputKind::Record);
        let labels = [
            (
                imp.retry.upcast_ref::<gtk::Widget>(),
                gettext("Try {name} now"),
            ),
            (imp.edit.upcast_ref(), gettext("Change {name}")),
            (
                imp.folder.upcast_ref(),
                gettext("Show {name} in its folder"),
            ),
            (imp.remove.upcast_ref(), gettext("Remove {name}")),
            (imp.enabled.upcast_ref(), gettext("Send to {name}")),
        ];
        for (widget, label) in labels {
            let label = match (kind, widget.is::<gtk::Switch>()) {
                (OutputKind::Record, true) => gettext("Record {name}"),
                (OutputKind::Record | OutputKind::Push, _) => label,
            };
            let label = fill(label, &[("name", &name)]);
            if let Some(switch) = widget.downcast_ref::<gtk::Switch>() {
                switch.update_property(&[Property::Label(&label)]);
                switch.set_tooltip_text(Some(&label));
            } else if let Some(button) = widget.downcast_ref::<gtk::Button>() {
                button.update_property(&[Property::Label(&label)]);
            }
        }
        self.update_property(&[Property::Label(&name)]);
    }
}
