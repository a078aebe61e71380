//! `cancel`: ends a queued or running deployment.

use super::error::Error;
use super::find::find;
use super::place::Place;
use super::start::start_runner;
use crate::id::DeploymentId;
use crate::identity::Identity;
use crate::publish::Audience;
use crate::status::Status;
use crate::store::{self, Deployment, Outcome};
use crate::sys::clock;

/// What became of a deployment that was to be cancelled.
#[derive(Debug)]
pub enum Cancelled {
    /// It had not begun and is cancelled now.
    BeforeItBegan(Deployment),
    /// It is running, and its runner was asked to stop it.
    Asked(Deployment),
}

/// Ends a queued or running deployment.
///
/// # Errors
/// It has ended already, or the state can't be changed.
pub fn cancel(place: &Place, id: DeploymentId, by: &Identity) -> Result<Cancelled, Error> {
    let (deploy, mut store) = place.deploy_and_store()?;
    let outcome = Outcome::new(Status::Cancelled, format!("by {}", by.name));

    let deployment = find(&*store.read()?, id)?;
    let status = store.transaction(|transaction| {
        let now = transaction.deployment(id)?;
        let status = now.map_or(deployment.status, |now| now.status);
        match status {
            Status::Queued => {
                transaction.ask_to_cancel(id, by)?;
                // The status was read in this transaction, so nobody can have changed it since.
                let _ = transaction.finish(id, &outcome, clock::now())?;
            }
            Status::Running => transaction.ask_to_cancel(id, by)?,
            _ => {}
        }
        Ok::<_, store::Error>(status)
    })?;
    Audience::of(&deploy).tell(&mut store);

    let target = &deployment.target;
    if status.has_ended() {
        return Err(Error::refused(
            format!("{id} {target} has ended already: {status}"),
            "there is nothing to cancel",
        ));
    }

    // The runner skips the deployments that waited for this one. If the runner of a running
    // deployment has died, the new one ends the command.
    start_runner(place, &deploy, &target.environment)?;
    Ok(match status {
        Status::Queued => Cancelled::BeforeItBegan(deployment),
        _ => Cancelled::Asked(deployment),
    })
}
