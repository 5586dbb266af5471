// SPDX-License-Identifier: GPL-3.0-or-later
//! The window: it only places its panels and adapts to its width.

use std::{
    cell::{Cell, OnceCell, RefCell},
    rc::Rc,
};

use adw::{prelude::*, subclass::prelude::*};
use gettextrs::{gettext, ngettext};
use gtk::{CompositeTemplate, gdk, gio, glib};

use studio::message::Command;

use super::{
    actions,
    anywhere::Anywhere,
    bridge::Bridge,
    controls::Controls,
    desktop, drag,
    keeping::{Closing, Habits, Keeping, Looks, Recalled, keep_looks, keep_looks_soon},
    launch::Load,
    model::Air,
    notice_bar::NoticeBar,
    outputs::OutputsPanel,
    preview::Preview,
    profiles,
    renderer::Drawing,
    shortcuts,
    sources::SourcesPanel,
    tally::Tally,
    viewers::ViewersPanel,
    words,
};

/// A message; its text is no markup.
fn toast(text: &str, seconds: u32) -> adw::Toast {
    let title = glib::markup_escape_text(text);
    adw::Toast::builder().title(title).timeout(seconds).build()
}

/// Below this width the sources fold over the preview. Outputs and viewers do so as soon as the preview would get less
/// than its smallest width.
const FOLD: i32 = 860;

