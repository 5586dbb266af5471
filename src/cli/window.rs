// SPDX-License-Identifier: GPL-3.0-or-later
//! `aerial` without a command: the window, and what is to be shown in it.

use std::{path::Path, process::ExitCode};

use studio::{
    StudioOptions,
    error::StudioError,
    source::{AudioSpec, VideoSpec},
};

use super::{BAD_ARGUMENTS, Live, Opening, complain, options::options, refuse};
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
    match load(None) {
        // The window looks itself what is there to be shown.
        Ok(options) => ui::run(Start {
            options: StudioOptions {
                // A demonstration is of these.
                video: opening.demo.map(|_| VideoSpec::Test).into_iter().collect(),
                audio: opening.demo.map(|_| AudioSpec::Tone).into_iter().collect(),
                demo: opening.demo,
                ..options
            },
            load: |path| load(Some(path)),
            files,
            go_live: opening.go_live,
            record: opening.record,
            service,
        }),
        Err(e) => refuse(&e),
    }
}

fn load(profile: Option<&Path>) -> Result<StudioOptions, StudioError> {
    options(&Live {
        api_token: std::env::var("AERIAL_API_TOKEN").ok(),
        obs_password: std::env::var("AERIAL_OBS_PASSWORD").ok(),
        read_token: std::env::var("AERIAL_READ_TOKEN").ok(),
        // With its folder, so that it is not taken for a name.
        profile: profile.map(|path| path.to_string_lossy().into_owned()),
        ..Live::default()
    })
}
