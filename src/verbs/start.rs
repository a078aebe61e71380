//! Starting the runner of an environment.

use super::error::Error;
use crate::deploy_repository::DeployRepository;
use crate::id::Environment;
use crate::wake;

/// Starts a runner for an environment. Where one runs already, the new one ends again.
///
/// # Errors
/// It can't be started. What is queued stays queued.
pub(super) fn start_runner(
    deploy: &DeployRepository,
    environment: &Environment,
) -> Result<(), Error> {
    let error = Error::system(
        format!("no runner can be started for {environment}"),
        "what is queued stays queued; to try again: deploy-by-code reconcile",
    );
    wake::runner(deploy, environment).map_err(error)
}
