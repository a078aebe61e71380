//! Starting the runner of an environment, or leaving a file that lets systemd start it.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;

use super::program::Call;
use crate::config::RunnerKind;
use crate::deploy_repository::DeployRepository;
use crate::id::Environment;
use crate::sys::sharing::Sharing;

/// The command that is a runner. Whoever starts it here may: git let this user push, or the user's
/// right was checked.
pub(super) fn run(environment: &Environment) -> [OsString; 3] {
    [
        "run".into(),
        "--checked".into(),
        environment.as_str().into(),
    ]
}

/// Starts a runner for an environment. With `runner = "systemd"` it leaves a wake file instead, and
/// the service starts the runner. A runner that finds another one alive ends again.
///
/// # Errors
/// It can't be started. What is queued stays queued.
pub fn runner(deploy: &DeployRepository, environment: &Environment) -> io::Result<()> {
    let call = Call::of(deploy);
    match call.runner {
        RunnerKind::Detached => call.spawn(&run(environment)),
        RunnerKind::Systemd => call.leave_wake_file(environment.as_str()),
    }
}

impl Call {
    /// Leaves a wake file. The path unit sees that there is a file. The service removes it before
    /// it starts what the file asks for.
    pub(super) fn leave_wake_file(&self, name: &str) -> io::Result<()> {
        let sharing = Sharing::of_folder(&self.state_dir)?;
        sharing.create_folder(&self.wake_folder)?;
        sharing
            .open_file(
                &self.wake_folder.join(name),
                OpenOptions::new().append(true),
            )
            .map(drop)
    }
}
