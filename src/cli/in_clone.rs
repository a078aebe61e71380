//! The commands that work in a clone of the deploy repository, under the names of either program.

use std::path::PathBuf;

use super::clone_commands::CloneCommand;
use super::error::Error;
use super::exit::Exit;
use super::{approve, propose};

/// Runs a command in the clone of the person who typed it.
pub(super) fn in_clone(command: CloneCommand, folder: Option<PathBuf>) -> Result<Exit, Error> {
    match command {
        CloneCommand::Propose(arguments) => propose::propose(*arguments, folder),
        CloneCommand::Approve(arguments) => approve::approve(arguments, folder),
    }
}
