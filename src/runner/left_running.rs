//! The deployments of a state that still run, by their processes alone: for a state that was made
//! anew or restored, and so does not know them.
//!
//! It does not promise to find a command whose processes have all given up their environment, or
//! run as a user whose processes may not be looked at.

use std::collections::BTreeMap;
use std::path::Path;

use crate::id::{Application, DeploymentId, Environment, Revision, Target};
use crate::phase::Phase;
use crate::store::{LeftRunning, Run, state_mark};
use crate::sys::marked::{self, Marked};
use crate::sys::process::{ProcessIdentity, ProcessSpace};
use crate::sys::unseen::Unseen;

/// The deployments of the state in a folder that have a process, by their numbers. Those that a
/// runner looks after are among them.
///
/// # Errors
/// Some processes could not be looked at, or one has the number of a deployment of this state and
/// does not say which one that is.
pub fn left_running(folder: &Path) -> Result<Vec<LeftRunning>, Unseen> {
    let mut by_id: BTreeMap<DeploymentId, Vec<Marked>> = BTreeMap::new();
    for process in marked::bearing(&state_mark(folder))? {
        let id = process.variable("DEPLOY_ID").map(str::parse);
        // What has no number is no part of a deployment for the runner either.
        if let Some(Ok(id)) = id {
            by_id.entry(id).or_default().push(process);
        }
    }

    let space = ProcessSpace::own()?;
    // As long as this process lives, it looks after them.
    let runner = ProcessIdentity::own()?;
    let one = |(id, processes): (DeploymentId, Vec<Marked>)| {
        // The first process of a command is older than all others, and leads its session. If it has
        // ended, no other takes its place: what is older than the leader would not be waited for.
        let leader = processes.first().filter(|oldest| oldest.leads_session);
        let Some((target, revision)) = processes.iter().find_map(asked_for) else {
            let pids: Vec<String> = processes
                .iter()
                .map(|process| process.identity.pid.to_string())
                .collect();
            let why = format!("it belongs to {id}, but does not say what that deploys");
            return Err(Unseen::because(format!("/proc/{}", pids.join(",")), &why));
        };

        let mut commits = processes
            .iter()
            .filter_map(|process| process.variable("DEPLOY_COMMIT"));
        Ok(LeftRunning {
            id,
            target,
            revision,
            deploy_commit: commits.find_map(|commit| Revision::new(commit).ok()),
            run: Run {
                space: space.clone(),
                runner,
                leader: leader.map(|leader| leader.identity),
                cgroup: processes.iter().find_map(|process| process.cgroup.clone()),
                checkout: None,
            },
        })
    };
    by_id.into_iter().map(one).collect()
}

/// What a process of a deployment deploys, and where.
fn asked_for(process: &Marked) -> Option<(Target, Revision)> {
    let target = Target {
        environment: Environment::new(process.variable("DEPLOY_ENVIRONMENT")?).ok()?,
        application: Application::new(process.variable("DEPLOY_APPLICATION")?).ok()?,
    };
    // A program that activates again what was active before knows that as its revision.
    let revision = match process.variable("DEPLOY_PHASE") {
        Some(phase) if phase == Phase::GoBack.as_str() => "DEPLOY_PREVIOUS_REVISION",
        _ => "DEPLOY_REVISION",
    };
    let revision = Revision::new(process.variable(revision)?).ok()?;
    Some((target, revision))
}
