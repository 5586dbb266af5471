// SPDX-License-Identifier: GPL-3.0-or-later
//! What the desktop hands out when it is asked nicely: screens, windows, keys that work everywhere and, inside a
//! sandbox, cameras.
//!
//! A program may not look at the screen by itself under Wayland. It asks the desktop's portal over D-Bus, the portal
//! asks the person, and what comes back is a connection to `PipeWire` on which nothing but the chosen screen is seen.
//! The permission lasts as long as the D-Bus connection that asked, so a [`Share`] holds one of its own.
//!
//! ```text
//! share() ─▶ task: bus ─▶ CreateSession ─▶ SelectSources ─▶ Start (the person is asked) ─▶ OpenPipeWireRemote ─▶ Share
//!              └─ holds the session until the Share is dropped, or tells that the desktop has ended it
//! ```

mod shortcuts;
pub(crate) mod tokens;

use std::{os::fd::OwnedFd, time::Duration};

use ashpd::{
    AppID,
    desktop::{
        PersistMode, ResponseError,
        camera::Camera,
        screencast::{CursorMode, Screencast, SelectSourcesOptions, SourceType},
    },
    enumflags2::BitFlags,
    zbus,
};
use futures::StreamExt;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use shortcuts::{Shortcut, ShortcutNews, Shortcuts};

use crate::{APP_ID, error::PortalError};

/// A portal that is there answers at once; one that has to be started first takes a moment.
const ANSWERS: Duration = Duration::from_secs(5);

const SCREEN: &str = "screen";
const CAMERA: &str = "camera";

/// What a person may choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kinds {
    /// Monitors and windows.
    Any,
    /// Whole monitors only.
    Monitor,
    /// Single windows only.
    Window,
}

impl Kinds {
    fn flags(self) -> BitFlags<SourceType> {
        match self {
            Kinds::Any => SourceType::Monitor | SourceType::Window,
            Kinds::Monitor => SourceType::Monitor.into(),
            Kinds::Window => SourceType::Window.into(),
        }
    }
}

/// A screen or window that may be shown, until this is dropped.
pub(crate) struct Share {
    /// Connection to the `PipeWire` on which it is.
    pub(crate) fd: OwnedFd,
    /// Its node there.
    pub(crate) node: u32,
    /// With this the next start need not ask. Good for one time.
    pub(crate) token: Option<String>,
    /// True when the desktop has ended it.
    pub(crate) ended: watch::Receiver<bool>,
    _until: DropGuard,
}

/// Whether this computer runs Aerial in a sandbox, where cameras are handed out by the portal only.
pub fn sandboxed() -> bool {
    ashpd::is_sandboxed()
}

/// Whether the desktop can hand out screens.
pub async fn offers_screens() -> bool {
    let ask = async {
        let portal = Screencast::with_connection(bus(SCREEN).await?).await;
        let kinds = match portal {
            Ok(portal) => portal.available_source_types().await,
            Err(e) => Err(e),
        };
        kinds.map_err(|e| told(SCREEN, e))
    };
    match tokio::time::timeout(ANSWERS, ask).await {
        Ok(Ok(kinds)) => !kinds.is_empty(),
        Ok(Err(_)) | Err(_) => false,
    }
}

/// Ask for a screen or window. Waits for the person's answer, however long that takes; when the future is dropped,
/// the question goes away.
pub(crate) async fn share(kinds: Kinds, token: Option<String>) -> Result<Share, PortalError> {
    let (tell, answer) = oneshot::channel();
    let until = CancellationToken::new();
    let guard = until.clone().drop_guard();
    let (tell_ended, ended) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            () = hold(kinds, token, tell, tell_ended, until.clone()) => (),
            // Only while the person is being asked; later the session is closed in good order.
            () = asked_in_vain(until.clone()) => (),
        }
    });
    let granted = answer
        .await
        .unwrap_or_else(|_| Err(failed(SCREEN, "the portal gave no answer")))?;
    Ok(Share {
        fd: granted.fd,
        node: granted.node,
        token: granted.token,
        ended,
        _until: guard,
    })
}

/// Some time after nobody is interested any more: long enough for a session to be closed.
async fn asked_in_vain(until: CancellationToken) {
    until.cancelled().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
}

struct Granted {
    fd: OwnedFd,
    node: u32,
    token: Option<String>,
}

