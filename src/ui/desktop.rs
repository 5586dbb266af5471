// SPDX-License-Identifier: GPL-3.0-or-later
//! What the desktop is told: that the computer is to stay awake, and what somebody who does not look at the window
//! should know.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    rc::Rc,
};

use gettextrs::{gettext, ngettext};
use gtk::{gio, glib, prelude::*};

use super::{
    bridge::Bridge,
    model::{Air, Broadcast, OutputItem, Tone, items},
    window::Window,
    words::fill,
};

/// While this lives the computer does not go to sleep by itself.
struct Awake {
    app: glib::WeakRef<gtk::Application>,
    cookie: u32,
}

impl Awake {
    fn hold(window: &Window) -> Option<Awake> {
        let app = window.application()?;
        let what = gtk::ApplicationInhibitFlags::SUSPEND | gtk::ApplicationInhibitFlags::IDLE;
        // Shown by some desktops.
        let why = gettext("A broadcast or a recording is running");
        // Where nobody can be asked there is no cookie.
        match app.inhibit(Some(window), what, Some(&why)) {
            0 => None,
            cookie => Some(Awake {
                app: app.downgrade(),
                cookie,
            }),
        }
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        if let Some(app) = self.app.upgrade() {
            app.uninhibit(self.cookie);
        }
    }
}

/// What is told about one window and its engine.
struct Desktop {
    window: glib::WeakRef<Window>,
    awake: RefCell<Option<Awake>>,
    /// Outputs whose failure was told.
    failing: RefCell<HashSet<String>>,
    /// Somebody came since the broadcast began.
    first_came: Cell<bool>,
}

/// Tell the desktop of this broadcast, as long as there is the window.
pub fn follow(window: &Window, bridge: &Rc<Bridge>) {
    let desktop = Rc::new(Desktop {
        window: window.downgrade(),
        awake: RefCell::default(),
        failing: RefCell::default(),
        first_came: Cell::default(),
    });
    let model = bridge.model();
    let broadcast = &model.broadcast;
    desktop.stay_awake(broadcast);
    window.connect_habits_changed({
        let (desktop, broadcast) = (desktop.clone(), broadcast.clone());
        move || desktop.stay_awake(&broadcast)
    });
    broadcast.connect_air_notify({
        let desktop = desktop.clone();
        move |b| {
            if b.air() == Air::Starting {
                desktop.first_came.set(false);
            }
            desktop.stay_awake(b);
            desktop.end_in_background(b);
        }
    });
    broadcast.connect_recording_notify({
        let desktop = desktop.clone();
        move |b| {
            desktop.stay_awake(b);
            desktop.end_in_background(b);
        }
    });
    broadcast.connect_watching_notify({
        let desktop = desktop.clone();
        move |b| desktop.greet(b)
    });
    let watch = {
        let desktop = desktop.clone();
        move |item: &OutputItem| {
            let desktop = desktop.clone();
            item.connect_tone_notify(move |item| desktop.judge(item));
        }
    };
    items::<OutputItem>(&model.outputs).for_each(|item| watch(&item));
    model
        .outputs
        .connect_items_changed(move |list, at, _, added| {
            let new = (at..at + added).filter_map(|at| list.item(at).and_downcast::<OutputItem>());
            new.for_each(|item| watch(&item));
            let there: HashSet<_> = items::<OutputItem>(list).map(|o| o.name()).collect();
            desktop.forget(&there);
        });
}

impl Desktop {
    fn stay_awake(&self, broadcast: &Broadcast) {
        let busy = broadcast.air() != Air::Off || broadcast.recording();
        let window = self.window.upgrade();
        let window = window.filter(|w| busy && w.habits().awake);
        let mut awake = self.awake.borrow_mut();
        match window {
            Some(window) if awake.is_none() => *awake = Awake::hold(&window),
            Some(_) => (),
            None => *awake = None,
        }
    }

