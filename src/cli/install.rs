//! `install` and `uninstall`.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use super::output::{Output, complain};
use super::{own_program, run};
use crate::config::RunnerKind;
use crate::deploy_repository::DeployRepository;
use crate::git::Repository;
use crate::hook_files::Host;
use crate::sys::lock::Lock;
use crate::sys::user::User;
use crate::text;
use crate::verbs::install::{self as verb, Caller, Goal, MachinePlan, MachineStep, Step, Warning};
use crate::verbs::{self, Acts};

/// What to do once on a machine, since the package starts nothing by itself.
const TIMER: &str = "to plan what hooks miss, run this once on this machine: \
                     systemctl enable --now deploy-by-code-reconcile.timer";

/// Makes sure that nobody else installs or uninstalls here meanwhile. Otherwise each of them would
/// work with an old view of the repository.
fn lock(context: &Context, dry_run: bool) -> Result<Option<Lock>, Error> {
    if dry_run {
        return Ok(None);
    }
    let repository = Repository::open(&context.place.git_dir)?;
    let lock = verb::lock(repository.path())?;
    if lock.is_none() {
        warn(&Warning::FolderLocked);
    }
    Ok(lock)
}

fn warn(warning: &Warning) {
    complain(&format!("warning: {warning}"), warning.hint());
}

/// Shows a step before it is taken. If nobody reads the output, the work continues all the same.
fn show(output: &Output, step: &impl Display, dry_run: bool) {
    let _ = output.line(&if dry_run {
        format!("would {step}")
    } else {
        step.to_string()
    });
}

/// Shows the steps, and takes them unless this is a dry run.
fn take(
    context: &Context,
    deploy: &DeployRepository,
    steps: &[Step],
    dry_run: bool,
) -> Result<(), Error> {
    for step in steps {
        show(&context.output, step, dry_run);
        if !dry_run {
            verb::take(deploy, step)?;
        }
    }
    Ok(())
}

/// The same for steps outside of the repository that are required.
fn take_required(output: &Output, steps: &[MachineStep], dry_run: bool) -> Result<(), Error> {
    for step in steps {
        show(output, step, dry_run);
        if !dry_run {
            verb::take_on_machine(step)?;
        }
    }
    Ok(())
}

/// The same for steps that may fail. A step that fails is reported as a warning.
fn take_optional(output: &Output, steps: &[MachineStep], dry_run: bool) {
    for step in steps {
        show(output, step, dry_run);
        if dry_run {
            continue;
        }
        if let Err(error) = verb::take_on_machine(step) {
            complain(
                &format!("warning: {error}"),
                Some("this step was left out; fix the cause and run this again"),
            );
        }
    }
}

/// Takes the steps that only root can take, then becomes the repository's owner. Returns the plan.
fn on_machine(
    context: &Context,
    deploy: &DeployRepository,
    goal: Goal,
    dry_run: bool,
    list: &Path,
) -> Result<MachinePlan, Error> {
    let owner = verbs::owner(&context.place)?;
    verbs::owner_to_become(&context.place)?;
    let caller = Caller {
        is_root: User::is_root(),
        is_owner: owner == User::own_number(),
        owner,
        is_dry_run: dry_run,
    };

    let found = verb::look_at_machine(deploy, goal, owner, list)?;
    let plan = verb::plan_for_machine(&found, goal, caller)?;

    plan.warnings.iter().for_each(warn);
    take_required(&context.output, &plan.required, dry_run)?;
    take_optional(&context.output, &plan.optional, dry_run);
    context.become_owner(if dry_run { Acts::Reads } else { Acts::Changes })?;
    Ok(plan)
}

