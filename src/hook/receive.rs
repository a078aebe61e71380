//! The three hooks.

use std::io::BufRead;

use super::environment::{HookEnvironment, pusher};
use super::planning::{self, Planned, Push, Queued, plan_tip};
use super::wake;
use crate::deploy_repository::{ConfigError, DeployRepository, Error};
use crate::event::Event;
use crate::facts::{self, Question};
use crate::git::{DeepScan, Repository};
use crate::id::{DeploymentId, Revision, Target};
use crate::plan;
use crate::policy::{Exception, Refusal, Stage};
use crate::refs::{self, RefUpdate};
use crate::status::Status;
use crate::store::Store;
use crate::sys::syslog;

/// Refs below this forge what the server reads (git-replace(1)).
const REPLACE: &[u8] = b"refs/replace/";

/// What pre-receive says.
#[derive(Debug, Default)]
#[must_use]
pub struct Verdict {
    /// What is refused and why; empty: the push may go on.
    pub refusals: Vec<Refusal>,
    /// Why the push can't be judged: it is refused as well.
    pub failure: Option<String>,
    /// What whoever pushes should know: the path, and a line.
    pub warnings: Vec<(Vec<u8>, String)>,
    /// What earlier pushes asked for, and nobody had planned before this one came.
    pub caught_up: Vec<Queued>,
}

/// What post-receive tells the pusher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// A deployment is recorded.
    Queued {
        /// Its number.
        id: DeploymentId,
        /// What goes where.
        target: Target,
        /// From which revision.
        from: Option<Revision>,
        /// To which.
        to: Revision,
        /// Whether the same is deployed again.
        redeploy: bool,
        /// Why it does not begin at once.
        waits: Option<String>,
        /// What it was allowed for although a rule stands against it.
        exceptions: Vec<Exception>,
    },
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

/// Judges a push before anything has changed. A push that does not touch the deploy branch is none
/// of its business, also when the configuration is broken.
pub fn pre_receive(
    environment: &HookEnvironment,
    config: Option<&std::path::Path>,
    input: impl BufRead,
) -> Verdict {
    let judged = judge(environment, config, input);
    let mut verdict = judged.unwrap_or_else(|failure| Verdict {
        failure: Some(failure),
        ..Verdict::default()
    });
    if verdict.refusals.is_empty() && verdict.failure.is_none() {
        return verdict;
    }
    let pusher = pusher();
    let pusher = pusher.as_ref().map(|pusher| pusher.name.as_str());
    let failure = verdict.failure.as_ref();
    let failure = failure.map(|message| Event::Failure {
        what: "pre-receive",
        message,
    });
    let refused = verdict.refusals.iter();
    let refused = refused.map(|refusal| Event::Refused {
        path: &refusal.path,
        message: &refusal.message,
        pusher,
    });
    syslog::log(refused.chain(failure));
    verdict.refusals.sort_by(|a, b| a.path.cmp(&b.path));
    verdict
}

