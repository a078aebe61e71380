//! The command line: arguments, terminal, exit codes. The only place that prints.

mod arguments;
mod check;
mod complete;
mod doctor;
mod follow;
mod freeze;
mod history;
mod hooks;
mod install;
mod intervene;
mod output;
mod plan;
mod run;
mod status;

use std::cell::OnceCell;
use std::env;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::Parser;

use crate::deploy_repository::{self, DeployRepository};
use crate::git::{Repository, find_repository};
use crate::hook::{environment, planning};
use crate::id::Pusher;
use crate::store::{self, Store};
use crate::sys::user::User;
use crate::verbs::install as installing;
use crate::{git, runner, text};
use arguments::{Arguments, Command};
use output::Output;

/// The exit codes, as the manual page lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Done = 0,
    /// A refusal, or what was asked about failed.
    Refused = 1,
    Usage = 2,
    Configuration = 3,
    State = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Something is not done, for a reason that the user can do something about.
#[derive(Debug)]
struct Refusal {
    exit: Exit,
    message: String,
    hint: Option<String>,
}

impl Refusal {
    fn error(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        anyhow!(Self {
            exit: Exit::Refused,
            message: message.into(),
            hint: Some(hint.into())
        })
    }

    fn usage(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        anyhow!(Self {
            exit: Exit::Usage,
            message: message.into(),
            hint: Some(hint.into())
        })
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// What decides in a repository what is carried out, beside its folder, the deploy branch and the
/// state.
const ROOTS_OWN: &[&str] = &[
    "config",
    "deploy-by-code.toml",
    "hooks",
    "HEAD",
    "refs",
    "refs/heads",
    "packed-refs",
    "reftable",
    "objects",
    "objects/info",
];

/// Where a command works.
struct Context {
    git_dir: PathBuf,
    config: Option<PathBuf>,
    output: Output,
    person: OnceCell<Pusher>,
}

impl Context {
    /// Of a repository that is named, of `GIT_DIR`, or of the one above the current folder.
    fn find(named: Option<PathBuf>, config: Option<PathBuf>) -> anyhow::Result<Self> {
        let missing = |place: &std::path::Path| {
            let place = text::escape(place.as_os_str().as_encoded_bytes(), 200);
            anyhow!(Refusal {
                exit: Exit::State,
                message: format!("{place}: there is no git repository here"),
                hint: Some("name it: deploy-by-code -C /path/to/repository.git …".to_owned()),
            })
        };
        let git_dir = match (&named, env::var_os("GIT_DIR")) {
            (Some(named), _) => find_repository(named).ok_or_else(|| missing(named))?,
            (None, Some(git_dir)) => PathBuf::from(git_dir),
            (None, None) => {
                let current = env::current_dir()?;
                find_repository(&current).ok_or_else(|| missing(&current))?
            }
        };
        Ok(Self {
            git_dir,
            config,
            output: Output::new(),
            person: OnceCell::new(),
        })
    }

    /// Root becomes the repository's owner: what it wrote would be out of the hooks' reach, and
    /// what it deployed would be deployed as root.
    fn become_owner(&self, acts: bool) -> anyhow::Result<()> {
        let Some(owner) = self.owner_to_become(acts)? else {
            return Ok(());
        };
        self.person();
        Ok(owner.become_for_good()?)
    }

    /// Whom root has to become, if anybody; and whether that may be.
    fn owner_to_become(&self, acts: bool) -> anyhow::Result<Option<User>> {
        if !User::is_root() {
            return Ok(None);
        }
        let owner = self.owner()?;
        for folder in self.folders()? {
            if std::fs::metadata(&folder)?.mode() & 0o002 != 0 {
                let shown = text::escape(folder.as_os_str().as_encoded_bytes(), 200);
                let message = format!(
                    "{shown} is writable by everybody, and its configuration would be followed as its owner"
                );
                return Err(Refusal::error(message, format!("chmod o-w {shown}")));
            }
        }
        if owner == 0 && acts {
            self.belongs_to_root()?;
        }
        if owner == 0 {
            Ok(None)
        } else {
            Ok(Some(User::by_number(owner)?))
        }
    }

    /// For a service whose user was set when the repository was its: what the repository says now
    /// is its owner's to carry out.
    fn is_owner(&self) -> anyhow::Result<()> {
        let (owner, own) = (self.owner()?, User::own_number());
        if owner == own {
            return Ok(());
        }
        let message = format!("the repository is user {owner}'s, and this is user {own}");
        Err(Refusal::error(
            message,
            "run as root: deploy-by-code install",
        ))
    }

    /// What root is to carry out must be root's alone: whoever can write to the repository or its
    /// configuration decides what is executed.
    fn belongs_to_root(&self) -> anyhow::Result<()> {
        let is_roots = |path: PathBuf| {
            let is_others = std::fs::metadata(&path)
                .is_ok_and(|found| found.uid() != 0 || found.mode() & 0o022 != 0);
            if !is_others {
                return Ok(());
            }
            let shown = text::escape(path.as_os_str().as_encoded_bytes(), 200);
            let message = format!(
                "{shown} is others' to write, and what they write would be carried out as root"
            );
            let hint =
                "give the repository to a user of its own: chown -R git:… , and run this again";
            Err(Refusal::error(message, hint))
        };
        for folder in self.folders()? {
            ROOTS_OWN
                .iter()
                .map(|name| folder.join(name))
                .chain([folder.clone()])
                .try_for_each(is_roots)?;
        }
        self.config.iter().cloned().try_for_each(is_roots)?;
        // Only now is it known that nobody else wrote where the state is.
        let (deploy, _) = DeployRepository::open_to_look(&self.git_dir, self.config.as_deref())?;
        let (state, branch) = (
            deploy.state_dir(),
            deploy.repository.path().join(&deploy.branch),
        );
        deploy
            .config_file
            .into_iter()
            .chain([branch, state.join("state.db"), state])
            .try_for_each(is_roots)
    }

    /// The git folder, and, of a linked work tree, the repository's.
    fn folders(&self) -> anyhow::Result<[PathBuf; 2]> {
        Ok([
            self.git_dir.clone(),
            Repository::open(&self.git_dir)?.path().to_owned(),
        ])
    }

    /// The number of the user whose repository it is.
    fn owner(&self) -> anyhow::Result<u32> {
        // A work tree's folder names the repository, and need not be the same user's.
        let [own, common] = self.folders()?.map(std::fs::metadata);
        let (owner, common) = (own?.uid(), common?.uid());
        if owner == common {
            return Ok(owner);
        }
        let message = "this folder and the repository that it leads to are not the same user's";
        Err(Refusal::error(
            message,
            "name the repository itself: deploy-by-code -C /path/to/repository.git …",
        ))
    }

    fn deploy(&self) -> Result<DeployRepository, deploy_repository::Error> {
        DeployRepository::open(&self.git_dir, self.config.as_deref())
    }

    fn deploy_and_store(&self) -> anyhow::Result<(DeployRepository, Store)> {
        let deploy = self.deploy()?;
        let store = deploy.open_store()?;
        Ok((deploy, store))
    }

    /// For what has to go also while the configuration is broken.
    fn deploy_to_look(&self) -> anyhow::Result<DeployRepository> {
        let (deploy, problems) =
            DeployRepository::open_to_look(&self.git_dir, self.config.as_deref())?;
        if let Some(problems) = problems {
            output::complain(
                &format!("warning: {problems}"),
                Some("nothing is deployed until this is mended"),
            );
        }
        Ok(deploy)
    }

    /// For commands that only look: what is recorded can be seen also while the configuration is
    /// broken.
    fn look(&self) -> anyhow::Result<(DeployRepository, Store)> {
        let deploy = self.deploy_to_look()?;
        let store = deploy.open_store()?;
        Ok((deploy, store))
    }

    /// Who types this: the user behind sudo, or as a hook would say. Asked before root becomes
    /// somebody else.
    fn person(&self) -> &Pusher {
        self.person.get_or_init(Self::find_person)
    }

    fn find_person() -> Pusher {
        let behind_sudo = env::var("SUDO_USER").ok().filter(|name| !name.is_empty());
        let behind_sudo = behind_sudo.map(|name| Pusher {
            name,
            known_by: "sudo".to_owned(),
        });
        let nobody = || Pusher {
            name: "somebody".to_owned(),
            known_by: String::new(),
        };
        behind_sudo
            .or_else(environment::pusher)
            .unwrap_or_else(nobody)
    }
}

/// The command line's description, for manual pages.
#[must_use]
pub fn command() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// Runs the program and says how it went.
#[must_use]
pub fn main() -> ExitCode {
    let mut words = env::args_os();
    let program = words.next().unwrap_or_default();
    let result = match hooks::called_as(&program) {
        Some(hook) => hooks::run(
            hook,
            None,
            None,
            &program,
            &words.collect::<Vec<OsString>>(),
        ),
        None => dispatch(&program),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => fail(&error).into(),
    }
}

fn dispatch(program: &OsString) -> anyhow::Result<Exit> {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            return usage(&error);
        }
    };
    let Arguments {
        repository,
        config,
        command,
    } = arguments;
    let hook = |name, words: &[OsString]| {
        hooks::run(
            name,
            repository.as_deref(),
            config.as_deref(),
            program,
            words,
        )
    };
    // What works on no repository, or finds it as git tells it.
    let command = match command {
        Command::PreReceive => return hook("pre-receive", &[]),
        Command::PostReceive => return hook("post-receive", &[]),
        Command::ReferenceTransaction { state } => {
            return hook("reference-transaction", &[state.into()]);
        }
        Command::Reconcile {
            list: true,
            registry,
            ..
        } => return run::list_registered(&registry),
        Command::Reconcile {
            registered: true,
            registry,
            ..
        } => return run::reconcile_registered(&registry),
        Command::Complete { words } => return complete::complete(&words),
        command => command,
    };
    let named = match &command {
        Command::Install { named, .. } | Command::Uninstall { named, .. } => named.clone(),
        _ => None,
    };
    if let (
        Command::Uninstall {
            dry_run, registry, ..
        },
        Some(gone),
    ) = (&command, named.as_ref().or(repository.as_ref()))
        && !is_repository(gone)
        && let Some(exit) = install::uninstall_gone(gone, *dry_run, registry)?
    {
        return Ok(exit);
    }
    let context = Context::find(named.or(repository), config)?;
    match command {
        // These have something to do first, or were started by the hook as whoever it is.
        Command::Install { .. }
        | Command::Uninstall { .. }
        | Command::Serve
        | Command::Run { .. } => {}
        Command::Reconcile {
            after_push: true, ..
        } => {}
        Command::Reconcile { .. }
        | Command::Retry { .. }
        | Command::Cancel { .. }
        | Command::Release { .. }
        | Command::Thaw { .. } => context.become_owner(true)?,
        _ => context.become_owner(false)?,
    }
    match command {
        Command::PreReceive
        | Command::PostReceive
        | Command::ReferenceTransaction { .. }
        | Command::Complete { .. } => unreachable!("returned above"),
        Command::Install {
            deploy_existing,
            dry_run,
            registry,
            ..
        } => install::install(&context, deploy_existing, dry_run, &registry),
        Command::Uninstall {
            dry_run, registry, ..
        } => install::uninstall(&context, dry_run, &registry),
        Command::Doctor { json } => doctor::doctor(&context, json),
        Command::Check { revision, json } => check::check(&context, revision.as_deref(), json),
        Command::Plan {
            old,
            new,
            markdown,
            json,
        } => {
            let form = if json {
                plan::Form::Json
            } else if markdown {
                plan::Form::Markdown
            } else {
                plan::Form::Text
            };
            plan::plan(&context, &old, &new, form)
        }
        Command::Status { filter, json } => {
            status::status(&context, &filter.unwrap_or_default().0, json)
        }
        Command::Log {
            filter,
            number,
            json,
        } => history::log(&context, &filter.unwrap_or_default().0, number, json),
        Command::Show { id, json } => history::show(&context, id, json),
        Command::Logs { id, follow } => follow::logs(&context, id, follow),
        Command::Wait { id } => follow::wait(&context, id),
        Command::Retry { id, stale } => intervene::retry(&context, id, stale),
        Command::Cancel { id } => intervene::cancel(&context, id),
        Command::Freeze {
            environment,
            reason,
            until,
        } => freeze::freeze(&context, &environment, &reason, until.as_deref()),
        Command::Thaw {
            environment,
            dry_run,
        } => freeze::thaw(&context, &environment, dry_run),
        Command::Release { environment } => intervene::release(&context, &environment),
        Command::Reconcile {
            after_push,
            push_old,
            push_new,
            pusher,
            pusher_known_by,
            ..
        } => {
            let known_by = pusher_known_by.unwrap_or_default();
            let pusher = pusher.map(|name| Pusher { name, known_by });
            let push = planning::Push {
                old_is_told: push_old.is_some(),
                old: push_old,
                new: push_new,
                pusher,
            };
            run::reconcile(&context, after_push.then_some(&push))
        }
        Command::Serve => run::serve(&context),
        Command::Run { environment } => run::run(&context, &environment),
    }
}

