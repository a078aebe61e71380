//! One deployment, from its turn to its end.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::checkout::Checkout;
use super::error::Error;
use super::log::Log;
use super::this_runner::Runner;
use crate::config::Settings;
use crate::deploy_repository::{DeployRepository, folder_values};
use crate::id::Revision;
use crate::publish;
use crate::status::Status;
use crate::store::{self, Deployment, Outcome, Run, Stale, Store};
use crate::sys::cgroup;
use crate::sys::clock::{self, Deadline};
use crate::sys::gated::{Gated, spawn_gated};
use crate::sys::surroundings::PATH;
use crate::sys::tree::Tree;
use crate::sys::user::User;
use crate::text;
use crate::time::show_duration;

/// How often a running command is looked after.
const TICK: Duration = Duration::from_millis(100);

/// How many times an end is written down again after the state could not be changed, a second
/// apart.
const RECORD_TRIES: usize = 30;

/// Everything that one deployment needs, owned by its thread.
pub(super) struct Job {
    store: Store,
    deployment: Deployment,
    settings: Settings,
    repository: Option<PathBuf>,
    run: Run,
    previous: Option<Revision>,
    /// Whether this job, and no other, made the deployment `running`.
    has_begun: bool,
}

impl Job {
    /// Collects what a deployment needs from the configuration as it is now.
    pub(super) fn new(
        runner: &Runner,
        deploy: &DeployRepository,
        folder: &Path,
        deployment: Deployment,
    ) -> Result<Self, Error> {
        let mut store = Store::open(folder)?;
        let previous = store.read()?.deployed(&deployment.target)?;
        Ok(Self {
            store,
            settings: deploy.config.settings(&deployment.target),
            repository: deploy.application_repository(&deployment.target),
            run: Run {
                boot_id: runner.boot_id.clone(),
                runner: runner.identity,
                leader: None,
                cgroup: None,
            },
            previous: previous.map(|deployed| deployed.revision),
            deployment,
            has_begun: false,
        })
    }

    /// The end of a deployment whose command can't be executed.
    fn not_started(&self, error: &io::Error) -> Outcome {
        let program = self.settings.command.iter().flatten().next();
        let program = program
            .map(|program| program.fill(&folder_values(&self.deployment.target)))
            .unwrap_or_default();
        let missing = error.kind() == io::ErrorKind::NotFound && Path::new(&program).is_file();
        let interpreter = if missing {
            ", or the interpreter in its first line"
        } else {
            ""
        };
        let program = text::quote(&program, 100);
        Outcome::new(
            Status::Failed,
            format!("could not start the command {program}{interpreter}: {error}"),
        )
    }

    /// Queued becomes running, if nobody was faster.
    fn begin(&mut self) -> Result<Result<(), Stale>, store::Error> {
        let (id, run, previous) = (self.deployment.id, &self.run, self.previous.as_ref());
        let begun = self
            .store
            .transaction(|transaction| transaction.begin(id, run, previous, clock::now()))?;
        if begun.is_ok() {
            self.has_begun = true;
            publish::to_syslog(&mut self.store);
        }
        Ok(begun)
    }

    /// Who wants it to end, if anybody.
    fn is_cancelled(&mut self) -> Result<Option<String>, store::Error> {
        Ok(self
            .store
            .read()?
            .deployment(self.deployment.id)?
            .and_then(|deployment| deployment.cancelled_by)
            .map(|by| by.name))
    }

