//! `install` and `uninstall`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use super::output::{Output, complain};
use super::run;
use crate::config::RunnerKind;
use crate::deploy_repository::DeployRepository;
use crate::git::Repository;
use crate::install::{self, EntryChange, Step, SystemStep};
use crate::registry;
use crate::sys::clock::{self, Deadline};
use crate::sys::lock::{Lock, try_lock_folder};
use crate::sys::user::User;
use crate::text;
use crate::verbs::{self, Acts};

/// How long another install of the same repository is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps others from installing or uninstalling here meanwhile: what each of them found would not
/// be so any more. Whoever may read the repository can hold this, so it is not waited for without
/// end; nothing replaces what it did not find.
fn alone(context: &Context, dry_run: bool) -> Result<Option<Lock>, Error> {
    if dry_run {
        return Ok(None);
    }
    let repository = Repository::open(&context.place.git_dir)?;
    let deadline = Deadline::after(PATIENCE);
    loop {
        let folder = repository.path();
        let locked = try_lock_folder(folder);
        match locked.map_err(|error| Error::Folder(folder.to_owned(), error))? {
            Some(lock) => return Ok(Some(lock)),
            None if deadline.is_over() => {
                complain(
                    "warning: somebody has locked the repository's folder for 10 s; going on",
                    None,
                );
                return Ok(None);
            }
            None => clock::sleep(Duration::from_millis(20)),
        }
    }
}

/// Shows the steps, and takes them unless this is a dry run. That nobody reads is no reason to stop
/// half way.
fn take(
    context: &Context,
    deploy: &DeployRepository,
    steps: &[Step],
    dry_run: bool,
) -> Result<(), Error> {
    for step in steps {
        let _ = context.output.line(&if dry_run {
            format!("would {step}")
        } else {
            step.to_string()
        });
        if !dry_run {
            install::take(deploy, step)?;
        }
    }
    Ok(())
}

/// Shows what is done to the machine so that it looks after a repository no more, and does it. What
/// can't be done is said: that systemd does not run, or somebody is in the way, is no reason to
/// leave hooks where they are.
fn take_out(output: &Output, steps: &[Step], dry_run: bool) {
    for step in steps {
        let _ = output.line(&if dry_run {
            format!("would {step}")
        } else {
            step.to_string()
        });
        if let (Step::System(step), false) = (step, dry_run)
            && let Err(error) = install::take_system(step)
        {
            complain(
                &format!("warning: {error}"),
                Some("it is left undone; run this again when it can be done"),
            );
        }
    }
}

/// What root does, before it becomes the repository's owner; and the timer's list, if its owner has
/// to write or remove an entry there.
fn system<'r>(
    context: &Context,
    deploy: &DeployRepository,
    is_installed: bool,
    dry_run: bool,
    registry: &'r Path,
) -> Result<(Vec<Step>, Option<&'r Path>), Error> {
    let owner = verbs::owner(&context.place)?;
    verbs::owner_to_become(&context.place, Acts::No)?;
    let is_root = User::is_root();
    let mut steps: Vec<Step> = install::plan_system(deploy, owner, is_installed)?
        .into_iter()
        .map(Step::System)
        .collect();
    if !steps.is_empty() && !is_root && !dry_run {
        let message = "the units of systemd for this repository are only root's to change";
        let hint = "run this as root; the hooks and the state will be the repository's owner's";
        if is_installed {
            return Err(verbs::Error::refused(message, hint).into());
        }
        complain(&format!("warning: {message}, and stay"), Some(hint));
        steps.clear();
    }
    let (mut clearing, mut list) = (Vec::new(), None);
    match install::plan_entry(deploy, owner, is_installed, registry) {
        EntryChange::None => {}
        EntryChange::ByOwner if is_root || verbs::is_owner(&context.place).is_ok() => {
            list = Some(registry)
        }
        EntryChange::ByRoot(_) if is_root => {
            let path = deploy.repository.path().to_owned();
            clearing.push(Step::System(SystemStep::Unregister(
                registry.to_owned(),
                path,
            )));
            list = is_installed.then_some(registry);
        }
        change => {
            let whose = match change {
                EntryChange::ByRoot(other) => {
                    format!("this repository's entry in the timer's list is user {other}'s")
                }
                _ => format!("this repository is user {owner}'s to enter into the timer's list"),
            };
            let what = if is_installed {
                "so the timer does not look after it"
            } else {
                "and stays"
            };
            complain(
                &format!("warning: {whose}, {what}"),
                Some("run this as root: the hooks and the state will be the repository's owner's"),
            );
        }
    }
    if is_installed {
        take(context, deploy, &steps, dry_run)?;
    } else {
        take_out(&context.output, &steps, dry_run);
    }
    take_out(&context.output, &clearing, dry_run);
    context.become_owner(Acts::No)?;
    steps.extend(clearing);
    Ok((steps, list))
}

