// SPDX-License-Identifier: GPL-3.0-or-later
//! What the desktop asks of the application: files to show, a profile, to go live or to record. It comes from a launcher,
//! from a file manager or from another `aerial`, and may come before there is a window.

use std::{
    cell::{Cell, RefCell},
    ffi::OsStr,
    path::PathBuf,
    rc::Rc,
};

use adw::prelude::*;
use gtk::{gio, glib};
use studio::{StudioOptions, error::StudioError, output::Target, settings::Profile, source::Spec};

use super::{
    app, bridge::Bridge, drag, first_sources, intake::Offer, keeping::import, model::Air, notice,
    profiles, renderer::Drawing, staging::Place, window::Window, words,
};

/// Makes options of the engine of what a profile says.
pub type Load = fn(&Profile) -> Result<StudioOptions, StudioError>;

/// Something that is asked for from outside.
#[derive(Debug, Clone)]
pub enum Wish {
    /// Show and play these, as far as they can be.
    Offers(Vec<Offer>),
    /// Take sources, quality and outputs from this file.
    Profile(PathBuf),
    /// Go on air, if it is not.
    GoLive,
    /// Record, if it does not.
    Record,
}

/// How the application was started.
pub struct Start {
    /// Options of the engine unless a profile is opened.
    pub options: StudioOptions,
    /// How profiles are read.
    pub load: Load,
    /// Files and links that were named.
    pub files: Vec<gio::File>,
    /// Go on air at once.
    pub go_live: bool,
    /// Record at once.
    pub record: bool,
    /// Wait to be asked over D-Bus.
    pub service: bool,
}

/// Keeps what is wished for until it can be done.
pub struct Launcher {
    /// Options of the engine unless a profile is opened.
    pub options: StudioOptions,
    /// How profiles are read.
    pub load: Load,
    /// How the preview is drawn.
    pub drawing: Drawing,
    /// The engine did not start.
    pub failed: Cell<bool>,
    starting: Cell<bool>,
    wishes: RefCell<Vec<Wish>>,
}

impl Launcher {
    /// Nothing is wished for yet.
    pub fn new(options: StudioOptions, load: Load, drawing: Drawing) -> Rc<Launcher> {
        Rc::new(Launcher {
            options,
            load,
            drawing,
            failed: Cell::default(),
            starting: Cell::default(),
            wishes: RefCell::default(),
        })
    }

    /// Bring the window forward, or open it, and do this in it.
    pub fn ask(self: &Rc<Self>, app: &adw::Application, wishes: impl IntoIterator<Item = Wish>) {
        self.wishes.borrow_mut().extend(wishes);
        match app::main_window(app) {
            Some(window) => {
                if let Ok(window) = window.clone().downcast::<Window>() {
                    window.show_again();
                    return self.grant(&window);
                }
                window.present();
            }
            None if self.starting.replace(true) => (),
            None => app::open(app, self.clone()),
        }
    }

    /// The profile that is to be the beginning.
    pub fn first_profile(&self) -> Option<PathBuf> {
        let mut wishes = self.wishes.borrow_mut();
        let at = wishes.iter().position(|w| matches!(w, Wish::Profile(_)))?;
        match wishes.remove(at) {
            Wish::Profile(path) => Some(path),
            Wish::Offers(_) | Wish::GoLive | Wish::Record => None,
        }
    }

    /// The window could not be opened, or is open now.
    pub fn started(&self, window: Option<&Window>, empty: bool) {
        self.starting.set(false);
        if let Some(window) = window {
            self.begin(window, empty);
        }
    }

    fn begin(&self, window: &Window, empty: bool) {
        let wishes = self.wishes.take();
        let (window, Some(bridge)) = (window.downgrade(), window.bridge()) else {
            return;
        };
        glib::spawn_future_local(async move {
            let files = wishes.iter().any(|w| matches!(w, Wish::Offers(_)));
            if empty && !files {
                first_sources::choose(&bridge).await;
            }
            for wish in wishes {
                let Some(window) = window.upgrade() else {
                    return;
                };
                let files = matches!(wish, Wish::Offers(_));
                grant(&window, &bridge, wish, None).await;
                // None of them could be used.
                if files && bridge.studio().sources().is_empty() {
                    first_sources::choose(&bridge).await;
                }
            }
        });
    }