fn judge(
    environment: &HookEnvironment,
    config: Option<&std::path::Path>,
    input: impl BufRead,
) -> Result<Verdict, String> {
    let opened = DeployRepository::open_in_quarantine(
        &environment.git_dir,
        config,
        environment.quarantine.clone(),
    );
    let (deploy, branches) = match opened {
        Ok(deploy) => {
            let branch = deploy.branch.clone();
            (Ok(deploy), vec![branch])
        }
        Err(Error::Config(error)) => {
            let branches = possible_branches(environment, &error);
            (Err(error), branches)
        }
        Err(Error::Git(error)) => return Err(error.to_string()),
    };
    let is_branch = |name: &[u8]| branches.iter().any(|branch| branch.as_bytes() == name);
    let updates = refs::read(input, |name| is_branch(name) || name.starts_with(REPLACE))
        .map_err(|error| error.to_string())?;
    let (replaced, mut updates): (Vec<_>, Vec<_>) = updates
        .into_iter()
        .partition(|update| update.name.starts_with(REPLACE));
    let mut verdict = Verdict::default();
    verdict
        .refusals
        .extend(replaced.into_iter().map(|update| Refusal {
            path: update.name,
            message: "replacement objects forge what the server reads".to_owned(),
            hint: "push to another ref".to_owned(),
            is_fault: false,
        }));
    let Some(update) = updates.pop() else {
        return Ok(verdict);
    };
    match deploy {
        Ok(deploy) => {
            let (old, new) = (update.old.as_ref(), update.new.as_ref());
            let changes =
                deploy
                    .repository
                    .changes(&deploy.config.root, old, new, DeepScan::Everywhere);
            let candidates = plan::candidates(changes.map_err(|error| error.to_string())?);
            // Rules that ask the record would let everything pass without one; one that is
            // elsewhere may just not be mounted.
            let store = if deploy.config.state_dir.is_some() {
                deploy.open_store().map(Some)
            } else {
                deploy.find_store()
            };
            let mut store = store.map_err(|error| format!("{error}\nhint: {}", error.hint()))?;
            if let Some(store) = &mut store {
                verdict.caught_up =
                    catch_up(&deploy, store, old).map_err(|error| error.to_string())?;
            }
            let state = store.as_ref().map(Store::read);
            // Looking up who pushes can mean a look into the user database.
            let asks_who = deploy
                .config
                .environments()
                .any(|(_, section)| !section.override_by.is_empty());
            let pusher = asks_who.then(pusher).flatten();
            let facts = facts::gather(&Question {
                deploy: &deploy,
                candidates: &candidates,
                state: state.as_ref(),
                range: (old, new),
                stage: Stage::Before,
                pusher: pusher.as_ref().map(|pusher| pusher.name.as_str()),
                faults: &[],
            });
            let facts = facts.map_err(|error| error.to_string())?;
            let plan = plan::decide(&deploy.config, &candidates, &facts);
            verdict.refusals.extend(plan.refusals);
            verdict.warnings = plan.warnings;
        }
        Err(error) => verdict.failure = Some(error.to_string()),
    }
    Ok(verdict)
}

/// Plans what earlier pushes brought and nobody planned yet: otherwise this one would be judged as
/// if they had never been, and be joined with them afterwards. What is on the branch is wanted,
/// whatever becomes of this push.
fn catch_up(
    deploy: &DeployRepository,
    store: &mut Store,
    old: Option<&Revision>,
) -> Result<Vec<Queued>, planning::Error> {
    let cursor = store.read().cursor()?;
    if cursor.is_none_or(|cursor| cursor.branch != deploy.branch || cursor.commit.as_ref() == old) {
        return Ok(Vec::new());
    }
    let planned = plan_tip(deploy, store, None)?;
    planned.log(None);
    for environment in planned.environments() {
        // Where none can be started, whoever comes next starts one.
        let _ = wake::runner(deploy, environment);
    }
    Ok(planned.queued)
}

/// With a configuration that can't be used, every branch that may be the deploy branch is one: what
/// the file says, what HEAD names, what was planned last.
fn possible_branches(environment: &HookEnvironment, error: &ConfigError) -> Vec<String> {
    let mut branches: Vec<String> = error
        .config
        .branch
        .iter()
        .map(|branch| format!("refs/heads/{branch}"))
        .collect();
    if let Ok(repository) = Repository::open(&environment.git_dir) {
        branches.extend(repository.head_branch());
        let store = Store::open(&repository.path().join("deploy-by-code"));
        branches.extend(
            store
                .ok()
                .and_then(|store| store.read().cursor().ok().flatten())
                .map(|cursor| cursor.branch),
        );
    }
    branches
}

