//! `reconcile`: plans what hooks missed, and starts runners where something waits.

use super::dates::find_dates;
use super::error::Error;
use super::metrics::write_metrics;
use super::place::Place;
use super::published_lag::published_lag;
use super::report_failure::report_failure;
use super::start::{start_runner, start_runner_of_push};
use crate::deploy_repository::DeployRepository;
use crate::id::Environment;
use crate::judging::ApplicationRepositories;
use crate::planning::{HEAD_START, Planned, Push, is_behind, is_left_behind, plan_tip};
use crate::publish::{Audience, MARKS, STATUS, give_up_gone};
use crate::store::{self, Store};
use crate::sys::clock;
use crate::text;

/// What `reconcile` did.
#[derive(Debug, Default)]
pub struct Reconciled {
    /// What was planned.
    pub planned: Planned,
    /// The environments in which something is queued or running. A runner was started for each.
    pub busy: Vec<Environment>,
}

/// Plans what the hooks missed, and starts a runner wherever something waits or a dead runner left
/// something. `after_push` is the push after which reference-transaction started this process. Then
/// post-receive goes first, and errors also go to the system log, since nobody else sees them.
///
/// # Errors
/// The deploy repository or the state can't be used. Then nothing was planned.
pub fn reconcile(place: &Place, after_push: Option<&Push>) -> Result<Reconciled, Error> {
    if after_push.is_some() {
        clock::sleep(HEAD_START);
    }

    let done = reconcile_now(place, after_push);
    if let (Err(error), Some(_)) = (&done, after_push) {
        report_failure(place, "reconcile", &text::with_causes(error));
    }
    done
}

fn reconcile_now(place: &Place, after_push: Option<&Push>) -> Result<Reconciled, Error> {
    let deploy = place.deploy()?;
    let mut store = match deploy.open_store() {
        // Somebody linked the hooks by hand, and post-receive has not made the state yet.
        Err(store::Error::Missing(_)) if after_push.is_some() => return Ok(Reconciled::default()),
        other => other?,
    };

    if let Some(push) = after_push
        && deploy.repository.branch_tip(&deploy.branch)? != push.new
    {
        // A later push has moved the branch, and its hooks go first. Whatever they do, all is
        // planned now.
        is_left_behind(|| is_behind(&deploy, &mut store))?;
    }
    let mut repositories = ApplicationRepositories::fetching(|_| {});
    let planned = plan_tip(&deploy, &mut store, after_push, &mut repositories)?;
    let busy = store.read()?.busy_environments()?;
    for environment in &busy {
        match after_push {
            None => start_runner(place, &deploy, environment)?,
            Some(_) => start_runner_of_push(&deploy, environment)?,
        }
    }

    let audience = Audience::of(&deploy);
    if after_push.is_none() {
        give_up_gone(&mut store, &deploy);
        if let Err(error) = take_up_again(&deploy, &mut store) {
            audience.report_failure("publish", &text::with_causes(&error));
        }
    }
    audience.tell(&mut store);
    if let Err(error) = count(&deploy, &mut store, after_push.is_some()) {
        audience.report_failure("metrics", &text::with_causes(&error));
    }
    store.tidy_log();
    Ok(Reconciled { planned, busy })
}

/// Lets what is published be made what the record says where nobody works on that any more: where
/// it was given up, or the ref of the status was set back, removed or changed in the configuration.
/// The figures are written by each call.
fn take_up_again(deploy: &DeployRepository, store: &mut Store) -> Result<(), Error> {
    let record = store.read()?;
    let (given_up, _) = record.failed_notifications(MARKS, None)?;
    let position = record.known_position(STATUS)?;
    let is_tried = record.next_waiting(STATUS)?.is_some();
    drop(record);

    if given_up > 0 && deploy.config.has_marks() {
        store.optional_transaction(|transaction| transaction.try_given_up(MARKS))?;
    }
    // The position was read before the ref is: an event up to there was published before that.
    let is_told = |event| position.is_some_and(|position| position >= event);
    if let Some(lag) = published_lag(deploy, store)?
        && is_told(lag.newest.id)
        && !is_tried
    {
        store.optional_transaction(|transaction| transaction.forget_reader(STATUS))?;
    }
    Ok(())
}

/// Finds out what the figures need, and writes them where the configuration says so. After a push
/// they are written when its events are told.
fn count(deploy: &DeployRepository, store: &mut Store, is_push: bool) -> Result<(), Error> {
    match &deploy.config.metrics_textfile {
        Some(folder) if !is_push => write_metrics(deploy, store, folder),
        _ => find_dates(deploy, store),
    }
}
