//! The words that the text and the Markdown of a plan share.

use super::plan_rows::{Action, CommitRow, PlanRow};
use crate::id::{Application, Revision, Target};
use crate::plan::Plan;
use crate::policy::{CommitsInFolder, Refusal, count_in_words};
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
        let (Some(gained), Some(lost)) = (self.gained, self.lost) else {
            return String::new();
        };
        let commits = count_in_words;
        if self.subdirectory.is_none() {
            return match lost {
                0 => format!(", {} gained", commits(gained)),
                _ => format!(", {} gained, {lost} lost", commits(gained)),
            };
        }
        let inside = self.in_subdirectory(gained, self.gained_in_subdirectory);
        let mut words = format!(", gained: {}{inside}", commits(gained));
        if lost > 0 {
            let inside = self.in_subdirectory(lost, self.lost_in_subdirectory);
            words.push_str(&format!("; lost: {}{inside}", commits(lost)));
        }
        words
    }

    /// How many of some commits are in the folder that is deployed, after a comma; empty where it
    /// is the whole repository.
    pub(super) fn in_subdirectory(&self, all: u64, inside: Option<u64>) -> String {
        let found = self.subdirectory.as_ref().zip(inside);
        let found = found.map(|(folder, count)| CommitsInFolder {
            folder: folder.clone(),
            count,
        });
        found.map_or_else(String::new, |found| found.in_words(all))
    }

    /// How many commits there are of which the newest of those gained are named.
    pub(super) fn gained_listed(&self) -> Option<u64> {
        self.gained_in_subdirectory.or(self.gained)
    }

    /// The same of those lost.
    pub(super) fn lost_listed(&self) -> Option<u64> {
        self.lost_in_subdirectory.or(self.lost)
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
