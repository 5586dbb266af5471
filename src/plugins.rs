// SPDX-License-Identifier: GPL-3.0-or-later
//! Elements that are part of this program, not of the system's GStreamer.

use std::sync::Once;

use gst::glib;

use crate::encode::gif;

/// Make them known to GStreamer; the first call does it. After `gst::init`.
pub(crate) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let registered = [
            ("fmp4", gstfmp4::plugin_register_static()),
            ("gif", gif::register()),
            ("rtp", gstrsrtp::plugin_register_static()),
            ("webrtc", gstrswebrtc::plugin_register_static()),
        ];
        for (name, result) in registered {
            let _: Result<(), glib::BoolError> = result.inspect_err(|error| {
                // What needs it says then that it is missing.
                tracing::error!(%error, name, "elements of our own could not be registered");
            });
        }
    });
}
