// SPDX-License-Identifier: GPL-3.0-or-later
//! The live preview with the level meter below it.
//!
//! The engine draws into a sink only while somebody can see it: a sink is made when the picture is mapped and let go
//! when it is unmapped or the window is minimised.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::Duration,
};

use adw::subclass::prelude::*;
use gettextrs::gettext;
use gst::prelude::*;
use gtk::{CompositeTemplate, gdk, glib, prelude::*};
use studio::{message::Command, program::Preview as Branch};

use super::{
    bridge::Bridge,
    drag::{self, Dragged},
    drop_zones::DropZones,
    meter::LevelMeter,
    model::{Air, SourceItem, items},
    renderer::Drawing,
    safe_areas::SafeAreas,
};

/// Pixels across until it has a place.
const USUAL: u32 = 640;
/// After its size changed: panels slide in and out, windows are drawn larger.
const SETTLED: Duration = Duration::from_millis(300);

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "preview.ui")]
    pub struct Preview {
        #[template_child]
        pub frame: TemplateChild<gtk::AspectFrame>,
        #[template_child]
        pub picture: TemplateChild<gtk::Picture>,
        #[template_child]
        pub extent: TemplateChild<gtk::DrawingArea>,
        #[template_child]
        pub empty: TemplateChild<gtk::Label>,
        #[template_child]
        pub safe_areas: TemplateChild<SafeAreas>,
        #[template_child]
        pub zones: TemplateChild<DropZones>,
        #[template_child]
        pub meter: TemplateChild<LevelMeter>,
        /// Set once, when the preview is bound.
        pub bridge: RefCell<Weak<Bridge>>,
        /// How wide the engine makes it.
        pub width: Cell<u32>,
        /// Its width may have changed, and is looked at soon.
        pub changing: Cell<bool>,
        pub drawing: Cell<Drawing>,
        /// The handler that hears when the window is minimised, with what it listens to.
        pub watched: RefCell<Option<(gdk::Toplevel, glib::SignalHandlerId)>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Preview {
        const NAME: &'static str = "AerialPreview";
        type Type = super::Preview;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            DropZones::ensure_type();
            LevelMeter::ensure_type();
            SafeAreas::ensure_type();
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for Preview {}
    impl WidgetImpl for Preview {}
    impl BinImpl for Preview {}
}

glib::wrapper! {
    /// The stage: what goes out, and how loud it is.
    pub struct Preview(ObjectSubclass<imp::Preview>)
        @extends gtk::Widget, adw::Bin,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

impl Preview {
    /// Show the program of this engine, as cheaply as this way of drawing needs.
    pub fn bind(&self, bridge: &Rc<Bridge>, drawing: Drawing) {
        let imp = self.imp();
        let encoding = bridge.encoding();
        imp.frame
            .set_ratio(encoding.width as f32 / encoding.height.max(1) as f32);
        let broadcast = &bridge.model().broadcast;
        broadcast.connect_air_notify(glib::clone!(
            #[weak(rename_to = preview)]
            self,
            move |b| preview.show_air(b.air())
        ));
        self.show_air(broadcast.air());

        let sources = bridge.model().sources.clone();
        sources.connect_items_changed(glib::clone!(
            #[weak(rename_to = preview)]
            self,
            move |list, _, _, _| preview.show_emptiness(list)
        ));
        self.show_emptiness(&sources);

        imp.bridge.replace(Rc::downgrade(bridge));
        imp.drawing.set(drawing);
        self.take_drops();

        let engine = bridge.studio().clone();
        imp.meter.follow(move || engine.levels());

        imp.extent.connect_resize(glib::clone!(
            #[weak(rename_to = preview)]
            self,
            move |_, _, _| preview.fit_soon()
        ));
        imp.picture.connect_map(glib::clone!(
            #[weak(rename_to = preview)]
            self,
            #[weak]
            bridge,
            move |picture| {
                preview.watch_minimising(picture, &bridge);
                preview.look(&bridge);
            }
        ));
        imp.picture.connect_unmap(glib::clone!(
            #[weak(rename_to = preview)]
            self,
            #[weak]
            bridge,
            move |_| {
                if let Some((toplevel, handler)) = preview.imp().watched.take() {
                    toplevel.disconnect(handler);
                }
                preview.look_away(&bridge);
            }
        ));
    }

    /// The lines around what every screen shows, to show and to hide.
    pub fn safe_areas(&self) -> SafeAreas {
        self.imp().safe_areas.get()
    }

    /// Something that can be shown is being dragged, or nothing is any more.
    pub fn offer_drop(&self, dragging: bool) {
        let imp = self.imp();
        if imp.zones.is_visible() == dragging {
            return;
        }
        let bridge = imp.bridge.borrow().upgrade();
        match bridge.filter(|_| dragging) {
            Some(bridge) => imp
                .zones
                .offer(bridge.model().scene.layout().pictures.is_empty()),
            None => imp.zones.withdraw(),
        }
    }

    fn take_drops(&self) {
        let zones = &self.imp().zones;
        let actions = gdk::DragAction::COPY | gdk::DragAction::LINK;
        let target = gtk::DropTarget::new(glib::Type::INVALID, actions);
        target.set_types(&drag::types());
        target.set_preload(true);
        target.connect_motion(glib::clone!(
            #[weak]
            zones,
            #[upgrade_or]
            gdk::DragAction::empty(),
            move |target, x, y| {
                let sound = |value: glib::Value| value.get::<Dragged>().is_ok_and(|d| !d.picture());
                if target.value().is_some_and(sound) {
                    zones.highlight(None);
                    return gdk::DragAction::empty();
                }
                zones.highlight(Some(zones.place_at(x, y)));
                drag::action(target)
            }
        ));
        target.connect_leave(glib::clone!(
            #[weak]
            zones,
            move |_| zones.highlight(None)
        ));
        target.connect_drop(glib::clone!(
            #[weak(rename_to = preview)]
            self,
            #[upgrade_or]
            false,
            move |_, value, x, y| {
                let imp = preview.imp();
                let place = imp.zones.place_at(x, y);
                drag::finish(&preview);
                let bridge = imp.bridge.borrow().upgrade();
                bridge.is_some_and(|bridge| drag::take(&preview, &bridge, value, place))
            }
        ));
        self.imp().picture.add_controller(target);
    }

    fn look(&self, bridge: &Bridge) {
        // A new sink each time: the old one may still be leaving its pipeline on another thread.
        let sink = match gst::ElementFactory::make("gtk4paintablesink")
            .name("preview")
            .build()
        {
            Ok(sink) => sink,
            Err(e) => {
                tracing::warn!(error = %e, "no preview");
                let text = gettext("The preview is not available: gtk4paintablesink is missing.");
                return bridge.model().broadcast.set_notice(text);
            }
        };
        let paintable = sink.property::<gdk::Paintable>("paintable");
        self.imp().picture.set_paintable(Some(&paintable));
        let (width, fps) = self.worth();
        self.imp().width.set(width);
        bridge.command(Command::Preview(Some(Branch { sink, width, fps })));
    }

    /// Width and rate that are worth making, as wide as it is on the screen.
    fn worth(&self) -> (u32, u32) {
        let imp = self.imp();
        let seen = match imp.picture.width() * imp.picture.scale_factor() {
            // It has no place yet.
            ..=0 => USUAL,
            seen => seen as u32,
        };
        imp.drawing.get().preview(seen)
    }

    /// Have it made as wide as it is seen, once that is settled.
    fn fit_soon(&self) {
        let imp = self.imp();
        if self.worth().0 == imp.width.get() || imp.changing.replace(true) {
            return;
        }
        let weak = self.downgrade();
        glib::timeout_add_local_once(SETTLED, move || {
            if let Some(preview) = weak.upgrade() {
                preview.imp().changing.set(false);
                preview.fit();
            }
        });
    }

    /// How wide the engine makes it.
    #[cfg(test)]
    pub fn made_width(&self) -> u32 {
        self.imp().width.get()
    }

    fn fit(&self) {
        let imp = self.imp();
        let Some(bridge) = imp.bridge.borrow().upgrade() else {
            return;
        };
        let (width, _) = self.worth();
        if imp.picture.is_mapped() && imp.width.replace(width) != width {
            bridge.command(Command::PreviewWidth(width));
        }
    }

    fn look_away(&self, bridge: &Bridge) {
        bridge.command(Command::Preview(None));
        self.imp().picture.set_paintable(gdk::Paintable::NONE);
    }

    fn watch_minimising(&self, picture: &gtk::Picture, bridge: &Rc<Bridge>) {
        let Some(toplevel) = picture
            .native()
            .and_then(|n| n.surface())
            .and_downcast::<gdk::Toplevel>()
        else {
            return;
        };
        let before = std::cell::Cell::new(is_minimised(&toplevel));
        let handler = toplevel.connect_state_notify(glib::clone!(
            #[weak(rename_to = preview)]
            self,
            #[weak]
            bridge,
            move |t| {
                let now = is_minimised(t);
                if before.replace(now) != now {
                    match now {
                        true => preview.look_away(&bridge),
                        false => preview.look(&bridge),
                    }
                }
            }
        ));
        self.imp().watched.replace(Some((toplevel, handler)));
    }

    fn show_air(&self, air: Air) {
        let picture = &self.imp().picture;
        match air {
            Air::Live => picture.add_css_class("on-air"),
            Air::Off | Air::Starting | Air::Stopping => picture.remove_css_class("on-air"),
        }
    }

    fn show_emptiness(&self, sources: &gtk::gio::ListStore) {
        let pictures = items::<SourceItem>(sources).any(|s| s.picture());
        self.imp().empty.set_visible(!pictures);
    }
}

/// Whether nobody sees this window although it is there.
pub fn is_minimised(toplevel: &gdk::Toplevel) -> bool {
    toplevel.state().contains(gdk::ToplevelState::MINIMIZED)
}
