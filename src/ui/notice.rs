// SPDX-License-Identifier: GPL-3.0-or-later
//! Errors as people read them: what is wrong, and what to do about it.
//!
//! Each `match` names every variant, so a new error does not compile until it has words here. The engine's own
//! words (what GStreamer or the system says) are kept as they come.

use gettextrs::{gettext, ngettext};
use studio::{
    error::{
        OutputError, PictureError, PortalError, ScreenError, ServeError, SourceError, SpecError,
        StudioError,
    },
    output::record_endings,
};

use super::words::{file, fill};

/// One error in two sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What is wrong, and why.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Notice {
    fn new(what: String, remedy: String) -> Notice {
        Notice { what, remedy }
    }

    /// Both sentences.
    pub fn text(&self) -> String {
        format!("{} {}", self.what, self.remedy)
    }
}

/// `why` as it stands inside a sentence: no full stop of its own.
fn plain(why: &str) -> &str {
    why.trim().trim_end_matches('.')
}

/// What the engine does not let change, in words.
fn fixed(what: &str) -> String {
    match what {
        "The codec" => gettext("The codec"),
        "The size and rate of the picture" => gettext("The size and rate of the picture"),
        other => other.to_string(),
    }
}

/// Words for anything that the engine refuses.
pub fn studio(error: &StudioError) -> Notice {
    match error {
        StudioError::Spec(e) => spec(e),
        StudioError::Serve(e) => serve(e),
        StudioError::Source(e) => source(e),
        StudioError::Output(e) => output(e),
        StudioError::Incomplete { elements, packages } => Notice::new(
            fill(
                gettext("Parts of GStreamer are missing: {elements}."),
                &[("elements", elements)],
            ),
            fill(
                gettext("Install {packages}, then start Aerial again."),
                &[("packages", packages)],
            ),
        ),
        StudioError::Program(why) => Notice::new(
            fill(
                gettext("The picture could not be put together: {why}."),
                &[("why", plain(why))],
            ),
            gettext("Start Aerial again; “aerial check” in a terminal tells what is missing."),
        ),
        StudioError::Encoder { codec, why } => Notice::new(
            fill(
                gettext("The {codec} encoder stopped: {why}."),
                &[("codec", codec), ("why", plain(why))],
            ),
            gettext("Choose another codec or a lower bitrate under Quality."),
        ),
        StudioError::OnlyOffAir(what) => Notice::new(
            fill(
                gettext("{what} cannot be changed while live."),
                &[("what", &fixed(what))],
            ),
            gettext("End the broadcast first."),
        ),
        StudioError::OnlyAtStart(what) => Notice::new(
            fill(
                gettext("{what} cannot be changed while Aerial runs."),
                &[("what", &fixed(what))],
            ),
            gettext("Start Aerial again with it."),
        ),
        StudioError::Token { path, why } => Notice::new(
            fill(
                gettext("The key for remote control could not be kept in {path}: {why}."),
                &[("path", &path.display().to_string()), ("why", plain(why))],
            ),
            gettext("Make that folder writable, then start Aerial again."),
        ),
        StudioError::NoSuchViewer => Notice::new(
            gettext("That viewer has already left."),
            gettext("There is nothing more to do."),
        ),
        StudioError::NoAddress => Notice::new(
            gettext("That viewer has no address of its own: it comes through another server."),
            gettext("Kick it here, or ban it there."),
        ),
        StudioError::NotBanned(address) => Notice::new(
            fill(
                gettext("{address} is not banned."),
                &[("address", &address.to_string())],
            ),
            gettext("There is nothing more to do."),
        ),
        StudioError::NoSuchSource(_) => Notice::new(
            gettext("That source is not there any more."),
            gettext("There is nothing more to do."),
        ),
        StudioError::WouldLoop => Notice::new(
            gettext(
                "What you listen to would be heard in the broadcast again: the sound of this computer is on air.",
            ),
            gettext("Remove the desktop sound first."),
        ),
        StudioError::NotForThis(name) => Notice::new(
            fill(gettext("{name} cannot do that."), &[("name", name)]),
            gettext("Choose another source for it."),
        ),
        StudioError::NoTrack(_) => Notice::new(
            gettext("This broadcast has no place for that source."),
            gettext("Start Aerial again with picture and sound."),
        ),
        StudioError::NoOverlay => Notice::new(
            gettext("Text and logo cannot be shown: parts of GStreamer are missing."),
            gettext("Install gstreamer1.0-x and gstreamer1.0-plugins-good."),
        ),
        StudioError::Logo { path, why } => Notice::new(
            fill(
                gettext("The logo {name} cannot be shown: {why}."),
                &[("name", &file(path)), ("why", plain(why))],
            ),
            gettext("Choose a PNG, JPEG or SVG file."),
        ),
        StudioError::NoSuchOutput(name) => Notice::new(
            fill(
                gettext("There is no output called {name} any more."),
                &[("name", name)],
            ),
            gettext("Add it again if you need it."),
        ),
        StudioError::NotPausable(name) => Notice::new(
            fill(gettext("{name} cannot pause."), &[("name", name)]),
            gettext("Only a recording that runs can pause."),
        ),
    }
}

