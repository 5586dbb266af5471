// SPDX-License-Identifier: GPL-3.0-or-later
//! Pictures that other programs make.

mod raw;

pub use raw::RawFormat;
