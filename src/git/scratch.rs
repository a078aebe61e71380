//! Running git in a scratch folder.

use std::path::Path;

use super::command::{LIST_MAX, command, run};
use super::error::Error;
use crate::sys::surroundings::PATH;

/// Runs a command of git in a scratch folder, and returns what it printed, its errors included. It
/// uses no configuration of the user or the machine. Hooks that it runs may belong to another user
/// than the one who typed this: they get neither the terminal nor anything of the environment.
///
/// # Errors
/// It did not succeed, or passed a limit.
pub fn scratch(folder: &Path, arguments: &[&str]) -> Result<String, Error> {
    let mut command = command();
    command
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", folder)
        .env("LC_ALL", "C");
    for who in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{who}_NAME"), "doctor")
            .env(format!("GIT_{who}_EMAIL"), "doctor@localhost");
    }
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    command.arg("-C").arg(folder).args(arguments);

    let call = arguments.join(" ");
    let output = run(command, folder, &call, LIST_MAX)?;
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();

    if output.status.success() {
        Ok(printed)
    } else {
        Err(Error::new(folder, format!("git {call}: {printed}")))
    }
}