/// Whether a folder is a repository or a work tree itself, and does not only lie in one.
fn is_repository(folder: &std::path::Path) -> bool {
    let inside = |found: PathBuf| {
        folder
            .canonicalize()
            .is_ok_and(|folder| found.starts_with(folder))
    };
    find_repository(folder).is_some_and(inside) || folder.join(".git").exists()
}

/// Prints what the command line's parser has to say: help, the version, or what is wrong with the
/// words, which may be hostile too.
fn usage(error: &clap::Error) -> anyhow::Result<Exit> {
    let mut shown = String::new();
    for line in error.render().to_string().lines() {
        shown.push_str(&text::escape(line, usize::MAX));
        shown.push('\n');
    }
    if error.use_stderr() {
        output::print_error(&shown);
        return Ok(Exit::Usage);
    }
    Output::new().print(&shown)?;
    Ok(Exit::Done)
}

/// Says what went wrong, and with which exit code the program ends.
fn fail(error: &anyhow::Error) -> Exit {
    let (exit, hint) = explain(error);
    // A reader that went away wants to hear nothing, also not that it did.
    let is_pipe = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
    if !error.downcast_ref::<std::io::Error>().is_some_and(is_pipe) {
        output::complain(&format!("{error:#}"), hint.as_deref());
    }
    exit
}

