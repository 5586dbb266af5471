// SPDX-License-Identifier: GPL-3.0-or-later
//! One typed error per room. `Display` says what and why in one sentence; [`Remedy`] says what to do, in one
//! more. The window has its own words for each variant; the command line uses these.

mod desktop;
mod output;
mod picture;
mod serve;
mod source;
mod spec;
mod studio;

pub use desktop::{PortalError, ScreenError, ShortcutError};
pub use output::OutputError;
pub use picture::{PartError, PictureError};
pub use serve::ServeError;
pub use source::SourceError;
pub use spec::SpecError;
pub use studio::StudioError;

/// What a person can do about an error, as one sentence.
pub trait Remedy {
    /// The sentence.
    fn remedy(&self) -> String;
}
