// SPDX-License-Identifier: GPL-3.0-or-later
//! What the desktop gave us so that it need not ask again: one token for each source of screens, in a file that only
//! its owner can read. Each token is good for one time and replaced by the next.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::settings;

const FILE: &str = "screens.toml";

/// The token for this source.
pub(crate) fn kept(source: &str) -> Option<String> {
    read(&file()?).remove(source)
}

/// Keep this token for this source, or none.
pub(crate) fn keep(source: &str, token: Option<&str>) {
    let Some(file) = file() else { return };
    if let Err(e) = write(&file, source, token) {
        // The desktop will ask again, that is all.
        tracing::warn!("the permission for {source} could not be kept: {e}");
    }
}

fn file() -> Option<PathBuf> {
    Some(settings::folder()?.join(FILE))
}

fn read(file: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    toml::from_str(&text).unwrap_or_default()
}

fn write(file: &Path, source: &str, token: Option<&str>) -> std::io::Result<()> {
    let mut all = read(file);
    let before = all.get(source).map(String::as_str);
    if before == token {
        return Ok(());
    }
    match token {
        Some(token) => all.insert(source.to_string(), token.to_string()),
        None => all.remove(source),
    };
    settings::replace(file, &toml::to_string(&all).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_kept_for_its_owner_alone_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/screens.toml");
        write(&file, "screen", Some("one")).unwrap();
        write(&file, "screen:window", Some("two")).unwrap();
        write(&file, "screen", Some("three")).unwrap();
        let all = read(&file);
        assert_eq!(
            (all["screen"].as_str(), all["screen:window"].as_str()),
            ("three", "two")
        );
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        write(&file, "screen", None).unwrap();
        assert_eq!(read(&file).len(), 1);
    }

    #[test]
    fn a_broken_file_means_being_asked_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("screens.toml");
        fs::write(&file, "not [toml").unwrap();
        assert!(read(&file).is_empty());
        write(&file, "screen", Some("one")).unwrap();
        assert_eq!(read(&file)["screen"], "one");
    }
}
