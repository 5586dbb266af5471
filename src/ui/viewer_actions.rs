// SPDX-License-Identifier: GPL-3.0-or-later
//! What can be done about viewers, and who may not watch.

use std::{net::IpAddr, path::PathBuf};

use adw::prelude::*;
use gettextrs::gettext;
use gtk::{accessible::Property, gio, glib};
use studio::{
    audience::{Ban, csv},
    message::Command,
};

use super::{
    actions::Installer,
    bridge::Bridge,
    files,
    model::ViewerItem,
    window::Window,
    words::{self, fill},
};

/// Give the window these actions.
pub fn install(on: &Installer) {
    on.with::<u64>("kick", |window, bridge, id| {
        let viewer = viewer(bridge, id);
        bridge.command(Command::Kick(id));
        if let Some(viewer) = viewer {
            let text = fill(gettext("{name} was let go"), &[("name", &viewer.client())]);
            window.toast(&text);
        }
    });
    on.with::<u64>("ban", |_, bridge, id| bridge.command(Command::Ban(id)));
    on.with::<String>("unban", |_, bridge, address| {
        match address.parse::<IpAddr>() {
            Ok(address) => bridge.command(Command::Unban(address)),
            Err(e) => tracing::warn!(error = %e, "no address"),
        }
    });
    on.with::<u64>("note", |window, bridge, id| {
        if let Some(viewer) = viewer(bridge, id) {
            ask_note(window, &viewer);
        }
    });
    on.with::<(u64, String)>("set-note", |_, bridge, (id, note)| {
        bridge.command(Command::Note(id, note))
    });
    on.with::<u64>("look-up", |_, bridge, id| {
        bridge.command(Command::LookUp(id))
    });
    on.plain("show-bans", |window, bridge| {
        show_bans(window, &bridge.model().bans)
    });
    on.plain("save-history", |window, bridge| {
        let chosen = files::save_table(window);
        let table = csv(&bridge.studio().visits());
        let window = window.downgrade();
        glib::spawn_future_local(async move {
            let Some(path) = chosen.await else { return };
            let done = write(path.clone(), table).await;
            let Some(window) = window.upgrade() else {
                return;
            };
            let name = words::file(&path);
            window.toast(&match done {
                Ok(()) => fill(gettext("{name} was saved"), &[("name", &name)]),
                Err(why) => fill(
                    gettext("{name} cannot be written: {why}"),
                    &[("name", &name), ("why", &why)],
                ),
            });
        });
    });
}

fn viewer(bridge: &Bridge, id: u64) -> Option<ViewerItem> {
    bridge.model().viewers.get(id)
}

/// Disks may be slow.
async fn write(path: PathBuf, table: String) -> Result<(), String> {
    let done = gio::spawn_blocking(move || std::fs::write(path, table)).await;
    match done {
        Ok(done) => done.map_err(|e| e.to_string()),
        Err(_) => Err(gettext("it ended early")),
    }
}

fn ask_note(window: &Window, viewer: &ViewerItem) {
    let entry = gtk::Entry::builder()
        .text(viewer.note())
        .activates_default(true)
        .max_length(200)
        .build();
    let label = gettext("Note");
    entry.update_property(&[Property::Label(&label)]);
    let heading = fill(
        gettext("A note about {name}"),
        &[("name", &viewer.client())],
    );
    let body = gettext("Only you see it. It is kept in the history of this broadcast.");
    let question = adw::MessageDialog::new(Some(window), Some(&heading), Some(&body));
    question.set_extra_child(Some(&entry));
    question.add_responses(&[("cancel", &gettext("Cancel")), ("save", &gettext("Save"))]);
    question.set_response_appearance("save", adw::ResponseAppearance::Suggested);
    question.set_default_response(Some("save"));
    question.set_close_response("cancel");
    let (id, weak) = (viewer.id(), window.downgrade());
    question.connect_response(Some("save"), move |_, _| {
        if let Some(window) = weak.upgrade() {
            let note = (id, entry.text().to_string());
            gio::prelude::ActionGroupExt::activate_action(
                &window,
                "set-note",
                Some(&note.to_variant()),
            );
        }
    });
    question.present();
}

/// Who may not watch, each with a way back in.
fn show_bans(window: &Window, bans: &gio::ListStore) {
    let list = gtk::ListBox::builder()
        .selection_mode(gtk::SelectionMode::None)
        .valign(gtk::Align::Start)
        .margin_top(18)
        .margin_bottom(18)
        .margin_start(18)
        .margin_end(18)
        .css_classes(["boxed-list"])
        .build();
    let empty = adw::StatusPage::builder()
        .icon_name("emblem-ok-symbolic")
        .title(gettext("Nobody is banned"))
        .description(gettext(
            "Whoever is banned stays out until the broadcast ends.",
        ))
        .css_classes(["compact"])
        .build();
    list.set_placeholder(Some(&empty));
    list.bind_model(Some(bans), |item| {
        match item.downcast_ref::<glib::BoxedAnyObject>() {
            Some(ban) => ban_row(&ban.borrow::<Ban>()).upcast(),
            None => adw::ActionRow::new().upcast(),
        }
    });
    let scrolled = gtk::ScrolledWindow::builder()
        .hscrollbar_policy(gtk::PolicyType::Never)
        .vexpand(true)
        .child(&list)
        .build();
    let content = gtk::Box::new(gtk::Orientation::Vertical, 0);
    content.append(&adw::HeaderBar::new());
    content.append(&scrolled);
    let dialog = adw::Window::builder()
        .title(gettext("Banned addresses"))
        .transient_for(window)
        .modal(true)
        .default_width(420)
        .default_height(360)
        .content(&content)
        .build();
    // The rows' buttons act on the main window.
    let group = gio::SimpleActionGroup::new();
    if let Some(action) = window.lookup_action("unban") {
        group.add_action(&action);
    }
    dialog.insert_action_group("main", Some(&group));
    let close = gtk::Shortcut::new(
        Some(gtk::KeyvalTrigger::new(
            gtk::gdk::Key::Escape,
            gtk::gdk::ModifierType::empty(),
        )),
        Some(gtk::NamedAction::new("window.close")),
    );
    let keys = gtk::ShortcutController::new();
    keys.add_shortcut(close);
    dialog.add_controller(keys);
    dialog.present();
}

fn ban_row(ban: &Ban) -> adw::ActionRow {
    let address = ban.address.to_string();
    let client = words::client(&ban.agent);
    let who = match ban.note.is_empty() {
        true => client,
        false => format!("{client} – {}", ban.note),
    };
    let row = adw::ActionRow::builder()
        .title(&address)
        .subtitle(glib::markup_escape_text(&who))
        .build();
    let button = gtk::Button::builder()
        .label(gettext("Let in again"))
        .valign(gtk::Align::Center)
        .action_name("main.unban")
        .action_target(&address.to_variant())
        .build();
    let label = fill(gettext("Let {address} in again"), &[("address", &address)]);
    button.update_property(&[Property::Label(&label)]);
    row.add_suffix(&button);
    row
}
