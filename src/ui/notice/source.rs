// SPDX-License-Identifier: GPL-3.0-or-later
//! Words for sources: devices, files, streams, and what the desktop hands out.

use gettextrs::gettext;
use studio::error::{PictureError, PortalError, ScreenError, SourceError};

use super::{Notice, plain};
use crate::ui::words::{file, fill};

/// Words for a source that is lost.
pub fn source(error: &SourceError) -> Notice {
    match error {
        SourceError::NoDevice { name, .. } => Notice::new(
            fill(gettext("{name} is not plugged in."), &[("name", name)]),
            gettext("Plug it in; it is used as soon as it is seen."),
        ),
        SourceError::NoDeviceAtAll(kind) => Notice::new(
            match *kind {
                "camera" => gettext("No camera is plugged in."),
                _ => gettext("No microphone is plugged in."),
            },
            gettext("Plug one in; it is used as soon as it is seen."),
        ),
        SourceError::Unplugged { name, .. } => Notice::new(
            fill(gettext("{name} was unplugged."), &[("name", name)]),
            gettext("Plug it in again; it comes back by itself."),
        ),
        SourceError::NotMedia { path, media } => Notice::new(
            match *media {
                "sound" => fill(
                    gettext("{name} has no sound that can be played."),
                    &[("name", &file(path))],
                ),
                _ => fill(
                    gettext("{name} has no picture that can be shown."),
                    &[("name", &file(path))],
                ),
            },
            gettext("Choose another file."),
        ),
        SourceError::FileGone(path) => Notice::new(
            fill(
                gettext("The file {name} is not there."),
                &[("name", &file(path))],
            ),
            gettext("Put it back; Aerial looks for it again by itself."),
        ),
        SourceError::StreamEnded(host) => Notice::new(
            fill(gettext("The stream at {host} ended."), &[("host", host)]),
            gettext("Aerial tries again by itself."),
        ),
        SourceError::StreamStalled(host) => Notice::new(
            fill(
                gettext("Nothing comes from {host} any more."),
                &[("host", host)],
            ),
            gettext("Aerial tries again by itself."),
        ),
        SourceError::GuestLeft(name) => Notice::new(
            fill(gettext("{name} has left."), &[("name", name)]),
            gettext(
                "The seat is kept: they come back with the page they had, or with a new invitation.",
            ),
        ),
        SourceError::Finished(name) => Notice::new(
            fill(
                gettext("{name} has come to its end."),
                &[("name", &file(std::path::Path::new(name)))],
            ),
            gettext("Play it again, or remove it."),
        ),
        SourceError::Portal(e) => portal(e),
        SourceError::Screen(e) => screen(e),
        SourceError::Stalled(name) => Notice::new(
            fill(
                gettext("Nothing comes from {name} any more."),
                &[("name", name)],
            ),
            gettext("Check its cable, or close other programs that use it."),
        ),
        SourceError::NoFolder(path) => Notice::new(
            fill(
                gettext("The folder {folder} is not there."),
                &[("folder", &path.display().to_string())],
            ),
            gettext("Make it again; it comes back by itself."),
        ),
        SourceError::BadPicture { path, error } => {
            let notice = picture(error);
            Notice::new(
                fill(
                    gettext("{name} is left out: {why}"),
                    &[("name", &file(path)), ("why", &notice.what)],
                ),
                notice.remedy,
            )
        }
        SourceError::NothingPiped => Notice::new(
            gettext("No program writes pictures into Aerial."),
            gettext(
                "Start Aerial from a terminal: PROGRAM | aerial live --video stdin:rgba:640x480@30",
            ),
        ),
        SourceError::InputTaken => Notice::new(
            gettext("Another source reads what is piped into Aerial."),
            gettext("Remove one of the two."),
        ),
        SourceError::InputEnded { cut: false } => Notice::new(
            gettext("The program that was piped into Aerial has ended; its last picture stays."),
            gettext("Remove it if it is not needed any more."),
        ),
        SourceError::InputEnded { cut: true } => Notice::new(
            gettext("The program that was piped into Aerial ended in the middle of a picture."),
            gettext("Check that it writes pictures of the size and format that was given."),
        ),
        SourceError::Failed { why, .. } => Notice::new(
            fill(gettext("It failed: {why}."), &[("why", plain(why))]),
            gettext("It is tried again by itself."),
        ),
        SourceError::Missing { element } => Notice::new(
            fill(
                gettext("A part of GStreamer is missing: {element}."),
                &[("element", element)],
            ),
            gettext("“aerial check” in a terminal tells which package has it."),
        ),
    }
}

