// SPDX-License-Identifier: GPL-3.0-or-later
//! Actions whose state is what the engine says. A toggle button bound to one asks when it is clicked, and looks
//! pressed once the news has come that it is so.

use gtk::{gio, glib, prelude::*};

/// A group of such actions for one widget and what is in it.
#[derive(Debug, Clone, Default)]
pub struct States(gio::SimpleActionGroup);

impl States {
    /// An empty group under this name. The widget must not stand in a window yet: GTK 4.8 does not tell the widgets
    /// inside it of groups that come later.
    pub fn install(widget: &impl IsA<gtk::Widget>, name: &str) -> States {
        let states = States::default();
        states.attach(widget, name);
        states
    }

    /// Give this group to a widget that does not stand in a window yet.
    pub fn attach(&self, widget: &impl IsA<gtk::Widget>, name: &str) {
        widget.insert_action_group(name, Some(&self.0));
    }

    /// Something to do.
    pub fn plain(&self, name: &str, act: impl Fn() + 'static) {
        let action = gio::SimpleAction::new(name, None);
        action.connect_activate(move |_, _| act());
        self.0.add_action(&action);
    }

    /// On or off; `ask` is called with what is wanted.
    pub fn flag(&self, name: &str, ask: impl Fn(bool) + 'static) {
        let action = gio::SimpleAction::new_stateful(name, None, &false.to_variant());
        action.connect_activate(move |action, _| {
            let on = action.state().and_then(|s| s.get()).unwrap_or(false);
            ask(!on);
        });
        self.0.add_action(&action);
    }

    /// One of several; `ask` is called with the one that is wanted.
    pub fn choice(&self, name: &str, ask: impl Fn(&str) + 'static) {
        let (kind, none) = (glib::VariantTy::STRING, "".to_variant());
        let action = gio::SimpleAction::new_stateful(name, Some(kind), &none);
        action.connect_activate(move |_, target| {
            if let Some(wanted) = target.and_then(|t| t.str()) {
                ask(wanted);
            }
        });
        self.0.add_action(&action);
    }

    /// It is on, or off.
    pub fn show_flag(&self, name: &str, on: bool) {
        self.show(name, &on.to_variant());
    }

    /// It is this one.
    pub fn show_choice(&self, name: &str, which: &str) {
        self.show(name, &which.to_variant());
    }

    fn show(&self, name: &str, state: &glib::Variant) {
        let action = self.0.lookup_action(name);
        if let Some(action) = action.and_downcast::<gio::SimpleAction>() {
            action.set_state(state);
        }
    }
}
