// SPDX-License-Identifier: GPL-3.0-or-later
//! The profiles in the header: which one is in use, and what can be done with them.

use std::rc::Rc;

use adw::prelude::*;
use gettextrs::gettext;
use gtk::{accessible::Property, gio, glib};
use studio::{
    encode::EncodeSettings,
    message::{AirState, Command},
    settings::Profile,
};

use super::{
    bridge::Bridge,
    files, first_sources,
    keeping::{self, FIRST, Keeping, clean, free_name, names, recall},
    launch::{self, Load},
    model::OutputItem,
    model::items,
    notice,
    window::Window,
    words::{self, fill},
};

type Act = Box<dyn Fn(&Window, &Rc<Bridge>, &Rc<Keeping>)>;

/// Give the window its actions on profiles.
pub fn install(window: &Window, bridge: &Rc<Bridge>, load: Load) {
    let add = |name: &str, act: Act| {
        let action = gio::SimpleAction::new(name, None);
        let (window_of, bridge) = (window.downgrade(), Rc::downgrade(bridge));
        action.connect_activate(move |_, _| {
            if let (Some(window), Some(bridge)) = (window_of.upgrade(), bridge.upgrade())
                && let Some(keeping) = window.keeping()
            {
                act(&window, &bridge, &keeping);
            }
        });
        window.add_action(&action);
    };
    add(
        "new-profile",
        Box::new(move |window, bridge, _| {
            let change = changer(window, bridge, load);
            ask_name(
                window,
                &gettext("New profile"),
                &gettext("It begins with the camera and the microphone that are there."),
                &free_name(&gettext("New profile")),
                move |name| change(free_name(&name)),
            );
        }),
    );
    add(
        "duplicate-profile",
        Box::new(move |window, bridge, keeping| {
            let change = changer(window, bridge, load);
            let (bridge, base) = (bridge.clone(), keeping.profile());
            ask_name(
                window,
                &gettext("Duplicate the profile"),
                &gettext(
                    "Everything is as it is now. What you change afterwards is saved in the new one.",
                ),
                &free_name(&keeping.name()),
                move |name| duplicate(&bridge, &base, free_name(&name), change.clone()),
            );
        }),
    );
    add(
        "export-profile",
        Box::new(|window, bridge, keeping| export(window, bridge, keeping)),
    );
    add(
        "delete-profile",
        Box::new(move |window, bridge, keeping| {
            let name = keeping.name();
            match is_busy(bridge) {
                true => tell_busy(bridge, &title(&name)),
                false => ask_delete(window, &name, changer(window, bridge, load)),
            }
        }),
    );
    let chosen =
        gio::SimpleAction::new_stateful("profile", Some(glib::VariantTy::STRING), &"".to_variant());
    let change = changer(window, bridge, load);
    chosen.connect_change_state(move |action, wanted| {
        let (Some(wanted), now) = (wanted.and_then(String::from_variant), action.state()) else {
            return;
        };
        if now.and_then(|n| String::from_variant(&n)).as_ref() != Some(&wanted) {
            change(wanted);
        }
    });
    window.add_action(&chosen);
}

/// Tell which profile is in use, and which others there are.
pub fn show(window: &Window) {
    let Some(keeping) = window.keeping() else {
        return;
    };
    let name = keeping.name();
    let button = window.profile_button();
    let shown = title(&name);
    if let Some(label) = button.child().and_downcast::<gtk::Label>() {
        label.set_label(&shown);
    }
    let label = fill(gettext("Profile {name}"), &[("name", &shown)]);
    button.update_property(&[Property::Label(&label)]);
    button.set_visible(true);
    if let Some(action) = window
        .lookup_action("profile")
        .and_downcast::<gio::SimpleAction>()
    {
        action.set_state(&name.to_variant());
    }
    let button = button.downgrade();
    glib::spawn_future_local(async move {
        let all = gio::spawn_blocking(names).await.unwrap_or_default();
        if let Some(button) = button.upgrade() {
            button.set_menu_model(Some(&menu(&name, all)));
        }
    });
}

/// The first one has a name that nobody gave it.
fn title(name: &str) -> String {
    match name {
        FIRST => gettext("Default"),
        name => name.to_string(),
    }
}

