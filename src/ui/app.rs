// SPDX-License-Identifier: GPL-3.0-or-later
//! The application: starts the engine, opens the window, ends both.

use std::{
    path::PathBuf,
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant},
};

use adw::prelude::*;
use gettextrs::gettext;
use gtk::{gdk, gio, glib};
use studio::{
    APP_ID, Studio, StudioOptions,
    error::{ServeError, StudioError},
};

use super::{
    bridge::Bridge,
    failure::Failure,
    help::Help,
    keeping::{self, Looks, Recalled},
    launch::{self, Launcher, Load, Start, Wish},
    notice,
    renderer::Drawing,
    shortcuts,
    window::Window,
    words,
};

/// Run until the window is closed.
pub fn run(start: Start, drawing: Drawing) -> ExitCode {
    let mut flags = gio::ApplicationFlags::HANDLES_OPEN;
    // Started by the bus: it says next what to do, or else the application ends by itself.
    flags.set(gio::ApplicationFlags::IS_SERVICE, start.service);
    let app = adw::Application::builder()
        .application_id(APP_ID)
        .flags(flags)
        // Without it GNOME's session does not hear that the computer is to stay awake.
        .register_session(true)
        .build();
    let launcher = Launcher::new(start.options, start.load, drawing);
    app.connect_startup({
        let launcher = launcher.clone();
        move |app| {
            look();
            app_actions(app, &launcher);
            shortcuts::install(app);
            end_on_signals(app);
        }
    });
    app.connect_activate({
        let launcher = launcher.clone();
        move |app| launcher.ask(app, [])
    });
    app.connect_open({
        let launcher = launcher.clone();
        move |app, files, _| launcher.ask(app, launch::wishes(files))
    });
    if start.go_live || start.record || !start.files.is_empty() {
        // If there is one already, it is asked instead of this one.
        if let Err(error) = app.register(gio::Cancellable::NONE) {
            tracing::warn!(%error, "not on the session bus");
        }
        if !start.files.is_empty() {
            app.open(&start.files, "");
        }
        for (wanted, action) in [(start.go_live, "go-live"), (start.record, "record")] {
            if wanted {
                app.activate_action(action, None);
            }
        }
    }
    // The command line was read already; GTK's own options are given by variables.
    let code = app.run_with_args::<&str>(&[]);
    match launcher.failed.get() {
        true => ExitCode::FAILURE,
        false => code.into(),
    }
}

/// Start the engine without holding up the main thread, then open the window.
pub fn open(app: &adw::Application, launcher: Rc<Launcher>) {
    let (app, hold) = (app.clone(), app.hold());
    let (plain, load, profile) = (
        launcher.options.clone(),
        launcher.load,
        launcher.first_profile(),
    );
    glib::spawn_future_local(async move {
        let _hold = hold;
        let started = gio::spawn_blocking(move || {
            let looks = keeping::looks();
            // A demonstration keeps nothing.
            let recalled = match plain.demo {
                Some(_) => None,
                None => Some(recall(profile, &looks, load)?),
            };
            let (recalled, broken) = recalled.unzip();
            let options = match &recalled {
                Some(recalled) => recalled.options.clone(),
                None => plain,
            };
            let (studio, options, taken) = start(options)?;
            Ok((studio, options, taken, recalled, broken.flatten(), looks))
        });
        let (studio, options, taken, recalled, broken, looks) = match started.await {
            Ok(Ok(started)) => started,
            Ok(Err(error)) => {
                launcher.failed.set(true);
                tracing::error!(error = %error, "the engine did not start");
                Failure::new(&app, &notice::studio(&error)).present();
                return launcher.started(None, false);
            }
            Err(panic) => std::panic::resume_unwind(panic),
        };
        let bridge = Bridge::new(studio, launch::sources(&options));
        let broadcast = &bridge.model().broadcast;
        if let Some(error) = taken {
            let link = broadcast.link();
            let instead = words::fill(gettext("Viewers use {link} this time."), &[("link", &link)]);
            let notice = notice::studio(&error);
            // Viewers are where they always are.
            let remotes = matches!(error, StudioError::Serve(ServeError::Remotes { .. }));
            broadcast.set_notice(match remotes {
                true => notice.text(),
                false => format!("{} {instead} {}", notice.what, notice.remedy),
            });
        }
        if let Some(error) = broken {
            broadcast.set_notice(notice::studio(&error).text());
        }
        if let Some(recalled) = &recalled
            && let Some(problem) = &recalled.problem
        {
            broadcast.set_notice(keeping::words_of(problem));
        }
        if options.demo.is_some() {
            let words = gettext("This is a demonstration: the viewers are made up.");
            broadcast.set_notice(words);
        }
        let window = Window::new(&app, bridge, launcher.drawing, load, &looks);
        window.present();
        if let Some(recalled) = recalled {
            window.keep(recalled).await;
        }
        launcher.started(
            Some(&window),
            options.video.is_empty() && options.audio.is_empty(),
        );
    });
}

