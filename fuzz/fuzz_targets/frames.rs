// SPDX-License-Identifier: GPL-3.0-or-later
//! Bodies of uploads, in parts and as pictures.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| studio::fuzzing::frames(data));