fn menu(name: &str, mut all: Vec<String>) -> gio::Menu {
    // It is not saved before something is changed.
    if !all.iter().any(|n| n == name) {
        all.insert(0, name.to_string());
    }
    let profiles = gio::Menu::new();
    for name in &all {
        let item = gio::MenuItem::new(Some(&title(name).replace('_', "__")), None);
        item.set_action_and_target_value(Some("win.profile"), Some(&name.to_variant()));
        profiles.append_item(&item);
    }
    let more = gio::Menu::new();
    for (label, action) in [
        (gettext("New…"), "win.new-profile"),
        (gettext("Duplicate…"), "win.duplicate-profile"),
        (gettext("Export without passwords…"), "win.export-profile"),
        (gettext("Delete…"), "win.delete-profile"),
    ] {
        more.append(Some(&label), Some(action));
    }
    let menu = gio::Menu::new();
    menu.append_section(None, &profiles);
    menu.append_section(None, &more);
    menu
}

type Change = Rc<dyn Fn(String)>;

/// Changes to the profile of a name.
fn changer(window: &Window, bridge: &Rc<Bridge>, load: Load) -> Change {
    let (window, bridge) = (window.downgrade(), Rc::downgrade(bridge));
    Rc::new(move |name| {
        if let (Some(window), Some(bridge)) = (window.upgrade(), bridge.upgrade()) {
            glib::spawn_future_local(async move {
                change_to(&window, &bridge, &name, load).await;
            });
        }
    })
}

/// Do what this profile says. On air, or while something is recorded, nothing of it can be done.
pub async fn change_to(window: &Window, bridge: &Rc<Bridge>, name: &str, load: Load) {
    let broadcast = &bridge.model().broadcast;
    // A demonstration has none.
    let Some(keeping) = window.keeping() else {
        let text = gettext("Profiles cannot be opened in a demonstration.");
        return broadcast.set_notice(text);
    };
    if is_busy(bridge) {
        return tell_busy(bridge, &title(name));
    }
    let wanted = name.to_string();
    let recalled = gio::spawn_blocking(move || recall(&wanted, load)).await;
    let recalled = match recalled {
        Ok(Ok(recalled)) => recalled,
        Ok(Err(error)) => return broadcast.set_notice(notice::studio(&error).text()),
        Err(panic) => std::panic::resume_unwind(panic),
    };
    keeping.finish();
    let options = &recalled.options;
    let now = bridge.encoding();
    // These are decided when the engine starts.
    let encoding = EncodeSettings {
        width: now.width,
        height: now.height,
        fps: now.fps,
        ..options.encoding.clone()
    };
    let other_size = (now.width, now.height, now.fps)
        != (
            options.encoding.width,
            options.encoding.height,
            options.encoding.fps,
        );
    bridge.ask(Command::SetEncoding(encoding)).await;
    let old: Vec<_> = items::<OutputItem>(&bridge.model().outputs)
        .map(|o| o.name())
        .collect();
    for name in old {
        bridge.ask(Command::RemoveOutput(name)).await;
    }
    let sources = launch::sources(options);
    match sources.is_empty() {
        true => first_sources::choose(bridge).await,
        false => {
            bridge.ask(Command::SetSources(sources)).await;
        }
    }
    let scene = options.scene.clone().unwrap_or_default();
    bridge.ask(Command::Arrange(Box::new(scene))).await;
    for output in options.outputs.clone() {
        bridge.ask(Command::SetOutput(Box::new(output))).await;
    }
    let shared = !options.listen.ip().is_loopback();
    if shared == bridge.studio().address().ip().is_loopback() {
        bridge.ask(Command::Share(shared)).await;
    }
    if let Some(problem) = &recalled.problem {
        broadcast.set_notice(keeping::words_of(problem));
    } else if other_size {
        let text =
            gettext("The size and rate of the picture are those of {name} after the next start.");
        broadcast.set_notice(fill(text, &[("name", &title(name))]));
    }
    keeping.change_to(recalled);
    keeping.touch();
    show(window);
    window.toast(&fill(
        gettext("Changed to {name}"),
        &[("name", &title(name))],
    ));
}

/// What goes out or into a file now is not to change under somebody.
pub fn is_busy(bridge: &Bridge) -> bool {
    bridge.studio().air() != AirState::Off || bridge.model().broadcast.recording()
}