/// Words for what cannot be understood.
pub fn spec(error: &SpecError) -> Notice {
    match error {
        SpecError::UnknownVideo(name) | SpecError::UnknownAudio(name) => Notice::new(
            fill(gettext("“{name}” is not a source."), &[("name", name)]),
            gettext("Choose one from Add source."),
        ),
        SpecError::MissingFile(path) => Notice::new(
            fill(
                gettext("The file {name} is not there any more."),
                &[("name", &file(path))],
            ),
            gettext("Choose the file again."),
        ),
        SpecError::MissingFolder(path) => Notice::new(
            fill(
                gettext("The folder {name} is not there any more."),
                &[("name", &file(path))],
            ),
            gettext("Choose the folder again."),
        ),
        SpecError::LinkUrl { url, why } => Notice::new(
            fill(
                gettext("That {kind} link cannot be used: {why}."),
                &[("kind", url), ("why", plain(why))],
            ),
            gettext("Use a link that begins with rtsp://, http://, https://, rtmp:// or srt://."),
        ),
        SpecError::RawFormat(text) => Notice::new(
            fill(
                gettext("“{text}” is not a format of raw frames."),
                &[("text", text)],
            ),
            gettext("Use one such as rgba:640x480@30."),
        ),
        SpecError::Stills(text) => Notice::new(
            fill(
                gettext("“{text}” is no size and rate for single pictures."),
                &[("text", text)],
            ),
            gettext("Write width and pictures per second, for example 480@8."),
        ),
        SpecError::StillRate(text) => Notice::new(
            fill(
                gettext("“{text}” is no rate for single pictures of the program’s size."),
                &[("text", text)],
            ),
            gettext("Write pictures per second, for example @8."),
        ),
        SpecError::Size(text) => Notice::new(
            fill(
                gettext("“{text}” is not a picture size."),
                &[("text", text)],
            ),
            gettext("Use even numbers from 16 to 4096, for example 1280x720."),
        ),
        SpecError::Bitrate(text) => Notice::new(
            fill(gettext("“{text}” is not a bitrate."), &[("text", text)]),
            gettext("Use a number of kilobits per second, for example 2500."),
        ),
        SpecError::Time(text) => Notice::new(
            fill(gettext("“{text}” is not a time."), &[("text", text)]),
            gettext("Use seconds, for example 2s."),
        ),
        SpecError::Codec { name, known, .. } => Notice::new(
            fill(gettext("“{name}” is not a codec here."), &[("name", name)]),
            fill(
                gettext("Choose one of these: {known}."),
                &[("known", known)],
            ),
        ),
        SpecError::EncoderMissing { codec, package, .. } => Notice::new(
            fill(
                gettext("The encoder for {codec} is not installed."),
                &[("codec", codec)],
            ),
            fill(
                gettext("Install the package {package}, or choose another codec."),
                &[("package", package)],
            ),
        ),
        SpecError::EncoderBroken {
            codec,
            element,
            why,
        } => Notice::new(
            fill(
                gettext(
                    "The encoder for {codec} ({element}) does not work on this computer: {why}.",
                ),
                &[("codec", codec), ("element", element), ("why", why)],
            ),
            gettext("Choose another encoder or another codec."),
        ),
        SpecError::Encoder { codec, name, known } => Notice::new(
            fill(
                gettext("“{name}” is no encoder for {codec}."),
                &[("name", name), ("codec", codec)],
            ),
            fill(gettext("There are: {known}."), &[("known", known)]),
        ),
        SpecError::IcecastUrl { why, .. } => Notice::new(
            fill(
                gettext("This Icecast address cannot be used: {why}."),
                &[("why", plain(why))],
            ),
            gettext("Check the host, the port and the mount."),
        ),
        SpecError::OutputUrl { kind, why, form } => Notice::new(
            fill(
                gettext("This {kind} address cannot be used: {why}."),
                &[("kind", kind), ("why", plain(why))],
            ),
            fill(gettext("Write it as {form}."), &[("form", form)]),
        ),
        SpecError::OutputKind(kind) => Notice::new(
            fill(
                gettext("“{kind}” is not a kind of output."),
                &[("kind", kind)],
            ),
            gettext("Choose one of those that are offered."),
        ),
        SpecError::NotBuilt { what, feature } => Notice::new(
            fill(
                gettext("This Aerial was built without {what}."),
                &[("what", what)],
            ),
            fill(
                gettext("Use one that was built with its “{feature}” feature."),
                &[("feature", feature)],
            ),
        ),
        SpecError::TitleSource(text) => Notice::new(
            fill(
                gettext("“{text}” is nothing that titles can come from."),
                &[("text", text)],
            ),
            gettext("Use file:PATH or mpris."),
        ),
        SpecError::Listen(address) => Notice::new(
            fill(
                gettext("Aerial cannot be reached at “{address}”."),
                &[("address", address)],
            ),
            gettext("Use an address of this computer, for example 127.0.0.1:8080."),
        ),
        SpecError::RecordEnding(path) => Notice::new(
            fill(
                gettext("{name} cannot be recorded: its ending is not known."),
                &[("name", &file(path))],
            ),
            fill(
                gettext("Let the name end in {endings}."),
                &[("endings", &record_endings())],
            ),
        ),
        SpecError::RecordPattern { path, code } => Notice::new(
            fill(
                gettext("{name} cannot be recorded: {code} stands for no date, time or number."),
                &[("name", &file(path)), ("code", code)],
            ),
            gettext("Write %% for a percent sign."),
        ),
        SpecError::RecordSplit(text) => Notice::new(
            fill(
                gettext("“{text}” is neither a time nor a size to split a recording at."),
                &[("text", text)],
            ),
            gettext("Write a time such as 30m, or a size such as 2G."),
        ),
        SpecError::RecordFolder { folder, .. } => Notice::new(
            fill(
                gettext("The folder {folder} does not exist."),
                &[("folder", &folder.display().to_string())],
            ),
            gettext("Choose another folder."),
        ),
        SpecError::RecordExists(path) => Notice::new(
            fill(
                gettext("{name} exists already and is not overwritten."),
                &[("name", &file(path))],
            ),
            gettext("Choose another name."),
        ),
        SpecError::RecordUnwritable { path, why } => unwritable(path, why),
        SpecError::RecordEmpty { format, .. } => Notice::new(
            fill(
                gettext("The program has nothing that {format} could carry."),
                &[("format", format)],
            ),
            gettext("Choose another format."),
        ),
        SpecError::ProfileMissing(path) => Notice::new(
            fill(
                gettext("There is no profile {name}."),
                &[("name", &file(path))],
            ),
            gettext("Choose a saved profile."),
        ),
        SpecError::ProfileBroken { path, why } => Notice::new(
            fill(
                gettext("The profile {name} cannot be used: {why}."),
                &[("name", &file(path)), ("why", plain(why))],
            ),
            gettext("Correct that line in the file, or choose another profile."),
        ),
        SpecError::Conflict(one, other) => Notice::new(
            fill(
                gettext("{one} and {other} exclude each other."),
                &[("one", one), ("other", other)],
            ),
            gettext("Leave one of them out."),
        ),
    }
}

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

