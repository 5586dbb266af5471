// SPDX-License-Identifier: GPL-3.0-or-later
//! What can be done in the window: each action becomes a command to the engine, or a question first.

use std::{
    path::{Path, PathBuf},
    rc::Rc,
};

use adw::prelude::*;
use gettextrs::gettext;
use gtk::{gio, glib};
use studio::{
    encode::EncodeSettings,
    message::Command,
    output::{OutputSpec, Target, literal_name},
};

use super::{
    bridge::Bridge,
    files,
    model::{Air, OutputItem, find, items, past::Subject},
    notice, preferences, source_actions,
    statistics::{Statistics, report},
    viewer_actions,
    window::Window,
    words,
};

/// Give the window its actions.
pub fn install(window: &Window, bridge: &Rc<Bridge>) {
    let on = Installer { window, bridge };
    on.plain("air", |window, bridge| {
        match bridge.model().broadcast.air() {
            Air::Off => go_live(window, bridge),
            Air::Starting | Air::Live => bridge.command(Command::EndLive),
            Air::Stopping => (),
        }
    });
    on.plain("record", record);
    on.plain("copy-link", |window, bridge| {
        window
            .clipboard()
            .set_text(&bridge.model().broadcast.link());
        window.toast(&gettext("Link copied"));
    });
    on.plain("new-link", |window, bridge| {
        bridge.command(Command::RenewViewerToken);
        window.toast(&gettext("The old link is not valid any more"));
    });
    on.with::<bool>("share-network", |_, bridge, on| {
        bridge.command(Command::Share(on))
    });
    on.with::<u32>("lower-bitrate", |window, bridge, kbit| {
        lower_bitrate(window, bridge, kbit)
    });
    let shown = glib::WeakRef::<Statistics>::new();
    on.with::<String>("statistics", move |window, bridge, word| {
        if let Some(subject) = Subject::of(&word) {
            show_statistics(window, bridge, &shown, subject);
        }
    });
    let set = glib::WeakRef::<adw::PreferencesWindow>::new();
    on.plain("preferences", move |window, bridge| {
        // One that was closed may still be held by somebody.
        let open = set.upgrade().filter(|p| p.is_visible());
        let preferences = open.unwrap_or_else(|| {
            let made = preferences::window(window, bridge);
            set.set(Some(&made));
            made
        });
        preferences.present();
    });
    on.with::<String>("show-panel", |window, _, name| window.show_panel(&name));
    on.plain("dismiss-notice", |_, bridge| {
        bridge.model().broadcast.set_notice("")
    });
    source_actions::install(&on);
    viewer_actions::install(&on);
    outputs(&on);
    window.install_panel_actions();

    // The button of a broadcast that is being ended has nothing to do.
    let broadcast = &bridge.model().broadcast;
    let enable = glib::clone!(
        #[weak]
        window,
        move |air: Air| if let Some(action) = window
            .lookup_action("air")
            .and_downcast::<gio::SimpleAction>()
        {
            action.set_enabled(air != Air::Stopping);
        }
    );
    broadcast.connect_air_notify({
        let enable = enable.clone();
        move |b| enable(b.air())
    });
    enable(broadcast.air());
}

/// What does not pass by itself, and ends what was just begun, is not to be overlooked.
fn go_live(window: &Window, bridge: &Rc<Bridge>) {
    let (window, bridge) = (window.downgrade(), bridge.clone());
    glib::spawn_future_local(async move {
        let Err(error) = bridge.go_live().await else {
            return;
        };
        let Some(window) = window.upgrade() else {
            return;
        };
        let notice = notice::studio(&error);
        let question = adw::MessageDialog::new(
            Some(&window),
            Some(&gettext("The broadcast could not begin")),
            Some(&notice.text()),
        );
        question.add_responses(&[
            ("copy", &gettext("Copy details")),
            ("close", &gettext("Close")),
        ]);
        question.set_default_response(Some("close"));
        question.set_close_response("close");
        let weak = Rc::downgrade(&bridge);
        question.connect_response(Some("copy"), move |question, _| {
            if let Some(bridge) = weak.upgrade() {
                let text = format!("{}\n\n{}", notice.text(), report::text(&bridge));
                question.clipboard().set_text(&text);
            }
        });
        question.present();
    });
}

/// Do what the line at the bottom advises.
fn lower_bitrate(window: &Window, bridge: &Rc<Bridge>, kbit: u32) {
    let before = bridge.encoding();
    bridge.command(Command::SetEncoding(EncodeSettings {
        video_bitrate: u64::from(kbit) * 1000,
        ..before.clone()
    }));
    let text = words::fill(
        gettext("The bitrate is {rate} now"),
        &[("rate", &words::rate(u64::from(kbit) * 1000))],
    );
    let weak = Rc::downgrade(bridge);
    window.toast_with_undo(&text, move || {
        if let Some(bridge) = weak.upgrade() {
            bridge.command(Command::SetEncoding(EncodeSettings {
                video_bitrate: before.video_bitrate,
                ..bridge.encoding()
            }));
        }
    });
}

