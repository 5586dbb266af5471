// SPDX-License-Identifier: GPL-3.0-or-later
//! Where the broadcast is pushed to.
//!
//! Each output is a task with a pipeline of its own; nothing it does reaches the program or another output.

use std::path::PathBuf;

pub use icecast::IcecastTarget;

/// One output as the user wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputSpec {
    /// Unique among the outputs.
    pub name: String,
    /// Switched on.
    pub enabled: bool,
    /// Where to.
    pub target: Target,
}

/// Where an output goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// An Icecast server, while live.
    Icecast(IcecastTarget),
    /// A WebM or Matroska file, while live or not.
    Record {
        /// The file; never overwritten unless `overwrite`.
        path: PathBuf,
        /// Whether an existing file may be replaced.
        overwrite: bool,
    },
}

impl Target {
    /// The word of the status object.
    pub fn kind(&self) -> &'static str {
        match self {
            Target::Icecast(_) => "icecast",
            Target::Record { .. } => "record",
        }
    }

    /// Where it goes, without any password.
    pub fn url(&self) -> String {
        match self {
            Target::Icecast(target) => target.public_url(),
            Target::Record { path, .. } => format!("file:{}", path.display()),
        }
    }
}

mod icecast;