/// The profile of this file, or the one that was in use; and what was wrong with that file.
fn recall(
    profile: Option<PathBuf>,
    looks: &Looks,
    load: Load,
) -> Result<(Recalled, Option<StudioError>), StudioError> {
    let imported = profile.map(|path| keeping::import(&path));
    let (name, broken) = match imported {
        Some(Ok(name)) => (name, None),
        Some(Err(error)) => (looks.profile.clone(), Some(error)),
        None => (looks.profile.clone(), None),
    };
    Ok((keeping::recall(&name, load)?, broken))
}

/// Start the engine; if its port is taken, on any free one of this computer, and if that for remote controls is taken,
/// without them, with the error that made it so.
fn start(
    options: StudioOptions,
) -> Result<(Studio, StudioOptions, Option<StudioError>), StudioError> {
    match Studio::start(options.clone()) {
        Ok(studio) => Ok((studio, options, None)),
        Err(error @ StudioError::Serve(ServeError::Remotes { .. })) => {
            let without = StudioOptions {
                obs: None,
                ..options
            };
            let (studio, options, _) = start(without)?;
            Ok((studio, options, Some(error)))
        }
        Err(error @ StudioError::Serve(_)) => {
            let elsewhere = StudioOptions {
                listen: ([127, 0, 0, 1], 0).into(),
                ..options.clone()
            };
            Ok((Studio::start(elsewhere)?, options, Some(error)))
        }
        Err(error) => Err(error),
    }
}

/// Style and icon.
fn look() {
    let Some(display) = gdk::Display::default() else {
        return;
    };
    let css = gtk::CssProvider::new();
    css.load_from_data(include_str!("style.css"));
    gtk::style_context_add_provider_for_display(
        &display,
        &css,
        gtk::STYLE_PROVIDER_PRIORITY_APPLICATION,
    );
    if let Some(data) = data_beside_build() {
        gtk::IconTheme::for_display(&display).add_search_path(data);
    }
    gtk::Window::set_default_icon_name(APP_ID);
}

/// A program that was built but not installed finds its icon beside its sources (`target/*/aerial` → `data`).
fn data_beside_build() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let data = program.ancestors().nth(3)?.join("data");
    data.join(format!("{APP_ID}.svg")).exists().then_some(data)
}

/// Ctrl-C in a terminal, or the session's end: nobody is asked, but recordings are finished as on closing.
fn end_on_signals(app: &adw::Application) {
    const SIGINT: i32 = 2;
    const SIGTERM: i32 = 15;
    for signal in [SIGINT, SIGTERM] {
        let app = app.clone();
        glib::unix_signal_add_local(signal, move || {
            for window in app.windows() {
                // Its engine goes with it. Destroying asks no question.
                window.destroy();
            }
            app.quit();
            glib::ControlFlow::Continue
        });
    }
}

