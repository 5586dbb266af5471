// SPDX-License-Identifier: GPL-3.0-or-later
//! What can be encoded here, and what could be with one package more.

use adw::prelude::*;
use gettextrs::gettext;
use gtk::glib;
use studio::message::MediaKind;

use super::rows;
use crate::ui::codec_choice::{self, Choice};

/// What can be encoded here, and what could be with one package more.
pub(super) fn page() -> adw::PreferencesPage {
    let page = rows::page(gettext("Codecs"), "applications-multimedia-symbolic");
    for (title, media) in [
        (gettext("Picture"), MediaKind::Video),
        (gettext("Sound"), MediaKind::Audio),
    ] {
        let group = rows::group(title, "");
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
