//! The text of a mail. Pure.

use deploy_by_code::report::{CommitsRow, EventRow};
use deploy_by_code::text::escape;

/// The longest line of somebody else's text, in characters.
const LINE_MAX: usize = 300;

/// How many commits are named.
const COMMITS_MAX: usize = 10;

/// What happened, who, why, what comes and goes, what was excepted, where to look, and the end of
/// the log.
pub(super) fn body(row: &EventRow, log: &[String]) -> String {
    let mut text = Text::default();
    text.line(&row.title);
    if row.test {
        text.line("This is a test. Nothing was deployed.");
    }
    text.people(row);
    if let Some(reason) = &row.reason {
        text.paragraph("Reason", [reason.as_str()]);
    }
    if let Some(until) = &row.until {
        text.paragraph("Until", [until.to_string().as_str()]);
    }

    if !row.why.is_empty() {
        text.paragraph("Why", row.why.iter().map(String::as_str));
    }
    text.commits("Gained", row.gained.as_ref());
    text.commits("Lost", row.lost.as_ref());
    if let Some(deployment) = &row.deployment
        && !deployment.exceptions.is_empty()
    {
        let exceptions = deployment.exceptions.iter();
        let lines: Vec<String> = exceptions
            .map(|exception| format!("{}: {}", exception.kind.as_str(), exception.reason))
            .collect();
        text.paragraph("Exceptions from rules", lines.iter().map(String::as_str));
    }

    if let Some(deployment) = &row.deployment {
        let command = format!(
            "deploy-by-code -C {} show {}",
            escape(&row.repository, LINE_MAX),
            deployment.id.0
        );
        text.paragraph("More, on the server", [command.as_str()]);
    }
    if !log.is_empty() {
        text.paragraph("The end of its log", log.iter().map(String::as_str));
    }
    text.0
}

/// A text that grows by lines. Every line is escaped.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        self.0.push_str(&escape(line, LINE_MAX));
        self.0.push('\n');
    }

    /// A heading and lines below it.
    fn paragraph<'l>(&mut self, heading: &str, lines: impl IntoIterator<Item = &'l str>) {
        self.0.push('\n');
        self.line(&format!("{heading}:"));
        // A reason can have lines, and a line that is indented is nobody's heading.
        for line in lines.into_iter().flat_map(str::lines) {
            self.line(&format!("  {line}"));
        }
    }

    fn people(&mut self, row: &EventRow) {
        let deployment = row.deployment.as_ref();
        let author = deployment.and_then(|row| row.author.as_deref());
        let pusher = row.by.as_deref();
        let mut people = Vec::new();
        people.extend(pusher.map(|name| format!("by {name}")));
        people.extend(author.map(|name| format!("written by {name}")));
        if !people.is_empty() {
            self.line(&people.join(", "));
        }
    }

    fn commits(&mut self, what: &str, commits: Option<&CommitsRow>) {
        let Some(commits) = commits else { return };
        let heading = match (commits.count, &commits.unknown) {
            (Some(0), _) => return,
            (Some(1), _) => format!("{what} 1 commit"),
            (Some(count), _) => format!("{what} {count} commits"),
            (None, why) => format!("{what}: unknown, {}", why.as_deref().unwrap_or_default()),
        };

        let named = commits.newest.iter().take(COMMITS_MAX);
        let mut lines: Vec<String> = named
            .map(|commit| format!("{} {}", commit.id.short(), commit.subject))
            .collect();
        let others = commits
            .count
            .unwrap_or(0)
            .saturating_sub(lines.len() as u64);
        if others > 0 {
            lines.push(format!("… and {others} more"));
        }
        self.paragraph(&heading, lines.iter().map(String::as_str));
    }
}
