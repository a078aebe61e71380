//! `release`: stops waiting for what dead runners left running.

use super::error::Error;
use super::names::names;
use super::place::Place;
use super::start::start_runner;
use crate::id::Environment;
use crate::identity::Identity;
use crate::publish::Audience;
use crate::runner::{running, unwatched};
use crate::status::Status;
use crate::store::{Deployment, Filter};
use crate::sys::clock;

/// Stops waiting for what dead runners left running in an environment, and returns the deployments
/// that left it.
///
/// # Errors
/// Nothing holds the environment, or nothing does any more, or the state can't be changed.
pub fn release(
    place: &Place,
    environment: &Environment,
    by: &Identity,
) -> Result<Vec<Deployment>, Error> {
    let (deploy, mut store) = place.deploy_and_store()?;
    let filter = Filter {
        environment: Some(environment.clone()),
        application: None,
    };

    names(&deploy, &mut store)?.check_filter(&filter)?;
    let record = store.read()?;
    let open = record.open_deployments(environment)?;
    let running = running(&record, &filter)?;
    drop(record);
    let left = unwatched(&mut store, running)?.into_iter();
    let left: Vec<Deployment> = left.map(|left| left.deployment).collect();

    // A deployment that a runner looks after is ended by `cancel`.
    let is_watched = |open: &&Deployment| {
        open.status == Status::Running && left.iter().all(|left| left.id != open.id)
    };
    if let Some(deployment) = open.iter().find(is_watched) {
        let (id, target) = (deployment.id, &deployment.target);
        return Err(Error::refused(
            format!("{environment} is not held: a runner looks after {id} {target}"),
            format!("to end it: deploy-by-code cancel {}", id.0),
        ));
    }
    if left.is_empty() {
        return Err(Error::refused(
            format!("{environment} is not held by anything"),
            "to see what waits: deploy-by-code status",
        ));
    }

    // Until here nothing was locked, so what was left running can have ended meanwhile, and a
    // runner can have begun something else.
    let released = store.transaction(|transaction| {
        transaction.ask_to_release(environment, left, by, clock::now())
    })?;
    Audience::of(&deploy).tell(&mut store);
    start_runner(place, &deploy, environment)?;
    if released.is_empty() {
        return Err(Error::refused(
            format!(
                "{environment} is not held any more: what was left running there has ended, or \
                 somebody else has released it"
            ),
            "to see what waits: deploy-by-code status",
        ));
    }
    Ok(released)
}
