//! `install` and `uninstall`.

use super::{Context, Exit, run};
use crate::install::{self, Step};
use crate::text;

pub(super) fn install(context: &Context, deploy_existing: bool, dry_run: bool) -> anyhow::Result<Exit> {
    let deploy = context.deploy()?;
    let program = std::env::current_exe()?;
    let steps = install::plan_install(&deploy, &program, deploy_existing)?;
    let repository = text::escape(deploy.repository.path().as_os_str().as_encoded_bytes(), 200);
    for step in &steps {
        context.output.line(&describe(step, dry_run))?;
        if !dry_run {
            install::take(&deploy, step)?;
        }
    }
    if dry_run {
        return Ok(Exit::Done);
    }
    context.output.line(&if steps.is_empty() {
        format!("{repository}: everything is in place")
    } else {
        format!("{repository}: installed; {} is the deploy branch", text::escape(&deploy.branch, 200))
    })?;
    if deploy.config_file.is_none() {
        context.output.line(&format!("next: write {repository}/deploy-by-code.toml; see deploy-by-code.toml(5)"))?;
    }
    if deploy_existing {
        return run::reconcile(context, None);
    }
    Ok(Exit::Done)
}

pub(super) fn uninstall(context: &Context, dry_run: bool) -> anyhow::Result<Exit> {
    let deploy = context.deploy()?;
    let steps = install::plan_uninstall(&deploy)?;
    for step in &steps {
        context.output.line(&describe(step, dry_run))?;
        if !dry_run {
            install::take(&deploy, step)?;
        }
    }
    let state = deploy.state_dir();
    let state_shown = text::escape(state.as_os_str().as_encoded_bytes(), 200);
    if steps.is_empty() {
        context.output.line("no hook of deploy-by-code is installed here")?;
    }
    if !steps.is_empty() {
        context.output.line("receive.advertisePushOptions stays as it is: other hooks may need it")?;
    }
    if state.exists() {
        context.output.line(&format!("the state stays: {state_shown}"))?;
    }
    Ok(Exit::Done)
}

fn describe(step: &Step, dry_run: bool) -> String {
    if dry_run { format!("would {step}") } else { step.to_string() }
}
