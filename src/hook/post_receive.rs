//! post-receive: records what a push deploys, and wakes the runners.

use std::io::BufRead;
use std::path::Path;

use super::environment::{HookEnvironment, pusher};
use super::touched::possible_branches;
use crate::deploy_repository::{DeployRepository, Error};
use crate::id::Target;
use crate::planning::{self, Planned, Push, Queued, plan_tip};
use crate::policy::Refusal;
use crate::publish;
use crate::refs::{self, RefUpdate};
use crate::store::Deployment;
use crate::sys::syslog;
use crate::wake;

/// What post-receive tells the pusher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// A deployment is recorded.
    Queued(Box<Queued>),
    /// A deployment of this push was recorded by another process.
    QueuedByOther(Box<Deployment>),
    /// An application is not wanted any more.
    Retired(Target),
    /// Something on the branch can't be deployed.
    Problem(Refusal),
}

/// What post-receive did.
#[derive(Default)]
#[must_use]
pub struct Received {
    /// What there is to tell.
    pub announcements: Vec<Announcement>,
    /// What did not work.
    pub failures: Vec<String>,
    /// The repository, for following what was queued.
    pub deploy: Option<DeployRepository>,
}

/// Records what a push deploys and wakes the runners. A push that does not touch the deploy branch
/// ends after its lines were read.
pub fn post_receive(
    environment: &HookEnvironment,
    config: Option<&Path>,
    input: impl BufRead,
) -> Received {
    let mut received = Received::default();
    let deploy = match DeployRepository::open(&environment.git_dir, config) {
        Ok(deploy) => deploy,
        Err(error) => {
            received.cannot_open(environment, &error, input);
            return received;
        }
    };
    let Some(push) = read_push(&deploy, input) else {
        return received;
    };

    if let Err(error) = received.plan(&deploy, &push) {
        received.fail(&format!(
            "{error}\nnothing is lost: the next push or deploy-by-code reconcile plans it"
        ));
    }
    received.deploy = Some(deploy);
    received
}

/// The update of the deploy branch, if it is among those that git tells.
fn read_push(deploy: &DeployRepository, input: impl BufRead) -> Option<Push> {
    let update = match refs::read(input, |name| name == deploy.branch.as_bytes()) {
        Ok(mut updates) => Some(updates.pop()?),
        // What could not be read may have been the deploy branch; planning finds out.
        Err(_) => None,
    };

    let old_is_told = update.is_some();
    let (old, new) = match update {
        Some(RefUpdate { old, new, .. }) => (old, new),
        None => (None, None),
    };
    Some(Push {
        old,
        old_is_told,
        new,
        pusher: pusher(),
    })
}

impl Received {
    fn fail(&mut self, message: &str) {
        syslog::failure("post-receive", message);
        self.failures.push(message.to_owned());
    }

    /// Says that nothing can be planned, if the push may have been about the deploy branch.
    fn cannot_open(&mut self, environment: &HookEnvironment, error: &Error, input: impl BufRead) {
        let branches = match error {
            Error::Config(error) => possible_branches(environment, error),
            Error::Git(_) => Vec::new(),
        };
        let is_branch = |name: &[u8]| branches.iter().any(|branch| branch.as_bytes() == name);
        let touches = refs::read(input, is_branch).is_ok_and(|updates| !updates.is_empty());

        if matches!(error, Error::Git(_)) || touches {
            self.fail(&format!(
                "{error}\nwhat was pushed will be planned once this is mended, by the next push \
                 or: deploy-by-code reconcile"
            ));
        }
    }

    fn plan(&mut self, deploy: &DeployRepository, push: &Push) -> Result<(), planning::Error> {
        let mut store = deploy.open_or_create_store()?;
        let planned = plan_tip(deploy, &mut store, Some(push))?;

        let is_woken = self.wake(deploy, &planned);
        // A runner tells of the events at its start, and then nobody who pushes waits for it.
        if !is_woken {
            publish::to_syslog(&mut store);
        }
        self.announce(planned);
        Ok(())
    }

    /// Wakes the runners; says whether one was.
    fn wake(&mut self, deploy: &DeployRepository, planned: &Planned) -> bool {
        let mut is_woken = false;
        for environment in planned.environments() {
            match wake::runner(deploy, environment) {
                Ok(()) => is_woken = true,
                Err(error) => self.fail(&format!(
                    "no runner could be started for {environment}: {error}\n\
                     start it with: deploy-by-code reconcile"
                )),
            }
        }
        is_woken
    }

    /// What this push brought, whoever planned it.
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
