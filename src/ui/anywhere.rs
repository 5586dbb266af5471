// SPDX-License-Identifier: GPL-3.0-or-later
//! Keys that work in every program, where the desktop has such: it asks once which they are to be.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use gettextrs::gettext;
use gtk::{gio, glib, prelude::*};
use studio::{
    error::ShortcutError,
    portal::{Shortcut, ShortcutNews, Shortcuts},
};

use super::{keeping::Habits, notice, window::Window};

/// What has become of the keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Keys {
    /// Nobody wants them.
    #[default]
    Off,
    /// The desktop was asked.
    Asking,
    /// These, as the desktop tells them; empty, if no key was chosen.
    Bound(Vec<String>),
    /// There are none.
    Failed(ShortcutError),
}

impl Keys {
    /// In a sentence; nothing to say when they are off.
    pub fn words(&self) -> Option<String> {
        match self {
            Keys::Off => None,
            Keys::Asking => Some(gettext("The desktop is being asked…")),
            Keys::Bound(keys) if keys.is_empty() => {
                Some(gettext("Choose the keys in the settings of your desktop."))
            }
            Keys::Bound(keys) => Some(keys.join(" · ")),
            Keys::Failed(error) => Some(notice::shortcuts(error).text()),
        }
    }
}

/// The keys of a window, as its habits want them.
#[derive(Default)]
pub struct Anywhere {
    keys: RefCell<Keys>,
    held: RefCell<Option<Shortcuts>>,
    /// Whether they were wanted when that was heard of last.
    wanted: Cell<bool>,
    /// Grows whenever they are asked for anew: what comes of earlier ones is of no interest.
    asked: Cell<u32>,
    /// Whoever shows them: the preferences that are open, if any.
    told: RefCell<Option<Rc<dyn Fn()>>>,
}

/// What each is for: its action in the window, and a key that the desktop may propose.
fn wanted() -> Vec<Shortcut> {
    let of = |id, words, keys| Shortcut { id, words, keys };
    vec![
        of(
            "air",
            gettext("Go live, or end the broadcast"),
            "CTRL+ALT+l",
        ),
        of("record", gettext("Record, or stop recording"), "CTRL+ALT+r"),
        of(
            "mute-microphones",
            gettext("Mute the microphones, or not"),
            "CTRL+ALT+m",
        ),
    ]
}

impl Anywhere {
    /// Ask for them whenever this window's habits want them.
    pub fn follow(self: &Rc<Self>, window: &Window) {
        let (weak, keys) = (window.downgrade(), self.clone());
        let heed = move || {
            if let Some(window) = weak.upgrade() {
                let wanted = window.habits().anywhere;
                match (keys.wanted.replace(wanted), wanted) {
                    (false, true) => keys.ask(&window),
                    (true, false) => keys.end(Keys::Off),
                    (true, true) | (false, false) => (),
                }
            }
        };
        heed();
        window.connect_habits_changed(heed);
    }

    /// What has become of them.
    pub fn keys(&self) -> Keys {
        self.keys.borrow().clone()
    }

    /// Have this called when something becomes of them, in place of what was before.
    pub fn connect_changed(&self, told: impl Fn() + 'static) {
        self.told.replace(Some(Rc::new(told)));
    }

    fn ask(self: &Rc<Self>, window: &Window) {
        let (tell, news) = async_channel::unbounded();
        let held = Shortcuts::bind(wanted(), move |told| {
            // The window may be gone.
            let _ = tell.try_send(told);
        });
        match held {
            Ok(held) => self.held.replace(Some(held)),
            Err(error) => {
                return self.show(Keys::Failed(ShortcutError::Failed(error.to_string())));
            }
        };
        self.asked.set(self.asked.get() + 1);
        self.show(Keys::Asking);
        let (keys, asked, window) = (Rc::downgrade(self), self.asked.get(), window.downgrade());
        glib::spawn_future_local(async move {
            while let Ok(told) = news.recv().await {
                let (Some(keys), Some(window)) = (keys.upgrade(), window.upgrade()) else {
                    return;
                };
                if keys.asked.get() != asked {
                    return;
                }
                keys.take(told, &window);
            }
        });
    }

    fn take(&self, told: ShortcutNews, window: &Window) {
        match told {
            ShortcutNews::Bound(bound) => {
                let keys = bound.into_iter().map(|(_, keys)| keys);
                self.show(Keys::Bound(keys.filter(|k| !k.is_empty()).collect()));
            }
            ShortcutNews::Pressed(id) => {
                if wanted().iter().any(|w| w.id == id) {
                    gio::prelude::ActionGroupExt::activate_action(window, &id, None);
                }
            }
            // Whoever said no is not asked again at each start.
            ShortcutNews::Ended(ShortcutError::Refused) => {
                window.set_habits(Habits {
                    anywhere: false,
                    ..window.habits()
                });
                self.end(Keys::Failed(ShortcutError::Refused));
            }
            ShortcutNews::Ended(error) => self.end(Keys::Failed(error)),
        }
    }

    fn end(&self, keys: Keys) {
        self.asked.set(self.asked.get() + 1);
        if let Some(held) = self.held.take() {
            // Its thread is waited for.
            drop(gio::spawn_blocking(move || drop(held)));
        }
        self.show(keys);
    }

    fn show(&self, keys: Keys) {
        if *self.keys.borrow() != keys {
            self.keys.replace(keys);
            let told = self.told.borrow().clone();
            if let Some(told) = told {
                told();
            }
        }
    }
}
