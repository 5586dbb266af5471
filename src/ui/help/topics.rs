// SPDX-License-Identifier: GPL-3.0-or-later
//! What the help window has pages about.

use gettextrs::gettext;

/// One page.
pub struct Topic {
    /// The file in `docs/`, as links name it.
    pub file: &'static str,
    /// What is in it.
    pub text: &'static str,
    name: fn() -> String,
}

impl Topic {
    /// What it is called in the list.
    pub fn name(&self) -> String {
        (self.name)()
    }
}

macro_rules! topic {
    ($file:literal, $name:expr) => {
        Topic {
            file: $file,
            text: include_str!(concat!("../../../docs/", $file)),
            name: $name,
        }
    };
}

/// In the order in which they are needed.
pub const TOPICS: &[Topic] = &[
    topic!("getting-started.md", || gettext("Getting started")),
    topic!("sources.md", || gettext("Sources")),
    topic!("outputs.md", || gettext("Outputs")),
    topic!("troubleshooting.md", || gettext("When something is wrong")),
    topic!("security.md", || gettext("Who can watch and control")),
    topic!("scaling.md", || gettext("More viewers")),
    topic!("performance.md", || gettext("What it costs")),
    topic!("api.md", || gettext("Control by programs")),
];
