// SPDX-License-Identifier: GPL-3.0-or-later
//! The picture that is broadcast.

use std::rc::Rc;

use adw::prelude::*;
use gettextrs::gettext;

use super::{next_start, rows};
use crate::ui::{bridge::Bridge, window::Window};

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

/// Its size and rate.
pub(super) fn page(window: &Window, bridge: &Rc<Bridge>) -> adw::PreferencesPage {
    let encoding = bridge.encoding();
    next_start::page(
        gettext("Picture"),
        "video-display-symbolic",
        window,
        bridge,
        |picture, profile, set| {
            let wanted = profile.size.clone();
            let wanted =
                wanted.unwrap_or_else(|| format!("{}x{}", encoding.width, encoding.height));
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
        },
    )
}
