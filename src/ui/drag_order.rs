// SPDX-License-Identifier: GPL-3.0-or-later
//! Rows that change their order: dragged, or moved with Alt and the arrow keys.

use std::rc::Rc;

use gettextrs::gettext;
use gtk::{gdk, glib, prelude::*};

use super::{
    bridge::Bridge,
    drag::{self, Dragged},
    model::SourceItem,
    sources::SourcesPanel,
    staging,
    words::fill,
};

/// Let this row be moved, and others be dropped before and after it.
pub fn install(row: &impl IsA<gtk::Widget>, item: &SourceItem, bridge: &Rc<Bridge>) {
    let row: &gtk::Widget = row.as_ref();
    let (id, picture) = (item.id(), item.picture());
    let keys = gtk::ShortcutController::new();
    for (key, down) in [(gdk::Key::Up, false), (gdk::Key::Down, true)] {
        let act = glib::clone!(
            #[weak]
            bridge,
            #[upgrade_or]
            glib::Propagation::Proceed,
            move |row: &gtk::Widget, _: Option<&glib::Variant>| {
                if let Some(panel) = panel_of(row) {
                    panel.keep_focus(id);
                }
                staging::nudge(&bridge, id, down);
                glib::Propagation::Stop
            }
        );
        let trigger = gtk::KeyvalTrigger::new(key, gdk::ModifierType::ALT_MASK);
        keys.add_shortcut(gtk::Shortcut::new(
            Some(trigger),
            Some(gtk::CallbackAction::new(act)),
        ));
    }
    row.add_controller(keys);

    let target = gtk::DropTarget::new(Dragged::static_type(), gdk::DragAction::COPY);
    target.set_preload(true);
    let alike = move |target: &gtk::DropTarget| match target.value()?.get::<Dragged>().ok()? {
        Dragged::Source {
            id: other,
            picture: p,
        } if other != id && p == picture => Some(other),
        Dragged::Source { .. } | Dragged::Device { .. } => None,
    };
    target.connect_motion(glib::clone!(
        #[weak]
        row,
        #[weak]
        item,
        #[upgrade_or]
        gdk::DragAction::empty(),
        move |target, _, y| {
            if alike(target).is_none() {
                return gdk::DragAction::empty();
            }
            let after = lower_half(&row, y);
            mark(&row, Some(after));
            let text = match after {
                true => gettext("Move it below {name}"),
                false => gettext("Move it above {name}"),
            };
            if let Some(panel) = panel_of(&row) {
                panel.hint(Some(&fill(text, &[("name", &item.name())])));
            }
            gdk::DragAction::COPY
        }
    ));
    target.connect_leave(glib::clone!(
        #[weak]
        row,
        move |_| {
            mark(&row, None);
            if let Some(panel) = panel_of(&row) {
                panel.hint(None);
            }
        }
    ));
    target.connect_drop(glib::clone!(
        #[weak]
        row,
        #[weak]
        bridge,
        #[upgrade_or]
        false,
        move |target, _, _, y| {
            mark(&row, None);
            drag::finish(&row);
            let Some(other) = alike(target) else {
                return false;
            };
            staging::move_to(&bridge, other, id, lower_half(&row, y));
            true
        }
    ));
    row.add_controller(target);
}

fn panel_of(row: &gtk::Widget) -> Option<SourcesPanel> {
    row.ancestor(SourcesPanel::static_type()).and_downcast()
}

fn lower_half(row: &gtk::Widget, y: f64) -> bool {
    y > f64::from(row.height()) / 2.0
}

/// A line above or below the row, where the other one will stand.
fn mark(row: &gtk::Widget, after: Option<bool>) {
    for (class, wanted) in [
        ("drop-before", after == Some(false)),
        ("drop-after", after == Some(true)),
    ] {
        match wanted {
            true => row.add_css_class(class),
            false => row.remove_css_class(class),
        }
    }
}