    /// A window that was closed while live goes on unseen, until there is nothing to go on with.
    fn end_in_background(&self, broadcast: &Broadcast) {
        let over = broadcast.air() == Air::Off && !broadcast.recording();
        if let Some(window) = self.window.upgrade()
            && over
            && !window.is_visible()
            && window.in_background()
        {
            window.close();
        }
    }

    /// Somebody who looks at the window sees it there.
    fn tell(&self, id: &str, title: &str, body: &str) {
        let Some(window) = self.window.upgrade() else {
            return;
        };
        let Some(app) = window.application() else {
            return;
        };
        // One that is hidden stays active where nobody else takes the focus.
        let looked_at = window.is_active() && window.is_visible();
        if looked_at || !window.habits().tell {
            return;
        }
        let notification = gio::Notification::new(title);
        notification.set_body(Some(body));
        notification.set_default_action("app.show");
        app.send_notification(Some(id), &notification);
    }

    fn take_back(&self, id: &str) {
        if let Some(app) = self.window.upgrade().and_then(|w| w.application()) {
            app.withdraw_notification(id);
        }
    }

    fn greet(&self, broadcast: &Broadcast) {
        let watching = broadcast.watching();
        if broadcast.air() != Air::Live || watching == 0 || self.first_came.replace(true) {
            return;
        }
        let words = ngettext("{n} watching", "{n} watching", watching);
        let words = fill(words, &[("n", &watching.to_string())]);
        self.tell(
            "first-viewer",
            &gettext("Your first viewer is here"),
            &words,
        );
    }

    fn judge(&self, item: &OutputItem) {
        let id = format!("output-{}", item.name());
        match item.tone() {
            Tone::Trouble | Tone::Attention if item.error().is_some() => {
                if self.failing.borrow_mut().insert(item.name()) {
                    let title = fill(gettext("{name} does not work"), &[("name", &item.name())]);
                    let body = format!("{} {}", item.words(), item.remedy());
                    self.tell(&id, &title, body.trim());
                }
            }
            Tone::Good | Tone::Idle => {
                if self.failing.borrow_mut().remove(&item.name()) {
                    self.take_back(&id);
                }
            }
            // Being tried again is no news.
            Tone::Busy | Tone::Trouble | Tone::Attention => (),
        }
    }

    fn forget(&self, there: &HashSet<String>) {
        let gone: Vec<String> = {
            let failing = self.failing.borrow();
            failing.difference(there).cloned().collect()
        };
        for name in gone {
            self.failing.borrow_mut().remove(&name);
            self.take_back(&format!("output-{name}"));
        }
    }
}

/// Tell that the broadcast goes on although the window is gone, and ask the desktop to let it.
pub fn go_on_in_background(window: &Window) {
    let Some(app) = window.application() else {
        return;
    };
    let notification = gio::Notification::new(&gettext("Aerial goes on in the background"));
    notification.set_body(Some(&gettext(
        "Open Aerial again to see the broadcast or to end it.",
    )));
    notification.set_default_action("app.show");
    notification.add_button(&gettext("Show"), "app.show");
    notification.add_button(&gettext("End"), "app.end");
    app.send_notification(Some(BACKGROUND), &notification);
    let Some(bus) = app.dbus_connection() else {
        return;
    };
    let options = glib::VariantDict::new(None);
    options.insert("reason", gettext("A broadcast or a recording is running"));
    // Desktops without this portal end nobody for being unseen.
    let asked = bus.call_future(
        Some("org.freedesktop.portal.Desktop"),
        "/org/freedesktop/portal/desktop",
        "org.freedesktop.portal.Background",
        "RequestBackground",
        Some(&("", options).to_variant()),
        None,
        gio::DBusCallFlags::NO_AUTO_START,
        -1,
    );
    glib::spawn_future_local(async move {
        if let Err(error) = asked.await {
            tracing::debug!(%error, "no portal to ask about the background");
        }
    });
}

/// The window is seen again.
pub fn back_from_background(window: &Window) {
    if let Some(app) = window.application() {
        app.withdraw_notification(BACKGROUND);
    }
}

const BACKGROUND: &str = "background";
