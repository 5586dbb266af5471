// SPDX-License-Identifier: GPL-3.0-or-later
//! Words for outputs.

use gettextrs::{gettext, ngettext};
use studio::error::OutputError;

use super::{Notice, plain, unwritable};
use crate::ui::words::{file, fill};

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
        OutputError::Starved => Notice::new(
            gettext("Nothing to write has come from the encoders for a while."),
            gettext(
                "It goes on as soon as they do. If this computer is too busy, choose a smaller picture or a faster codec.",
            ),
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
