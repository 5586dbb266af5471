// SPDX-License-Identifier: GPL-3.0-or-later
//! What the profile in use says, and the engine is started with.

use std::rc::Rc;

use adw::prelude::*;
use gettextrs::gettext;
use gtk::glib;
use studio::settings::Profile;

use super::rows;
use crate::ui::{
    bridge::Bridge,
    model::{Air, Broadcast},
    window::Window,
};

/// Changes the profile in use.
pub(super) type Set = Rc<dyn Fn(&dyn Fn(&mut Profile))>;

/// A page of what the profile says. A demonstration has none.
pub(super) fn page(
    title: String,
    icon: &str,
    window: &Window,
    bridge: &Rc<Bridge>,
    fill: impl FnOnce(&adw::PreferencesGroup, &Profile, Set),
) -> adw::PreferencesPage {
    let page = rows::page(title, icon);
    let Some(keeping) = window.keeping() else {
        page.add(&rows::group(
            gettext("Demonstration"),
            &gettext("A demonstration keeps nothing, so there is nothing to set here."),
        ));
        return page;
    };
    let group = rows::group(String::new(), "");
    let profile = keeping.profile();
    let keeping = Rc::downgrade(&keeping);
    let set = move |change: &dyn Fn(&mut Profile)| {
        if let Some(keeping) = keeping.upgrade() {
            keeping.change(change);
        }
    };
    fill(&group, &profile, Rc::new(set));
    page.add(&group);
    page.add(&again(bridge));
    page
}

/// How it takes effect.
fn again(bridge: &Rc<Bridge>) -> adw::PreferencesGroup {
    let again = rows::group(
        String::new(),
        &gettext("These take effect when Aerial starts again."),
    );
    let restart = gtk::Button::builder()
        .label(gettext("Start again now"))
        .halign(gtk::Align::Start)
        .action_name("app.restart")
        .build();
    let broadcast = &bridge.model().broadcast;
    show_whether_now(&restart, broadcast);
    for property in ["air", "recording"] {
        // Ends with the button: the preferences are made anew each time.
        let follow = glib::closure_local!(
            #[watch]
            restart,
            move |broadcast: &Broadcast, _: glib::ParamSpec| show_whether_now(restart, broadcast)
        );
        broadcast.connect_closure(&format!("notify::{property}"), false, follow);
    }
    again.add(&restart);
    again
}

fn show_whether_now(restart: &gtk::Button, broadcast: &Broadcast) {
    let idle = broadcast.air() == Air::Off && !broadcast.recording();
    restart.set_sensitive(idle);
    let why = gettext("End the broadcast and recordings first.");
    restart.set_tooltip_text(Some(why.as_str()).filter(|_| !idle));
}
