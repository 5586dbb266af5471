// SPDX-License-Identifier: GPL-3.0-or-later
//! What the desktop can refuse: its portals, and the X server.

use thiserror::Error;

use super::Remedy;

/// Why the desktop did not hand out a screen or a camera.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PortalError {
    /// Nobody to ask. `screen` or `camera`.
    #[error("This desktop has no portal that hands out the {0}.")]
    Absent(&'static str),
    /// The person said no. `screen` or `camera`.
    #[error("Showing the {0} was not allowed.")]
    Refused(&'static str),
    /// The person, or the desktop, ended it.
    #[error("The desktop ended the sharing of the screen.")]
    Ended,
    /// No picture has come so far.
    #[error("Nothing has changed on the screen so far.")]
    Still,
    /// The portal sees no camera.
    #[error("The desktop sees no camera.")]
    NoCamera,
    /// Something else.
    #[error("The desktop did not hand out the {what}: {why}.")]
    Failed {
        /// `screen` or `camera`.
        what: &'static str,
        /// The portal's words.
        why: String,
    },
}

impl Remedy for PortalError {
    fn remedy(&self) -> String {
        match self {
            PortalError::Absent("camera") => {
                "Install xdg-desktop-portal and the backend of your desktop: xdg-desktop-portal-gnome or -kde.".into()
            }
            PortalError::Absent(_) => {
                "Install xdg-desktop-portal and the backend of your desktop: xdg-desktop-portal-gnome, -kde or -wlr.".into()
            }
            PortalError::Refused(_) | PortalError::Ended | PortalError::Failed { .. } => {
                "Remove the source and add it again to be asked once more.".into()
            }
            PortalError::Still => "Its picture comes as soon as something does.".into(),
            PortalError::NoCamera => "Plug one in; it is tried again by itself.".into(),
        }
    }
}

/// Why there are no keys that work wherever one is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ShortcutError {
    /// Nobody to ask.
    #[error("This desktop has no keys that work in every program.")]
    Absent,
    /// The person said no.
    #[error("The keys were not allowed.")]
    Refused,
    /// The desktop took them back.
    #[error("The desktop took the keys back.")]
    Ended,
    /// Something else.
    #[error("The desktop gave no keys: {0}.")]
    Failed(String),
}

impl Remedy for ShortcutError {
    fn remedy(&self) -> String {
        match self {
            ShortcutError::Absent => "KDE Plasma has them, and GNOME from 48 on.".into(),
            ShortcutError::Refused | ShortcutError::Ended | ShortcutError::Failed(_) => {
                "Switch them off and on again to be asked once more.".into()
            }
        }
    }
}

impl From<PortalError> for ShortcutError {
    fn from(error: PortalError) -> ShortcutError {
        match error {
            PortalError::Absent(_) | PortalError::NoCamera => ShortcutError::Absent,
            PortalError::Refused(_) => ShortcutError::Refused,
            PortalError::Ended | PortalError::Still => ShortcutError::Ended,
            PortalError::Failed { why, .. } => ShortcutError::Failed(why),
        }
    }
}

/// Why a screen or window cannot be shown under X11.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScreenError {
    /// No desktop.
    #[error("There is no screen here.")]
    None,
    /// No such window or monitor.
    #[error("There is no window called {0}.")]
    NoWindow(String),
    /// A part that lies outside the screen.
    #[error("That part lies outside the screen, which is {width}x{height}.")]
    Outside {
        /// Width of the screen.
        width: u16,
        /// Height of the screen.
        height: u16,
    },
    /// The window is there, but changing just now.
    #[error("The window is changing.")]
    Busy,
    /// The window was closed.
    #[error("The window was closed.")]
    Closed,
    /// Under Wayland the person chooses, not the program.
    #[error("Under Wayland only you can choose a window, not its name: {0}.")]
    ByName(String),
    /// The X server is gone, or cannot be used.
    #[error("The screen cannot be seen: {0}.")]
    Lost(String),
}

impl Remedy for ScreenError {
    fn remedy(&self) -> String {
        match self {
            ScreenError::None => "Start Aerial inside a desktop session.".into(),
            ScreenError::NoWindow(_) => {
                "\"aerial devices\" lists the windows; it is shown as soon as it is there.".into()
            }
            ScreenError::Outside { .. } => {
                "Choose a part inside it: screen:X,Y,WIDTHxHEIGHT.".into()
            }
            ScreenError::Busy | ScreenError::Lost(_) => "It is tried again by itself.".into(),
            ScreenError::Closed => "It comes back when such a window is there again.".into(),
            ScreenError::ByName(_) => {
                "Use screen, screen:monitor or screen:window; the desktop asks which.".into()
            }
        }
    }
}
