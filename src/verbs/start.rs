//! Starting the runner of an environment for a person.

use super::error::Error;
use super::ownership::{Acts, may_act};
use super::place::Place;
use crate::deploy_repository::DeployRepository;
use crate::id::Environment;
use crate::wake;

/// Starts a runner for an environment, if this user may. Where one runs already, the new one ends
/// again.
///
/// # Errors
/// This user may not, or it can't be started. What is queued stays queued.
pub(super) fn start_runner(
    place: &Place,
    deploy: &DeployRepository,
    environment: &Environment,
) -> Result<(), Error> {
    may_act(place, Acts::Starts)?;
    start_runner_of_push(deploy, environment)
}

/// Starts a runner for an environment as the user who pushed. git let that user push.
///
/// # Errors
/// It can't be started. What is queued stays queued.
pub(super) fn start_runner_of_push(
    deploy: &DeployRepository,
    environment: &Environment,
) -> Result<(), Error> {
    let error = Error::system(
        format!("no runner can be started for {environment}"),
        "what is queued stays queued; to try again: deploy-by-code reconcile",
    );
    wake::runner(deploy, environment).map_err(error)
}
