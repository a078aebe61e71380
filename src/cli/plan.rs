//! `plan`.

use serde::Serialize;

use super::check::{RefusalRow, unknown};
use super::{Context, Exit};
use crate::deploy_repository::DeployRepository;
use crate::git::{self, DeepScan};
use crate::id::{Revision, RevisionError};
use crate::report::to_json;
use crate::{facts, plan as planning};

/// One line of a plan, for programs.
#[derive(Debug, Serialize)]
struct PlanRow {
    environment: String,
    application: String,
    action: &'static str,
    from: Option<String>,
    to: Option<String>,
    gained: Option<u64>,
    lost: Option<u64>,
}

/// A plan, for programs: one array, first what would be done, then what would be refused.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Row {
    Planned(PlanRow),
    Refused(RefusalRow),
}

/// How a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Markdown,
    Json,
}

/// A commit by name; `None`: the null hash, which in git stands for a branch that does not exist.
fn resolve(deploy: &DeployRepository, name: &str) -> anyhow::Result<Option<Revision>> {
    if Revision::new(name) == Err(RevisionError::Null) {
        return Ok(None);
    }
    deploy.repository.resolve(name)?.map(Some).ok_or_else(|| unknown(name))
}

/// How many commits of the application a deployment gains and loses; `None` where there is nothing to compare or no repository to ask.
fn gained_and_lost(deploy: &DeployRepository, deployment: &planning::Deployment) -> Option<(u64, u64)> {
    let path = deploy.application_repository(deployment.target())?;
    let repository = git::open_application(&path).ok()?;
    git::gained_and_lost(&repository, deployment.from()?, deployment.revision()).ok()
}

pub(super) fn plan(context: &Context, old: &str, new: &str, form: Form) -> anyhow::Result<Exit> {
    let deploy = context.deploy()?;
    let old = resolve(&deploy, old)?;
    let new = resolve(&deploy, new)?;
    let changes = deploy.repository.changes(&deploy.config.root, old.as_ref(), new.as_ref(), DeepScan::Everywhere)?;
    let candidates = planning::candidates(changes);
    let facts = facts::gather(&deploy, &candidates);
    let plan = planning::decide(&deploy.config, &candidates, &facts);
    context.output.print(&match form {
        Form::Json => format!("{}\n", to_json(&rows(&deploy, &plan))),
        Form::Markdown => markdown(&deploy, &plan),
        Form::Text => text(&deploy, &plan),
    })?;
    Ok(if plan.refusals.is_empty() { Exit::Done } else { Exit::Refused })
}

fn is_empty(plan: &planning::Plan) -> bool {
    plan.deployments.is_empty() && plan.retirements.is_empty() && plan.refusals.is_empty()
}

/// From where to where a deployment goes, and which way.
fn change(deploy: &DeployRepository, deployment: &planning::Deployment) -> String {
    let to = deployment.revision().short();
    let change = match deployment.from() {
        _ if deployment.is_redeploy() => return format!("{to} again"),
        Some(from) => format!("{} -> {to}", from.short()),
        None => return format!("new -> {to}"),
    };
    match gained_and_lost(deploy, deployment) {
        Some((gained, 0)) => format!("{change}, {gained} commits gained"),
        Some((gained, lost)) => format!("{change}, {gained} commits gained, {lost} lost"),
        None => change,
    }
}

fn text(deploy: &DeployRepository, plan: &planning::Plan) -> String {
    if is_empty(plan) {
        return "nothing to deploy\n".to_owned();
    }
    let deployments = plan
        .deployments
        .iter()
        .map(|deployment| format!("deploy {} {}\n", deployment.target(), change(deploy, deployment)));
    let retirements = plan.retirements.iter().map(|retirement| format!("retire {}\n", retirement.target));
    let refusals = plan.refusals.iter();
    let refusals = refusals
        .map(|refusal| format!("refuse {}: {}\n  hint: {}\n", refusal.shown_path(), refusal.message, refusal.hint));
    deployments.chain(retirements).chain(refusals).collect()
}

/// Text in which Markdown (CommonMark 0.31, section 2.4) and HTML see nothing but text.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '&' => plain.push_str("&amp;"),
            // A mention would call somebody.
            '@' => plain.push_str("&#64;"),
            c if c.is_ascii_punctuation() && !matches!(c, '.' | ',' | ':' | '/' | '-') => plain.extend(['\\', c]),
            c => plain.push(c),
        }
    }
    plain
}

fn markdown(deploy: &DeployRepository, plan: &planning::Plan) -> String {
    if is_empty(plan) {
        return "Nothing to deploy.\n".to_owned();
    }
    let mut out = String::new();
    if !plan.deployments.is_empty() || !plan.retirements.is_empty() {
        out.push_str("| Application | Change |\n| --- | --- |\n");
    }
    for deployment in &plan.deployments {
        out.push_str(&format!(
            "| {} | {} |\n",
            plain(&deployment.target().to_string()),
            plain(&change(deploy, deployment))
        ));
    }
    for retirement in &plan.retirements {
        out.push_str(&format!("| {} | retired |\n", plain(&retirement.target.to_string())));
    }
    if !plan.refusals.is_empty() {
        out.push_str(if out.is_empty() { "**Refused:**\n\n" } else { "\n**Refused:**\n\n" });
    }
    for refusal in &plan.refusals {
        let (message, hint) = (plain(&refusal.message), plain(&refusal.hint));
        out.push_str(&format!("- {}: {message} ({hint})\n", plain(&refusal.shown_path())));
    }
    out
}

fn rows(deploy: &DeployRepository, plan: &planning::Plan) -> Vec<Row> {
    let deployments = plan.deployments.iter().map(|deployment| {
        let counts = gained_and_lost(deploy, deployment);
        Row::Planned(PlanRow {
            environment: deployment.target().environment.to_string(),
            application: deployment.target().application.to_string(),
            action: if deployment.is_redeploy() { "redeploy" } else { "deploy" },
            from: deployment.from().map(ToString::to_string),
            to: Some(deployment.revision().to_string()),
            gained: counts.map(|(gained, _)| gained),
            lost: counts.map(|(_, lost)| lost),
        })
    });
    let retirements = plan.retirements.iter().map(|retirement| {
        Row::Planned(PlanRow {
            environment: retirement.target.environment.to_string(),
            application: retirement.target.application.to_string(),
            action: "retire",
            from: None,
            to: None,
            gained: None,
            lost: None,
        })
    });
    let refusals = plan.refusals.iter().map(|refusal| Row::Refused(RefusalRow::new(refusal)));
    deployments.chain(retirements).chain(refusals).collect()
}
