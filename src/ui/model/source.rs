// SPDX-License-Identifier: GPL-3.0-or-later
//! One source, as its row shows it.

use std::cell::{Cell, RefCell};

use gettextrs::gettext;
use gtk::{gdk, glib, prelude::*, subclass::prelude::*};
use studio::{
    Studio,
    message::{MediaKind, Progress, SourceId, SourceState, SourceStatus},
    program::scene::{Framing, Strip},
    source::Device,
};

use super::Tone;
use crate::ui::{notice, words};

mod imp {
    use super::*;

    #[derive(Default, glib::Properties)]
    #[properties(wrapper_type = super::SourceItem)]
    pub struct SourceItem {
        /// Its number.
        #[property(get, construct_only)]
        pub id: Cell<u64>,
        /// Picture, else sound.
        #[property(get, construct_only)]
        pub picture: Cell<bool>,
        /// As on the command line.
        #[property(get, construct_only)]
        pub spec: RefCell<String>,
        /// What people call it.
        #[property(get, set)]
        pub name: RefCell<String>,
        /// Its state.
        #[property(get, set)]
        pub words: RefCell<String>,
        /// What to do, if anything.
        #[property(get, set)]
        pub remedy: RefCell<String>,
        /// How its state is to be felt.
        #[property(get, set, builder(Tone::Idle))]
        pub tone: Cell<Tone>,
        /// Whether a picture is on screen.
        #[property(get)]
        pub shown: Cell<bool>,
        /// Grows when framing, strip or place in the file change, so that widgets can be told.
        #[property(get)]
        pub changes: Cell<u32>,
        /// What it shows now, small; nothing if it shows nothing, or nobody looks.
        #[property(get, set, nullable)]
        pub thumbnail: RefCell<Option<gdk::Texture>>,
        /// Whether a thumbnail is on its way.
        pub awaited: Cell<bool>,
        pub status: RefCell<Option<SourceStatus>>,
        pub progress: RefCell<Option<Progress>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for SourceItem {
        const NAME: &'static str = "AerialSourceItem";
        type Type = super::SourceItem;
    }

    #[glib::derived_properties]
    impl ObjectImpl for SourceItem {}
}

glib::wrapper! {
    /// One source.
    pub struct SourceItem(ObjectSubclass<imp::SourceItem>);
}

impl SourceItem {
    /// A row for this source.
    pub fn new(status: &SourceStatus, devices: &[Device]) -> SourceItem {
        let item: SourceItem = glib::Object::builder()
            .property("id", status.id)
            .property("picture", status.kind == MediaKind::Video)
            .property("spec", &status.spec)
            .build();
        item.rename(devices);
        item.update(status);
        item
    }

    /// Its name, now that these devices are known. One that was unplugged keeps the name it had.
    pub fn rename(&self, devices: &[Device]) {
        let spec = self.spec();
        let gone = match spec.split_once(':') {
            Some(("camera" | "mic", id)) => !devices.iter().any(|d| d.id == id),
            _ => false,
        };
        if self.name().is_empty() || !gone {
            self.set_name(words::source(&spec, devices));
        }
    }

    /// Show this status.
    pub fn update(&self, status: &SourceStatus) {
        self.imp().status.replace(Some(status.clone()));
        if status.state != SourceState::Live {
            self.set_thumbnail(gdk::Texture::NONE);
        }
        self.describe();
        self.changed();
    }

    /// Show whether it is on screen.
    pub fn show(&self, shown: bool) {
        if self.imp().shown.replace(shown) != shown {
            self.describe();
            self.notify_shown();
        }
    }

    /// Show what it shows. Waits for nothing: the picture is there when it comes.
    pub fn look(&self, studio: &Studio, size: (u32, u32)) {
        if !self.read(|s| s.state == SourceState::Live) || self.imp().awaited.replace(true) {
            return;
        }
        let (weak, studio, id) = (self.downgrade(), studio.clone(), self.id());
        glib::spawn_future_local(async move {
            let made = studio.thumbnail(id, size).await;
            let Some(item) = weak.upgrade() else { return };
            item.imp().awaited.set(false);
            if let Some(made) = made.filter(|_| item.read(|s| s.state == SourceState::Live)) {
                let texture = gdk::MemoryTexture::new(
                    made.width.cast_signed(),
                    made.height.cast_signed(),
                    gdk::MemoryFormat::R8g8b8,
                    &glib::Bytes::from_owned(made.pixels),
                    made.stride,
                );
                item.set_thumbnail(Some(texture.upcast_ref()));
            }
        });
    }

    /// Show where it is in its file.
    pub fn play(&self, progress: Option<&Progress>) {
        if self.imp().progress.borrow().as_ref() != progress {
            self.imp().progress.replace(progress.cloned());
            self.changed();
        }
    }

    fn changed(&self) {
        let changes = &self.imp().changes;
        changes.set(changes.get().wrapping_add(1));
        self.notify_changes();
    }

