// SPDX-License-Identifier: GPL-3.0-or-later
//! The row of one picture: show it, its state in words, whether it is on screen, its settings.

use std::rc::Rc;

use gettextrs::gettext;
use gtk::{CompositeTemplate, accessible::Property, gdk, glib, prelude::*, subclass::prelude::*};

use super::{
    bridge::Bridge,
    drag::{self, Dragged},
    drag_order,
    model::SourceItem,
    source_options::SourceOptions,
    staging::{self, Place},
    states::States,
    transport::Transport,
    words::{call, fill},
};

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "source_row.ui")]
    pub struct SourceRow {
        #[template_child]
        pub show: TemplateChild<gtk::Button>,
        #[template_child]
        pub face: TemplateChild<gtk::Stack>,
        #[template_child]
        pub icon: TemplateChild<gtk::Image>,
        #[template_child]
        pub thumbnail: TemplateChild<gtk::Picture>,
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
        pub shown: TemplateChild<gtk::ToggleButton>,
        #[template_child]
        pub options: TemplateChild<gtk::MenuButton>,
        #[template_child]
        pub choices: TemplateChild<SourceOptions>,
        #[template_child]
        pub transport: TemplateChild<Transport>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for SourceRow {
        const NAME: &'static str = "AerialSourceRow";
        type Type = super::SourceRow;
        type ParentType = gtk::ListBoxRow;

        fn class_init(class: &mut Self::Class) {
            SourceOptions::ensure_type();
            Transport::ensure_type();
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
    /// The row of one picture.
    pub struct SourceRow(ObjectSubclass<imp::SourceRow>)
        @extends gtk::Widget, gtk::ListBoxRow,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget, gtk::Actionable;
}

impl SourceRow {
    /// A row that follows this source.
    pub fn new(item: &SourceItem, bridge: &Rc<Bridge>) -> SourceRow {
        let row: SourceRow = glib::Object::new();
        let imp = row.imp();
        let (id, states) = (item.id(), States::install(&row, "row"));
        states.plain(
            "show",
            glib::clone!(
                #[weak]
                bridge,
                move || staging::show(&bridge, id, Place::Whole)
            ),
        );
        states.flag(
            "shown",
            glib::clone!(
                #[weak]
                bridge,
                move |wanted| match wanted {
                    true => staging::show(&bridge, id, Place::Free),
                    false => staging::hide(&bridge, id),
                }
            ),
        );
        imp.icon.set_icon_name(Some(item.icon()));
        imp.choices.bind(item, bridge, &states);
        imp.transport.bind(item, bridge);
        imp.handle.set_cursor_from_name(Some("grab"));
        let dragged = Dragged::Source { id, picture: true };
        drag::offer(&row, dragged);
        drag_order::install(&row, item, bridge);
        item.follow(&row, move |row, item| row.update(item, &states));
        item.bind_property("thumbnail", &*imp.thumbnail, "paintable")
            .sync_create()
            .build();
        item.bind_property("thumbnail", &*imp.face, "visible-child-name")
            .transform_to(|_, picture: Option<gdk::Texture>| {
                Some(picture.map_or("icon", |_| "thumbnail"))
            })
            .sync_create()
            .build();
        row
    }

    /// Close the settings.
    pub fn close(&self) {
        self.imp().options.popdown();
    }

    fn update(&self, item: &SourceItem, states: &States) {
        let imp = self.imp();
        let name = item.name();
        imp.name.set_label(&name);
        imp.name.set_tooltip_text(Some(&name));
        imp.words.set_label(&item.in_short());
        imp.trouble.set_label(&item.trouble());
        imp.trouble.set_visible(!item.trouble().is_empty());
        item.tone().mark(&*imp.dot);
        states.show_flag("shown", item.shown());
        match item.shown() {
            true => self.add_css_class("shown"),
            false => self.remove_css_class("shown"),
        }
        let labels: [(&gtk::Widget, String); 3] = [
            (imp.show.upcast_ref(), gettext("Show {name} alone")),
            (imp.shown.upcast_ref(), gettext("{name} on screen")),
            (imp.options.upcast_ref(), gettext("Settings of {name}")),
        ];
        for (widget, label) in labels {
            call(widget, &fill(label, &[("name", &name)]));
        }
        self.update_property(&[Property::Label(&name)]);
    }
}
