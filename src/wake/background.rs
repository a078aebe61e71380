//! Starting the processes that tell others what happened.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use super::program::{Call, ENVIRONMENT};
use crate::config::RunnerKind;
use crate::deploy_repository::DeployRepository;
use crate::sys::own_program::own_program;

/// A process that tells others what happened, and ends when nothing waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    /// The program deploy-by-code-notify, which tells people and other programs.
    Notify,
    /// This program's `publish`, which writes marks, the published status and the figures.
    Publish,
}

impl Background {
    /// Every one of them.
    pub const ALL: [Self; 2] = [Self::Notify, Self::Publish];

    /// The name of its wake file. No environment can have such a name.
    fn wake_file(self) -> &'static str {
        match self {
            Self::Notify => "+notify",
            Self::Publish => "+publish",
        }
    }

    /// The one with a wake file of this name.
    pub(super) fn of_wake_file(name: &[u8]) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|background| background.wake_file().as_bytes() == name)
    }

    /// The program, and the words that follow the options.
    pub(super) fn program_and_words(self) -> io::Result<(PathBuf, Vec<OsString>)> {
        Ok(match self {
            Self::Notify => (notifier()?, vec!["--checked".into()]),
            Self::Publish => (own_program()?, vec!["publish".into(), "--checked".into()]),
        })
    }
}

/// The path of deploy-by-code-notify: it is beside this program.
///
/// # Errors
/// This program does not know its own path.
pub fn notifier() -> io::Result<PathBuf> {
    Ok(own_program()?.with_file_name("deploy-by-code-notify"))
}

/// A call of deploy-by-code-notify for a deploy repository, with words behind the options, and with
/// nothing of this process's environment.
///
/// # Errors
/// Its path or that of the configuration is not known.
pub fn notifier_call(deploy: &DeployRepository, words: &[OsString]) -> io::Result<Command> {
    let mut command = Command::new(notifier()?);
    command
        .args(Call::of(deploy).arguments(words)?)
        .env_clear()
        .envs(ENVIRONMENT.iter().copied())
        .current_dir("/");
    Ok(command)
}

impl Call {
    /// Starts a process that tells others. With `runner = "systemd"` it leaves a wake file instead.
    /// A process that finds another one at work leaves that one's work to it.
    ///
    /// # Errors
    /// It can't be started. What is to be told waits for the next call.
    pub fn background(&self, background: Background) -> io::Result<()> {
        match self.runner {
            RunnerKind::Detached => {
                let (program, words) = background.program_and_words()?;
                self.spawn_program(&program, &words)
            }
            RunnerKind::Systemd => self.leave_wake_file(background.wake_file()),
        }
    }
}
