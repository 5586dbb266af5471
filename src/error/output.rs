// SPDX-License-Identifier: GPL-3.0-or-later
//! What can keep an output from being live.

use std::path::PathBuf;

use thiserror::Error;

use super::Remedy;

/// Why an output is not live.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OutputError {
    /// Nobody answers there.
    #[error("{host} cannot be reached: {why}.")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the system says.
        why: String,
    },
    /// User name or password refused.
    #[error("{host} refused the password.")]
    Denied {
        /// Host and port.
        host: String,
    },
    /// Somebody else is on that mount.
    #[error("{host} refused the mount {mount}: it is in use.")]
    MountInUse {
        /// Host and port.
        host: String,
        /// The mount.
        mount: String,
    },
    /// It has as many sources as it may have.
    #[error("{host} takes no more sources: it is full.")]
    ServerFull {
        /// Host and port.
        host: String,
    },
    /// It does not want this on that mount, for another reason.
    #[error("{host} refused the mount {mount}: {why}.")]
    Refused {
        /// Host and port.
        host: String,
        /// The mount.
        mount: String,
        /// The server's words.
        why: String,
    },
    /// An encrypted connection to somebody who cannot be trusted.
    #[error("{host} has a certificate that is not trusted: {why}.")]
    Untrusted {
        /// Host and port.
        host: String,
        /// What is wrong with it.
        why: String,
        /// Its SHA-256, in hexadecimal digits.
        fingerprint: String,
    },
    /// The program has no track that could be sent in this format.
    #[error("The program has nothing that {format} could carry.")]
    NothingToSend {
        /// The format.
        format: &'static str,
    },
    /// Reached, but it does not take the stream.
    #[error("{host} did not take the stream: {why}.")]
    Rejected {
        /// Host and port.
        host: String,
        /// What the server says.
        why: String,
    },
    /// The connection broke.
    #[error("The connection to {host} was lost.")]
    Lost {
        /// Host and port.
        host: String,
    },
    /// Connected, but it takes no bytes.
    #[error("{host} stopped taking data.")]
    Stalled {
        /// Host and port.
        host: String,
    },
    /// A disk that took a recording as far as it could; the file is whole up to there.
    #[error("The disk is full. The recording ended, and {path} can be played up to there.")]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// A disk that will be full soon.
    #[error("The disk has room for {} of {path}.", time_left(*.minutes))]
    DiskFilling {
        /// The file.
        path: PathBuf,
        /// Whole minutes that are left at the present rate.
        minutes: u64,
    },
    /// Encoders that give nothing to be written.
    #[error("Nothing to write has come from the encoders for a while.")]
    Starved,
    /// A file that cannot be written.
    #[error("{path} cannot be written: {why}.")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// An element is not installed.
    #[error("{element} is not installed.")]
    Missing {
        /// The element.
        element: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// GStreamer said something else.
    #[error("It failed: {0}.")]
    Other(String),
}

fn time_left(minutes: u64) -> String {
    match minutes {
        0 => "less than a minute more".into(),
        1 => "about 1 more minute".into(),
        n => format!("about {n} more minutes"),
    }
}

impl OutputError {
    /// Whether trying again cannot mend it: a wrong password tried again and again only fills the server's log.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            OutputError::Denied { .. }
                | OutputError::Untrusted { .. }
                | OutputError::NothingToSend { .. }
                | OutputError::Missing { .. }
        )
    }
}

impl Remedy for OutputError {
    fn remedy(&self) -> String {
        match self {
            OutputError::Unreachable { .. } => {
                "Check the address and that the server runs; it is tried again by itself.".into()
            }
            OutputError::Denied { .. } => {
                "Check user name and password (the server's source-password).".into()
            }
            OutputError::Rejected { .. } => {
                "Check the address and what the server allows; it is tried again by itself.".into()
            }
            OutputError::MountInUse { .. } => {
                "Choose another mount, or wait until it is free.".into()
            }
            OutputError::ServerFull { .. } => {
                "Wait until another source ends, or raise the server's limit of sources.".into()
            }
            OutputError::Refused { .. } => {
                "Check the mount and its settings on the server; it is tried again by itself."
                    .into()
            }
            OutputError::Untrusted { fingerprint, .. } => format!(
                "If it is the right server all the same, add fingerprint=sha256:{fingerprint} to its address."
            ),
            OutputError::NothingToSend { .. } => {
                "Choose another format, or start Aerial with such a source.".into()
            }
            OutputError::Lost { .. } | OutputError::Stalled { .. } => {
                "It is tried again by itself; check the network if it goes on.".into()
            }
            OutputError::DiskFull { .. } => {
                "Make room on that disk, or record to another one.".into()
            }
            OutputError::DiskFilling { .. } => {
                "Make room on that disk, or end the recording.".into()
            }
            OutputError::Starved => {
                "It goes on as soon as they do. If this computer is too busy, choose a smaller picture or a faster codec.".into()
            }
            OutputError::Unwritable { .. } => {
                "Choose a folder you may write to, with space on its disk.".into()
            }
            OutputError::Missing { package, .. } => format!("Install the package {package}."),
            OutputError::Other(_) => "Try again; \"aerial check\" tells what is missing.".into(),
        }
    }
}
