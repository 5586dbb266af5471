// SPDX-License-Identifier: GPL-3.0-or-later
//! What is set once: how Aerial behaves on this desktop, and what the profile in use says of picture and network that
//! holds from the next start on.

use std::rc::Rc;

use adw::prelude::*;
use gettextrs::gettext;
use gtk::{gio, glib};
use studio::{
    audience::Limits,
    message::MediaKind,
    settings::{Profile, units},
};

use super::{
    bridge::Bridge,
    codec_choice::{self, Choice},
    files,
    keeping::{Closing, Habits},
    model::Air,
    window::Window,
    words::{call, fill},
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

/// The window, on the window of the broadcast.
pub fn window(window: &Window, bridge: &Rc<Bridge>) -> adw::PreferencesWindow {
    let preferences = adw::PreferencesWindow::builder()
        .transient_for(window)
        .destroy_with_parent(true)
        .accessible_role(gtk::AccessibleRole::Dialog)
        .modal(false)
        // Three short pages. Its button has no name either.
        .search_enabled(false)
        .title(gettext("Preferences"))
        .default_width(640)
        .default_height(660)
        .build();
    // Without it no action of the application is known there.
    preferences.set_application(window.application().as_ref());
    preferences.add(&general(window));
    preferences.add(&picture(window, bridge));
    preferences.add(&codecs());
    preferences
}

fn page(title: String, icon: &str) -> adw::PreferencesPage {
    adw::PreferencesPage::builder()
        .title(title)
        .icon_name(icon)
        .build()
}

fn group(title: String, description: &str) -> adw::PreferencesGroup {
    adw::PreferencesGroup::builder()
        .title(title)
        .description(description)
        .build()
}

fn switch(title: String, subtitle: String, on: bool) -> (adw::ActionRow, gtk::Switch) {
    let switch = gtk::Switch::builder()
        .active(on)
        .valign(gtk::Align::Center)
        .build();
    // The row gives the switch its name.
    let row = adw::ActionRow::builder()
        .title(title)
        .subtitle(subtitle)
        .activatable_widget(&switch)
        .build();
    row.add_suffix(&switch);
    (row, switch)
}

fn button(icon: &str, name: &str) -> gtk::Button {
    let button = gtk::Button::builder()
        .icon_name(icon)
        .valign(gtk::Align::Center)
        .css_classes(["flat"])
        .build();
    call(&button, name);
    button
}

fn general(window: &Window) -> adw::PreferencesPage {
    let page = page(gettext("General"), "preferences-system-symbolic");
    let habits = window.habits();
    let live = group(gettext("While live or recording"), "");
    let change = |change: fn(&mut Habits, bool)| {
        glib::clone!(
            #[weak]
            window,
            move |switch: &gtk::Switch| {
                let mut habits = window.habits();
                change(&mut habits, switch.is_active());
                window.set_habits(habits);
            }
        )
    };
    let (row, awake) = switch(
        gettext("Keep this computer awake"),
        gettext("It does not go to sleep or lock the screen by itself."),
        habits.awake,
    );
    awake.connect_active_notify(change(|habits, on| habits.awake = on));
    live.add(&row);
    let (row, tell) = switch(
        gettext("Notifications"),
        gettext(
            "When an output does not work, and when the first viewer comes, unless you look at the window.",
        ),
        habits.tell,
    );
    tell.connect_active_notify(change(|habits, on| habits.tell = on));
    live.add(&row);
    let choices = [
        (Closing::Ask, gettext("Ask")),
        (Closing::Background, gettext("Go on in the background")),
        (Closing::End, gettext("End")),
    ];
    let names: Vec<&str> = choices.iter().map(|(_, name)| name.as_str()).collect();
    let chosen = choices.iter().position(|(c, _)| *c == habits.closing);
    let closing = adw::ComboRow::builder()
        .title(gettext("When the window is closed"))
        .model(&gtk::StringList::new(&names))
        .selected(chosen.unwrap_or(0) as u32)
        .build();
    closing.connect_selected_notify(glib::clone!(
        #[weak]
        window,
        move |row| {
            if let Some((closing, _)) = choices.get(row.selected() as usize) {
                window.set_habits(Habits {
                    closing: *closing,
                    ..window.habits()
                });
            }
        }
    ));
    live.add(&closing);
    page.add(&live);

    let recordings = group(gettext("Recordings"), "");
    recordings.add(&folder(window));
    page.add(&recordings);

    let keys = group(gettext("Keyboard"), "");
    let row = adw::ActionRow::builder()
        .title(gettext("Keyboard shortcuts"))
        .activatable(true)
        .build();
    row.add_suffix(&gtk::Image::from_icon_name("go-next-symbolic"));
    row.connect_activated(glib::clone!(
        #[weak]
        window,
        move |_| gio::prelude::ActionGroupExt::activate_action(&window, "show-help-overlay", None)
    ));
    keys.add(&row);
    keys.add(&anywhere(window));
    page.add(&keys);
    page
}

/// Keys that the desktop gives, and what has become of them.
fn anywhere(window: &Window) -> adw::ActionRow {
    let (row, switch) = switch(
        gettext("Keys that work in every program"),
        String::new(),
        window.habits().anywhere,
    );
    let keys = window.anywhere();
    let show = glib::clone!(
        #[weak]
        window,
        #[weak]
        row,
        #[weak]
        switch,
        move || {
            let idle = gettext(
                "To go live, to record and to mute the microphones. The desktop asks which.",
            );
            let words = window.anywhere().keys().words();
            row.set_subtitle(&glib::markup_escape_text(&words.unwrap_or(idle)));
            // Whoever was asked may have said no.
            if switch.is_active() != window.habits().anywhere {
                switch.set_active(window.habits().anywhere);
            }
        }
    );
    show();
    keys.connect_changed(show);
    switch.connect_active_notify(glib::clone!(
        #[weak]
        window,
        move |switch| {
            let habits = window.habits();
            if habits.anywhere != switch.is_active() {
                window.set_habits(Habits {
                    anywhere: switch.is_active(),
                    ..habits
                });
            }
        }
    ));
    row
}

/// Where recordings go.
fn folder(window: &Window) -> adw::ActionRow {
    let row = adw::ActionRow::builder()
        .title(gettext("Folder"))
        .subtitle(files::recordings(window).to_string_lossy())
        .build();
    let choose = button(
        "folder-open-symbolic",
        &gettext("Choose the folder of recordings"),
    );
    choose.connect_clicked(glib::clone!(
        #[weak]
        window,
        #[weak]
        row,
        move |_| {
            let chosen = files::choose_folder(&window);
            let window = window.downgrade();
            let row = row.downgrade();
            glib::spawn_future_local(async move {
                let (Some(path), Some(window), Some(row)) =
                    (chosen.await, window.upgrade(), row.upgrade())
                else {
                    return;
                };
                window.set_habits(Habits {
                    recordings: Some(path),
                    ..window.habits()
                });
                row.set_subtitle(&files::recordings(&window).to_string_lossy());
            });
        }
    ));
    row.add_suffix(&choose);
    row
}

/// What the engine is started with.
fn picture(window: &Window, bridge: &Rc<Bridge>) -> adw::PreferencesPage {
    let page = page(gettext("Picture and network"), "video-display-symbolic");
    let Some(keeping) = window.keeping() else {
        page.add(&group(
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
    let picture = group(gettext("Picture"), "");
    let wanted = profile.size.clone();
    let wanted = wanted.unwrap_or_else(|| format!("{}x{}", encoding.width, encoding.height));
    let mut sizes: Vec<String> = SIZES.iter().map(|(w, h)| format!("{w}x{h}")).collect();
    let size = combo(gettext("Size"), &mut sizes, wanted, |s| {
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
    let rate = combo(gettext("Pictures per second"), &mut rates, wanted, |s| {
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

    let network = group(gettext("Network"), "");
    let at = profile.obs_websocket.clone();
    let (row, remotes) = switch(
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

    let again = group(
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
        move |b: &super::model::Broadcast| {
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
        number(
            gettext("Most viewers at a time"),
            gettext("0 is any number."),
            (0, 100_000, profile.max_viewers.unwrap_or(usual.all)),
            set.clone(),
            |profile, n| profile.max_viewers = Some(n),
        ),
        number(
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
        number(
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

/// A row to set a number: from, to, and as it is.
fn number(
    title: String,
    subtitle: String,
    (from, to, is): (usize, usize, usize),
    set: impl Fn(&dyn Fn(&mut Profile)) + 'static,
    change: fn(&mut Profile, usize),
) -> adw::ActionRow {
    let spin = gtk::SpinButton::with_range(from as f64, to as f64, 1.0);
    spin.set_value(is as f64);
    spin.set_valign(gtk::Align::Center);
    spin.connect_value_changed(move |spin| {
        let n = spin.value_as_int().max(0) as usize;
        set(&|profile| change(profile, n));
    });
    let row = adw::ActionRow::builder()
        .title(title)
        .subtitle(subtitle)
        .activatable_widget(&spin)
        .build();
    row.add_suffix(&spin);
    row
}

/// What remote controls ask for: made when it is first needed, and kept in a file.
fn copy_password(window: &Window) -> gtk::Button {
    let copy = button(
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

/// A row to choose one of these; what is in force is among them even if it is none of the usual.
fn combo(
    title: String,
    all: &mut Vec<String>,
    wanted: String,
    shown: impl Fn(&str) -> String,
) -> adw::ComboRow {
    if !all.contains(&wanted) {
        all.push(wanted.clone());
    }
    let names: Vec<String> = all.iter().map(|s| shown(s)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let at = all.iter().position(|s| *s == wanted).unwrap_or(0);
    adw::ComboRow::builder()
        .title(title)
        .model(&gtk::StringList::new(&names))
        .selected(at as u32)
        .build()
}

/// What can be encoded here, and what could be with one package more.
fn codecs() -> adw::PreferencesPage {
    let page = page(gettext("Codecs"), "applications-multimedia-symbolic");
    for (title, media) in [
        (gettext("Picture"), MediaKind::Video),
        (gettext("Sound"), MediaKind::Audio),
    ] {
        let group = group(title, "");
        for choice in codec_choice::choices(media) {
            group.add(&codec(&choice));
        }
        page.add(&group);
    }
    page
}

fn codec(choice: &Choice) -> adw::ActionRow {
    let row = adw::ActionRow::builder()
        .title(glib::markup_escape_text(&choice.label))
        .subtitle(glib::markup_escape_text(&choice.detail))
        .build();
    let (icon, state) = match choice.works {
        true => ("emblem-ok-symbolic", gettext("Works")),
        false => ("action-unavailable-symbolic", gettext("Does not work here")),
    };
    let image = gtk::Image::from_icon_name(icon);
    image.set_tooltip_text(Some(&state));
    image.update_property(&[gtk::accessible::Property::Label(&state)]);
    row.add_suffix(&image);
    row
}
