// SPDX-License-Identifier: GPL-3.0-or-later
//! Profiles and their secrets, units in words, who may watch, and the tokens of viewers and programs.

mod origin;
mod profile;
pub mod safe;
pub mod sharing;
pub mod tokens;
pub mod units;

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

pub use origin::Origin;
pub use profile::{KeptOutput, Profile, Secrets, profiles, rewritten};
pub use sharing::{Https, Secret, Sharing, Watching};
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
    kept("api-token")
}

/// The password of remote controls made for OBS: the same.
pub fn obs_password() -> Result<String, StudioError> {
    kept("obs-password")
}

const VIEWER_TOKEN: &str = "viewer-token";

/// The token of viewers: made when the broadcast is shared for the first time, and kept, so that links stay good.
pub fn viewer_token() -> Result<String, StudioError> {
    kept(VIEWER_TOKEN)
}

/// Another token of viewers, kept in the place of the one before.
pub fn renew_viewer_token() -> Result<String, StudioError> {
    let token = random()?;
    write(VIEWER_TOKEN, &token)?;
    Ok(token)
}

/// 160 random bits as text.
pub fn random() -> Result<String, StudioError> {
    random_token().map_err(|e| problem(&path("token"), &e))
}

fn path(name: &str) -> PathBuf {
    let folder = folder().unwrap_or_else(|| PathBuf::from(".aerial"));
    folder.join(name)
}

fn problem(path: &Path, e: &std::io::Error) -> StudioError {
    StudioError::Token {
        path: path.to_path_buf(),
        why: e.to_string(),
    }
}

/// The token of this name; made if there is none.
fn kept(name: &str) -> Result<String, StudioError> {
    let path = path(name);
    match fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_string()),
        Ok(_) => (),
        Err(e) if e.kind() == ErrorKind::NotFound => (),
        Err(e) => return Err(problem(&path, &e)),
    }
    let token = random()?;
    write(name, &token)?;
    Ok(token)
}

/// Keep this in a file that only its owner can read.
pub(crate) fn write(name: &str, text: &str) -> Result<(), StudioError> {
    let path = path(name);
    replace(&path, &format!("{}\n", text.trim_end())).map_err(|e| problem(&path, &e))
}

/// Have this text in a file that only its owner can read. Whatever happens meanwhile, either the old text stands there
/// or the new one.
///
/// # Errors
/// The folder cannot be written to, or the disk is full.
pub fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    // Such a file is made readable for its owner alone.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
