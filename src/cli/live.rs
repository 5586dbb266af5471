// SPDX-License-Identifier: GPL-3.0-or-later
//! `aerial live`: on the air until asked to end.

use std::{
    collections::BTreeMap,
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use studio::{
    Studio,
    error::{Remedy, StudioError},
    message::{AirState, Command, Event, OutputState, OutputStatus, SourceState, SourceStatus},
    settings::units,
    source::{AudioSpec, VideoSpec},
};
use tokio::sync::broadcast::error::RecvError;

use super::{Live, Style, complain, links::say_links, options::options, refuse, say_error};

/// Seats for guests are there within a fraction of this.
const SEATS_READY: Duration = Duration::from_secs(5);

/// Broadcast as told by the options.
pub(super) fn live(live: &Live) -> ExitCode {
    let duration = match live.duration.as_deref().map(units::time).transpose() {
        Ok(duration) => duration,
        Err(e) => return refuse(&e.into()),
    };
    let options = match options(live) {
        Ok(options) => options,
        Err(e) => return refuse(&e),
    };
    let token = options.api_token.clone();
    let obs_password = options.obs.as_ref().map(|obs| obs.password.clone());
    let guests = options.video.iter().filter(|v| **v == VideoSpec::Guest);
    let voices = options.audio.iter().filter(|a| **a == AudioSpec::Guest);
    // Each has both: the sound of one is that of the picture.
    let guests = guests.count().max(voices.count());
    let studio = match Studio::start(options) {
        Ok(studio) => studio,
        Err(e) => return refuse(&e),
    };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        complain(
            "The system gives no more resources.",
            "Close other programs.",
        );
        return ExitCode::FAILURE;
    };
    let joins = runtime.block_on(invitations(&studio, guests));
    say_links(
        &studio,
        &token,
        obs_password.as_deref(),
        &joins,
        live.status,
    );
    let code = runtime.block_on(follow(&studio, duration, live.status));
    // Ends outputs, finishes recordings.
    drop(studio);
    code
}

/// Wait for the seats of so many guests, and tell where they come in.
async fn invitations(studio: &Studio, guests: usize) -> Vec<String> {
    let mut events = studio.events();
    let all = async {
        while studio.invitations().len() < guests {
            // Each source tells of itself when it is there.
            if let Err(RecvError::Closed) = events.recv().await {
                break;
            }
        }
    };
    // Without a seat there is no link; its source tells why.
    let _ = tokio::time::timeout(SEATS_READY, all).await;
    studio.invitations()
}

/// Go live and tell what happens, until asked to end.
async fn follow(studio: &Studio, duration: Option<Duration>, style: Style) -> ExitCode {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        complain("Signals cannot be received.", "Start Aerial again.");
        return ExitCode::FAILURE;
    };
    let mut events = studio.events();
    let mut complaints = Complaints::default();
    for source in studio.sources() {
        complaints.source(&source);
    }
    for output in studio.outputs() {
        complaints.output(&output);
    }
    studio.command(Command::GoLive);
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let mut end = None;
    loop {
        let over = async {
            match end {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => return ExitCode::SUCCESS,
            _ = terminate.recv() => return ExitCode::SUCCESS,
            () = over => return ExitCode::SUCCESS,
            _ = ticks.tick() => say_status(studio, style),
            event = events.recv() => match event {
                Ok(Event::Air(state)) => {
                    if let (AirState::Live { .. }, None, Some(duration)) = (state, end, duration) {
                        end = Some(tokio::time::Instant::now() + duration);
                    }
                    say_status(studio, style);
                }
                Ok(Event::Source(source)) => {
                    complaints.source(&source);
                    say_status(studio, style);
                }
                Ok(Event::Output(output)) => {
                    complaints.output(&output);
                    say_status(studio, style);
                }
                Ok(Event::Refused(error)) => {
                    say_error(&error);
                    if matches!(error, StudioError::Program(_)) {
                        return ExitCode::FAILURE;
                    }
                }
                Ok(
                    Event::SourceRemoved(_)
                    | Event::SourceOrder(_)
                    | Event::Layout(_)
                    | Event::Overlays(_)
                    | Event::OutputRemoved(_)
                    | Event::ViewerJoined(_)
                    | Event::ViewerLeft(..)
                    | Event::ViewerNoted(_)
                    | Event::Bans(_)
                    | Event::ViewerToken
                    | Event::Shared(_)
                    | Event::Devices(_)
                    | Event::Abilities
                    | Event::Encoding(_)
                    | Event::NowPlaying(_),
                ) | Err(RecvError::Lagged(_)) => (),
                Err(RecvError::Closed) => return ExitCode::FAILURE,
            },
        }
    }
}

fn say_status(studio: &Studio, style: Style) {
    let status = studio.snapshot();
    let line = match style {
        Style::Json => match serde_json::to_string(&status) {
            Ok(line) => line,
            Err(_) => return,
        },
        Style::Text => {
            let rate: u64 = status.encoders.iter().map(|e| e.bitrate).sum();
            format!(
                "{:<8} {} encoder(s), {} viewer(s), {:.1} Mbit/s. {}",
                status.air,
                status.encoders.len(),
                status.viewers.len(),
                rate as f64 / 1e6,
                status.health
            )
        }
    };
    // A reader that went away is no reason to stop broadcasting.
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Says each trouble once, until it is another one.
#[derive(Default)]
struct Complaints(BTreeMap<String, String>);

impl Complaints {
    fn source(&mut self, source: &SourceStatus) {
        let name = &source.spec;
        match (&source.state, &source.warning) {
            (SourceState::Lost { error, .. } | SourceState::Ended(error), _) => {
                self.say(name, error)
            }
            (SourceState::Live | SourceState::Starting, Some(warning)) => self.say(name, warning),
            (SourceState::Live, None) => drop(self.0.remove(name)),
            (SourceState::Starting, None) => (),
        }
    }

    fn output(&mut self, output: &OutputStatus) {
        let name = &output.name;
        match (&output.state, &output.warning) {
            (OutputState::Waiting { error, .. } | OutputState::Failed(error), _) => {
                self.say(name, error)
            }
            (OutputState::Live { .. }, Some(warning)) => self.say(name, warning),
            (OutputState::Live { .. }, None) => drop(self.0.remove(name)),
            (OutputState::Off | OutputState::Connecting { .. } | OutputState::Paused, _) => (),
        }
    }

    fn say(&mut self, name: &str, error: &(impl Display + Remedy)) {
        let text = error.to_string();
        if self.0.get(name) != Some(&text) {
            say_error(error);
            self.0.insert(name.to_string(), text);
        }
    }
}
