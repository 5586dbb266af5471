// SPDX-License-Identifier: GPL-3.0-or-later
//! The window of statistics: the last ten minutes as graphs, and all figures as a text that can be copied.

mod graph;
pub mod report;

use std::{
    cell::{Cell, OnceCell, RefCell},
    rc::{Rc, Weak},
};

use adw::{prelude::*, subclass::prelude::*};
use gettextrs::gettext;
use gtk::{CompositeTemplate, gdk, glib};

use super::{
    bridge::Bridge,
    model::{
        OutputItem, items,
        past::{METRICS, Metric, Subject},
    },
    words::fill,
};
use graph::Graph;

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "statistics.ui")]
    pub struct Statistics {
        #[template_child]
        pub toasts: TemplateChild<adw::ToastOverlay>,
        #[template_child]
        pub subjects: TemplateChild<gtk::DropDown>,
        #[template_child]
        pub graphs: TemplateChild<gtk::FlowBox>,
        #[template_child]
        pub report: TemplateChild<gtk::Label>,
        /// Set by the only constructor.
        pub bridge: OnceCell<Weak<Bridge>>,
        pub curves: RefCell<Vec<(Metric, Graph)>>,
        /// What the list offers, in its order.
        pub offered: RefCell<Vec<(Subject, String)>>,
        /// Viewers that were asked for.
        pub viewers: RefCell<Vec<u64>>,
        /// Whose numbers are shown.
        pub subject: RefCell<Option<Subject>>,
        /// The list is being filled: nobody chose anything.
        pub filling: Cell<bool>,
        pub timer: RefCell<Option<glib::SourceId>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Statistics {
        const NAME: &'static str = "AerialStatistics";
        type Type = super::Statistics;
        type ParentType = adw::Window;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
            class.set_accessible_role(gtk::AccessibleRole::Dialog);
            class.install_action("statistics.copy", None, |window, _, _| window.copy());
            let (none, control) = (gdk::ModifierType::empty(), gdk::ModifierType::CONTROL_MASK);
            class.add_binding_action(gdk::Key::Escape, none, "window.close");
            class.add_binding_action(gdk::Key::w, control, "window.close");
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for Statistics {
        fn dispose(&self) {
            if let Some(timer) = self.timer.take() {
                timer.remove();
            }
        }
    }

    impl WidgetImpl for Statistics {}
    impl WindowImpl for Statistics {}
    impl AdwWindowImpl for Statistics {}
}

glib::wrapper! {
    /// The window of statistics.
    pub struct Statistics(ObjectSubclass<imp::Statistics>)
        @extends gtk::Widget, gtk::Window, adw::Window,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget, gtk::Native, gtk::Root,
            gtk::ShortcutManager;
}

impl Statistics {
    /// The window on this engine.
    pub fn new(app: &impl IsA<gtk::Application>, bridge: &Rc<Bridge>) -> Statistics {
        let window: Statistics = glib::Object::builder().property("application", app).build();
        let imp = window.imp();
        let unset = imp.bridge.set(Rc::downgrade(bridge));
        assert!(unset.is_ok(), "only this constructor sets the bridge");
        for metric in METRICS {
            let graph = Graph::new(metric);
            imp.graphs.insert(graph.widget(), -1);
            imp.curves.borrow_mut().push((metric, graph));
        }
        imp.subjects.connect_selected_notify(glib::clone!(
            #[weak]
            window,
            move |list| window.chosen(list.selected() as usize)
        ));
        // Not before: who listens would be told of widgets whose window is not there yet.
        window.connect_map(Statistics::show_numbers);
        let weak = window.downgrade();
        let timer = glib::timeout_add_seconds_local(1, move || match weak.upgrade() {
            Some(window) => {
                // Nobody sees what is behind other things, but that cannot be known.
                if window.is_mapped() {
                    window.show_numbers();
                }
                glib::ControlFlow::Continue
            }
            None => glib::ControlFlow::Break,
        });
        imp.timer.replace(Some(timer));
        window
    }

    /// Show the numbers of this one.
    pub fn ask(&self, subject: Subject) {
        let imp = self.imp();
        if let Subject::Viewer(id) = subject
            && !imp.viewers.borrow().contains(&id)
        {
            imp.viewers.borrow_mut().push(id);
        }
        imp.subject.replace(Some(subject));
        if self.is_mapped() {
            self.show_numbers();
        }
    }

    fn bridge(&self) -> Option<Rc<Bridge>> {
        self.imp().bridge.get().and_then(Weak::upgrade)
    }

    fn chosen(&self, at: usize) {
        let imp = self.imp();
        if imp.filling.get() {
            return;
        }
        let subject = imp.offered.borrow().get(at).map(|(s, _)| s.clone());
        imp.subject.replace(subject);
        self.show_numbers();
    }

    fn show_numbers(&self) {
        let Some(bridge) = self.bridge() else { return };
        self.offer(&bridge);
        let imp = self.imp();
        let subject = imp.subject.borrow().clone();
        let subject = subject.unwrap_or(Subject::Broadcast);
        let past = bridge.past();
        for (metric, graph) in imp.curves.borrow().iter() {
            graph.show(past.of(&subject, *metric));
            // Its place in the grid goes with it.
            if let Some(place) = graph.widget().parent() {
                place.set_visible(graph.widget().get_visible());
                place.set_focusable(false);
            }
        }
        drop(past);
        let report = report::text(&bridge);
        if imp.report.label() != report {
            imp.report.set_label(&report);
        }
    }

    /// Fill the list with what there is. Filling it while it is open would close it, so only if something changed.
    fn offer(&self, bridge: &Bridge) {
        let imp = self.imp();
        let mut there = vec![(Subject::Broadcast, gettext("The broadcast"))];
        for output in items::<OutputItem>(&bridge.model().outputs) {
            there.push((Subject::Output(output.name()), output.name()));
        }
        let viewers = &bridge.model().viewers;
        imp.viewers
            .borrow_mut()
            .retain(|id| viewers.get(*id).is_some());
        for viewer in imp
            .viewers
            .borrow()
            .iter()
            .filter_map(|id| viewers.get(*id))
        {
            let name = fill(
                // Translators: one who watches: program and address
                gettext("{client} from {address}"),
                &[("client", &viewer.client()), ("address", &viewer.address())],
            );
            there.push((Subject::Viewer(viewer.id()), name));
        }
        let subject = imp.subject.borrow().clone();
        let wanted = there.iter().position(|(s, _)| Some(s) == subject.as_ref());
        let wanted = wanted.unwrap_or(0);
        imp.subject.replace(Some(there[wanted].0.clone()));
        imp.filling.set(true);
        if *imp.offered.borrow() != there {
            let names: Vec<&str> = there.iter().map(|(_, name)| name.as_str()).collect();
            imp.subjects.set_model(Some(&gtk::StringList::new(&names)));
            imp.offered.replace(there);
        }
        if imp.subjects.selected() as usize != wanted {
            imp.subjects.set_selected(wanted as u32);
        }
        imp.filling.set(false);
    }

    fn copy(&self) {
        let Some(bridge) = self.bridge() else { return };
        self.clipboard().set_text(&report::text(&bridge));
        let toast = adw::Toast::new(&gettext("Statistics copied"));
        self.imp().toasts.add_toast(toast);
    }
}
