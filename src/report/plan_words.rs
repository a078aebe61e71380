//! The words that the text and the Markdown of a plan share.

use super::plan_rows::{Action, CommitRow, PlanRow};
use crate::id::{Application, Revision, Target};
use crate::plan::Plan;
use crate::policy::Refusal;
use crate::text::escape;

/// How many waiting deployments are named.
const WAITING_MAX: usize = 5;

impl PlanRow {
    pub(super) fn target(&self) -> Target {
        Target {
            environment: self.environment.clone(),
            application: self.application.clone(),
        }
    }

    /// From which revision to which, after a space; empty where no revision is asked for.
    pub(super) fn change(&self) -> String {
        let (from, to) = (self.from.as_ref(), self.to.as_ref());
        match (from.map(Revision::short), to.map(Revision::short)) {
            (_, Some(to)) if self.action == Action::Redeploy => format!(" {to} again"),
            (Some(from), Some(to)) => format!(" {from} -> {to}"),
            (None, Some(to)) => format!(" new -> {to}"),
            (_, None) => String::new(),
        }
    }

    /// How many commits are gained and lost, after a comma; empty where that is unknown.
    pub(super) fn counts(&self) -> String {
        let commits = |count| {
            if count == 1 {
                "1 commit".to_owned()
            } else {
                format!("{count} commits")
            }
        };
        match (self.gained, self.lost) {
            (Some(gained), Some(0)) => format!(", {} gained", commits(gained)),
            (Some(gained), Some(lost)) => format!(", {} gained, {lost} lost", commits(gained)),
            _ => String::new(),
        }
    }

    /// What goes first; `None`: nothing does.
    pub(super) fn waiting(&self) -> Option<String> {
        let after: Vec<&str> = self.after.iter().map(Application::as_str).collect();
        let same_push =
            (!after.is_empty()).then(|| format!("{} of the same push", after.join(", ")));

        let named = self.waits_for.iter().take(WAITING_MAX);
        let mut named: Vec<String> = named
            .map(|waiting| format!("{} {} {}", waiting.id, waiting.application, waiting.status))
            .collect();
        let more = self.waits_for.len().saturating_sub(named.len());
        if more > 0 {
            named.push(format!("{more} more"));
        }

        named.extend(same_push);
        (!named.is_empty()).then(|| named.join(", "))
    }
}

/// The line about one commit.
fn commit_line(commit: &CommitRow) -> String {
    let (author, subject) = (escape(&commit.author, 40), escape(&commit.subject, 80));
    format!(
        "{} {} {author}: {subject}",
        commit.id.short(),
        commit.committed_at.minute()
    )
}

/// The lines about some commits, and one about those that are not named.
pub(super) fn commit_lines(commits: &[CommitRow], count: Option<u64>) -> Vec<String> {
    let mut lines: Vec<String> = commits.iter().map(commit_line).collect();
    let more = count
        .unwrap_or_default()
        .saturating_sub(commits.len() as u64);
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    lines
}

/// The refusals that no row is about: those of the branch, and those of files whose path names no
/// application.
pub(super) fn others<'p>(plan: &'p Plan, rows: &'p [PlanRow]) -> impl Iterator<Item = &'p Refusal> {
    let is_shown = |refusal: &&Refusal| {
        let judged = plan
            .judgements
            .iter()
            .find(|judged| judged.path == refusal.path);
        let target = judged.and_then(|judged| judged.target.as_ref());
        target.is_some_and(|target| rows.iter().any(|row| row.target() == *target))
    };
    plan.refusals
        .iter()
        .filter(move |refusal| !is_shown(refusal))
}
