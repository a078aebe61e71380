//! How the programs are run that look at signatures.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use super::error::Error;
use crate::sys::file::in_memory;
use crate::sys::output::output_of_input;
use crate::sys::{detach, environment, inherited};

/// How long one look at a signature may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The most that a program may print, in bytes.
const PRINTED_MAX: usize = 64 * 1024;

/// The variables that the programs get of this process's: where programs and libraries are.
const INHERITED: &[&str] = &["PATH", "LD_LIBRARY_PATH"];

/// A program that looks at signatures. It finds no settings of a user.
pub(super) fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    environment::inherit_only(&mut command, INHERITED);
    command
        .env("LC_ALL", "C")
        .env("HOME", "/nonexistent")
        .current_dir("/");
    detach::in_own_session(&mut command);
    command
}

/// What a program prints that reads `input` on its standard input.
///
/// # Errors
/// It can't be started, or passed a limit.
pub(super) fn run(program: &'static str, command: Command, input: &[u8]) -> Result<Output, Error> {
    let input = memory(input)?;
    output_of_input(command, input, LIMIT, PRINTED_MAX)
        .map_err(|source| Error::Program { program, source })
}

/// Lets a program read files in memory, and returns the paths by which it finds them.
///
/// # Errors
/// It can't find them.
pub(super) fn inherit(command: &mut Command, files: &[&File]) -> Result<Vec<PathBuf>, Error> {
    inherited::inherit(command, files).map_err(Error::Memory)
}

/// A file in memory.
pub(super) fn memory(content: &[u8]) -> Result<File, Error> {
    in_memory(content).map_err(Error::Memory)
}
