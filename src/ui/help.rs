// SPDX-License-Identifier: GPL-3.0-or-later
//! The help window: the documents of `docs/`, built in, so that they are there without a network and in a sandbox.

mod blocks;
mod markdown;
mod topics;

use adw::{prelude::*, subclass::prelude::*};
use gtk::{CompositeTemplate, gdk, glib};

use topics::TOPICS;

mod imp {
    use std::cell::RefCell;

    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "help.ui")]
    pub struct Help {
        #[template_child]
        pub leaflet: TemplateChild<adw::Leaflet>,
        #[template_child]
        pub index: TemplateChild<gtk::Box>,
        #[template_child]
        pub topics: TemplateChild<gtk::ListBox>,
        #[template_child]
        pub reading: TemplateChild<gtk::Box>,
        #[template_child]
        pub back: TemplateChild<gtk::Button>,
        #[template_child]
        pub heading: TemplateChild<adw::WindowTitle>,
        #[template_child]
        pub scrolled: TemplateChild<gtk::ScrolledWindow>,
        #[template_child]
        pub page: TemplateChild<gtk::Box>,
        /// Headings of the page, by the names that links have for them.
        pub anchors: RefCell<Vec<(String, gtk::Widget)>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Help {
        const NAME: &'static str = "AerialHelp";
        type Type = super::Help;
        type ParentType = adw::Window;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
            class.set_accessible_role(gtk::AccessibleRole::Dialog);
            let none = gdk::ModifierType::empty();
            class.add_binding_action(gdk::Key::Escape, none, "window.close");
            class.add_binding_action(gdk::Key::w, gdk::ModifierType::CONTROL_MASK, "window.close");
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for Help {
        fn constructed(&self) {
            self.parent_constructed();
            self.obj().fill();
        }
    }

    impl WidgetImpl for Help {}
    impl WindowImpl for Help {}
    impl AdwWindowImpl for Help {}
}

glib::wrapper! {
    /// The help window.
    pub struct Help(ObjectSubclass<imp::Help>)
        @extends gtk::Widget, gtk::Window, adw::Window,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget, gtk::Native, gtk::Root,
            gtk::ShortcutManager;
}

impl Help {
    /// The window, at its first topic.
    pub fn new(app: &adw::Application) -> Help {
        glib::Object::builder().property("application", app).build()
    }

    fn fill(&self) {
        let imp = self.imp();
        for topic in TOPICS {
            let name = topic.name();
            let label = gtk::Label::builder().label(&name).xalign(0.0).build();
            let row = gtk::ListBoxRow::builder().child(&label).build();
            row.update_property(&[gtk::accessible::Property::Label(&name)]);
            imp.topics.append(&row);
        }
        imp.topics.connect_row_selected(glib::clone!(
            #[weak(rename_to = help)]
            self,
            move |_, row| {
                if let Some(topic) = row.and_then(|r| usize::try_from(r.index()).ok()) {
                    help.show_topic(topic);
                }
            }
        ));
        // By Return, or a click.
        imp.topics.connect_row_activated(glib::clone!(
            #[weak(rename_to = help)]
            self,
            move |_, _| {
                help.read();
                if let Some((_, title)) = help.imp().anchors.borrow().first() {
                    focus(title);
                }
            }
        ));
        imp.back.connect_clicked(glib::clone!(
            #[weak(rename_to = help)]
            self,
            move |_| {
                let imp = help.imp();
                imp.leaflet.set_visible_child(&*imp.index);
            }
        ));
        self.take_page_keys();
        imp.topics.select_row(imp.topics.row_at_index(0).as_ref());
        // First of all a topic is chosen: Up and Down do it, Return leads into the text.
        imp.leaflet.set_visible_child(&*imp.index);
    }

    /// Bring the page forward where there is room for one side only.
    fn read(&self) {
        let imp = self.imp();
        imp.leaflet.set_visible_child(&*imp.reading);
    }

    fn show_topic(&self, index: usize) {
        let imp = self.imp();
        let Some(topic) = TOPICS.get(index) else {
            return;
        };
        imp.heading.set_title(&topic.name());
        while let Some(old) = imp.page.first_child() {
            imp.page.remove(&old);
        }
        let follow = glib::clone!(
            #[weak(rename_to = help)]
            self,
            #[upgrade_or]
            false,
            move |link: &str| help.follow(link)
        );
        let anchors = blocks::fill(&imp.page, &markdown::read(topic.text), &follow);
        imp.anchors.replace(anchors);
        read_from_left(imp.page.upcast_ref());
        imp.scrolled.vadjustment().set_value(0.0);
    }

    /// Go where a link of a document leads, if it leads to one of them.
    fn follow(&self, link: &str) -> bool {
        let imp = self.imp();
        let Some((topic, anchor)) = markdown::inside(link) else {
            return false;
        };
        if !topic.is_empty() {
            let Some(index) = TOPICS.iter().position(|t| t.file == topic) else {
                return false;
            };
            let row = i32::try_from(index)
                .ok()
                .and_then(|i| imp.topics.row_at_index(i));
            imp.topics.select_row(row.as_ref());
        }
        self.read();
        let anchors = imp.anchors.borrow();
        if let Some((_, heading)) = anchors.iter().find(|(name, _)| name == anchor) {
            self.scroll_to(heading);
        }
        true
    }

    /// As soon as the page has its size.
    fn scroll_to(&self, heading: &gtk::Widget) {
        let heading = heading.downgrade();
        let help = self.downgrade();
        self.imp().page.add_tick_callback(move |page, _| {
            let (Some(heading), Some(help)) = (heading.upgrade(), help.upgrade()) else {
                return glib::ControlFlow::Break;
            };
            if heading.height() == 0 {
                return glib::ControlFlow::Continue;
            }
            // The focus first: it scrolls too, but only until the heading is seen.
            focus(&heading);
            if let Some((_, y)) = heading.translate_coordinates(page, 0.0, 0.0) {
                help.imp().scrolled.vadjustment().set_value(y);
            }
            glib::ControlFlow::Break
        });
    }

    /// Page Up and Page Down turn the page wherever the focus is in it: text that can be selected would take them.
    fn take_page_keys(&self) {
        let scrolled = &self.imp().scrolled;
        let keys = gtk::ShortcutController::new();
        keys.set_propagation_phase(gtk::PropagationPhase::Capture);
        for (key, way) in [
            (gdk::Key::Page_Up, gtk::ScrollType::PageBackward),
            (gdk::Key::Page_Down, gtk::ScrollType::PageForward),
        ] {
            let turn = gtk::CallbackAction::new(glib::clone!(
                #[weak]
                scrolled,
                #[upgrade_or]
                glib::Propagation::Proceed,
                move |_, _| {
                    scrolled.emit_by_name::<bool>("scroll-child", &[&way, &false]);
                    glib::Propagation::Stop
                }
            ));
            let trigger = gtk::KeyvalTrigger::new(key, gdk::ModifierType::empty());
            keys.add_shortcut(gtk::Shortcut::new(Some(trigger), Some(turn)));
        }
        scrolled.add_controller(keys);
    }
}

/// The documents are in English, whatever the language of the window.
fn read_from_left(widget: &gtk::Widget) {
    widget.set_direction(gtk::TextDirection::Ltr);
    let children = std::iter::successors(widget.first_child(), |w| w.next_sibling());
    children.for_each(|child| read_from_left(&child));
}

/// Give the focus to a heading, without marking its text.
fn focus(heading: &gtk::Widget) {
    heading.grab_focus();
    if let Some(label) = heading.downcast_ref::<gtk::Label>() {
        label.select_region(0, 0);
    }
}
