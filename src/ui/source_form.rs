// SPDX-License-Identifier: GPL-3.0-or-later
//! Asks for what a source needs before it can be added: the address of a link, the name of pictures.

use std::{cell::Cell, rc::Rc};

use gettextrs::gettext;
use gtk::{CompositeTemplate, accessible::Property, glib, prelude::*, subclass::prelude::*};
use studio::{message::MediaKind, source::Spec};

use super::{
    bridge::Bridge,
    intake,
    staging::{self, Place},
    words::fill,
};

/// What is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wanted {
    /// The address of a stream.
    #[default]
    Link,
    /// The name under which another program sends pictures.
    Frames,
}

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "source_form.ui")]
    pub struct SourceForm {
        #[template_child]
        pub heading: TemplateChild<gtk::Label>,
        #[template_child]
        pub entry: TemplateChild<gtk::Entry>,
        #[template_child]
        pub hint: TemplateChild<gtk::Label>,
        #[template_child]
        pub problem: TemplateChild<gtk::Label>,
        #[template_child]
        pub cancel: TemplateChild<gtk::Button>,
        #[template_child]
        pub done: TemplateChild<gtk::Button>,
        pub wanted: Cell<Wanted>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for SourceForm {
        const NAME: &'static str = "AerialSourceForm";
        type Type = super::SourceForm;
        type ParentType = gtk::Box;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for SourceForm {}
    impl WidgetImpl for SourceForm {}
    impl BoxImpl for SourceForm {}
}

glib::wrapper! {
    /// One line to fill in.
    pub struct SourceForm(ObjectSubclass<imp::SourceForm>)
        @extends gtk::Widget, gtk::Box,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget, gtk::Orientable;
}

impl SourceForm {
    /// Add to this engine; `close` is called when the form is done with.
    pub fn bind(&self, bridge: &Rc<Bridge>, close: impl Fn() + Clone + 'static) {
        let imp = self.imp();
        imp.cancel.connect_clicked({
            let close = close.clone();
            move |_| close()
        });
        let keys = gtk::ShortcutController::new();
        keys.add_shortcut(
            gtk::Shortcut::builder()
                .trigger(&gtk::KeyvalTrigger::new(
                    gtk::gdk::Key::Escape,
                    gtk::gdk::ModifierType::empty(),
                ))
                .action(&gtk::CallbackAction::new({
                    let close = close.clone();
                    move |_, _| {
                        close();
                        glib::Propagation::Stop
                    }
                }))
                .build(),
        );
        self.add_controller(keys);
        let finish = glib::clone!(
            #[weak(rename_to = form)]
            self,
            #[weak]
            bridge,
            move || match form.specs() {
                Ok(specs) => {
                    close();
                    glib::spawn_future_local(async move {
                        staging::add(&bridge, specs, Place::Free).await;
                    });
                }
                Err(problem) => {
                    form.imp().problem.set_label(&problem);
                    form.imp().problem.set_visible(true);
                }
            }
        );
        imp.entry.connect_activate({
            let finish = finish.clone();
            move |_| finish()
        });
        imp.done.connect_clicked(move |_| finish());
        imp.entry.connect_changed(glib::clone!(
            #[weak(rename_to = form)]
            self,
            #[weak]
            bridge,
            move |_| {
                form.imp().problem.set_visible(false);
                form.show_hint(&bridge);
            }
        ));
    }

    /// Begin to ask.
    pub fn start(&self, wanted: Wanted, bridge: &Bridge) {
        let imp = self.imp();
        imp.wanted.set(wanted);
        let (heading, label, text) = match wanted {
            Wanted::Link => (gettext("Add link"), gettext("Address"), ""),
            Wanted::Frames => (
                gettext("Pictures from a program"),
                // Translators: of the pictures that another program sends
                gettext("Name of the pictures"),
                "pictures",
            ),
        };
        imp.heading.set_label(&heading);
        imp.entry.update_property(&[Property::Label(&label)]);
        imp.entry.set_placeholder_text(Some(&label));
        imp.entry.set_text(text);
        imp.problem.set_visible(false);
        self.show_hint(bridge);
        imp.entry.grab_focus();
    }

    fn show_hint(&self, bridge: &Bridge) {
        let imp = self.imp();
        let hint = match imp.wanted.get() {
            Wanted::Link => gettext(
                "A stream or film elsewhere: rtsp://, http://, https://, rtmp:// or srt://.",
            ),
            Wanted::Frames => {
                let address = bridge.frames_address(imp.entry.text().trim());
                fill(
                    gettext(
                        "The program sends each picture to {address} by HTTP PUT, with the API token.",
                    ),
                    &[("address", &address)],
                )
            }
        };
        imp.hint.set_label(&hint);
    }

    /// What was typed, or what is wrong with it.
    fn specs(&self) -> Result<Vec<Spec>, String> {
        let imp = self.imp();
        let text = imp.entry.text();
        let text = text.trim();
        match imp.wanted.get() {
            Wanted::Link => intake::link(text),
            Wanted::Frames => Spec::parse(MediaKind::Video, &format!("frames:{text}"))
                .map(|spec| vec![spec])
                .map_err(|_| {
                    gettext("Use up to 64 letters, digits, “-”, “_” and “.”, without spaces.")
                }),
        }
    }
}
