//! A proposal as text, for a terminal.

use super::plan_rows::CommitRow;
use super::plan_words::commit_lines;
use crate::policy::{Commits, gained_and_lost};
use crate::proposal::{ProposalSource, ProposedFile, ProposedStep};
use crate::text::escape;

/// How many commits are named of those gained, and of those lost.
const NAMED_MAX: usize = 10;

/// How many lines of the old content a difference shows.
const CONTEXT: usize = 3;

/// What is proposed for an application.
#[must_use]
pub fn proposal_text(step: &ProposedStep) -> String {
    let to = step.to.short();
    let change = match (&step.source, &step.from) {
        (ProposalSource::Again, _) => format!("{to} again"),
        (_, Some(from)) => format!("{} -> {to}", from.short()),
        (_, None) => format!("new -> {to}"),
    };
    let mut text = format!(
        "{}: {change}{}\n",
        escape(&step.file.path, 300),
        counts(step)
    );
    if let Some(source) = source(&step.source) {
        text.push_str(&format!("  {to} is {source}\n"));
    }
    for remark in &step.remarks {
        text.push_str(&format!("  {remark}\n"));
    }
    for (sign, commits) in [('+', &step.gained), ('-', &step.lost)] {
        for line in lines(commits) {
            text.push_str(&format!("  {sign} {line}\n"));
        }
    }
    text
}

/// How many commits are gained and lost, after a comma.
fn counts(step: &ProposedStep) -> String {
    match step.source {
        ProposalSource::Again => String::new(),
        _ => format!(", {}", gained_and_lost(&step.gained, &step.lost)),
    }
}

fn source(source: &ProposalSource) -> Option<String> {
    Some(match source {
        ProposalSource::Named(name) => escape(name, 100),
        ProposalSource::Deployed(environment, Some(id)) => {
            format!("deployed in {environment} ({id})")
        }
        ProposalSource::Deployed(environment, None) => format!("deployed in {environment}"),
        ProposalSource::Wanted(environment) => format!(
            "what the deploy file of {environment} asks for; no status is published that says \
             what is deployed there"
        ),
        ProposalSource::Before => "what the deploy file asked for before".to_owned(),
        ProposalSource::Again => return None,
    })
}

/// A line for each of the newest commits, and one about the others.
pub(super) fn lines(commits: &Commits) -> Vec<String> {
    let newest = commits.newest.iter().take(NAMED_MAX);
    let rows: Vec<CommitRow> = newest.map(CommitRow::of).collect();
    commit_lines(&rows, Some(commits.listed()))
}

/// What differs in a deploy file, as diff(1) shows it.
#[must_use]
pub fn proposal_diff(file: &ProposedFile) -> String {
    let path = escape(&file.path, 300);
    let old = file.old.as_deref().unwrap_or_default();
    let added: Vec<&[u8]> = file.entry.split_inclusive(|byte| *byte == b'\n').collect();
    let context = old.split_inclusive(|byte| *byte == b'\n').take(CONTEXT);
    let context: Vec<&[u8]> = context.collect();

    let before = match &file.old {
        Some(_) => format!("a/{path}"),
        None => "/dev/null".to_owned(),
    };
    let (count, begin) = (context.len(), usize::from(!context.is_empty()));
    let mut text = format!(
        "--- {before}\n+++ b/{path}\n@@ -{begin},{count} +1,{} @@\n",
        count + added.len()
    );
    let added = added.into_iter().map(|line| ('+', line));
    for (sign, line) in added.chain(context.into_iter().map(|line| (' ', line))) {
        let (line, end) = match line.strip_suffix(b"\n") {
            Some(line) => (line, ""),
            None => (line, "\\ No newline at end of file\n"),
        };
        text.push_str(&format!("{sign}{}\n{end}", escape(line, 300)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difference_shows_the_entry_and_what_is_below() {
        let file = |old: Option<&str>| ProposedFile {
            path: "production/web.deploy".to_owned(),
            old: old.map(|old| old.as_bytes().to_vec()),
            entry: b"bb\n* new\n".to_vec(),
        };
        let table = [
            (
                None,
                "--- /dev/null\n+++ b/production/web.deploy\n@@ -0,0 +1,2 @@\n+bb\n+* new\n",
            ),
            (
                Some("aa\r\n* \x1b[2J"),
                "--- a/production/web.deploy\n+++ b/production/web.deploy\n@@ -1,2 +1,4 @@\n\
                 +bb\n+* new\n aa\\r\n * \\u{1b}[2J\n\\ No newline at end of file\n",
            ),
            (
                Some("1\n2\n3\n4\n"),
                "--- a/production/web.deploy\n+++ b/production/web.deploy\n@@ -1,3 +1,5 @@\n\
                 +bb\n+* new\n 1\n 2\n 3\n",
            ),
        ];
        for (old, expect) in table {
            assert_eq!(proposal_diff(&file(old)), expect, "{old:?}");
        }
    }
}
