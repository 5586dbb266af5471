// SPDX-License-Identifier: GPL-3.0-or-later
//! What the window asks for on behalf of whoever directs: add, show, place beside, take away and bring back.

use std::{rc::Rc, time::Duration};

use studio::{
    message::{Command, NewSource, Outcome, SourceId},
    program::scene::{Corner, Framing, Layout, LayoutKind, Strip, Transition},
    source::Spec,
};

use super::{
    bridge::Bridge,
    model::{SourceItem, items},
};

/// Where a picture goes when it is brought on screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Wherever the layout has room.
    Free,
    /// It alone.
    Whole,
    /// Beside the picture that is there.
    Left,
    /// The same on the other side.
    Right,
    /// Small, over the picture that is there.
    Corner(Corner),
    /// Not on screen at all.
    Unseen,
}

/// A fade of this many seconds.
pub fn fade(seconds: f64) -> Transition {
    Transition::Fade(Duration::from_secs_f64(seconds.clamp(0.1, 3.0)))
}

/// The layout with this picture in this place; a small one gets this share of the width. What was the main picture
/// stays in it.
pub fn placed(layout: &Layout, id: SourceId, place: Place, size: f32) -> Layout {
    let other = layout.pictures.iter().copied().find(|p| *p != id);
    let beside = |first: Option<SourceId>, second: Option<SourceId>| {
        first.into_iter().chain(second).collect::<Vec<_>>()
    };
    let (kind, pictures) = match place {
        Place::Unseen => return layout.clone(),
        Place::Free => {
            let mut layout = layout.clone();
            layout.bring(id);
            return layout;
        }
        Place::Whole => (LayoutKind::Full, vec![id]),
        Place::Left => (LayoutKind::SideBySide, beside(Some(id), other)),
        Place::Right => (LayoutKind::SideBySide, beside(other, Some(id))),
        Place::Corner(corner) => (
            LayoutKind::PictureInPicture { corner, size },
            beside(other, Some(id)),
        ),
    };
    Layout { kind, pictures }
}

/// The layout in another form: the same pictures first, then as many others as it has room for.
pub fn reshaped(layout: &Layout, kind: LayoutKind, all: &[SourceId]) -> Layout {
    let others = all.iter().filter(|id| !layout.pictures.contains(id));
    let pictures = layout.pictures.iter().chain(others).copied();
    let pictures: Vec<_> = match kind {
        LayoutKind::Full => pictures.take(1).collect(),
        LayoutKind::PictureInPicture { .. } | LayoutKind::SideBySide => pictures.take(2).collect(),
        LayoutKind::Grid => all.to_vec(),
    };
    Layout { kind, pictures }
}

/// Show the pictures in this form.
pub fn reshape(bridge: &Bridge, kind: LayoutKind) {
    let pictures = items::<SourceItem>(&bridge.model().sources).filter(SourceItem::picture);
    let all: Vec<_> = pictures.map(|p| p.id()).collect();
    let layout = reshaped(&bridge.model().scene.layout(), kind, &all);
    bridge.command(Command::SetLayout(
        layout,
        bridge.model().scene.transition(),
    ));
}

/// Bring a picture on screen.
pub fn show(bridge: &Bridge, id: SourceId, place: Place) {
    let scene = &bridge.model().scene;
    let layout = placed(&scene.layout(), id, place, scene.small().1);
    bridge.command(Command::SetLayout(
        layout,
        bridge.model().scene.transition(),
    ));
}

/// Take a picture off the screen.
pub fn hide(bridge: &Bridge, id: SourceId) {
    let mut layout = bridge.model().scene.layout();
    layout.pictures.retain(|p| *p != id);
    bridge.command(Command::SetLayout(
        layout,
        bridge.model().scene.transition(),
    ));
}

/// Add a picture, a sound, or both of one thing. Returns what was added.
pub async fn add(bridge: &Bridge, specs: Vec<Spec>, place: Place) -> Vec<SourceId> {
    let both = specs.len() > 1;
    let picture = specs.iter().position(|s| matches!(s, Spec::Video(_)));
    let new = NewSource {
        specs,
        show: place == Place::Free,
        optional: both,
    };
    let Some(Outcome::Added(ids)) = bridge.ask(Command::AddSource(new)).await else {
        return vec![];
    };
    // The engine puts the picture first.
    if let (true, Some(id)) = (picture.is_some(), ids.first())
        && !matches!(place, Place::Free | Place::Unseen)
    {
        let scene = &bridge.model().scene;
        let layout = placed(&bridge.studio().layout(), *id, place, scene.small().1);
        let change = Command::SetLayout(layout, scene.transition());
        bridge.ask(change).await;
    }
    ids
}

/// What has to be known to bring back what is taken away.
#[derive(Debug, Clone)]
pub struct Removed {
    parts: Vec<(SourceId, usize, Spec, Framing, Strip)>,
    layout: Layout,
}

