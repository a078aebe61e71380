//! Named checks of one installation, each with its fix.

mod trial;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::config::RunnerKind;
use crate::deploy_repository::DeployRepository;
use crate::git;
use crate::hook_files::{Host, is_own_link};
use crate::id::Target;
use crate::status::Status;
use crate::store::{self, Deployment, Filter, Store};
use crate::sys::access::may_write;
use crate::sys::lock::try_lock;
use crate::sys::process::{Identity, boot_id};
use crate::sys::user::User;
use crate::sys::{cgroup, clock, syslog};
use crate::text;
use crate::time::Timestamp;
use crate::timer_list;
use crate::units::Units;

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
    Check {
        name,
        level: Level::Ok,
        found: found.into(),
        fix: None,
    }
}

fn warning(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Check {
    Check {
        name,
        level: Level::Warning,
        found: found.into(),
        fix: Some(fix.into()),
    }
}

fn problem(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Check {
    Check {
        name,
        level: Level::Problem,
        found: found.into(),
        fix: Some(fix.into()),
    }
}

fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 200)
}

/// What `doctor` has to be told.
pub struct Patient<'a> {
    /// The repository.
    pub deploy: &'a DeployRepository,
    /// What is wrong with its configuration, if anything.
    pub problems: Option<String>,
    /// What deploy files ask for.
    pub wanted: &'a [Target],
    /// This program's file and version.
    pub program: (&'a Path, &'a str),
    /// A folder for temporary files.
    pub temporary: &'a Path,
    /// Why the hooks may not be run by this user.
    pub untried: Option<String>,
}

/// A command of this program on this repository, for a person to type.
fn run(deploy: &DeployRepository, command: &str) -> String {
    format!(
        "run: deploy-by-code -C {} {command}",
        shown(deploy.repository.path())
    )
}

/// A setting of git's for this repository, for a person to type.
fn set(deploy: &DeployRepository, setting: &str) -> String {
    format!(
        "git -C {} config {setting}",
        shown(deploy.repository.path())
    )
}

/// Looks at everything that an installation needs.
#[must_use]
pub fn examine(patient: Patient<'_>) -> Vec<Check> {
    let Patient {
        deploy,
        problems,
        wanted,
        program: (program, of_program),
        temporary,
        untried,
    } = patient;
    let mut checks = vec![
        version(of_program),
        configuration(deploy, problems),
        config_permissions(deploy),
    ];
    checks.extend(hooks(deploy, program));
    let fix = "run doctor again as the repository's owner";
    let firing = untried.map(|why| problem("a push", format!("not tried: {why}"), fix));
    checks.extend([
        firing.unwrap_or_else(|| trial::firing(deploy, temporary)),
        push_options(deploy),
        ownership(deploy),
        git_settings(deploy),
        leftover_locks(deploy),
    ]);
    match deploy.open_store() {
        Ok(store) => {
            checks.extend([
                state_permissions(&store),
                database(&store),
                lock(&store),
                cursor(deploy, &store),
                queue(deploy, &store),
                clock(&store),
            ]);
        }
        Err(error) => checks.push(problem("state", error.to_string(), error.hint())),
    }
    checks.extend(repositories(deploy, wanted));
    checks.extend(programs(deploy, wanted));
    checks.extend(users(deploy, wanted));
    checks.extend(checkouts(deploy, wanted));
    checks.extend([
        runner(deploy),
        timer(deploy),
        process_tracking(),
        system_log(),
        time_zones(),
    ]);
    checks
}

fn version(version: &str) -> Check {
    let user = User::current().map_or_else(|error| error.to_string(), |user| user.name);
    ok(
        "version",
        format!(
            "deploy-by-code {version}, as the user {}",
            text::escape(user, 64)
        ),
    )
}

/// What git should be told for what comes over the network and must outlive a power cut;
/// recommended, and up to the administrator.
fn git_settings(deploy: &DeployRepository) -> Check {
    let git_dir = deploy.repository.path();
    let is_true = |key| git::config_bool(git_dir, key).unwrap_or(false);
    let syncs = git::config_value(git_dir, "core.fsync").ok().flatten();
    let syncs = syncs.is_some_and(|value| {
        value.contains("all") || value.contains("committed") && value.contains("reference")
    });
    let mut missing = Vec::new();
    if !is_true("receive.fsckObjects") && !is_true("transfer.fsckObjects") {
        missing.push(set(deploy, "receive.fsckObjects true"));
    }
    if !syncs {
        missing.push(set(deploy, "core.fsync committed,reference"));
    }
    match missing.as_slice() {
        [] => ok(
            "git settings",
            "objects are checked, refs and objects are synced",
        ),
        _ => warning(
            "git settings",
            "git takes malformed objects, or may lose a push that it acknowledged in a power cut",
            missing.join("; "),
        ),
    }
}

