//! `cancel`: ends a queued or running deployment.

use super::error::Error;
use super::follow::find;
use super::place::Place;
use crate::id::DeploymentId;
use crate::identity::Identity;
use crate::publish;
use crate::status::Status;
use crate::store::{self, Deployment, Outcome};
use crate::sys::clock;
use crate::wake;

/// What cancelling a deployment came to.
#[derive(Debug)]
pub enum Cancelled {
    /// It was cancelled before it began.
    BeforeItBegan(Deployment),
    /// It runs, and its runner was told to end it.
    Asked(Deployment),
}

/// Ends a queued or running deployment.
///
/// # Errors
/// It has ended, or the state can't be changed.
pub fn cancel(place: &Place, id: DeploymentId, by: &Identity) -> Result<Cancelled, Error> {
    let (deploy, mut store) = place.deploy_and_store()?;
    let outcome = Outcome::new(Status::Cancelled, format!("by {}", by.name));

    let deployment = find(&*store.read()?, id)?;
    let status = store.transaction(|transaction| {
        let now = transaction.deployment(id)?;
        let status = now.map_or(deployment.status, |now| now.status);
        match status {
            Status::Queued => {
                // In this transaction nobody can be faster.
                let _ = transaction.finish(id, &outcome, clock::now())?;
            }
            Status::Running => transaction.ask_to_cancel(id, by)?,
            _ => {}
        }
        Ok::<_, store::Error>(status)
    })?;
    publish::to_syslog(&mut store);

    let target = &deployment.target;
    if status.has_ended() {
        return Err(Error::refused(
            format!("{id} {target} has ended: {status}"),
            "there is nothing to cancel",
        ));
    }
    // Those that waited for it are to be skipped, and a dead runner's command to be ended.
    wake::runner(&deploy, &target.environment)?;
    Ok(match status {
        Status::Queued => Cancelled::BeforeItBegan(deployment),
        _ => Cancelled::Asked(deployment),
    })
}
