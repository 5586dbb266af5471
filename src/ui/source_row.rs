// SPDX-License-Identifier: GPL-3.0-or-later
//! The row of one source: icon, name, state in words, remove.

use gettextrs::gettext;
use gtk::{CompositeTemplate, accessible::Property, glib, prelude::*, subclass::prelude::*};

use super::{model::SourceItem, words::fill};

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "source_row.ui")]
    pub struct SourceRow {
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
        pub remove: TemplateChild<gtk::Button>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for SourceRow {
        const NAME: &'static str = "AerialSourceRow";
        type Type = super::SourceRow;
        type ParentType = gtk::ListBoxRow;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for SourceRow {}
    impl WidgetImpl for SourceRow {}
    impl ListBoxRowImpl for SourceRow {}
}

glib::wrapper! {
    /// The row of one source.
    pub struct SourceRow(ObjectSubclass<imp::SourceRow>)
        @extends gtk::Widget, gtk::ListBoxRow,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget, gtk::Actionable;
}

impl SourceRow {
    /// A row that follows this source.
    pub fn new(item: &SourceItem) -> SourceRow {
        let row: SourceRow = glib::Object::new();
        let imp = row.imp();
        imp.icon.set_icon_name(Some(item.icon()));
        imp.remove
            .set_action_target_value(Some(&item.id().to_variant()));
        for (property, label) in [
            ("name", &imp.name),
            ("words", &imp.words),
            ("remedy", &imp.remedy),
        ] {
            item.bind_property(property, &**label, "label")
                .sync_create()
                .build();
        }
        item.bind_property("name", &*imp.name, "tooltip-text")
            .sync_create()
            .build();
        item.bind_property("remedy", &*imp.remedy, "visible")
            .transform_to(|_, text: String| Some(!text.is_empty()))
            .sync_create()
            .build();
        let update = glib::clone!(
            #[weak]
            row,
            move |item: &SourceItem| row.update(item)
        );
        item.connect_tone_notify(update.clone());
        item.connect_name_notify(update);
        row.update(item);
        row
    }

    fn update(&self, item: &SourceItem) {
        let imp = self.imp();
        item.tone().mark(&*imp.dot);
        let name = item.name();
        let label = fill(gettext("Remove {name}"), &[("name", &name)]);
        imp.remove.set_tooltip_text(Some(&label));
        imp.remove.update_property(&[Property::Label(&label)]);
        self.update_property(&[Property::Label(&name)]);
    }
}
