//! How a deployment ended.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use crate::config::Settings;
use crate::phase::Phase;
use crate::status::Status;
use crate::store::{Outcome, PhaseEnd};
use crate::sys::program::{Obstacle, find};
use crate::sys::surroundings;
use crate::sys::unseen::Unseen;
use crate::text;
use crate::time::show_duration;

/// How a job ends before its command has ended.
pub(super) enum JobEnd {
    /// Like this.
    Outcome(Outcome),
    /// Another process was faster: it is not this runner's to carry out or to record.
    NotOurs,
    /// It has not begun. What may begin then is decided anew: meanwhile a freeze or a rollback may
    /// have come.
    Later,
}

/// What came of waiting for another try.
pub(super) enum Wait {
    /// It is tried again.
    Again,
    /// It is not.
    Over(JobEnd),
}

/// Why the runner ended a command.
pub(super) enum Stop {
    /// It took longer than it may, which is this long.
    Timeout(Duration),
    /// A user of this name cancelled it.
    Cancelled(String),
}

/// What was seen of a command until its end.
pub(super) struct Supervised {
    /// Why the runner ended it, if it did.
    pub(super) stop: Option<Stop>,
    /// What the command left behind.
    pub(super) left: Left,
}

/// What a command left behind.
pub(super) enum Left {
    /// Everything that it started has ended.
    Nothing,
    /// Something still runs.
    Processes,
    /// It can't be seen whether something still runs.
    Unseen(Unseen),
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

/// What is said of a phase, in a sentence about the whole deployment.
pub(super) fn in_phase(phase: Phase, what: &str) -> String {
    format!("{phase}: {what}")
}

/// An outcome with one more remark in its reason.
pub(super) fn with_remark(outcome: Outcome, remark: Option<String>) -> Outcome {
    let reason: Vec<String> = outcome.reason.into_iter().chain(remark).collect();
    Outcome {
        reason: (!reason.is_empty()).then(|| reason.join("; ")),
        ..outcome
    }
}

/// How the phase ended in which a deployment came to an outcome.
pub(super) fn end_of(outcome: &Outcome) -> PhaseEnd {
    PhaseEnd {
        status: outcome.status,
        reason: outcome.reason.clone(),
    }
}

/// An end in words, for the system log.
pub(super) fn describe(outcome: &Outcome) -> String {
    match &outcome.reason {
        Some(reason) => format!("{}: {reason}", outcome.status),
        None => outcome.status.to_string(),
    }
}

/// The end of a deployment that a user cancelled.
pub(super) fn cancelled(by: &str) -> Outcome {
    Outcome::new(Status::Cancelled, format!("by {by}"))
}

/// The end of a deployment of which a program can't be executed. `folder`: where it would have
/// begun.
pub(super) fn not_started(
    settings: &Settings,
    program: &str,
    folder: &Path,
    error: &io::Error,
) -> Outcome {
    // The kernel says the same for a missing program as for a missing interpreter of a script.
    let path = settings.env.get("PATH");
    let path = path.map_or(surroundings::PATH, String::as_str);
    let obstacle = find(program, folder, path).and_then(|file| {
        let obstacle = Obstacle::of(&file)?;
        let file = text::quote(file.as_os_str().as_encoded_bytes(), 200);
        Some(format!("; {file} {obstacle}"))
    });
    let obstacle = obstacle.unwrap_or_default();
    let program = text::quote(program, 100);
    failed(format!(
        "could not start the command {program}: {error}{obstacle}"
    ))
}

/// The end of a deployment whose command was executed.
pub(super) fn ended(exit: io::Result<ExitStatus>, supervised: Supervised) -> Outcome {
    let code = exit.as_ref().ok().and_then(ExitStatus::code);
    let (status, reason) = match (supervised.stop, exit) {
        (Some(Stop::Cancelled(by)), _) => (Status::Cancelled, Some(format!("by {by}"))),
        (Some(Stop::Timeout(limit)), _) => {
            let limit = show_duration(limit);
            (Status::Failed, Some(format!("timeout after {limit}")))
        }
        (None, Ok(exit)) => by_exit(exit),
        (None, Err(error)) => {
            let reason = format!("the command has ended, and nobody knows how: {error}");
            (Status::Interrupted, Some(reason))
        }
    };

    let left = match supervised.left {
        Left::Nothing => None,
        Left::Processes => Some("left processes running".to_owned()),
        Left::Unseen(why) => Some(format!("may have left processes running: {why}")),
    };
    let reason: Vec<String> = reason.into_iter().chain(left).collect();
    Outcome {
        status,
        reason: (!reason.is_empty()).then(|| reason.join("; ")),
        exit_status: code,
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
