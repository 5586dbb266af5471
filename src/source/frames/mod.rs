// SPDX-License-Identifier: GPL-3.0-or-later
//! Pictures that other programs make.
//!
//! ```text
//! PUT /frames/NAME ─▶ inbox ──┐
//! folder ─▶ those that come ──┼─ one waits ─▶ easel: the last one, for every frame of the program
//! standard input ─▶ on time ──┘
//! ```
//!
//! However fast pictures come, at most one waits besides the one that is shown; whoever makes them is made to wait.

mod easel;
mod folder;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod image;
mod inbox;
mod multipart;
mod raw;
mod stdin;

pub(crate) use easel::{Waiting, show};
pub(crate) use folder::{News as FolderNews, watch as watch_folder};
pub(crate) use image::{MOST_BYTES, Picture, decode};
pub use inbox::Inboxes;
pub(crate) use inbox::{Expected, Inbox};
pub(crate) use multipart::{Parser, boundary};
pub use raw::{Pixels, RawFormat};
pub(crate) use stdin::{News as StdinNews, read as read_stdin};
