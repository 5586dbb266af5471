// SPDX-License-Identifier: GPL-3.0-or-later
//! `aerial` without a command: the window, and what is to be shown in it.

use std::{path::Path, process::ExitCode};

use studio::{
    StudioOptions,
    error::StudioError,
    settings::Profile,
    source::{AudioSpec, VideoSpec},
};

use super::{BAD_ARGUMENTS, Live, Opening, complain, options::options_of, refuse};
use crate::ui::{self, Start};

/// Open it, or let the one that is open do what was asked.
pub(super) fn open(opening: Opening, service: bool) -> ExitCode {
    let mut files = vec![];
    for name in &opening.files {
        match ui::file(name) {
            Some(file) => files.push(file),
            None => {
                complain(
                    &format!(
                        "{} is neither a file nor a link nor a command.",
                        Path::new(name).display()
                    ),
                    "\"aerial --help\" lists the commands.",
                );
                return ExitCode::from(BAD_ARGUMENTS);
            }
        }
    }
    match load(&Profile::default()) {
        // The window looks itself what is there to be shown.
        Ok(options) => ui::run(Start {
            options: StudioOptions {
                // A demonstration is of these.
                video: opening.demo.map(|_| VideoSpec::Test).into_iter().collect(),
                audio: opening.demo.map(|_| AudioSpec::Tone).into_iter().collect(),
                demo: opening.demo,
                ..options
            },
            load,
            files,
            go_live: opening.go_live,
            record: opening.record,
            service,
        }),
        Err(e) => refuse(&e),
    }
}

fn load(profile: &Profile) -> Result<StudioOptions, StudioError> {
    let live = Live {
        api_token: std::env::var("AERIAL_API_TOKEN").ok(),
        obs_password: std::env::var("AERIAL_OBS_PASSWORD").ok(),
        read_token: std::env::var("AERIAL_READ_TOKEN").ok(),
        ..Live::default()
    };
    options_of(&live, profile)
}
