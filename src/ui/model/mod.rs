// SPDX-License-Identifier: GPL-3.0-or-later
//! What the window shows, as objects that widgets bind to. Only [`bridge`](super::bridge) writes here.

mod broadcast;
mod output;
pub mod past;
mod scene;
mod source;
mod viewer;
mod viewers;

use gtk::{gio, prelude::*};

pub use broadcast::{Air, Broadcast};
pub use output::{OutputItem, OutputKind};
pub use scene::Scene;
pub use source::SourceItem;
pub use viewer::{ViewerItem, Wellness};
pub use viewers::Viewers;

/// How a state is to be felt; words beside it say the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, gtk::glib::Enum)]
#[enum_type(name = "AerialTone")]
pub enum Tone {
    /// Nothing happens, and nothing should.
    #[default]
    Idle,
    /// Under way.
    Busy,
    /// As it should be.
    Good,
    /// Somebody may have to do something.
    Attention,
    /// It failed.
    Trouble,
}

impl Tone {
    /// CSS class of the dot that goes with the words.
    pub fn class(self) -> &'static str {
        match self {
            Tone::Idle => "idle",
            Tone::Busy => "busy",
            Tone::Good => "good",
            Tone::Attention => "attention",
            Tone::Trouble => "trouble",
        }
    }

    /// Give this class, and none of the others, to a widget.
    pub fn mark(self, widget: &impl IsA<gtk::Widget>) {
        for tone in [
            Tone::Idle,
            Tone::Busy,
            Tone::Good,
            Tone::Attention,
            Tone::Trouble,
        ] {
            match tone == self {
                true => widget.add_css_class(tone.class()),
                false => widget.remove_css_class(tone.class()),
            }
        }
    }
}

/// All of it. Clones are handles of the same.
#[derive(Debug, Clone)]
pub struct Model {
    /// What there is once.
    pub broadcast: Broadcast,
    /// What is on screen.
    pub scene: Scene,
    /// [`SourceItem`]s in the engine's order.
    pub sources: gio::ListStore,
    /// [`OutputItem`]s in the order in which they were added.
    pub outputs: gio::ListStore,
    /// Who is watching.
    pub viewers: Viewers,
    /// A [`Ban`](studio::audience::Ban) in a box each, in order of address.
    pub bans: gio::ListStore,
    /// What can be added as a source.
    pub picker: gio::Menu,
}

impl Model {
    /// Nothing is known yet.
    pub fn new() -> Model {
        Model {
            broadcast: Broadcast::default(),
            scene: Scene::default(),
            sources: gio::ListStore::new::<SourceItem>(),
            outputs: gio::ListStore::new::<OutputItem>(),
            viewers: Viewers::new(),
            bans: gio::ListStore::new::<gtk::glib::BoxedAnyObject>(),
            picker: gio::Menu::new(),
        }
    }
}

/// The items of a list, in order.
pub fn items<T: IsA<gtk::glib::Object>>(list: &gio::ListStore) -> impl Iterator<Item = T> {
    let list = list.clone();
    (0..list.n_items()).filter_map(move |i| list.item(i).and_downcast())
}

/// The item for which this is true, and its place.
pub fn find<T: IsA<gtk::glib::Object>>(
    list: &gio::ListStore,
    is_it: impl Fn(&T) -> bool,
) -> Option<(u32, T)> {
    items::<T>(list)
        .zip(0..)
        .find(|(item, _)| is_it(item))
        .map(|(item, at)| (at, item))
}
