//! `reconcile`: plans what hooks missed, and starts runners where something waits.

use std::time::Duration;

use super::error::Error;
use super::place::Place;
use crate::id::Environment;
use crate::planning::{Planned, Push, plan_tip};
use crate::publish;
use crate::store;
use crate::sys::{clock, syslog};
use crate::wake;

/// How long post-receive has before a `reconcile` that was woken beside it looks.
const HEAD_START: Duration = Duration::from_secs(1);

/// What was left to do.
#[derive(Debug, Default)]
pub struct Reconciled {
    /// What was planned.
    pub planned: Planned,
    /// Where something is queued or running: a runner was started there.
    pub busy: Vec<Environment>,
}

/// Plans what hooks missed, and starts a runner wherever something waits or a dead one left
/// something. `after_push`: the push that it was woken beside; then post-receive goes first, and
/// what goes wrong is told to the system log, since nobody else listens.
///
/// # Errors
/// The deploy repository or the state can't be used; nothing was planned then.
pub fn reconcile(place: &Place, after_push: Option<&Push>) -> Result<Reconciled, Error> {
    if after_push.is_some() {
        clock::sleep(HEAD_START);
    }

    let done = reconcile_now(place, after_push);
    if let (Err(error), Some(_)) = (&done, after_push) {
        syslog::failure("reconcile", &error.to_string());
    }
    done
}

fn reconcile_now(place: &Place, after_push: Option<&Push>) -> Result<Reconciled, Error> {
    let deploy = place.deploy()?;
    let mut store = match deploy.open_store() {
        // The hook was linked by hand, and post-receive has not made the state yet.
        Err(store::Error::Missing(_)) if after_push.is_some() => return Ok(Reconciled::default()),
        other => other?,
    };

    let planned = plan_tip(&deploy, &mut store, after_push)?;
    let busy = store.read()?.busy_environments()?;
    for environment in &busy {
        wake::runner(&deploy, environment)?;
    }
    publish::to_syslog(&mut store);
    store.checkpoint();
    Ok(Reconciled { planned, busy })
}
