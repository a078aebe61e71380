//! The runner's process.

use super::error::Error;
use super::place::Place;
use crate::deploy_repository::DeployRepository;
use crate::id::Environment;
use crate::planning::plan_tip;
use crate::runner;
use crate::store::Store;
use crate::sys::syslog;
use crate::wake;

/// Picks up what hooks left, then carries out what is queued for an environment. What goes wrong is
/// told to the system log, since nobody else listens.
///
/// # Errors
/// The runner can't go on; what is queued stays queued.
pub fn run(place: &Place, environment: &Environment) -> Result<(), Error> {
    let done = place.deploy().and_then(|mut deploy| {
        pick_up(&deploy, environment);
        Ok(runner::run(&mut deploy, environment)?)
    });
    if let Err(error) = &done {
        syslog::failure("run", &error.to_string());
    }
    done
}

/// Plans what hooks missed. What goes wrong here goes wrong for the next hook too, which says so;
/// what is queued is carried out all the same.
fn pick_up(deploy: &DeployRepository, own: &Environment) {
    let Ok(mut store) = deploy.open_store() else {
        return;
    };
    if is_behind(deploy, &mut store) != Some(true) {
        return;
    }

    if let Ok(planned) = plan_tip(deploy, &mut store, None) {
        let others = planned
            .environments()
            .into_iter()
            .filter(|environment| *environment != own);
        for environment in others {
            // Where none can be started, whoever comes next starts one.
            let _ = wake::runner(deploy, environment);
        }
    }
}

/// Whether something lies between cursor and tip; `None`: that can't be told.
fn is_behind(deploy: &DeployRepository, store: &mut Store) -> Option<bool> {
    let tip = deploy.repository.branch_tip(&deploy.branch).ok()?;
    let cursor = store.read().ok()?.cursor().ok()??;
    Some(cursor.branch == deploy.branch && cursor.commit != tip)
}
