// SPDX-License-Identifier: GPL-3.0-or-later
//! Drag and drop, with a real pointer. The story itself is in `dragdrop.py`, beside this file.

use crate::window::tell;

#[test]
fn what_is_dropped_pasted_or_dragged_within_the_window_goes_where_it_says_and_the_rest_is_refused_by_name()
 {
    // Wayland has no pointer that every program obeys in the test desktop.
    if std::env::var("AERIAL_TEST_DESKTOP").is_ok_and(|d| d.contains("wayland")) {
        return;
    }
    tell("dragdrop.py", &["ffmpeg"]);
}
