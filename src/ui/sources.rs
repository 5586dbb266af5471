// SPDX-License-Identifier: GPL-3.0-or-later
//! The left panel: what is in the program and how it is laid out and mixed, what can be added, how it is encoded.

use std::{cell::Cell, rc::Rc, time::Duration};

use adw::subclass::prelude::*;
use gettextrs::gettext;
use gtk::{CompositeTemplate, gdk, glib, prelude::*};

use super::{
    bridge::Bridge,
    device_row::DeviceRow,
    drag::{self, Dragged},
    layout_bar::LayoutBar,
    model::{SourceItem, items},
    picker, preview,
    quality::Quality,
    source_form::{SourceForm, Wanted},
    source_row::SourceRow,
    staging::Place,
    strip_row::StripRow,
};

/// How often thumbnails are made anew.
const LOOK: Duration = Duration::from_secs(1);
/// The room that a row has for one.
const THUMBNAIL: (u32, u32) = (64, 36);

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "sources.ui")]
    pub struct SourcesPanel {
        #[template_child]
        pub layout_bar: TemplateChild<LayoutBar>,
        #[template_child]
        pub pictures: TemplateChild<gtk::ListBox>,
        #[template_child]
        pub no_pictures: TemplateChild<gtk::Label>,
        #[template_child]
        pub sounds: TemplateChild<gtk::ListBox>,
        #[template_child]
        pub no_sounds: TemplateChild<gtk::Label>,
        #[template_child]
        pub devices_box: TemplateChild<gtk::Box>,
        #[template_child]
        pub devices: TemplateChild<gtk::ListBox>,
        #[template_child]
        pub quality: TemplateChild<Quality>,
        #[template_child]
        pub foot: TemplateChild<gtk::Stack>,
        #[template_child]
        pub add: TemplateChild<gtk::MenuButton>,
        #[template_child]
        pub form: TemplateChild<SourceForm>,
        #[template_child]
        pub drop_hint: TemplateChild<gtk::Label>,
        /// The source whose row is to have the focus once it stands at its new place.
        pub focused: Cell<Option<u64>>,
        pub dragging: Cell<bool>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for SourcesPanel {
        const NAME: &'static str = "AerialSourcesPanel";
        type Type = super::SourcesPanel;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            LayoutBar::ensure_type();
            Quality::ensure_type();
            SourceForm::ensure_type();
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for SourcesPanel {}
    impl WidgetImpl for SourcesPanel {}
    impl BinImpl for SourcesPanel {}
}

glib::wrapper! {
    /// The left panel.
    pub struct SourcesPanel(ObjectSubclass<imp::SourcesPanel>)
        @extends gtk::Widget, adw::Bin,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

impl SourcesPanel {
    /// Show this engine's sources.
    pub fn bind(&self, bridge: &Rc<Bridge>) {
        let imp = self.imp();
        let model = bridge.model();
        // Before the lists hear of it: a popover that goes with its row would keep the pointer and the keyboard.
        model.sources.connect_items_changed(glib::clone!(
            #[weak(rename_to = panel)]
            self,
            move |_, _, removed, _| if removed > 0 {
                panel.close_settings();
            }
        ));
        self.fill(&imp.pictures, &imp.no_pictures, bridge, true);
        self.fill(&imp.sounds, &imp.no_sounds, bridge, false);
        imp.layout_bar.bind(bridge);
        imp.add.set_menu_model(Some(&model.picker));
        imp.quality.bind(bridge);
        imp.form.bind(
            bridge,
            glib::clone!(
                #[weak(rename_to = panel)]
                self,
                move || panel.show_foot()
            ),
        );
        // The menu changes whenever devices do.
        model.picker.connect_items_changed(glib::clone!(
            #[weak(rename_to = panel)]
            self,
            #[weak]
            bridge,
            move |_, _, _, _| panel.show_devices(&bridge)
        ));
        self.show_devices(bridge);
        self.take_drops(bridge);
        self.keep_looking(bridge);
    }

    /// Thumbnails, as long as somebody can see them.
    fn keep_looking(&self, bridge: &Rc<Bridge>) {
        let (panel, bridge) = (self.downgrade(), Rc::downgrade(bridge));
        glib::timeout_add_local(LOOK, move || {
            let (Some(panel), Some(bridge)) = (panel.upgrade(), bridge.upgrade()) else {
                return glib::ControlFlow::Break;
            };
            if panel.imp().pictures.is_mapped() && !is_minimised(&panel) {
                let pictures = items::<SourceItem>(&bridge.model().sources).filter(|s| s.picture());
                let scale = u32::try_from(panel.scale_factor()).unwrap_or(1);
                let (width, height) = THUMBNAIL;
                pictures.for_each(|s| s.look(bridge.studio(), (width * scale, height * scale)));
            }
            glib::ControlFlow::Continue
        });
    }

    /// Ask for what this kind of source needs.
    pub fn ask(&self, wanted: Wanted, bridge: &Bridge) {
        let imp = self.imp();
        imp.foot.set_visible_child_name("form");
        imp.form.start(wanted, bridge);
    }

    /// The row of this source keeps the focus when it moves.
    pub fn keep_focus(&self, id: u64) {
        self.imp().focused.set(Some(id));
    }

    /// Something that can be added is being dragged, or nothing is any more.
    pub fn offer_drop(&self, dragging: bool) {
        if self.imp().dragging.replace(dragging) != dragging {
            self.hint(None);
            self.show_foot();
        }
    }

    /// What will happen if it is dropped now.
    pub fn hint(&self, text: Option<&str>) {
        let hint = &self.imp().drop_hint;
        match text {
            Some(text) => {
                hint.set_label(text);
                hint.add_css_class("over");
            }
            None => {
                hint.set_label(&gettext("Drop it here to only add it"));
                hint.remove_css_class("over");
            }
        }
    }

    fn close_settings(&self) {
        let imp = self.imp();
        for list in [&*imp.pictures, &*imp.sounds] {
            for row in (0..).map_while(|n| list.row_at_index(n)) {
                if let Some(row) = row.downcast_ref::<SourceRow>() {
                    row.close();
                } else if let Some(row) = row.downcast_ref::<StripRow>() {
                    row.close();
                }
            }
        }
    }

    fn show_foot(&self) {
        let imp = self.imp();
        let page = match imp.dragging.get() {
            true => "drop",
            false => "add",
        };
        imp.foot.set_visible_child_name(page);
    }

    fn show_devices(&self, bridge: &Rc<Bridge>) {
        let imp = self.imp();
        let spare = picker::spare(
            &bridge.devices().unwrap_or_default(),
            &bridge.model().sources,
        );
        while let Some(row) = imp.devices.row_at_index(0) {
            imp.devices.remove(&row);
        }
        for device in &spare {
            imp.devices.append(&DeviceRow::new(device, bridge));
        }
        imp.devices_box.set_visible(!spare.is_empty());
    }

    fn take_drops(&self, bridge: &Rc<Bridge>) {
        let actions = gdk::DragAction::COPY | gdk::DragAction::LINK;
        let target = gtk::DropTarget::new(glib::Type::INVALID, actions);
        target.set_types(&drag::types());
        target.set_preload(true);
        let new = |target: &gtk::DropTarget| match target.value().map(|v| v.get::<Dragged>()) {
            // It is in the list already.
            Some(Ok(Dragged::Source { .. })) => false,
            Some(Ok(Dragged::Device { .. }) | Err(_)) | None => true,
        };
        target.connect_motion(glib::clone!(
            #[weak(rename_to = panel)]
            self,
            #[upgrade_or]
            gdk::DragAction::empty(),
            move |target, _, _| {
                if !new(target) {
                    return gdk::DragAction::empty();
                }
                panel.hint(Some(&gettext("Add it without showing it")));
                drag::action(target)
            }
        ));
        target.connect_leave(glib::clone!(
            #[weak(rename_to = panel)]
            self,
            move |_| panel.hint(None)
        ));
        target.connect_drop(glib::clone!(
            #[weak(rename_to = panel)]
            self,
            #[weak]
            bridge,
            #[upgrade_or]
            false,
            move |target, value, _, _| {
                drag::finish(&panel);
                new(target) && drag::take(&panel, &bridge, value, Place::Unseen)
            }
        ));
        self.add_controller(target);
    }

    fn fill(&self, list: &gtk::ListBox, nothing: &gtk::Label, bridge: &Rc<Bridge>, picture: bool) {
        let of_kind = gtk::CustomFilter::new(move |item| {
            item.downcast_ref::<SourceItem>()
                .is_some_and(|s| s.picture() == picture)
        });
        let all = bridge.model().sources.clone();
        let sources = gtk::FilterListModel::new(Some(all), Some(of_kind));
        // The list leaves it among its rows when there are some: then none would be the last, with round corners.
        sources
            .bind_property("n-items", nothing, "visible")
            .transform_to(|_, n: u32| Some(n == 0))
            .sync_create()
            .build();
        let (panel, weak) = (self.downgrade(), Rc::downgrade(bridge));
        list.bind_model(Some(&sources), move |item| {
            let item = item
                .downcast_ref::<SourceItem>()
                .expect("the list holds sources only");
            let Some(bridge) = weak.upgrade() else {
                return gtk::ListBoxRow::new().upcast();
            };
            let row: gtk::ListBoxRow = match picture {
                true => SourceRow::new(item, &bridge).upcast(),
                false => StripRow::new(item, &bridge).upcast(),
            };
            if let Some(panel) = panel.upgrade() {
                panel.focus_again(&row, item.id());
            }
            row.upcast()
        });
    }

    /// A row that was moved by key is a new one, and has the focus as soon as it stands.
    fn focus_again(&self, row: &gtk::ListBoxRow, id: u64) {
        let focused = &self.imp().focused;
        if focused.get() == Some(id) {
            focused.set(None);
            let row = row.downgrade();
            glib::idle_add_local_once(move || {
                if let Some(row) = row.upgrade() {
                    row.grab_focus();
                }
            });
        }
    }
}

fn is_minimised(widget: &impl IsA<gtk::Widget>) -> bool {
    let surface = widget.native().and_then(|native| native.surface());
    surface
        .and_downcast::<gdk::Toplevel>()
        .is_some_and(|toplevel| preview::is_minimised(&toplevel))
}
