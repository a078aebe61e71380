//! A plan as text, for a terminal.

use super::plan_rows::{Action, PlanRow};
use super::plan_words::{commit_lines, others};
use crate::plan::Plan;

/// A plan as text.
#[must_use]
pub fn plan_text(plan: &Plan, rows: &[PlanRow]) -> String {
    let mut lines = Vec::new();
    for row in rows {
        let word = match row.action {
            Action::Deploy | Action::Redeploy => "deploy",
            Action::Retire => "retire",
            Action::Refuse => "refuse",
        };
        lines.push(format!(
            "{word} {}{}{}",
            row.name(),
            row.change(),
            row.counts()
        ));
        for (sign, commits, count) in [
            ("+", &row.gained_commits, row.gained),
            ("-", &row.lost_commits, row.lost),
        ] {
            lines.extend(
                commit_lines(commits, count)
                    .into_iter()
                    .map(|line| format!("  {sign} {line}")),
            );
        }
        for gate in &row.gates {
            let mut message = gate.message.as_deref().unwrap_or_default().lines();
            let refused = if gate.allowed { "" } else { "refused: " };
            lines.push(format!(
                "  {}: {refused}{}",
                gate.rule,
                message.next().unwrap_or_default()
            ));
            lines.extend(message.map(|line| format!("    {line}")));
            lines.extend(gate.hint.iter().map(|hint| format!("    hint: {hint}")));
        }
        lines.extend(
            row.waiting()
                .map(|waiting| format!("  goes after {waiting}")),
        );
        lines.extend(
            row.warnings
                .iter()
                .map(|warning| format!("  warning: {warning}")),
        );
    }
    for refusal in others(plan, rows) {
        let mut message = refusal.message.lines();
        lines.push(format!(
            "refuse {}: {}",
            refusal.shown_path(),
            message.next().unwrap_or_default()
        ));
        lines.extend(message.map(|line| format!("    {line}")));
        lines.push(format!("  hint: {}", refusal.hint));
    }
    if lines.is_empty() {
        "nothing to deploy\n".to_owned()
    } else {
        lines.join("\n") + "\n"
    }
}
