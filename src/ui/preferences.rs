// SPDX-License-Identifier: GPL-3.0-or-later
//! What is set once: how Aerial behaves on this desktop, and what the profile in use says of picture and network that
//! holds from the next start on.

mod codecs;
mod general;
mod network;
mod next_start;
mod picture;
mod rows;

use std::rc::Rc;

use adw::prelude::*;
use gettextrs::gettext;

use super::{bridge::Bridge, window::Window};

/// The window, on the window of the broadcast.
pub fn window(window: &Window, bridge: &Rc<Bridge>) -> adw::PreferencesWindow {
    let preferences = adw::PreferencesWindow::builder()
        .transient_for(window)
        .destroy_with_parent(true)
        .accessible_role(gtk::AccessibleRole::Dialog)
        .modal(false)
        // Four short pages. Its button has no name either.
        .search_enabled(false)
        .title(gettext("Preferences"))
        .default_width(720)
        .default_height(660)
        .build();
    // Without it no action of the application is known there.
    preferences.set_application(window.application().as_ref());
    preferences.add(&general::page(window));
    preferences.add(&picture::page(window, bridge));
    preferences.add(&network::page(window, bridge));
    preferences.add(&codecs::page());
    preferences
}
