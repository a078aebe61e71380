//! The text of a mail. Pure.
//!
//! It is read on a telephone, so it has no columns, its first lines say what the subject does not,
//! and each line is one thought that can be broken anywhere. What somebody else wrote is escaped.
//! Where it has lines of its own, they are indented: so none of them passes for a heading.

use deploy_by_code::report::{CommitsRow, EventRow};
use deploy_by_code::text::escape;
use deploy_by_code::time::show_duration;

/// The longest line of somebody else's text, in characters.
const LINE_MAX: usize = 300;

/// How many commits are named.
const COMMITS_MAX: usize = 10;

/// Who did it, how it ended, why, what comes and goes, which rules made exceptions, where to look,
/// and the end of the log.
pub(super) fn body(row: &EventRow, log: &[String]) -> String {
    let mut text = Text::default();
    if row.test {
        text.line("This is a test. Nothing was deployed.");
    }
    text.people(row);
    text.outcome(row);

    text.paragraph("Why", row.why.iter().map(String::as_str));
    text.commits("gained", row.gained.as_ref());
    text.commits("lost", row.lost.as_ref());
    let exceptions = row.exceptions.iter();
    let lines: Vec<String> = exceptions
        .map(|exception| {
            let (kind, reason) = (exception.kind.as_str(), exception.shown(LINE_MAX));
            format!("{kind}: {reason}")
        })
        .collect();
    text.paragraph("Exceptions from rules", lines.iter().map(String::as_str));

    let more = more(row);
    text.paragraph("See more, on the server", more.as_deref());
    text.paragraph("The end of its log", log.iter().map(String::as_str));
    // The mail ends the last line.
    text.0.trim_end().to_owned()
}

/// What an event means, where its name alone does not say it to everybody.
fn meaning(row: &EventRow) -> Option<String> {
    let environment = row.environment.as_ref();
    let environment = environment.map_or_else(String::new, ToString::to_string);
    Some(match row.event {
        "superseded" => "It never began: a newer deployment took its place.".to_owned(),
        "skipped" => "It never began: what it waits for did not succeed.".to_owned(),
        "interrupted" => {
            "The runner or the machine died. Nobody knows what is deployed now.".to_owned()
        }
        "retired" => {
            "Its deploy file was deleted. Nothing was run, so what was deployed is still there."
                .to_owned()
        }
        "refused" => "Nothing has changed.".to_owned(),
        "problem" => "It is on the deploy branch, and is not deployed.".to_owned(),
        "frozen" => {
            let until = row.until.map(|until| format!("{} UTC", until.minute()));
            let until = until.unwrap_or_else(|| "somebody thaws it".to_owned());
            format!("Nothing begins in {environment} until {until}.")
        }
        "thawed" => format!("Deployments in {environment} begin again."),
        "released" => {
            format!("{environment} does not wait any more for what a dead runner left running.")
        }
        _ => return None,
    })
}

/// The command that shows more.
fn more(row: &EventRow) -> Option<String> {
    let command = match (&row.deployment, &row.environment, &row.application) {
        (Some(deployment), _, _) => format!("show {}", deployment.id.0),
        (None, Some(environment), Some(application)) if row.event == "retired" => {
            format!("log {environment}/{application}")
        }
        _ if ["refused", "problem"].contains(&row.event) => "check".to_owned(),
        (None, Some(environment), _) => format!("status {environment}"),
        (None, None, _) => return None,
    };
    Some(format!("deploy-by-code -C {} {command}", row.repository))
}

/// A text that grows by lines. Every line is escaped.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        self.0.push_str(escape(line, LINE_MAX).trim_end());
        self.0.push('\n');
    }

    /// A heading and lines below it; nothing where there are no lines.
    fn paragraph<'l>(&mut self, heading: &str, lines: impl IntoIterator<Item = &'l str>) {
        let mut lines = lines.into_iter().flat_map(str::lines).peekable();
        if lines.peek().is_none() {
            return;
        }
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.line(&format!("{heading}:"));
        for line in lines {
            self.line(&format!("  {line}"));
        }
    }

    fn people(&mut self, row: &EventRow) {
        let deployment = row.deployment.as_ref();
        let by = deployment.map_or(row.by.as_ref(), |row| row.pusher.as_ref());
        if let Some(by) = by {
            self.line(&format!("By {by}"));
        }
        if let Some(author) = deployment.and_then(|row| row.author.as_ref()) {
            self.line(&format!("Written by {author}"));
        }
        for approval in &row.approvals {
            self.line(&format!("Approved by {}", approval.by));
        }
    }

    /// How it ended, what that means, and how long it took.
    fn outcome(&mut self, row: &EventRow) {
        if let Some(reason) = &row.reason {
            let mut word = if row.test { "test" } else { row.event }.to_owned();
            word[..1].make_ascii_uppercase();
            match reason.lines().count() {
                0 => {}
                1 => self.line(&format!("{word}: {reason}")),
                _ => self.paragraph(&word, reason.lines()),
            }
        }
        if let Some(meaning) = meaning(row) {
            self.line(&meaning);
        }

        // A mail that comes late about a beginning says nothing of the end.
        let has_ended = ["succeeded", "failed"].contains(&row.event);
        let times = row.deployment.as_ref().filter(|_| has_ended);
        let times = times.and_then(|row| row.started_at.zip(row.finished_at));
        if let Some((began, ended)) = times {
            self.line(&format!("It took {}.", show_duration(ended.since(began))));
        }
    }

    fn commits(&mut self, what: &str, commits: Option<&CommitsRow>) {
        let Some(commits) = commits else { return };
        let Some(heading) = commits.in_words(what) else {
            let why = commits.unknown.as_deref().unwrap_or_default();
            self.line("");
            return self.line(&format!("Commits {what}: not known, {why}"));
        };
        let named = commits.newest.iter().take(COMMITS_MAX);
        let mut lines: Vec<String> = named
            .map(|commit| format!("{} {}", commit.id.short(), commit.subject))
            .collect();
        let others = commits.listed().saturating_sub(lines.len() as u64);
        if others > 0 {
            lines.push(format!("… and {others} more"));
        }
        if lines.is_empty() && commits.count > Some(0) {
            self.line("");
            return self.line(&format!("{heading}."));
        }
        self.paragraph(&heading, lines.iter().map(String::as_str));
    }
}