/// Whether git works here for this user, who may not be the repository's owner (git-config(1),
/// `safe.directory`).
fn ownership(deploy: &DeployRepository) -> Check {
    let name = "ownership";
    match git::trusts(deploy.repository.path()) {
        Ok(true) => ok(name, "git trusts the repository"),
        Ok(false) => problem(
            name,
            "the repository is another user's, and git refuses to work in it for this one",
            format!(
                "git config --global --add safe.directory {}",
                shown(deploy.repository.path())
            ),
        ),
        Err(error) => problem(name, error.to_string(), "see that git is installed"),
    }
}

/// How old a lock file of git's is before nobody can be at work with it.
const LOCK_AGE: Duration = Duration::from_secs(60 * 60);

/// Lock files that a git which died has left: pushes to those refs fail until they are removed.
fn leftover_locks(deploy: &DeployRepository) -> Check {
    let name = "lock files";
    let mut folders = vec![deploy.repository.path().join("refs")];
    let top = [
        "HEAD.lock",
        "packed-refs.lock",
        "config.lock",
        "shallow.lock",
    ];
    let mut files: Vec<PathBuf> = top
        .iter()
        .map(|file| deploy.repository.path().join(file))
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
        {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ if entry
                    .path()
                    .extension()
                    .is_some_and(|ending| ending == "lock") =>
                {
                    files.push(entry.path())
                }
                _ => {}
            }
        }
    }
    let now = clock::now();
    let is_old = |file: &&PathBuf| {
        let changed = |found: fs::Metadata| Timestamp::from_ms(found.mtime().saturating_mul(1000));
        file.symlink_metadata()
            .is_ok_and(|found| now.since(changed(found)) > LOCK_AGE)
    };
    match files.iter().find(is_old) {
        None => ok(name, "no leftover lock of git's"),
        Some(file) => problem(
            name,
            format!(
                "{} is older than an hour, and git refuses what needs it",
                shown(file)
            ),
            "if no git is at work there, remove it",
        ),
    }
}

/// Whether the programs that commands name are there and may be executed; those in a checkout or
/// with braces in their path are not known yet.
fn programs(deploy: &DeployRepository, wanted: &[Target]) -> Vec<Check> {
    let name = "command";
    let program = |target: &Target| {
        let settings = deploy.config.settings(target);
        Some(
            settings
                .command?
                .first()?
                .fill(&crate::deploy_repository::folder_values(target)),
        )
    };
    let programs: std::collections::BTreeSet<String> = wanted
        .iter()
        .filter_map(program)
        .filter(|program| program.starts_with('/'))
        .collect();
    let check = |program: String| match fs::metadata(&program) {
        Ok(metadata) if metadata.is_file() && metadata.mode() & 0o111 != 0 => {
            ok(name, shown(Path::new(&program)))
        }
        Ok(_) => problem(
            name,
            format!(
                "{} is no program that can be executed",
                shown(Path::new(&program))
            ),
            "chmod +x, or change command in the configuration",
        ),
        Err(error) => problem(
            name,
            format!("{}: {error}", shown(Path::new(&program))),
            "put it there, or change command in the configuration",
        ),
    };
    programs.into_iter().map(check).collect()
}

/// Whether the users that commands run as are there, and can be become.
fn users(deploy: &DeployRepository, wanted: &[Target]) -> Vec<Check> {
    let name = "deploy user";
    let names: std::collections::BTreeSet<String> = wanted
        .iter()
        .filter_map(|target| deploy.config.settings(target).user)
        .collect();
    let check = |user: String| match User::find(&user) {
        Err(error) => problem(
            name,
            text::escape(error.to_string(), 200),
            "make the user, or change user in the configuration",
        ),
        Ok(found) if found.is_current() || User::is_root() => ok(name, text::escape(user, 64)),
        Ok(_) => problem(
            name,
            format!("only root can become {}", text::escape(user, 64)),
            "let the hooks run as that user, or let the command use sudo",
        ),
    };
    names.into_iter().map(check).collect()
}

/// Whether releases can be put where checkouts say, or, where that is still to be made, above it.
fn checkouts(deploy: &DeployRepository, wanted: &[Target]) -> Vec<Check> {
    let name = "checkout";
    let folder = |target: &Target| {
        Some(
            deploy
                .config
                .settings(target)
                .checkout?
                .fill(&crate::deploy_repository::folder_values(target)),
        )
    };
    let folders: std::collections::BTreeSet<String> = wanted.iter().filter_map(folder).collect();
    let check = |folder: String| {
        let there = Path::new(&folder)
            .ancestors()
            .find(|folder| folder.symlink_metadata().is_ok());
        let there = there.unwrap_or(Path::new("/"));
        let may_write = there.is_dir() && may_write(there);
        if may_write {
            return ok(name, shown(Path::new(&folder)));
        }
        let found = format!(
            "{}: this user can't write to {}",
            shown(Path::new(&folder)),
            shown(there)
        );
        problem(
            name,
            found,
            "make it this user's, or change checkout in the configuration",
        )
    };
    folders.into_iter().map(check).collect()
}

