// SPDX-License-Identifier: GPL-3.0-or-later
//! What the profile in use says of picture and network, and the engine is started with.

use std::rc::Rc;

use adw::prelude::*;
use gettextrs::gettext;
use gtk::{gio, glib};
use studio::{
    audience::Limits,
    settings::{Profile, units},
};

use super::rows;
use crate::ui::{
    bridge::Bridge,
    model::{Air, Broadcast},
    window::Window,
    words::fill,
};

/// Sizes of the picture to choose from.
const SIZES: [(u32, u32); 6] = [
    (640, 360),
    (854, 480),
    (1280, 720),
    (1600, 900),
    (1920, 1080),
    (2560, 1440),
];
/// Pictures per second to choose from.
const RATES: [u32; 6] = [15, 24, 25, 30, 50, 60];
/// Where remote controls look unless they are told another place.
const REMOTES: &str = "127.0.0.1:4455";

/// What the engine is started with.
pub(super) fn page(window: &Window, bridge: &Rc<Bridge>) -> adw::PreferencesPage {
    let page = rows::page(gettext("Picture and network"), "video-display-symbolic");
    let Some(keeping) = window.keeping() else {
        page.add(&rows::group(
            gettext("Demonstration"),
            &gettext("A demonstration keeps nothing, so there is nothing to set here."),
        ));
        return page;
    };
    let encoding = bridge.encoding();
    let profile = keeping.profile();
    let set = {
        let keeping = Rc::downgrade(&keeping);
        move |change: &dyn Fn(&mut Profile)| {
            if let Some(keeping) = keeping.upgrade() {
                keeping.change(change);
            }
        }
    };
    let picture = rows::group(gettext("Picture"), "");
    let wanted = profile.size.clone();
    let wanted = wanted.unwrap_or_else(|| format!("{}x{}", encoding.width, encoding.height));
    let mut sizes: Vec<String> = SIZES.iter().map(|(w, h)| format!("{w}x{h}")).collect();
    let size = rows::combo(gettext("Size"), &mut sizes, wanted, |s| {
        s.replace('x', " × ")
    });
    size.connect_selected_notify({
        let set = set.clone();
        move |row| {
            if let Some(size) = sizes.get(row.selected() as usize) {
                set(&|profile| profile.size = Some(size.clone()));
            }
        }
    });
    picture.add(&size);
    let wanted = profile.fps.unwrap_or(encoding.fps).to_string();
    let mut rates: Vec<String> = RATES.iter().map(u32::to_string).collect();
    let rate = rows::combo(gettext("Pictures per second"), &mut rates, wanted, |s| {
        s.into()
    });
    rate.connect_selected_notify({
        let set = set.clone();
        move |row| {
            if let Some(rate) = rates.get(row.selected() as usize) {
                set(&|profile| profile.fps = rate.parse().ok());
            }
        }
    });
    picture.add(&rate);
    page.add(&picture);

    let network = rows::group(gettext("Network"), "");
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
    for row in limits(&profile, &set) {
        network.add(&row);
    }
    page.add(&network);

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
    let can = glib::clone!(
        #[weak]
        restart,
        move |b: &Broadcast| {
            let idle = b.air() == Air::Off && !b.recording();
            restart.set_sensitive(idle);
            let why = gettext("End the broadcast and recordings first.");
            restart.set_tooltip_text(Some(why.as_str()).filter(|_| !idle));
        }
    );
    can(broadcast);
    broadcast.connect_air_notify(can.clone());
    broadcast.connect_recording_notify(can);
    again.add(&restart);
    page.add(&again);
    page
}

/// How many may watch, and how long one may take nothing.
fn limits(
    profile: &Profile,
    set: &(impl Fn(&dyn Fn(&mut Profile)) + Clone + 'static),
) -> [adw::ActionRow; 3] {
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
