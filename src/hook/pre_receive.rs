//! pre-receive: judges a push before anything has changed.

use std::io::{self, BufRead};
use std::path::Path;

use super::environment::{HookEnvironment, pusher};
use super::guarded_refs::GuardedRefs;
use super::touched::{Concerned, recorded};
use crate::config::Config;
use crate::deploy_repository::{self, DeployRepository};
use crate::event::{Event, Severity};
use crate::git::{self, Repository};
use crate::id::{Application, Revision};
use crate::identity::Identity;
use crate::judging::{self, ApplicationRepositories, Subject};
use crate::planning::{self, Queued, is_behind, is_left_behind, plan_tip};
use crate::policy::Refusal;
use crate::publish::Audience;
use crate::refs::{self, RefUpdate};
use crate::store::{self, Cursor, Store};
use crate::sys::{clock, syslog};
use crate::text;
use crate::wake;

/// How pre-receive judged a push.
#[derive(Debug, Default)]
#[must_use]
pub struct Verdict {
    /// What is refused, and why.
    pub refusals: Vec<Refusal>,
    /// Why the push can't be judged. Then it is refused too.
    pub failure: Option<Error>,
    /// What the pusher should know: a path, and a line about it.
    pub warnings: Vec<(Vec<u8>, String)>,
    /// What earlier pushes asked for and was not planned until now.
    pub caught_up: Vec<Queued>,
}

impl Verdict {
    /// Whether git may accept the push.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.refusals.is_empty() && self.failure.is_none()
    }
}

/// Why a push can't be judged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The deploy repository or its configuration can't be used.
    #[error(transparent)]
    Deploy(#[from] deploy_repository::Error),
    /// The deploy repository can't be read.
    #[error(transparent)]
    Git(#[from] git::Error),
    /// The lines that git writes to the hook can't be read.
    #[error("the lines from git can't be read")]
    Refs(#[source] io::Error),
    /// The state can't be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// What earlier pushes brought can't be planned.
    #[error(transparent)]
    Planning(#[from] planning::Error),
    /// The push itself can't be judged.
    #[error(transparent)]
    Judging(#[from] judging::Error),
}

impl Error {
    /// What to do, where the message does not say it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Store(error)
            | Self::Planning(planning::Error::Store(error))
            | Self::Judging(judging::Error::Store(error)) => Some(error.hint()),
            Self::Deploy(_)
            | Self::Git(_)
            | Self::Refs(_)
            | Self::Planning(_)
            | Self::Judging(_) => None,
        }
    }
}

/// Judges a push before anything has changed. A push that certainly touches none of the guarded
/// refs is always accepted, even when the configuration is broken. `fetching` gets to know whose
/// repository is fetched from another host.
pub fn pre_receive(
    environment: &HookEnvironment,
    config: Option<&Path>,
    input: impl BufRead,
    fetching: impl FnMut(&Application),
) -> Verdict {
    let mut verdict = Verdict::default();
    let mut recorder = Recorder::default();
    let mut repositories = ApplicationRepositories::fetching(fetching);
    let judged = judge(
        environment,
        config,
        input,
        &mut repositories,
        &mut verdict,
        &mut recorder,
    );
    verdict.failure = judged.err();

    verdict.refusals.sort_by(|a, b| a.path.cmp(&b.path));
    if !verdict.is_accepted() {
        record(&verdict, recorder, &environment.git_dir);
    }
    verdict
}

/// Where a refusal is recorded and told, as far as that was found.
#[derive(Default)]
struct Recorder {
    store: Option<Store>,
    /// `None`: the configuration can't be used.
    audience: Option<Audience>,
}

/// Judges what a push does, as far as it touches the guarded refs. The state, once it is open, is
/// kept in `recorder`, and so is who is told.
fn judge(
    environment: &HookEnvironment,
    config: Option<&Path>,
    input: impl BufRead,
    repositories: &mut ApplicationRepositories<'_>,
    verdict: &mut Verdict,
    recorder: &mut Recorder,
) -> Result<(), Error> {
    let opened = DeployRepository::open_in_quarantine(
        &environment.git_dir,
        config,
        environment.quarantine.clone(),
    );
    // If the repository can't be read, every push is refused.
    let opened = match opened {
        Err(error @ deploy_repository::Error::Git(_)) => return Err(error.into()),
        opened => opened,
    };
    let alone;
    let repository = match &opened {
        Ok(deploy) => &deploy.repository,
        Err(_) => {
            alone = Repository::open(&environment.git_dir)?;
            &alone
        }
    };

    let recorded = recorded(environment, opened.as_ref());
    let concerned = Concerned::by(opened.as_ref(), &recorded);
    let published = configured(opened.as_ref()).and_then(|config| config.publish.as_deref());
    let mut guarded = GuardedRefs::new(repository, &concerned, published);
    let updates = refs::read_all_names(input, |name| guarded.matters(name));
    let updates = updates.map_err(Error::Refs)?;
    let (updates, refusals) = guarded.sort(updates)?;
    verdict.refusals.extend(refusals);

    let is_judged = !updates.is_empty() || !verdict.refusals.is_empty();
    let deploy = opened.as_ref().ok().filter(|_| is_judged);
    recorder.audience = deploy.map(Audience::of);
    let Some(update) = updates.first() else {
        return Ok(());
    };
    let deploy = opened?;
    deploy
        .check_as_installed(recorded)
        .map_err(deploy_repository::Error::from)?;
    recorder.store = find_store(&deploy)?;
    let store = recorder.store.as_mut();
    judge_branch(&deploy, update, store, repositories, verdict)
}

/// The configuration, as far as it can be read; `None`: it can't be read at all.
fn configured<'o>(
    opened: Result<&'o DeployRepository, &'o deploy_repository::Error>,
) -> Option<&'o Config> {
    match opened {
        Ok(deploy) => Some(&deploy.config),
        Err(deploy_repository::Error::Config(error)) => Some(&error.config),
        Err(deploy_repository::Error::Git(_)) => None,
    }
}

