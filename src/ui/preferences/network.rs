// SPDX-License-Identifier: GPL-3.0-or-later
//! Who may come in over the network, and how many.

use std::rc::Rc;

use adw::prelude::*;
use gettextrs::gettext;
use gtk::{gio, glib};
use studio::{
    audience::Limits,
    settings::{Profile, units},
};

use super::{
    next_start::{self, Set},
    rows,
};
use crate::ui::{bridge::Bridge, window::Window, words::fill};

/// Where remote controls look unless they are told another place.
const REMOTES: &str = "127.0.0.1:4455";

/// Remote controls and viewers.
pub(super) fn page(window: &Window, bridge: &Rc<Bridge>) -> adw::PreferencesPage {
    next_start::page(
        gettext("Network"),
        "network-wired-symbolic",
        window,
        bridge,
        |network, profile, set| {
            let at = profile.obs_websocket.clone();
            let (row, remotes) = rows::switch(
                gettext("Remote controls"),
                fill(
                    gettext(
                        "Programs and apps made for obs-websocket 5 may control Aerial, at {address}. They ask for a password.",
                    ),
                    &[("address", at.as_deref().unwrap_or(REMOTES))],
                ),
                at.is_some(),
            );
            remotes.connect_active_notify({
                let set = set.clone();
                move |switch| {
                    let at = at.clone().unwrap_or_else(|| REMOTES.into());
                    let at = Some(at).filter(|_| switch.is_active());
                    set(&|profile| profile.obs_websocket.clone_from(&at));
                }
            });
            row.add_prefix(&copy_password(window));
            network.add(&row);
            for row in limits(profile, &set) {
                network.add(&row);
            }
        },
    )
}

/// How many may watch, and how long one may take nothing.
fn limits(profile: &Profile, set: &Set) -> [adw::ActionRow; 3] {
    let usual = Limits::default();
    let stall = profile
        .max_stall
        .as_deref()
        .and_then(|s| units::time(s).ok());
    [
        rows::number(
            gettext("Most viewers at a time"),
            gettext("0 is any number."),
            (0, 100_000, profile.max_viewers.unwrap_or(usual.all)),
            set.clone(),
            |profile, n| profile.max_viewers = Some(n),
        ),
        rows::number(
            gettext("Most viewers of one address"),
            gettext("0 is any number. All in one house or school may have the same address."),
            (
                0,
                100_000,
                profile.max_viewers_per_address.unwrap_or(usual.per_address),
            ),
            set.clone(),
            |profile, n| profile.max_viewers_per_address = Some(n),
        ),
        rows::number(
            gettext("Seconds without receiving anything"),
            gettext(
                "Viewers that receive nothing for longer are disconnected; their players come back by themselves.",
            ),
            (1, 3600, stall.unwrap_or(usual.stall).as_secs() as usize),
            set.clone(),
            |profile, n| profile.max_stall = Some(format!("{n}s")),
        ),
    ]
}

/// What remote controls ask for: made when it is first needed, and kept in a file.
fn copy_password(window: &Window) -> gtk::Button {
    let copy = rows::button(
        "edit-copy-symbolic",
        &gettext("Copy the password for remote controls"),
    );
    copy.connect_clicked(glib::clone!(
        #[weak]
        window,
        move |button| {
            let read = gio::spawn_blocking(studio::settings::obs_password);
            let (window, clipboard) = (window.downgrade(), button.clipboard());
            glib::spawn_future_local(async move {
                let password = read.await.ok().and_then(Result::ok);
                if let Some(password) = &password {
                    clipboard.set_text(password);
                }
                let text = match password {
                    Some(_) => gettext("Password copied"),
                    None => gettext("The password cannot be read"),
                };
                if let Some(window) = window.upgrade() {
                    window.toast(&text);
                }
            });
        }
    ));
    copy
}
