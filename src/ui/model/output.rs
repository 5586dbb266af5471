// SPDX-License-Identifier: GPL-3.0-or-later
//! One output, as its card shows it.

use std::{
    cell::{Cell, RefCell},
    path::PathBuf,
    time::{Duration, Instant, SystemTime},
};

use gettextrs::{gettext, ngettext};
use gtk::{glib, prelude::*, subclass::prelude::*};
use studio::{
    error::OutputError,
    message::{OutputState, OutputStatus},
    stats::OutputRow,
};

use super::Tone;
use crate::ui::{notice, words};

/// Who left something out this short a time ago is behind.
const BEHIND: Duration = Duration::from_secs(10);

/// What kind of output it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "AerialOutputKind")]
pub enum OutputKind {
    /// Somewhere on the network.
    #[default]
    Push,
    /// A file.
    Record,
}

mod imp {
    use super::*;

    #[derive(Default, glib::Properties)]
    #[properties(wrapper_type = super::OutputItem)]
    pub struct OutputItem {
        /// Its name, which is also its number.
        #[property(get, construct_only)]
        pub name: RefCell<String>,
        /// What it is.
        #[property(get, set, builder(OutputKind::Push))]
        pub kind: Cell<OutputKind>,
        /// Where it goes, without any password.
        #[property(get, set)]
        pub url: RefCell<String>,
        /// Whether it is wanted.
        #[property(get, set)]
        pub enabled: Cell<bool>,
        /// Its state.
        #[property(get, set)]
        pub words: RefCell<String>,
        /// What to do, if anything.
        #[property(get, set)]
        pub remedy: RefCell<String>,
        /// How its state is to be felt.
        #[property(get, set, builder(Tone::Idle))]
        pub tone: Cell<Tone>,
        /// Whether asking for another try makes sense.
        #[property(get, set)]
        pub retryable: Cell<bool>,
        /// Whether other words for user and password may help.
        #[property(get, set)]
        pub denied: Cell<bool>,
        /// Whether it is a recording that can pause now, or go on.
        #[property(get, set)]
        pub pausable: Cell<bool>,
        /// Whether it pauses.
        #[property(get, set)]
        pub paused: Cell<bool>,

        pub state: RefCell<Option<OutputState>>,
        pub warning: RefCell<Option<OutputError>>,
        pub bitrate: Cell<u64>,
        pub bytes: Cell<u64>,
        /// What it left out because the other side was too slow, and when the last of it was.
        pub dropped: Cell<u64>,
        pub dropped_at: Cell<Option<Instant>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for OutputItem {
        const NAME: &'static str = "AerialOutputItem";
        type Type = super::OutputItem;
    }

    #[glib::derived_properties]
    impl ObjectImpl for OutputItem {}
}

glib::wrapper! {
    /// One output.
    pub struct OutputItem(ObjectSubclass<imp::OutputItem>);
}

impl OutputItem {
    /// A card for this output.
    pub fn new(status: &OutputStatus, on_air: bool) -> OutputItem {
        let item: OutputItem = glib::Object::builder()
            .property("name", &status.name)
            .build();
        item.update(status, on_air);
        item
    }

    /// Show this state.
    pub fn update(&self, status: &OutputStatus, on_air: bool) {
        self.set_kind(match status.kind {
            "record" => OutputKind::Record,
            _ => OutputKind::Push,
        });
        self.set_url(status.url.as_str());
        self.imp().state.replace(Some(status.state.clone()));
        self.imp().warning.replace(status.warning.clone());
        if !matches!(status.state, OutputState::Live { .. }) {
            self.imp().bitrate.set(0);
        }
        self.set_enabled(status.enabled);
        // The switch shows what is, even if it was just moved by hand and the engine said no.
        self.notify_enabled();
        self.describe(on_air);
    }

    /// Take the numbers of this second.
    pub fn count(&self, row: &OutputRow) {
        let imp = self.imp();
        imp.bitrate.set(row.bitrate);
        imp.bytes.set(row.bytes);
        // It begins again from zero with each connection.
        if row.dropped > imp.dropped.replace(row.dropped) {
            imp.dropped_at.set(Some(Instant::now()));
        }
    }

    /// Whether it sends less than it should: parts were left out a moment ago.
    pub fn is_behind(&self) -> bool {
        let live = matches!(*self.imp().state.borrow(), Some(OutputState::Live { .. }));
        let lately = self.imp().dropped_at.get();
        live && lately.is_some_and(|at| at.elapsed() < BEHIND)
    }