    /// Writes the end down. A full disk may have room again in a moment; without a record the end
    /// counts as unknown.
    fn record(&mut self, outcome: &Outcome) -> Result<(), store::Error> {
        let mut tries = 0;
        loop {
            let id = self.deployment.id;
            let done = self
                .store
                .transaction(|transaction| transaction.finish(id, outcome, clock::now()));
            match done {
                Err(_) if tries < RECORD_TRIES => clock::sleep(Duration::from_secs(1)),
                // Whoever recorded an end before this one did it with the record as it is now.
                Ok(Ok(()) | Err(Stale)) => {
                    publish::to_syslog(&mut self.store);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
            tries += 1;
        }
    }
}

/// Carries a deployment out and records its end.
pub(super) fn execute(mut job: Job) -> Result<(), Error> {
    let log = Log::create(
        job.store.log_file(job.deployment.id),
        job.store.sharing(),
        job.settings.log_limit,
    );
    let mut log = match log {
        Ok(log) => log,
        Err(error) => {
            if job.begin()?.is_ok() {
                job.record(&Outcome::new(
                    Status::Failed,
                    format!("the log can't be written: {error}"),
                ))?;
            }
            return Ok(());
        }
    };
    let sharing = job.store.sharing();
    let Some(outcome) = carry_out(&mut job, &mut log)? else {
        return Ok(());
    };
    if outcome.status != Status::Succeeded && outcome.exit_status.is_none() {
        log.say(outcome.reason.as_deref().unwrap_or_default());
    }
    let _ = log.close(sharing);
    job.record(&outcome)?;
    Ok(())
}

/// `None`: somebody was faster, and it is not this runner's to carry out.
fn carry_out(job: &mut Job, log: &mut Log) -> Result<Option<Outcome>, Error> {
    let failed = |reason: String| Ok(Some(Outcome::new(Status::Failed, reason)));
    let Some(template) = job.settings.checkout.clone() else {
        if job.settings.command.is_none() {
            return Ok(if job.begin()?.is_ok() {
                failed("neither command nor checkout is configured".into())?
            } else {
                None
            });
        }
        return run_command(job, log, None);
    };
    if job.begin()?.is_err() {
        return Ok(None);
    }
    let Some(repository) = job.repository.clone() else {
        return failed("checkout: no repository is configured".to_owned());
    };
    let folder = PathBuf::from(template.fill(&folder_values(&job.deployment.target)));
    let revision = job.deployment.revision.clone();
    let exported = Checkout::claim(folder, &job.deployment.target).and_then(|checkout| {
        checkout
            .export(&repository, &revision)
            .map(|written| (checkout, written))
    });
    let (checkout, written) = match exported {
        Ok(exported) => exported,
        Err(error) => return failed(format!("checkout: {error}")),
    };
    let release = checkout.release(&revision);
    log.say(&format!(
        "{} {}",
        if written { "checked out" } else { "reused" },
        release.display()
    ));
    if let Some(by) = job.is_cancelled()? {
        return Ok(Some(Outcome::new(Status::Cancelled, format!("by {by}"))));
    }
    let outcome = match job.settings.command {
        Some(_) => run_command(job, log, Some(release))?,
        None => Some(Outcome {
            status: Status::Succeeded,
            reason: None,
            exit_status: None,
        }),
    };
    if !outcome
        .as_ref()
        .is_some_and(|outcome| outcome.status == Status::Succeeded)
    {
        return Ok(outcome);
    }
    if let Err(error) = checkout.flip(&revision) {
        return failed(format!("checkout: {error}"));
    }
    log.say(&format!("current -> releases/{revision}"));
    checkout.prune(job.settings.keep_releases);
    Ok(outcome)
}

fn run_command(
    job: &mut Job,
    log: &mut Log,
    release: Option<PathBuf>,
) -> Result<Option<Outcome>, Error> {
    let gated = match start(job, log, release) {
        Ok(gated) => gated,
        Err(error) => {
            remove_cgroup(job);
            let outcome = job.not_started(&error);
            return Ok(if job.has_begun || job.begin()?.is_ok() {
                Some(outcome)
            } else {
                None
            });
        }
    };
    job.run.leader = Some(gated.identity);
    let begun = if job.has_begun {
        job.store
            .transaction(|transaction| transaction.set_leader(job.deployment.id, &job.run))?
    } else {
        job.begin()?
    };
    if begun.is_err() {
        drop(gated); // the gate closes, and the child ends without having begun
        remove_cgroup(job);
        return Ok(None);
    }
    let tree = job.run.tree(job.deployment.id, job.store.folder());
    let outcome = match gated.open() {
        Ok(ended) => supervise(job, log, &tree, &ended)?,
        Err(error) => job.not_started(&error),
    };
    remove_cgroup(job);
    Ok(Some(outcome))
}

fn remove_cgroup(job: &Job) {
    job.run
        .cgroup
        .iter()
        .for_each(|folder| cgroup::remove(folder));
}

/// Forks the command's first process, which waits until it is on record.
fn start(job: &mut Job, log: &Log, release: Option<PathBuf>) -> io::Result<Gated> {
    let current = User::current().ok();
    let user = job.settings.user.as_deref().map(User::find).transpose()?;
    let other = user.clone().filter(|user| !user.is_current());
    let as_whom = user.or(current);
    let shown = |path: &Option<PathBuf>| {
        path.as_ref()
            .map(|path| path.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let optional = |text: Option<&str>| text.unwrap_or_default().replace('\0', "");
    let deployment = &job.deployment;
    let values = [
        ("id", deployment.id.0.to_string()),
        ("environment", deployment.target.environment.to_string()),
        ("application", deployment.target.application.to_string()),
        ("revision", deployment.revision.to_string()),
        (
            "previous_revision",
            optional(job.previous.as_ref().map(Revision::as_str)),
        ),
        (
            "commit",
            optional(deployment.deploy_commit.as_ref().map(Revision::as_str)),
        ),
        (
            "pusher",
            optional(
                deployment
                    .pusher
                    .as_ref()
                    .map(|pusher| pusher.name.as_str()),
            ),
        ),
        ("repository", shown(&job.repository)),
        ("checkout", shown(&release)),
    ];
    let by_name: Vec<(&str, &str)> = values
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let arguments: Vec<String> = job
        .settings
        .command
        .iter()
        .flatten()
        .map(|argument| argument.fill(&by_name))
        .collect();
    let (program, arguments) = arguments
        .split_first()
        .ok_or_else(|| io::Error::other("no command is configured"))?;

    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C.UTF-8");
    if let Some(user) = &as_whom {
        command
            .env("HOME", &user.home)
            .env("USER", &user.name)
            .env("LOGNAME", &user.name);
    }
    command.envs(&job.settings.env);
    command.envs(
        values
            .iter()
            .map(|(name, value)| (format!("DEPLOY_{}", name.to_ascii_uppercase()), value)),
    );
    command.env("DEPLOY_STATE_DIR", job.store.folder());
    command.current_dir(release.unwrap_or_else(|| job.store.folder().join("work")));
    let output: File = log.for_command()?;
    command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);

    let joined = cgroup::create(&deployment.id.0.to_string());
    let (folder, procs) = joined.unzip();
    job.run.cgroup = folder;
    spawn_gated(command, procs, other)
}

/// What the runner decided to end the command for.
enum Stop {
    Timeout,
    Cancelled(String),
}

/// Looks after a running command until it and, within limits, everything that it started has ended.
fn supervise(
    job: &mut Job,
    log: &mut Log,
    tree: &Tree,
    ended: &Receiver<io::Result<ExitStatus>>,
) -> Result<Outcome, Error> {
    let timeout = Deadline::after(job.settings.timeout);
    let mut seen_version = job.store.data_version()?;
    // Whoever cancelled it before that is not seen as a change after it.
    let mut stop: Option<Stop> = job.is_cancelled()?.map(Stop::Cancelled);
    let mut kill_at: Option<Deadline> = None;
    if stop.is_some() {
        tree.terminate();
        kill_at = Some(Deadline::after(job.settings.kill_after));
    }
    let exit = loop {
        match ended.recv_timeout(TICK.min(if stop.is_none() { timeout.left() } else { TICK })) {
            Ok(exit) => break exit,
            Err(RecvTimeoutError::Disconnected) => {
                break Err(io::Error::other("the command was lost"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        log.keep_within_limit();
        if stop.is_none() {
            // The state is asked only after another process changed it. A state that can't be read
            // now may be read at the next look.
            let version = job.store.data_version().unwrap_or(seen_version);
            if version != seen_version {
                seen_version = version;
                stop = job.is_cancelled().ok().flatten().map(Stop::Cancelled);
            }
            if stop.is_none() && timeout.is_over() {
                stop = Some(Stop::Timeout);
            }
            if stop.is_some() {
                tree.terminate();
                kill_at = Some(Deadline::after(job.settings.kill_after));
            }
        }
        if kill_at.is_some_and(Deadline::is_over) {
            tree.kill();
        }
    };
    let left = end_of_tree(job, log, tree, kill_at);
    Ok(outcome(job, exit, stop, left))
}

/// Waits for what the leader left: as long as it may take to die when it was told to, `grace`
/// otherwise. Says whether something still runs.
fn end_of_tree(job: &Job, log: &mut Log, tree: &Tree, kill_at: Option<Deadline>) -> bool {
    let grace = Deadline::after(job.settings.grace);
    // After SIGKILL only the kernel can hold a process, for as long as it likes.
    let give_up = Deadline::after(job.settings.kill_after + Duration::from_secs(5));
    let mut wait = Duration::from_millis(1);
    while tree.is_alive() {
        match kill_at {
            Some(_) if give_up.is_over() => return true,
            Some(at) if at.is_over() => tree.kill(),
            None if grace.is_over() => return true,
            _ => {}
        }
        log.keep_within_limit();
        clock::sleep(wait);
        wait = (wait * 2).min(TICK);
    }
    false
}

fn outcome(job: &Job, exit: io::Result<ExitStatus>, stop: Option<Stop>, left: bool) -> Outcome {
    use std::os::unix::process::ExitStatusExt;
    let exit = match exit {
        Ok(exit) => exit,
        Err(error) => return job.not_started(&error),
    };
    let remark = |reason: Option<String>| match (reason, left) {
        (reason, false) => reason,
        (None, true) => Some("left processes running".to_owned()),
        (Some(reason), true) => Some(format!("{reason}; left processes running")),
    };
    let (status, reason) = match stop {
        Some(Stop::Cancelled(by)) => (Status::Cancelled, Some(format!("by {by}"))),
        Some(Stop::Timeout) => (
            Status::Failed,
            Some(format!(
                "timeout after {}",
                show_duration(job.settings.timeout)
            )),
        ),
        None => match (exit.code(), exit.signal()) {
            (Some(0), _) => (Status::Succeeded, None),
            (Some(code), _) => (Status::Failed, Some(format!("exit status {code}"))),
            (None, signal) => (
                Status::Failed,
                Some(format!("signal {}", signal.unwrap_or_default())),
            ),
        },
    };
    Outcome {
        status,
        reason: remark(reason),
        exit_status: exit.code(),
    }
}
