//! `reconcile`, and the runner's process.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::output::{Output, complain};
use super::{Context, Exit};
use crate::deploy_repository::DeployRepository;
use crate::event::Event;
use crate::hook::planning::{Planned, Push, plan_tip};
use crate::hook::wake;
use crate::id::Environment;
use crate::runner;
use crate::store::{self, Store};
use crate::sys::clock::Deadline;
use crate::sys::user::User;
use crate::sys::{clock, syslog};
use crate::text;
use crate::timer_list::{self, ListedRepository};
use crate::units;

/// How long post-receive has before a `reconcile` that was woken beside it looks.
const HEAD_START: Duration = Duration::from_secs(1);

/// How long the timer waits for one repository.
const REPOSITORY_MAX: Duration = Duration::from_secs(60);

/// How long the timer waits for the repositories of one user: it comes again every 5 minutes.
const OWNER_MAX: Duration = Duration::from_secs(240);

/// How much longer systemd waits: what is ended from within leaves nothing behind.
const UNIT_MARGIN: Duration = Duration::from_secs(30);

/// For how many users the timer works at once.
const USERS_AT_ONCE: usize = 16;

/// How much is told of what one user registered.
const TOLD_MAX: usize = 20;

/// How long the systemd service waits before it looks again at what it can do nothing about.
const SERVE_DAMPING: Duration = Duration::from_secs(5);

/// How often the systemd service looks for word.
const SERVE_LOOK: Duration = Duration::from_millis(100);

/// Plans what hooks missed and starts a runner wherever something waits or a dead one left
/// something.
pub(super) fn reconcile(context: &Context, after_push: Option<&Push>) -> anyhow::Result<Exit> {
    if after_push.is_some() {
        clock::sleep(HEAD_START);
    }
    let done = reconcile_now(context, after_push);
    if let (Err(error), Some(_)) = (&done, after_push) {
        let message = format!("{error:#}");
        syslog::log([Event::Failure {
            what: "reconcile",
            message: &message,
        }]);
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
    planned.log(
        after_push
            .and_then(|push| push.pusher.as_ref())
            .map(|pusher| pusher.name.as_str()),
    );
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
        let (id, target, revision) = (
            queued.id,
            queued.planned.target(),
            queued.planned.revision().short(),
        );
        context
            .output
            .line(&format!("{id} {target} {revision} queued"))?;
    }
    for target in &planned.retired {
        context.output.line(&format!("retired {target}"))?;
    }
    for problem in &planned.problems {
        context
            .output
            .print(&super::output::refusal_lines("problem", problem))?;
    }
    for environment in busy {
        context
            .output
            .line(&format!("woke the runner of {environment}"))?;
    }
    if planned.range.is_none() && busy.is_empty() {
        context.output.line("nothing to do")?;
    }
    Ok(())
}

