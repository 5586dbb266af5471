// SPDX-License-Identifier: GPL-3.0-or-later
//! Who may watch, under which names, how many, and over what.

use std::{fmt, path::PathBuf};

use serde::Deserialize;

use crate::{audience::Limits, error::SpecError};

/// Words that nobody is to read by accident: neither in a log nor in what a panic says.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Secret(String);

impl Secret {
    /// Keep these words.
    pub fn new(words: impl Into<String>) -> Self {
        let words = words.into();
        crate::hush::hide(&words);
        Secret(words)
    }

    /// The words, for what needs them.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(words: String) -> Self {
        Secret::new(words)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// How the broadcast is shared.
#[derive(Debug, Clone, Default)]
pub struct Sharing {
    /// Who may watch from other computers.
    pub watching: Watching,
    /// Names under which others reach this computer, besides its own: those of proxies.
    pub hosts: Vec<String>,
    /// How many may watch.
    pub limits: Limits,
    /// Serve HTTPS too; `None` is HTTP alone.
    pub https: Option<Https>,
}

/// Who may watch from other computers.
#[derive(Debug, Clone)]
pub enum Watching {
    /// Everybody who reaches the port.
    Open,
    /// Who has the token or knows the password.
    Invited {
        /// What links carry; `None` is one that is made and kept.
        token: Option<Secret>,
        /// Asked of those who come without.
        password: Option<Secret>,
    },
}

impl Default for Watching {
    fn default() -> Self {
        Watching::Invited {
            token: None,
            password: None,
        }
    }
}

/// Where the certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Https {
    /// Made here, and kept.
    Own,
    /// The user's.
    Files {
        /// PEM, with those between it and its root.
        certificate: PathBuf,
        /// PEM.
        key: PathBuf,
    },
}

/// Shortest token: one that is tried out needs years at the rate that is let through.
const SHORTEST: usize = 8;

/// A token as it stands in links: letters, digits and `-._~`.
pub fn viewer_token(text: &str) -> Result<Secret, SpecError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    match text.len() >= SHORTEST && text.chars().all(fits) {
        true => Ok(Secret::new(text)),
        false => Err(SpecError::ViewerToken),
    }
}

/// A name of this computer as others write it, without port.
pub fn host(text: &str) -> Result<String, SpecError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    match !text.is_empty() && text.chars().all(fits) {
        true => Ok(text.to_lowercase()),
        false => Err(SpecError::Host(text.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_fit_into_links_and_are_not_shown() {
        for bad in ["", "short", "with space", "with&ampersand", "a%20b12345"] {
            assert_eq!(viewer_token(bad), Err(SpecError::ViewerToken), "{bad}");
        }
        let token = viewer_token("c4-N.a_r~y").unwrap();
        assert_eq!(token.expose(), "c4-N.a_r~y");
        let sharing = Sharing {
            watching: Watching::Invited {
                token: Some(token.clone()),
                password: Some(token),
            },
            ..Sharing::default()
        };
        assert!(!format!("{sharing:?}").contains("c4-N"));
    }

    #[test]
    fn names_are_names() {
        assert_eq!(host("Live.Example.org").unwrap(), "live.example.org");
        for bad in ["", "a:80", "https://a", "a/b", "*"] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }
}
