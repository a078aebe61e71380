//! `plan`: what a push would deploy or have refused.

use serde::Serialize;

use super::announce::fetching;
use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use super::output::print_error;
use crate::report::{
    NotDeployedRow, PLAN_MARKER, PlanRow, RefusalRow, plan_markdown, plan_text, to_json,
};
use crate::verbs;

/// An element of the JSON of a plan: first the applications, then what would be refused, then what
/// deploys nothing.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Row {
    Planned(Box<PlanRow>),
    Refused(RefusalRow),
    NotDeployed(NotDeployedRow),
}

/// How a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Markdown,
    Json,
}

impl Form {
    /// The form that the options ask for. The command line does not take both of them.
    pub(super) fn of(markdown: bool, json: bool) -> Self {
        if json {
            Self::Json
        } else if markdown {
            Self::Markdown
        } else {
            Self::Text
        }
    }
}

/// `plan OLD NEW` or `plan OLD..NEW`: refused if anything is.
pub(super) fn plan(
    context: &Context,
    (old, new): (&str, Option<&str>),
    form: Form,
) -> Result<Exit, Error> {
    let verbs::PlannedChange {
        plan,
        rows,
        not_deployed,
        compared_from,
    } = verbs::plan(
        &context.place,
        verbs::two_commits(old, new)?,
        |application| {
            print_error(&fetching(application));
        },
    )?;

    if form == Form::Markdown {
        context.output.line(&format!("{PLAN_MARKER}\n"))?;
    }
    if let (Some(common), true) = (compared_from, form != Form::Json) {
        let request = common.request.short();
        let (branch, base) = (common.branch.short(), common.base.short());
        context.output.line(&format!(
            "{request} does not contain {branch}. The plan shows what merging {request} would \
             change, compared with their common commit {base}.\n"
        ))?;
    }

    context.output.print(&match form {
        Form::Json => {
            let rows = rows.into_iter().map(|row| Row::Planned(Box::new(row)));
            let refused = plan.refusals.iter().map(RefusalRow::new).map(Row::Refused);
            let mut all: Vec<Row> = rows.chain(refused).collect();
            let not_deployed = NotDeployedRow::all(&not_deployed, all.is_empty());
            all.extend(not_deployed.into_iter().map(Row::NotDeployed));
            format!("{}\n", to_json(&all))
        }
        Form::Markdown => plan_markdown(&plan, &rows, &not_deployed),
        Form::Text => plan_text(&plan, &rows, &not_deployed),
    })?;
    Ok(Exit::of(plan.refusals.is_empty()))
}