/// Take a source away: of a film both halves when it is the picture. `None` if it cannot be brought back.
pub fn remove(bridge: &Bridge, id: SourceId) -> Option<Removed> {
    let (place, item) = bridge.source(id)?;
    let partner = item.partner().filter(|_| item.picture());
    let partner = partner.and_then(|id| bridge.source(id));
    let known = |(place, item): &(u32, SourceItem)| {
        let spec = bridge.asked(item)?;
        Some((
            item.id(),
            *place as usize,
            spec,
            item.framing(),
            item.strip(),
        ))
    };
    let gone: Vec<_> = [(place, item)].into_iter().chain(partner).collect();
    let parts: Option<Vec<_>> = gone.iter().map(known).collect();
    let layout = bridge.model().scene.layout();
    for (_, item) in &gone {
        // A guest leaves with both.
        if item.id() == id || !item.spec().starts_with("guest") {
            bridge.command(Command::RemoveSource(item.id()));
        }
    }
    Some(Removed {
        parts: parts?,
        layout,
    })
}

/// Bring back what was taken away, to its place.
pub async fn bring_back(bridge: Rc<Bridge>, removed: Removed) {
    let Removed {
        mut parts, layout, ..
    } = removed;
    parts.sort_by_key(|(_, _, spec, ..)| spec.kind() as u8);
    let specs = parts.iter().map(|(_, _, spec, ..)| spec.clone()).collect();
    let ids = add(&bridge, specs, Place::Unseen).await;
    // Lower places first, or the higher ones are not there yet.
    let mut places: Vec<_> = parts.iter().zip(&ids).collect();
    places.sort_by_key(|((_, place, ..), _)| *place);
    for ((_, place, ..), id) in places {
        bridge.ask(Command::MoveSource(*id, *place)).await;
    }
    for ((old, _, spec, framing, strip), id) in parts.into_iter().zip(ids) {
        match spec {
            Spec::Video(_) => {
                bridge.ask(Command::SetFraming(id, framing)).await;
                let Some(at) = layout.pictures.iter().position(|p| *p == old) else {
                    continue;
                };
                let mut now = bridge.studio().layout();
                now.pictures.retain(|p| *p != id);
                now.kind = layout.kind;
                now.pictures.insert(at.min(now.pictures.len()), id);
                bridge.ask(Command::SetLayout(now, Transition::Cut)).await;
            }
            Spec::Audio(_) => drop(bridge.ask(Command::SetStrip(id, strip)).await),
        }
    }
}

/// Move a source by one place among those of its kind.
pub fn nudge(bridge: &Bridge, id: SourceId, down: bool) {
    // As it is in the engine now: keys may come faster than its news.
    let sources = bridge.studio().sources();
    let Some(kind) = sources.iter().find(|s| s.id == id).map(|s| s.kind) else {
        return;
    };
    let alike: Vec<_> = (0..)
        .zip(&sources)
        .filter(|(_, s)| s.kind == kind)
        .collect();
    let Some(at) = alike.iter().position(|(_, s)| s.id == id) else {
        return;
    };
    let neighbour = match down {
        true => alike.get(at + 1),
        false => at.checked_sub(1).and_then(|i| alike.get(i)),
    };
    if let Some((place, _)) = neighbour {
        bridge.command(Command::MoveSource(id, *place));
    }
}

/// Move a source before (or after) another of its kind.
pub fn move_to(bridge: &Bridge, id: SourceId, target: SourceId, after: bool) {
    let (Some((from, _)), Some((to, _))) = (bridge.source(id), bridge.source(target)) else {
        return;
    };
    let place = to + u32::from(after);
    // Taking it out moves those behind it forward.
    let place = if from < place { place - 1 } else { place };
    if place != from {
        bridge.command(Command::MoveSource(id, place as usize));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(pictures: &[SourceId]) -> Layout {
        Layout {
            kind: LayoutKind::Grid,
            pictures: pictures.to_vec(),
        }
    }

    #[test]
    fn a_picture_put_beside_another_leaves_that_one_on_screen() {
        let layout = placed(&grid(&[1, 2]), 3, Place::Left, 0.3);
        assert_eq!(
            (layout.kind, layout.pictures),
            (LayoutKind::SideBySide, vec![3, 1])
        );
        let layout = placed(&grid(&[1, 2]), 1, Place::Right, 0.3);
        assert_eq!(layout.pictures, [2, 1]);
        let layout = placed(&grid(&[]), 7, Place::Corner(Corner::TopLeft), 0.3);
        assert_eq!(layout.pictures, [7]);
        assert_eq!(placed(&grid(&[1]), 2, Place::Whole, 0.3).pictures, [2]);
        assert_eq!(placed(&grid(&[1]), 2, Place::Unseen, 0.3), grid(&[1]));
    }

    #[test]
    fn another_form_keeps_the_main_picture_and_fills_up() {
        let all = [1, 2, 3];
        let full = reshaped(&grid(&[2, 3]), LayoutKind::Full, &all);
        assert_eq!(full.pictures, [2]);
        let beside = reshaped(&full, LayoutKind::SideBySide, &all);
        assert_eq!(beside.pictures, [2, 1]);
        assert_eq!(reshaped(&full, LayoutKind::Grid, &all).pictures, all);
    }
}
