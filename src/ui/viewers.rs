// SPDX-License-Identifier: GPL-3.0-or-later
//! Who is watching: a sortable list with a way to let somebody go.

use std::{cell::Cell, time::Duration};

use adw::subclass::prelude::*;
use gettextrs::gettext;
use gtk::{CompositeTemplate, gdk, glib, prelude::*};

use super::{
    model::{Air, Broadcast, Model, ViewerItem},
    viewer_columns, words,
};

/// Rates change all the time; rows change places at this pace, and never under the pointer.
const RESORT: Duration = Duration::from_secs(3);

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "viewers.ui")]
    pub struct ViewersPanel {
        #[template_child]
        pub stack: TemplateChild<gtk::Stack>,
        #[template_child]
        pub empty: TemplateChild<adw::StatusPage>,
        #[template_child]
        pub copy: TemplateChild<gtk::Button>,
        #[template_child]
        pub header: TemplateChild<gtk::Box>,
        #[template_child]
        pub total: TemplateChild<gtk::Label>,
        #[template_child]
        pub list: TemplateChild<gtk::ColumnView>,
        #[template_child]
        pub more: TemplateChild<gtk::MenuButton>,
        pub hovered: Cell<bool>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for ViewersPanel {
        const NAME: &'static str = "AerialViewersPanel";
        type Type = super::ViewersPanel;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for ViewersPanel {}
    impl WidgetImpl for ViewersPanel {}
    impl BinImpl for ViewersPanel {}
}

glib::wrapper! {
    /// Who is watching.
    pub struct ViewersPanel(ObjectSubclass<imp::ViewersPanel>)
        @extends gtk::Widget, adw::Bin,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

impl ViewersPanel {
    /// Show these viewers.
    pub fn bind(&self, model: &Model) {
        let imp = self.imp();
        let list = &*imp.list;
        // Before the list hears of it.
        model.viewers.list().connect_items_changed(glib::clone!(
            #[weak(rename_to = panel)]
            self,
            move |_, _, removed, _| if removed > 0 {
                panel.mind_focus();
            }
        ));
        viewer_columns::append(list);
        let sorted = gtk::SortListModel::new(Some(model.viewers.list().clone()), list.sorter());
        let selection = gtk::SingleSelection::new(Some(sorted));
        selection.set_autoselect(false);
        selection.set_can_unselect(true);
        list.set_model(Some(&selection));
        self.kick_by_delete();
        self.sort_in_peace(&selection);

        let update = glib::clone!(
            #[weak(rename_to = panel)]
            self,
            move |b: &Broadcast| panel.update(b)
        );
        model.broadcast.connect_watching_notify(update.clone());
        model.broadcast.connect_peak_notify(update.clone());
        model.broadcast.connect_air_notify(update);
        self.update(&model.broadcast);
    }

    fn kick_by_delete(&self) {
        let list = &*self.imp().list;
        let kick = gtk::CallbackAction::new(|widget, _| {
            let selected = widget
                .downcast_ref::<gtk::ColumnView>()
                .and_then(|list| list.model())
                .and_downcast::<gtk::SingleSelection>()
                .and_then(|s| s.selected_item())
                .and_downcast::<ViewerItem>();
            match selected {
                Some(item) => {
                    let asked = widget.activate_action("win.kick", Some(&item.id().to_variant()));
                    asked.is_ok().into()
                }
                None => glib::Propagation::Proceed,
            }
        });
        let shortcut = gtk::Shortcut::new(
            Some(gtk::KeyvalTrigger::new(
                gdk::Key::Delete,
                gdk::ModifierType::empty(),
            )),
            Some(kick),
        );
        let controller = gtk::ShortcutController::new();
        controller.add_shortcut(shortcut);
        list.add_controller(controller);
    }

    fn sort_in_peace(&self, selection: &gtk::SingleSelection) {
        let imp = self.imp();
        let pointer = gtk::EventControllerMotion::new();
        pointer.connect_enter(glib::clone!(
            #[weak(rename_to = panel)]
            self,
            move |_, _, _| panel.imp().hovered.set(true)
        ));
        pointer.connect_leave(glib::clone!(
            #[weak(rename_to = panel)]
            self,
            move |_| panel.imp().hovered.set(false)
        ));
        imp.list.add_controller(pointer);
        let (weak, sorted) = (
            self.downgrade(),
            selection.model().and_downcast::<gtk::SortListModel>(),
        );
        glib::timeout_add_local(RESORT, move || {
            let Some(panel) = weak.upgrade() else {
                return glib::ControlFlow::Break;
            };
            if panel.is_mapped()
                && !panel.imp().hovered.get()
                && let Some(sorter) = sorted.as_ref().and_then(|s| s.sorter())
            {
                sorter.changed(gtk::SorterChange::Different);
            }
            glib::ControlFlow::Continue
        });
    }

    fn update(&self, broadcast: &Broadcast) {
        let imp = self.imp();
        let watching = broadcast.watching();
        imp.stack.set_visible_child_name(match watching {
            0 => "empty",
            _ => "list",
        });
        // There is something to look back at.
        imp.header.set_visible(broadcast.peak() > 0);
        let peak = broadcast.peak().to_string();
        let total = match watching {
            // Translators: {peak} is a number of viewers
            0 => gettext("Nobody is watching now, at most {peak} so far"),
            _ => gettext("{watching}, at most {peak} at a time"),
        };
        imp.total.set_label(&words::fill(
            total,
            &[("watching", &words::watching(watching)), ("peak", &peak)],
        ));
        let live = broadcast.air() == Air::Live;
        imp.empty.set_title(&match (live, broadcast.peak()) {
            (true, 0) => gettext("Nobody is watching yet"),
            (true, _) => gettext("Nobody is watching now"),
            (false, _) => gettext("Off air"),
        });
        imp.empty.set_description(Some(&match live {
            true => gettext("Share the link: everybody who opens it is listed here."),
            false => gettext("Everybody who watches is listed here once you are live."),
        }));
        imp.copy.set_visible(live);
    }

    /// Rows are about to go. Whoever has the focus in one of them loses it: GTK would give it to the button that lets the
    /// next viewer go, or to the one that ends the broadcast.
    fn mind_focus(&self) {
        let focus = self.root().and_then(|root| root.focus());
        let Some(focus) = focus.filter(|focus| focus.is_ancestor(&*self.imp().list)) else {
            return;
        };
        let (panel, whose) = (self.downgrade(), viewer_of(&focus));
        let focus = focus.downgrade();
        glib::idle_add_local_once(move || {
            let Some(panel) = panel.upgrade() else { return };
            let now = panel.root().and_then(|root| root.focus());
            // Its row may show another viewer now.
            let stays = focus.upgrade().is_some_and(|focus| {
                now == Some(focus.clone()) && focus.is_mapped() && viewer_of(&focus) == whose
            });
            if !stays {
                panel.take_focus();
            }
        });
    }

    /// Have the focus where Return does no harm.
    fn take_focus(&self) {
        let imp = self.imp();
        let list = imp.stack.visible_child_name().as_deref() == Some("list");
        if self.is_mapped() {
            let _ = list && imp.list.grab_focus()
                || imp.copy.is_visible() && imp.copy.grab_focus()
                || imp.more.grab_focus();
        }
    }
}

/// The viewer that a button in a row is for.
fn viewer_of(widget: &gtk::Widget) -> Option<glib::Variant> {
    widget
        .downcast_ref::<gtk::Button>()
        .and_then(|button| button.action_target_value())
}
