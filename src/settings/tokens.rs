// SPDX-License-Identifier: GPL-3.0-or-later
//! Tokens that the broadcaster hands out to programs: what each may do, kept as a hash.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rand::{TryRngCore, rngs::OsRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{error::StudioError, stats::seconds};

/// What a token lets a program do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// See numbers and what happens; change nothing.
    Read,
    /// Everything.
    Control,
}

/// One token as it is listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenRow {
    /// Its number.
    pub id: u64,
    /// What it is for, in the broadcaster's words.
    pub name: String,
    /// What it lets do.
    pub scope: Scope,
    /// When it was made, as seconds since 1970.
    pub created: f64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    row: TokenRow,
    /// SHA-256. A token is 160 random bits, which nobody can try out, so nothing slower is needed.
    sha256: String,
}

/// All tokens that were handed out.
pub struct TokenBook {
    path: Option<PathBuf>,
    /// Never used twice, so that a number always means the same token.
    next: u64,
    kept: Vec<Kept>,
}

#[derive(Default, Serialize, Deserialize)]
struct File {
    next: u64,
    tokens: Vec<Kept>,
}

/// Most tokens at one time.
pub const MOST_TOKENS: usize = 100;

impl TokenBook {
    /// What is kept in this file; nothing if it is not there. Without a path, tokens last as long as the program.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(path: Option<PathBuf>) -> Result<TokenBook, StudioError> {
        let file = match &path {
            Some(path) => match fs::read(path) {
                Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| problem(path, e.into()))?,
                Err(e) if e.kind() == ErrorKind::NotFound => File::default(),
                Err(e) => return Err(problem(path, e)),
            },
            None => File::default(),
        };
        Ok(TokenBook {
            path,
            next: file.next,
            kept: file.tokens,
        })
    }

    /// All of them, without their secrets.
    pub fn list(&self) -> Vec<TokenRow> {
        self.kept.iter().map(|k| k.row.clone()).collect()
    }

    /// Make one; the secret is told here and never again. `None` if there are too many.
    ///
    /// # Errors
    /// It cannot be kept.
    pub fn add(
        &mut self,
        name: &str,
        scope: Scope,
    ) -> Result<Option<(TokenRow, String)>, StudioError> {
        if self.kept.len() >= MOST_TOKENS {
            return Ok(None);
        }
        let secret = random_token().map_err(|e| self.problem(e))?;
        let row = TokenRow {
            id: self.next + 1,
            name: name.to_string(),
            scope,
            created: seconds(SystemTime::now()),
        };
        let mut kept = self.kept.clone();
        kept.push(Kept {
            row: row.clone(),
            sha256: hash(&secret),
        });
        self.keep(row.id, kept)?;
        Ok(Some((row, secret)))
    }

    /// Take one back; `false` if there is none of that number.
    ///
    /// # Errors
    /// That cannot be kept.
    pub fn remove(&mut self, id: u64) -> Result<bool, StudioError> {
        let mut kept = self.kept.clone();
        kept.retain(|k| k.row.id != id);
        let was = kept.len() < self.kept.len();
        if was {
            self.keep(self.next, kept)?;
        }
        Ok(was)
    }

    /// What this token lets do, if it is one of these.
    pub fn scope(&self, given: &str) -> Option<Scope> {
        let given = hash(given);
        let same = |k: &&Kept| bool::from(k.sha256.as_bytes().ct_eq(given.as_bytes()));
        self.kept.iter().find(same).map(|k| k.row.scope)
    }

    fn problem(&self, e: std::io::Error) -> StudioError {
        problem(self.path.as_deref().unwrap_or(Path::new("memory")), e)
    }

    /// On disk first: what is not kept there was not done.
    fn keep(&mut self, next: u64, kept: Vec<Kept>) -> Result<(), StudioError> {
        let file = File { next, tokens: kept };
        if let Some(path) = &self.path {
            write(path, &file).map_err(|e| self.problem(e))?;
        }
        (self.next, self.kept) = (file.next, file.tokens);
        Ok(())
    }
}

fn problem(path: &Path, e: std::io::Error) -> StudioError {
    StudioError::Token {
        path: path.to_path_buf(),
        why: e.to_string(),
    }
}

fn write(path: &Path, file: &File) -> std::io::Result<()> {
    super::replace(path, &format!("{}\n", serde_json::to_string_pretty(file)?))
}

fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// 40 hexadecimal digits that nobody can guess.
pub(super) fn random_token() -> std::io::Result<String> {
    let mut bytes = [0u8; 20];
    OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|e| std::io::Error::other(e.to_string()))?;
    Ok(hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_until_it_is_taken_back_and_its_secret_is_kept_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("tokens.json");
        let open = || TokenBook::open(Some(path.clone())).unwrap();
        let mut book = open();
        let (row, secret) = book.add("grafana", Scope::Read).unwrap().unwrap();
        let (other, _) = book.add("deck", Scope::Control).unwrap().unwrap();
        assert_eq!(book.scope(&secret), Some(Scope::Read));
        assert_eq!(book.scope(&secret[1..]), None);
        assert_eq!(book.scope(""), None);
        assert!(!fs::read_to_string(&path).unwrap().contains(&secret));
        // Another start of the program.
        let mut book = open();
        assert_eq!(book.list(), [row.clone(), other.clone()]);
        assert_eq!(book.scope(&secret), Some(Scope::Read));
        assert!(book.remove(other.id).unwrap() && book.remove(row.id).unwrap());
        assert!(!book.remove(row.id).unwrap());
        assert_eq!(book.scope(&secret), None);
        let (next, _) = open().add("x", Scope::Read).unwrap().unwrap();
        assert!(next.id > other.id, "a number is not given twice");
    }

    #[test]
    fn a_broken_file_is_told_and_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        fs::write(&path, "{").unwrap();
        assert!(matches!(
            TokenBook::open(Some(path.clone())),
            Err(StudioError::Token { .. })
        ));
        assert_eq!(fs::read_to_string(&path).unwrap(), "{");
    }

    #[test]
    fn only_the_owner_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        let mut book = TokenBook::open(Some(path.clone())).unwrap();
        book.add("x", Scope::Read).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
