//! `reconcile`: plans what hooks missed, and starts runners where something waits.

use std::time::Duration;

use super::error::Error;
use super::place::Place;
use super::report_failure::report_failure;
use super::start::{start_runner, start_runner_of_push};
use crate::id::Environment;
use crate::planning::{Planned, Push, plan_tip};
use crate::publish::Audience;
use crate::store;
use crate::sys::clock;
use crate::text;

/// How long a `reconcile` that was started after a push leaves the work to post-receive.
const HEAD_START: Duration = Duration::from_secs(1);

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

    let planned = plan_tip(&deploy, &mut store, after_push)?;
    let busy = store.read()?.busy_environments()?;
    for environment in &busy {
        match after_push {
            None => start_runner(place, &deploy, environment)?,
            Some(_) => start_runner_of_push(&deploy, environment)?,
        }
    }

    Audience::of(&deploy).tell(&mut store);
    store.checkpoint();
    Ok(Reconciled { planned, busy })
}
