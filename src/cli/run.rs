//! `reconcile`, and the runner's process.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::output::complain;
use super::{Context, Exit};
use crate::deploy_repository::DeployRepository;
use crate::event::Event;
use crate::hook::planning::{Planned, Push, plan_tip};
use crate::hook::wake;
use crate::id::Environment;
use crate::registry;
use crate::runner;
use crate::store::{self, Store};
use crate::sys::clock::Deadline;
use crate::sys::{clock, syslog};
use crate::text;

/// How long post-receive has before a `reconcile` that was woken beside it looks.
const HEAD_START: Duration = Duration::from_secs(1);

/// How long the timer waits for one repository.
const REPOSITORY_MAX: Duration = Duration::from_secs(60);

/// How long the timer waits for the repositories of one user: it comes again every 5 minutes.
const OWNER_MAX: Duration = Duration::from_secs(240);

/// How long the systemd service waits before it looks again at what it can do nothing about.
const SERVE_DAMPING: Duration = Duration::from_secs(5);

/// How often the systemd service looks for word.
const SERVE_LOOK: Duration = Duration::from_millis(100);

/// Plans what hooks missed and starts a runner wherever something waits or a dead one left something.
pub(super) fn reconcile(context: &Context, after_push: Option<&Push>) -> anyhow::Result<Exit> {
    if after_push.is_some() {
        clock::sleep(HEAD_START);
    }
    let done = reconcile_now(context, after_push);
    if let (Err(error), Some(_)) = (&done, after_push) {
        let message = format!("{error:#}");
        syslog::log([Event::Failure { what: "reconcile", message: &message }]);
    }
    done
}

fn reconcile_now(context: &Context, after_push: Option<&Push>) -> anyhow::Result<Exit> {
    let deploy = context.deploy()?;
    let mut store = match deploy.open_store() {
        // The hook was linked by hand and post-receive has not made the state yet.
        Err(store::Error::Missing(_)) if after_push.is_some() => return Ok(Exit::Done),
        other => other?,
    };
    let planned = plan_tip(&deploy, &mut store, after_push)?;
    planned.log(after_push.and_then(|push| push.pusher.as_ref()).map(|pusher| pusher.name.as_str()));
    let busy = store.read().busy_environments()?;
    for environment in &busy {
        wake::runner(&deploy, environment)?;
    }
    if after_push.is_none() {
        tell(context, &planned, &busy)?;
    }
    store.checkpoint();
    Ok(Exit::Done)
}

fn tell(context: &Context, planned: &Planned, busy: &[Environment]) -> anyhow::Result<()> {
    for queued in &planned.queued {
        let (id, target, revision) = (queued.id, queued.planned.target(), queued.planned.revision().short());
        context.output.line(&format!("{id} {target} {revision} queued"))?;
    }
    for target in &planned.retired {
        context.output.line(&format!("retired {target}"))?;
    }
    for problem in &planned.problems {
        context.output.print(&super::output::refusal_lines("problem", problem))?;
    }
    for environment in busy {
        context.output.line(&format!("woke the runner of {environment}"))?;
    }
    if planned.range.is_none() && busy.is_empty() {
        context.output.line("nothing to do")?;
    }
    Ok(())
}

/// Reconciles every repository that is registered, each as its owner, so that one can't reach what belongs to another; one user's do not wait for another's.
pub(super) fn reconcile_registered(registry: &Path) -> anyhow::Result<Exit> {
    let registered = registry::all(registry)?;
    registered.problems.iter().for_each(|problem| complain(problem, None));
    let is_done = thread::scope(|scope| {
        let of_owner = |(owner, repositories)| scope.spawn(move || reconcile_all_of(owner, repositories));
        let owners: Vec<_> = registered.by_owner.into_iter().map(of_owner).collect();
        owners.into_iter().all(|owner| owner.join().unwrap_or(false))
    });
    Ok(if is_done && registered.problems.is_empty() { Exit::Done } else { Exit::Refused })
}

