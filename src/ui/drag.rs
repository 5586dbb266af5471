// SPDX-License-Identifier: GPL-3.0-or-later
//! What is dragged inside the window, and what is done with anything that is dropped or pasted.

use std::rc::Rc;

use gtk::{gdk, glib, graphene, prelude::*};
use studio::{
    message::{MediaKind, SourceId},
    source::Spec,
};

use super::{
    bridge::Bridge,
    intake::{self, Offer},
    recent,
    staging::{self, Place},
    window::Window,
};

/// A row of this window on its way.
#[derive(Debug, Clone, PartialEq, Eq, glib::Boxed)]
#[boxed_type(name = "AerialDragged")]
pub enum Dragged {
    /// A source that is there.
    Source {
        /// Its number.
        id: SourceId,
        /// Picture, else sound.
        picture: bool,
    },
    /// A camera or microphone that is plugged in.
    Device {
        /// Picture, else sound.
        picture: bool,
        /// As on the command line.
        spec: String,
    },
}

impl Dragged {
    /// Whether it can be put on screen.
    pub fn picture(&self) -> bool {
        match self {
            Dragged::Source { picture, .. } | Dragged::Device { picture, .. } => *picture,
        }
    }
}

/// Types that can be dropped, the best first.
pub fn types() -> [glib::Type; 3] {
    [
        Dragged::static_type(),
        gdk::FileList::static_type(),
        String::static_type(),
    ]
}

/// Whether any of them can be had.
pub fn usable(formats: &gdk::ContentFormats) -> bool {
    types().into_iter().any(|t| formats.contains_type(t))
        || ["text/uri-list", "text/plain", "text/plain;charset=utf-8"]
            .into_iter()
            .any(|mime| formats.contain_mime_type(mime))
}

/// What is told to the other side: a copy, never a move, for nothing is to go from where it was.
pub fn action(target: &gtk::DropTarget) -> gdk::DragAction {
    let offered = target.current_drop().map(|drop| drop.actions());
    match offered.is_none_or(|o| o.contains(gdk::DragAction::COPY)) {
        true => gdk::DragAction::COPY,
        false => gdk::DragAction::LINK,
    }
}

/// It was dropped: take the places where it could be dropped away. GTK tells only those that are left without a drop.
pub fn finish(widget: &impl IsA<gtk::Widget>) {
    if let Some(window) = widget.as_ref().root().and_downcast::<Window>() {
        window.offer_drops(false);
    }
}

/// Let this row be dragged.
pub fn offer(row: &impl IsA<gtk::Widget>, dragged: Dragged) {
    let source = gtk::DragSource::builder()
        .actions(gdk::DragAction::COPY)
        .content(&gdk::ContentProvider::for_value(&dragged.to_value()))
        .build();
    let weak = row.as_ref().downgrade();
    source.connect_drag_begin(move |source, _| {
        if let Some(row) = weak.upgrade() {
            // Held near its left end.
            source.set_icon(still(&row).as_ref(), 24, 24);
        }
    });
    row.as_ref().add_controller(source);
}

/// A picture of a row: the row itself may change or go on the way.
fn still(row: &gtk::Widget) -> Option<gdk::Paintable> {
    let (width, height) = (f64::from(row.width()), f64::from(row.height()));
    let snapshot = gtk::Snapshot::new();
    // The ground belongs to what is below the row.
    let ground = row.style_context().lookup_color("window_bg_color");
    snapshot.append_color(
        &ground.unwrap_or(gdk::RGBA::WHITE),
        &graphene::Rect::new(0.0, 0.0, width as f32, height as f32),
    );
    gtk::WidgetPaintable::new(Some(row))
        .current_image()
        .snapshot(&snapshot, width, height);
    snapshot.to_paintable(None)
}

/// Take what was dropped, in the background. Returns whether it can be anything.
pub fn take(
    widget: &impl IsA<gtk::Widget>,
    bridge: &Rc<Bridge>,
    value: &glib::Value,
    place: Place,
) -> bool {
    match value.get::<Dragged>() {
        Ok(dragged) => take_row(bridge, &dragged, place),
        Err(_) => {
            let window = widget.as_ref().root().and_downcast::<Window>();
            take_offers(window.as_ref(), bridge, intake::offers(value), place);
            true
        }
    }
}

fn take_row(bridge: &Rc<Bridge>, dragged: &Dragged, place: Place) -> bool {
    match dragged {
        Dragged::Source { id, picture } => {
            if *picture && place != Place::Unseen {
                staging::show(bridge, *id, place);
            }
            *picture
        }
        Dragged::Device { picture, spec } => {
            let kind = match picture {
                true => MediaKind::Video,
                false => MediaKind::Audio,
            };
            let Ok(spec) = Spec::parse(kind, spec) else {
                return false;
            };
            let bridge = bridge.clone();
            glib::spawn_future_local(async move {
                staging::add(&bridge, vec![spec], place).await;
            });
            true
        }
    }
}

/// Add what can be used of this in the background, the first picture in this place, and say what cannot.
pub fn take_offers(window: Option<&Window>, bridge: &Rc<Bridge>, offers: Vec<Offer>, place: Place) {
    let window = window.map(|w| w.downgrade()).unwrap_or_default();
    let bridge = bridge.clone();
    glib::spawn_future_local(async move { bring(window, &bridge, offers, place).await });
}

/// The same, to be waited for.
pub async fn bring(
    window: glib::WeakRef<Window>,
    bridge: &Bridge,
    offers: Vec<Offer>,
    mut place: Place,
) {
    let intake = intake::sort(offers).await;
    for specs in intake.sources {
        let picture = specs.iter().any(|s| s.kind() == MediaKind::Video);
        let here = if picture { place } else { Place::Unseen };
        recent::remember(&specs);
        let added = staging::add(bridge, specs, here).await;
        if picture && !added.is_empty() {
            place = Place::Unseen;
        }
    }
    if let Some(window) = window.upgrade() {
        window.tell_refused(&intake.refused);
    }
}

/// Take what is on the clipboard, as if it were dropped on the preview.
pub fn paste(window: &Window, bridge: &Rc<Bridge>) {
    let clipboard = window.clipboard();
    let (window, bridge) = (window.downgrade(), bridge.clone());
    glib::spawn_future_local(async move {
        let files = gdk::FileList::static_type();
        let read = |kind| clipboard.read_value_future(kind, glib::Priority::DEFAULT);
        let value = match read(files).await {
            Ok(value) => Ok(value),
            Err(_) => read(String::static_type()).await,
        };
        let offers = value.map(|v| intake::offers(&v)).unwrap_or_default();
        if let Some(window) = window.upgrade() {
            take_offers(Some(&window), &bridge, offers, Place::Whole);
        }
    });
}
