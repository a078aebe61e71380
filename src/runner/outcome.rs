//! How a deployment ended.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

use super::job::Job;
use crate::deploy_repository::folder_values;
use crate::status::Status;
use crate::store::Outcome;
use crate::sys::program::{Obstacle, find};
use crate::sys::surroundings;
use crate::text;
use crate::time::show_duration;

/// Why the runner ended a command.
pub(super) enum Stop {
    /// It took longer than `timeout`.
    Timeout,
    /// A user of this name cancelled it.
    Cancelled(String),
}

/// The end of a deployment that did what it was asked for.
pub(super) fn succeeded() -> Outcome {
    Outcome {
        status: Status::Succeeded,
        reason: None,
        exit_status: None,
    }
}

/// The end of a deployment that can't be carried out.
pub(super) fn failed(reason: impl Into<String>) -> Outcome {
    Outcome::new(Status::Failed, reason)
}

/// The end of a deployment that a user cancelled.
pub(super) fn cancelled(by: &str) -> Outcome {
    Outcome::new(Status::Cancelled, format!("by {by}"))
}

/// The end of a deployment whose command can't be executed.
pub(super) fn not_started(job: &Job, error: &io::Error) -> Outcome {
    let target = &job.deployment.target;
    let [environment, application] = folder_values(target);
    // Where the command would have started: in its release, or in the state.
    let folder = match &job.settings.checkout {
        Some(checkout) => PathBuf::from(checkout.fill(&[environment, application]))
            .join("releases")
            .join(job.deployment.revision.as_str()),
        None => job.store.folder().join("work"),
    };
    let values = [
        environment,
        application,
        ("checkout", &folder.to_string_lossy()),
    ];
    let program = job.settings.command.iter().flatten().next();
    let program = program
        .map(|program| program.fill(&values))
        .unwrap_or_default();

    // The kernel says the same for a missing program as for a missing interpreter of a script.
    let path = job.settings.env.get("PATH");
    let path = path.map_or(surroundings::PATH, String::as_str);
    let obstacle = find(&program, &folder, path).and_then(|file| {
        let obstacle = Obstacle::of(&file)?;
        let file = text::quote(file.as_os_str().as_encoded_bytes(), 200);
        Some(format!("; {file} {obstacle}"))
    });
    let obstacle = obstacle.unwrap_or_default();
    let program = text::quote(&program, 100);
    failed(format!(
        "could not start the command {program}: {error}{obstacle}"
    ))
}

/// The end of a deployment whose command has ended. `is_left`: something that the command started
/// still runs.
pub(super) fn ended(
    job: &Job,
    exit: io::Result<ExitStatus>,
    stop: Option<Stop>,
    is_left: bool,
) -> Outcome {
    let exit = match exit {
        Ok(exit) => exit,
        Err(error) => return not_started(job, &error),
    };

    let (status, reason) = match stop {
        Some(Stop::Cancelled(by)) => (Status::Cancelled, Some(format!("by {by}"))),
        Some(Stop::Timeout) => {
            let timeout = show_duration(job.settings.timeout);
            (Status::Failed, Some(format!("timeout after {timeout}")))
        }
        None => by_exit(exit),
    };
    let reason = match (reason, is_left) {
        (reason, false) => reason,
        (None, true) => Some("left processes running".to_owned()),
        (Some(reason), true) => Some(format!("{reason}; left processes running")),
    };
    Outcome {
        status,
        reason,
        exit_status: exit.code(),
    }
}

/// What a command's exit status or signal means for the deployment.
fn by_exit(exit: ExitStatus) -> (Status, Option<String>) {
    let reason = match (exit.code(), exit.signal()) {
        (Some(0), _) => return (Status::Succeeded, None),
        (Some(code), _) => format!("exit status {code}"),
        (None, signal) => format!("signal {}", signal.unwrap_or_default()),
    };
    (Status::Failed, Some(reason))
}
