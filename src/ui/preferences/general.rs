// SPDX-License-Identifier: GPL-3.0-or-later
//! How Aerial behaves on this desktop.

use adw::prelude::*;
use gettextrs::gettext;
use gtk::{gio, glib};

use super::rows;
use crate::ui::{
    files,
    keeping::{Closing, Habits},
    window::Window,
};

pub(super) fn page(window: &Window) -> adw::PreferencesPage {
    let page = rows::page(gettext("General"), "preferences-system-symbolic");
    let habits = window.habits();
    let live = rows::group(gettext("While live or recording"), "");
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
    let (row, awake) = rows::switch(
        gettext("Keep this computer awake"),
        gettext("It does not go to sleep or lock the screen by itself."),
        habits.awake,
    );
    awake.connect_active_notify(change(|habits, on| habits.awake = on));
    live.add(&row);
    let (row, tell) = rows::switch(
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

    let recordings = rows::group(gettext("Recordings"), "");
    recordings.add(&folder(window));
    page.add(&recordings);

    let keys = rows::group(gettext("Keyboard"), "");
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
    let (row, switch) = rows::switch(
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
    let choose = rows::button(
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
