// SPDX-License-Identifier: GPL-3.0-or-later
//! Names of files: patterns with date, time and number, and never one that is taken.

use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use glib::DateTime;

use super::Kind;
use crate::error::SpecError;

/// What may follow a `%`, besides `n` (number of the file, from 001) and `%` itself: as in strftime. No result has a
/// slash in it.
const CODES: &str = "YymdHIMSpFjaAbBsZ";

/// Tries for a number that is free.
const MOST: u32 = 100_000;

/// A file name with places for date, time and number. The folder is taken as it is.
#[derive(Debug, Clone)]
struct Pattern {
    folder: PathBuf,
    name: String,
    /// Whether each file gets a name of its own by its number.
    numbered: bool,
    /// Whether it is a plain name.
    plain: bool,
}

impl Pattern {
    /// `parts`: there may be several files, so a plain name gets a number.
    fn read(path: &Path, parts: bool) -> Result<Pattern, SpecError> {
        let ending = || SpecError::RecordEnding(path.into());
        if Kind::of(path).is_none() {
            return Err(ending());
        }
        let mut name = path
            .file_name()
            .and_then(|n| n.to_str())
            .ok_or_else(ending)?
            .to_string();
        let (mut numbered, mut plain) = (false, true);
        let mut chars = name.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                continue;
            }
            match chars.next() {
                Some('%') => (),
                Some('n') => (numbered, plain) = (true, false),
                Some(code) if CODES.contains(code) => plain = false,
                other => {
                    return Err(SpecError::RecordPattern {
                        path: path.into(),
                        code: other.map_or("%".into(), |code| format!("%{code}")),
                    });
                }
            }
        }
        if plain && parts {
            name = before_ending(&name, "-%n");
            (numbered, plain) = (true, false);
        }
        Ok(Pattern {
            folder: path.parent().unwrap_or(Path::new("")).into(),
            name,
            numbered,
            plain,
        })
    }

    fn path(&self, number: u32, now: &DateTime) -> PathBuf {
        let mut name = String::new();
        let mut chars = self.name.chars();
        while let Some(c) = chars.next() {
            match (c, c == '%') {
                (c, false) => name.push(c),
                (_, true) => match chars.next() {
                    Some('n') => name.push_str(&format!("{number:03}")),
                    Some(code) if code != '%' => {
                        // Checked when the pattern was read.
                        let text = now.format(&format!("%{code}"));
                        name.push_str(&text.unwrap_or_default().replace('/', "-"));
                    }
                    _ => name.push('%'),
                },
            }
        }
        self.folder.join(name)
    }
}

/// `show.webm` and `-002` to `show-002.webm`.
fn before_ending(name: &str, what: &str) -> String {
    match name.rsplit_once('.') {
        Some((stem, ending)) => format!("{stem}{what}.{ending}"),
        None => format!("{name}{what}"),
    }
}

/// Now, where the user is.
fn now() -> DateTime {
    DateTime::now_local()
        .or_else(|_| DateTime::now_utc())
        .expect("there is a time")
}

/// A path whose name is taken as it is, whatever percent signs are in it.
pub fn literal(path: &Path) -> PathBuf {
    match path.file_name().and_then(|n| n.to_str()) {
        Some(name) => path.with_file_name(name.replace('%', "%%")),
        None => path.into(),
    }
}

/// The names of one recording's files, one after the other.
#[derive(Debug)]
pub(super) struct Names {
    pattern: Pattern,
    overwrite: bool,
    number: u32,
    /// Never overwritten, for they hold what came before.
    made: BTreeSet<PathBuf>,
}

impl Names {
    pub(super) fn new(path: &Path, overwrite: bool, parts: bool) -> Result<Names, SpecError> {
        Ok(Names {
            pattern: Pattern::read(path, parts)?,
            overwrite,
            number: 1,
            made: BTreeSet::new(),
        })
    }

    /// Where the first file would go.
    pub(super) fn first(&self) -> PathBuf {
        self.pattern.path(1, &now())
    }

    /// Whether the first name must be free: it is a plain one, and another would be a surprise.
    pub(super) fn is_fixed(&self) -> bool {
        self.pattern.plain && !self.overwrite
    }

