// SPDX-License-Identifier: GPL-3.0-or-later
//! Where the secrets of profiles are kept: in the desktop's keyring, or without one in a file that only its owner can
//! read. A keyring that is locked asks for its password; nobody waits for that longer than they like.

use std::{collections::HashMap, fs, io, path::PathBuf, thread, time::Duration};

use tokio::time::timeout;

use super::{Secrets, folder, replace};
use crate::APP_ID;

/// Where secrets went, or came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safe {
    /// The keyring.
    Keyring,
    /// A file, since there is no keyring.
    File,
}

/// Why secrets are not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// It was not unlocked in time.
    #[error("the keyring was not unlocked in time")]
    Late,
    /// It cannot be used, and neither can the file.
    #[error("{0}")]
    Broken(String),
}

/// The secrets of this profile. Not to be called inside an async context.
pub fn read(profile: &str, patience: Duration) -> Result<Secrets, Closed> {
    let asked = within(patience, ask(profile.to_string()));
    if let Ok(Some(secrets)) = asked {
        return Ok(secrets);
    }
    // Kept while there was no keyring, or while it was locked.
    let kept = from_file(profile).map_err(broken)?;
    if asked.is_ok() && !kept.is_empty() {
        // The keyring is a better place.
        write(profile, &kept, patience)?;
    }
    match asked {
        Err(No::Late) if kept.is_empty() => Err(Closed::Late),
        Err(No::Keyring(why)) => {
            tracing::info!(%why, "no keyring");
            Ok(kept)
        }
        Ok(_) | Err(No::Late) => Ok(kept),
    }
}

/// Keep these secrets of this profile, and no others: in a file, if the keyring does not take them in time. Not to be
/// called inside an async context.
pub fn write(profile: &str, secrets: &Secrets, patience: Duration) -> Result<Safe, Closed> {
    match within(patience, tell(profile.to_string(), secrets.clone())) {
        Ok(()) => {
            // Now they are in a better place.
            forget_file(profile).map_err(broken)?;
            Ok(Safe::Keyring)
        }
        Err(no) => {
            match no {
                No::Late => tracing::info!("the keyring was not unlocked in time"),
                No::Keyring(why) => tracing::info!(%why, "no keyring"),
            }
            to_file(profile, secrets).map_err(broken)?;
            Ok(Safe::File)
        }
    }
}

fn broken(e: io::Error) -> Closed {
    Closed::Broken(e.to_string())
}

enum No {
    Late,
    Keyring(String),
}

/// Does it in a thread of its own, which may be left behind with a question that nobody answers.
fn within<T: Send + 'static>(
    patience: Duration,
    work: impl Future<Output = oo7::Result<T>> + Send + 'static,
) -> Result<T, No> {
    let done = thread::Builder::new()
        .name("keyring".into())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => match runtime.block_on(async { timeout(patience, work).await }) {
                    Ok(Ok(value)) => Ok(value),
                    Ok(Err(e)) => Err(No::Keyring(e.to_string())),
                    Err(_) => Err(No::Late),
                },
                Err(e) => Err(No::Keyring(e.to_string())),
            }
        });
    match done.map(thread::JoinHandle::join) {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(No::Keyring("its thread ended".into())),
        Err(e) => Err(No::Keyring(e.to_string())),
    }
}

fn attributes(profile: &str) -> HashMap<&'static str, String> {
    HashMap::from([
        ("application", APP_ID.to_string()),
        ("profile", profile.to_string()),
    ])
}

async fn ask(profile: String) -> oo7::Result<Option<Secrets>> {
    let keyring = oo7::Keyring::new().await?;
    keyring.unlock().await?;
    let items = keyring.search_items(&attributes(&profile)).await?;
    let Some(item) = items.first() else {
        return Ok(None);
    };
    let secret = item.secret().await?;
    // What cannot be read is as good as nothing; the next change replaces it.
    Ok(serde_json::from_slice(secret.as_bytes()).ok())
}

async fn tell(profile: String, secrets: Secrets) -> oo7::Result<()> {
    let keyring = oo7::Keyring::new().await?;
    keyring.unlock().await?;
    let attributes = attributes(&profile);
    if secrets.is_empty() {
        return keyring.delete(&attributes).await;
    }
    let text = serde_json::to_string(&secrets).unwrap_or_default();
    let label = format!("Aerial: {profile}");
    keyring.create_item(&label, &attributes, text, true).await
}

fn file(profile: &str) -> PathBuf {
    let folder = folder().unwrap_or_default();
    folder.join("secrets").join(format!("{profile}.json"))
}

fn from_file(profile: &str) -> io::Result<Secrets> {
    match fs::read(file(profile)) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Secrets::default()),
        Err(e) => Err(e),
    }
}

fn to_file(profile: &str, secrets: &Secrets) -> io::Result<()> {
    if secrets.is_empty() {
        return forget_file(profile);
    }
    replace(&file(profile), &serde_json::to_string(secrets)?)
}

fn forget_file(profile: &str) -> io::Result<()> {
    match fs::remove_file(file(profile)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        Ok(()) | Err(_) => Ok(()),
    }
}
