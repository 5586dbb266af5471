// SPDX-License-Identifier: GPL-3.0-or-later
//! Offers, answers and candidates of viewers and guests.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| studio::fuzzing::sdp(data));