    fn describe(&self) {
        let Some(status) = self.imp().status.borrow().clone() else {
            return;
        };
        let (tone, words, remedy) = match (&status.state, &status.warning) {
            (SourceState::Starting, _) if status.spec == "guest" => {
                (Tone::Busy, gettext("Waiting for the guest"), String::new())
            }
            (SourceState::Starting, Some(warning)) => {
                let notice = notice::source(warning);
                (Tone::Busy, notice.what, notice.remedy)
            }
            (SourceState::Starting, None) => (Tone::Busy, gettext("Starting…"), String::new()),
            (SourceState::Live, Some(warning)) => {
                let notice = notice::source(warning);
                (Tone::Good, notice.what, notice.remedy)
            }
            (SourceState::Live, None) => {
                let (tone, word) = self.use_of();
                (tone, word, String::new())
            }
            (SourceState::Ended(error), _) => {
                let notice = notice::source(error);
                (Tone::Idle, notice.what, notice.remedy)
            }
            (SourceState::Lost { error, .. }, _) => {
                let notice = notice::source(error);
                (Tone::Trouble, notice.what, notice.remedy)
            }
        };
        self.set_tone(tone);
        self.set_words(words);
        self.set_remedy(remedy);
    }

    /// What is made of a source that works.
    fn use_of(&self) -> (Tone, String) {
        match (self.picture(), self.shown(), self.strip().muted) {
            (true, true, _) => (Tone::Good, gettext("In the picture")),
            // Translators: a source that is open but not on screen
            (true, false, _) => (Tone::Idle, gettext("Ready")),
            // Translators: a sound that is not heard
            (false, _, true) => (Tone::Idle, gettext("Muted")),
            (false, _, false) => (Tone::Good, gettext("In the mix")),
        }
    }

    /// Its state in a word or two.
    pub fn in_short(&self) -> String {
        match (self.remedy().is_empty(), self.tone()) {
            (true, _) => self.words(),
            // Translators: a source that gives no picture or sound now
            (false, Tone::Trouble) => gettext("Not available"),
            // Translators: a film or stream that is over
            (false, Tone::Idle) => gettext("Ended"),
            (false, Tone::Busy | Tone::Good | Tone::Attention) => self.use_of().1,
        }
    }

    /// What is to be known about it, and what to do; empty when all is well.
    pub fn trouble(&self) -> String {
        match self.remedy().is_empty() {
            true => String::new(),
            false => format!("{} {}", self.words(), self.remedy()),
        }
    }

    fn read<T: Default>(&self, what: impl FnOnce(&SourceStatus) -> T) -> T {
        self.imp()
            .status
            .borrow()
            .as_ref()
            .map(what)
            .unwrap_or_default()
    }

    /// Keep a widget as this source is: now, and after each change until the widget goes.
    pub fn follow<W: IsA<gtk::Widget>>(
        &self,
        widget: &W,
        show: impl Fn(&W, &SourceItem) + 'static,
    ) {
        show(widget, self);
        let weak = widget.downgrade();
        let handler = self.connect_notify_local(None, move |item, what| {
            // Changes each second, and nothing but the picture with it.
            if what.name() == "thumbnail" {
                return;
            }
            if let Some(widget) = weak.upgrade() {
                show(&widget, item);
            }
        });
        let (item, handler) = (self.downgrade(), Cell::new(Some(handler)));
        widget.connect_destroy(move |_| {
            if let (Some(item), Some(handler)) = (item.upgrade(), handler.take()) {
                item.disconnect(handler);
            }
        });
    }

    /// Picture or sound.
    pub fn kind(&self) -> MediaKind {
        match self.picture() {
            true => MediaKind::Video,
            false => MediaKind::Audio,
        }
    }

    /// How a picture is fitted to its place.
    pub fn framing(&self) -> Framing {
        self.read(|s| s.framing)
    }

    /// How a sound is mixed.
    pub fn strip(&self) -> Strip {
        self.read(|s| s.strip)
    }

    /// Its other half.
    pub fn partner(&self) -> Option<SourceId> {
        self.read(|s| s.partner)
    }

    /// Where it is in its file.
    pub fn progress(&self) -> Option<Progress> {
        self.imp().progress.borrow().clone()
    }

    /// Icon that goes with what it is.
    pub fn icon(&self) -> &'static str {
        let spec = self.spec();
        match spec.split(':').next().unwrap_or_default() {
            "camera" => "camera-web-symbolic",
            "screen" => "video-display-symbolic",
            "desktop" => "computer-symbolic",
            "guest" => "avatar-default-symbolic",
            "folder" => "folder-pictures-symbolic",
            "frames" | "stdin" => "utilities-terminal-symbolic",
            "mic" => "audio-input-microphone-symbolic",
            "test" => "tv-symbolic",
            "tone" => "audio-speakers-symbolic",
            "http" | "https" | "rtsp" | "rtmp" | "srt" => "network-transmit-receive-symbolic",
            _ if self.picture() => "video-x-generic-symbolic",
            _ => "audio-x-generic-symbolic",
        }
    }
}
