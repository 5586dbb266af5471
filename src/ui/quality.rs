// SPDX-License-Identifier: GPL-3.0-or-later
//! Codecs and bitrates. They show what the engine says; a change here is only asked for.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use adw::{prelude::*, subclass::prelude::*};
use gettextrs::gettext;
use gtk::{CompositeTemplate, glib};
use studio::{
    encode::EncodeSettings,
    message::{Command, MediaKind},
};

use super::{
    bridge::Bridge,
    codec_choice,
    model::{Air, Broadcast},
};

/// Somebody who holds a spin button's arrow means the last number only.
const SETTLE: Duration = Duration::from_millis(300);

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "quality.ui")]
    pub struct Quality {
        #[template_child]
        pub video_codec: TemplateChild<adw::ComboRow>,
        #[template_child]
        pub video_kbit: TemplateChild<gtk::SpinButton>,
        #[template_child]
        pub audio_codec: TemplateChild<adw::ComboRow>,
        #[template_child]
        pub audio_kbit: TemplateChild<gtk::SpinButton>,
        /// The engine's values are being shown: nobody chose anything.
        pub showing: Cell<bool>,
        pub settling: RefCell<Option<glib::SourceId>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Quality {
        const NAME: &'static str = "AerialQuality";
        type Type = super::Quality;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for Quality {
        fn dispose(&self) {
            if let Some(settling) = self.settling.take() {
                settling.remove();
            }
        }
    }
    impl WidgetImpl for Quality {}
    impl BinImpl for Quality {}
}

glib::wrapper! {
    /// Codec and bitrate of picture and sound.
    pub struct Quality(ObjectSubclass<imp::Quality>)
        @extends gtk::Widget, adw::Bin,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

impl Quality {
    /// Show and change the settings of this engine.
    pub fn bind(&self, bridge: &Rc<Bridge>) {
        let imp = self.imp();
        for (row, media) in self.codec_rows() {
            row.set_list_factory(Some(&codec_choice::factory(media)));
            row.connect_selected_notify(glib::clone!(
                #[weak(rename_to = quality)]
                self,
                #[weak]
                bridge,
                move |_| quality.chosen(&bridge)
            ));
        }
        for spin in [&*imp.video_kbit, &*imp.audio_kbit] {
            spin.connect_value_changed(glib::clone!(
                #[weak(rename_to = quality)]
                self,
                #[weak]
                bridge,
                move |_| quality.chosen(&bridge)
            ));
        }
        let broadcast = &bridge.model().broadcast;
        let show = glib::clone!(
            #[weak(rename_to = quality)]
            self,
            move |b: &Broadcast| quality.show_settings(b)
        );
        broadcast.connect_video_codec_notify(show.clone());
        broadcast.connect_audio_codec_notify(show.clone());
        broadcast.connect_video_kbit_notify(show.clone());
        broadcast.connect_audio_kbit_notify(show.clone());
        broadcast.connect_air_notify(show.clone());
        broadcast.connect_abilities_known_notify(glib::clone!(
            #[weak(rename_to = quality)]
            self,
            move |b: &Broadcast| {
                quality.list_codecs();
                quality.show_settings(b);
            }
        ));
        self.list_codecs();
        self.show_settings(broadcast);
    }

    fn codec_rows(&self) -> [(&adw::ComboRow, MediaKind); 2] {
        let imp = self.imp();
        [
            (&*imp.video_codec, MediaKind::Video),
            (&*imp.audio_codec, MediaKind::Audio),
        ]
    }

    /// Fill the lists anew, for more may be known of what works.
    fn list_codecs(&self) {
        self.imp().showing.set(true);
        for (row, media) in self.codec_rows() {
            row.set_model(Some(&codec_choice::model(media)));
        }
        self.imp().showing.set(false);
    }

    fn show_settings(&self, broadcast: &Broadcast) {
        let imp = self.imp();
        imp.showing.set(true);
        for (row, media) in self.codec_rows() {
            let name = match media {
                MediaKind::Video => broadcast.video_codec(),
                MediaKind::Audio => broadcast.audio_codec(),
            };
            let choices = codec_choice::choices(media);
            if let Some(at) = choices.iter().position(|c| c.word() == name) {
                row.set_selected(at as u32);
                row.set_subtitle(&choices[at].detail);
            }
            let off = broadcast.air() == Air::Off;
            row.set_sensitive(off);
            row.set_tooltip_text(
                match off {
                    true => None,
                    false => Some(gettext(
                        "The codec can be changed off air only. End the broadcast first.",
                    )),
                }
                .as_deref(),
            );
        }
        imp.video_kbit.set_value(broadcast.video_kbit().into());
        imp.audio_kbit.set_value(broadcast.audio_kbit().into());
        imp.showing.set(false);
    }

    fn chosen(&self, bridge: &Rc<Bridge>) {
        let imp = self.imp();
        if imp.showing.get() {
            return;
        }
        if let Some(earlier) = imp.settling.take() {
            earlier.remove();
        }
        let ask = glib::clone!(
            #[weak(rename_to = quality)]
            self,
            #[weak]
            bridge,
            move || {
                quality.imp().settling.take();
                let wanted = quality.settings(bridge.encoding());
                if wanted != bridge.encoding() {
                    bridge.command(Command::SetEncoding(wanted));
                } else {
                    quality.show_settings(&bridge.model().broadcast);
                }
            }
        );
        imp.settling
            .replace(Some(glib::timeout_add_local_once(SETTLE, ask)));
    }

    /// These settings with what is chosen here.
    fn settings(&self, mut settings: EncodeSettings) -> EncodeSettings {
        let imp = self.imp();
        for (row, media) in self.codec_rows() {
            let mut choices = codec_choice::choices(media).into_iter();
            let chosen = choices.nth(row.selected() as usize);
            // With the keyboard also what does not work can be reached.
            let Some(chosen) = chosen.filter(|c| c.works) else {
                continue;
            };
            match media {
                MediaKind::Video => settings.video = chosen.codec,
                MediaKind::Audio => settings.audio = chosen.codec,
            }
            match chosen.encoder {
                Some(encoder) => settings.encoders.insert(chosen.codec.name, encoder),
                None => settings.encoders.remove(chosen.codec.name),
            };
        }
        settings.video_bitrate = imp.video_kbit.value() as u64 * 1000;
        settings.audio_bitrate = imp.audio_kbit.value() as u64 * 1000;
        settings
    }
}
