// SPDX-License-Identifier: GPL-3.0-or-later
//! Man pages and completions, written by the program itself: they tell what this very program takes.

use std::{fs, io, path::Path, process::ExitCode};

use clap::CommandFactory;
use clap_complete::{Shell, generate_to};

use super::{Cli, complain};

/// Write them all to this folder, as they are called where they belong.
pub(super) fn write(folder: &Path) -> ExitCode {
    match write_all(folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            complain(
                &format!("{} cannot be written to: {e}.", folder.display()),
                "Name a folder that can be written to.",
            );
            ExitCode::FAILURE
        }
    }
}

fn write_all(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut Cli::command(), "aerial", folder)?;
    }
    Ok(())
}
