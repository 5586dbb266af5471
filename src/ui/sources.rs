// SPDX-License-Identifier: GPL-3.0-or-later
//! The left panel: what is in the program, what can be added, and how it is encoded.

use adw::subclass::prelude::*;
use gtk::{CompositeTemplate, glib, prelude::*};

use super::{
    bridge::Bridge,
    model::{Model, SourceItem},
    quality::Quality,
    source_row::SourceRow,
};

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "sources.ui")]
    pub struct SourcesPanel {
        #[template_child]
        pub pictures: TemplateChild<gtk::ListBox>,
        #[template_child]
        pub sounds: TemplateChild<gtk::ListBox>,
        #[template_child]
        pub add: TemplateChild<gtk::MenuButton>,
        #[template_child]
        pub quality: TemplateChild<Quality>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for SourcesPanel {
        const NAME: &'static str = "AerialSourcesPanel";
        type Type = super::SourcesPanel;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            Quality::ensure_type();
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for SourcesPanel {}
    impl WidgetImpl for SourcesPanel {}
    impl BinImpl for SourcesPanel {}
}

glib::wrapper! {
    /// The left panel.
    pub struct SourcesPanel(ObjectSubclass<imp::SourcesPanel>)
        @extends gtk::Widget, adw::Bin,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

impl SourcesPanel {
    /// Show this engine's sources.
    pub fn bind(&self, bridge: &std::rc::Rc<Bridge>) {
        let imp = self.imp();
        let model = bridge.model();
        fill(&imp.pictures, model, true);
        fill(&imp.sounds, model, false);
        imp.add.set_menu_model(Some(&model.picker));
        imp.quality.bind(bridge);
    }
}

fn fill(list: &gtk::ListBox, model: &Model, picture: bool) {
    let of_kind = gtk::CustomFilter::new(move |item| {
        item.downcast_ref::<SourceItem>()
            .is_some_and(|s| s.picture() == picture)
    });
    let sources = gtk::FilterListModel::new(Some(model.sources.clone()), Some(of_kind));
    list.bind_model(Some(&sources), |item| {
        let item = item
            .downcast_ref::<SourceItem>()
            .expect("the list holds sources only");
        SourceRow::new(item).upcast()
    });
}
