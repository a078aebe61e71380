//! `reconcile`, and the runner's process.

use std::path::Path;
use std::time::Duration;

use super::{Context, Exit};
use crate::deploy_repository::DeployRepository;
use crate::event::Event;
use crate::hook::planning::{Planned, Push, plan_tip};
use crate::hook::wake;
use crate::id::Environment;
use crate::registry::{self, Registered};
use crate::runner;
use crate::store::{self, Store};
use crate::sys::{clock, syslog};
use crate::text;

/// How long post-receive has before a `reconcile` that was woken beside it looks.
const HEAD_START: Duration = Duration::from_secs(1);

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

/// Reconciles every repository that is registered, each as its owner, so that one can't reach what belongs to another.
pub(super) fn reconcile_registered(registry: &Path) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    for registered in registry::all(registry)? {
        let done = registered.and_then(|Registered { repository, owner }| {
            let shown = text::escape(repository.as_os_str().as_encoded_bytes(), 200);
            wake::reconcile_as(&repository, owner).map_err(|error| format!("{shown}: {error}"))
        });
        if let Err(error) = done {
            super::output::complain(&error, None);
            exit = Exit::Refused;
        }
    }
    Ok(exit)
}

/// The process of the systemd service: a runner for each environment that somebody left word for. It ends when no runner is left and no word.
pub(super) fn serve(context: &Context) -> anyhow::Result<Exit> {
    if let Err(error) = context.become_owner(true) {
        let message = format!("{error:#}");
        syslog::log([Event::Failure { what: "serve", message: &message }]);
        // The word stays, and the path unit starts this again at once.
        clock::sleep(SERVE_DAMPING);
        return Err(error);
    }
    let mut runners: Vec<std::process::Child> = Vec::new();
    let mut has_told = false;
    loop {
        let deploy = match context.deploy() {
            Ok(deploy) => deploy,
            // Ending would only have the path unit start it again at once.
            Err(error) => {
                if !std::mem::replace(&mut has_told, true) {
                    let message = format!("waiting until it is mended: {error}");
                    syslog::log([Event::Failure { what: "serve", message: &message }]);
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
