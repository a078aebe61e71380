//! The state: the database, the locks, the cursor and the queue.

use std::fs;
use std::time::Duration;

use super::finding::Finding;
use super::installation::{Installation, shown};
use crate::judging::unreadable_tip;
use crate::runner::{running, unwatched};
use crate::status::Status;
use crate::store::{self, Deployment, Filter, Store};
use crate::sys::clock;
use crate::sys::lock::try_lock;
use crate::text;

/// How long a deployment may wait for a runner to start.
const RUNNER_START: Duration = Duration::from_secs(30);

/// What to do where the deploy branch can't be read.
const READ: &str = "check that this user may read the repository";

/// How far in the future the newest record may be. Beyond this, the clock is wrong.
const CLOCK_AHEAD_MAX: Duration = Duration::from_secs(60);

/// A problem, if the state can't be opened. Then the other checks of the state are left out.
pub(super) fn is_open(state: &Result<Store, store::Error>) -> Vec<Finding> {
    state.as_ref().err().map(broken).into_iter().collect()
}

/// Whether the database is damaged.
pub(super) fn database(_: &Installation<'_>, store: &mut Store) -> Finding {
    match store.integrity_problems() {
        Ok(problems) if problems.is_empty() => match store.check_next_number() {
            Ok(()) => Finding::ok("not damaged"),
            Err(error) => broken(&error),
        },
        Ok(problems) => Finding::problem(
            text::escape(problems.join("; "), 300),
            "stop pushes, keep a copy of the state directory, and restore it from a backup",
        ),
        Err(error) => broken(&error),
    }
}

/// Whether the file system of the state has the locks on which runners rely.
pub(super) fn lock(installation: &Installation<'_>, store: &mut Store) -> Finding {
    if installation.request.untried.is_some() {
        let fix = "run doctor again as the repository's owner";
        return Finding::warning("not tried: this user only reads here", fix);
    }
    let name = format!(".doctor.{}", std::process::id());
    let file = store.folder().join("locks").join(name);
    let locked = try_lock(&file, store.sharing());
    let _ = fs::remove_file(&file);

    match locked {
        Ok(_) => Finding::ok("kernel locks work"),
        Err(error) => Finding::problem(
            format!("{}: {error}", shown(&file)),
            "put the state on a local file system (state_dir)",
        ),
    }
}

/// Whether everything on the deploy branch is planned.
pub(super) fn cursor(installation: &Installation<'_>, store: &mut Store) -> Finding {
    let branch = &installation.deploy.branch;

    let cursor = match store.read().and_then(|record| record.cursor()) {
        Ok(Some(cursor)) => cursor,
        Ok(None) => {
            return Finding::problem("install was not run here", installation.run("install"));
        }
        Err(error) => return broken(&error),
    };
    if cursor.branch != *branch {
        let found = format!(
            "the state belongs to the branch {}, but the configuration names {branch}",
            cursor.branch
        );
        return Finding::problem(text::escape(found, 300), installation.run("install"));
    }

    let found = installation.deploy.repository.branch_tip(branch);
    match (found, &installation.wanted) {
        (Ok(Some(tip)), Err(error)) if error.is_damage() => {
            let problem = unreadable_tip(branch, &tip, cursor.commit.as_ref(), error);
            Finding::problem(problem.message, problem.hint)
        }
        (_, Err(error)) => Finding::problem(error.to_string(), READ),
        (Ok(tip), Ok(_)) if tip == cursor.commit => {
            Finding::ok(format!("everything on {branch} is planned"))
        }
        (Ok(_), Ok(_)) => Finding::problem(
            format!("{branch} has moved, and no hook has planned what changed"),
            installation.run("reconcile"),
        ),
        (Err(error), Ok(_)) => Finding::problem(error.to_string(), READ),
    }
}

/// Whether deployments wait while no runner carries them out.
pub(super) fn queue(installation: &Installation<'_>, store: &mut Store) -> Finding {
    match stuck(store) {
        Ok(stuck) if stuck.is_empty() => Finding::ok("nothing waits without a runner"),
        Ok(stuck) => {
            let reconcile = installation.run("reconcile");
            Finding::problem(
                format!("no runner carries out {}", stuck.join(", ")),
                format!("{reconcile}; syslog says why a runner ended"),
            )
        }
        Err(error) => broken(&error),
    }
}

/// The deployments that wait for longer than a runner takes to start, those whose runner died, and
/// those for which a runner could not go on.
fn stuck(store: &mut Store) -> Result<Vec<String>, store::Error> {
    let name = |open: &Deployment| format!("{} {}", open.id, open.target);
    let waits = |first: &&Deployment| {
        // A deployment that a rule keeps waiting has a reason.
        let may_begin = first.status == Status::Queued && first.reason.is_none();
        may_begin && clock::now().since(first.queued_at) > RUNNER_START
    };

    let record = store.read()?;
    let mut stuck = Vec::new();
    for environment in record.busy_environments()? {
        let open = record.open_deployments(&environment)?;
        let waiting = open.first().filter(waits);
        stuck.extend(waiting.map(name));

        let has_reason = |open: &&Deployment| open.status == Status::Queued;
        if record.is_stuck(&environment)?
            && let Some(open) = open.iter().find(has_reason)
        {
            let reason = text::escape(open.reason.as_deref().unwrap_or_default(), 300);
            stuck.push(format!("{} {} ({reason})", open.id, open.target));
        }
    }
    let running = running(&record, &Filter::default())?;
    drop(record);
    let dead = unwatched(store, running)?;
    stuck.extend(dead.iter().map(|dead| name(&dead.deployment)));
    Ok(stuck)
}

/// Whether the clock was set back since the newest deployment was recorded.
pub(super) fn clock(_: &Installation<'_>, store: &mut Store) -> Finding {
    let now = clock::now();
    let newest = store
        .read()
        .and_then(|record| record.history(&Filter::default(), 1));
    let newest = newest.unwrap_or_default().pop();

    let ahead = newest.map(|newest| newest.queued_at.since(now));
    match ahead.filter(|ahead| *ahead > CLOCK_AHEAD_MAX) {
        None => Finding::ok(now.to_string()),
        Some(ahead) => {
            let ahead_s = ahead.as_secs();
            Finding::problem(
                format!("the newest deployment was recorded {ahead_s} s in the future"),
                "set the clock, for example by NTP",
            )
        }
    }
}

fn broken(error: &store::Error) -> Finding {
    Finding::problem(error.to_string(), error.hint())
}
