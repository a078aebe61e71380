//! `plan`.

use serde::Serialize;

use super::check::unknown;
use super::{Context, Exit};
use crate::deploy_repository::DeployRepository;
use crate::facts::{self, Question};
use crate::git::DeepScan;
use crate::id::{Revision, RevisionError};
use crate::plan as planning;
use crate::policy::{BranchMove, Stage};
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
    deploy
        .repository
        .resolve(name)?
        .map(Some)
        .ok_or_else(|| unknown(name))
}

/// A merge request that is behind the deploy branch is looked at from their common commit: what
/// merging it would do. Otherwise what others deployed meanwhile would look like something that it
/// takes back.
fn common_base(
    deploy: &DeployRepository,
    old: Option<Revision>,
    new: Option<&Revision>,
) -> anyhow::Result<(Option<Revision>, Option<String>)> {
    let (Some(tip), Some(new)) = (&old, new) else {
        return Ok((old, None));
    };
    if deploy.repository.branch_move(Some(tip), Some(new))? == BranchMove::Forward {
        return Ok((old, None));
    }
    let Some(base) = deploy
        .repository
        .common_commit(tip, new)?
        .filter(|base| base != new)
    else {
        return Ok((old, None));
    };
    let aside = format!(
        "{} does not contain {}: this is what merging it would do, from their common commit {}\n",
        new.short(),
        tip.short(),
        base.short()
    );
    Ok((Some(base), Some(aside)))
}

pub(super) fn plan(context: &Context, old: &str, new: &str, form: Form) -> anyhow::Result<Exit> {
    let deploy = context.deploy()?;
    // In a clone, where a merge request is built, there is no record.
    let store = deploy.find_store()?;
    let state = store.as_ref().map(crate::store::Store::read);
    let old = resolve(&deploy, old)?;
    let new = resolve(&deploy, new)?;
    let (old, aside) = common_base(&deploy, old, new.as_ref())?;
    let changes = deploy.repository.changes(
        &deploy.config.root,
        old.as_ref(),
        new.as_ref(),
        DeepScan::Everywhere,
    )?;
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
    if let (Some(aside), true) = (aside, form != Form::Json) {
        context.output.line(&aside)?;
    }
    context.output.print(&match form {
        Form::Json => {
            let rows = rows.into_iter().map(|row| Row::Planned(Box::new(row)));
            let refused = plan
                .refusals
                .iter()
                .map(|refusal| Row::Refused(RefusalRow::new(refusal)));
            format!("{}\n", to_json(&rows.chain(refused).collect::<Vec<_>>()))
        }
        Form::Markdown => plan_markdown(&plan, &rows),
        Form::Text => plan_text(&plan, &rows),
    })?;
    Ok(if plan.refusals.is_empty() {
        Exit::Done
    } else {
        Exit::Refused
    })
}
