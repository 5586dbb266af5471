// SPDX-License-Identifier: GPL-3.0-or-later
//! What is kept from one start to the next: the profile in use, saved soon after each change, and the window's size.

mod file;
mod window;

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};

use gettextrs::gettext;
use gtk::{gio, glib};
use parking_lot::Mutex;
use studio::{
    Studio,
    settings::{Profile, Secrets, safe::Safe},
};

use file::{AT_ONCE, LATER, Saving, save_secrets};
pub use file::{
    FIRST, Problem, Recalled, clean, duplicate, export, free_name, import, names, recall, remove,
};
pub use window::{Closing, Habits, Looks, keep_looks, keep_looks_soon, looks};

use super::{
    bridge::Bridge,
    notice,
    words::{self, fill},
};

/// Changes often come several at a time.
const SOON: Duration = Duration::from_millis(300);

/// Saves the profile in use.
pub struct Keeping {
    bridge: Weak<Bridge>,
    name: RefCell<String>,
    saving: Arc<Mutex<Saving>>,
    /// Secrets on their way to the keyring.
    on_their_way: Arc<Mutex<Option<Secrets>>>,
    /// Something may have changed since it was saved.
    touched: Cell<bool>,
    waiting: Cell<bool>,
    /// It must not be saved: another is being opened, or the file is not to be touched.
    held: Cell<bool>,
    told_of_file: Cell<bool>,
}

impl Keeping {
    /// Save from now on what this engine does, over what was recalled.
    pub fn start(bridge: &Rc<Bridge>, recalled: Recalled) -> Rc<Keeping> {
        let keeping = Rc::new(Keeping {
            bridge: Rc::downgrade(bridge),
            name: RefCell::new(recalled.name.clone()),
            held: Cell::new(is_stuck(&recalled)),
            saving: Arc::new(Mutex::new(saving_of(recalled))),
            on_their_way: Arc::default(),
            touched: Cell::default(),
            waiting: Cell::default(),
            told_of_file: Cell::default(),
        });
        let weak = Rc::downgrade(&keeping);
        bridge.on_change(move || {
            if let Some(keeping) = weak.upgrade() {
                keeping.touch();
            }
        });
        keeping
    }

    /// Name of the profile in use.
    pub fn name(&self) -> String {
        self.name.borrow().clone()
    }

    /// What the file says besides what is being done.
    pub fn profile(&self) -> Profile {
        self.saving.lock().profile.clone()
    }

    /// Write something else into the file, for the next start.
    pub fn change(self: &Rc<Self>, change: &dyn Fn(&mut Profile)) {
        change(&mut self.saving.lock().profile);
        self.touch();
    }

    /// Another profile is in use.
    pub fn change_to(&self, recalled: Recalled) {
        self.name.replace(recalled.name.clone());
        self.held.set(is_stuck(&recalled));
        *self.saving.lock() = saving_of(recalled);
    }

    /// Save nothing until another profile is in use.
    pub fn hold(&self) {
        self.held.set(true);
        self.saving.lock().closed = true;
    }

    /// Something may have changed.
    pub fn touch(self: &Rc<Self>) {
        self.touched.set(true);
        if self.waiting.replace(true) {
            return;
        }
        let weak = Rc::downgrade(self);
        glib::timeout_add_local_once(SOON, move || {
            if let Some(keeping) = weak.upgrade() {
                keeping.waiting.set(false);
                keeping.save();
            }
        });
    }

    fn save(self: &Rc<Self>) {
        if self.held.get() || !self.touched.replace(false) {
            return;
        }
        let Some(bridge) = self.bridge.upgrade() else {
            return;
        };
        let (weak, studio) = (Rc::downgrade(self), bridge.studio().clone());
        let (saving, on_their_way) = (self.saving.clone(), self.on_their_way.clone());
        glib::spawn_future_local(async move {
            let done = gio::spawn_blocking(move || save_all(&studio, &saving, &on_their_way));
            let (Ok(done), Some(keeping)) = (done.await, weak.upgrade()) else {
                return;
            };
            if let Some(bridge) = keeping.bridge.upgrade() {
                keeping.tell(&bridge, done);
            }
        });
    }