/// Whether whoever is to start runners is set up.
fn runner(deploy: &DeployRepository) -> Check {
    let name = "runner";
    if deploy.config.runner == RunnerKind::Detached {
        return ok(name, "started by the hooks");
    }
    let install = format!("as root, {}", run(deploy, "install"));
    let owner = match fs::metadata(deploy.repository.path()) {
        Ok(metadata) => metadata.uid(),
        Err(error) => {
            return problem(
                name,
                error.to_string(),
                "see that this user may read the repository",
            );
        }
    };
    let units = Units::of(deploy.repository.path());
    match units.drop_ins(&deploy.wake_folder(), owner) {
        Ok(drop_ins) if units.are_set_up(&drop_ins) => {
            ok(name, format!("started by systemd, {}", units.path_unit))
        }
        Ok(_) => problem(
            name,
            format!(
                "{} is not enabled, or was set up for another folder or user",
                units.path_unit
            ),
            install,
        ),
        Err(error) => problem(name, error.to_string(), "move the state or the repository"),
    }
}

/// Whether the timer of the package looks after the repository.
fn timer(deploy: &DeployRepository) -> Check {
    let name = "timer";
    let folder = Path::new(timer_list::FOLDER);
    if !folder.is_dir() {
        return warning(
            name,
            "there is no timer, so what hooks miss waits for the next push",
            "install the Debian package, or call reconcile from cron",
        );
    }
    if timer_list::has(folder, deploy.repository.path()) {
        ok(
            name,
            "the repository is registered; deploy-by-code-reconcile.timer looks after it where it is enabled",
        )
    } else {
        warning(
            name,
            "the repository is not registered",
            format!(
                "{}; as root, if an entry is another user's",
                run(deploy, "install")
            ),
        )
    }
}

fn time_zones() -> Check {
    match clock::zone("Europe/Zurich") {
        Some(_) => ok("time zones", "known"),
        None => warning(
            "time zones",
            "the machine has no time zone data, so calendars can name no zone but UTC",
            "apt-get install tzdata",
        ),
    }
}

