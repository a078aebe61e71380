//! A plan as Markdown, for a merge request.

use super::plan_rows::{Action, CommitRow, PlanRow};
use super::plan_words::{commit_lines, others};
use crate::plan::Plan;
use crate::policy::Refusal;

/// Text in which Markdown (CommonMark 0.31, section 2.4) and HTML see nothing but text.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '&' => plain.push_str("&amp;"),
            // A mention would call somebody.
            '@' => plain.push_str("&#64;"),
            c if c.is_ascii_punctuation() && !matches!(c, '.' | ',' | ':' | '/' | '-') => {
                plain.extend(['\\', c])
            }
            c => plain.push(c),
        }
    }
    plain
}

/// A plan as Markdown, for a merge request.
#[must_use]
pub fn plan_markdown(plan: &Plan, rows: &[PlanRow]) -> String {
    let mut out = String::new();
    if !rows.is_empty() {
        out.push_str(
            "| Application | Change | Gained | Lost | Verdict |\n| --- | --- | --- | --- | --- |\n",
        );
    }
    for row in rows {
        let count =
            |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
        let verdict = match row.action {
            Action::Deploy => "deploy",
            Action::Redeploy => "redeploy",
            Action::Retire => "retire",
            Action::Refuse => "**refused**",
        };
        let (name, change) = (plain(&row.name()), plain(row.change().trim_start()));
        out.push_str(&format!(
            "| {name} | {change} | {} | {} | {verdict} |\n",
            count(row.gained),
            count(row.lost)
        ));
    }
    for row in rows {
        let mut items = Vec::new();
        for gate in &row.gates {
            let lines: Vec<String> = gate
                .message
                .iter()
                .flat_map(|message| message.lines())
                .map(plain)
                .collect();
            let refused = if gate.allowed { "" } else { "**refused:** " };
            let hint = gate
                .hint
                .iter()
                .map(|hint| format!(" ({})", plain(hint)))
                .collect::<String>();
            items.push(format!(
                "- {}: {refused}{}{hint}",
                gate.rule,
                lines.join("<br>")
            ));
        }
        items.extend(
            row.waiting()
                .map(|waiting| format!("- goes after {}", plain(&waiting))),
        );
        items.extend(
            row.warnings
                .iter()
                .map(|warning| format!("- **warning:** {}", plain(warning))),
        );
        let way = |word: &str, commits: &[CommitRow], count| {
            let lines = commit_lines(commits, count);
            let lines: String = lines
                .iter()
                .map(|line| format!("  - {}\n", plain(line)))
                .collect();
            (!lines.is_empty()).then(|| format!("- {word}:\n{}", lines.trim_end()))
        };
        items.extend(way("gained", &row.gained_commits, row.gained));
        items.extend(way("**lost**", &row.lost_commits, row.lost));
        if !items.is_empty() {
            out.push_str(&format!(
                "\n**{}**\n\n{}\n",
                plain(&row.name()),
                items.join("\n")
            ));
        }
    }
    let others: Vec<&Refusal> = others(plan, rows).collect();
    if !others.is_empty() {
        out.push_str(if out.is_empty() {
            "**Refused:**\n\n"
        } else {
            "\n**Refused:**\n\n"
        });
    }
    for refusal in others {
        let message: Vec<String> = refusal.message.lines().map(plain).collect();
        out.push_str(&format!(
            "- {}: {} ({})\n",
            plain(&refusal.shown_path()),
            message.join("<br>"),
            plain(&refusal.hint)
        ));
    }
    if out.is_empty() {
        "Nothing to deploy.\n".to_owned()
    } else {
        out
    }
}
