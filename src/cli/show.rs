//! `show`: everything about deployments.

use std::time::Duration;

use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use crate::id::Revision;
use crate::identity::{Evidence, Identity};
use crate::policy::Approval;
use crate::report::{
    DeploymentRow, PhaseRow, colour, duration, outcome_line, summary_cell, to_json, waited,
};
use crate::status::Status;
use crate::store::Deployment;
use crate::text;
use crate::time::{Timestamp, show_duration};
use crate::verbs::{self, Which};

/// `show ID…`: everything about deployments, with an empty line between them. As JSON, an object
/// for one number, and otherwise an array.
pub(super) fn show(context: &Context, which: &Which, json: bool) -> Result<Exit, Error> {
    let (deploy, mut store) = context.look()?;
    let record = store.read()?;
    let mut rows = Vec::new();
    for deployment in verbs::find_all(&record, which)? {
        let row = DeploymentRow::new(&deploy, &deployment, &record)?;
        rows.push((deployment, row));
    }

    if json {
        let rows: Vec<DeploymentRow> = rows.into_iter().map(|(_, row)| row).collect();
        let text = match rows.as_slice() {
            [row] if !which.is_list() => to_json(row),
            rows => to_json(&rows),
        };
        context.output.line(&text)?;
        return Ok(Exit::Done);
    }
    for (number, (deployment, row)) in rows.into_iter().enumerate() {
        if number > 0 {
            context.output.line("")?;
        }
        show_one(context, &deployment, row)?;
    }
    Ok(Exit::Done)
}

/// Prints everything about one deployment.
fn show_one(context: &Context, deployment: &Deployment, row: DeploymentRow) -> Result<(), Error> {
    let escaped = |text: &Option<String>| text.as_ref().map(|text| text::escape(text, 256));
    let hash = |revision: &Option<Revision>| revision.as_ref().map(ToString::to_string);
    let outcome = text::escape(outcome_line(deployment), 300);
    let status = context.output.paint(colour(deployment.status), &outcome);
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let summary = deployment.summary.as_deref();

    let lines: [(&str, Option<String>); 22] = [
        ("deployment", Some(deployment.id.to_string())),
        ("rollout", Some(deployment.rollout.to_string())),
        ("application", Some(deployment.target.to_string())),
        (
            "summary",
            summary.map(|summary| summary_cell(Some(summary))),
        ),
        ("revision", Some(deployment.revision.to_string())),
        ("previous", hash(&deployment.previous_revision)),
        ("rolled back", hash(&deployment.rolled_back)),
        ("status", Some(status)),
        (
            "exit status",
            deployment.exit_status.map(|status| status.to_string()),
        ),
        ("pusher", escaped(&row.pusher)),
        ("known by", row.pusher_known_by.map(|by| by.to_string())),
        ("author", escaped(&deployment.author)),
        ("deploy commit", hash(&deployment.deploy_commit)),
        ("retry of", deployment.retry_of.map(|id| id.to_string())),
        ("cancelled by", deployment.cancelled_by.as_ref().map(person)),
        ("released by", deployment.released_by.as_ref().map(person)),
        ("queued", Some(deployment.queued_at.to_string())),
        ("started", time(deployment.started_at)),
        ("finished", time(deployment.finished_at)),
        ("waited", waited(deployment).map(show_duration)),
        ("took", duration(deployment).map(show_duration)),
        ("log", row.log.map(|path| text::escape(path, 300))),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            context.output.line(&format!("{name:<14} {value}"))?;
        }
    }

    // One phase alone is the deployment itself.
    let is_worth_showing = row.phases.len() > 1;
    let phases = row.phases.into_iter().filter(|_| is_worth_showing);
    for (number, phase) in phases.enumerate() {
        let name = if number == 0 { "phases" } else { "" };
        context
            .output
            .line(&format!("{name:<14} {}", phase_line(&phase)))?;
    }
    for Approval { by, commit } in row.approvals {
        let (by, commit) = (text::escape(by, 200), commit.short());
        let line = format!("{:<14} {by} ({commit})", "approved by");
        context.output.line(&line)?;
    }
    for exception in row.exceptions {
        let (kind, reason) = (exception.kind.as_str(), exception.shown(500));
        context.output.line(&format!("{kind:<14} {reason}"))?;
    }
    for hold in row.holds {
        let revision = hold.revision;
        context
            .output
            .line(&format!("{:<14} {revision}", "holds back"))?;
    }
    for (number, note) in row.notes.iter().enumerate() {
        let name = if number == 0 { "rules" } else { "" };
        let (rule, message) = (&note.rule, &note.message);
        let (rule, message) = (text::escape(rule, 64), text::escape(message, 1_001));
        context
            .output
            .line(&format!("{name:<14} {rule}: {message}"))?;
    }
    Ok(())
}

/// A phase in one line: `verify    5 s  failed: exit status 22`.
fn phase_line(row: &PhaseRow) -> String {
    let lasted = row
        .duration_ms
        .map(Duration::from_millis)
        .map(show_duration);
    let lasted = lasted.unwrap_or_default();
    let end = match (&row.reason, row.status) {
        (Some(reason), Status::Succeeded) => text::escape(reason, 300),
        (Some(reason), status) => text::escape(format!("{status}: {reason}"), 300),
        (None, Status::Succeeded) => String::new(),
        (None, status) => status.to_string(),
    };
    let line = format!("{:<9} {lasted:<9} {end}", row.phase);
    line.trim_end().to_owned()
}

/// The name of a person, and how it is known.
fn person(who: &Identity) -> String {
    let name = text::escape(&who.name, 256);
    match who.evidence {
        Evidence::Unrecorded => name,
        evidence => format!("{name} ({evidence})"),
    }
}