/// Records what a push deploys and wakes the runners. A push that does not touch the deploy branch
/// ends after its lines were read.
pub fn post_receive(
    environment: &HookEnvironment,
    config: Option<&std::path::Path>,
    input: impl BufRead,
) -> Received {
    let mut received = Received::default();
    let deploy = match DeployRepository::open(&environment.git_dir, config) {
        Ok(deploy) => deploy,
        Err(error) => {
            let branches = match &error {
                Error::Config(error) => possible_branches(environment, error),
                Error::Git(_) => Vec::new(),
            };
            let touches = refs::read(input, |name| {
                branches.iter().any(|branch| branch.as_bytes() == name)
            });
            if matches!(error, Error::Git(_)) || touches.is_ok_and(|updates| !updates.is_empty()) {
                received.fail(&format!("{error}\nwhat was pushed will be planned once this is mended, by the next push or: deploy-by-code reconcile"));
            }
            return received;
        }
    };
    let update = match refs::read(input, |name| name == deploy.branch.as_bytes()) {
        Ok(mut updates) => updates.pop(),
        // What could not be read may have been the deploy branch; planning finds out.
        Err(_) => Some(RefUpdate {
            old: None,
            new: None,
            name: Vec::new(),
        }),
    };
    let Some(RefUpdate { old, new, name }) = update else {
        return received;
    };
    let old_is_told = !name.is_empty();
    let push = Push {
        old,
        old_is_told,
        new,
        pusher: pusher(),
    };
    let planned = deploy
        .open_or_create_store()
        .map_err(planning::Error::from)
        .and_then(|mut store| {
            let planned = plan_tip(&deploy, &mut store, Some(&push))?;
            Ok(planned)
        });
    match planned {
        Ok(planned) => {
            received.wake(&deploy, &planned);
            planned.log(push.pusher.as_ref().map(|pusher| pusher.name.as_str()));
            received.announce(planned);
        }
        Err(error) => {
            received.fail(&format!(
                "{error}\nnothing is lost: the next push or deploy-by-code reconcile plans it"
            ));
        }
    }
    received.deploy = Some(deploy);
    received
}

impl Received {
    fn fail(&mut self, message: &str) {
        syslog::log([Event::Failure {
            what: "post-receive",
            message,
        }]);
        self.failures.push(message.to_owned());
    }

    fn wake(&mut self, deploy: &DeployRepository, planned: &Planned) {
        for environment in planned.environments() {
            if let Err(error) = wake::runner(deploy, environment) {
                self.fail(&format!(
                    "no runner could be started for {environment}: {error}\nstart it with: deploy-by-code reconcile"
                ));
            }
        }
    }

    /// What this push brought, whoever planned it.
    fn announce(&mut self, planned: Planned) {
        let own = planned
            .queued
            .into_iter()
            .map(|queued| Announcement::Queued {
                id: queued.id,
                target: queued.planned.target().clone(),
                from: queued.planned.from().cloned(),
                to: queued.planned.revision().clone(),
                redeploy: queued.planned.is_redeploy(),
                waits: queued.planned.waits().map(str::to_owned),
                exceptions: queued.planned.exceptions().to_vec(),
            });
        let others = planned
            .others
            .queued
            .into_iter()
            .map(|other| Announcement::Queued {
                id: other.id,
                target: other.target,
                redeploy: other.previous_revision.as_ref() == Some(&other.revision),
                from: other.previous_revision,
                to: other.revision,
                waits: other.reason.filter(|_| other.status == Status::Queued),
                exceptions: Vec::new(),
            });
        let retired = planned
            .retired
            .into_iter()
            .chain(planned.others.retired)
            .map(Announcement::Retired);
        let problems = planned
            .problems
            .into_iter()
            .chain(planned.others.problems)
            .map(Announcement::Problem);
        self.announcements = own.chain(others).chain(retired).chain(problems).collect();
    }
}

/// In the `committed` state, when the deploy branch is among the refs, wakes a `reconcile`: git
/// does not call post-receive when the client went away while pre-receive ran. In every other state
/// and for every other ref it does nothing. It never fails: in the `prepared` state that would undo
/// somebody's push.
pub fn reference_transaction(
    environment: &HookEnvironment,
    config: Option<&std::path::Path>,
    state: &str,
    input: impl BufRead,
) {
    if state != "committed" {
        return;
    }
    let Ok(updates) = refs::read(input, |name| name.starts_with(b"refs/heads/")) else {
        return;
    };
    if updates.is_empty() {
        return;
    }
    let Ok(deploy) = DeployRepository::open(&environment.git_dir, config) else {
        return;
    };
    let Some(update) = updates
        .into_iter()
        .find(|update| update.name == deploy.branch.as_bytes())
    else {
        return;
    };
    if !deploy.state_dir().exists() {
        return;
    }
    let (old, new) = (update.old.as_ref(), update.new.as_ref());
    if let Err(error) = wake::reconcile(&deploy, old, new, pusher().as_ref()) {
        let message = format!("no reconcile could be started: {error}");
        syslog::log([Event::Failure {
            what: "reference-transaction",
            message: &message,
        }]);
    }
}