/// The state; `None`: there is none yet. A state that is configured to be elsewhere has to be
/// there: its file system may not be mounted, and without the record some rules would let
/// everything pass.
fn find_store(deploy: &DeployRepository) -> Result<Option<Store>, store::Error> {
    if deploy.config.state_dir.is_some() {
        deploy.open_store().map(Some)
    } else {
        deploy.find_store()
    }
}

/// Judges the update of the deploy branch.
fn judge_branch(
    deploy: &DeployRepository,
    update: &RefUpdate,
    mut store: Option<&mut Store>,
    repositories: &mut ApplicationRepositories<'_>,
    verdict: &mut Verdict,
) -> Result<(), Error> {
    let (old, new) = (update.old.as_ref(), update.new.as_ref());
    if let Some(store) = store.as_deref_mut() {
        verdict.caught_up = catch_up(deploy, store, old, repositories)?;
    }

    // Finding the pusher may have to read the user database, so it is done only if a rule asks.
    let mut sections = deploy.config.environment_sections();
    let asks_who = sections.any(|(_, section)| !section.override_by.is_empty());
    let pusher = asks_who.then(pusher);

    // Planning makes the state where there is none. So without one, the empty record counts.
    let mut empty;
    let store = match store {
        Some(store) => store,
        None => {
            empty = Store::empty()?;
            &mut empty
        }
    };
    // Otherwise the push would be accepted and could not be planned.
    store.check_next_number()?;
    let record = store.read()?;
    let subject = |old| Subject::Push {
        old,
        new,
        pusher: pusher.as_ref(),
    };
    let judged = match judging::judge(deploy, &subject(old), Some(&record), repositories) {
        // Either commit is damaged. A tip that can't be read was never planned, so what is planned
        // is judged: from the commit up to which the branch was planned.
        Err(judging::Error::Git(error)) if error.is_damage() => {
            let cursor = record.cursor()?;
            let planned = cursor.and_then(|cursor| cursor.commit);
            let subject = subject(planned.as_ref());
            judging::judge(deploy, &subject, Some(&record), repositories)
        }
        judged => judged,
    };
    match (judged, new) {
        (Err(judging::Error::Git(error)), Some(new)) if error.is_damage() => {
            verdict.refusals.push(damaged(deploy, new, &error));
        }
        (judged, _) => {
            let (_, judged) = judged?;
            verdict.refusals.extend(judged.plan.refusals);
            verdict.warnings = judged.plan.warnings;
        }
    }
    Ok(())
}

