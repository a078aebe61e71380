//! Planning the deploy branch's tip, level-triggered.
//!
//! Hooks run in the wrong order, twice, at the same time or not at all. So nobody believes what a
//! hook was told: in one transaction the cursor and the tip are read, what lies between them is
//! planned and recorded, and the cursor is moved. Whoever comes first does the work; whoever comes
//! later finds nothing left to do.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::{Change, Depth, Node};
use crate::deploy_repository::DeployRepository;
use crate::event::Event;
use crate::facts::{self, Question};
use crate::git::{self, DeepScan, Provenance};
use crate::id::{DeploymentId, Environment, Pusher, Revision, RolloutId, Target};
use crate::plan::{self, Plan};
use crate::policy::{BranchMove, Refusal, Stage};
use crate::store::{self, Deployment, Enqueued, Fault, Source, Store, Transaction};
use crate::sys::{clock, syslog};
use crate::{deployfile, waves};

/// A push to the deploy branch, as far as a hook knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Push {
    /// Where the branch was; `None`: it did not exist, or that was not told.
    pub old: Option<Revision>,
    /// Whether it was told where the branch was: a transaction of refs that did not ask for the old
    /// value tells none.
    pub old_is_told: bool,
    /// Where it went.
    pub new: Option<Revision>,
    /// Who pushed.
    pub pusher: Option<Pusher>,
}

/// A deployment that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Its number.
    pub id: DeploymentId,
    /// What the plan said of it.
    pub planned: plan::Deployment,
    /// Who pushed it, where that is known.
    pub pusher: Option<String>,
    /// What it took the place of.
    pub superseded: Vec<Deployment>,
}

/// What one run of the planner recorded.
#[derive(Debug, Clone, Default)]
pub struct Planned {
    /// The range of the deploy branch; `None`: there was nothing between cursor and tip.
    pub range: Option<(Option<Revision>, Option<Revision>)>,
    /// Deployments.
    pub queued: Vec<Queued>,
    /// Applications retired.
    pub retired: Vec<Target>,
    /// What can't be deployed.
    pub problems: Vec<Refusal>,
    /// Deployments that were waiting and were cancelled by a retirement.
    pub cancelled: Vec<Deployment>,
    /// What the push asked for and somebody else planned.
    pub others: Others,
}

/// What a push asked for and somebody else planned: it is told again, but it did not happen again.
#[derive(Debug, Clone, Default)]
pub struct Others {
    /// Deployments.
    pub queued: Vec<Deployment>,
    /// Applications retired.
    pub retired: Vec<Target>,
    /// What can't be deployed.
    pub problems: Vec<Refusal>,
}

impl Planned {
    /// The environments that got something to do.
    #[must_use]
    pub fn environments(&self) -> BTreeSet<&Environment> {
        self.queued
            .iter()
            .map(|queued| &queued.planned.target().environment)
            .collect()
    }

    /// Tells syslog.
    pub fn log(&self, pusher: Option<&str>) {
        let exceptions: Vec<Option<String>> = self
            .queued
            .iter()
            .map(|queued| exceptions(&queued.planned))
            .collect();
        let queued = self
            .queued
            .iter()
            .zip(&exceptions)
            .map(|(queued, exception)| Event::Queued {
                id: queued.id,
                target: queued.planned.target(),
                revision: queued.planned.revision(),
                pusher: queued.pusher.as_deref(),
                exception: exception.as_deref(),
            });
        let ended = |deployment, status, reason| became(deployment, status, reason);
        let superseded = self.queued.iter().flat_map(|queued| &queued.superseded);
        let superseded =
            superseded.map(|deployment| ended(deployment, crate::status::Status::Superseded, None));
        let cancelled = self.cancelled.iter();
        let cancelled = cancelled.map(|deployment| {
            ended(
                deployment,
                crate::status::Status::Cancelled,
                Some("retired"),
            )
        });
        let retired = self
            .retired
            .iter()
            .map(|target| Event::Retired { target, pusher });
        let problems = self.problems.iter().map(|refusal| Event::Problem {
            path: &refusal.path,
            message: &refusal.message,
        });
        syslog::log(
            queued
                .chain(superseded)
                .chain(cancelled)
                .chain(retired)
                .chain(problems),
        );
    }
}