fn configuration(deploy: &DeployRepository, problems: Option<String>) -> Check {
    if let Some(problems) = problems {
        return problem(
            "configuration",
            problems,
            "mend it; nothing is deployed until then",
        );
    }
    match &deploy.config_file {
        None => problem(
            "configuration",
            "there is no configuration file, so nothing can be deployed",
            format!(
                "write {}/deploy-by-code.toml; see deploy-by-code.toml(5)",
                shown(deploy.repository.path())
            ),
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
    let Some(file) = &deploy.config_file else {
        return ok(name, "no file");
    };
    match is_open_to_others(file) {
        Ok(false) => ok(name, "not writable by everybody"),
        Ok(true) => problem(
            name,
            format!("{} is writable by everybody", shown(file)),
            format!("chmod o-w {}", shown(file)),
        ),
        Err(error) => problem(
            name,
            format!("{}: {error}", shown(file)),
            "see that this user may read it",
        ),
    }
}

fn hooks(deploy: &DeployRepository, program: &Path) -> Vec<Check> {
    let git_dir = deploy.repository.path();
    let found = git::hooks_folder(git_dir)
        .and_then(|folder| Ok((folder, git::config_value(git_dir, "gitlab.fullpath")?)));
    let (folder, gitlab) = match found {
        Ok(found) => found,
        Err(error) => {
            return vec![problem(
                "hooks",
                error.to_string(),
                "see that git is installed",
            )];
        }
    };
    let host = Host::of(git_dir, gitlab.is_some());
    let install = run(deploy, "install");
    let check = |(name, hook): (&'static str, PathBuf)| {
        let install = install.as_str();
        if hook.symlink_metadata().is_err() {
            return problem(name, format!("{} is missing", shown(&hook)), install);
        }
        if !is_own_link(&hook) {
            let found = format!("{} is another hook", shown(&hook));
            return problem(
                name,
                found,
                format!("{install}; it keeps the other hook and runs it too"),
            );
        }
        match fs::metadata(&hook) {
            Err(error) => problem(
                name,
                format!("{} leads nowhere: {error}", shown(&hook)),
                install,
            ),
            Ok(metadata) if metadata.mode() & 0o111 == 0 => problem(
                name,
                format!("{} is not executable", shown(&hook)),
                format!("chmod +x {}", shown(program)),
            ),
            Ok(metadata) if metadata.mode() & 0o022 != 0 => {
                let found = format!("{} is writable by others than its owner", shown(&hook));
                problem(name, found, format!("chmod go-w {}", shown(program)))
            }
            Ok(_) => ok(name, shown(&hook)),
        }
    };
    host.places(git_dir, &folder)
        .into_iter()
        .map(check)
        .collect()
}

fn push_options(deploy: &DeployRepository) -> Check {
    let name = "push options";
    match git::config_bool(deploy.repository.path(), "receive.advertisePushOptions") {
        Ok(true) => ok(name, "receive.advertisePushOptions is true"),
        Ok(false) => warning(
            name,
            "git push -o follow and -o wait are refused by git",
            set(deploy, "receive.advertisePushOptions true"),
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
            problem(
                name,
                format!("{} is writable by everybody", shown(store.folder())),
                fix,
            )
        }
        Err(error) => problem(
            name,
            format!("{}: {error}", shown(store.folder())),
            "see that this user may read it",
        ),
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
    let file = store
        .folder()
        .join("locks")
        .join(format!(".doctor.{}", std::process::id()));
    let locked = try_lock(&file, store.sharing());
    let _ = fs::remove_file(&file);
    match locked {
        Ok(_) => ok("lock", "kernel locks work"),
        Err(error) => problem(
            "lock",
            format!("{}: {error}", shown(&file)),
            "put the state on a local file system (state_dir)",
        ),
    }
}

fn cursor(deploy: &DeployRepository, store: &Store) -> Check {
    let name = "cursor";
    let cursor = match store.read().cursor() {
        Ok(Some(cursor)) => cursor,
        Ok(None) => return problem(name, "nothing was installed", run(deploy, "install")),
        Err(error) => return problem(name, error.to_string(), error.hint()),
    };
    if cursor.branch != deploy.branch {
        let found = format!(
            "the state follows {}, the configuration names {}",
            cursor.branch, deploy.branch
        );
        return problem(name, text::escape(found, 300), run(deploy, "install"));
    }
    match deploy.repository.branch_tip(&deploy.branch) {
        Ok(tip) if tip == cursor.commit => {
            ok(name, format!("everything on {} is planned", deploy.branch))
        }
        Ok(_) => problem(
            name,
            format!("{} has moved, and no hook planned it", deploy.branch),
            run(deploy, "reconcile"),
        ),
        Err(error) => problem(
            name,
            error.to_string(),
            "see that this user may read the repository",
        ),
    }
}

/// Something that waits while nothing runs, for longer than a runner takes to start.
fn queue(deploy: &DeployRepository, store: &Store) -> Check {
    let name = "queue";
    let boot_id = boot_id().unwrap_or_default();
    let is_dead = |open: &Deployment| {
        let runner = open
            .run
            .as_ref()
            .filter(|run| run.boot_id == boot_id)
            .map(|run| run.runner);
        open.status == Status::Running && !runner.is_some_and(Identity::is_alive)
    };
    let look = || -> Result<Vec<String>, store::Error> {
        let mut stuck = Vec::new();
        for environment in store.read().busy_environments()? {
            let open = store.read().open_deployments(&environment)?;
            let waits = |open: &&Deployment| clock::now().since(open.queued_at) > RUNNER_START;
            // What a rule keeps waiting says so.
            let first = open
                .first()
                .filter(|first| first.status == Status::Queued && first.reason.is_none());
            stuck.extend(
                first
                    .filter(waits)
                    .map(|first| format!("{} {}", first.id, first.target)),
            );
            stuck.extend(
                open.iter()
                    .filter(|open| is_dead(open))
                    .map(|open| format!("{} {}", open.id, open.target)),
            );
        }
        Ok(stuck)
    };
    match look() {
        Ok(stuck) if stuck.is_empty() => ok(name, "nothing waits without a runner"),
        Ok(stuck) => problem(
            name,
            format!("no runner carries out {}", stuck.join(", ")),
            format!(
                "{}; syslog says why a runner left",
                run(deploy, "reconcile")
            ),
        ),
        Err(error) => problem(name, error.to_string(), error.hint()),
    }
}

fn clock(store: &Store) -> Check {
    let newest = store
        .read()
        .history(&Filter::default(), 1)
        .unwrap_or_default();
    let ahead = newest
        .first()
        .map(|newest| newest.queued_at.since(clock::now()).as_secs())
        .unwrap_or_default();
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
            Err(error) => problem(
                name,
                format!("{target}: {error}"),
                "see that it is there and that this user may read it",
            ),
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
        Err(error) => warning(
            "syslog",
            format!("/dev/log: {error}"),
            "start a syslog daemon; deployments go on without one",
        ),
    }
}
