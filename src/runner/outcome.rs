//! How a deployment ended.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use super::job::Job;
use crate::deploy_repository::folder_values;
use crate::status::Status;
use crate::store::Outcome;
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
    let program = job.settings.command.iter().flatten().next();
    let program = program
        .map(|program| program.fill(&folder_values(&job.deployment.target)))
        .unwrap_or_default();

    // The kernel says the same for a missing program as for a missing interpreter of a script.
    let is_there = error.kind() == io::ErrorKind::NotFound && Path::new(&program).is_file();
    let interpreter = if is_there {
        ", or the interpreter in its first line"
    } else {
        ""
    };
    let program = text::quote(&program, 100);
    failed(format!(
        "could not start the command {program}{interpreter}: {error}"
    ))
}

/// The end of a deployment that the runner ended.
pub(super) fn stopped(job: &Job, stop: Stop) -> Outcome {
    match stop {
        Stop::Cancelled(by) => cancelled(&by),
        Stop::Timeout => {
            let timeout = show_duration(job.settings.timeout);
            failed(format!("timeout after {timeout}"))
        }
    }
}

/// How a process of a deployment ended.
pub(super) struct ProcessEnd {
    /// Its exit status, or why it could not be executed.
    pub(super) exit: io::Result<ExitStatus>,
    /// Why the runner ended it; `None`: it ended by itself.
    pub(super) stop: Option<Stop>,
    /// Whether something that it started still runs.
    pub(super) is_left: bool,
}

/// The end of a deployment whose command has ended.
pub(super) fn ended(job: &Job, end: ProcessEnd) -> Outcome {
    let ProcessEnd {
        exit,
        stop,
        is_left,
    } = end;
    let exit = match exit {
        Ok(exit) => exit,
        Err(error) => return not_started(job, &error),
    };

    let (status, reason) = match stop {
        Some(stop) => {
            let stopped = stopped(job, stop);
            (stopped.status, stopped.reason)
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
