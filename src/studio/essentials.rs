// SPDX-License-Identifier: GPL-3.0-or-later
//! What nothing works without.

use crate::error::StudioError;

/// Elements without which nothing works, and their Debian packages.
const ESSENTIAL: [(&str, &str); 7] = [
    ("compositor", "gstreamer1.0-plugins-base"),
    ("audiomixer", "gstreamer1.0-plugins-base"),
    ("videoconvert", "gstreamer1.0-plugins-base"),
    ("audioresample", "gstreamer1.0-plugins-base"),
    ("imagefreeze", "gstreamer1.0-plugins-good"),
    ("level", "gstreamer1.0-plugins-good"),
    ("webmmux", "gstreamer1.0-plugins-good"),
];

/// Whether all of them are installed.
pub(super) fn essentials() -> Result<(), StudioError> {
    let missing: Vec<_> = ESSENTIAL
        .iter()
        .filter(|(element, _)| gst::ElementFactory::find(element).is_none())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    Err(StudioError::Incomplete {
        elements: missing
            .iter()
            .map(|(element, _)| *element)
            .collect::<Vec<_>>()
            .join(", "),
        packages: packages.join(" and "),
    })
}
