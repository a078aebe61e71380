//! Named checks of one installation, each with its fix.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::deploy_repository::DeployRepository;
use crate::git;
use crate::hook_files::{HOOKS, is_own_link};
use crate::id::Target;
use crate::status::Status;
use crate::store::{self, Deployment, Filter, Store};
use crate::sys::lock::try_lock;
use crate::sys::process::{Identity, boot_id};
use crate::sys::{cgroup, clock, syslog};
use crate::text;

/// How long a deployment may wait before its runner must have begun.
const RUNNER_START: Duration = Duration::from_secs(30);

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, with a limit that is worth knowing.
    Warning,
    /// It does not work.
    Problem,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it came out.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub fix: Option<String>,
}

fn ok(name: &'static str, found: impl Into<String>) -> Check {
    Check { name, level: Level::Ok, found: found.into(), fix: None }
}

fn warning(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Check {
    Check { name, level: Level::Warning, found: found.into(), fix: Some(fix.into()) }
}

fn problem(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Check {
    Check { name, level: Level::Problem, found: found.into(), fix: Some(fix.into()) }
}

fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 200)
}

/// Looks at everything that an installation needs.
#[must_use]
pub fn examine(deploy: &DeployRepository, program: &Path, wanted: &[Target]) -> Vec<Check> {
    let mut checks = vec![configuration(deploy), config_permissions(deploy)];
    checks.extend(hooks(deploy, program));
    checks.push(push_options(deploy));
    match deploy.open_store() {
        Ok(store) => {
            checks.extend([
                state_permissions(&store),
                database(&store),
                lock(&store),
                cursor(deploy, &store),
                queue(&store),
                clock(&store),
            ]);
        }
        Err(error) => checks.push(problem("state", error.to_string(), error.hint())),
    }
    checks.extend(repositories(deploy, wanted));
    checks.extend([process_tracking(), system_log()]);
    checks
}

fn configuration(deploy: &DeployRepository) -> Check {
    match &deploy.config_file {
        None => problem(
            "configuration",
            "there is no configuration file, so nothing can be deployed",
            format!("write {}/deploy-by-code.toml; see deploy-by-code.toml(5)", shown(deploy.repository.path())),
        ),
        Some(file) => ok("configuration", shown(file)),
    }
}

/// Whether somebody else than owner and group may write to a file or folder.
fn is_open_to_others(path: &Path) -> io::Result<bool> {
    fs::metadata(path).map(|metadata| metadata.mode() & 0o002 != 0)
}

fn config_permissions(deploy: &DeployRepository) -> Check {
    let name = "configuration permissions";
    let Some(file) = &deploy.config_file else { return ok(name, "no file") };
    match is_open_to_others(file) {
        Ok(false) => ok(name, "not writable by everybody"),
        Ok(true) => {
            problem(name, format!("{} is writable by everybody", shown(file)), format!("chmod o-w {}", shown(file)))
        }
        Err(error) => problem(name, format!("{}: {error}", shown(file)), "see that this user may read it"),
    }
}

fn hooks(deploy: &DeployRepository, program: &Path) -> Vec<Check> {
    let folder = match git::hooks_folder(deploy.repository.path()) {
        Ok(folder) => folder,
        Err(error) => return vec![problem("hooks", error.to_string(), "see that git is installed")],
    };
    let check = |name: &&'static str| {
        let hook = folder.join(name);
        let install = "run: deploy-by-code install";
        if hook.symlink_metadata().is_err() {
            return problem(name, format!("{} is missing", shown(&hook)), install);
        }
        if !is_own_link(&hook) {
            let found = format!("{} is another hook", shown(&hook));
            return problem(name, found, "run: deploy-by-code install; it keeps the other hook and runs it too");
        }
        match fs::metadata(&hook) {
            Err(error) => problem(name, format!("{} leads nowhere: {error}", shown(&hook)), install),
            Ok(metadata) if metadata.mode() & 0o111 == 0 => {
                problem(name, format!("{} is not executable", shown(&hook)), format!("chmod +x {}", shown(program)))
            }
            Ok(_) => ok(name, shown(&hook)),
        }
    };
    HOOKS.iter().map(check).collect()
}

fn push_options(deploy: &DeployRepository) -> Check {
    let name = "push options";
    match git::config_value(deploy.repository.path(), "receive.advertisePushOptions") {
        Ok(Some(value)) if value == "true" => ok(name, "receive.advertisePushOptions is true"),
        Ok(_) => warning(
            name,
            "git push -o follow and -o wait are refused by git",
            "git config receive.advertisePushOptions true",
        ),
        Err(error) => problem(name, error.to_string(), "see that git is installed"),
    }
}

fn state_permissions(store: &Store) -> Check {
    let name = "state permissions";
    match is_open_to_others(store.folder()) {
        Ok(false) => ok(name, shown(store.folder())),
        Ok(true) => {
            let fix = format!("chmod -R o-w {}", shown(store.folder()));
            problem(name, format!("{} is writable by everybody", shown(store.folder())), fix)
        }
        Err(error) => problem(name, format!("{}: {error}", shown(store.folder())), "see that this user may read it"),
    }
}

