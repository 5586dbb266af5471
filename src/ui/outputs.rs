// SPDX-License-Identifier: GPL-3.0-or-later
//! The outputs: this computer's own server first, then what was added.

use std::rc::Rc;

use adw::{prelude::*, subclass::prelude::*};
use gtk::{CompositeTemplate, gio, glib};
use studio::{message::Command, output::OutputSpec};

use super::{
    bridge::Bridge,
    model::{Broadcast, OutputItem},
    output_form::{OutputForm, kind_of},
    output_kinds,
    output_row::OutputRow,
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
        pub now_playing: TemplateChild<adw::EntryRow>,
        #[template_child]
        pub add: TemplateChild<gtk::MenuButton>,
        #[template_child]
        pub form: TemplateChild<OutputForm>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for OutputsPanel {
        const NAME: &'static str = "AerialOutputsPanel";
        type Type = super::OutputsPanel;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            ServerCard::ensure_type();
            OutputForm::ensure_type();
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
        self.follow_title(bridge);
        imp.form.bind(
            bridge,
            glib::clone!(
                #[weak(rename_to = panel)]
                self,
                move || {
                    panel.imp().stack.set_visible_child_name("list");
                    // Keys go nowhere while what has them is out of sight.
                    panel.imp().add.grab_focus();
                }
            ),
        );
    }

    /// What plays now: typed here, or told by a file or a music player.
    fn follow_title(&self, bridge: &Rc<Bridge>) {
        let row = &*self.imp().now_playing;
        let broadcast = &bridge.model().broadcast;
        let show = glib::clone!(
            #[weak]
            row,
            move |b: &Broadcast| {
                // Not under somebody's fingers.
                if row.text() != b.now_playing() && row.focus_child().is_none() {
                    row.set_text(&b.now_playing());
                }
            }
        );
        show(broadcast);
        broadcast.connect_now_playing_notify(show);
        row.connect_apply(glib::clone!(
            #[weak]
            bridge,
            move |row| bridge.command(Command::SetNowPlaying(row.text().into()))
        ));
    }

    /// Ask where a new output of this kind is to go.
    pub fn ask(&self, kind: &str) {
        if let Some(kind) = output_kinds::kind(kind) {
            self.imp().stack.set_visible_child_name("form");
            self.imp().form.start(kind, None);
        }
    }

    /// Ask for changes to this one.
    pub fn change(&self, spec: &OutputSpec) {
        if let Some(kind) = kind_of(&spec.target) {
            self.imp().stack.set_visible_child_name("form");
            self.imp()
                .form
                .start(kind, Some((&spec.name, &spec.target)));
        }
    }
}
