//! What comes after the command of a deployment with a checkout: `current` moves, `activate` runs,
//! `verify` checks, and if anything of this fails, everything goes back.
//!
//! Protocol: before `current` moves, the checkout's folder notes where it leads. Going back needs
//! nothing but this note, so it can be done again after a crash, by the next runner too. Whatever
//! ends a deployment after `current` may have moved leads to going back: a failure, `timeout` and
//! `cancel`. Going back has the time of `timeout` once more.
//!
//! It does not promise that the programs of the configuration can go back: what a migration of a
//! database has changed stays changed.

use std::path::Path;
use std::time::Duration;

use super::checkout;
use super::job::Job;
use super::log::Log;
use super::outcome::{JobEnd, cancelled, end_of, failed, in_phase, succeeded, with_remark};
use super::phase_program::PhaseProgram;
use super::programs::run_program;
use crate::checkout::{CURRENT, CheckoutOrder, WentBack};
use crate::phase::Phase;
use crate::status::Status;
use crate::store::{Outcome, PhaseEnd};
use crate::sys::clock::{self, Deadline};
use crate::text;

/// How long to wait before a check is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// How often to look meanwhile whether somebody cancelled the deployment.
const LOOK: Duration = Duration::from_millis(100);

/// Makes a release the current one, activates and checks it. If that fails, what was there before
/// is activated again. `command`: how the command ended, if there is one.
///
/// # Errors
/// The deployment is not this runner's any more.
pub(super) fn activate(
    job: &mut Job<'_>,
    log: &mut Log,
    order: &CheckoutOrder,
    release: &Path,
    command: Outcome,
) -> Result<Outcome, JobEnd> {
    let outcome = match put_into_force(job, log, order, release) {
        Ok(outcome) | Err(JobEnd::Outcome(outcome)) => outcome,
        Err(end) => return Err(end),
    };
    if outcome.status == Status::Succeeded {
        return Ok(with_remark(command, outcome.reason));
    }

    let end = end_of(&outcome);
    job.phases.enter(Phase::GoBack, end);
    go_back(job, log, order, &outcome)
}

/// Makes a release the current one, activates and checks it. An end that is not success is that of
/// the phase in which it came.
fn put_into_force(
    job: &mut Job<'_>,
    log: &mut Log,
    order: &CheckoutOrder,
    release: &Path,
) -> Result<Outcome, JobEnd> {
    enter(job, log, Phase::Activate);
    checkout::make_current(job, log, order)?;
    let mut outcome = succeeded();
    if let Some(arguments) = job.settings.activate.clone() {
        let folder = Some(release.to_owned());
        let program = PhaseProgram::new(job, Phase::Activate, arguments, folder);
        outcome = run_program(job, log, &program)?;
    }
    if outcome.status != Status::Succeeded {
        return Ok(outcome);
    }

    let remark = outcome
        .reason
        .map(|reason| in_phase(Phase::Activate, &reason));
    let Some(arguments) = job.settings.verify.clone() else {
        return Ok(with_remark(succeeded(), remark));
    };
    enter(job, log, Phase::Verify);
    let folder = Some(release.to_owned());
    let program = PhaseProgram::new(job, Phase::Verify, arguments, folder);
    let checked = verify(job, log, &program);
    job.phase_limit = None;

    let checked = checked?;
    if checked.status != Status::Succeeded {
        return Ok(checked);
    }
    let own = checked
        .reason
        .map(|reason| in_phase(Phase::Verify, &reason));
    Ok(with_remark(with_remark(succeeded(), remark), own))
}

/// Goes on to a phase after one that succeeded, if the job is not in that phase already. A command
/// alone needs no heading.
pub(super) fn enter(job: &mut Job<'_>, log: &mut Log, phase: Phase) {
    if job.phases.now() == Some(phase) {
        return;
    }
    job.phases.enter(phase, PhaseEnd::succeeded());
    if job.run.checkout.is_some() || job.mirror.is_some() {
        log.heading(phase);
    }
}

/// Runs the check until it succeeds, as often and as long as the configuration says.
fn verify(job: &mut Job<'_>, log: &mut Log, program: &PhaseProgram) -> Result<Outcome, JobEnd> {
    let all = job.settings.verify_timeout.min(job.time_left);
    let until = Deadline::after(all);
    job.phase_limit = Some((until, job.settings.verify_timeout));
    let tries = job.settings.verify_retries.saturating_add(1);

    for number in 1..=tries {
        let outcome = run_program(job, log, program)?;
        let is_last = number == tries || until.left() <= PAUSE;
        if outcome.status != Status::Failed || is_last {
            return Ok(tried(outcome, number));
        }

        let why = outcome.reason.unwrap_or_default();
        log.say(&format!("{why}; try {} of {tries} follows", number + 1));
        if let Some(by) = wait(job) {
            return Ok(cancelled(&by));
        }
    }
    Ok(failed("it was never tried"))
}

