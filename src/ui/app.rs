// SPDX-License-Identifier: GPL-3.0-or-later
//! The application: starts the engine, opens the window, ends both.

use std::{cell::Cell, path::PathBuf, process::ExitCode, rc::Rc};

use adw::prelude::*;
use gettextrs::gettext;
use gtk::{gdk, gio, glib};
use studio::{APP_ID, Studio, StudioOptions, error::StudioError, source::Spec};

use super::{
    bridge::Bridge, failure::Failure, first_sources, help::Help, notice, renderer::Drawing,
    shortcuts, window::Window, words,
};

/// Run until the window is closed.
pub fn run(options: StudioOptions, drawing: Drawing) -> ExitCode {
    let app = adw::Application::builder().application_id(APP_ID).build();
    let failed = Rc::new(Cell::new(false));
    app.connect_startup(|app| {
        look();
        app_actions(app);
        shortcuts::install(app);
        end_on_signals(app);
    });
    app.connect_activate({
        let failed = failed.clone();
        let starting = Cell::new(false);
        move |app| match main_window(app) {
            // Started a second time: the first one comes forward.
            Some(window) => window.present(),
            None if starting.replace(true) => (),
            None => open(app, options.clone(), drawing, failed.clone()),
        }
    });
    // The command line was read already; GTK's own options are given by variables.
    let code = app.run_with_args::<&str>(&[]);
    match failed.get() {
        true => ExitCode::FAILURE,
        false => code.into(),
    }
}

/// Start the engine without holding up the main thread, then open the window.
fn open(app: &adw::Application, options: StudioOptions, drawing: Drawing, failed: Rc<Cell<bool>>) {
    let (app, hold) = (app.clone(), app.hold());
    glib::spawn_future_local(async move {
        let _hold = hold;
        let started = gio::spawn_blocking(move || start(options)).await;
        let (studio, options, fallback) = match started {
            Ok(Ok(started)) => started,
            Ok(Err(error)) => {
                failed.set(true);
                tracing::error!(error = %error, "the engine did not start");
                return Failure::new(&app, &notice::studio(&error)).present();
            }
            Err(panic) => std::panic::resume_unwind(panic),
        };
        let bridge = {
            let video = options.video.iter().cloned().map(Spec::Video);
            let sources = video.chain(options.audio.iter().cloned().map(Spec::Audio));
            Bridge::new(studio, sources.collect())
        };
        if let Some(error) = fallback {
            let link = bridge.model().broadcast.link();
            let instead = words::fill(gettext("Viewers use {link} this time."), &[("link", &link)]);
            let notice = notice::studio(&error);
            bridge
                .model()
                .broadcast
                .set_notice(format!("{} {instead} {}", notice.what, notice.remedy));
        }
        if options.video.is_empty() && options.audio.is_empty() {
            first_sources::choose(&bridge);
        }
        Window::new(&app, bridge, drawing).present();
    });
}

/// Start the engine; if its port is taken, on any free one of this computer, with the error that made it so.
fn start(
    options: StudioOptions,
) -> Result<(Studio, StudioOptions, Option<StudioError>), StudioError> {
    match Studio::start(options.clone()) {
        Ok(studio) => Ok((studio, options, None)),
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

fn app_actions(app: &adw::Application) {
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
    let shown = glib::WeakRef::<Help>::new();
    let help = gio::ActionEntry::builder("help")
        .activate(move |app: &adw::Application, _, _| show_help(app, &shown))
        .build();
    app.add_action_entries([quit, about, help]);
}

/// The window of the broadcast, or the one that says why there is none.
fn main_window(app: &adw::Application) -> Option<gtk::Window> {
    app.windows().into_iter().find(|w| !w.is::<Help>())
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
