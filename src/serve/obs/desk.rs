// SPDX-License-Identifier: GPL-3.0-or-later
//! Sources and layouts as OBS would see them.
//!
//! - An *input* is a source, with its picture and its sound.
//! - A *scene* is something to be put on screen: each picture alone, and where there are several, all of them side by
//!   side, picture in picture or in a grid; and the slate, which shows nothing of anybody.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    message::{MediaKind, SourceId},
    program::scene::{Corner, Layout, LayoutKind},
    stats::SourceRow,
};

/// The scene without any picture.
const SLATE: &str = "Slate";

/// A source.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Input {
    pub(super) name: String,
    pub(super) video: Option<SourceId>,
    pub(super) audio: Option<SourceId>,
    pub(super) muted: bool,
    pub(super) gain_db: f32,
}

impl Input {
    pub(super) fn uuid(&self) -> String {
        uuid("input", &self.name)
    }

    /// The first word of its address: `camera`, `file`.
    pub(super) fn kind(&self) -> &str {
        self.name.split([':', ' ']).next().unwrap_or_default()
    }
}

/// What can be put on screen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scene {
    pub(super) name: String,
    pub(super) layout: Layout,
}

impl Scene {
    pub(super) fn uuid(&self) -> String {
        uuid("scene", &self.name)
    }
}

/// Always the same for the same name, and of the right shape.
fn uuid(what: &str, name: &str) -> String {
    let hash = Sha256::new().chain_update(what).chain_update(name);
    let hex: String = hash
        .finalize()
        .iter()
        .take(16)
        .map(|b| format!("{b:02x}"))
        .collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// Everything that can be chosen, and what is chosen.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Desk {
    pub(super) inputs: Vec<Input>,
    /// In the order of a list, the first one on top.
    pub(super) scenes: Vec<Scene>,
    /// Name of the scene on screen.
    pub(super) current: String,
}

impl Desk {
    pub(super) fn new(rows: &[SourceRow], layout: &Layout) -> Desk {
        let inputs = inputs(rows);
        let (scenes, current) = scenes(&inputs, layout);
        Desk {
            inputs,
            scenes,
            current,
        }
    }

    pub(super) fn input(&self, name: &str) -> Option<&Input> {
        self.inputs.iter().find(|i| i.name == name)
    }

    pub(super) fn scene(&self, name: &str) -> Option<&Scene> {
        self.scenes.iter().find(|s| s.name == name)
    }

    /// The list as OBS sends it: from the bottom up.
    pub(super) fn scene_list(&self) -> Value {
        let scenes = self.scenes.iter().rev().enumerate().map(|(i, scene)| {
            json!({"sceneIndex": i, "sceneName": scene.name, "sceneUuid": scene.uuid()})
        });
        json!(scenes.collect::<Vec<_>>())
    }

    /// The pictures of a scene, as items, from the bottom up.
    pub(super) fn items(&self, scene: &Scene) -> Vec<(SourceId, &Input)> {
        let pictures = scene.layout.pictures.iter();
        let shown = pictures.filter(|id| scene.layout.shows(**id));
        let item = |id: &SourceId| {
            let input = self.inputs.iter().find(|i| i.video == Some(*id))?;
            Some((*id, input))
        };
        shown.rev().filter_map(item).collect()
    }
}

fn inputs(rows: &[SourceRow]) -> Vec<Input> {
    let mut all: Vec<Input> = Vec::new();
    for row in rows {
        let picture = row.kind == MediaKind::Video;
        let strip = row.strip.unwrap_or_default();
        let other = row.partner.and_then(|partner| {
            let mut all = all.iter_mut();
            all.find(|i| i.video == Some(partner) || i.audio == Some(partner))
        });
        match other {
            Some(input) if picture => input.video = Some(row.id),
            Some(input) => {
                (input.audio, input.muted, input.gain_db) =
                    (Some(row.id), strip.muted, strip.gain_db);
            }
            None => {
                // Two of the same are told apart by their numbers.
                let taken = all.iter().any(|i| i.name == row.spec);
                let name = match taken {
                    true => format!("{} ({})", row.spec, row.id),
                    false => row.spec.clone(),
                };
                all.push(Input {
                    name,
                    video: picture.then_some(row.id),
                    audio: (!picture).then_some(row.id),
                    muted: !picture && strip.muted,
                    gain_db: if picture { 0.0 } else { strip.gain_db },
                });
            }
        }
    }
    all
}