/// Reconciles the repositories of one user; `false`: something went wrong, and was said.
fn reconcile_all_of(owner: u32, mut repositories: Vec<PathBuf>) -> bool {
    // It begins anywhere, so that those that hang do not keep the same ones waiting each time.
    let first = usize::try_from(clock::now().as_ms()).unwrap_or(0) % repositories.len();
    repositories.rotate_left(first);
    let deadline = Deadline::after(OWNER_MAX);
    let mut is_done = true;
    for (at, repository) in repositories.iter().enumerate() {
        if deadline.is_over() {
            let rest = repositories.len() - at;
            complain(&format!("user {owner}: no time was left for {rest} repositories"), None);
            return false;
        }
        if let Err(error) = wake::reconcile_as(repository, owner, REPOSITORY_MAX.min(deadline.left())) {
            let shown = text::escape(repository.as_os_str().as_encoded_bytes(), 200);
            complain(&format!("{shown}: {error}"), None);
            is_done = false;
        }
    }
    is_done
}

/// The process of the systemd service: a runner for each environment that somebody left word for. It ends when no runner is left and no word.
pub(super) fn serve(context: &Context) -> anyhow::Result<Exit> {
    let mut runners: Vec<std::process::Child> = Vec::new();
    let mut has_told = false;
    loop {
        let deploy = match context.become_owner(true).and_then(|()| Ok(context.deploy()?)) {
            Ok(deploy) => deploy,
            // Ending would only have the path unit start it again at once.
            Err(error) => {
                if !std::mem::replace(&mut has_told, true) {
                    let message = format!("waiting until it is mended: {error:#}");
                    syslog::log([Event::Failure { what: "serve", message: &message }]);
                    complain(&message, None);
                }
                clock::sleep(SERVE_DAMPING);
                continue;
            }
        };
        has_told = false;
        let words = wake::take_words(&deploy)?;
        for environment in &words {
            // One that finds the lock taken leaves: whoever holds it looks once more before it goes. One that can't be started is the timer's.
            match wake::runner_as_child(&deploy, environment) {
                Ok(runner) => runners.push(runner),
                Err(error) => syslog::log([Event::Failure { what: "serve", message: &error.to_string() }]),
            }
        }
        runners.retain_mut(|runner| !matches!(runner.try_wait(), Ok(Some(_)) | Err(_)));
        if runners.is_empty() && words.is_empty() {
            if wake::is_anything_left(&deploy) {
                clock::sleep(SERVE_DAMPING);
            }
            return Ok(Exit::Done);
        }
        clock::sleep(SERVE_LOOK);
    }
}

/// The runner's process: picks up what hooks left, then carries out what is queued for its environment.
pub(super) fn run(context: &Context, environment: &Environment) -> anyhow::Result<Exit> {
    let done = context.deploy().map_err(anyhow::Error::from).and_then(|mut deploy| {
        pick_up(&deploy, environment);
        runner::run(&mut deploy, environment).map_err(anyhow::Error::from)
    });
    if let Err(error) = &done {
        let message = format!("{error:#}");
        syslog::log([Event::Failure { what: "run", message: &message }]);
    }
    done.map(|()| Exit::Done)
}

/// Plans what hooks missed. What goes wrong here goes wrong for the next hook too, which says so; what is queued is carried out all the same.
fn pick_up(deploy: &DeployRepository, own: &Environment) {
    let Ok(mut store) = deploy.open_store() else { return };
    let is_behind = |store: &Store| {
        let tip = deploy.repository.branch_tip(&deploy.branch).ok()?;
        let cursor = store.read().cursor().ok()??;
        Some(cursor.branch == deploy.branch && cursor.commit != tip)
    };
    if is_behind(&store) != Some(true) {
        return;
    }
    if let Ok(planned) = plan_tip(deploy, &mut store, None) {
        planned.log(None);
        for environment in planned.environments().into_iter().filter(|environment| *environment != own) {
            let _ = wake::runner(deploy, environment);
        }
    }
}
