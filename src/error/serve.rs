// SPDX-License-Identifier: GPL-3.0-or-later
//! What can keep the server from serving.

use thiserror::Error;

use super::Remedy;

/// Why the server does not serve.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ServeError {
    /// Another program has the port.
    #[error("Port {port} on {host} is in use by another program.")]
    PortInUse {
        /// The address.
        host: String,
        /// The port.
        port: u16,
    },
    /// Anything else about listening.
    #[error("Cannot listen on {address}: {why}.")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        why: String,
    },
    /// Listening for remote controls.
    #[error("Remote controls cannot be served at {address}: {why}.")]
    Remotes {
        /// The address.
        address: String,
        /// What the system says.
        why: String,
    },
    /// No UDP socket for WebRTC.
    #[error("No UDP port could be opened for WebRTC: {0}.")]
    Udp(String),
    /// An offer, answer or candidate that cannot be used.
    #[error("The session description cannot be used: {0}.")]
    Sdp(String),
    /// Nobody can watch now.
    #[error("The broadcast is not on the air.")]
    OffAir,
    /// Somebody who may not watch.
    #[error(transparent)]
    NotLetIn(#[from] crate::audience::NotLetIn),
    /// A certificate that cannot be used or made.
    #[error("The certificate {path} cannot be used: {why}.")]
    Certificate {
        /// Its file.
        path: std::path::PathBuf,
        /// What is wrong.
        why: String,
    },
    /// No source could be made for a guest.
    #[error("No seat could be made for you: {0}")]
    NoSeat(String),
    /// The WebRTC thread has ended.
    #[error("WebRTC has ended.")]
    Ended,
}

impl ServeError {
    /// The port for remote controls cannot be had.
    pub(crate) fn remotes(address: std::net::SocketAddr, e: &std::io::Error) -> ServeError {
        use std::io::ErrorKind::{AddrInUse, AddrNotAvailable};
        let why = if e.kind() == AddrInUse {
            "another program has that port".into()
        } else if e.kind() == AddrNotAvailable {
            "this computer has no such address".into()
        } else {
            e.to_string()
        };
        ServeError::Remotes {
            address: address.to_string(),
            why,
        }
    }
}

impl Remedy for ServeError {
    fn remedy(&self) -> String {
        match self {
            ServeError::PortInUse { .. } => {
                "End that program, or choose another port with --listen 127.0.0.1:0 (any free one)."
                    .into()
            }
            ServeError::Listen { .. } => {
                "Choose an address of this computer, for example --listen 127.0.0.1:8080.".into()
            }
            ServeError::Remotes { .. } => {
                "End OBS, or choose another port, for example --obs-websocket 4456.".into()
            }
            ServeError::Udp(_) => "Check the network settings of this computer.".into(),
            ServeError::Sdp(_) => "Send the offer as the browser made it.".into(),
            ServeError::OffAir => "Try again when the broadcast has begun.".into(),
            // Its words have the remedy in them.
            ServeError::NotLetIn(_) => String::new(),
            ServeError::Certificate { .. } => {
                "Give a certificate and its key as PEM files, or --tls alone: Aerial makes one itself.".into()
            }
            ServeError::NoSeat(_) => "Ask the host.".into(),
            ServeError::Ended => "Start Aerial again.".into(),
        }
    }
}