/// The end of a check after some tries.
fn tried(outcome: Outcome, number: usize) -> Outcome {
    if outcome.status != Status::Failed || number == 1 {
        return outcome;
    }
    with_remark(outcome, Some(format!("tried {number} times")))
}

/// Waits a moment; `Some`: this user cancelled the deployment meanwhile.
fn wait(job: &mut Job<'_>) -> Option<String> {
    let end = Deadline::after(PAUSE);
    while !end.is_over() {
        clock::sleep(LOOK.min(end.left()));
        // What can't be read now is read at the next look.
        if let Ok(Some(by)) = job.look_for_cancel() {
            return Some(by);
        }
    }
    None
}

/// Goes back to what was there before, and returns how the deployment ends that failed like
/// `ended`. The phase is entered already.
///
/// # Errors
/// The deployment is not this runner's any more.
pub(super) fn go_back(
    job: &mut Job<'_>,
    log: &mut Log,
    order: &CheckoutOrder,
    ended: &Outcome,
) -> Result<Outcome, JobEnd> {
    job.time_left = job.settings.timeout;
    job.heeds_cancel = ended.status != Status::Cancelled;
    let why = ended.reason.as_deref().unwrap_or_default();
    log.say(why);
    log.heading(Phase::GoBack);

    let switched = switch_back(job, log, order);
    // What follows tidies up, which whoever cancelled the deployment does not wait for.
    job.heeds_cancel = true;
    let went = match switched {
        Ok(went) => went,
        Err(JobEnd::Outcome(outcome)) => Went {
            words: format!("could not go back: {}", outcome.reason.unwrap_or_default()),
            end: outcome.status,
        },
        Err(end) => return Err(end),
    };
    log.say(&went.words);
    job.phases.end(PhaseEnd {
        status: went.end,
        reason: Some(went.words.clone()),
    });

    let failed_in = job.phases.failed_in().unwrap_or(Phase::Activate);
    let why = match ended.status {
        Status::Cancelled => why.to_owned(),
        _ => in_phase(failed_in, why),
    };
    Ok(Outcome {
        reason: Some(format!("{why}; {}", went.words)),
        exit_status: None,
        ..ended.clone()
    })
}

/// What came of going back.
struct Went {
    words: String,
    /// How the phase ended.
    end: Status,
}

/// Lets `current` lead back, and activates what was there before.
fn switch_back(job: &mut Job<'_>, log: &mut Log, order: &CheckoutOrder) -> Result<Went, JobEnd> {
    let nothing = |words: &str| Went {
        words: words.to_owned(),
        end: Status::Failed,
    };
    let release = match checkout::go_back(job, log, order)? {
        WentBack::To(release) => release,
        // What it moved may be in the folder that was configured when it began.
        WentBack::NotMoved if job.is_checkout_assumed => {
            let current = order.folder.join(CURRENT);
            let current = text::escape(current.as_os_str().as_encoded_bytes(), 200);
            return Ok(nothing(&format!(
                "could not go back: this deployment has not moved {current}; look whether \
                 checkout was another folder before"
            )));
        }
        WentBack::NotMoved => {
            return Ok(Went {
                words: "current had not moved".to_owned(),
                end: Status::Succeeded,
            });
        }
        WentBack::Same => return Ok(nothing("current led to the same release before")),
        WentBack::NothingBefore => {
            return Ok(nothing("there is no release before it to go back to"));
        }
        WentBack::Elsewhere => {
            return Ok(nothing(
                "did not go back, because current leads to another release now",
            ));
        }
    };

    let words = format!("went back to {}", release.revision().short());
    let Some(arguments) = job.settings.activate.clone() else {
        // There may have been a program when the deployment began.
        let words = if job.phases.is_taken_over() {
            format!("{words}; nothing was activated, because activate is not configured")
        } else {
            words
        };
        return Ok(Went {
            words,
            end: Status::Succeeded,
        });
    };
    let folder = order.release_path(&release);
    let revision = release.revision().clone();
    let program = PhaseProgram::going_back(job, arguments, folder, revision);
    let outcome = match run_program(job, log, &program) {
        Ok(outcome) | Err(JobEnd::Outcome(outcome)) => outcome,
        Err(end) => return Err(end),
    };

    let remark = outcome.reason.unwrap_or_default();
    let words = match outcome.status {
        Status::Succeeded if remark.is_empty() => words,
        Status::Succeeded => format!("{words} ({remark})"),
        _ => format!("{words}, but activate failed there: {remark}"),
    };
    Ok(Went {
        words,
        end: outcome.status,
    })
}