    /// Make the next file, open for writing and empty. Blocks. An error comes with the name it is about.
    pub(super) fn create(&mut self) -> Result<(PathBuf, File), (PathBuf, io::Error)> {
        let now = now();
        for attempt in 1..MOST {
            let name = self.pattern.path(self.number, &now);
            let path = match (attempt, self.pattern.numbered) {
                // A number is in the name already, and counts on.
                (_, true) => name,
                (1, false) if self.made.is_empty() || !self.pattern.plain => name,
                (n, false) => {
                    let number = format!("-{:03}", n.max(2));
                    match name.file_name().and_then(|n| n.to_str()) {
                        Some(text) => name.with_file_name(before_ending(text, &number)),
                        None => name,
                    }
                }
            };
            if self.pattern.numbered {
                self.number += 1;
            }
            if self.made.contains(&path) {
                continue;
            }
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .create_new(!self.overwrite)
                .truncate(self.overwrite)
                .open(&path);
            let must = self.is_fixed() && self.made.is_empty();
            match file {
                Ok(file) => {
                    self.made.insert(path.clone());
                    return Ok((path, file));
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists && !must => (),
                Err(e) => return Err((path, e)),
            }
        }
        Err((self.first(), ErrorKind::AlreadyExists.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path, name: &str, overwrite: bool, parts: bool) -> Names {
        Names::new(&dir.join(name), overwrite, parts).unwrap()
    }

    fn next(names: &mut Names) -> String {
        let (path, _) = names.create().unwrap();
        path.file_name().unwrap().to_str().unwrap().to_string()
    }

    #[test]
    fn a_pattern_becomes_date_time_and_number() {
        let at = DateTime::from_utc(2031, 2, 3, 4, 5, 6.0).unwrap();
        let path = |name: &str| {
            let pattern = Pattern::read(Path::new(name), false).unwrap();
            pattern.path(7, &at).to_str().unwrap().to_string()
        };
        assert_eq!(
            path("a%b/show-%Y-%m-%d_%H-%M-%S.webm"),
            "a%b/show-2031-02-03_04-05-06.webm"
        );
        assert_eq!(path("%F %n.mp4"), "2031-02-03 007.mp4");
        assert_eq!(path("100%% sure.ogg"), "100% sure.ogg");
        assert_eq!(
            path(literal(Path::new("%Y %.mkv")).to_str().unwrap()),
            "%Y %.mkv"
        );
    }

    #[test]
    fn an_unknown_code_is_named() {
        for (name, code) in [("%Q.webm", "%Q"), ("a%.webm", "%."), ("%D.webm", "%D")] {
            match Names::new(Path::new(name), false, false) {
                Err(SpecError::RecordPattern { code: got, .. }) => assert_eq!(got, code),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_plain_name_is_taken_once_and_later_files_get_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let mut one = names(dir.path(), "x.webm", false, false);
        assert!(one.is_fixed());
        assert_eq!(next(&mut one), "x.webm");
        assert_eq!(next(&mut one), "x-002.webm");
        assert_eq!(next(&mut one), "x-003.webm");
        let (path, error) = names(dir.path(), "x.webm", false, false)
            .create()
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(path, dir.path().join("x.webm"));
    }

    #[test]
    fn parts_are_numbered_and_take_only_free_numbers() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x-002.webm"), "precious").unwrap();
        let mut parts = names(dir.path(), "x.webm", false, true);
        assert_eq!(next(&mut parts), "x-001.webm");
        assert_eq!(next(&mut parts), "x-003.webm");
        let old = std::fs::read(dir.path().join("x-002.webm")).unwrap();
        assert_eq!(old, b"precious");
    }

    #[test]
    fn even_when_it_may_overwrite_it_spares_what_it_wrote_itself() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x.webm"), "old").unwrap();
        let mut all = names(dir.path(), "x.webm", true, false);
        assert_eq!(next(&mut all), "x.webm");
        assert_eq!(next(&mut all), "x-002.webm");
        let mut by_date = names(dir.path(), "%j.webm", true, true);
        let first = next(&mut by_date);
        assert_ne!(next(&mut by_date), first);
    }
}
