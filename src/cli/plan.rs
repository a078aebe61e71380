//! `plan`.

use serde::Serialize;

use super::check::unknown;
use super::{Context, Exit};
use crate::deploy_repository::DeployRepository;
use crate::facts::{self, Question};
use crate::git::DeepScan;
use crate::id::{Revision, RevisionError};
use crate::plan as planning;
use crate::policy::Stage;
use crate::report::{PlanRow, RefusalRow, plan_markdown, plan_rows, plan_text, to_json};

/// A plan, for programs: one array, first the applications, then what would be refused.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Row {
    Planned(Box<PlanRow>),
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

pub(super) fn plan(context: &Context, old: &str, new: &str, form: Form) -> anyhow::Result<Exit> {
    let deploy = context.deploy()?;
    // In a clone, where a merge request is built, there is no record.
    let store = deploy.find_store()?;
    let state = store.as_ref().map(crate::store::Store::read);
    let old = resolve(&deploy, old)?;
    let new = resolve(&deploy, new)?;
    let changes = deploy.repository.changes(&deploy.config.root, old.as_ref(), new.as_ref(), DeepScan::Everywhere)?;
    let candidates = planning::candidates(changes);
    let facts = facts::gather(&Question {
        deploy: &deploy,
        candidates: &candidates,
        state: state.as_ref(),
        range: (old.as_ref(), new.as_ref()),
        stage: Stage::Before,
        pusher: None,
        faults: &[],
    })?;
    let plan = planning::decide(&deploy.config, &candidates, &facts);
    let rows = plan_rows(&deploy, state.as_ref(), &plan, &facts)?;
    context.output.print(&match form {
        Form::Json => {
            let rows = rows.into_iter().map(|row| Row::Planned(Box::new(row)));
            let refused = plan.refusals.iter().map(|refusal| Row::Refused(RefusalRow::new(refusal)));
            format!("{}\n", to_json(&rows.chain(refused).collect::<Vec<_>>()))
        }
        Form::Markdown => plan_markdown(&plan, &rows),
        Form::Text => plan_text(&plan, &rows),
    })?;
    Ok(if plan.refusals.is_empty() { Exit::Done } else { Exit::Refused })
}
