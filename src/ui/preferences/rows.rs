// SPDX-License-Identifier: GPL-3.0-or-later
//! What the pages are made of.

use adw::prelude::*;
use studio::settings::Profile;

use super::next_start::Set;
use crate::ui::words::call;

pub(super) fn page(title: String, icon: &str) -> adw::PreferencesPage {
    adw::PreferencesPage::builder()
        .title(title)
        .icon_name(icon)
        .build()
}

pub(super) fn group(title: String, description: &str) -> adw::PreferencesGroup {
    adw::PreferencesGroup::builder()
        .title(title)
        .description(description)
        .build()
}

pub(super) fn switch(title: String, subtitle: String, on: bool) -> (adw::ActionRow, gtk::Switch) {
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

pub(super) fn button(icon: &str, name: &str) -> gtk::Button {
    let button = gtk::Button::builder()
        .icon_name(icon)
        .valign(gtk::Align::Center)
        .css_classes(["flat"])
        .build();
    call(&button, name);
    button
}

/// A row to choose one of these; what is in force is among them even if it is none of the usual.
pub(super) fn combo(
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

/// A row to set a number: from, to, and as it is.
pub(super) fn number(
    title: String,
    subtitle: String,
    (from, to, is): (usize, usize, usize),
    set: Set,
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
