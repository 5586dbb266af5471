// SPDX-License-Identifier: GPL-3.0-or-later
//! Asks where an output goes and how to get in. Stored passwords are never filled in: an empty field keeps the one there
//! is.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use adw::{prelude::*, subclass::prelude::*};
use gettextrs::gettext;
use gtk::{CompositeTemplate, accessible::Property, glib};
use studio::{
    message::Command,
    output::{OutputSpec, Target},
};

use super::{
    bridge::Bridge,
    notice,
    output_kinds::{self, Entry, Field, Kind, Part, Values},
    words::{call_eye, fill},
};

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "output_form.ui")]
    pub struct OutputForm {
        #[template_child]
        pub heading: TemplateChild<gtk::Label>,
        #[template_child]
        pub fields: TemplateChild<gtk::ListBox>,
        #[template_child]
        pub problem: TemplateChild<gtk::Label>,
        #[template_child]
        pub cancel: TemplateChild<gtk::Button>,
        #[template_child]
        pub done: TemplateChild<gtk::Button>,
        pub kind: RefCell<Option<Kind>>,
        pub rows: RefCell<Vec<(Part, Row)>>,
        /// What the output being changed has now, secrets too.
        pub before: RefCell<Values>,
        /// Name of the output being changed; `None` for a new one.
        pub changing: RefCell<Option<String>>,
        /// Fields come and go; they all end with this.
        pub finish: RefCell<Option<Rc<dyn Fn()>>>,
        pub grabbed: Cell<bool>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for OutputForm {
        const NAME: &'static str = "AerialOutputForm";
        type Type = super::OutputForm;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for OutputForm {}
    impl WidgetImpl for OutputForm {}
    impl BinImpl for OutputForm {}
}

glib::wrapper! {
    /// The fields of one kind of output.
    pub struct OutputForm(ObjectSubclass<imp::OutputForm>)
        @extends gtk::Widget, adw::Bin,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

/// A field on the screen.
pub enum Row {
    Text(adw::EntryRow),
    Secret(adw::PasswordEntryRow),
    Switch(gtk::Switch),
    Choice(adw::ComboRow, Vec<&'static str>),
}

impl Row {
    fn value(&self) -> String {
        match self {
            Row::Text(row) => row.text().trim().to_string(),
            Row::Secret(row) => row.text().to_string(),
            Row::Switch(switch) if switch.is_active() => "1".into(),
            Row::Switch(_) => String::new(),
            Row::Choice(row, words) => {
                let word = words.get(row.selected() as usize);
                word.copied().unwrap_or_default().to_string()
            }
        }
    }
}

impl OutputForm {
    /// Add to and change in this engine; `close` is called when the form is done with.
    pub fn bind(&self, bridge: &Rc<Bridge>, close: impl Fn() + Clone + 'static) {
        let imp = self.imp();
        imp.cancel.connect_clicked({
            let close = close.clone();
            move |_| close()
        });
        let finish: Rc<dyn Fn()> = Rc::new(glib::clone!(
            #[weak(rename_to = form)]
            self,
            #[weak]
            bridge,
            move || match form.spec(&bridge) {
                Ok(spec) => {
                    bridge.command(Command::SetOutput(Box::new(spec)));
                    close();
                }
                Err(problem) => form.complain(&problem),
            }
        ));
        imp.done.connect_clicked({
            let finish = finish.clone();
            move |_| finish()
        });
        imp.finish.replace(Some(finish));
    }

    /// Begin with what is known of this output; a new one begins with what most have.
    pub fn start(&self, kind: Kind, known: Option<(&str, &Target)>) {
        let imp = self.imp();
        imp.changing
            .replace(known.map(|(name, _)| name.to_string()));
        let (heading, done) = match known {
            Some(_) => (gettext("Change {kind}"), gettext("Apply")),
            None => (gettext("Add {kind}"), gettext("Add")),
        };
        imp.heading
            .set_label(&fill(heading, &[("kind", &kind.title)]));
        imp.done.set_label(&done);
        imp.fields.update_property(&[Property::Label(&kind.title)]);
        imp.problem.set_visible(false);
        let before = known.map(|(_, target)| kind.values(&target.full_url()));
        let values = before.clone().unwrap_or_else(|| kind.presets());
        imp.before.replace(before.unwrap_or_default());
        self.lay_out(&kind, &values);
        imp.kind.replace(Some(kind));
    }

    fn lay_out(&self, kind: &Kind, values: &Values) {
        let imp = self.imp();
        while let Some(row) = imp.fields.first_child() {
            imp.fields.remove(&row);
        }
        let mut rows = Vec::new();
        imp.grabbed.set(false);
        for field in &kind.fields {
            let (widget, row) = self.row(field, values);
            imp.fields.append(&widget);
            // The first that is still to be filled.
            if !imp.grabbed.get() && output_kinds::is_empty(&row.value()) {
                imp.grabbed.set(widget.grab_focus());
            }
            rows.push((field.part, row));
        }
        if !kind.more.is_empty() {
            let more = adw::ExpanderRow::builder().title(gettext("More")).build();
            for field in &kind.more {
                let (widget, row) = self.row(field, values);
                more.add_row(&widget);
                rows.push((field.part, row));
            }
            imp.fields.append(&more);
        }
        imp.rows.replace(rows);
    }

    /// A field, with its value unless that is a secret.
    fn row(&self, field: &Field, values: &Values) -> (gtk::Widget, Row) {
        let value = values.get(&field.part).map_or("", String::as_str);
        match &field.entry {
            Entry::Text => {
                let row = adw::EntryRow::builder()
                    .title(&field.title)
                    .text(value)
                    .build();
                row.connect_entry_activated(self.on_enter());
                (row.clone().upcast(), Row::Text(row))
            }
            Entry::Secret => {
                let row = adw::PasswordEntryRow::builder().title(&field.title).build();
                call_eye(&row);
                row.connect_entry_activated(self.on_enter());
                (row.clone().upcast(), Row::Secret(row))
            }
            Entry::Switch => {
                let switch = gtk::Switch::builder()
                    .valign(gtk::Align::Center)
                    .active(!value.is_empty() && value != "0")
                    .build();
                let row = adw::ActionRow::builder()
                    .title(&field.title)
                    .activatable_widget(&switch)
                    .build();
                row.add_suffix(&switch);
                switch.update_property(&[Property::Label(&field.title)]);
                (row.upcast(), Row::Switch(switch))
            }
            Entry::Choice(choices) => {
                let labels: Vec<&str> = choices.iter().map(|(_, label)| label.as_str()).collect();
                let words: Vec<&'static str> = choices.iter().map(|(word, _)| *word).collect();
                let row = adw::ComboRow::builder()
                    .title(&field.title)
                    .model(&gtk::StringList::new(&labels))
                    .build();
                let at = words.iter().position(|word| *word == value).unwrap_or(0);
                row.set_selected(at as u32);
                (row.clone().upcast(), Row::Choice(row, words))
            }
        }
    }

    fn on_enter<T>(&self) -> impl Fn(&T) + 'static {
        let form = self.downgrade();
        move |_| {
            let form = form.upgrade();
            if let Some(finish) = form.and_then(|f| f.imp().finish.borrow().clone()) {
                finish();
            }
        }
    }

    fn complain(&self, problem: &str) {
        self.imp().problem.set_label(problem);
        self.imp().problem.set_visible(true);
    }

    /// What was typed, or what is wrong with it.
    fn spec(&self, bridge: &Bridge) -> Result<OutputSpec, String> {
        let imp = self.imp();
        let kind = imp.kind.borrow();
        let kind = kind.as_ref().ok_or_else(String::new)?;
        let mut values = Values::new();
        for (part, row) in &*imp.rows.borrow() {
            let mut value = row.value();
            if value.is_empty() && matches!(row, Row::Secret(_)) {
                value = imp.before.borrow().get(part).cloned().unwrap_or_default();
            }
            values.insert(*part, value);
        }
        if let Some(complaint) = kind.complaint(&values) {
            return Err(complaint);
        }
        let target = Target::parse(kind.word, &kind.address(&values))
            .map_err(|e| notice::studio(&e.into()).text())?;
        let changing = imp.changing.borrow().clone();
        let before = changing.as_ref().and_then(|name| bridge.output(name));
        let name = changing.unwrap_or_else(|| {
            let url = target.url();
            let short = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
            bridge.free_name(short.split('?').next().unwrap_or(short))
        });
        Ok(OutputSpec {
            name,
            enabled: before.is_none_or(|spec| spec.enabled),
            target,
        })
    }
}

/// The kind of an output that is reached under an address.
pub fn kind_of(target: &Target) -> Option<Kind> {
    output_kinds::kind(target.kind())
}
