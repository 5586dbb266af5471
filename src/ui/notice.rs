// SPDX-License-Identifier: GPL-3.0-or-later
//! Errors as people read them: what is wrong, and what to do about it.
//!
//! Each `match` names every variant, so a new error does not compile until it has words here. The engine's own
//! words (what GStreamer or the system says) are kept as they come.

mod output;
mod source;
mod spec;

use gettextrs::gettext;
use studio::{
    audience::NotLetIn,
    error::{ServeError, ShortcutError, StudioError},
};

pub use output::output;
pub use source::source;
pub use spec::spec;

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

/// Words for keys that the desktop does not give.
pub fn shortcuts(error: &ShortcutError) -> Notice {
    let again = gettext("Switch them off and on again to be asked once more.");
    match error {
        ShortcutError::Absent => Notice::new(
            gettext("This desktop has no keys that work in every program."),
            gettext("KDE Plasma has them, and GNOME from 48 on."),
        ),
        ShortcutError::Refused => Notice::new(gettext("The keys were not allowed."), again),
        ShortcutError::Ended => Notice::new(gettext("The desktop took the keys back."), again),
        ShortcutError::Failed(why) => Notice::new(
            fill(
                gettext("The desktop gave no keys: {why}."),
                &[("why", plain(why))],
            ),
            again,
        ),
    }
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
        StudioError::NoHost(address) => Notice::new(
            fill(
                gettext("No name is known for {address}."),
                &[("address", &address.to_string())],
            ),
            gettext("Its network does not tell one."),
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
        ServeError::Remotes { address, why } => Notice::new(
            fill(
                gettext("Remote controls cannot be served at {address}: {why}."),
                &[("address", address), ("why", plain(why))],
            ),
            gettext("Choose another port for them in the profile, then start Aerial again."),
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
        ServeError::NotLetIn(NotLetIn::Banned) => Notice::new(
            gettext("That address is banned from this broadcast."),
            gettext("Let it in again from the list of viewers."),
        ),
        ServeError::NotLetIn(NotLetIn::TooManyHere | NotLetIn::TooMany) => Notice::new(
            gettext("There are as many viewers as you allow."),
            gettext("Allow more of them."),
        ),
        ServeError::Certificate { path, why } => Notice::new(
            fill(
                gettext("The certificate {path} cannot be used: {why}."),
                &[("path", &path.display().to_string()), ("why", plain(why))],
            ),
            gettext("Give another one, or none: Aerial makes one itself."),
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
    use studio::error::{OutputError, SourceError, SpecError};

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