/// Say why this cannot be opened now.
pub fn tell_busy(bridge: &Bridge, name: &str) {
    let text = gettext("End the broadcast and the recording, then open {name} again.");
    let broadcast = &bridge.model().broadcast;
    broadcast.set_notice(fill(text, &[("name", name)]));
}

fn duplicate(bridge: &Rc<Bridge>, base: &Profile, name: String, change: Change) {
    let (studio, base, to) = (bridge.studio().clone(), base.clone(), name.clone());
    let broadcast = bridge.model().broadcast.clone();
    glib::spawn_future_local(async move {
        let saved = gio::spawn_blocking(move || keeping::duplicate(&studio, &base, &to)).await;
        match saved {
            Ok(Ok(())) => change(name),
            Ok(Err(why)) => {
                let text = gettext("The profile {name} cannot be saved: {why}.");
                broadcast.set_notice(fill(text, &[("name", &name), ("why", &why)]));
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
}

fn export(window: &Window, bridge: &Rc<Bridge>, keeping: &Keeping) {
    let chosen = files::save_profile(window, &title(&keeping.name()));
    let (studio, base) = (bridge.studio().clone(), keeping.profile());
    let window = window.downgrade();
    glib::spawn_future_local(async move {
        let Some(path) = chosen.await else { return };
        let name = words::file(&path);
        let done = gio::spawn_blocking(move || keeping::export(&studio, &base, &path)).await;
        let (Some(window), Ok(done)) = (window.upgrade(), done) else {
            return;
        };
        window.toast(&match done {
            Ok(()) => fill(gettext("{name} was saved"), &[("name", &name)]),
            Err(why) => fill(
                gettext("{name} cannot be written: {why}"),
                &[("name", &name), ("why", &why)],
            ),
        });
    });
}

fn ask_name(
    window: &Window,
    heading: &str,
    body: &str,
    proposal: &str,
    then: impl Fn(String) + 'static,
) {
    let entry = gtk::Entry::builder()
        .text(proposal)
        .activates_default(true)
        .max_length(60)
        .build();
    entry.update_property(&[Property::Label(&gettext("Name"))]);
    let question = adw::MessageDialog::new(Some(window), Some(heading), Some(body));
    question.set_extra_child(Some(&entry));
    question.add_responses(&[
        ("cancel", &gettext("Cancel")),
        ("create", &gettext("Create")),
    ]);
    question.set_response_appearance("create", adw::ResponseAppearance::Suggested);
    question.set_default_response(Some("create"));
    question.set_close_response("cancel");
    entry.connect_changed(glib::clone!(
        #[weak]
        question,
        move |entry| question.set_response_enabled("create", clean(&entry.text()).is_some())
    ));
    question.connect_response(Some("create"), move |_, _| {
        if let Some(name) = clean(&entry.text()) {
            then(name);
        }
    });
    question.present();
}

fn ask_delete(window: &Window, name: &str, change: Change) {
    let heading = fill(gettext("Delete {name}?"), &[("name", &title(name))]);
    let body = gettext("The profile and its passwords are deleted. What is recorded stays.");
    let question = adw::MessageDialog::new(Some(window), Some(&heading), Some(&body));
    question.add_responses(&[
        ("cancel", &gettext("Cancel")),
        ("delete", &gettext("Delete")),
    ]);
    question.set_response_appearance("delete", adw::ResponseAppearance::Destructive);
    question.set_default_response(Some("cancel"));
    question.set_close_response("cancel");
    let (name, window) = (name.to_string(), window.downgrade());
    question.connect_response(Some("delete"), move |_, _| {
        let Some(window) = window.upgrade() else {
            return;
        };
        if let Some(keeping) = window.keeping() {
            // It is not to be saved again.
            keeping.hold();
        }
        let (name, change) = (name.clone(), change.clone());
        glib::spawn_future_local(async move {
            let gone = name.clone();
            let done = gio::spawn_blocking(move || {
                let done = keeping::remove(&gone);
                let others = names();
                let next = others.into_iter().next().unwrap_or_else(|| FIRST.into());
                (done, next)
            });
            let Ok((done, next)) = done.await else { return };
            match done {
                Ok(()) => change(next),
                Err(why) => window.toast(&fill(
                    gettext("{name} cannot be deleted: {why}"),
                    &[("name", &title(&name)), ("why", &why)],
                )),
            }
        });
    });
    question.present();
}
