// SPDX-License-Identifier: GPL-3.0-or-later
//! One source, as its row shows it.

use std::cell::{Cell, RefCell};

use gettextrs::gettext;
use gtk::{glib, prelude::*, subclass::prelude::*};
use studio::{
    message::{MediaKind, SourceState, SourceStatus},
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

    /// Show this state.
    pub fn update(&self, status: &SourceStatus) {
        let (tone, words, remedy) = match (&status.state, &status.warning) {
            (SourceState::Starting, _) => (Tone::Busy, gettext("Starting…"), String::new()),
            (SourceState::Live, Some(warning)) => {
                let notice = notice::source(warning);
                (Tone::Good, notice.what, notice.remedy)
            }
            (SourceState::Ended(error), _) => {
                let notice = notice::source(error);
                (Tone::Idle, notice.what, notice.remedy)
            }
            (SourceState::Live, None) if self.picture() => {
                (Tone::Good, gettext("In the picture"), String::new())
            }
            (SourceState::Live, None) => (Tone::Good, gettext("In the mix"), String::new()),
            (SourceState::Lost { error, .. }, _) => {
                let notice = notice::source(error);
                (Tone::Trouble, notice.what, notice.remedy)
            }
        };
        self.set_tone(tone);
        self.set_words(words);
        self.set_remedy(remedy);
    }

    /// Icon that goes with what it is.
    pub fn icon(&self) -> &'static str {
        let spec = self.spec();
        match spec.split(':').next().unwrap_or_default() {
            "camera" => "camera-web-symbolic",
            "mic" => "audio-input-microphone-symbolic",
            "test" => "tv-symbolic",
            "tone" => "audio-speakers-symbolic",
            _ if self.picture() => "video-x-generic-symbolic",
            _ => "audio-x-generic-symbolic",
        }
    }
}
