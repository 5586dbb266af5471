// SPDX-License-Identifier: GPL-3.0-or-later
//! Asks where an Icecast server is and how to get in. Stored passwords are never filled in: an empty field keeps
//! the one there is.

use std::{cell::RefCell, rc::Rc};

use adw::{prelude::*, subclass::prelude::*};
use gettextrs::gettext;
use gtk::{CompositeTemplate, glib};
use studio::{
    message::Command,
    output::{IcecastTarget, OutputSpec, Target},
};

use super::bridge::Bridge;

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "icecast_form.ui")]
    pub struct IcecastForm {
        #[template_child]
        pub heading: TemplateChild<gtk::Label>,
        #[template_child]
        pub host: TemplateChild<adw::EntryRow>,
        #[template_child]
        pub port: TemplateChild<gtk::SpinButton>,
        #[template_child]
        pub mount: TemplateChild<adw::EntryRow>,
        #[template_child]
        pub user: TemplateChild<adw::EntryRow>,
        #[template_child]
        pub password: TemplateChild<adw::PasswordEntryRow>,
        #[template_child]
        pub admin: TemplateChild<adw::ExpanderRow>,
        #[template_child]
        pub admin_user: TemplateChild<adw::EntryRow>,
        #[template_child]
        pub admin_password: TemplateChild<adw::PasswordEntryRow>,
        #[template_child]
        pub problem: TemplateChild<gtk::Label>,
        #[template_child]
        pub cancel: TemplateChild<gtk::Button>,
        #[template_child]
        pub done: TemplateChild<gtk::Button>,
        /// Name of the output being changed; `None` for a new one.
        pub changing: RefCell<Option<String>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for IcecastForm {
        const NAME: &'static str = "AerialIcecastForm";
        type Type = super::IcecastForm;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for IcecastForm {}
    impl WidgetImpl for IcecastForm {}
    impl BinImpl for IcecastForm {}
}

glib::wrapper! {
    /// Host, port, mount, user, password; admin credentials if wanted.
    pub struct IcecastForm(ObjectSubclass<imp::IcecastForm>)
        @extends gtk::Widget, adw::Bin,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

impl IcecastForm {
    /// Add to and change in this engine; `close` is called when the form is done with.
    pub fn bind(&self, bridge: &Rc<Bridge>, close: impl Fn() + Clone + 'static) {
        let imp = self.imp();
        imp.cancel.connect_clicked({
            let close = close.clone();
            move |_| close()
        });
        let finish = glib::clone!(
            #[weak(rename_to = form)]
            self,
            #[weak]
            bridge,
            move || match form.spec(&bridge) {
                Ok(spec) => {
                    bridge.command(Command::SetOutput(spec));
                    close();
                }
                Err(problem) => form.complain(&problem),
            }
        );
        for entry in [&*imp.host, &*imp.mount, &*imp.user, &*imp.admin_user] {
            let finish = finish.clone();
            entry.connect_entry_activated(move |_| finish());
        }
        for entry in [&*imp.password, &*imp.admin_password] {
            let finish = finish.clone();
            entry.connect_entry_activated(move |_| finish());
        }
        imp.done.connect_clicked(move |_| finish());
    }

    /// Begin with what is known of this output; a new one begins with what most servers have.
    pub fn start(&self, known: Option<(&str, &IcecastTarget)>) {
        let imp = self.imp();
        imp.changing
            .replace(known.map(|(name, _)| name.to_string()));
        let (heading, done) = match known {
            Some(_) => (gettext("Change Icecast server"), gettext("Apply")),
            None => (gettext("Add Icecast server"), gettext("Add")),
        };
        imp.heading.set_label(&heading);
        imp.done.set_label(&done);
        let target = known.map(|(_, target)| target);
        imp.host.set_text(target.map_or("", |t| &t.host));
        imp.port.set_value(target.map_or(8000.0, |t| t.port.into()));
        imp.mount
            .set_text(target.map_or("/live.webm", |t| &t.mount));
        imp.user.set_text(target.map_or("source", |t| &t.user));
        imp.password.set_text("");
        let admin = target.and_then(|t| t.admin.as_ref());
        imp.admin.set_enable_expansion(admin.is_some());
        imp.admin.set_expanded(admin.is_some());
        imp.admin_user
            .set_text(admin.map_or("admin", |(user, _)| user));
        imp.admin_password.set_text("");
        imp.problem.set_visible(false);
        match known {
            Some(_) => imp.password.grab_focus(),
            None => imp.host.grab_focus(),
        };
    }

    fn complain(&self, problem: &str) {
        self.imp().problem.set_label(problem);
        self.imp().problem.set_visible(true);
    }

    /// What was typed, or what is wrong with it.
    fn spec(&self, bridge: &Bridge) -> Result<OutputSpec, String> {
        let imp = self.imp();
        let changing = imp.changing.borrow().clone();
        let before = changing.as_ref().and_then(|name| bridge.output(name));
        let old = before.as_ref().and_then(|spec| {
            if let Target::Icecast(target) = &spec.target {
                return Some(target);
            }
            None
        });
        let text = |s: glib::GString| s.trim().to_string();
        let host = text(imp.host.text());
        if host.is_empty() || host.contains(['/', '@', ' ']) {
            return Err(gettext(
                "Enter the host name of the server, for example radio.example.org.",
            ));
        }
        let mount = match text(imp.mount.text()).trim_start_matches('/') {
            "" => return Err(gettext("Enter a mount, for example /live.webm.")),
            mount => format!("/{mount}"),
        };
        let password = match (imp.password.text().as_str(), old) {
            ("", Some(old)) => old.password.clone(),
            ("", None) => return Err(gettext("Enter the server’s source password.")),
            (typed, _) => typed.to_string(),
        };
        let admin = match imp.admin.enables_expansion() {
            false => None,
            true => {
                let kept = old
                    .and_then(|t| t.admin.as_ref())
                    .map(|(_, password)| password.clone());
                let password = match (imp.admin_password.text().as_str(), kept) {
                    ("", Some(kept)) => kept,
                    ("", None) => {
                        return Err(gettext(
                            "Enter the server’s admin password, or switch the listeners off.",
                        ));
                    }
                    (typed, _) => typed.to_string(),
                };
                Some((text(imp.admin_user.text()), password))
            }
        };
        let user = match text(imp.user.text()) {
            user if user.is_empty() => "source".to_string(),
            user => user,
        };
        let target = IcecastTarget {
            port: imp.port.value() as u16,
            host,
            mount,
            user,
            password,
            admin,
            // What this form does not show stays as it was.
            ..old.cloned().unwrap_or_default()
        };
        Ok(OutputSpec {
            name: changing
                .unwrap_or_else(|| bridge.free_name(&format!("{}{}", target.host, target.mount))),
            enabled: before.is_none_or(|spec| spec.enabled),
            target: Target::Icecast(target),
        })
    }
}