pub(super) fn install(
    context: &Context,
    deploy_existing: bool,
    dry_run: bool,
    list: &Path,
) -> Result<Exit, Error> {
    let _lock = lock(context, dry_run)?;
    let deploy = context.place.deploy_to_install()?;
    let program = own_program::as_called().map_err(Error::Program)?;
    // If root owns the repository, its deployments would run as root.
    let acts = deploy_existing || deploy.config.runner == RunnerKind::Systemd;
    if acts && User::is_root() && verbs::owner(&context.place)? == 0 {
        verbs::belongs_to_root(&context.place)?;
    }

    let on_machine = on_machine(context, &deploy, Goal::Install, dry_run, list)?;
    let found = verb::look_before_install(&deploy, &program, deploy_existing)?;
    let list = on_machine.owner_changes_entry.then_some(list);
    let steps = verb::plan_install(&found, list)?;
    take(context, &deploy, &steps, dry_run)?;
    if dry_run {
        return Ok(Exit::Done);
    }

    let is_in_place =
        steps.is_empty() && on_machine.required.is_empty() && on_machine.optional.is_empty();
    say_installed(context, &deploy, found.host, is_in_place)?;
    if let Some(missing) = deploy.missing_branch()? {
        complain(&format!("warning: {missing}"), Some(&missing.hint()));
    }
    let is_step = |step: &Step| matches!(step, Step::AddToTimerList { .. });
    if steps.iter().any(is_step) {
        context.output.line(TIMER)?;
    }
    if deploy_existing {
        return run::reconcile(context, None, false);
    }
    Ok(Exit::Done)
}

/// Says what there is now, and what to do next.
fn say_installed(
    context: &Context,
    deploy: &DeployRepository,
    host: Host,
    is_in_place: bool,
) -> Result<(), Error> {
    let output = &context.output;
    let repository = text::escape(deploy.repository.path().as_os_str().as_encoded_bytes(), 200);
    let branch = text::escape(&deploy.branch, 200);

    output.line(&if is_in_place {
        format!("{repository}: everything is in place")
    } else {
        format!("{repository}: installed; {branch} is the deploy branch")
    })?;
    if let Some(note) = host.note() {
        output.line(note)?;
    }

    if let Some(file) = &context.place.config {
        let file = text::escape(file.as_os_str().as_encoded_bytes(), 200);
        output.line(&format!(
            "--config {file} is used by this command only: \
             hooks read {repository}/deploy-by-code.toml, or else /etc/deploy-by-code/config.toml"
        ))?;
    } else if deploy.config_file.is_none() {
        output.line(&format!(
            "next: write {repository}/deploy-by-code.toml; see deploy-by-code.toml(5)"
        ))?;
    }
    Ok(())
}

pub(super) fn uninstall(context: &Context, dry_run: bool, list: &Path) -> Result<Exit, Error> {
    let _lock = lock(context, dry_run)?;
    let deploy = context.deploy_to_look()?;
    let on_machine = on_machine(context, &deploy, Goal::Uninstall, dry_run, list)?;

    let found = verb::look_before_uninstall(&deploy)?;
    let entry = (list, deploy.repository.path());
    let steps = verb::plan_uninstall(&found, on_machine.owner_changes_entry.then_some(entry));
    take(context, &deploy, &steps, dry_run)?;

    let output = &context.output;
    if steps.is_empty() && on_machine.optional.is_empty() {
        output.line("no hook of deploy-by-code is installed here")?;
    } else {
        output.line("receive.advertisePushOptions stays as it is: other hooks may need it")?;
    }
    let state = deploy.state_dir();
    if state.exists() {
        let state = text::escape(state.as_os_str().as_encoded_bytes(), 200);
        output.line(&format!("the state stays: {state}"))?;
    }
    Ok(Exit::Done)
}

/// Takes out what the machine still has of a repository that was moved or deleted, by the path that
/// it had. `None`: the machine has nothing of it.
pub(super) fn uninstall_gone(
    named: &Path,
    dry_run: bool,
    list: &Path,
) -> Result<Option<Exit>, Error> {
    let path =
        std::path::absolute(named).map_err(|error| Error::Folder(named.to_owned(), error))?;
    let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
    let path: PathBuf = match (parent, path.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => path,
    };

    let steps = verb::plan_for_gone(&verb::look_at_machine_by_path(&path, list));
    if steps.is_empty() {
        return Ok(None);
    }
    let output = Output::new();
    output.line("there is no repository here any more")?;
    take_optional(&output, &steps, dry_run);
    Ok(Some(Exit::Done))
}
