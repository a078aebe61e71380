//! post-receive: records what a push deploys, and starts the runners.

use std::io::{self, BufRead};
use std::path::Path;

use super::environment::{HookEnvironment, pusher};
use super::touched::{Concerned, recorded};
use crate::deploy_repository::{self, DeployRepository, MissingBranch};
use crate::id::{Application, DeploymentId, Environment, Target};
use crate::judging::{ApplicationRepositories, NotDeployed, near_misses, not_deployed};
use crate::planning::{self, Planned, Push, Queued, QueuedByOther, plan_tip};
use crate::policy::Refusal;
use crate::publish::Audience;
use crate::refs::{self, RefUpdate};
use crate::sys::syslog;
use crate::text;
use crate::wake;

/// What post-receive reports to the pusher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// A deployment is recorded.
    Queued(Box<Queued>),
    /// A deployment of this push was recorded by another process.
    QueuedByOther(Box<QueuedByOther>),
    /// An application is no longer wanted.
    Retired(Target),
    /// Something on the branch can't be deployed.
    Problem(Refusal),
    /// Another branch was made, and the deploy branch does not exist.
    MissingBranch(MissingBranch),
    /// The push changed this, and nothing was planned for it.
    NotDeployed(Vec<NotDeployed>),
}

impl Announcement {
    /// The number of the deployment that it is about.
    #[must_use]
    pub fn id(&self) -> Option<DeploymentId> {
        match self {
            Self::Queued(queued) => Some(queued.id),
            Self::QueuedByOther(queued) => Some(queued.deployment.id),
            Self::Retired(_) | Self::Problem(_) | Self::MissingBranch(_) | Self::NotDeployed(_) => {
                None
            }
        }
    }
}

/// Something that post-receive could not do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The deploy repository or its configuration can't be used, so nothing was planned.
    #[error(
        "{0}\nwhat was pushed will be planned by the next push after this is fixed, or by: \
         deploy-by-code reconcile"
    )]
    Unusable(deploy_repository::Error),
    /// Planning failed, so nothing was recorded.
    #[error(
        "{0}\nnothing is lost: the next push plans it; to plan it now: deploy-by-code reconcile"
    )]
    NotPlanned(planning::Error),
    /// The deployments are recorded, but no runner can be started for them.
    #[error(
        "no runner could be started for {environment}: {error}\n\
         start it with: deploy-by-code reconcile"
    )]
    NoRunner {
        /// The environment of the deployments.
        environment: Environment,
        /// Why not.
        error: io::Error,
    },
}

/// What post-receive did.
#[derive(Default)]
#[must_use]
pub struct Received {
    /// What is reported to the pusher.
    pub announcements: Vec<Announcement>,
    /// What did not work.
    pub failures: Vec<Failure>,
    /// The repository, to follow what was queued.
    pub deploy: Option<DeployRepository>,
}

/// Records what a push deploys, and starts the runners. If a push does not touch the deploy branch,
/// this returns as soon as its lines are read. `fetching` gets to know whose repository is fetched
/// from another host.
pub fn post_receive(
    environment: &HookEnvironment,
    config: Option<&Path>,
    input: impl BufRead,
    fetching: impl FnMut(&Application),
) -> Received {
    let mut received = Received::default();
    let deploy = match DeployRepository::open(&environment.git_dir, config) {
        Ok(deploy) => deploy,
        Err(error) => {
            received.cannot_open(environment, error, input);
            return received;
        }
    };

    let push = match read_push(&deploy, input) {
        Pushed::DeployBranch(push) => push,
        Pushed::NewBranch => {
            // This only informs the pusher, so no error matters.
            let missing = deploy.missing_branch().ok().flatten();
            let missing = missing.map(Announcement::MissingBranch);
            received.announcements.extend(missing);
            return received;
        }
        Pushed::Other => return received,
    };

    if let Err(error) = received.plan(&deploy, &push, fetching) {
        received.fail(&deploy, Failure::NotPlanned(error));
    }
    received.deploy = Some(deploy);
    received
}

/// The branches that a new clone usually has. Who makes one of them may wait for a deployment.
const USUAL_BRANCHES: [&[u8]; 2] = [b"refs/heads/main", b"refs/heads/master"];

/// What a push is about.
enum Pushed {
    DeployBranch(Push),
    /// A branch was made that is usually the deploy branch, and here is not.
    NewBranch,
    Other,
}

