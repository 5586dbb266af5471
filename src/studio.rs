// SPDX-License-Identifier: GPL-3.0-or-later
//! The engine's one handle.

use std::{net::SocketAddr, sync::Arc};

use tokio::sync::broadcast;

use crate::{
    audience::Viewer,
    encode::EncodeSettings,
    error::StudioError,
    message::{AirState, Command, Event, OutputStatus, SourceStatus},
    output::OutputSpec,
    program::Levels,
    source::{AudioSpec, Device, VideoSpec},
    stats::Status,
};

/// How to start.
#[derive(Debug, Clone)]
pub struct StudioOptions {
    /// Pictures; empty is the slate.
    pub video: Vec<VideoSpec>,
    /// Sounds; empty is silence.
    pub audio: Vec<AudioSpec>,
    /// Codecs, bitrates, size and rate.
    pub encoding: EncodeSettings,
    /// Where the built-in server listens; port 0 is any free one.
    pub listen: SocketAddr,
    /// Token of the control routes.
    pub api_token: String,
    /// Outputs there from the start.
    pub outputs: Vec<OutputSpec>,
}

/// The engine. Clones are handles of the same; when the last is dropped, everything ends.
#[derive(Clone)]
pub struct Studio(Arc<()>);

impl Studio {
    /// Start everything. Returns when the server listens. Not to be called inside an async context.
    pub fn start(_options: StudioOptions) -> Result<Studio, StudioError> {
        unimplemented!()
    }
    /// Ask for something; what comes of it is told as events. Never waits.
    pub fn command(&self, _command: Command) {}
    /// All that happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        unimplemented!()
    }
    /// Everything at this moment.
    pub fn snapshot(&self) -> Status {
        unimplemented!()
    }
    /// Loudness of the program now.
    pub fn levels(&self) -> Levels {
        unimplemented!()
    }
    /// Where the built-in server listens.
    pub fn address(&self) -> SocketAddr {
        unimplemented!()
    }
    /// State of the broadcast.
    pub fn air(&self) -> AirState {
        unimplemented!()
    }
    /// Sources of the program.
    pub fn sources(&self) -> Vec<SourceStatus> {
        unimplemented!()
    }
    /// Outputs, running or not.
    pub fn outputs(&self) -> Vec<OutputStatus> {
        unimplemented!()
    }
    /// Everybody who watches.
    pub fn viewers(&self) -> Vec<Viewer> {
        unimplemented!()
    }
    /// Cameras and microphones plugged in.
    pub fn devices(&self) -> Vec<Device> {
        unimplemented!()
    }
    /// Codecs, bitrates, size and rate.
    pub fn encoding(&self) -> EncodeSettings {
        unimplemented!()
    }
}
