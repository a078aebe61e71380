//! What somebody is asked to approve, as text for a terminal.

use super::proposal_text::lines;
use super::status_file::PublishedEnvironment;
use crate::candidate::Intent;
use crate::id::{Revision, Target};
use crate::policy::{Commits, gained_and_lost};
use crate::text::escape;

/// How many lines of the newest entry are shown.
const ENTRY_MAX: usize = 30;

/// What the commits of a branch do to one deploy file, and who signed them.
#[derive(Debug)]
pub struct FileToApprove {
    /// The application, and the environment.
    pub target: Target,
    /// What the file asks for on the deploy branch.
    pub from: Option<Revision>,
    /// What it asks for now.
    pub intent: Intent,
    /// The commits of the application that are gained, and those that are lost; or why they can't
    /// be shown.
    pub commits: Result<(Commits, Commits), CommitsUnseen>,
    /// The lines of the newest entry.
    pub entry: Vec<String>,
    /// The commits that change the file, and what can be said of their signatures: `is not signed`.
    pub changes: Vec<(Revision, String)>,
    /// The commits that approve it, likewise.
    pub approvals: Vec<(Revision, String)>,
    /// What looks like an approval and is none, and why.
    pub void: Vec<(Revision, String)>,
    /// What the environment needs; `None`: that is not published.
    pub needs: Option<PublishedEnvironment>,
}

/// Why the commits of an application can't be shown; nothing where there are none to show.
#[derive(Debug)]
pub struct CommitsUnseen(pub Option<String>);

/// The lines about one file.
#[must_use]
pub fn approval_lines(file: &FileToApprove) -> Vec<String> {
    let counts = match &file.commits {
        Ok((gained, lost)) => format!(", {}", gained_and_lost(gained, lost)),
        Err(_) => String::new(),
    };
    let mut text = vec![format!("{}: {}{counts}", file.target, change(file))];
    match &file.commits {
        Ok((gained, lost)) => {
            text.extend(lines(gained).iter().map(|line| format!("  + {line}")));
            text.extend(lines(lost).iter().map(|line| format!("  - {line}")));
        }
        Err(CommitsUnseen(why)) => {
            let why = why.iter().flat_map(|why| why.lines());
            text.extend(why.map(|line| format!("  {line}")));
        }
    }

    let entry = file.entry.iter().take(ENTRY_MAX);
    text.extend(entry.map(|line| format!("  | {line}").trim_end().to_owned()));
    if file.entry.len() > ENTRY_MAX {
        let more = file.entry.len() - ENTRY_MAX;
        text.push(format!("  | … and {more} more lines"));
    }
    for (word, commits) in [("changed", &file.changes), ("approved", &file.approvals)] {
        let commits = commits.iter();
        text.extend(
            commits.map(|(id, signature)| format!("  {word} in {}, which {signature}", id.short())),
        );
    }
    let void = file.void.iter();
    text.extend(void.map(|(id, why)| format!("  {} does not approve it: {why}", id.short())));
    text.push(match &file.needs {
        Some(needs) => format!("  {}", needs.in_words()),
        None => format!(
            "  how many approvals {} needs, and from whom, is not published; the server knows",
            file.target.environment
        ),
    });
    text
}

/// What the file asks for, and before.
fn change(file: &FileToApprove) -> String {
    let from = file.from.as_ref().map(Revision::short);
    match (&file.intent, from) {
        (Intent::Deploy(to), Some(from)) => format!("{from} -> {}", to.short()),
        (Intent::Deploy(to), None) => format!("new -> {}", to.short()),
        (Intent::Redeploy(to), _) => format!("{} again", to.short()),
        (Intent::Retire, _) => "retired, the file is deleted".to_owned(),
        (Intent::Nothing, Some(from)) => format!("still {from}, only its history is changed"),
        (Intent::Nothing, None) => "nothing is deployed".to_owned(),
        (Intent::Unclear, _) => "what it asks for is unclear, and the server refuses it".to_owned(),
    }
}

/// The lines of the newest entry of a deploy file, safe to show.
#[must_use]
pub fn shown_entry(entry: &[&[u8]]) -> Vec<String> {
    entry.iter().map(|line| escape(line, 200)).collect()
}
