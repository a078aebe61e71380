//! `check`.

use serde::Serialize;

use super::{Context, Exit, Refusal, output};
use crate::facts;
use crate::git::DeepScan;
use crate::plan;
use crate::policy;
use crate::report::to_json;

/// A refusal for programs.
#[derive(Debug, Serialize)]
pub(super) struct RefusalRow {
    path: String,
    message: String,
    hint: String,
}

impl RefusalRow {
    pub(super) fn new(refusal: &policy::Refusal) -> Self {
        let policy::Refusal { message, hint, .. } = refusal;
        Self { path: String::from_utf8_lossy(&refusal.path).into_owned(), message: message.clone(), hint: hint.clone() }
    }
}

pub(super) fn check(context: &Context, revision: Option<&str>, json: bool) -> anyhow::Result<Exit> {
    let deploy = context.deploy()?;
    let name = revision.unwrap_or(&deploy.branch);
    let commit = match revision {
        Some(name) => Some(deploy.repository.resolve(name)?.ok_or_else(|| unknown(name))?),
        None => deploy.repository.branch_tip(&deploy.branch)?,
    };
    let changes = deploy.repository.changes(&deploy.config.root, None, commit.as_ref(), DeepScan::Everywhere)?;
    let candidates = plan::candidates(changes);
    let facts = facts::gather(&deploy, &candidates);
    let refusals = plan::decide(&deploy.config, &candidates, &facts).refusals;
    let not_enforced = deploy.config.not_enforced();
    if !not_enforced.is_empty() {
        let message = format!("warning: set, but not enforced by this version: {}", not_enforced.join(", "));
        output::complain(&message, None);
    }
    if json {
        let rows: Vec<_> = refusals.iter().map(RefusalRow::new).collect();
        context.output.line(&to_json(&rows))?;
    } else {
        for refusal in &refusals {
            let path = refusal.shown_path();
            context.output.line(&format!("refused {path}: {}\n  hint: {}", refusal.message, refusal.hint))?;
        }
        if refusals.is_empty() {
            let name = crate::text::escape(name, 200);
            context.output.line(&format!("{name}: {} deploy files, nothing refused", candidates.len()))?;
        }
    }
    Ok(if refusals.is_empty() { Exit::Done } else { Exit::Refused })
}

/// A name that is no commit of the deploy repository.
pub(super) fn unknown(name: &str) -> anyhow::Error {
    let name = crate::text::quote(name, 100);
    Refusal::error(format!("{name} is no commit of the deploy repository"), "name a branch or a commit that was pushed")
}
