// SPDX-License-Identifier: GPL-3.0-or-later
//! Profiles, and the words of the command line in them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| studio::fuzzing::profile(data));
