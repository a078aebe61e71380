//! `plan`.

use serde::Serialize;

use super::check::{RefusalRow, unknown};
use super::{Context, Exit};
use crate::facts;
use crate::git::DeepScan;
use crate::id::Revision;
use crate::plan as planning;
use crate::report::to_json;

/// One line of a plan, for programs.
#[derive(Debug, Serialize)]
struct PlanRow {
    environment: String,
    application: String,
    action: &'static str,
    from: Option<String>,
    to: Option<String>,
}

/// A plan, for programs: one array, first what would be done, then what would be refused.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Row {
    Planned(PlanRow),
    Refused(RefusalRow),
}

pub(super) fn plan(context: &Context, old: &str, new: &str, json: bool) -> anyhow::Result<Exit> {
    let deploy = context.deploy()?;
    let resolve =
        |name: &str| -> anyhow::Result<Revision> { deploy.repository.resolve(name)?.ok_or_else(|| unknown(name)) };
    let (old, new) = (resolve(old)?, resolve(new)?);
    let changes = deploy.repository.changes(&deploy.config.root, Some(&old), Some(&new), DeepScan::Everywhere)?;
    let candidates = planning::candidates(changes);
    let facts = facts::gather(&deploy, &candidates);
    let plan = planning::decide(&deploy.config, &candidates, &facts);
    let exit = if plan.refusals.is_empty() { Exit::Done } else { Exit::Refused };
    if json {
        context.output.line(&to_json(&rows(&plan)))?;
        return Ok(exit);
    }
    for deployment in &plan.deployments {
        let to = deployment.revision().short();
        let change = match deployment.from() {
            _ if deployment.is_redeploy() => format!("{to} again"),
            Some(from) => format!("{} -> {to}", from.short()),
            None => format!("new -> {to}"),
        };
        context.output.line(&format!("deploy {} {change}", deployment.target()))?;
    }
    for retirement in &plan.retirements {
        context.output.line(&format!("retire {}", retirement.target))?;
    }
    for refusal in &plan.refusals {
        let path = refusal.shown_path();
        context.output.line(&format!("refuse {path}: {}\n  hint: {}", refusal.message, refusal.hint))?;
    }
    if plan.deployments.is_empty() && plan.retirements.is_empty() && plan.refusals.is_empty() {
        context.output.line("nothing to deploy")?;
    }
    Ok(exit)
}

fn rows(plan: &planning::Plan) -> Vec<Row> {
    let deployments = plan.deployments.iter().map(|deployment| {
        Row::Planned(PlanRow {
            environment: deployment.target().environment.to_string(),
            application: deployment.target().application.to_string(),
            action: if deployment.is_redeploy() { "redeploy" } else { "deploy" },
            from: deployment.from().map(ToString::to_string),
            to: Some(deployment.revision().to_string()),
        })
    });
    let retirements = plan.retirements.iter().map(|retirement| {
        Row::Planned(PlanRow {
            environment: retirement.target.environment.to_string(),
            application: retirement.target.application.to_string(),
            action: "retire",
            from: None,
            to: None,
        })
    });
    let refusals = plan.refusals.iter().map(|refusal| Row::Refused(RefusalRow::new(refusal)));
    deployments.chain(retirements).chain(refusals).collect()
}
