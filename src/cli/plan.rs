//! `plan`.

use serde::Serialize;

use super::context::Context;
use super::exit::Exit;
use crate::report::{PlanRow, RefusalRow, plan_markdown, plan_text, to_json};
use crate::verbs;

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

impl Form {
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

pub(super) fn plan(context: &Context, old: &str, new: &str, form: Form) -> anyhow::Result<Exit> {
    let verbs::PlannedChange {
        plan,
        rows,
        from_common_commit,
    } = verbs::plan(&context.place, old, new)?;

    if let (Some([request, tip, base]), true) = (from_common_commit, form != Form::Json) {
        context.output.line(&format!(
            "{} does not contain {}: this is what merging it would do, from their common commit {}\n",
            request.short(),
            tip.short(),
            base.short()
        ))?;
    }

    context.output.print(&match form {
        Form::Json => {
            let rows = rows.into_iter().map(|row| Row::Planned(Box::new(row)));
            let refused = plan.refusals.iter().map(RefusalRow::new).map(Row::Refused);
            format!("{}\n", to_json(&rows.chain(refused).collect::<Vec<_>>()))
        }
        Form::Markdown => plan_markdown(&plan, &rows),
        Form::Text => plan_text(&plan, &rows),
    })?;
    Ok(Exit::of(plan.refusals.is_empty()))
}
