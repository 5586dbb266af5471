// SPDX-License-Identifier: GPL-3.0-or-later
//! The outputs: this computer's own server first, then what was added.

use std::rc::Rc;

use adw::subclass::prelude::*;
use gtk::{CompositeTemplate, gio, glib, prelude::*};
use studio::output::IcecastTarget;

use super::{
    bridge::Bridge, icecast_form::IcecastForm, model::OutputItem, output_row::OutputRow,
    server_card::ServerCard,
};

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "outputs.ui")]
    pub struct OutputsPanel {
        #[template_child]
        pub stack: TemplateChild<gtk::Stack>,
        #[template_child]
        pub server: TemplateChild<ServerCard>,
        #[template_child]
        pub outputs: TemplateChild<gtk::ListBox>,
        #[template_child]
        pub form: TemplateChild<IcecastForm>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for OutputsPanel {
        const NAME: &'static str = "AerialOutputsPanel";
        type Type = super::OutputsPanel;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            ServerCard::ensure_type();
            IcecastForm::ensure_type();
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for OutputsPanel {}
    impl WidgetImpl for OutputsPanel {}
    impl BinImpl for OutputsPanel {}
}

glib::wrapper! {
    /// The outputs.
    pub struct OutputsPanel(ObjectSubclass<imp::OutputsPanel>)
        @extends gtk::Widget, adw::Bin,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

impl OutputsPanel {
    /// Show this engine's outputs.
    pub fn bind(&self, bridge: &Rc<Bridge>) {
        let imp = self.imp();
        imp.server.bind(&bridge.model().broadcast);
        let outputs = &bridge.model().outputs;
        imp.outputs.bind_model(Some(outputs), |item| {
            let item = item
                .downcast_ref::<OutputItem>()
                .expect("the list holds outputs only");
            OutputRow::new(item).upcast()
        });
        // An empty list would still draw its frame.
        let list = &imp.outputs;
        outputs.connect_items_changed(glib::clone!(
            #[weak]
            list,
            move |outputs: &gio::ListStore, _, _, _| list.set_visible(outputs.n_items() > 0)
        ));
        list.set_visible(outputs.n_items() > 0);
        imp.form.bind(
            bridge,
            glib::clone!(
                #[weak(rename_to = panel)]
                self,
                move || panel.imp().stack.set_visible_child_name("list")
            ),
        );
    }

    /// Ask for a new Icecast server, or for changes to this one.
    pub fn ask(&self, known: Option<(&str, &IcecastTarget)>) {
        let imp = self.imp();
        imp.form.start(known);
        imp.stack.set_visible_child_name("form");
    }
}
