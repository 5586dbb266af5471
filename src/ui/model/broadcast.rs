// SPDX-License-Identifier: GPL-3.0-or-later
//! What there is once: the state of the air, the link, the numbers, the settings in force.

use std::cell::{Cell, RefCell};

use gtk::{glib, prelude::*, subclass::prelude::*};
use studio::message::AirState;

use super::Tone;

/// [`AirState`] without its data, so that widgets can bind to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "AerialAir")]
pub enum Air {
    /// Nobody outside can see the program.
    #[default]
    Off,
    /// Asked to go live.
    Starting,
    /// Viewers are served.
    Live,
    /// Being ended.
    Stopping,
}

impl From<AirState> for Air {
    fn from(state: AirState) -> Air {
        match state {
            AirState::Off => Air::Off,
            AirState::Starting => Air::Starting,
            AirState::Live { .. } => Air::Live,
            AirState::Stopping => Air::Stopping,
        }
    }
}

mod imp {
    use super::*;

    #[derive(Default, glib::Properties)]
    #[properties(wrapper_type = super::Broadcast)]
    pub struct Broadcast {
        /// State of the air.
        #[property(get, set, builder(Air::Off))]
        pub air: Cell<Air>,
        /// Time on the air, as a timer shows it.
        #[property(get, set)]
        pub elapsed: RefCell<String>,
        /// How many watch.
        #[property(get, set)]
        pub watching: Cell<u32>,
        /// The most that watched at one time.
        #[property(get, set)]
        pub peak: Cell<u32>,
        /// Whether any recording runs.
        #[property(get, set)]
        pub recording: Cell<bool>,
        /// One sentence on how things are.
        #[property(get, set)]
        pub health: RefCell<String>,
        /// How that sentence is to be felt.
        #[property(get, set, builder(Tone::Idle))]
        pub tone: Cell<Tone>,
        /// The bitrate of the picture in kbit/s that would help; 0 for none.
        #[property(get, set)]
        pub lower_to: Cell<u32>,
        /// Frames per second, dropped frames and bitrate; empty while nothing is encoded.
        #[property(get, set)]
        pub numbers: RefCell<String>,
        /// Where viewers go.
        #[property(get, set)]
        pub link: RefCell<String>,
        /// Whether others can open it.
        #[property(get, set)]
        pub shared: Cell<bool>,
        /// Whether it carries a token, which another may replace.
        #[property(get, set)]
        pub renewable: Cell<bool>,
        /// The certificate, as a browser shows it; empty without HTTPS.
        #[property(get, set)]
        pub fingerprint: RefCell<String>,
        /// Who can open that link.
        #[property(get, set)]
        pub reach: RefCell<String>,
        /// Something that was refused or has to be known; empty when there is nothing.
        #[property(get, set)]
        pub notice: RefCell<String>,
        /// What listeners are told that plays now.
        #[property(get, set)]
        pub now_playing: RefCell<String>,
        /// Whether all encoders have been tried.
        #[property(get, set)]
        pub abilities_known: Cell<bool>,
        /// Word of the picture's codec, with its encoder if one was wished for.
        #[property(get, set)]
        pub video_codec: RefCell<String>,
        /// Word of the sound's codec, with its encoder if one was wished for.
        #[property(get, set)]
        pub audio_codec: RefCell<String>,
        /// Bitrate of the picture in kbit/s.
        #[property(get, set)]
        pub video_kbit: Cell<u32>,
        /// Bitrate of the sound in kbit/s.
        #[property(get, set)]
        pub audio_kbit: Cell<u32>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Broadcast {
        const NAME: &'static str = "AerialBroadcast";
        type Type = super::Broadcast;
    }

    #[glib::derived_properties]
    impl ObjectImpl for Broadcast {}
}

glib::wrapper! {
    /// The one bound state object.
    pub struct Broadcast(ObjectSubclass<imp::Broadcast>);
}

impl Default for Broadcast {
    fn default() -> Self {
        glib::Object::new()
    }
}
