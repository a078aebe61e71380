//! Commits that are gained or lost, as facts and in words.

use crate::id::Revision;
use crate::text;
use crate::time::Timestamp;

/// How many commits a message names.
const NAMED_MAX: usize = 5;

/// Some commits, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commits {
    /// How many there are.
    pub count: u64,
    /// The newest of them.
    pub newest: Vec<Commit>,
}

/// A commit, as people are shown it. Everything except the hash can contain any characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its hash.
    pub id: Revision,
    /// The name of its author.
    pub author: String,
    /// When it was committed. The commit itself says so; nobody has checked it.
    pub committed_at: Timestamp,
    /// The first line of its message.
    pub subject: String,
}

impl Commits {
    /// `1 commit`, `37 commits`.
    pub(super) fn count_in_words(&self) -> String {
        if self.count == 1 {
            "1 commit".to_owned()
        } else {
            format!("{} commits", self.count)
        }
    }

    /// One line for each of the newest commits, and one line that counts the others. Each line
    /// begins with a newline, so the text can follow a message.
    #[must_use]
    pub fn lines(&self) -> String {
        let mut lines = String::new();
        for commit in self.newest.iter().take(NAMED_MAX) {
            let subject = text::escape(&commit.subject, 80);
            lines.push_str(&format!("\n{} {subject}", commit.id.short()));
        }

        let named = self.newest.len().min(NAMED_MAX) as u64;
        let others = self.count.saturating_sub(named);
        if others > 0 {
            lines.push_str(&format!("\n… and {others} more"));
        }
        lines
    }
}
