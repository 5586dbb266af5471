// SPDX-License-Identifier: GPL-3.0-or-later
//! The line of text and the logo over all pictures.

use std::{path::PathBuf, rc::Rc};

use gettextrs::gettext;
use gtk::{CompositeTemplate, glib, prelude::*, subclass::prelude::*};
use studio::{
    message::Command,
    program::scene::{Corner, Logo, Overlays, TextLine, TextPlace},
};

use super::{
    bridge::Bridge,
    files,
    glyph::LayoutGlyph,
    layout_bar::{corner, corner_word},
    model::Scene,
    settle::Settle,
    states::States,
    window::Window,
    words,
};

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "overlay_form.ui")]
    pub struct OverlayForm {
        #[template_child]
        pub text: TemplateChild<gtk::Entry>,
        #[template_child]
        pub apply: TemplateChild<gtk::Button>,
        #[template_child]
        pub logo: TemplateChild<gtk::Label>,
        #[template_child]
        pub remove_logo: TemplateChild<gtk::Button>,
        #[template_child]
        pub logo_options: TemplateChild<gtk::Box>,
        #[template_child]
        pub size: TemplateChild<gtk::SpinButton>,
        pub settle: Settle,
        pub states: States,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for OverlayForm {
        const NAME: &'static str = "AerialOverlayForm";
        type Type = super::OverlayForm;
        type ParentType = gtk::Box;

        fn class_init(class: &mut Self::Class) {
            LayoutGlyph::ensure_type();
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for OverlayForm {
        fn constructed(&self) {
            self.parent_constructed();
            self.states.attach(&*self.obj(), "over");
        }
    }
    impl WidgetImpl for OverlayForm {}
    impl BoxImpl for OverlayForm {}
}

glib::wrapper! {
    /// Text and logo.
    pub struct OverlayForm(ObjectSubclass<imp::OverlayForm>)
        @extends gtk::Widget, gtk::Box,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget, gtk::Orientable;
}

const PLACES: [(&str, TextPlace); 3] = [
    ("top", TextPlace::Top),
    ("middle", TextPlace::Middle),
    ("bottom", TextPlace::Bottom),
];

impl OverlayForm {
    /// Show and change what lies over the pictures of this engine.
    pub fn bind(&self, bridge: &Rc<Bridge>) {
        let imp = self.imp();
        let states = &imp.states;
        let change = {
            let bridge = Rc::downgrade(bridge);
            move |change: &dyn Fn(&mut Overlays)| {
                if let Some(bridge) = bridge.upgrade() {
                    let mut overlays = bridge.model().scene.overlays();
                    change(&mut overlays);
                    bridge.command(Command::SetOverlays(overlays));
                }
            }
        };
        let write = glib::clone!(
            #[weak(rename_to = form)]
            self,
            #[strong]
            change,
            move || {
                let text = form.imp().text.text().trim().to_string();
                change(&|overlays| {
                    let place = overlays.text.as_ref().map(|t| t.place).unwrap_or_default();
                    let text = text.clone();
                    overlays.text = (!text.is_empty()).then_some(TextLine { text, place });
                });
            }
        );
        imp.text.connect_activate({
            let write = write.clone();
            move |_| write()
        });
        imp.apply.connect_clicked(move |_| write());
        states.choice("place", {
            let change = change.clone();
            move |wanted| {
                let place = PLACES.iter().find(|(word, _)| *word == wanted);
                change(&|overlays| {
                    if let (Some(line), Some((_, place))) = (&mut overlays.text, place) {
                        line.place = *place;
                    }
                });
            }
        });
        states.choice("corner", {
            let change = change.clone();
            move |wanted| {
                change(&|overlays| {
                    if let (Some(logo), Some(corner)) = (&mut overlays.logo, corner(wanted)) {
                        logo.corner = corner;
                    }
                });
            }
        });
        states.plain("remove-logo", {
            let change = change.clone();
            move || change(&|overlays| overlays.logo = None)
        });
        states.plain(
            "choose-logo",
            glib::clone!(
                #[weak(rename_to = form)]
                self,
                #[strong]
                change,
                move || form.choose(change.clone())
            ),
        );
        imp.size.connect_value_changed(glib::clone!(
            #[weak(rename_to = form)]
            self,
            #[weak]
            bridge,
            move |spin| {
                let (change, spin) = (change.clone(), spin.clone());
                let ask = move || {
                    let size = (spin.value() / 100.0) as f32;
                    change(&|overlays| {
                        if let Some(logo) = &mut overlays.logo {
                            logo.size = size;
                        }
                    });
                };
                let rest = glib::clone!(
                    #[weak]
                    form,
                    #[weak]
                    bridge,
                    move || form.show(&bridge.model().scene)
                );
                form.imp().settle.moved(ask, rest);
            }
        ));
        let scene = &bridge.model().scene;
        scene.connect_changes_notify(glib::clone!(
            #[weak(rename_to = form)]
            self,
            move |scene| form.show(scene)
        ));
        self.show(scene);
    }

    fn choose(&self, change: impl Fn(&dyn Fn(&mut Overlays)) + 'static) {
        let Some(window) = self.root().and_downcast::<Window>() else {
            return;
        };
        let chosen = files::open_logo(&window);
        glib::spawn_future_local(async move {
            let Some(path) = chosen.await else { return };
            change(&|overlays| {
                let path: PathBuf = path.clone();
                overlays.logo = Some(match overlays.logo.take() {
                    Some(logo) => Logo { path, ..logo },
                    None => Logo {
                        path,
                        corner: Corner::TopRight,
                        size: 0.125,
                        opacity: 1.0,
                    },
                });
            });
        });
    }

    fn show(&self, scene: &Scene) {
        let imp = self.imp();
        let Overlays { text, logo } = scene.overlays();
        let (line, place) = text.map(|t| (t.text, t.place)).unwrap_or_default();
        // Not while somebody types.
        if !imp.text.has_focus() && imp.text.focus_child().is_none() && imp.text.text() != line {
            imp.text.set_text(&line);
        }
        let states = &imp.states;
        let word = PLACES.iter().find(|(_, p)| *p == place);
        states.show_choice("place", word.map_or("", |(word, _)| word));
        let corner = logo.as_ref().map(|l| corner_word(l.corner));
        states.show_choice("corner", corner.unwrap_or_default());
        imp.remove_logo.set_visible(logo.is_some());
        imp.logo_options.set_visible(logo.is_some());
        let name = match &logo {
            Some(logo) => words::file(&logo.path),
            None => gettext("Choose a picture…"),
        };
        imp.logo.set_label(&name);
        if let Some(logo) = logo {
            imp.settle
                .show(|| imp.size.set_value(f64::from(logo.size * 100.0).round()));
        }
    }
}
