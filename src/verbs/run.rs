//! The runner's process.

use super::error::Error;
use super::place::Place;
use super::report_failure::report_failure;
use crate::deploy_repository::DeployRepository;
use crate::git::tidy_mirrors;
use crate::id::Environment;
use crate::judging::ApplicationRepositories;
use crate::planning::{is_behind, is_left_behind, plan_tip};
use crate::publish::Audience;
use crate::runner;
use crate::store::Store;
use crate::text;
use crate::wake;

/// Plans what the hooks missed, then carries out what is queued for an environment. Errors also go
/// to the system log, since nobody else sees them.
///
/// # Errors
/// The runner can't continue. What is queued stays queued.
pub fn run(place: &Place, environment: &Environment) -> Result<(), Error> {
    let done = place.deploy().and_then(|mut deploy| {
        let mut store = deploy.open_store()?;
        plan_missed(&deploy, &mut store, environment);
        runner::run(&mut deploy, &mut store, environment)?;
        // The mirrors can take an hour.
        drop(store);
        tidy_up(&deploy);
        Ok(())
    });
    if let Err(error) = &done {
        report_failure(place, "run", &text::with_causes(error));
        say_it_is_stuck(place, environment, error);
    }
    done
}

/// Tidies up the mirrors of application repositories, when nothing waits for this process any more.
fn tidy_up(deploy: &DeployRepository) {
    for error in tidy_mirrors(&deploy.state_dir()) {
        Audience::of(deploy).report_failure("run", &text::with_causes(&error));
    }
}

/// Records why this runner can't go on, for those who wait for what is queued. Where the state
/// can't be written to, they meet the same error themselves.
fn say_it_is_stuck(place: &Place, environment: &Environment, error: &Error) {
    let hint = error
        .hint()
        .map_or_else(String::new, |hint| format!("; {hint}"));
    let why = format!("{}{hint}", text::with_causes(error));
    let Ok((deploy, _)) = place.deploy_to_look() else {
        return;
    };
    if let Ok(mut store) = deploy.open_store() {
        let _ = store.transaction(|transaction| transaction.set_stuck(environment, Some(&why)));
    }
}

/// Plans what the hooks missed. An error here does not keep the runner from its queue, and the next
/// hook meets the same error and reports it.
fn plan_missed(deploy: &DeployRepository, store: &mut Store, own: &Environment) {
    if !is_left_behind(|| is_behind(deploy, store)).is_ok_and(|is_behind| is_behind) {
        return;
    }

    let mut repositories = ApplicationRepositories::fetching(|_| {});
    if let Ok(planned) = plan_tip(deploy, store, None, &mut repositories) {
        let others = planned
            .environments()
            .into_iter()
            .filter(|environment| *environment != own);
        for environment in others {
            // If no runner can be started, the next hook or `reconcile` starts one.
            let _ = wake::runner(deploy, environment);
        }
    }
}