/// Words for an output that is not live.
pub fn output(error: &OutputError) -> Notice {
    match error {
        OutputError::Unreachable { host, why } => Notice::new(
            fill(
                gettext("{host} cannot be reached: {why}."),
                &[("host", host), ("why", plain(why))],
            ),
            gettext("Check the address and that the server runs."),
        ),
        OutputError::Denied { host } => Notice::new(
            fill(gettext("{host} refused the password."), &[("host", host)]),
            gettext("Enter the server’s source password again."),
        ),
        OutputError::MountInUse { host, mount } => Notice::new(
            fill(
                gettext("{host} refused {mount}: it is in use."),
                &[("host", host), ("mount", mount)],
            ),
            gettext("Choose another mount, or wait until it is free."),
        ),
        OutputError::Rejected { host, why } => Notice::new(
            fill(
                gettext("{host} did not take the stream: {why}."),
                &[("host", host), ("why", plain(why))],
            ),
            gettext("Check the address and what the server allows."),
        ),
        OutputError::ServerFull { host } => Notice::new(
            fill(
                gettext("{host} takes no more sources: it is full."),
                &[("host", host)],
            ),
            gettext("Wait until another source ends, or raise the server’s limit."),
        ),
        OutputError::Refused { host, mount, why } => Notice::new(
            fill(
                gettext("{host} refused {mount}: {why}."),
                &[("host", host), ("mount", mount), ("why", plain(why))],
            ),
            gettext("Check the mount and its settings on the server."),
        ),
        OutputError::Untrusted {
            host,
            why,
            fingerprint,
        } => Notice::new(
            fill(
                gettext("{host} has a certificate that is not trusted: {why}."),
                &[("host", host), ("why", plain(why))],
            ),
            fill(
                gettext(
                    "If it is the right server all the same, its fingerprint is {fingerprint}.",
                ),
                &[("fingerprint", fingerprint)],
            ),
        ),
        OutputError::NothingToSend { format } => Notice::new(
            fill(
                gettext("The program has nothing that {format} could carry."),
                &[("format", format)],
            ),
            gettext("Choose another format."),
        ),
        OutputError::Lost { host } => Notice::new(
            fill(
                gettext("The connection to {host} was lost."),
                &[("host", host)],
            ),
            gettext("Check the network if it does not come back."),
        ),
        OutputError::Stalled { host } => Notice::new(
            fill(gettext("{host} stopped taking data."), &[("host", host)]),
            gettext("Check your upload speed, or lower the bitrate."),
        ),
        OutputError::DiskFull { path } => Notice::new(
            fill(
                gettext("The disk is full. {name} ended there and can be played."),
                &[("name", &file(path))],
            ),
            gettext("Make room on that disk, or record to another one."),
        ),
        OutputError::DiskFilling { minutes, .. } => Notice::new(
            match *minutes {
                0 => gettext("The disk has room for less than a minute more."),
                n => fill(
                    ngettext(
                        "The disk has room for about {n} more minute.",
                        "The disk has room for about {n} more minutes.",
                        n.min(u64::from(u32::MAX)) as u32,
                    ),
                    &[("n", &n.to_string())],
                ),
            },
            gettext("Make room on that disk, or end the recording."),
        ),
        OutputError::Unwritable { path, why } => unwritable(path, why),
        OutputError::Missing { element, package } => Notice::new(
            fill(
                gettext("A part of GStreamer is missing: {element}."),
                &[("element", element)],
            ),
            fill(
                gettext("Install the package {package}."),
                &[("package", package)],
            ),
        ),
        OutputError::Other(why) => Notice::new(
            fill(gettext("It failed: {why}."), &[("why", plain(why))]),
            gettext("Switch it off and on again."),
        ),
    }
}

