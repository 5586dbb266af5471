// SPDX-License-Identifier: GPL-3.0-or-later
//! Keys that work wherever the person is. The desktop asks which keys they are to be, and tells when one is pressed.
//!
//! ```text
//! bind() ─▶ thread: bus ─▶ CreateSession ─▶ BindShortcuts (the person may be asked) ─▶ Activated, Activated, …
//!              └─ holds the session until the Shortcuts are dropped, or tells that the desktop has ended it
//! ```

use std::pin::pin;

use ashpd::desktop::global_shortcuts::{GlobalShortcuts, NewShortcut};
use futures::{Stream, StreamExt};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{asked_in_vain, bus, first, told, within};
use crate::{
    error::{PortalError, ShortcutError},
    helper::Helper,
};

const SHORTCUTS: &str = "shortcuts";

/// Something that a key can be for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortcut {
    /// By which the desktop remembers the key.
    pub id: &'static str,
    /// What it does, for people.
    pub words: String,
    /// The key that the desktop may propose, as its "shortcuts" specification writes it: `CTRL+ALT+l`.
    pub keys: &'static str,
}

/// What becomes of shortcuts.
#[derive(Debug)]
pub enum ShortcutNews {
    /// The desktop has these: their ids, and the keys in people's words (empty, if none was chosen). Told again when the
    /// keys change.
    Bound(Vec<(String, String)>),
    /// The key of this id was pressed.
    Pressed(String),
    /// There are none, or none any more. Nothing comes after it.
    Ended(ShortcutError),
}

/// Shortcuts, until this is dropped.
pub struct Shortcuts {
    // In this order: told to end, then waited for.
    _until: DropGuard,
    _thread: Helper,
}

impl Shortcuts {
    /// Ask the desktop for these. What comes of it is told on a thread of its own.
    ///
    /// # Errors
    ///
    /// When the system gives no more threads.
    pub fn bind(
        wanted: Vec<Shortcut>,
        tell: impl Fn(ShortcutNews) + Send + 'static,
    ) -> std::io::Result<Shortcuts> {
        let until = CancellationToken::new();
        let stop = until.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = Helper::start("shortcuts", move || {
            runtime.block_on(async {
                tokio::select! {
                    ended = hold(&wanted, &tell, stop.clone()) => {
                        if let Err(error) = ended {
                            tell(ShortcutNews::Ended(error));
                        }
                    }
                    () = asked_in_vain(stop.clone()) => (),
                }
            });
        })?;
        Ok(Shortcuts {
            _until: until.drop_guard(),
            _thread: thread,
        })
    }
}

/// Ask, and tell of each key until that is not wanted any more or the desktop ends it.
async fn hold(
    wanted: &[Shortcut],
    tell: &impl Fn(ShortcutNews),
    until: CancellationToken,
) -> Result<(), ShortcutError> {
    let asking = async {
        let portal = within(
            SHORTCUTS,
            GlobalShortcuts::with_connection(bus(SHORTCUTS).await?),
        )
        .await?;
        let session = within(SHORTCUTS, portal.create_session(Default::default()))
            .await
            // Nobody is asked for it: who does not know how, has none to give.
            .map_err(|_| PortalError::Absent(SHORTCUTS))?;
        // Heard from here on, so that none is missed while the answer is read.
        let pressed = within(SHORTCUTS, portal.receive_activated()).await?;
        let changed = within(SHORTCUTS, portal.receive_shortcuts_changed()).await?;
        let new: Vec<_> = wanted
            .iter()
            .map(|s| NewShortcut::new(s.id, s.words.as_str()).preferred_trigger(s.keys))
            .collect();
        let bound = portal
            .bind_shortcuts(&session, &new, None, Default::default())
            .await
            .and_then(|request| request.response())
            .map_err(|e| told(SHORTCUTS, e))?;
        Ok::<_, PortalError>((portal, session, pressed, changed, bound))
    };
    let (portal, session, pressed, changed, bound) = tokio::select! {
        asked = asking => asked?,
        () = until.cancelled() => return Ok(()),
    };
    let keys = |shortcuts: &[ashpd::desktop::global_shortcuts::Shortcut]| {
        let both = |s: &ashpd::desktop::global_shortcuts::Shortcut| {
            (s.id().to_string(), s.trigger_description().to_string())
        };
        ShortcutNews::Bound(shortcuts.iter().map(both).collect())
    };
    tell(keys(bound.shortcuts()));
    let listening = async {
        tokio::join!(
            each(pressed, |p| tell(ShortcutNews::Pressed(
                p.shortcut_id().to_string()
            ))),
            each(changed, |c| tell(keys(c.shortcuts()))),
        )
    };
    let (closed, gone) = (
        session.receive_closed().await,
        portal.receive_owner_changed().await,
    );
    tokio::select! {
        _ = listening => (),
        () = first(closed) => (),
        () = first(gone) => (),
        () = until.cancelled() => {
            let _ = session.close().await;
            return Ok(());
        }
    }
    Err(ShortcutError::Ended)
}

async fn each<T>(stream: impl Stream<Item = T>, act: impl Fn(T)) {
    let mut stream = pin!(stream);
    while let Some(item) = stream.next().await {
        act(item);
    }
}
