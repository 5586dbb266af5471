// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages of peers on `/signalling`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| studio::fuzzing::signalling(data));
