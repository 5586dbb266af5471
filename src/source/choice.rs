// SPDX-License-Identifier: GPL-3.0-or-later
//! Which device a source takes, and which it must not take by itself.
//!
//! Who pulls out a camera or microphone does not expect another one to go on air in its place. So a source that had a
//! device takes only that one again, or one that somebody has put there on purpose since: plugged in (where the
//! source's words fit it), or made the system's default microphone.

use super::Device;
use crate::message::MediaKind;

/// What a source remembers of the device it had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Memory {
    had: Option<Device>,
    /// What else was plugged in when it was lost.
    others: Vec<String>,
    /// The system's default microphone after it was lost: what the system fell back to, which nobody chose.
    fallback: Option<String>,
    /// The system's default microphone when it was chosen: after it came back, the system may still be at what it fell
    /// back to.
    beside: Option<String>,
}

/// What is plugged in now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Present<'a> {
    pub(super) devices: &'a [Device],
    /// The system's default microphone.
    pub(super) default: Option<&'a str>,
    /// The microphones that the sound server told of in the same breath as of its default. The list of devices may tell
    /// of a change a little earlier or later.
    pub(super) microphones: &'a [String],
}

impl<'a> Present<'a> {
    fn of(&self, kind: MediaKind) -> impl Iterator<Item = &'a Device> {
        self.devices.iter().filter(move |d| d.kind == kind)
    }

    fn default(&self) -> Option<&'a Device> {
        let id = self.default?;
        self.of(MediaKind::Audio).find(|d| d.id == id)
    }

    /// The device of that name: its id, its whole name, or a part of it.
    fn named(&self, kind: MediaKind, name: &str) -> impl Iterator<Item = &'a Device> {
        let lower = name.to_lowercase();
        let exact = self.of(kind).filter({
            let name = name.to_string();
            move |d| d.id == name || d.name == name
        });
        let part = self
            .of(kind)
            .filter(move |d| d.name.to_lowercase().contains(&lower));
        exact.chain(part)
    }
}

impl Memory {
    /// The device that it had.
    pub(super) fn had(&self) -> Option<&Device> {
        self.had.as_ref()
    }

    /// This device is open.
    pub(super) fn has(&mut self, device: &Device) {
        *self = Memory {
            had: Some(device.clone()),
            beside: self.beside.take(),
            ..Memory::default()
        };
    }

    /// It was lost while these were there.
    pub(super) fn lost(&mut self, now: Present<'_>) {
        self.others = now.devices.iter().map(|d| d.id.clone()).collect();
        self.fallback = None;
        self.look(now);
    }

    /// The list has changed since it was lost.
    fn look(&mut self, now: Present<'_>) {
        let had = self.had.as_ref().map(|d| d.id.as_str());
        let default = now.default().map(|d| d.id.as_str());
        if self.fallback.is_none() && default != had {
            self.fallback = default.map(str::to_string);
        }
    }