fn app_actions(app: &adw::Application, launcher: &Rc<Launcher>) {
    // What launchers offer beside the application's name.
    for (name, wish) in [("go-live", Wish::GoLive), ("record", Wish::Record)] {
        let launcher = launcher.clone();
        let action = gio::ActionEntry::builder(name)
            .activate(move |app: &adw::Application, _, _| launcher.ask(app, [wish.clone()]))
            .build();
        app.add_action_entries([action]);
    }
    let quit = gio::ActionEntry::builder("quit")
        .activate(|app: &adw::Application, _, _| match main_window(app) {
            // The window may have something to ask first.
            Some(window) => window.close(),
            None => app.quit(),
        })
        .build();
    let about = gio::ActionEntry::builder("about")
        .activate(|app: &adw::Application, _, _| show_about(app))
        .build();
    // What notifications offer.
    let show = gio::ActionEntry::builder("show")
        .activate(|app: &adw::Application, _, _| app.activate())
        .build();
    let end = gio::ActionEntry::builder("end")
        .activate(|app: &adw::Application, _, _| {
            if let Some(window) = main_window(app).and_downcast::<Window>() {
                window.end();
            }
        })
        .build();
    let restart = gio::ActionEntry::builder("restart")
        .activate(glib::clone!(
            #[strong]
            launcher,
            move |app: &adw::Application, _, _| start_again(app, &launcher)
        ))
        .build();
    app.add_action_entries([show, end, restart]);
    let shown = glib::WeakRef::<Help>::new();
    let help = gio::ActionEntry::builder("help")
        .activate(move |app: &adw::Application, _, _| show_help(app, &shown))
        .build();
    app.add_action_entries([quit, about, help]);
}

/// The window of the broadcast, or the one that says why there is none.
pub fn main_window(app: &adw::Application) -> Option<gtk::Window> {
    let mut windows = app.windows().into_iter();
    windows.find(|w| w.is::<Window>() || w.is::<Failure>())
}

/// Close the window with its engine, and open another with what the profile says now.
fn start_again(app: &adw::Application, launcher: &Rc<Launcher>) {
    let Some(window) = main_window(app).and_downcast::<Window>() else {
        return;
    };
    let (engine, hold) = (window.bridge().map(|b| Rc::downgrade(&b)), app.hold());
    window.destroy();
    drop(window);
    let (app, launcher) = (app.clone(), launcher.clone());
    // Its port is free as soon as the last of it is gone. If that takes long, another port is better than no window.
    let enough = Instant::now() + Duration::from_secs(10);
    glib::timeout_add_local(Duration::from_millis(50), move || {
        let _hold = &hold;
        let there = engine.as_ref().is_some_and(|e| e.strong_count() > 0);
        if there && Instant::now() < enough {
            return glib::ControlFlow::Continue;
        }
        launcher.ask(&app, []);
        glib::ControlFlow::Break
    });
}

/// One window, beside the main one; it goes with it.
fn show_help(app: &adw::Application, shown: &glib::WeakRef<Help>) {
    if let Some(help) = shown.upgrade() {
        return help.present();
    }
    let help = Help::new(app);
    shown.set(Some(&help));
    if let Some(window) = main_window(app) {
        window.connect_destroy(glib::clone!(
            #[weak]
            help,
            move |_| help.destroy()
        ));
    }
    help.present();
}

fn show_about(app: &adw::Application) {
    let about = adw::AboutWindow::builder()
        .application_name("Aerial")
        .application_icon(APP_ID)
        .version(env!("CARGO_PKG_VERSION"))
        .developer_name(gettext("The Aerial developers"))
        .comments(gettext(
            "Broadcast camera, microphone and files to browsers and Icecast at once.",
        ))
        .license_type(gtk::License::Gpl30)
        // Translators: your name, one per line; it is shown in the window about Aerial
        .translator_credits(gettext("translator-credits"))
        .modal(true)
        .build();
    about.set_transient_for(app.active_window().as_ref());
    about.present();
}
