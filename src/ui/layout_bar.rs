// SPDX-License-Identifier: GPL-3.0-or-later
//! How the pictures stand to each other, how that changes, and what lies over them.

use std::rc::Rc;

use adw::subclass::prelude::*;
use gtk::{CompositeTemplate, glib, prelude::*};
use studio::program::scene::{Corner, LayoutKind, Transition};

use super::{
    bridge::Bridge, glyph::LayoutGlyph, model::Scene, overlay_form::OverlayForm, settle::Settle,
    staging, states::States,
};

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "layout_bar.ui")]
    pub struct LayoutBar {
        #[template_child]
        pub size: TemplateChild<gtk::SpinButton>,
        #[template_child]
        pub seconds: TemplateChild<gtk::SpinButton>,
        #[template_child]
        pub overlays: TemplateChild<OverlayForm>,
        pub settle: Settle,
        pub states: States,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for LayoutBar {
        const NAME: &'static str = "AerialLayoutBar";
        type Type = super::LayoutBar;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            LayoutGlyph::ensure_type();
            OverlayForm::ensure_type();
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for LayoutBar {
        fn constructed(&self) {
            self.parent_constructed();
            self.states.attach(&*self.obj(), "scene");
        }
    }
    impl WidgetImpl for LayoutBar {}
    impl BinImpl for LayoutBar {}
}

glib::wrapper! {
    /// The buttons of the layouts.
    pub struct LayoutBar(ObjectSubclass<imp::LayoutBar>)
        @extends gtk::Widget, adw::Bin,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

/// Corners and the words for them in actions.
pub const CORNERS: [(&str, Corner); 4] = [
    ("top-left", Corner::TopLeft),
    ("top-right", Corner::TopRight),
    ("bottom-left", Corner::BottomLeft),
    ("bottom-right", Corner::BottomRight),
];

/// The word of a corner.
pub fn corner_word(corner: Corner) -> &'static str {
    let found = CORNERS.iter().find(|(_, c)| *c == corner);
    found.map_or("", |(word, _)| word)
}

/// The corner of a word.
pub fn corner(word: &str) -> Option<Corner> {
    let found = CORNERS.iter().find(|(w, _)| *w == word);
    found.map(|(_, corner)| *corner)
}

/// How long a fade is unless somebody says otherwise.
const FADE: f64 = 0.5;

impl LayoutBar {
    /// Show and change the layout of this engine.
    pub fn bind(&self, bridge: &Rc<Bridge>) {
        let imp = self.imp();
        imp.overlays.bind(bridge);
        imp.seconds.set_value(FADE);
        let states = &imp.states;
        states.choice(
            "layout",
            glib::clone!(
                #[weak]
                bridge,
                move |wanted| {
                    let (corner, size) = bridge.model().scene.small();
                    let kind = match wanted {
                        "full" => LayoutKind::Full,
                        "small" => LayoutKind::PictureInPicture { corner, size },
                        "side" => LayoutKind::SideBySide,
                        _ => LayoutKind::Grid,
                    };
                    staging::reshape(&bridge, kind);
                }
            ),
        );
        states.choice(
            "corner",
            glib::clone!(
                #[weak]
                bridge,
                move |wanted| if let Some(corner) = corner(wanted) {
                    let (_, size) = bridge.model().scene.small();
                    staging::reshape(&bridge, LayoutKind::PictureInPicture { corner, size });
                }
            ),
        );
        states.choice(
            "transition",
            glib::clone!(
                #[weak(rename_to = bar)]
                self,
                #[weak]
                bridge,
                move |wanted| bridge.model().scene.set_transition(match wanted {
                    "fade" => staging::fade(bar.imp().seconds.value()),
                    _ => Transition::Cut,
                })
            ),
        );
        imp.size.connect_value_changed(glib::clone!(
            #[weak(rename_to = bar)]
            self,
            #[weak]
            bridge,
            move |_| bar.resize(&bridge)
        ));
        imp.seconds.connect_value_changed(glib::clone!(
            #[weak]
            bridge,
            move |seconds| bridge
                .model()
                .scene
                .set_transition(staging::fade(seconds.value()))
        ));
        let scene = &bridge.model().scene;
        scene.connect_changes_notify(glib::clone!(
            #[weak(rename_to = bar)]
            self,
            move |scene| bar.show(scene)
        ));
        self.show(scene);
    }

    fn resize(&self, bridge: &Rc<Bridge>) {
        let ask = glib::clone!(
            #[weak(rename_to = bar)]
            self,
            #[weak]
            bridge,
            move || {
                let (corner, _) = bridge.model().scene.small();
                let size = (bar.imp().size.value() / 100.0) as f32;
                staging::reshape(&bridge, LayoutKind::PictureInPicture { corner, size });
            }
        );
        let rest = glib::clone!(
            #[weak(rename_to = bar)]
            self,
            #[weak]
            bridge,
            move || bar.show(&bridge.model().scene)
        );
        self.imp().settle.moved(ask, rest);
    }

    fn show(&self, scene: &Scene) {
        let imp = self.imp();
        let (corner, size) = scene.small();
        let states = &imp.states;
        let (layout, corner) = match scene.layout().kind {
            LayoutKind::Full => ("full", ""),
            LayoutKind::PictureInPicture { .. } => ("small", corner_word(corner)),
            LayoutKind::SideBySide => ("side", ""),
            LayoutKind::Grid => ("grid", ""),
        };
        states.show_choice("layout", layout);
        states.show_choice("corner", corner);
        states.show_choice(
            "transition",
            match scene.transition() {
                Transition::Cut => "cut",
                Transition::Fade(_) => "fade",
            },
        );
        imp.settle
            .show(|| imp.size.set_value(f64::from(size * 100.0).round()));
    }
}
