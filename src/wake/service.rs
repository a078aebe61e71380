//! What the systemd service does with the wake files that hooks left for it.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Stdio};

use super::background::Background;
use super::program::{Call, ENVIRONMENT};
use super::runner::run;
use crate::deploy_repository::DeployRepository;
use crate::id::Environment;
use crate::sys::own_program::own_program;

/// What a wake file asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The runner of an environment.
    Runner(Environment),
    /// A process that tells others.
    Background(Background),
}

/// The wake files that were there.
#[derive(Debug, Default)]
pub struct WakeFiles {
    /// What they ask for.
    pub wanted: Vec<Wanted>,
    /// Why one of them is still there; `None`: all of them were removed.
    pub left: Option<io::Error>,
}

/// Removes the wake files, and returns what they ask for. One that can't be removed counts all the
/// same, because a hook relies on it.
///
/// # Errors
/// The folder can't be read.
pub fn take_wake_files(deploy: &DeployRepository) -> io::Result<WakeFiles> {
    let mut found = WakeFiles::default();
    let entries = match fs::read_dir(deploy.wake_folder()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };

    for entry in entries {
        let Ok(entry) = entry else { continue };
        match fs::remove_file(entry.path()) {
            Ok(()) => {}
            // Another service took it, or it is a folder, which no hook makes.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(_) if entry.file_type().is_ok_and(|kind| kind.is_dir()) => continue,
            Err(error) => found.left = Some(error),
        }
        let name = entry.file_name();
        let background = Background::of_wake_file(name.as_bytes()).map(Wanted::Background);
        let runner = || Environment::new(name.as_bytes()).ok().map(Wanted::Runner);
        found.wanted.extend(background.or_else(runner));
    }
    Ok(found)
}

/// Whether the folder of the wake files still has an entry, which then can't be removed.
#[must_use]
pub fn is_anything_left(deploy: &DeployRepository) -> bool {
    fs::read_dir(deploy.wake_folder()).is_ok_and(|mut entries| entries.next().is_some())
}

/// Starts what a wake file asks for as a child of this process.
///
/// # Errors
/// It can't be started.
pub fn as_child(deploy: &DeployRepository, wanted: &Wanted) -> io::Result<Child> {
    let (program, words) = match wanted {
        Wanted::Runner(environment) => (own_program()?, run(environment).to_vec()),
        Wanted::Background(background) => background.program_and_words()?,
    };
    let mut command = Command::new(program);
    command
        .args(Call::of(deploy).arguments(&words)?)
        .env_clear()
        .envs(ENVIRONMENT.iter().copied())
        .current_dir("/");

    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}