fn database(store: &Store) -> Check {
    match store.integrity_problems() {
        Ok(problems) if problems.is_empty() => ok("database", "sound"),
        Ok(problems) => problem(
            "database",
            text::escape(problems.join("; "), 300),
            "stop pushes, keep a copy of the state directory, and restore it from a backup",
        ),
        Err(error) => problem("database", error.to_string(), error.hint()),
    }
}

fn lock(store: &Store) -> Check {
    let file = store.folder().join("locks").join(format!(".doctor.{}", std::process::id()));
    let locked = try_lock(&file, store.sharing());
    let _ = fs::remove_file(&file);
    match locked {
        Ok(_) => ok("lock", "kernel locks work"),
        Err(error) => {
            problem("lock", format!("{}: {error}", shown(&file)), "put the state on a local file system (state_dir)")
        }
    }
}

fn cursor(deploy: &DeployRepository, store: &Store) -> Check {
    let name = "cursor";
    let cursor = match store.read().cursor() {
        Ok(Some(cursor)) => cursor,
        Ok(None) => return problem(name, "nothing was installed", "run: deploy-by-code install"),
        Err(error) => return problem(name, error.to_string(), error.hint()),
    };
    if cursor.branch != deploy.branch {
        let found = format!("the state follows {}, the configuration names {}", cursor.branch, deploy.branch);
        return problem(name, text::escape(found, 300), "run: deploy-by-code install");
    }
    match deploy.repository.branch_tip(&deploy.branch) {
        Ok(tip) if tip == cursor.commit => ok(name, format!("everything on {} is planned", deploy.branch)),
        Ok(_) => problem(
            name,
            format!("{} has moved, and no hook planned it", deploy.branch),
            "run: deploy-by-code reconcile",
        ),
        Err(error) => problem(name, error.to_string(), "see that this user may read the repository"),
    }
}

/// Something that waits while nothing runs, for longer than a runner takes to start.
fn queue(store: &Store) -> Check {
    let name = "queue";
    let boot_id = boot_id().unwrap_or_default();
    let is_dead = |open: &Deployment| {
        let runner = open.run.as_ref().filter(|run| run.boot_id == boot_id).map(|run| run.runner);
        open.status == Status::Running && !runner.is_some_and(Identity::is_alive)
    };
    let look = || -> Result<Vec<String>, store::Error> {
        let mut stuck = Vec::new();
        for environment in store.read().busy_environments()? {
            let open = store.read().open_deployments(&environment)?;
            let waits = |open: &&Deployment| clock::now().since(open.queued_at) > RUNNER_START;
            // What a rule keeps waiting says so.
            let first = open.first().filter(|first| first.status == Status::Queued && first.reason.is_none());
            stuck.extend(first.filter(waits).map(|first| format!("{} {}", first.id, first.target)));
            stuck.extend(open.iter().filter(|open| is_dead(open)).map(|open| format!("{} {}", open.id, open.target)));
        }
        Ok(stuck)
    };
    match look() {
        Ok(stuck) if stuck.is_empty() => ok(name, "nothing waits without a runner"),
        Ok(stuck) => problem(
            name,
            format!("no runner carries out {}", stuck.join(", ")),
            "run: deploy-by-code reconcile; syslog says why a runner left",
        ),
        Err(error) => problem(name, error.to_string(), error.hint()),
    }
}

fn clock(store: &Store) -> Check {
    let newest = store.read().history(&Filter::default(), 1).unwrap_or_default();
    let ahead = newest.first().map(|newest| newest.queued_at.since(clock::now()).as_secs()).unwrap_or_default();
    if ahead > 60 {
        return problem(
            "clock",
            format!("the newest deployment was recorded {ahead} s in the future"),
            "set the clock, with NTP",
        );
    }
    ok("clock", clock::now().to_string())
}

fn repositories(deploy: &DeployRepository, wanted: &[Target]) -> Vec<Check> {
    let name = "application repository";
    let check = |target: &Target| {
        let path = deploy.application_repository(target)?;
        Some(match git::open_application(&path) {
            Ok(_) => ok(name, format!("{target}: {}", shown(&path))),
            Err(error) => {
                problem(name, format!("{target}: {error}"), "see that it is there and that this user may read it")
            }
        })
    };
    wanted.iter().filter_map(check).collect()
}

fn process_tracking() -> Check {
    let name = "process tracking";
    match cgroup::create("doctor") {
        Some((folder, _)) => {
            cgroup::remove(&folder);
            ok(name, "each deployment gets a cgroup of its own")
        }
        None => warning(
            name,
            "no cgroup can be made here: what a command started is found by session, process group and environment",
            "a command that leaves all three is not waited for; run the hooks where cgroups are delegated to be sure",
        ),
    }
}

fn system_log() -> Check {
    match syslog::check() {
        Ok(()) => ok("syslog", "reachable"),
        Err(error) => {
            warning("syslog", format!("/dev/log: {error}"), "start a syslog daemon; deployments go on without one")
        }
    }
}
