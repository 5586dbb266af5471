// SPDX-License-Identifier: GPL-3.0-or-later
//! The actions that add and remove sources.

use std::{path::PathBuf, rc::Rc};

use gettextrs::gettext;
use gtk::{gio, glib, prelude::*};
use studio::{
    message::{Command, MediaKind},
    program::scene::Strip,
    source::{AudioSpec, Spec, VideoSpec},
};

use super::{
    actions::Installer,
    bridge::Bridge,
    drag, files,
    intake::{self, Offer},
    model::{SourceItem, items},
    source_form::Wanted,
    staging::{self, Place},
    window::Window,
    words::{fill, short},
};

/// Give the window these actions.
pub fn install(on: &Installer) {
    for (name, kind) in [
        ("add-video", MediaKind::Video),
        ("add-audio", MediaKind::Audio),
    ] {
        on.with::<String>(name, move |_, bridge, spec| {
            match Spec::parse(kind, &spec) {
                Ok(spec) => add(bridge, vec![spec]),
                Err(e) => tracing::warn!(error = %e, "not added"),
            }
        });
    }
    on.plain("add-guest", |_, bridge| {
        let both = vec![Spec::Video(VideoSpec::Guest), Spec::Audio(AudioSpec::Guest)];
        add(bridge, both);
    });
    on.plain("add-files", |window, bridge| {
        take(window, bridge, files::open(window));
    });
    on.with::<String>("add-file", |window, bridge, uri| {
        let file = gio::File::for_uri(&uri);
        take(window, bridge, std::future::ready(vec![file]));
    });
    on.plain("add-folder", |window, bridge| {
        take(window, bridge, files::open_folder(window));
    });
    on.plain("add-playlist", |window, bridge| {
        let chosen = files::open(window);
        let (window, bridge) = (window.downgrade(), bridge.clone());
        glib::spawn_future_local(async move {
            let paths: Vec<PathBuf> = chosen.await.iter().filter_map(|f| f.path()).collect();
            if paths.is_empty() {
                return;
            }
            let made = gio::spawn_blocking(move || intake::playlist(&paths)).await;
            match made {
                Ok(Ok(path)) => {
                    let both = vec![
                        Spec::Video(VideoSpec::File(path.clone())),
                        Spec::Audio(AudioSpec::File(path)),
                    ];
                    staging::add(&bridge, both, Place::Free).await;
                }
                Ok(Err(e)) => {
                    let text = gettext("The playlist could not be kept: {why}.");
                    let text = fill(text, &[("why", &e.to_string())]);
                    if let Some(window) = window.upgrade() {
                        window.tell_refused(&[text]);
                    }
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        });
    });
    for (name, wanted) in [("add-link", Wanted::Link), ("add-frames", Wanted::Frames)] {
        on.plain(name, move |window, bridge| {
            window.reveal_sources();
            window.sources().ask(wanted, bridge);
        });
    }
    on.plain("paste", drag::paste);
    on.plain("mute-microphones", mute_microphones);
    on.with::<u64>("remove-source", |window, bridge, id| {
        let name = bridge.source(id).map(|(_, item)| item.name());
        let removed = staging::remove(bridge, id);
        let text = gettext("{name} was removed");
        let text = fill(text, &[("name", &short(&name.unwrap_or_default()))]);
        match removed {
            Some(removed) => {
                let bridge = Rc::downgrade(bridge);
                window.toast_with_undo(&text, move || {
                    if let Some(bridge) = bridge.upgrade() {
                        glib::spawn_future_local(staging::bring_back(bridge, removed.clone()));
                    }
                });
            }
            None => window.toast(&text),
        }
    });
}

/// All of this computer at once: mute them if any is heard, else let all be heard.
fn mute_microphones(window: &Window, bridge: &Rc<Bridge>) {
    let microphones: Vec<_> = items::<SourceItem>(&bridge.model().sources)
        .filter(|s| s.spec() == "mic" || s.spec().starts_with("mic:"))
        .collect();
    let muted = microphones.iter().any(|m| !m.strip().muted);
    for microphone in &microphones {
        let strip = Strip {
            muted,
            ..microphone.strip()
        };
        bridge.command(Command::SetStrip(microphone.id(), strip));
    }
    window.toast(&match (microphones.is_empty(), muted) {
        (true, _) => gettext("There is no microphone to mute"),
        (false, true) => gettext("The microphones are muted"),
        (false, false) => gettext("The microphones are heard again"),
    });
}

fn add(bridge: &Rc<Bridge>, specs: Vec<Spec>) {
    let bridge = bridge.clone();
    glib::spawn_future_local(async move {
        staging::add(&bridge, specs, Place::Free).await;
    });
}

/// Add the files that are chosen.
fn take(
    window: &Window,
    bridge: &Rc<Bridge>,
    chosen: impl Future<Output = Vec<gio::File>> + 'static,
) {
    let (window, bridge) = (window.downgrade(), Rc::downgrade(bridge));
    glib::spawn_future_local(async move {
        let offers: Vec<_> = chosen.await.into_iter().map(Offer::File).collect();
        if let (Some(bridge), false) = (bridge.upgrade(), offers.is_empty()) {
            drag::take_offers(window.upgrade().as_ref(), &bridge, offers, Place::Free);
        }
    });
}