/// Words for a server that does not serve.
pub fn serve(error: &ServeError) -> Notice {
    match error {
        ServeError::PortInUse { host, port } => Notice::new(
            fill(
                gettext("Port {port} on {host} is in use by another program."),
                &[("port", &port.to_string()), ("host", host)],
            ),
            gettext("End that program, then start Aerial again."),
        ),
        ServeError::Listen { address, why } => Notice::new(
            fill(
                gettext("Viewers cannot be served on {address}: {why}."),
                &[("address", address), ("why", plain(why))],
            ),
            gettext("Use an address of this computer, for example 127.0.0.1:8080."),
        ),
        ServeError::Udp(why) => Notice::new(
            fill(
                gettext("WebRTC does not work: {why}."),
                &[("why", plain(why))],
            ),
            gettext("Check the network settings; viewers can still use plain HTTP."),
        ),
        ServeError::Sdp(why) => Notice::new(
            fill(
                gettext("A viewer’s browser sent something unusable: {why}."),
                &[("why", plain(why))],
            ),
            gettext("Let them load the page again."),
        ),
        ServeError::OffAir => Notice::new(
            gettext("The broadcast is not on the air."),
            gettext("Press Go live first."),
        ),
        ServeError::Banned(_) => Notice::new(
            gettext("That address is banned from this broadcast."),
            gettext("Let it in again from the list of viewers."),
        ),
        ServeError::NoSeat(why) => Notice::new(
            fill(
                gettext("No seat could be made for a guest: {why}"),
                &[("why", why)],
            ),
            gettext("Look at the list of sources."),
        ),
        ServeError::Ended => Notice::new(
            gettext("WebRTC has stopped working."),
            gettext("Start Aerial again."),
        ),
    }
}

fn unwritable(path: &std::path::Path, why: &str) -> Notice {
    Notice::new(
        fill(
            gettext("{name} cannot be written: {why}."),
            &[("name", &file(path)), ("why", plain(why))],
        ),
        gettext("Choose a folder you may write to, with space on its disk."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_keeps_one_full_stop() {
        let notice = output(&OutputError::Other("broken pipe.".into()));
        assert_eq!(notice.what, "It failed: broken pipe.");
    }

    #[test]
    fn each_sentence_is_filled() {
        let errors = [
            StudioError::Serve(ServeError::PortInUse {
                host: "127.0.0.1".into(),
                port: 8080,
            }),
            StudioError::Source(SourceError::Unplugged {
                kind: "camera",
                name: "Front".into(),
            }),
            StudioError::Output(OutputError::Refused {
                host: "h:8000".into(),
                mount: "/a.webm".into(),
                why: "not here".into(),
            }),
            StudioError::Spec(SpecError::RecordExists("/tmp/a.webm".into())),
        ];
        for error in errors {
            let text = studio(&error).text();
            assert!(!text.contains(['{', '}']) && text.ends_with('.'), "{text}");
        }
    }
}
