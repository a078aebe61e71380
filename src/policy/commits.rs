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
    /// Those that change something in a folder; `None`: no folder was asked about.
    pub in_folder: Option<CommitsInFolder>,
    /// The newest of them. If a folder was asked about, they are the newest of those in it.
    pub newest: Vec<Commit>,
}

/// How many of some commits change something in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitsInFolder {
    /// The path of the folder.
    pub folder: String,
    /// How many there are.
    pub count: u64,
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
    /// `1 commit`, `37 commits`, `37 commits, 3 of them in services/web`.
    #[must_use]
    pub fn count_in_words(&self) -> String {
        let in_folder = self.in_folder.as_ref();
        let in_folder = in_folder.map(|found| found.in_words(self.count));
        format!(
            "{}{}",
            count_in_words(self.count),
            in_folder.unwrap_or_default()
        )
    }

    /// The same in the middle of a sentence, with the comma that is needed then.
    pub(super) fn count_in_sentence(&self) -> String {
        let comma = self.in_folder.as_ref().map_or("", |_| ",");
        format!("{}{comma}", self.count_in_words())
    }

    /// How many there are of which [`Commits::newest`] has the newest.
    #[must_use]
    pub fn listed(&self) -> u64 {
        let in_folder = self.in_folder.as_ref();
        in_folder.map_or(self.count, |found| found.count)
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
        let others = self.listed().saturating_sub(named);
        if others > 0 {
            lines.push_str(&format!("\n… and {others} more"));
        }
        if let (0, Some(found)) = (self.listed(), &self.in_folder) {
            let folder = text::escape(&found.folder, 80);
            lines.push_str(&format!("\nnothing in {folder}"));
        }
        lines
    }
}

impl CommitsInFolder {
    /// What follows the number of all commits: `, 3 of them in services/web`. Empty: there are no
    /// commits.
    #[must_use]
    pub fn in_words(&self, all: u64) -> String {
        let folder = text::escape(&self.folder, 80);
        match (all, self.count) {
            (0, _) => String::new(),
            (1, 0) => format!(", which is not in {folder}"),
            (1, _) => format!(", which is in {folder}"),
            (_, 0) => format!(", none of them in {folder}"),
            (_, count) => format!(", {count} of them in {folder}"),
        }
    }
}

/// How many commits are gained and lost, whichever there are: `2 commits gained, 1 lost`, and with
/// a folder `gained: 6 commits, 3 of them in services/web`.
#[must_use]
pub fn gained_and_lost(gained: &Commits, lost: &Commits) -> String {
    let has_folder = gained.in_folder.is_some() || lost.in_folder.is_some();
    match (gained.count, lost.count) {
        (_, 0) if has_folder => format!("gained: {}", gained.count_in_words()),
        (0, _) if has_folder => format!("lost: {}", lost.count_in_words()),
        (_, 0) => format!("{} gained", count_in_words(gained.count)),
        (0, lost) => format!("{} lost", count_in_words(lost)),
        (_, _) if has_folder => format!(
            "gained: {}; lost: {}",
            gained.count_in_words(),
            lost.count_in_words()
        ),
        (gained, lost) => format!("{} gained, {lost} lost", count_in_words(gained)),
    }
}

/// `1 commit`, `37 commits`.
#[must_use]
pub fn count_in_words(count: u64) -> String {
    match count {
        1 => "1 commit".to_owned(),
        count => format!("{count} commits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_of_a_folder_are_counted_beside_all() {
        let table = [
            (0, 0, "0 commits"),
            (1, 0, "1 commit, which is not in services/web"),
            (1, 1, "1 commit, which is in services/web"),
            (12, 0, "12 commits, none of them in services/web"),
            (12, 3, "12 commits, 3 of them in services/web"),
        ];
        for (all, count, expect) in table {
            let commits = Commits {
                count: all,
                in_folder: Some(CommitsInFolder {
                    folder: "services/web".to_owned(),
                    count,
                }),
                newest: Vec::new(),
            };
            assert_eq!(commits.count_in_words(), expect);
        }
    }

    #[test]
    fn gained_and_lost_are_named_as_far_as_there_are_any() {
        let commits = |count, inside: Option<u64>| Commits {
            count,
            in_folder: inside.map(|count| CommitsInFolder {
                folder: "web".to_owned(),
                count,
            }),
            newest: Vec::new(),
        };
        let table = [
            ((2, None), (0, None), "2 commits gained"),
            ((0, None), (1, None), "1 commit lost"),
            ((1, None), (2, None), "1 commit gained, 2 lost"),
            ((0, None), (0, None), "0 commits gained"),
            (
                (6, Some(3)),
                (0, None),
                "gained: 6 commits, 3 of them in web",
            ),
            (
                (0, Some(0)),
                (1, Some(1)),
                "lost: 1 commit, which is in web",
            ),
            (
                (1, Some(0)),
                (3, Some(0)),
                "gained: 1 commit, which is not in web; lost: 3 commits, none of them in web",
            ),
        ];
        for (gained, lost, expect) in table {
            let (gained, lost) = (commits(gained.0, gained.1), commits(lost.0, lost.1));
            assert_eq!(gained_and_lost(&gained, &lost), expect);
        }
    }
}
