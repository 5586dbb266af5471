// SPDX-License-Identifier: GPL-3.0-or-later
//! The card of this computer's own server: state, link, copy, share.

use adw::subclass::prelude::*;
use gettextrs::gettext;
use gtk::{CompositeTemplate, glib, prelude::*};

use super::{
    model::{Air, Broadcast, Tone},
    qr, words,
};

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "server_card.ui")]
    pub struct ServerCard {
        #[template_child]
        pub dot: TemplateChild<gtk::Box>,
        #[template_child]
        pub words: TemplateChild<gtk::Label>,
        #[template_child]
        pub link: TemplateChild<gtk::LinkButton>,
        #[template_child]
        pub network_row: TemplateChild<adw::ActionRow>,
        #[template_child]
        pub network: TemplateChild<gtk::Switch>,
        #[template_child]
        pub share: TemplateChild<gtk::MenuButton>,
        #[template_child]
        pub code: TemplateChild<gtk::Picture>,
        #[template_child]
        pub fingerprint: TemplateChild<gtk::Label>,
        #[template_child]
        pub renew: TemplateChild<gtk::Button>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for ServerCard {
        const NAME: &'static str = "AerialServerCard";
        type Type = super::ServerCard;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for ServerCard {}
    impl WidgetImpl for ServerCard {}
    impl BinImpl for ServerCard {}
}

glib::wrapper! {
    /// The card of this computer's own server.
    pub struct ServerCard(ObjectSubclass<imp::ServerCard>)
        @extends gtk::Widget, adw::Bin,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

impl ServerCard {
    /// Follow this broadcast.
    pub fn bind(&self, broadcast: &Broadcast) {
        let imp = self.imp();
        for property in ["label", "uri"] {
            broadcast
                .bind_property("link", &*imp.link, property)
                .sync_create()
                .build();
        }
        // With its token it is longer than the panel is wide.
        if let Some(label) = imp.link.child().and_downcast::<gtk::Label>() {
            label.set_ellipsize(gtk::pango::EllipsizeMode::End);
        }
        broadcast
            .bind_property("shared", &*imp.share, "visible")
            .sync_create()
            .build();
        broadcast
            .bind_property("renewable", &*imp.renew, "visible")
            .sync_create()
            .build();
        broadcast
            .bind_property("fingerprint", &*imp.fingerprint, "label")
            .sync_create()
            .build();
        broadcast
            .bind_property("fingerprint", &*imp.fingerprint, "visible")
            .transform_to(|_, words: String| Some(!words.is_empty()))
            .sync_create()
            .build();
        broadcast
            .bind_property("link", &*imp.code, "paintable")
            .transform_to(|_, link: String| Some(qr::code(&link)))
            .sync_create()
            .build();
        broadcast
            .bind_property("reach", &*imp.network_row, "subtitle")
            .sync_create()
            .build();
        self.bind_network(broadcast);
        let update = glib::clone!(
            #[weak(rename_to = card)]
            self,
            move |b: &Broadcast| card.update(b)
        );
        broadcast.connect_air_notify(update.clone());
        broadcast.connect_watching_notify(update);
        self.update(broadcast);
    }

    /// The switch shows what is, not what was asked for.
    fn bind_network(&self, broadcast: &Broadcast) {
        let switch = &*self.imp().network;
        switch.connect_state_set(glib::clone!(
            #[weak]
            broadcast,
            #[upgrade_or]
            glib::Propagation::Proceed,
            move |switch, on| {
                if broadcast.shared() != on {
                    let _ = switch.activate_action("win.share-network", Some(&on.to_variant()));
                    return glib::Propagation::Stop;
                }
                glib::Propagation::Proceed
            }
        ));
        let show = glib::clone!(
            #[weak]
            switch,
            move |b: &Broadcast| {
                switch.set_active(b.shared());
                switch.set_state(b.shared());
            }
        );
        show(broadcast);
        broadcast.connect_shared_notify(show);
    }

    fn update(&self, broadcast: &Broadcast) {
        let (tone, words) = match broadcast.air() {
            Air::Off => (Tone::Idle, gettext("Starts when you go live")),
            Air::Starting => (Tone::Busy, gettext("Starting…")),
            Air::Live => (
                Tone::Good,
                words::fill(
                    gettext("Live, {watching}"),
                    &[("watching", &words::watching(broadcast.watching()))],
                ),
            ),
            Air::Stopping => (Tone::Busy, gettext("Ending…")),
        };
        tone.mark(&*self.imp().dot);
        self.imp().words.set_label(&words);
    }
}
