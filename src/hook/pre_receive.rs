//! pre-receive: judges a push before anything has changed.

use std::io::BufRead;
use std::path::Path;

use super::environment::{HookEnvironment, pusher};
use super::touched::possible_branches;
use crate::deploy_repository::{self, DeployRepository};
use crate::event::{Event, Severity};
use crate::id::Revision;
use crate::identity::Identity;
use crate::judging::{self, Subject};
use crate::planning::{self, Queued, plan_tip};
use crate::policy::Refusal;
use crate::publish;
use crate::refs::{self, RefUpdate};
use crate::store::{self, Store};
use crate::sys::{clock, syslog};
use crate::wake;

/// Refs below this forge what the server reads (git-replace(1)).
const REPLACE: &[u8] = b"refs/replace/";

/// What pre-receive says.
#[derive(Debug, Default)]
#[must_use]
pub struct Verdict {
    /// What is refused and why; empty: the push may go on.
    pub refusals: Vec<Refusal>,
    /// Why the push can't be judged: it is refused as well.
    pub failure: Option<Error>,
    /// What whoever pushes should know: the path, and a line.
    pub warnings: Vec<(Vec<u8>, String)>,
    /// What earlier pushes asked for, and nobody had planned before this one came.
    pub caught_up: Vec<Queued>,
}

/// Why a push can't be judged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The deploy repository or its configuration can't be used.
    #[error(transparent)]
    Deploy(#[from] deploy_repository::Error),
    /// What git writes to the hook can't be read.
    #[error(transparent)]
    Refs(#[from] std::io::Error),
    /// The state can't be opened.
    #[error("{0}\nhint: {hint}", hint = .0.hint())]
    Store(store::Error),
    /// What earlier pushes brought can't be planned.
    #[error(transparent)]
    Planning(#[from] planning::Error),
    /// The push itself can't be judged.
    #[error(transparent)]
    Judging(#[from] judging::Error),
}

/// Judges a push before anything has changed. A push that does not touch the deploy branch is none
/// of its business, also when the configuration is broken.
pub fn pre_receive(
    environment: &HookEnvironment,
    config: Option<&Path>,
    input: impl BufRead,
) -> Verdict {
    let mut verdict = Verdict::default();
    let mut store = None;
    if let Err(error) = judge(environment, config, input, &mut verdict, &mut store) {
        verdict.failure = Some(error);
    }

    verdict.refusals.sort_by(|a, b| a.path.cmp(&b.path));
    if !verdict.refusals.is_empty() || verdict.failure.is_some() {
        tell(&verdict, store.as_mut());
    }
    verdict
}

fn judge(
    environment: &HookEnvironment,
    config: Option<&Path>,
    input: impl BufRead,
    verdict: &mut Verdict,
    store: &mut Option<Store>,
) -> Result<(), Error> {
    let opened = DeployRepository::open_in_quarantine(
        &environment.git_dir,
        config,
        environment.quarantine.clone(),
    );
    let branches = match &opened {
        Ok(deploy) => vec![deploy.branch.clone()],
        Err(deploy_repository::Error::Config(error)) => possible_branches(environment, error),
        Err(deploy_repository::Error::Git(_)) => Vec::new(),
    };
    // A repository that can't be read refuses whatever is pushed.
    let opened = match opened {
        Err(error @ deploy_repository::Error::Git(_)) => return Err(error.into()),
        opened => opened,
    };

    let is_branch = |name: &[u8]| branches.iter().any(|branch| branch.as_bytes() == name);
    let updates = refs::read(input, |name| is_branch(name) || name.starts_with(REPLACE))?;
    let (replaced, mut updates): (Vec<_>, Vec<_>) = updates
        .into_iter()
        .partition(|update| update.name.starts_with(REPLACE));
    verdict
        .refusals
        .extend(replaced.into_iter().map(|update| Refusal {
            path: update.name,
            message: "replacement objects forge what the server reads".to_owned(),
            hint: "push to another ref".to_owned(),
            is_fault: false,
        }));

    let Some(update) = updates.pop() else {
        return Ok(());
    };
    let deploy = opened?;
    *store = find_store(&deploy).map_err(Error::Store)?;
    judge_branch(&deploy, &update, store.as_mut(), verdict)
}

/// The state, where there is one. Rules that ask the record would let everything pass without it;
/// one that is configured to be elsewhere may just not be mounted.
fn find_store(deploy: &DeployRepository) -> Result<Option<Store>, store::Error> {
    if deploy.config.state_dir.is_some() {
        deploy.open_store().map(Some)
    } else {
        deploy.find_store()
    }
}

fn judge_branch(
    deploy: &DeployRepository,
    update: &RefUpdate,
    mut store: Option<&mut Store>,
    verdict: &mut Verdict,
) -> Result<(), Error> {
    let (old, new) = (update.old.as_ref(), update.new.as_ref());
    if let Some(store) = store.as_deref_mut() {
        verdict.caught_up = catch_up(deploy, store, old)?;
    }

    // Looking up who pushes can mean a look into the user database.
    let mut sections = deploy.config.environments();
    let asks_who = sections.any(|(_, section)| !section.override_by.is_empty());
    let pusher = asks_who.then(pusher).flatten();
    let subject = Subject::Push {
        old,
        new,
        pusher: pusher.as_ref(),
    };

    let record = store.map(Store::read).transpose().map_err(Error::Store)?;
    let (_, judged) = judging::judge(deploy, &subject, record.as_deref())?;
    verdict.refusals.extend(judged.plan.refusals);
    verdict.warnings = judged.plan.warnings;
    Ok(())
}

/// Plans what earlier pushes brought and nobody planned yet: otherwise this one would be judged as
/// if they had never been, and be joined with them afterwards. What is on the branch is wanted,
/// whatever becomes of this push.
fn catch_up(
    deploy: &DeployRepository,
    store: &mut Store,
    old: Option<&Revision>,
) -> Result<Vec<Queued>, planning::Error> {
    let cursor = store.read()?.cursor()?;
    if cursor.is_none_or(|cursor| cursor.branch != deploy.branch || cursor.commit.as_ref() == old) {
        return Ok(Vec::new());
    }

    let planned = plan_tip(deploy, store, None)?;
    for environment in planned.environments() {
        // Where none can be started, whoever comes next starts one.
        let _ = wake::runner(deploy, environment);
    }
    publish::to_syslog(store);
    Ok(planned.queued)
}

/// Writes down that a push was refused. Where there is no state to write to, the system log gets
/// the lines at once: this refuses all the same.
fn tell(verdict: &Verdict, store: Option<&mut Store>) {
    if let Some(error) = &verdict.failure {
        syslog::failure("pre-receive", &error.to_string());
    }
    let pusher = pusher();

    let is_recorded = store.is_some_and(|store| {
        let recorded = store.transaction(|transaction| {
            transaction.refuse(&verdict.refusals, pusher.as_ref(), clock::now())
        });
        publish::to_syslog(store);
        recorded.is_ok()
    });
    if !is_recorded {
        tell_at_once(&verdict.refusals, pusher.as_ref());
    }
}

fn tell_at_once(refusals: &[Refusal], pusher: Option<&Identity>) {
    let Ok(mut log) = syslog::Log::open() else {
        return;
    };
    for refusal in refusals {
        let event = Event::refused(refusal, pusher);
        let _ = log.send(Severity::Warning, &event.line());
    }
}
