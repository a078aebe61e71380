//! This program as a process of its own, for the same repository and by the same configuration.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use crate::config::RunnerKind;
use crate::deploy_repository::DeployRepository;
use crate::sys::detach;
use crate::sys::own_program::own_program;
use crate::sys::surroundings::PATH;

/// The environment of the processes that are started. They get nothing of the hook's environment,
/// which can hold the pusher's password.
pub(super) const ENVIRONMENT: &[(&str, &str)] = &[("PATH", PATH), ("LANG", "C.UTF-8")];

/// What a process needs to work on the same repository with the same configuration file.
#[derive(Debug, Clone)]
pub struct Call {
    repository: PathBuf,
    config_file: Option<PathBuf>,
    pub(super) runner: RunnerKind,
    pub(super) state_dir: PathBuf,
    pub(super) wake_folder: PathBuf,
}

impl Call {
    /// The call for a deploy repository.
    #[must_use]
    pub fn of(deploy: &DeployRepository) -> Self {
        Self {
            repository: deploy.repository.path().to_owned(),
            config_file: deploy.config_file.clone(),
            runner: deploy.config.runner,
            state_dir: deploy.state_dir(),
            wake_folder: deploy.wake_folder(),
        }
    }

    /// The arguments for a command.
    pub(super) fn arguments(&self, command: &[OsString]) -> io::Result<Vec<OsString>> {
        let mut all: Vec<OsString> = vec!["--repository".into(), self.repository.clone().into()];
        if let Some(file) = &self.config_file {
            // A link is not followed here: it can lead to another file later.
            all.extend(["--config".into(), std::path::absolute(file)?.into()]);
        }
        all.extend_from_slice(command);
        Ok(all)
    }

    /// Starts this program detached, with a command.
    pub(super) fn spawn(&self, command: &[OsString]) -> io::Result<()> {
        self.spawn_program(&own_program()?, command)
    }

    /// Starts a program detached, with the options that this program has and a command.
    pub(super) fn spawn_program(&self, program: &Path, command: &[OsString]) -> io::Result<()> {
        let all = self.arguments(command)?;
        let all: Vec<&OsStr> = all.iter().map(OsString::as_os_str).collect();
        detach::spawn(program, &all, ENVIRONMENT)
    }
}
