//! A plan as text, for a terminal.

use super::not_deployed::not_deployed_lines;
use super::plan_rows::{Action, GateRow, PlanRow};
use super::plan_words::{commit_lines, others};
use crate::judging::NotDeployed;
use crate::plan::Plan;
use crate::policy::Refusal;

/// A plan as text.
#[must_use]
pub fn plan_text(plan: &Plan, rows: &[PlanRow], not_deployed: &[NotDeployed]) -> String {
    let mut lines: Vec<String> = rows.iter().flat_map(row_lines).collect();
    lines.extend(others(plan, rows).flat_map(refusal_lines));

    lines.extend(not_deployed_lines(not_deployed, lines.is_empty()));

    if lines.is_empty() {
        "nothing to deploy\n".to_owned()
    } else {
        lines.join("\n") + "\n"
    }
}

/// The lines about one application.
fn row_lines(row: &PlanRow) -> Vec<String> {
    let word = match row.action {
        Action::Deploy | Action::Redeploy => "deploy",
        Action::Retire => "retire",
        Action::Refuse => "refuse",
    };
    let (target, change, counts) = (row.target(), row.change(), row.counts());
    let mut lines = vec![format!("{word} {target}{change}{counts}")];

    let gained = commit_lines(&row.gained_commits, row.gained_listed());
    lines.extend(gained.into_iter().map(|line| format!("  + {line}")));
    let lost = commit_lines(&row.lost_commits, row.lost_listed());
    lines.extend(lost.into_iter().map(|line| format!("  - {line}")));

    lines.extend(row.gates.iter().flat_map(gate_lines));
    let waiting = row.waiting();
    lines.extend(waiting.map(|waiting| format!("  goes after {waiting}")));
    let warnings = row.warnings.iter();
    lines.extend(warnings.map(|warning| format!("  warning: {warning}")));
    lines
}

/// The lines about what one rule says.
fn gate_lines(gate: &GateRow) -> Vec<String> {
    let mut message = gate.message.as_deref().unwrap_or_default().lines();
    let refused = if gate.allowed { "" } else { "refused: " };
    let first = message.next().unwrap_or_default();

    let mut lines = vec![format!("  {}: {refused}{first}", gate.rule)];
    lines.extend(message.map(|line| format!("    {line}")));
    lines.extend(gate.hint.iter().map(|hint| format!("    hint: {hint}")));
    lines
}

/// The lines about a refusal that no row is about.
fn refusal_lines(refusal: &Refusal) -> Vec<String> {
    let mut message = refusal.message.lines();
    let first = message.next().unwrap_or_default();

    let mut lines = vec![format!("refuse {}: {first}", refusal.shown_path())];
    lines.extend(message.map(|line| format!("    {line}")));
    lines.push(format!("  hint: {}", refusal.hint));
    lines
}