/// Below this width the header has no room for the number of viewers.
const NARROW: i32 = 560;

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "window.ui")]
    pub struct Window {
        #[template_child]
        pub toasts: TemplateChild<adw::ToastOverlay>,
        #[template_child]
        pub tally: TemplateChild<Tally>,
        #[template_child]
        pub profile_button: TemplateChild<gtk::MenuButton>,
        #[template_child]
        pub notice_bar: TemplateChild<NoticeBar>,
        #[template_child]
        pub sources_flap: TemplateChild<adw::Flap>,
        #[template_child]
        pub sources_panel: TemplateChild<SourcesPanel>,
        #[template_child]
        pub audience_flap: TemplateChild<adw::Flap>,
        #[template_child]
        pub audience_stack: TemplateChild<gtk::Stack>,
        #[template_child]
        pub viewers_page: TemplateChild<gtk::StackPage>,
        #[template_child]
        pub outputs_panel: TemplateChild<OutputsPanel>,
        #[template_child]
        pub viewers_panel: TemplateChild<ViewersPanel>,
        #[template_child]
        pub preview: TemplateChild<Preview>,
        #[template_child]
        pub controls: TemplateChild<Controls>,
        /// Set by the only constructor, right after the object is made.
        pub bridge: OnceCell<Rc<Bridge>>,
        /// Set once the engine has what was recalled.
        pub keeping: OnceCell<Rc<Keeping>>,
        /// The question about ending the broadcast was answered.
        pub may_close: Cell<bool>,
        /// It was closed while live, and nobody sees it.
        pub in_background: Cell<bool>,
        pub habits: RefCell<Habits>,
        pub anywhere: Rc<Anywhere>,
        pub on_habits: RefCell<Vec<Box<dyn Fn()>>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Window {
        const NAME: &'static str = "AerialWindow";
        type Type = super::Window;
        type ParentType = adw::ApplicationWindow;

        fn class_init(class: &mut Self::Class) {
            Tally::ensure_type();
            NoticeBar::ensure_type();
            SourcesPanel::ensure_type();
            OutputsPanel::ensure_type();
            ViewersPanel::ensure_type();
            Preview::ensure_type();
            Controls::ensure_type();
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for Window {}

    impl WidgetImpl for Window {
        fn realize(&self) {
            self.parent_realize();
            self.obj().follow_width();
        }

        fn unrealize(&self) {
            self.obj().leave();
            self.parent_unrealize();
        }
    }

    impl WindowImpl for Window {
        fn close_request(&self) -> glib::Propagation {
            match self.obj().ask_before_closing() {
                true => glib::Propagation::Stop,
                false => self.parent_close_request(),
            }
        }
    }

    impl ApplicationWindowImpl for Window {}
    impl AdwApplicationWindowImpl for Window {}
}

glib::wrapper! {
    /// The window.
    pub struct Window(ObjectSubclass<imp::Window>)
        @extends gtk::Widget, gtk::Window, gtk::ApplicationWindow, adw::ApplicationWindow,
        @implements gio::ActionGroup, gio::ActionMap, gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget,
            gtk::Native, gtk::Root, gtk::ShortcutManager;
}

impl Window {
    /// A window on this engine.
    pub fn new(
        app: &adw::Application,
        bridge: Rc<Bridge>,
        drawing: Drawing,
        load: Load,
        looks: &Looks,
    ) -> Window {
        let window: Window = glib::Object::builder().property("application", app).build();
        window.look_as(looks);
        let imp = window.imp();
        let model = bridge.model();
        imp.tally.bind(&model.broadcast);
        imp.notice_bar.bind(&model.broadcast);
        imp.sources_panel.bind(&bridge);
        imp.outputs_panel.bind(&bridge);
        imp.viewers_panel.bind(model);
        imp.preview.bind(&bridge, drawing);
        imp.controls.bind(&model.broadcast);
        model
            .broadcast
            .bind_property("watching", &*imp.viewers_page, "title")
            .transform_to(|_, n: u32| {
                Some(match n {
                    0 => gettext("Viewers"),
                    n => words::fill(gettext("Viewers {n}"), &[("n", &n.to_string())]),
                })
            })
            .sync_create()
            .build();
        window.follow_drags();
        window.take_pastes();
        window.set_help_overlay(Some(&shortcuts::window()));
        desktop::follow(&window, &bridge);
        imp.anywhere.follow(&window);
        actions::install(&window, &bridge);
        profiles::install(&window, &bridge, load);
        let unset = imp.bridge.set(bridge);
        assert!(unset.is_ok(), "only this constructor sets the bridge");
        window
    }

    /// Keep what is done from now on in the profile that was recalled.
    pub async fn keep(&self, recalled: Recalled) {
        let Some(bridge) = self.bridge() else { return };
        // Carried out after the engine has opened the sources it was started with.
        let title = bridge.model().broadcast.now_playing();
        bridge.ask(Command::SetNowPlaying(title)).await;
        let keeping = Keeping::start(&bridge, recalled);
        let unset = self.imp().keeping.set(keeping);
        assert!(unset.is_ok(), "a window keeps one engine's profile, once");
        profiles::show(self);
    }

    /// What is kept; a demonstration keeps nothing.
    pub fn keeping(&self) -> Option<Rc<Keeping>> {
        self.imp().keeping.get().cloned()
    }

    /// The picture in the middle.
    #[cfg(test)]
    pub fn preview(&self) -> Preview {
        self.imp().preview.get()
    }

    /// The button that tells the profile.
    pub fn profile_button(&self) -> gtk::MenuButton {
        self.imp().profile_button.get()
    }

    /// How it behaves.
    pub fn habits(&self) -> Habits {
        self.imp().habits.borrow().clone()
    }

    /// Behave like this from now on.
    pub fn set_habits(&self, habits: Habits) {
        self.imp().habits.replace(habits);
        self.imp().on_habits.borrow().iter().for_each(|told| told());
        if let Some(looks) = self.looks() {
            keep_looks_soon(looks);
        }
    }

    /// Have this called when it behaves otherwise.
    pub fn connect_habits_changed(&self, told: impl Fn() + 'static) {
        self.imp().on_habits.borrow_mut().push(Box::new(told));
    }

    /// Its keys that work in every program.
    pub fn anywhere(&self) -> Rc<Anywhere> {
        self.imp().anywhere.clone()
    }

    /// Whether it was closed while live, and the broadcast goes on.
    pub fn in_background(&self) -> bool {
        self.imp().in_background.get()
    }

    /// Be seen, also after it was closed while live.
    pub fn show_again(&self) {
        if self.imp().in_background.replace(false) {
            desktop::back_from_background(self);
        }
        self.present();
    }

    /// End what is live, and close.
    pub fn end(&self) {
        self.imp().may_close.set(true);
        self.close();
    }

    fn look_as(&self, looks: &Looks) {
        let imp = self.imp();
        imp.habits.replace(looks.habits.clone());
        self.set_default_size(looks.width, looks.height);
        self.set_maximized(looks.maximized);
        imp.sources_flap.set_reveal_flap(looks.sources);
        imp.audience_flap.set_reveal_flap(looks.audience);
        imp.preview.safe_areas().set_visible(looks.safe_areas);
    }

    /// Keep what is not kept yet, and how the window looks.
    fn leave(&self) {
        let imp = self.imp();
        let Some(keeping) = imp.keeping.get() else {
            return;
        };
        keeping.finish();
        if let Some(looks) = self.looks() {
            keep_looks(&looks);
        }
    }

    /// What is kept of it; a demonstration keeps nothing.
    fn looks(&self) -> Option<Looks> {
        let imp = self.imp();
        let keeping = imp.keeping.get()?;
        let (width, height) = self.default_size();
        // Folded away for want of room is not hidden.
        let shown = |flap: &adw::Flap| flap.is_folded() || flap.reveals_flap();
        Some(Looks {
            profile: keeping.name(),
            width,
            height,
            maximized: self.is_maximized(),
            sources: shown(&imp.sources_flap),
            audience: shown(&imp.audience_flap),
            safe_areas: imp.preview.safe_areas().get_visible(),
            habits: self.habits(),
        })
    }

    /// The engine, as long as there is a window.
    pub fn bridge(&self) -> Option<Rc<Bridge>> {
        self.imp().bridge.get().cloned()
    }

    /// Say something that passes.
    pub fn toast(&self, text: &str) {
        self.imp().toasts.add_toast(toast(text, 3));
    }

    /// Say what was done, and offer to undo it.
    pub fn toast_with_undo(&self, text: &str, undo: impl Fn() + 'static) {
        let toast = toast(text, 6);
        toast.set_button_label(Some(&gettext("Undo")));
        toast.connect_button_clicked(move |_| undo());
        self.imp().toasts.add_toast(toast);
    }

    /// Say what cannot be used, one thing after the other.
    pub fn tell_refused(&self, sentences: &[String]) {
        // Nobody reads more than that.
        const MOST: usize = 4;
        for sentence in sentences.iter().take(MOST) {
            // Longer than "Link copied": a name and a reason are to be read.
            self.imp().toasts.add_toast(toast(sentence, 6));
        }
        let more = sentences.len().saturating_sub(MOST) as u32;
        if more > 0 {
            let text = ngettext("{n} more cannot be used.", "{n} more cannot be used.", more);
            self.toast(&words::fill(text, &[("n", &more.to_string())]));
        }
    }

    /// The sources, for actions that ask there.
    pub fn sources(&self) -> SourcesPanel {
        self.imp().sources_panel.get()
    }

    /// Show the sources, wherever they are folded away.
    pub fn reveal_sources(&self) {
        self.imp().sources_flap.set_reveal_flap(true);
    }

    /// The outputs, for actions that ask there.
    pub fn outputs(&self) -> OutputsPanel {
        self.imp().outputs_panel.get()
    }

    /// Show the outputs, wherever they are folded away.
    pub fn reveal_outputs(&self) {
        self.show_panel("outputs");
    }

    /// Show one side of outputs and viewers, by its name.
    pub fn show_panel(&self, name: &str) {
        let imp = self.imp();
        imp.audience_flap.set_reveal_flap(true);
        imp.audience_stack.set_visible_child_name(name);
    }

    /// Show and hide the panels, and what lies over the preview.
    pub fn install_panel_actions(&self) {
        let imp = self.imp();
        for (name, flap) in [
            ("sources", &imp.sources_flap),
            ("audience", &imp.audience_flap),
        ] {
            self.add_action(&gio::PropertyAction::new(name, &**flap, "reveal-flap"));
        }
        let areas = imp.preview.safe_areas();
        self.add_action(&gio::PropertyAction::new("safe-areas", &areas, "visible"));
    }

    /// Show where something can be dropped while it is dragged over the window.
    fn follow_drags(&self) {
        let motion = gtk::DropControllerMotion::new();
        let over = glib::clone!(
            #[weak(rename_to = window)]
            self,
            move |motion: &gtk::DropControllerMotion, _: f64, _: f64| {
                let usable = motion.drop().is_some_and(|d| drag::usable(&d.formats()));
                window.offer_drops(usable);
            }
        );
        motion.connect_enter(over.clone());
        motion.connect_motion(over);
        motion.connect_leave(glib::clone!(
            #[weak(rename_to = window)]
            self,
            move |_| window.offer_drops(false)
        ));
        self.imp().toasts.add_controller(motion);
    }

    /// Show where something can be dropped, or stop showing it.
    pub fn offer_drops(&self, dragging: bool) {
        self.imp().preview.offer_drop(dragging);
        self.imp().sources_panel.offer_drop(dragging);
    }

    /// After whatever has the focus, so that text goes where the cursor is.
    fn take_pastes(&self) {
        let keys = gtk::ShortcutController::new();
        let trigger = gtk::KeyvalTrigger::new(gdk::Key::v, gdk::ModifierType::CONTROL_MASK);
        keys.add_shortcut(gtk::Shortcut::new(
            Some(trigger),
            Some(gtk::NamedAction::new("win.paste")),
        ));
        self.add_controller(keys);
    }

    fn follow_width(&self) {
        let Some(surface) = self.surface() else {
            return;
        };
        surface.connect_layout(glib::clone!(
            #[weak(rename_to = window)]
            self,
            move |_, width, _| {
                window.fold(width);
                window.arrange(width);
            }
        ));
        self.fold(self.default_width());
        // The narrowest first: the window is told its real width then, and not that of what is in it.
        self.arrange(0);
    }

    fn fold(&self, width: i32) {
        let imp = self.imp();
        let policy = match width < FOLD {
            true => adw::FlapFoldPolicy::Always,
            false => adw::FlapFoldPolicy::Auto,
        };
        if imp.sources_flap.fold_policy() != policy {
            imp.sources_flap.set_fold_policy(policy);
        }
    }

    fn arrange(&self, width: i32) {
        let imp = self.imp();
        imp.controls.adapt(width);
        imp.tally.adapt(width < NARROW);
    }

    /// Go on unseen. Starting Aerial again, or its notification, brings the window back.
    fn go_to_background(&self) {
        self.imp().in_background.set(true);
        self.set_visible(false);
        desktop::go_on_in_background(self);
    }

    /// Closing ends what others watch and what is being recorded, so it is asked for. Returns whether it was asked.
    fn ask_before_closing(&self) -> bool {
        let imp = self.imp();
        let Some(broadcast) = imp.bridge.get().map(|b| b.model().broadcast.clone()) else {
            return false;
        };
        let live = match broadcast.air() {
            Air::Starting | Air::Live => true,
            Air::Off | Air::Stopping => false,
        };
        if imp.may_close.get() || !(live || broadcast.recording()) {
            return false;
        }
        match self.habits().closing {
            Closing::Ask => (),
            Closing::End => return false,
            Closing::Background => {
                self.go_to_background();
                return true;
            }
        }
        let (heading, body, end) = match live {
            true => (
                gettext("End the broadcast?"),
                words::fill(
                    gettext("You are live, and {watching}. Closing the window ends the broadcast."),
                    &[("watching", &words::watching(broadcast.watching()))],
                ),
                gettext("End and close"),
            ),
            false => (
                gettext("Stop recording?"),
                gettext("A recording is running. Closing the window finishes it."),
                gettext("Finish and close"),
            ),
        };
        let question = adw::MessageDialog::new(Some(self), Some(&heading), Some(&body));
        question.add_responses(&[
            ("stay", &gettext("Cancel")),
            ("background", &gettext("Go on in the background")),
            ("end", &end),
        ]);
        question.connect_response(
            Some("background"),
            glib::clone!(
                #[weak(rename_to = window)]
                self,
                move |_, _| {
                    glib::idle_add_local_once(move || window.go_to_background());
                }
            ),
        );
        question.set_response_appearance("end", adw::ResponseAppearance::Destructive);
        question.set_default_response(Some("stay"));
        question.set_close_response("stay");
        question.connect_response(
            Some("end"),
            glib::clone!(
                #[weak(rename_to = window)]
                self,
                move |_, _| {
                    window.imp().may_close.set(true);
                    // Not before the question is closed itself: it goes with its window.
                    glib::idle_add_local_once(move || window.close());
                }
            ),
        );
        question.present();
        true
    }
}
