// SPDX-License-Identifier: GPL-3.0-or-later
//! The bar under the header: what was refused or has to be known, until it is dismissed.

use adw::subclass::prelude::*;
use gtk::{CompositeTemplate, glib};

use super::model::Broadcast;

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "notice_bar.ui")]
    pub struct NoticeBar {
        #[template_child]
        pub revealer: TemplateChild<gtk::Revealer>,
        #[template_child]
        pub label: TemplateChild<gtk::Label>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for NoticeBar {
        const NAME: &'static str = "AerialNoticeBar";
        type Type = super::NoticeBar;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
            class.set_accessible_role(gtk::AccessibleRole::Alert);
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for NoticeBar {}
    impl WidgetImpl for NoticeBar {}
    impl BinImpl for NoticeBar {}
}

glib::wrapper! {
    /// One message, shown while there is one.
    pub struct NoticeBar(ObjectSubclass<imp::NoticeBar>)
        @extends gtk::Widget, adw::Bin,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

impl NoticeBar {
    /// Follow this broadcast.
    pub fn bind(&self, broadcast: &Broadcast) {
        let imp = self.imp();
        broadcast.connect_notice_notify(glib::clone!(
            #[weak(rename_to = bar)]
            self,
            move |b| bar.show_notice(&b.notice())
        ));
        imp.revealer.set_reveal_child(false);
        self.show_notice(&broadcast.notice());
    }

    fn show_notice(&self, text: &str) {
        let imp = self.imp();
        imp.revealer.set_reveal_child(!text.is_empty());
        // The old words stay while the bar slides away.
        if !text.is_empty() {
            imp.label.set_label(text);
        }
    }
}
