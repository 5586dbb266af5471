// SPDX-License-Identifier: GPL-3.0-or-later
//! The profile in use as a file, and its secrets in the keyring. Everything here may take its time: it is called on
//! worker threads.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use studio::{
    Studio, StudioOptions,
    error::{SpecError, StudioError},
    message::MediaKind,
    settings::{
        KeptOutput, Profile, Secrets, profiles, replace, rewritten,
        safe::{self, Safe},
    },
    source::{AudioSpec, Spec, VideoSpec},
};

use crate::ui::launch::{Load, ready};

/// Name of the profile of who never gave one a name.
pub const FIRST: &str = "default";
/// The keyring answers at once unless it asks somebody for its password; neither the start nor the end waits for that.
pub const AT_ONCE: Duration = Duration::from_secs(3);
/// Nobody waits for this one.
pub const LATER: Duration = Duration::from_secs(30);

/// A profile, read and understood.
pub struct Recalled {
    /// What it is called in the menu.
    pub name: String,
    /// What it says, secrets included.
    pub profile: Profile,
    /// Outputs of it that are not there now, because their passwords are not.
    pub absent: Vec<KeptOutput>,
    /// What the keyring holds of it; `None` if it could not be read.
    pub secrets: Option<Secrets>,
    /// What it means to the engine.
    pub options: StudioOptions,
    /// What could not be done with it.
    pub problem: Option<Problem>,
}

/// What can be wrong with a profile.
#[derive(Debug, Clone)]
pub enum Problem {
    /// It could not be understood, and lies beside under this name.
    Aside(StudioError, PathBuf),
    /// The same, and it could not be put aside: nothing is saved over it.
    Stuck(StudioError),
    /// The keyring was not unlocked: these outputs are left out.
    Locked(Vec<String>),
}

/// Where the profile of this name is.
pub fn path_of(name: &str) -> PathBuf {
    profiles().join(format!("{name}.toml"))
}

/// Names of all profiles, in alphabetical order.
pub fn names() -> Vec<String> {
    let entries = fs::read_dir(profiles()).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|e| name_of(&e.path())).collect();
    names.sort_by_key(|n| n.to_lowercase());
    names
}

fn name_of(path: &Path) -> Option<String> {
    let toml = path.extension().is_some_and(|e| e == "toml");
    toml.then(|| path.file_stem()?.to_str().map(str::to_string))?
}

/// This name, or with a number if there is a profile of that name.
pub fn free_name(wanted: &str) -> String {
    let wanted = clean(wanted).unwrap_or_else(|| FIRST.to_string());
    let numbered = (2..).map(|n| format!("{wanted} {n}"));
    std::iter::once(wanted.clone())
        .chain(numbered)
        .find(|name| !path_of(name).exists())
        .expect("numbers do not end")
}

/// A name that can be one of a file; `None` if nothing is left of it.
pub fn clean(name: &str) -> Option<String> {
    let name: String = name
        .chars()
        .map(|c| if c == '/' || c.is_control() { ' ' } else { c })
        .take(60)
        .collect();
    let name = name.trim_start_matches(['.', ' ']).trim_end();
    (!name.is_empty()).then(|| name.to_string())
}

/// Take a profile from somewhere else in, under a name that is free; the file itself stays as it is. One of the
/// profiles' own folder is what it is.
pub fn import(path: &Path) -> Result<String, StudioError> {
    if path.parent() == Some(&profiles())
        && let Some(name) = name_of(path)
    {
        return Ok(name);
    }
    let profile = Profile::load(&path.to_string_lossy())?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let stem = stem.strip_suffix(".aerial").unwrap_or(&stem);
    let text = fs::read_to_string(path).unwrap_or_default();
    let same = |name: &str| fs::read_to_string(path_of(name)).is_ok_and(|t| t == text);
    let wanted = clean(stem).unwrap_or_else(|| FIRST.to_string());
    if same(&wanted) {
        return Ok(wanted);
    }
    let name = free_name(&wanted);
    let text = rewritten(&text, &profile).map_err(|e| StudioError::Program(e.to_string()))?;
    replace(&path_of(&name), &text).map_err(|e| unwritable(&name, &e))?;
    Ok(name)
}

fn unwritable(name: &str, e: &io::Error) -> StudioError {
    StudioError::Token {
        path: path_of(name),
        why: e.to_string(),
    }
}

/// Read the profile of this name; without one there is nothing in it. `load` makes options of what is in it.
pub fn recall(name: &str, load: Load) -> Result<Recalled, StudioError> {
    let path = path_of(name);
    let mut problem = None;
    let mut profile = match Profile::load(&path.to_string_lossy()) {
        Ok(profile) => profile,
        Err(SpecError::ProfileMissing(_)) => Profile::default(),
        Err(error) => {
            problem = Some(not_understood(&path, error.into()));
            Profile::default()
        }
    };
    let mut secrets = Some(Secrets::default());
    if !profile.is_open() {
        secrets = safe::read(name, AT_ONCE).ok();
    }
    let known = secrets.clone().unwrap_or_default();
    profile.reveal(&known);
    let (there, absent) = std::mem::take(&mut profile.output)
        .into_iter()
        .partition(|o| profile.knows(&known, o));
    profile.output = there;
    if !absent.is_empty() {
        let names = absent.iter().map(|o: &KeptOutput| o.name.clone()).collect();
        problem = problem.or(Some(Problem::Locked(names)));
    }
    let options = match understood(&profile, load) {
        Ok(options) => options,
        Err(error) => {
            problem = Some(not_understood(&path, error));
            profile = Profile::default();
            load(&profile)?
        }
    };
    Ok(Recalled {
        name: name.to_string(),
        profile,
        absent,
        secrets,
        options,
        problem,
    })
}

