// SPDX-License-Identifier: GPL-3.0-or-later
//! Where picture and sound come from. Each source is a pipeline of its own.

mod spec;

pub use spec::{AudioSpec, VideoSpec};

/// A camera or microphone that is plugged in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Device {
    /// Picture or sound.
    pub kind: crate::message::MediaKind,
    /// Stable id (PipeWire's node name, or the device's path).
    pub id: String,
    /// The name people know.
    pub name: String,
}