/// Words for a picture that cannot be shown.
fn picture(error: &PictureError) -> Notice {
    let what = match error {
        PictureError::Empty => gettext("it is empty."),
        PictureError::Unknown => gettext("it is no PNG, JPEG, WebP or GIF picture."),
        PictureError::Contradiction { told, kind } => fill(
            gettext("it is called {told}, but it is a {kind} picture."),
            &[("told", told), ("kind", kind)],
        ),
        PictureError::TooManyBytes => gettext("it has more than 64 MiB."),
        PictureError::TooLarge { width, height } => fill(
            gettext("it has {width} × {height} pixels, which is too large."),
            &[
                ("width", &width.to_string()),
                ("height", &height.to_string()),
            ],
        ),
        PictureError::TooMuchMemory => gettext("it would take too much memory."),
        PictureError::Broken { why, .. } => {
            fill(gettext("it is broken ({why})."), &[("why", plain(why))])
        }
        PictureError::Unreadable(why) => fill(
            gettext("it cannot be read ({why})."),
            &[("why", plain(why))],
        ),
        PictureError::NoSource => gettext("no source shows it any more."),
    };
    Notice::new(what, gettext("The picture before it stays."))
}

/// Words for what the desktop does not hand out.
fn portal(error: &PortalError) -> Notice {
    match error {
        PortalError::Absent("camera") => Notice::new(
            gettext("This desktop does not hand out cameras."),
            gettext(
                "Install xdg-desktop-portal and the part for your desktop: xdg-desktop-portal-gnome or -kde.",
            ),
        ),
        PortalError::Absent(_) => Notice::new(
            gettext("This desktop does not hand out its screen."),
            gettext(
                "Install xdg-desktop-portal and the part for your desktop: xdg-desktop-portal-gnome, -kde or -wlr.",
            ),
        ),
        PortalError::Refused("camera") => Notice::new(
            gettext("The use of the camera was not allowed."),
            gettext("Remove it and add it again to be asked once more."),
        ),
        PortalError::Refused(_) => Notice::new(
            gettext("Showing the screen was not allowed."),
            gettext("Remove it and add it again to be asked once more."),
        ),
        PortalError::Ended => Notice::new(
            gettext("The desktop ended the sharing of the screen."),
            gettext("Remove it and add it again to be asked once more."),
        ),
        PortalError::Still => Notice::new(
            gettext("Nothing has changed on the screen so far."),
            gettext("Its picture comes as soon as something does."),
        ),
        PortalError::NoCamera => Notice::new(
            gettext("The desktop sees no camera."),
            gettext("Plug one in; Aerial tries again by itself."),
        ),
        PortalError::Failed { why, .. } => Notice::new(
            fill(
                gettext("The desktop could not share it: {why}."),
                &[("why", plain(why))],
            ),
            gettext("Remove it and add it again."),
        ),
    }
}

/// Words for a screen or window that cannot be shown.
fn screen(error: &ScreenError) -> Notice {
    match error {
        ScreenError::None => Notice::new(
            gettext("There is no screen here."),
            gettext("Start Aerial inside a desktop session."),
        ),
        ScreenError::NoWindow(name) => Notice::new(
            fill(
                gettext("There is no window called {name}."),
                &[("name", name)],
            ),
            gettext("Open it; it is shown as soon as it is there."),
        ),
        ScreenError::Outside { width, height } => Notice::new(
            fill(
                gettext("That part lies outside the screen, which is {width}×{height}."),
                &[
                    ("width", &width.to_string()),
                    ("height", &height.to_string()),
                ],
            ),
            gettext("Choose a part inside it."),
        ),
        ScreenError::Busy | ScreenError::Closed => Notice::new(
            gettext("The window was closed."),
            gettext("It comes back when such a window is there again."),
        ),
        ScreenError::ByName(_) => Notice::new(
            gettext("Under Wayland only you can choose a window, not its name."),
            gettext("Add a screen; the desktop asks which."),
        ),
        ScreenError::Lost(why) => Notice::new(
            fill(
                gettext("The screen cannot be seen: {why}."),
                &[("why", plain(why))],
            ),
            gettext("Aerial tries again by itself."),
        ),
    }
}