/// Ask, answer, and hold on to the session.
async fn hold(
    kinds: Kinds,
    token: Option<String>,
    tell: oneshot::Sender<Result<Granted, PortalError>>,
    tell_ended: watch::Sender<bool>,
    until: CancellationToken,
) {
    let asking = async {
        let bus = bus(SCREEN).await?;
        let portal = within(SCREEN, Screencast::with_connection(bus)).await?;
        let there = within(SCREEN, portal.available_source_types()).await?;
        let kinds = kinds.flags() & there;
        if kinds.is_empty() {
            return Err(PortalError::Absent(SCREEN));
        }
        let session = within(SCREEN, portal.create_session(Default::default())).await?;
        // Persistence came with version 4; an older portal would refuse the word.
        let lasting = portal.version() >= 4;
        // The pointer is part of what people want to show, where the desktop can draw it.
        let pointer = within(SCREEN, portal.available_cursor_modes()).await;
        let pointer = pointer.is_ok_and(|modes| modes.contains(CursorMode::Embedded));
        let options = SelectSourcesOptions::default()
            .set_sources(kinds)
            .set_multiple(false)
            .set_cursor_mode(pointer.then_some(CursorMode::Embedded))
            .set_persist_mode(lasting.then_some(PersistMode::ExplicitlyRevoked))
            .set_restore_token(token.as_deref().filter(|_| lasting));
        let selected = portal.select_sources(&session, options).await;
        selected
            .and_then(|request| request.response())
            .map_err(|e| told(SCREEN, e))?;
        let streams = portal.start(&session, None, Default::default()).await;
        let streams = streams
            .and_then(|request| request.response())
            .map_err(|e| told(SCREEN, e))?;
        let Some(stream) = streams.streams().first() else {
            return Err(failed(SCREEN, "the portal named no screen"));
        };
        let fd = within(
            SCREEN,
            portal.open_pipe_wire_remote(&session, Default::default()),
        )
        .await?;
        let granted = Granted {
            fd,
            node: stream.pipe_wire_node_id(),
            token: streams.restore_token().map(str::to_string),
        };
        Ok((portal, session, granted))
    };
    let asked = tokio::select! {
        asked = asking => asked,
        () = until.cancelled() => return,
    };
    let (portal, session, granted) = match asked {
        Ok(all) => all,
        Err(e) => return drop(tell.send(Err(e))),
    };
    let closed = session.receive_closed().await;
    let gone = portal.receive_owner_changed().await;
    let _ = tell.send(Ok(granted));
    let ended = async {
        tokio::select! {
            () = first(closed) => (),
            () = first(gone) => (),
        }
    };
    tokio::select! {
        () = ended => drop(tell_ended.send(true)),
        () = until.cancelled() => drop(session.close().await),
    }
}

/// Done at the first item; never, if there cannot be any.
async fn first<S: futures::Stream, E>(stream: Result<S, E>) {
    if let Ok(stream) = stream
        && std::pin::pin!(stream).next().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

/// Ask for the cameras: a connection to the `PipeWire` on which they are.
pub(crate) async fn cameras() -> Result<OwnedFd, PortalError> {
    let portal = within(CAMERA, Camera::with_connection(bus(CAMERA).await?)).await?;
    if !within(CAMERA, portal.is_present()).await? {
        return Err(PortalError::NoCamera);
    }
    let asked = portal.request_access(Default::default()).await;
    asked
        .and_then(|request| request.response())
        .map_err(|e| told(CAMERA, e))?;
    within(CAMERA, portal.open_pipe_wire_remote(Default::default())).await
}

/// A connection of its own: the process-wide one of the library would outlive the runtime that drives it.
async fn bus(what: &'static str) -> Result<zbus::Connection, PortalError> {
    let connecting = zbus::Connection::session();
    let bus = match tokio::time::timeout(ANSWERS, connecting).await {
        Ok(Ok(bus)) => bus,
        Ok(Err(_)) | Err(_) => return Err(PortalError::Absent(what)),
    };
    // Outside a sandbox only newer portals let a program say who it is. Those that do not know the call need not.
    if !sandboxed()
        && let Ok(id) = AppID::try_from(APP_ID)
    {
        let saying = ashpd::register_host_app_with_connection(bus.clone(), id);
        let _ = tokio::time::timeout(ANSWERS, saying).await;
    }
    Ok(bus)
}

/// What nobody has to answer must come soon.
async fn within<T>(
    what: &'static str,
    ask: impl Future<Output = Result<T, ashpd::Error>>,
) -> Result<T, PortalError> {
    match tokio::time::timeout(ANSWERS, ask).await {
        Ok(result) => result.map_err(|e| told(what, e)),
        Err(_) => Err(PortalError::Absent(what)),
    }
}

fn told(what: &'static str, error: ashpd::Error) -> PortalError {
    use ashpd::Error;
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library may add some; all others are failures"
    )]
    match error {
        Error::Response(ResponseError::Cancelled) => PortalError::Refused(what),
        Error::PortalNotFound(_) => PortalError::Absent(what),
        Error::Portal(ashpd::PortalError::Cancelled(_) | ashpd::PortalError::NotAllowed(_)) => {
            PortalError::Refused(what)
        }
        other => failed(what, &other.to_string()),
    }
}

fn failed(what: &'static str, why: &str) -> PortalError {
    PortalError::Failed {
        what,
        why: why.trim_end_matches('.').to_string(),
    }
}