pub(super) fn install(
    context: &Context,
    deploy_existing: bool,
    dry_run: bool,
    registry: &Path,
) -> Result<Exit, Error> {
    let _alone = alone(context, dry_run)?;
    let deploy = context.place.deploy()?;
    let program = std::env::current_exe().map_err(Error::Program)?;
    // As its owner, root would deploy for it.
    let acts = deploy_existing || deploy.config.runner == RunnerKind::Systemd;
    if acts && User::is_root() && verbs::owner(&context.place)? == 0 {
        verbs::belongs_to_root(&context.place)?;
    }
    let (mut steps, list) = system(context, &deploy, true, dry_run, registry)?;
    let own = install::plan_install(&deploy, &program, deploy_existing, list)?;
    take(context, &deploy, &own, dry_run)?;
    steps.extend(own);
    let repository = text::escape(deploy.repository.path().as_os_str().as_encoded_bytes(), 200);
    if dry_run {
        return Ok(Exit::Done);
    }
    context.output.line(&if steps.is_empty() {
        format!("{repository}: everything is in place")
    } else {
        format!(
            "{repository}: installed; {} is the deploy branch",
            text::escape(&deploy.branch, 200)
        )
    })?;
    if let Some(note) = install::host(&deploy)?.0.note() {
        context.output.line(note)?;
    }
    if let Some(file) = &context.place.config {
        context.output.line(&format!(
            "--config {} counts for this command alone: hooks read {repository}/deploy-by-code.toml, or else /etc/deploy-by-code/config.toml",
            text::escape(file.as_os_str().as_encoded_bytes(), 200)
        ))?;
    } else if deploy.config_file.is_none() {
        context.output.line(&format!(
            "next: write {repository}/deploy-by-code.toml; see deploy-by-code.toml(5)"
        ))?;
    }
    if steps.iter().any(|step| matches!(step, Step::Register(_))) {
        context.output.line(TIMER)?;
    }
    if deploy_existing {
        return run::reconcile(context, None);
    }
    Ok(Exit::Done)
}

/// The package starts nothing by itself.
const TIMER: &str = "for what hooks miss, once on this machine: systemctl enable --now deploy-by-code-reconcile.timer";

pub(super) fn uninstall(context: &Context, dry_run: bool, registry: &Path) -> Result<Exit, Error> {
    let _alone = alone(context, dry_run)?;
    let deploy = context.deploy_to_look()?;
    let (mut steps, list) = system(context, &deploy, false, dry_run, registry)?;
    let own = install::plan_uninstall(&deploy, list)?;
    take(context, &deploy, &own, dry_run)?;
    steps.extend(own);
    let state = deploy.state_dir();
    let state_shown = text::escape(state.as_os_str().as_encoded_bytes(), 200);
    if steps.is_empty() {
        context
            .output
            .line("no hook of deploy-by-code is installed here")?;
    } else {
        context
            .output
            .line("receive.advertisePushOptions stays as it is: other hooks may need it")?;
    }
    if state.exists() {
        context
            .output
            .line(&format!("the state stays: {state_shown}"))?;
    }
    Ok(Exit::Done)
}

/// What the machine still has of a repository that was moved or deleted is taken out by the path
/// that it had; `None`: there is nothing of it.
pub(super) fn uninstall_gone(
    named: &Path,
    dry_run: bool,
    registry: &Path,
) -> Result<Option<Exit>, Error> {
    let path = std::path::absolute(named);
    let path = path.map_err(|error| Error::Folder(named.to_owned(), error))?;
    let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
    let path: PathBuf = match (parent, path.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => path,
    };
    let mut steps: Vec<Step> = install::without_units(&path)
        .into_iter()
        .map(Step::System)
        .collect();
    if registry::registrar(registry, &path).is_some() {
        steps.push(Step::System(SystemStep::Unregister(
            registry.to_owned(),
            path,
        )));
    }
    if steps.is_empty() {
        return Ok(None);
    }
    let output = Output::new();
    output.line("there is no repository here any more")?;
    take_out(&output, &steps, dry_run);
    Ok(Some(Exit::Done))
}