/// Reconciles every repository that is registered, each as its owner, so that one can't reach what
/// belongs to another; one user's do not wait for another's.
pub(super) fn reconcile_registered(registry: &Path) -> anyhow::Result<Exit> {
    let mut entries = timer_list::entries(registry)?;
    let is_root = User::is_root();
    if !is_root {
        // Nobody else's could be reconciled.
        entries.retain(|user, _| *user == User::own_number());
    }
    let in_units = is_root && units::systemd_runs();
    let entries = Mutex::new(entries.into_iter());
    let is_done = AtomicBool::new(true);
    let work = || {
        while let Some((user, own)) = entries.lock().ok().and_then(|mut entries| entries.next()) {
            // A unit for each user keeps one's runners out of others' way.
            let is_all_done = if in_units && user != 0 {
                let done = wake::reconcile_in_unit(user, registry, OWNER_MAX + UNIT_MARGIN);
                done.inspect_err(|error| complain(&format!("user {user}: {error}"), None))
                    .is_ok()
            } else {
                reconcile_all_of(user, own, registry)
            };
            if !is_all_done {
                is_done.store(false, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        // Where no more can be started, fewer do.
        for _ in 1..USERS_AT_ONCE {
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    Ok(if is_done.into_inner() {
        Exit::Done
    } else {
        Exit::Refused
    })
}

/// Shows the repositories that are registered, some of each user's: for who removes the package.
pub(super) fn list_registered(registry: &Path) -> anyhow::Result<Exit> {
    let output = Output::new();
    for (user, own) in timer_list::entries(registry)? {
        let mut counting = own
            .iter()
            .filter_map(|entry| timer_list::read(registry, entry).ok());
        for ListedRepository { repository, .. } in counting.by_ref().take(TOLD_MAX) {
            output.line(&text::escape(
                repository.as_os_str().as_encoded_bytes(),
                300,
            ))?;
        }
        if counting.next().is_some() {
            output.line(&format!("and more of user {user}"))?;
        }
    }
    Ok(Exit::Done)
}

/// Reconciles what one user registered; `false`: something went wrong. All of it is said, up to a
/// limit; that an entry does not count is nothing that goes wrong: anybody can write one.
fn reconcile_all_of(user: u32, mut entries: Vec<PathBuf>, registry: &Path) -> bool {
    // It begins anywhere, so that those that hang do not keep the same ones waiting each time.
    let first = usize::try_from(clock::now().as_ms()).unwrap_or(0) % entries.len().max(1);
    entries.rotate_left(first);
    let deadline = Deadline::after(OWNER_MAX);
    let (mut is_done, mut told) = (true, 0);
    let mut tell = |message: &str| {
        told += 1;
        match told {
            1..=TOLD_MAX => complain(message, None),
            _ if told == TOLD_MAX + 1 => complain(
                &format!("user {user}: there is more that is not told"),
                None,
            ),
            _ => {}
        }
    };
    for (at, entry) in entries.iter().enumerate() {
        if deadline.is_over() {
            let rest = entries.len() - at;
            tell(&format!(
                "user {user}: no time was left for {rest} repositories"
            ));
            return false;
        }
        match timer_list::read(registry, entry) {
            Err(error) => tell(&format!("{:#}", anyhow::Error::from(error))),
            Ok(ListedRepository { repository, owner }) => {
                if let Err(error) =
                    wake::reconcile_as(&repository, owner, REPOSITORY_MAX.min(deadline.left()))
                {
                    tell(&format!(
                        "{}: {error}",
                        text::escape(repository.as_os_str().as_encoded_bytes(), 200)
                    ));
                    is_done = false;
                }
            }
        }
    }
    is_done
}

/// The process of the systemd service: a runner for each environment that somebody left word for.
/// It ends when no runner is left and no word.
pub(super) fn serve(context: &Context) -> anyhow::Result<Exit> {
    let mut runners: Vec<std::process::Child> = Vec::new();
    let mut has_told = false;
    loop {
        let (deploy, words) = match serve_look(context) {
            Ok(found) => found,
            // Ending would only have the path unit start it again at once.
            Err(error) => {
                if !std::mem::replace(&mut has_told, true) {
                    let message = format!("waiting until it is mended: {error:#}");
                    syslog::log([Event::Failure {
                        what: "serve",
                        message: &message,
                    }]);
                    complain(&message, None);
                }
                clock::sleep(SERVE_DAMPING);
                continue;
            }
        };
        has_told = false;
        for environment in &words {
            // One that finds the lock taken leaves: whoever holds it looks once more before it
            // goes. One that can't be started is the timer's.
            match wake::runner_as_child(&deploy, environment) {
                Ok(runner) => runners.push(runner),
                Err(error) => syslog::log([Event::Failure {
                    what: "serve",
                    message: &error.to_string(),
                }]),
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

/// The repository as it is now, and for which environments word was left.
fn serve_look(context: &Context) -> anyhow::Result<(DeployRepository, Vec<Environment>)> {
    context.become_owner(true)?;
    context.is_owner()?;
    let deploy = context.deploy()?;
    let words = wake::take_words(&deploy)?;
    Ok((deploy, words))
}

/// The runner's process: picks up what hooks left, then carries out what is queued for its
/// environment.
pub(super) fn run(context: &Context, environment: &Environment) -> anyhow::Result<Exit> {
    let done = context
        .deploy()
        .map_err(anyhow::Error::from)
        .and_then(|mut deploy| {
            pick_up(&deploy, environment);
            runner::run(&mut deploy, environment).map_err(anyhow::Error::from)
        });
    if let Err(error) = &done {
        let message = format!("{error:#}");
        syslog::log([Event::Failure {
            what: "run",
            message: &message,
        }]);
    }
    done.map(|()| Exit::Done)
}

/// Plans what hooks missed. What goes wrong here goes wrong for the next hook too, which says so;
/// what is queued is carried out all the same.
fn pick_up(deploy: &DeployRepository, own: &Environment) {
    let Ok(mut store) = deploy.open_store() else {
        return;
    };
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
        for environment in planned
            .environments()
            .into_iter()
            .filter(|environment| *environment != own)
        {
            let _ = wake::runner(deploy, environment);
        }
    }
}