/// The options of a profile. A file that is not there is a source all the same: it tells so itself, and can be removed.
fn understood(profile: &Profile, load: Load) -> Result<StudioOptions, StudioError> {
    let without = Profile {
        video: vec![],
        audio: vec![],
        ..profile.clone()
    };
    let options = ready(load(&without)?);
    let words = |kind, words: &[String]| -> Result<Vec<Spec>, StudioError> {
        let specs = words.iter().map(|w| Spec::kept(kind, w));
        Ok(specs.collect::<Result<_, SpecError>>()?)
    };
    let specs = words(MediaKind::Video, &profile.video)?
        .into_iter()
        .chain(words(MediaKind::Audio, &profile.audio)?);
    let (mut video, mut audio): (Vec<VideoSpec>, Vec<AudioSpec>) = Default::default();
    for spec in specs {
        match spec {
            Spec::Video(spec) => video.push(spec),
            Spec::Audio(spec) => audio.push(spec),
        }
    }
    Ok(StudioOptions {
        video,
        audio,
        ..options
    })
}

/// Nothing is saved over it.
fn not_understood(path: &Path, error: StudioError) -> Problem {
    match put_aside(path) {
        Ok(aside) => Problem::Aside(error, aside),
        Err(_) => Problem::Stuck(error),
    }
}

/// Give a file that cannot be understood another name: somebody may want to look at it.
fn put_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = (1..)
        .map(|n| path.with_extension(format!("toml.broken-{n}")))
        .find(|p| !p.exists())
        .expect("numbers do not end");
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// What is to be saved, and over what.
pub struct Saving {
    /// What it is called.
    pub name: String,
    /// What it said when it was read or last saved, secrets included.
    pub profile: Profile,
    /// Outputs that are not there now and stay in the file.
    pub absent: Vec<KeptOutput>,
    /// What the keyring holds; `None` if that is not known.
    pub secrets: Option<Secrets>,
    /// Nothing is saved any more: what the engine does is already that of another profile.
    pub closed: bool,
}

/// Save what the engine does now, if it is anything else than what stands in the file. Returns the secrets that are to
/// be kept elsewhere, if they are others than before: [`save_secrets`] does it, and may take its time.
///
/// # Errors
/// A sentence's part: why it cannot be written.
pub fn save(studio: &Studio, saving: &mut Saving) -> Result<Option<Secrets>, String> {
    let now = studio.profile(&saving.profile);
    let mut shown = now.clone();
    let secrets = shown.hide();
    let gone = |o: &&KeptOutput| !shown.output.iter().any(|other| other.name == o.name);
    let absent: Vec<_> = saving.absent.iter().filter(gone).cloned().collect();
    shown.output.extend(absent);
    let path = path_of(&saving.name);
    let old = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(e.to_string()),
    };
    let text = rewritten(&old, &shown).map_err(|e| e.to_string())?;
    if text != old {
        replace(&path, &text).map_err(|e| e.to_string())?;
    }
    saving.profile = now;
    let same = match &saving.secrets {
        Some(known) => *known == secrets,
        None => secrets.is_empty(),
    };
    Ok((!same).then_some(secrets))
}

/// Keep these secrets, beside those of outputs that are not there now.
///
/// # Errors
/// A sentence's part: why they cannot be kept.
pub fn save_secrets(
    name: &str,
    absent: &[KeptOutput],
    mut secrets: Secrets,
    patience: Duration,
) -> Result<Safe, String> {
    if !absent.is_empty() {
        let old = safe::read(name, patience).map_err(|e| e.to_string())?;
        let still = |key: &str| absent.iter().any(|o| key == format!("output {}", o.name));
        secrets.extend(old.into_iter().filter(|(key, _)| still(key)));
    }
    safe::write(name, &secrets, patience).map_err(|e| e.to_string())
}

/// Write what can be given away: without any secret.
pub fn export(studio: &Studio, base: &Profile, to: &Path) -> Result<(), String> {
    let mut profile = studio.profile(base);
    profile.hide();
    profile.viewer_password = None;
    profile.viewer_token = None;
    let text = rewritten("", &profile).map_err(|e| e.to_string())?;
    fs::write(to, text).map_err(|e| e.to_string())
}

/// Have the profile of this name say what is now, passwords included.
pub fn duplicate(studio: &Studio, base: &Profile, name: &str) -> Result<(), String> {
    let mut saving = Saving {
        name: name.to_string(),
        profile: base.clone(),
        absent: vec![],
        secrets: Some(Secrets::default()),
        closed: false,
    };
    match save(studio, &mut saving)? {
        Some(secrets) => save_secrets(name, &[], secrets, LATER).map(drop),
        None => Ok(()),
    }
}

/// Remove a profile, and what the keyring holds of it.
pub fn remove(name: &str) -> Result<(), String> {
    match fs::remove_file(path_of(name)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e.to_string()),
        Ok(()) | Err(_) => (),
    }
    safe::write(name, &Secrets::default(), LATER).map_err(|e| e.to_string())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_profiles_are_names_of_files() {
        assert_eq!(clean(" a/b\n"), Some("a b".into()));
        assert_eq!(clean("../x").as_deref(), Some("x"));
        assert_eq!(clean(" .. "), None);
        assert_eq!(clean(&"x".repeat(100)).map(|n| n.len()), Some(60));
    }
}
