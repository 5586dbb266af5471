// SPDX-License-Identifier: GPL-3.0-or-later
//! The one HTTP server.

pub mod signalling;
pub mod webrtc;
pub mod whep;