    /// Whether a recording is being written.
    pub fn recording(&self) -> bool {
        let running = matches!(
            *self.imp().state.borrow(),
            Some(
                OutputState::Connecting { .. }
                    | OutputState::Live { .. }
                    | OutputState::Paused
                    | OutputState::Waiting { .. }
            )
        );
        self.kind() == OutputKind::Record && self.enabled() && running
    }

    /// Why it is not live, if it failed.
    pub fn error(&self) -> Option<OutputError> {
        self.imp()
            .state
            .borrow()
            .as_ref()
            .and_then(|s| s.error().cloned())
    }

    /// The file of a recording.
    pub fn path(&self) -> Option<PathBuf> {
        let url = self.url();
        (self.kind() == OutputKind::Record)
            .then(|| PathBuf::from(url.strip_prefix("file:").unwrap_or(&url)))
    }

    /// Say the state in words, as they are true now: they hold times and rates.
    pub fn describe(&self, on_air: bool) {
        let imp = self.imp();
        let Some(state) = imp.state.borrow().clone() else {
            return;
        };
        let (tone, words, remedy) = match &state {
            OutputState::Off => (Tone::Idle, self.words_when_off(on_air), String::new()),
            OutputState::Connecting { .. } => {
                let words = match self.kind() {
                    OutputKind::Record => gettext("Starting…"),
                    OutputKind::Push => gettext("Connecting…"),
                };
                (Tone::Busy, words, String::new())
            }
            OutputState::Live { .. } => match &*imp.warning.borrow() {
                Some(warning) => {
                    let notice = notice::output(warning);
                    let words = format!("{}. {}", self.words_when_live(), notice.what);
                    (Tone::Attention, words, notice.remedy)
                }
                None => (Tone::Good, self.words_when_live(), String::new()),
            },
            // As it is meant to be: nothing that the health line should name.
            OutputState::Paused => (
                Tone::Idle,
                words::fill(
                    gettext("Paused, {size}"),
                    &[("size", &words::size(imp.bytes.get()))],
                ),
                String::new(),
            ),
            OutputState::Waiting { retry_at, error } => {
                let notice = notice::output(error);
                (
                    Tone::Attention,
                    notice.what,
                    format!("{} {}", again(*retry_at), notice.remedy),
                )
            }
            OutputState::Failed(error) => {
                let notice = notice::output(error);
                (Tone::Trouble, notice.what, notice.remedy)
            }
        };
        self.set_tone(tone);
        self.set_words(words);
        self.set_remedy(remedy);
        self.set_retryable(self.enabled() && state.error().is_some());
        self.set_pausable(self.recording());
        self.set_paused(state == OutputState::Paused);
        self.set_denied(matches!(state.error(), Some(OutputError::Denied { .. })));
    }

    fn words_when_off(&self, on_air: bool) -> String {
        match (self.kind(), self.enabled()) {
            (OutputKind::Push, true) if !on_air => gettext("Starts when you go live"),
            (OutputKind::Push, true) => gettext("Starting…"),
            (OutputKind::Push, false) => gettext("Switched off"),
            (OutputKind::Record, true) => gettext("Starting…"),
            (OutputKind::Record, false) if self.imp().bytes.get() > 0 => words::fill(
                gettext("Saved, {size}"),
                &[("size", &words::size(self.imp().bytes.get()))],
            ),
            (OutputKind::Record, false) => gettext("Not recording"),
        }
    }

    fn words_when_live(&self) -> String {
        let (rate, size) = (
            words::rate(self.imp().bitrate.get()),
            words::size(self.imp().bytes.get()),
        );
        match self.kind() {
            OutputKind::Push => words::fill(gettext("Live, {rate}"), &[("rate", &rate)]),
            OutputKind::Record => words::fill(gettext("Recording, {size}"), &[("size", &size)]),
        }
    }
}

fn again(at: SystemTime) -> String {
    let seconds = at
        .duration_since(SystemTime::now())
        .map_or(0, |d| d.as_secs_f64().ceil() as u32);
    match seconds {
        0 => gettext("Trying again now."),
        n => words::fill(
            ngettext(
                "Trying again in {n} second.",
                "Trying again in {n} seconds.",
                n,
            ),
            &[("n", &n.to_string())],
        ),
    }
}
