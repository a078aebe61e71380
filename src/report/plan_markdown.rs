//! A plan as Markdown, for a merge request.

use super::markdown::plain;
use super::not_deployed::not_deployed_lines;
use super::plan_rows::{Action, CommitRow, GateRow, PlanRow};
use super::plan_words::{commit_lines, others};
use crate::judging::NotDeployed;
use crate::plan::Plan;
use crate::policy::Refusal;

/// The first line of every plan in Markdown. It can't be seen, and a script finds the comment by it
/// that it wrote before.
pub const PLAN_MARKER: &str = "<!-- deploy-by-code plan -->";

/// The head of the table of applications.
const HEAD: &str = "| Application | Change | Gained | Lost | Verdict |\n\
                    | --- | --- | --- | --- | --- |\n";

/// A plan as Markdown.
#[must_use]
pub fn plan_markdown(plan: &Plan, rows: &[PlanRow], not_deployed: &[NotDeployed]) -> String {
    let mut out = String::new();
    if !rows.is_empty() {
        out.push_str(HEAD);
        rows.iter().for_each(|row| out.push_str(&table_row(row)));
        rows.iter().for_each(|row| out.push_str(&details(row)));
    }

    let others: Vec<String> = others(plan, rows).map(refusal_item).collect();
    if !others.is_empty() {
        let space = if out.is_empty() { "" } else { "\n" };
        out.push_str(&format!("{space}**Refused:**\n\n{}", others.concat()));
    }

    let items: Vec<String> = not_deployed_lines(not_deployed, out.is_empty())
        .iter()
        .map(|line| format!("- {}\n", plain(line)))
        .collect();
    if !items.is_empty() {
        let space = if out.is_empty() { "" } else { "\n" };
        out.push_str(&format!("{space}**Not deployed:**\n\n{}", items.concat()));
    }
    if out.is_empty() {
        "Nothing to deploy.\n".to_owned()
    } else {
        out
    }
}

/// Some lines as one cell or item.
fn plain_lines(lines: &str) -> String {
    let lines: Vec<String> = lines.lines().map(plain).collect();
    lines.join("<br>")
}

/// The row of an application in the table.
fn table_row(row: &PlanRow) -> String {
    let count = |count: Option<u64>, inside| match count {
        Some(count) => format!("{count}{}", row.in_subdirectory(count, inside)),
        None => "-".to_owned(),
    };
    let verdict = match row.action {
        Action::Deploy => "deploy",
        Action::Redeploy => "redeploy",
        Action::Retire => "retire",
        Action::Refuse => "**refused**",
    };

    let (name, change) = (row.target().to_string(), row.change());
    let (name, change) = (plain(&name), plain(change.trim_start()));
    let gained = plain(&count(row.gained, row.gained_in_subdirectory));
    let lost = plain(&count(row.lost, row.lost_in_subdirectory));
    format!("| {name} | {change} | {gained} | {lost} | {verdict} |\n")
}

/// The list of what there is to say about an application; empty where there is nothing.
fn details(row: &PlanRow) -> String {
    let mut items: Vec<String> = row.gates.iter().map(gate_item).collect();
    let waiting = row.waiting();
    items.extend(waiting.map(|waiting| format!("- goes after {}", plain(&waiting))));
    let warnings = row.warnings.iter();
    items.extend(warnings.map(|warning| format!("- **warning:** {}", plain(warning))));
    items.extend(commits_item(
        "gained",
        &row.gained_commits,
        row.gained_listed(),
    ));
    items.extend(commits_item(
        "**lost**",
        &row.lost_commits,
        row.lost_listed(),
    ));

    if items.is_empty() {
        return String::new();
    }
    let name = plain(&row.target().to_string());
    format!("\n**{name}**\n\n{}\n", items.join("\n"))
}

/// What one rule says.
fn gate_item(gate: &GateRow) -> String {
    let message = plain_lines(gate.message.as_deref().unwrap_or_default());
    let refused = if gate.allowed { "" } else { "**refused:** " };
    let hint = gate.hint.as_deref().map(plain);
    let hint = hint.map_or_else(String::new, |hint| format!("\n  - hint: {hint}"));
    format!("- {}: {refused}{message}{hint}", gate.rule)
}

/// The commits of one way; `None`: there are none.
fn commits_item(word: &str, commits: &[CommitRow], count: Option<u64>) -> Option<String> {
    let lines = commit_lines(commits, count);
    if lines.is_empty() {
        return None;
    }
    let lines: Vec<String> = lines
        .iter()
        .map(|line| format!("  - {}", plain(line)))
        .collect();
    Some(format!("- {word}:\n{}", lines.join("\n")))
}

/// A refusal that no row is about.
fn refusal_item(refusal: &Refusal) -> String {
    let path = plain(&refusal.shown_path());
    let (message, hint) = (plain_lines(&refusal.message), plain(&refusal.hint));
    format!("- {path}: {message} ({hint})\n")
}