    fn grant(&self, window: &Window) {
        let (wishes, load) = (self.wishes.take(), self.load);
        let (window, Some(bridge)) = (window.downgrade(), window.bridge()) else {
            return;
        };
        glib::spawn_future_local(async move {
            for wish in wishes {
                let Some(window) = window.upgrade() else {
                    return;
                };
                grant(&window, &bridge, wish, Some(load)).await;
            }
        });
    }
}

async fn grant(window: &Window, bridge: &Rc<Bridge>, wish: Wish, load: Option<Load>) {
    let broadcast = &bridge.model().broadcast;
    match wish {
        Wish::Offers(offers) => drag::bring(window.downgrade(), bridge, offers, Place::Free).await,
        Wish::Profile(path) => {
            if let Some(load) = load {
                change_to(window, bridge, path, load).await;
            }
        }
        Wish::GoLive if broadcast.air() == Air::Off => {
            ActionGroupExt::activate_action(window, "air", None);
        }
        Wish::Record if !broadcast.recording() => {
            ActionGroupExt::activate_action(window, "record", None);
        }
        Wish::GoLive | Wish::Record => (),
    }
}

/// Take the profile in this file in, and change to it.
async fn change_to(window: &Window, bridge: &Rc<Bridge>, path: PathBuf, load: Load) {
    if profiles::is_busy(bridge) {
        return profiles::tell_busy(bridge, &words::file(&path));
    }
    let imported = gio::spawn_blocking(move || import(&path)).await;
    match imported {
        Ok(Ok(name)) => profiles::change_to(window, bridge, &name, load).await,
        Ok(Err(error)) => bridge
            .model()
            .broadcast
            .set_notice(notice::studio(&error).text()),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The sources among options.
pub fn sources(options: &StudioOptions) -> Vec<Spec> {
    let video = options.video.iter().cloned().map(Spec::Video);
    video
        .chain(options.audio.iter().cloned().map(Spec::Audio))
        .collect()
}

/// A profile that is opened in the window records nothing before it is told to.
pub fn ready(mut options: StudioOptions) -> StudioOptions {
    for output in &mut options.outputs {
        output.enabled &= !matches!(output.target, Target::Record { .. });
    }
    options
}

/// A file that is there, or a link, from the command line.
pub fn file(name: &OsStr) -> Option<gio::File> {
    let file = gio::File::for_commandline_arg(name);
    let there = match file.path() {
        Some(path) => path.exists(),
        None => name.to_string_lossy().contains("://"),
    };
    there.then_some(file)
}

/// What opening these files means: profiles by their ending, all else is shown and played.
pub fn wishes(files: &[gio::File]) -> Vec<Wish> {
    let profile = |file: &&gio::File| {
        let path = file.path()?;
        path.extension()
            .is_some_and(|e| e == "toml")
            .then_some(path)
    };
    let (mut wishes, mut offers) = (vec![], vec![]);
    for file in files {
        match profile(&file) {
            Some(path) => wishes.push(Wish::Profile(path)),
            None => offers.push(Offer::File(file.clone())),
        }
    }
    if !offers.is_empty() {
        wishes.push(Wish::Offers(offers));
    }
    wishes
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn profiles_are_told_from_what_is_shown() {
        let files = ["/p/show.aerial.toml", "/v/a.webm", "/v/b.png"].map(gio::File::for_path);
        let wishes = wishes(&files);
        let [Wish::Profile(profile), Wish::Offers(offers)] = wishes.as_slice() else {
            panic!("{wishes:?}");
        };
        assert_eq!(profile, Path::new("/p/show.aerial.toml"));
        assert_eq!(offers.len(), 2);
    }
}