/// One window, beside the main one; it goes with it.
fn show_statistics(
    window: &Window,
    bridge: &Rc<Bridge>,
    shown: &glib::WeakRef<Statistics>,
    subject: Subject,
) {
    let statistics = match shown.upgrade().filter(|s| s.is_visible()) {
        Some(statistics) => statistics,
        None => {
            let Some(app) = window.application() else {
                return;
            };
            let statistics = Statistics::new(&app, bridge);
            shown.set(Some(&statistics));
            window.connect_destroy(glib::clone!(
                #[weak]
                statistics,
                move |_| statistics.destroy()
            ));
            statistics
        }
    };
    statistics.ask(subject);
    statistics.present();
}

fn outputs(on: &Installer) {
    on.with::<String>("add-output", |window, _, kind| {
        window.reveal_outputs();
        window.outputs().ask(&kind);
    });
    on.with::<String>("edit-output", |window, bridge, name| {
        if let Some(spec) = bridge.output(&name) {
            window.outputs().change(&spec);
        }
    });
    on.plain("add-recording", |window, bridge| {
        let chosen = files::save(window);
        with_bridge(bridge, chosen, |bridge, (path, asked): (PathBuf, bool)| {
            record_to(bridge, path, asked)
        });
    });
    on.with::<(String, bool)>("pause-output", |_, bridge, (name, wanted)| {
        bridge.command(Command::PauseOutput(name, wanted))
    });
    on.with::<(String, bool)>("enable-output", |_, bridge, (name, wanted)| {
        enable(bridge, &name, wanted)
    });
    on.with::<String>("retry-output", |_, bridge, name| {
        bridge.command(Command::EnableOutput(name.clone(), false));
        enable(bridge, &name, true);
    });
    on.with::<String>("remove-output", |_, bridge, name| {
        bridge.command(Command::RemoveOutput(name))
    });
    on.with::<String>("show-recording", |window, bridge, name| {
        let item = find(&bridge.model().outputs, |o: &OutputItem| o.name() == name);
        if let Some(path) = item.and_then(|(_, item)| item.path()) {
            files::show_in_folder(window, &path);
        }
    });
}

/// Stop the recordings that run, else start one.
fn record(window: &Window, bridge: &Rc<Bridge>) {
    let running: Vec<_> = items::<OutputItem>(&bridge.model().outputs)
        .filter(OutputItem::recording)
        .collect();
    if running.is_empty() {
        return record_to(bridge, files::new_recording(window), false);
    }
    for item in running {
        bridge.command(Command::EnableOutput(item.name(), false));
    }
}

fn record_to(bridge: &Bridge, path: PathBuf, overwrite: bool) {
    bridge.command(Command::SetOutput(Box::new(OutputSpec {
        name: bridge.free_name(&words::file(&path)),
        enabled: true,
        target: record_target(&path, overwrite),
    })));
}

/// One file of this name, whatever is in it.
fn record_target(path: &Path, overwrite: bool) -> Target {
    Target::Record {
        path: literal_name(path),
        overwrite,
        split: None,
    }
}

/// A recording that is switched on again goes to a new file: what it wrote before stays.
fn enable(bridge: &Bridge, name: &str, wanted: bool) {
    let item = find(&bridge.model().outputs, |o: &OutputItem| o.name() == name);
    let recorded = item.and_then(|(_, item)| item.path());
    let recorded = recorded.filter(|path| path.exists());
    bridge.command(match (wanted, recorded) {
        (true, Some(path)) => Command::SetOutput(Box::new(OutputSpec {
            name: name.to_string(),
            enabled: true,
            target: record_target(&files::beside(&path), false),
        })),
        (wanted, _) => Command::EnableOutput(name.to_string(), wanted),
    });
}

/// Do something with what is chosen, if anything is and the window is still there.
fn with_bridge<T: 'static>(
    bridge: &Rc<Bridge>,
    chosen: impl Future<Output = Option<T>> + 'static,
    then: impl FnOnce(&Bridge, T) + 'static,
) {
    let weak = Rc::downgrade(bridge);
    glib::spawn_future_local(async move {
        if let (Some(chosen), Some(bridge)) = (chosen.await, weak.upgrade()) {
            then(&bridge, chosen);
        }
    });
}

/// Adds actions that know window and engine without keeping either alive.
pub struct Installer<'a> {
    window: &'a Window,
    bridge: &'a Rc<Bridge>,
}

impl Installer<'_> {
    /// Without a target.
    pub fn plain(&self, name: &str, act: impl Fn(&Window, &Rc<Bridge>) + 'static) {
        self.add(
            gio::SimpleAction::new(name, None),
            move |window, bridge, _| act(window, bridge),
        );
    }

    /// With a target of this type.
    pub fn with<T: glib::variant::FromVariant + glib::variant::StaticVariantType>(
        &self,
        name: &str,
        act: impl Fn(&Window, &Rc<Bridge>, T) + 'static,
    ) {
        let action = gio::SimpleAction::new(name, Some(&T::static_variant_type()));
        self.add(action, move |window, bridge, target| {
            if let Some(target) = target.and_then(T::from_variant) {
                act(window, bridge, target);
            }
        });
    }

    fn add(
        &self,
        action: gio::SimpleAction,
        act: impl Fn(&Window, &Rc<Bridge>, Option<&glib::Variant>) + 'static,
    ) {
        let (window, bridge) = (self.window.downgrade(), Rc::downgrade(self.bridge));
        action.connect_activate(move |_, target| {
            if let (Some(window), Some(bridge)) = (window.upgrade(), bridge.upgrade()) {
                act(&window, &bridge, target);
            }
        });
        self.window.add_action(&action);
    }
}
