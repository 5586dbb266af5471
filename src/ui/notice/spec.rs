// SPDX-License-Identifier: GPL-3.0-or-later
//! Words for what cannot be understood.

use gettextrs::gettext;
use studio::{error::SpecError, output::record_endings};

use super::{Notice, plain, unwritable};
use crate::ui::words::{file, fill};

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
        SpecError::Origin(text) => Notice::new(
            fill(
                gettext("“{text}” is not the origin of a web site."),
                &[("text", text)],
            ),
            gettext("Write its scheme and host alone, for example https://example.org."),
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
        SpecError::Secrets { profile, why } => Notice::new(
            fill(
                gettext("The passwords of the profile {name} cannot be read: {why}."),
                &[("name", profile), ("why", plain(why))],
            ),
            gettext("Unlock the keyring and open the profile again."),
        ),
        SpecError::Alone(one, other) => Notice::new(
            fill(
                gettext("{one} is of no use without {other}."),
                &[("one", one), ("other", other)],
            ),
            fill(gettext("Give {other} too."), &[("other", other)]),
        ),
        SpecError::ViewerToken => Notice::new(
            gettext("That viewer token cannot be used."),
            gettext("Give at least 8 letters, digits or -._~, or none: Aerial makes one."),
        ),
        SpecError::Host(name) => Notice::new(
            fill(gettext("“{name}” is not a host name."), &[("name", name)]),
            gettext("Write it as in live.example.org, without https:// and port."),
        ),
        SpecError::ShortPassword => Notice::new(
            gettext("The password for remote controls is too short."),
            gettext("Give one of at least 6 characters, or none: then one is made."),
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