/// The update of the deploy branch, if it is among the updates that git tells.
fn read_push(deploy: &DeployRepository, input: impl BufRead) -> Pushed {
    let is_wanted = |name: &[u8]| deploy.is_branch(name) || USUAL_BRANCHES.contains(&name);

    let update = match refs::read(input, is_wanted) {
        Ok(updates) => {
            let (mut own, others): (Vec<_>, Vec<_>) = updates
                .into_iter()
                .partition(|update| deploy.is_branch(&update.name));
            match (own.as_mut_slice(), others.first()) {
                ([_], _) => own.pop(),
                // Two lines about the branch: neither says how it moved. The planner finds out.
                ([_, ..], _) => None,
                ([], Some(RefUpdate { old: None, .. })) => return Pushed::NewBranch,
                ([], _) => return Pushed::Other,
            }
        }
        // The line that could not be read may be about the deploy branch. The planner finds out
        // whether it is.
        Err(_) => None,
    };

    let old_is_told = update.is_some();
    let (old, new) = match update {
        Some(RefUpdate { old, new, .. }) => (old, new),
        None => (None, None),
    };
    Pushed::DeployBranch(Push {
        old,
        old_is_told,
        new,
        pusher: Some(pusher()),
    })
}

impl Received {
    /// Notes a failure for the pusher, and sends it to syslog for the administrator.
    fn fail(&mut self, deploy: &DeployRepository, failure: Failure) {
        Audience::of(deploy).report_failure("post-receive", &text::with_causes(&failure));
        self.failures.push(failure);
    }

    /// Notes that nothing can be planned, unless the push is certainly not about the deploy branch.
    fn cannot_open(
        &mut self,
        environment: &HookEnvironment,
        error: deploy_repository::Error,
        input: impl BufRead,
    ) {
        let is_unreadable = matches!(error, deploy_repository::Error::Git(_));
        let recorded = recorded(environment, Err(&error));
        let concerned = Concerned::by(Err(&error), &recorded);
        let touches = refs::read(input, |name| concerned.has(name));
        // A line that can't be read may be about the branch.
        let touches = touches.map_or(true, |updates| !updates.is_empty());

        if is_unreadable || touches {
            let failure = Failure::Unusable(error);
            let message = text::with_causes(&failure);
            syslog::failure(&environment.git_dir, "post-receive", &message);
            self.failures.push(failure);
        }
    }

    /// Plans what the push brought, starts the runners and collects what to tell the pusher.
    fn plan(
        &mut self,
        deploy: &DeployRepository,
        push: &Push,
        fetching: impl FnMut(&Application),
    ) -> Result<(), planning::Error> {
        let mut store = deploy.open_or_create_store()?;
        let mut repositories = ApplicationRepositories::fetching(fetching);
        let planned = plan_tip(deploy, &mut store, Some(push), &mut repositories)?;

        let has_runner = self.start_runners(deploy, &planned);
        // A runner sends the events to syslog when it starts. Then the pusher need not wait for
        // that.
        if !has_runner {
            Audience::of(deploy).tell(&mut store);
        }
        self.announce(planned);
        self.explain_silence(deploy, push);
        Ok(())
    }

    /// Collects what the push changed without a deployment. If something was planned, only files
    /// are named that may have been meant to be deploy files. If that can't be read, the pusher is
    /// told nothing about it: everything is recorded.
    fn explain_silence(&mut self, deploy: &DeployRepository, push: &Push) {
        let Some(new) = &push.new else { return };
        let look = if self.announcements.is_empty() {
            not_deployed
        } else {
            near_misses
        };
        let found = look(deploy, push.old.as_ref(), new).unwrap_or_default();
        if !found.is_empty() {
            self.announcements.push(Announcement::NotDeployed(found));
        }
    }

    /// Starts a runner for each environment that has something new to do. Returns whether at least
    /// one was started.
    fn start_runners(&mut self, deploy: &DeployRepository, planned: &Planned) -> bool {
        let mut has_runner = false;
        for environment in planned.environments() {
            match wake::runner(deploy, environment) {
                Ok(()) => has_runner = true,
                Err(error) => {
                    let environment = environment.clone();
                    self.fail(deploy, Failure::NoRunner { environment, error });
                }
            }
        }
        has_runner
    }

    /// Collects what this push brought, whichever process planned it.
    fn announce(&mut self, planned: Planned) {
        let Planned {
            queued,
            retired,
            problems,
            others,
            ..
        } = planned;

        let own = queued.into_iter().map(Box::new).map(Announcement::Queued);
        let by_others = others.queued.into_iter().map(Box::new);
        let retired = retired.into_iter().chain(others.retired);
        let problems = problems.into_iter().chain(others.problems);
        self.announcements = own
            .chain(by_others.map(Announcement::QueuedByOther))
            .chain(retired.map(Announcement::Retired))
            .chain(problems.map(Announcement::Problem))
            .collect();
    }
}