    fn tell(&self, bridge: &Bridge, done: Result<Option<Safe>, String>) {
        let words = match done {
            Ok(Some(Safe::File)) if !self.told_of_file.replace(true) => gettext(
                "The keyring took no passwords. They are kept in a file that only you can read.",
            ),
            Ok(_) => return,
            Err(why) => {
                let text = gettext("The profile {name} cannot be saved: {why}.");
                fill(text, &[("name", &self.name()), ("why", &why)])
            }
        };
        bridge.model().broadcast.set_notice(words);
    }

    /// Save what is not saved yet, now: the window is going, or another profile comes.
    pub fn finish(&self) {
        if self.held.replace(true) {
            return;
        }
        let mut saving = self.saving.lock();
        // A save that is on its way would find the next profile's sources.
        saving.closed = true;
        let mut secrets = self.on_their_way.lock().clone();
        if let Some(bridge) = self
            .bridge
            .upgrade()
            .filter(|_| self.touched.replace(false))
        {
            match file::save(bridge.studio(), &mut saving) {
                Ok(new) => secrets = new.or(secrets),
                Err(why) => tracing::error!(%why, "the profile was not saved"),
            }
        }
        if let Some(secrets) = secrets
            && let Err(why) = save_secrets(&saving.name, &saving.absent, secrets, AT_ONCE)
        {
            tracing::error!(%why, "the passwords were not saved");
        }
    }
}

fn is_stuck(recalled: &Recalled) -> bool {
    matches!(recalled.problem, Some(Problem::Stuck(_)))
}

fn saving_of(recalled: Recalled) -> Saving {
    Saving {
        name: recalled.name,
        profile: recalled.profile,
        absent: recalled.absent,
        secrets: recalled.secrets,
        closed: false,
    }
}

/// On a worker thread: the file at once, then what the keyring is to hold. Where that went.
fn save_all(
    studio: &Studio,
    saving: &Mutex<Saving>,
    on_their_way: &Mutex<Option<Secrets>>,
) -> Result<Option<Safe>, String> {
    let (name, absent, secrets) = {
        let mut saving = saving.lock();
        if saving.closed {
            return Ok(None);
        }
        let Some(secrets) = file::save(studio, &mut saving)? else {
            return Ok(None);
        };
        (saving.name.clone(), saving.absent.clone(), secrets)
    };
    *on_their_way.lock() = Some(secrets.clone());
    let safe = save_secrets(&name, &absent, secrets.clone(), LATER)?;
    {
        let mut waiting = on_their_way.lock();
        if *waiting == Some(secrets.clone()) {
            *waiting = None;
        }
    }
    let mut saving = saving.lock();
    if saving.name == name {
        saving.secrets = Some(secrets.clone());
    }
    Ok(Some(safe).filter(|_| !secrets.is_empty()))
}

/// What was wrong with a profile, in words.
pub fn words_of(problem: &Problem) -> String {
    match problem {
        Problem::Aside(error, path) => {
            let text = gettext("{error} It was put aside as {file}, and a new one was begun.");
            let error = notice::studio(error).what;
            fill(text, &[("error", &error), ("file", &words::file(path))])
        }
        Problem::Stuck(error) => {
            let text = gettext("{error} Nothing you change now is saved.");
            fill(text, &[("error", &notice::studio(error).text())])
        }
        Problem::Locked(outputs) => {
            let text =
                gettext("The keyring was not unlocked, so these outputs are left out: {names}.");
            let remedy = gettext("Unlock the keyring and open the profile again.");
            format!("{} {remedy}", fill(text, &[("names", &outputs.join(", "))]))
        }
    }
}