/// What a deployment was allowed for although a rule stands against it, in one line.
fn exceptions(planned: &plan::Deployment) -> Option<String> {
    let each = planned
        .exceptions()
        .iter()
        .map(|exception| format!("{}: {}", exception.kind.as_str(), exception.reason));
    Some(each.collect::<Vec<_>>().join("; ")).filter(|all| !all.is_empty())
}

fn became<'a>(
    deployment: &'a Deployment,
    status: crate::status::Status,
    reason: Option<&'a str>,
) -> Event<'a> {
    Event::Became {
        id: deployment.id,
        target: &deployment.target,
        revision: &deployment.revision,
        status,
        reason,
    }
}

/// Planning failed; the cursor stands where it stood, and whoever plans next finds the same range
/// again.
#[derive(Debug)]
pub enum Error {
    /// The state can't be read or changed.
    Store(store::Error),
    /// The deploy repository can't be read.
    Git(git::Error),
    /// The state belongs to another branch than the configuration names.
    OtherBranch {
        /// The branch in the state.
        state: String,
        /// The branch in the configuration.
        config: String,
    },
    /// Nothing was installed here, so nobody knows what is deployed already.
    NotInstalled,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Git(error) => error.fmt(f),
            Self::OtherBranch { state, config } => {
                write!(
                    f,
                    "the state was planned from {state}, and the configuration names {config}; to start from its tip, run: deploy-by-code install"
                )
            }
            Self::NotInstalled => {
                write!(f, "nothing is installed here; run: deploy-by-code install")
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<git::Error> for Error {
    fn from(error: git::Error) -> Self {
        Self::Git(error)
    }
}

/// Plans what lies between the cursor and the deploy branch's tip.
///
/// # Errors
/// Nothing was recorded then.
pub fn plan_tip(
    deploy: &DeployRepository,
    store: &mut Store,
    push: Option<&Push>,
) -> Result<Planned, Error> {
    store.transaction(|transaction| plan_in(deploy, transaction, push))
}

fn plan_in(
    deploy: &DeployRepository,
    transaction: &Transaction<'_>,
    push: Option<&Push>,
) -> Result<Planned, Error> {
    let old = match transaction.cursor()? {
        Some(cursor) if cursor.branch != deploy.branch => {
            return Err(Error::OtherBranch {
                state: cursor.branch,
                config: deploy.branch.clone(),
            });
        }
        Some(cursor) => cursor.commit,
        // Hooks that somebody linked by hand: the first push tells from where to start.
        None => push.ok_or(Error::NotInstalled)?.old.clone(),
    };
    // Where it was not told from where, what is new since the cursor is the push's.
    let push = push.map(|push| match &push.old {
        None if !push.old_is_told => Push {
            old: old.clone(),
            ..push.clone()
        },
        _ => push.clone(),
    });
    let new = deploy.repository.branch_tip(&deploy.branch)?;
    let now = clock::now();
    let mut planned = Planned::default();
    let faults = transaction.faults()?;
    if old != new || !faults.is_empty() {
        let (plan, touched) = plan_range(
            deploy,
            transaction,
            old.as_ref(),
            new.as_ref(),
            push.as_ref(),
            &faults,
        )?;
        let sources = Sources::find(
            deploy,
            old.as_ref(),
            new.as_ref(),
            &plan,
            push.as_ref(),
            &faults,
            touched,
        );
        planned = record(
            deploy,
            transaction,
            (old.as_ref(), new.as_ref()),
            plan,
            &sources,
            now,
        )?;
    }
    if old != new || transaction.cursor()?.is_none() {
        transaction.move_cursor(&deploy.branch, new.as_ref())?;
    }
    if let Some(push) = &push
        && !(planned.range.is_some() && new == push.new && old == push.old)
    {
        let mut others = planned_by_others(deploy, transaction, push)?;
        if let Some(pusher) = &push.pusher {
            transaction.claim(
                &others
                    .queued
                    .iter()
                    .map(|other| other.id)
                    .collect::<Vec<_>>(),
                pusher,
            )?;
        }
        others
            .queued
            .retain(|other| planned.queued.iter().all(|queued| queued.id != other.id));
        others
            .retired
            .retain(|target| !planned.retired.contains(target));
        others.problems.retain(|other| {
            planned
                .problems
                .iter()
                .all(|problem| problem.path != other.path)
        });
        planned.others = others;
    }
    Ok(planned)
}

/// The commits that a push brought to the branch; just its tip where that can't be told.
fn push_commits(
    deploy: &DeployRepository,
    old: Option<&Revision>,
    new: &Revision,
) -> Vec<Revision> {
    git::first_parents(&deploy.repository, old, new).unwrap_or_else(|_| vec![new.clone()])
}

/// What a push asked for, by the record. Where it took the branch forward, its deployments are
/// those of its commits. Where it made the branch or took it elsewhere, its commits can have been
/// deployed long ago: then they are those that were planned from just this range, the last time.
fn planned_by_others(
    deploy: &DeployRepository,
    transaction: &Transaction<'_>,
    push: &Push,
) -> Result<Others, store::Error> {
    let Some(new) = &push.new else {
        return Ok(Others {
            retired: transaction.retirements_of(None)?,
            ..Others::default()
        });
    };
    let moves = deploy.repository.branch_move(push.old.as_ref(), Some(new));
    let is_forward = push.old.is_some() && moves.is_ok_and(|moves| moves == BranchMove::Forward);
    let commits = push_commits(deploy, push.old.as_ref(), new);
    Ok(Others {
        queued: match is_forward {
            true => transaction.deployments_of(&commits)?,
            false => transaction.deployments_of_range(push.old.as_ref(), new)?,
        },
        retired: if is_forward {
            transaction.retirements_of(Some(&commits))?
        } else {
            Vec::new()
        },
        problems: transaction.problems_of(new)?,
    })
}

/// The plan of a range, and the paths that it touches; what is judged again is in the plan too.
fn plan_range(
    deploy: &DeployRepository,
    transaction: &Transaction<'_>,
    old: Option<&Revision>,
    new: Option<&Revision>,
    push: Option<&Push>,
    faults: &[Fault],
) -> Result<(Plan, BTreeSet<Vec<u8>>), Error> {
    let root = &deploy.config.root;
    let mut changes = match deploy
        .repository
        .changes(root, old, new, DeepScan::EnvironmentFolders)
    {
        // The commit at the cursor was removed, as git does some time after a rewind. What was
        // planned from it is still on record.
        Err(error) if error.is_missing_object() && new.is_some() => {
            let all = deploy
                .repository
                .changes(root, None, new, DeepScan::EnvironmentFolders)?;
            since_record(root, all, transaction.last_planned()?)
        }
        other => other?,
    };
    let touched = changes.iter().map(|change| change.path.clone()).collect();
    if !faults.is_empty() {
        // What the server stood in the way of is judged again, as new: what it changed was never
        // accepted.
        let is_fault = |change: &Change| faults.iter().any(|fault| fault.path == change.path);
        let all = deploy
            .repository
            .changes(root, None, new, DeepScan::EnvironmentFolders)?;
        changes.retain(|change| !is_fault(change) || change.new.is_none());
        changes.extend(all.into_iter().filter(is_fault));
        changes.sort_by(|a, b| a.path.cmp(&b.path));
    }
    let candidates = plan::candidates(changes);
    // What somebody may do holds for all of a range only if it is all theirs.
    let is_theirs = |push: &&Push| push.old.as_ref() == old && push.new.as_ref() == new;
    let facts = facts::gather(&Question {
        deploy,
        candidates: &candidates,
        state: Some(transaction),
        range: (old, new),
        stage: Stage::After,
        pusher: push
            .filter(is_theirs)
            .and_then(|push| push.pusher.as_ref())
            .map(|pusher| pusher.name.as_str()),
        faults,
    })?;
    Ok((plan::decide(&deploy.config, &candidates, &facts), touched))
}

/// Turns all deploy files of a tree into changes since what was last planned.
fn since_record(
    root: &str,
    mut all: Vec<Change>,
    mut last: BTreeMap<Target, Revision>,
) -> Vec<Change> {
    let path = |target: &Target| {
        let path = format!(
            "{}/{}{}",
            target.environment,
            target.application,
            deployfile::EXTENSION
        );
        if root.is_empty() {
            path.into_bytes()
        } else {
            format!("{root}/{path}").into_bytes()
        }
    };
    let content = |revision: &Revision| Node::File(revision.as_str().as_bytes().into());
    let mut by_path: BTreeMap<Vec<u8>, Revision> = BTreeMap::new();
    while let Some((target, revision)) = last.pop_first() {
        by_path.insert(path(&target), revision);
    }
    for change in &mut all {
        change.old = by_path
            .remove(&change.path)
            .map(|revision| content(&revision));
    }
    let gone = by_path.into_iter().map(|(path, revision)| Change {
        path,
        depth: Depth::Right,
        old: Some(content(&revision)),
        new: None,
        twin: None,
    });
    all.extend(gone);
    all
}

/// Which commit asked for each path, and who pushed it.
struct Sources {
    by_path: BTreeMap<Vec<u8>, Provenance>,
    /// The commits of the push that is known; `None`: all of the range.
    pushed: Option<BTreeSet<Revision>>,
    pusher: Option<Pusher>,
    /// Who pushed what is judged again.
    pushers: BTreeMap<Vec<u8>, Pusher>,
    /// The paths that the range touches.
    touched: BTreeSet<Vec<u8>>,
}

impl Sources {
    fn find(
        deploy: &DeployRepository,
        old: Option<&Revision>,
        new: Option<&Revision>,
        plan: &Plan,
        push: Option<&Push>,
        faults: &[Fault],
        touched: BTreeSet<Vec<u8>>,
    ) -> Self {
        let mut paths: BTreeMap<Vec<u8>, Option<&Revision>> = plan::paths(plan)
            .into_keys()
            .map(|path| (path.to_vec(), old))
            .collect();
        for Fault { path, since, .. } in faults {
            paths
                .entry(path.clone())
                .and_modify(|begin| *begin = since.as_ref());
        }
        let find = |new| git::deploy_commits(&deploy.repository, &deploy.config.root, new, paths);
        let by_path = new.map(find).unwrap_or_default();
        let pusher_of = |Fault { path, pusher, .. }: &Fault| Some((path.clone(), pusher.clone()?));
        let pushers = faults.iter().filter_map(pusher_of).collect();
        let pushed = match push {
            Some(push) if push.old.as_ref() == old && push.new.as_ref() == new => None,
            Some(Push {
                old,
                new: Some(new),
                ..
            }) => Some(
                push_commits(deploy, old.as_ref(), new)
                    .into_iter()
                    .collect(),
            ),
            _ => Some(BTreeSet::new()),
        };
        Self {
            by_path,
            pushed,
            pusher: push.and_then(|push| push.pusher.clone()),
            pushers,
            touched,
        }
    }

    /// Who pushed the whole range, where one push did: also the deletion of the branch, which no
    /// commit asks for.
    fn pusher_of_all(&self) -> Option<&Pusher> {
        self.pusher.as_ref().filter(|_| self.pushed.is_none())
    }

    fn of(&self, path: &[u8]) -> Option<Source> {
        let Provenance { commit, author } = self.by_path.get(path)?.clone();
        let is_pushed = self
            .pushed
            .as_ref()
            .is_none_or(|pushed| pushed.contains(&commit));
        let pusher = self
            .pusher
            .clone()
            .filter(|_| is_pushed)
            .or_else(|| self.pushers.get(path).cloned());
        Some(Source {
            deploy_commit: commit,
            author,
            pusher,
        })
    }
}

fn record(
    deploy: &DeployRepository,
    transaction: &Transaction<'_>,
    (old, new): (Option<&Revision>, Option<&Revision>),
    plan: Plan,
    sources: &Sources,
    now: crate::time::Timestamp,
) -> Result<Planned, Error> {
    let mut planned = Planned {
        range: Some((old.cloned(), new.cloned())),
        ..Planned::default()
    };
    if !plan.deployments.is_empty() {
        let rollout = transaction.begin_rollout(old, new, now)?;
        for deployment in plan.deployments {
            // All that is decided is recorded, or nothing.
            let unsourced =
                || store::Error::Damaged("a deployment that no commit asks for".to_owned());
            let source = sources.of(deployment.path()).ok_or_else(unsourced)?;
            let Enqueued { id, superseded } =
                transaction.enqueue(rollout, &deployment, &source, now)?;
            let pusher = source.pusher.map(|pusher| pusher.name);
            planned.queued.push(Queued {
                id,
                planned: deployment,
                pusher,
                superseded,
            });
        }
        take_dependants_along(deploy, transaction, rollout, &planned.queued)?;
    }
    for retirement in plan.retirements {
        let source = sources.of(&retirement.path);
        let commit = source.as_ref().map(|source| &source.deploy_commit);
        let pusher = source
            .as_ref()
            .map_or(sources.pusher_of_all(), |source| source.pusher.as_ref());
        let pusher = pusher.map(|pusher| pusher.name.as_str());
        planned
            .cancelled
            .extend(transaction.retire(&retirement.target, commit, pusher, now)?);
        planned.retired.push(retirement.target);
    }
    for path in plan.settled {
        transaction.clear_problem(&path)?;
    }
    for refusal in one_for_each_path(plan.refusals) {
        let pusher = sources.pusher_of_all();
        // What is judged again and again is news once, and to whoever touches it.
        let is_news = transaction.set_problem(&refusal, old, new, pusher, now)?;
        if is_news || sources.touched.contains(&refusal.path) {
            planned.problems.push(refusal);
        }
    }
    Ok(planned)
}

/// All that is wrong with a path, as one problem.
fn one_for_each_path(refusals: Vec<Refusal>) -> Vec<Refusal> {
    let mut joined: Vec<Refusal> = Vec::new();
    for refusal in refusals {
        match joined
            .iter_mut()
            .find(|earlier| earlier.path == refusal.path)
        {
            Some(earlier) => {
                earlier.message = format!("{}\n{}", earlier.message, refusal.message);
                earlier.hint = format!("{}; {}", earlier.hint, refusal.hint);
                earlier.is_fault |= refusal.is_fault;
            }
            None => joined.push(refusal),
        }
    }
    joined
}

/// A waiting deployment whose predecessor (`after`) was superseded waits for the one that took its
/// place: it moves into the new rollout.
fn take_dependants_along(
    deploy: &DeployRepository,
    transaction: &Transaction<'_>,
    into: RolloutId,
    queued: &[Queued],
) -> Result<(), Error> {
    let mut left: BTreeMap<(Environment, RolloutId), BTreeSet<_>> = BTreeMap::new();
    for deployment in queued.iter().flat_map(|queued| &queued.superseded) {
        let Target {
            environment,
            application,
        } = deployment.target.clone();
        left.entry((environment, deployment.rollout))
            .or_default()
            .insert(application);
    }
    for ((environment, rollout), superseded) in left {
        let waiting = transaction.open_deployments(&environment)?;
        let waiting: Vec<_> = waiting
            .into_iter()
            .filter(|d| d.rollout == rollout && d.run.is_none())
            .collect();
        let members = waiting
            .iter()
            .map(|deployment| deployment.target.application.clone())
            .collect();
        let after = deploy.config.after(&environment, &members);
        let moving = waves::dependants(&after, &superseded, &members);
        for deployment in waiting
            .iter()
            .filter(|deployment| moving.contains(&deployment.target.application))
        {
            transaction.move_to_rollout(deployment.id, into)?;
        }
    }
    Ok(())
}