    /// The device to take, if there is one that may be taken.
    pub(super) fn choose<'a>(
        &mut self,
        kind: MediaKind,
        name: Option<&str>,
        now: Present<'a>,
    ) -> Option<&'a Device> {
        self.look(now);
        self.beside = now.default.map(str::to_string);
        let Some(had) = &self.had else {
            return match (name, kind) {
                (Some(name), _) => now.named(kind, name).next(),
                (None, MediaKind::Audio) => now.default().or_else(|| now.of(kind).next()),
                (None, MediaKind::Video) => now.of(kind).next(),
            };
        };
        let same = || {
            let id = now.of(kind).find(|d| d.id == had.id);
            // In another socket a device may have another id. Two of a kind cannot be told apart by name.
            let new = |d: &&Device| !self.others.contains(&d.id);
            id.or_else(|| now.of(kind).filter(new).find(|d| d.name == had.name))
        };
        let on_purpose = || match (name, kind) {
            (Some(name), _) => now.named(kind, name).find(|d| !self.others.contains(&d.id)),
            (None, MediaKind::Audio) => {
                let default = now.default()?;
                let fallback = self.fallback.as_deref()?;
                (default.id != fallback).then_some(default)
            }
            (None, MediaKind::Video) => now.of(kind).find(|d| !self.others.contains(&d.id)),
        };
        same().or_else(on_purpose)
    }

    /// Whether somebody has made another microphone the default while the one in use is still there.
    pub(super) fn moved(&mut self, now: Present<'_>) -> bool {
        let (Some(had), Some(default)) = (&self.had, now.default()) else {
            return false;
        };
        let changed = self.beside.as_ref() != Some(&default.id);
        if changed {
            self.beside = None;
        }
        changed && default.id != had.id && now.microphones.contains(&had.id)
    }

    /// Take whatever is right now.
    pub(super) fn forget(&mut self) {
        *self = Memory::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MediaKind::{Audio, Video};

    fn device(kind: MediaKind, id: &str, name: &str) -> Device {
        Device {
            kind,
            id: id.into(),
            name: name.into(),
        }
    }

    fn mics(ids: &[&str]) -> Vec<Device> {
        ids.iter()
            .map(|id| device(Audio, id, &format!("Mic {id}")))
            .collect()
    }

    fn id(device: Option<&Device>) -> Option<&str> {
        device.map(|d| d.id.as_str())
    }

    /// Present, with a default microphone.
    fn now<'a>(devices: &'a [Device], default: &'a str) -> Present<'a> {
        let microphones = devices.iter().map(|d| d.id.clone()).collect();
        Present {
            devices,
            default: Some(default).filter(|d| !d.is_empty()),
            microphones: Vec::leak(microphones),
        }
    }

    #[test]
    fn the_system_s_microphone_is_its_default_and_not_the_first() {
        let all = mics(&["a", "b"]);
        let mut memory = Memory::default();
        assert_eq!(id(memory.choose(Audio, None, now(&all, "b"))), Some("b"));
        assert_eq!(id(memory.choose(Audio, None, now(&all, ""))), Some("a"));
    }

    #[test]
    fn the_microphone_that_the_system_falls_back_to_is_not_taken() {
        let (all, rest) = (mics(&["a", "b"]), mics(&["b"]));
        let mut memory = Memory::default();
        memory.has(&all[0]);
        // The system may take a moment to notice.
        for at_first in ["a", "b", ""] {
            memory.lost(now(&rest, at_first));
            assert_eq!(memory.choose(Audio, None, now(&rest, at_first)), None);
            assert_eq!(memory.choose(Audio, None, now(&rest, "b")), None);
            assert_eq!(id(memory.choose(Audio, None, now(&all, "b"))), Some("a"));
        }
    }

    #[test]
    fn a_default_that_somebody_chooses_afterwards_is_taken() {
        let (all, rest) = (mics(&["a", "b", "c"]), mics(&["b", "c"]));
        let mut memory = Memory::default();
        memory.has(&all[0]);
        memory.lost(now(&rest, "b"));
        assert_eq!(memory.choose(Audio, None, now(&rest, "b")), None);
        assert_eq!(id(memory.choose(Audio, None, now(&rest, "c"))), Some("c"));
    }

    #[test]
    fn a_chosen_microphone_is_not_replaced_by_its_namesake() {
        let all = [
            device(Audio, "1", "Studio microphone left"),
            device(Audio, "2", "Studio microphone right"),
        ];
        let mut memory = Memory::default();
        let first = memory.choose(Audio, Some("studio"), now(&all, "2"));
        assert_eq!(id(first), Some("1"));
        memory.has(&all[0]);
        memory.lost(now(&all[1..], "2"));
        assert_eq!(
            memory.choose(Audio, Some("studio"), now(&all[1..], "2")),
            None
        );
        let moved = [all[1].clone(), device(Audio, "9", "Studio microphone left")];
        let found = memory.choose(Audio, Some("studio"), now(&moved, "2"));
        assert_eq!(id(found), Some("9"));
    }

    #[test]
    fn a_camera_is_replaced_only_by_one_plugged_in_since() {
        let all = [device(Video, "a", "Front"), device(Video, "b", "Back")];
        let mut memory = Memory::default();
        assert_eq!(id(memory.choose(Video, None, now(&all, ""))), Some("a"));
        memory.has(&all[0]);
        memory.lost(now(&all[1..], ""));
        assert_eq!(memory.choose(Video, None, now(&all[1..], "")), None);
        let new = [all[1].clone(), device(Video, "c", "New")];
        assert_eq!(id(memory.choose(Video, None, now(&new, ""))), Some("c"));
    }

    #[test]
    fn only_a_default_chosen_beside_the_microphone_in_use_is_a_move() {
        let all = mics(&["a", "b"]);
        let mut memory = Memory::default();
        memory.choose(Audio, None, now(&all, "a"));
        memory.has(&all[0]);
        assert!(memory.moved(now(&all, "b")));
        assert!(!memory.moved(now(&all, "a")));
        assert!(!memory.moved(now(&all[1..], "b")), "it was unplugged");
        assert!(!memory.moved(now(&all, "gone")));
        memory.forget();
        assert_eq!(id(memory.choose(Audio, None, now(&all, "b"))), Some("b"));
    }

    #[test]
    fn what_the_system_fell_back_to_is_no_move_though_the_list_or_the_system_is_slow() {
        let all = mics(&["a", "b"]);
        let mut memory = Memory::default();
        memory.choose(Audio, None, now(&all, "a"));
        memory.has(&all[0]);
        // The list still has it; the sound server has not.
        let server = Present {
            devices: &all,
            ..now(&all[1..], "b")
        };
        assert!(!memory.moved(server));
        // It is back and open again, and the system is still where it fell back to.
        memory.lost(now(&all[1..], "b"));
        memory.choose(Audio, None, now(&all, "b"));
        memory.has(&all[0]);
        assert!(!memory.moved(now(&all, "b")));
        assert!(!memory.moved(now(&all, "a")));
        assert!(memory.moved(now(&all, "b")), "now somebody chose it");
    }

    #[test]
    fn a_default_that_is_told_late_is_a_move() {
        let all = mics(&["a", "b"]);
        let mut memory = Memory::default();
        let first = memory.choose(Audio, None, now(&all, "")).cloned();
        memory.has(&first.expect("there is one"));
        assert!(memory.moved(now(&all, "b")));
    }
}