fn explain(error: &anyhow::Error) -> (Exit, Option<String>) {
    if let Some(refusal) = error.downcast_ref::<Refusal>() {
        return (refusal.exit, refusal.hint.clone());
    }
    let of_store = |error: &store::Error| (Exit::State, Some(error.hint().to_owned()));
    if let Some(error) = error.downcast_ref::<store::Error>() {
        return of_store(error);
    }
    match error.downcast_ref::<planning::Error>() {
        Some(planning::Error::Store(error)) => return of_store(error),
        Some(_) => return (Exit::State, None),
        None => {}
    }
    match error.downcast_ref::<installing::Error>() {
        Some(installing::Error::Store(error)) => return of_store(error),
        Some(_) => return (Exit::State, None),
        None => {}
    }
    match error.downcast_ref::<runner::Error>() {
        Some(runner::Error::Store(error)) => return of_store(error),
        Some(runner::Error::Config(_)) => return (Exit::Configuration, None),
        _ => {}
    }
    match error.downcast_ref::<deploy_repository::Error>() {
        Some(deploy_repository::Error::Config(_)) => (Exit::Configuration, None),
        _ => (
            Exit::State,
            error
                .downcast_ref::<git::Error>()
                .map(|_| "see that this user may read the repository".to_owned()),
        ),
    }
}