/// The refusal of a commit that can't be read.
fn damaged(deploy: &DeployRepository, commit: &Revision, error: &git::Error) -> Refusal {
    Refusal {
        path: deploy.branch.as_bytes().to_vec(),
        message: format!("{} can't be read: {error}", commit.short()),
        hint: "git fsck in your clone shows what is wrong with it; write it anew".to_owned(),
        is_fault: false,
    }
}

/// Plans what earlier pushes brought and was not planned yet. Otherwise this push would be judged
/// as if they had never happened, and afterwards be joined with them. What is on the branch is
/// wanted, even if this push is refused. The hooks of those pushes go first, since they know who
/// pushed.
fn catch_up(
    deploy: &DeployRepository,
    store: &mut Store,
    old: Option<&Revision>,
    repositories: &mut ApplicationRepositories<'_>,
) -> Result<Vec<Queued>, planning::Error> {
    let cursor = store.read()?.cursor()?;
    // If the state belongs to another branch, this is said below.
    let is_planned =
        |cursor: Cursor| cursor.branch == deploy.branch && cursor.commit.as_ref() == old;
    if cursor.is_none_or(is_planned) || !is_left_behind(|| is_behind(deploy, store))? {
        return Ok(Vec::new());
    }

    let planned = plan_tip(deploy, store, None, repositories)?;
    for environment in planned.environments() {
        // If no runner can be started, the next hook or `reconcile` starts one.
        let _ = wake::runner(deploy, environment);
    }
    Audience::of(deploy).tell(store);
    Ok(planned.queued)
}

/// Records that a push was refused. If the state can't be written to, the lines go to the system
/// log directly. Neither changes the verdict.
fn record(verdict: &Verdict, recorder: Recorder, git_dir: &Path) {
    let Recorder { store, audience } = recorder;
    if let Some(error) = &verdict.failure {
        let message = failure_message(error);
        match &audience {
            Some(audience) => audience.report_failure("pre-receive", &message),
            None => syslog::failure(git_dir, "pre-receive", &message),
        }
    }
    let pusher = pusher();

    let is_recorded = store.is_some_and(|mut store| {
        let recorded = store.transaction(|transaction| {
            transaction.refuse(&verdict.refusals, Some(&pusher), clock::now())
        });
        audience
            .iter()
            .for_each(|audience| audience.tell(&mut store));
        recorded.is_ok()
    });
    if !is_recorded && audience.as_ref().is_none_or(Audience::has_syslog) {
        send_to_syslog(git_dir, &verdict.refusals, &pusher);
    }
}

/// An error in words for the administrator, who reads them in the system log.
fn failure_message(error: &Error) -> String {
    let message = text::with_causes(error);
    match error.hint() {
        Some(hint) => format!("{message}\nhint: {hint}"),
        None => message,
    }
}

/// Sends the lines of events that could not be recorded.
fn send_to_syslog(git_dir: &Path, refusals: &[Refusal], pusher: &Identity) {
    let Ok(mut log) = syslog::SystemLog::open() else {
        return;
    };
    // git tells a hook that the repository is the current folder.
    let repository = git_dir.canonicalize();
    let repository = repository.as_deref().unwrap_or(git_dir);
    for refusal in refusals {
        let event = Event::refused(refusal, Some(pusher));
        let _ = log.send(Severity::Warning, &event.line(repository));
    }
}
