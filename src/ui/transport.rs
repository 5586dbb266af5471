// SPDX-License-Identifier: GPL-3.0-or-later
//! Plays a file: pause, seek, next and previous of a playlist, loop.

use std::{rc::Rc, time::Duration};

use adw::subclass::prelude::*;
use gettextrs::gettext;
use gtk::{CompositeTemplate, accessible::Property, glib, prelude::*};
use studio::message::{Command, Playback, Progress};

use super::{bridge::Bridge, model::SourceItem, settle::Settle, states::States, words};

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "transport.ui")]
    pub struct Transport {
        #[template_child]
        pub previous: TemplateChild<gtk::Button>,
        #[template_child]
        pub pause: TemplateChild<gtk::Button>,
        #[template_child]
        pub next: TemplateChild<gtk::Button>,
        #[template_child]
        pub seek: TemplateChild<gtk::Scale>,
        #[template_child]
        pub time: TemplateChild<gtk::Label>,
        #[template_child]
        pub repeat: TemplateChild<gtk::ToggleButton>,
        pub settle: Settle,
        pub states: States,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Transport {
        const NAME: &'static str = "AerialTransport";
        type Type = super::Transport;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for Transport {
        fn constructed(&self) {
            self.parent_constructed();
            self.states.attach(&*self.obj(), "file");
        }
    }
    impl WidgetImpl for Transport {}
    impl BinImpl for Transport {}
}

glib::wrapper! {
    /// Buttons and slider of a file that plays.
    pub struct Transport(ObjectSubclass<imp::Transport>)
        @extends gtk::Widget, adw::Bin,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

impl Transport {
    /// Play this source.
    pub fn bind(&self, item: &SourceItem, bridge: &Rc<Bridge>) {
        let imp = self.imp();
        let id = item.id();
        let states = &imp.states;
        let ask = {
            let bridge = Rc::downgrade(bridge);
            move |what: Playback| {
                if let Some(bridge) = bridge.upgrade() {
                    bridge.command(Command::Play(id, what));
                    bridge.count_soon();
                }
            }
        };
        for (name, what) in [("previous", Playback::Previous), ("next", Playback::Next)] {
            let ask = ask.clone();
            states.plain(name, move || ask(what));
        }
        states.flag("pause", {
            let ask = ask.clone();
            move |pause| match pause {
                true => ask(Playback::Pause),
                false => ask(Playback::Resume),
            }
        });
        states.flag("loop", {
            let ask = ask.clone();
            move |looped| ask(Playback::Loop(looped))
        });
        imp.seek.connect_value_changed(glib::clone!(
            #[weak(rename_to = transport)]
            self,
            #[weak]
            item,
            move |slider| {
                let (ask, slider) = (ask.clone(), slider.clone());
                let seek = move || {
                    let to = Duration::from_secs_f64(slider.value().max(0.0));
                    ask(Playback::Seek(to));
                };
                let rest = glib::clone!(
                    #[weak]
                    transport,
                    #[weak]
                    item,
                    move || transport.show(&item)
                );
                transport.imp().settle.moved(seek, rest);
            }
        ));
        item.follow(self, Self::show);
    }

    fn show(&self, item: &SourceItem) {
        // A stream or a still picture has nothing to wind.
        let playing = item
            .progress()
            .filter(|p| p.duration.is_some() || p.items > 1);
        self.set_visible(playing.is_some());
        if let Some(progress) = playing {
            self.show_progress(item, &progress);
        }
    }

    fn show_progress(&self, item: &SourceItem, progress: &Progress) {
        let imp = self.imp();
        let states = &imp.states;
        states.show_flag("pause", progress.paused);
        states.show_flag("loop", progress.looped);
        let list = progress.items > 1;
        imp.previous.set_visible(list);
        imp.next.set_visible(list);
        imp.seek.set_visible(progress.duration.is_some());
        let (icon, pause) = match progress.paused {
            true => ("media-playback-start-symbolic", gettext("Play {name}")),
            false => ("media-playback-pause-symbolic", gettext("Pause {name}")),
        };
        imp.pause.set_icon_name(icon);
        let name = item.name();
        let labels: [(&gtk::Widget, String); 5] = [
            (imp.pause.upcast_ref(), pause),
            // Translators: of a playlist
            (imp.previous.upcast_ref(), gettext("Previous of {name}")),
            // Translators: of a playlist
            (imp.next.upcast_ref(), gettext("Next of {name}")),
            (imp.seek.upcast_ref(), gettext("Place in {name}")),
            (imp.repeat.upcast_ref(), gettext("Loop {name}")),
        ];
        for (widget, label) in labels {
            words::call(widget, &words::fill(label, &[("name", &name)]));
        }
        let clock = |seconds: f64| words::clock(Duration::from_secs_f64(seconds.max(0.0)));
        let time = match (progress.duration, list) {
            (Some(duration), false) => format!("{}/{}", clock(progress.position), clock(duration)),
            (Some(_), true) | (None, _) => {
                let place = format!("{}/{}", progress.item, progress.items);
                format!("{place} · {}", clock(progress.position))
            }
        };
        imp.time.set_label(&time);
        imp.settle.show(|| {
            let end = progress.duration.unwrap_or(1.0).max(0.1);
            imp.seek.set_range(0.0, end);
            imp.seek.set_value(progress.position);
        });
        imp.seek.update_property(&[Property::ValueText(&time)]);
    }
}
