// SPDX-License-Identifier: GPL-3.0-or-later
//! Profiles, units in words, and the tokens of programs.

mod profile;
pub mod tokens;
pub mod units;

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::PathBuf,
};

pub use profile::Profile;
use tokens::random_token;

use crate::error::StudioError;

/// The folder of Aerial's settings.
pub fn folder() -> Option<PathBuf> {
    let dirs = directories::ProjectDirs::from("io.github", "aerial_live", "Aerial")?;
    Some(dirs.config_dir().to_path_buf())
}

/// Where tokens that are handed out to programs are kept.
pub fn token_file() -> Option<PathBuf> {
    Some(folder()?.join("tokens.json"))
}

/// The API token: made at the first start and kept in a file that only its owner can read.
pub fn api_token() -> Result<String, StudioError> {
    kept_word("api-token")
}

/// The password of remote controls made for OBS: the same.
pub fn obs_password() -> Result<String, StudioError> {
    kept_word("obs-password")
}

fn kept_word(name: &str) -> Result<String, StudioError> {
    let path = folder()
        .unwrap_or_else(|| PathBuf::from(".aerial"))
        .join(name);
    let problem = |e: std::io::Error| StudioError::Token {
        path: path.clone(),
        why: e.to_string(),
    };
    match fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_string()),
        Ok(_) => (),
        Err(e) if e.kind() == ErrorKind::NotFound => (),
        Err(e) => return Err(problem(e)),
    }
    let token = random_token().map_err(problem)?;
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(problem)?;
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .map_err(problem)?;
    writeln!(file, "{token}").map_err(problem)?;
    Ok(token)
}
