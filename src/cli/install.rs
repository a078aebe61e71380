//! `install` and `uninstall`.

use std::path::Path;

use super::output::complain;
use super::{Context, Exit, Refusal, run};
use crate::config::RunnerKind;
use crate::deploy_repository::DeployRepository;
use crate::install::{self, EntryChange, Step};
use crate::sys::user::User;
use crate::text;

/// Shows the steps, and takes them unless this is a dry run.
fn take(context: &Context, deploy: &DeployRepository, steps: &[Step], dry_run: bool) -> anyhow::Result<()> {
    for step in steps {
        context.output.line(&if dry_run { format!("would {step}") } else { step.to_string() })?;
        if !dry_run {
            install::take(deploy, step)?;
        }
    }
    Ok(())
}

/// What root does, before it becomes the repository's owner; and the timer's list, if its owner has to write or remove an entry there.
fn system<'r>(
    context: &Context,
    deploy: &DeployRepository,
    is_installed: bool,
    dry_run: bool,
    registry: &'r Path,
) -> anyhow::Result<(Vec<Step>, Option<&'r Path>)> {
    let owner = context.owner()?;
    let mut steps = install::plan_system(deploy, owner, is_installed)?;
    if !steps.is_empty() && !User::is_root() && !dry_run {
        let message = "the units of systemd for this repository are only root's to change";
        return Err(Refusal::error(
            message,
            "run this as root; the hooks and the state will be the repository's owner's",
        ));
    }
    let list = match install::plan_entry(deploy, owner, is_installed, registry) {
        EntryChange::None => None,
        EntryChange::ByOwner => Some(registry),
        EntryChange::ByRoot(_) if User::is_root() => {
            steps.push(Step::Unregister(registry.to_owned()));
            is_installed.then_some(registry)
        }
        EntryChange::ByRoot(other) => {
            let what = if is_installed { "so the timer does not look after it" } else { "and stays" };
            let message = format!("warning: this repository's entry in the timer's list is user {other}'s, {what}");
            complain(&message, Some("run this as root: the hooks and the state will be the repository's owner's"));
            None
        }
    };
    take(context, deploy, &steps, dry_run)?;
    context.become_owner(false)?;
    Ok((steps, list))
}

pub(super) fn install(
    context: &Context,
    deploy_existing: bool,
    dry_run: bool,
    registry: &Path,
) -> anyhow::Result<Exit> {
    let deploy = context.deploy()?;
    let program = std::env::current_exe()?;
    // As its owner, root would deploy for it.
    let acts = deploy_existing || deploy.config.runner == RunnerKind::Systemd;
    if acts && User::is_root() && context.owner()? == 0 {
        context.belongs_to_root()?;
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
        format!("{repository}: installed; {} is the deploy branch", text::escape(&deploy.branch, 200))
    })?;
    if let Some(note) = install::host(&deploy)?.0.note() {
        context.output.line(note)?;
    }
    if let Some(file) = &context.config {
        context.output.line(&format!(
            "--config {} counts for this command alone: hooks read {repository}/deploy-by-code.toml, or else /etc/deploy-by-code/config.toml",
            text::escape(file.as_os_str().as_encoded_bytes(), 200)
        ))?;
    } else if deploy.config_file.is_none() {
        context.output.line(&format!("next: write {repository}/deploy-by-code.toml; see deploy-by-code.toml(5)"))?;
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

pub(super) fn uninstall(context: &Context, dry_run: bool, registry: &Path) -> anyhow::Result<Exit> {
    let deploy = context.deploy_to_look()?;
    let (mut steps, list) = system(context, &deploy, false, dry_run, registry)?;
    let own = install::plan_uninstall(&deploy, list)?;
    take(context, &deploy, &own, dry_run)?;
    steps.extend(own);
    let state = deploy.state_dir();
    let state_shown = text::escape(state.as_os_str().as_encoded_bytes(), 200);
    if steps.is_empty() {
        context.output.line("no hook of deploy-by-code is installed here")?;
    } else {
        context.output.line("receive.advertisePushOptions stays as it is: other hooks may need it")?;
    }
    if state.exists() {
        context.output.line(&format!("the state stays: {state_shown}"))?;
    }
    Ok(Exit::Done)
}