/// All scenes, and the name of the one on screen.
fn scenes(inputs: &[Input], layout: &Layout) -> (Vec<Scene>, String) {
    let pictures: Vec<_> = inputs
        .iter()
        .filter_map(|i| Some((i.video?, i.name.clone())))
        .collect();
    let in_order: Vec<SourceId> = pictures.iter().map(|(id, _)| *id).collect();
    // Those on screen stay the most important ones.
    let there = layout.pictures.iter().filter(|id| in_order.contains(id));
    let mut on_screen: Vec<SourceId> = there.copied().collect();
    let first = on_screen.first().copied();
    let alone = on_screen.len() == 1 || layout.kind == LayoutKind::Full;
    let others = in_order.iter().filter(|id| !layout.pictures.contains(id));
    on_screen.extend(others);
    let scene = |name: &str, kind, pictures| Scene {
        name: name.into(),
        layout: Layout { kind, pictures },
    };
    let mut all: Vec<Scene> = pictures
        .iter()
        .map(|(id, name)| scene(name, LayoutKind::Full, vec![*id]))
        .collect();
    let inset = match layout.kind {
        LayoutKind::PictureInPicture { .. } => layout.kind,
        LayoutKind::Full | LayoutKind::SideBySide | LayoutKind::Grid => {
            LayoutKind::PictureInPicture {
                corner: Corner::default(),
                size: 0.25,
            }
        }
    };
    if pictures.len() > 1 {
        all.push(scene(
            word(LayoutKind::SideBySide),
            LayoutKind::SideBySide,
            on_screen.clone(),
        ));
        all.push(scene(word(inset), inset, on_screen));
        all.push(scene(word(LayoutKind::Grid), LayoutKind::Grid, in_order));
    }
    all.push(scene(SLATE, LayoutKind::Full, vec![]));
    let current = match first {
        None => SLATE,
        Some(id) if alone => pictures
            .iter()
            .find(|(other, _)| *other == id)
            .map_or(SLATE, |(_, name)| name),
        Some(_) => word(layout.kind),
    };
    let current = current.to_string();
    (all, current)
}

/// The name of a scene of several pictures.
fn word(kind: LayoutKind) -> &'static str {
    match kind {
        LayoutKind::Full => "Full",
        LayoutKind::SideBySide => "Side by side",
        LayoutKind::PictureInPicture { .. } => "Picture in picture",
        LayoutKind::Grid => "Grid",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::scene::Strip;

    fn row(id: u64, kind: MediaKind, spec: &str, partner: Option<u64>) -> SourceRow {
        SourceRow {
            id,
            kind,
            spec: spec.into(),
            state: "live".into(),
            error: None,
            warning: None,
            partner,
            shown: None,
            framing: None,
            strip: (kind == MediaKind::Audio).then(|| Strip {
                muted: id == 4,
                ..Strip::default()
            }),
            levels: None,
            progress: None,
            guest: None,
        }
    }

    fn names(desk: &Desk) -> Vec<&str> {
        desk.scenes.iter().map(|s| s.name.as_str()).collect()
    }

    #[test]
    fn sources_are_inputs_and_what_can_be_on_screen_is_a_scene() {
        use MediaKind::{Audio, Video};
        let rows = [
            row(1, Video, "camera:Front", None),
            row(2, Video, "file:a.webm", Some(4)),
            row(3, Audio, "mic", None),
            row(4, Audio, "file:a.webm", Some(2)),
            row(5, Audio, "mic", None),
        ];
        let grid = Layout {
            kind: LayoutKind::Grid,
            pictures: vec![2, 1],
        };
        let desk = Desk::new(&rows, &grid);
        let inputs: Vec<_> = desk.inputs.iter().map(|i| i.name.as_str()).collect();
        assert_eq!(inputs, ["camera:Front", "file:a.webm", "mic", "mic (5)"]);
        let film = desk.input("file:a.webm").unwrap();
        assert_eq!(
            (film.video, film.audio, film.muted),
            (Some(2), Some(4), true)
        );
        assert_eq!(film.kind(), "file");
        assert_eq!(
            names(&desk),
            [
                "camera:Front",
                "file:a.webm",
                "Side by side",
                "Picture in picture",
                "Grid",
                "Slate"
            ]
        );
        assert_eq!(desk.current, "Grid");
        assert_eq!(desk.scene("Grid").unwrap().layout.pictures, [1, 2]);
        assert_eq!(desk.scene("Side by side").unwrap().layout.pictures, [2, 1]);
        for scene in &desk.scenes {
            let shown = Desk::new(&rows, &scene.layout);
            assert_eq!(
                shown.current, scene.name,
                "a scene that was chosen is current"
            );
        }
    }

    #[test]
    fn without_pictures_there_is_the_slate() {
        let desk = Desk::new(&[], &Layout::default());
        assert_eq!((names(&desk), &*desk.current), (vec!["Slate"], "Slate"));
        let one = [row(1, MediaKind::Video, "test", None)];
        let layout = Layout {
            kind: LayoutKind::Grid,
            pictures: vec![1],
        };
        let desk = Desk::new(&one, &layout);
        assert_eq!(
            (names(&desk), &*desk.current),
            (vec!["test", "Slate"], "test")
        );
    }
}
