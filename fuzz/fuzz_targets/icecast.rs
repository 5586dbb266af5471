// SPDX-License-Identifier: GPL-3.0-or-later
//! What an Icecast server answers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| studio::fuzzing::icecast(data));
