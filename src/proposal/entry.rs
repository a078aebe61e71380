//! A new entry for the top of a deploy file.

use crate::deployfile;
use crate::id::Revision;
use crate::policy::Commits;
use crate::text::escape;

/// The longest line, in characters.
const LINE_MAX: usize = 200;

/// An entry: what is to be deployed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The revision.
    pub revision: Revision,
    /// The lines below it, without their ends.
    pub lines: Vec<String>,
}

impl Entry {
    /// The entry as text, with the line ends of the file on top of which it goes.
    ///
    /// The revision is its first word, whatever the lines say, and no line begins another entry.
    #[must_use]
    pub fn text(&self, old: &[u8]) -> Vec<u8> {
        let end = line_end(old);
        let mut text = format!("{}{end}", self.revision);
        for line in &self.lines {
            if deployfile::revision(line.as_bytes()).is_ok() {
                text.push_str("* ");
            }
            text.push_str(line);
            text.push_str(end);
        }
        text.into_bytes()
    }
}

/// The end of the first line; of a file without one, `\n`.
fn line_end(content: &[u8]) -> &'static str {
    match content.iter().position(|byte| *byte == b'\n') {
        Some(at) if content[..at].ends_with(b"\r") => "\r\n",
        _ => "\n",
    }
}

/// One line with a mark in front of it, as it is safe to show.
fn marked(line: &[u8]) -> String {
    format!("* {}", escape(line, LINE_MAX))
}

/// At most so many lines, and one that counts the others.
fn at_most(mut lines: Vec<String>, count: u64, most: usize) -> Vec<String> {
    lines.truncate(most);
    let others = count.saturating_sub(lines.len() as u64);
    if others > 0 {
        lines.push(format!("* and {others} more"));
    }
    lines
}

/// A line for each commit, newest first, at most so many, and one that counts the others. Where
/// none of them is in the folder that was asked about, one line says so.
#[must_use]
pub fn commit_lines(commits: &Commits, most: usize) -> Vec<String> {
    let line = |commit: &crate::policy::Commit| match commit.subject.trim() {
        "" => marked(commit.id.short().as_bytes()),
        subject => marked(subject.as_bytes()),
    };
    if commits.listed() == 0 && commits.count > 0 {
        return vec![marked(commits.count_in_words().as_bytes())];
    }
    let lines = commits.newest.iter().map(line).collect();
    at_most(lines, commits.listed(), most)
}

/// An entry as a file has it: its revision, and the lines with text, without their ends.
type WrittenEntry<'c> = (Revision, Vec<&'c [u8]>);

/// The entries of a deploy file. Text in front of the first one belongs to none.
fn entries(content: &[u8]) -> Vec<WrittenEntry<'_>> {
    let mut entries: Vec<WrittenEntry<'_>> = Vec::new();
    for line in content.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii_end();
        match (deployfile::revision(line), entries.last_mut()) {
            (Ok(revision), _) => {
                let word = line.trim_ascii_start();
                let rest = &word[revision.as_str().len().min(word.len())..];
                let rest = rest.trim_ascii_start();
                let first = (!rest.is_empty()).then_some(rest);
                entries.push((revision, first.into_iter().collect()));
            }
            (Err(_), Some((_, lines))) if !line.is_empty() => lines.push(line),
            (Err(_), _) => {}
        }
    }
    entries
}

/// The revisions of the entries below the first one, newest first.
#[must_use]
pub fn revisions_below(content: &[u8]) -> Vec<Revision> {
    let entries = entries(content).into_iter();
    entries.skip(1).map(|(revision, _)| revision).collect()
}

/// The lines of the entries from that of `to` down to that of `from`, which is left out, at most so
/// many, and one that counts the others. `from` is `None`: those down to the end. `None`: the file
/// has not both of them in this order, or there are no lines.
#[must_use]
pub fn lines_between(
    content: &[u8],
    from: Option<&Revision>,
    to: &Revision,
    most: usize,
) -> Option<Vec<String>> {
    let entries = entries(content);
    let begin = entries.iter().position(|(revision, _)| revision == to)?;
    let entries = &entries[begin..];
    let end = match from {
        Some(from) => entries.iter().position(|(revision, _)| revision == from)?,
        None => entries.len(),
    };

    let lines = entries[..end].iter().flat_map(|(_, lines)| lines);
    let line = |line: &&[u8]| match line {
        [b'*' | b'-' | b' ' | b'\t', ..] => escape(line, LINE_MAX),
        _ => marked(line),
    };
    let lines: Vec<String> = lines.map(line).collect();
    let count = lines.len() as u64;
    (count > 0).then(|| at_most(lines, count, most))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::deployfile::compare;
    use crate::policy::Commit;
    use crate::time::Timestamp;

    fn revision(digit: char) -> Revision {
        Revision::new(digit.to_string().repeat(40)).unwrap()
    }

    fn commits(subjects: &[&str], count: u64) -> Commits {
        let commit = |subject: &&str| Commit {
            id: revision('a'),
            author: String::new(),
            committed_at: Timestamp::from_ms(0),
            subject: (*subject).to_owned(),
        };
        Commits {
            count,
            in_folder: None,
            newest: subjects.iter().map(commit).collect(),
        }
    }

    #[test]
    fn entry_goes_on_top_and_keeps_all_below() {
        let [a, b] = ['a', 'b'].map(revision);
        let table = [
            (String::new(), "\n"),
            (format!("{a}\n* old\n"), "\n"),
            (format!("{a}\r\n* old\r\n"), "\r\n"),
            (format!("{a}\r\n* old\n"), "\r\n"),
            (format!("{a}\n* old\r\n"), "\n"),
            (a.to_string(), "\n"),
            (format!("\n\n{a} \u{feff}"), "\n"),
        ];
        for (old, end) in table {
            let entry = Entry {
                revision: b.clone(),
                lines: vec!["* new".to_owned()],
            };
            let text = String::from_utf8(entry.text(old.as_bytes())).unwrap();
            assert_eq!(text, format!("{b}{end}* new{end}"), "{old:?}");
            let new = format!("{text}{old}");
            assert_eq!(compare(old.as_bytes(), new.as_bytes()).changed_line, None);
        }
    }

    proptest! {
        #[test]
        fn entry_is_on_top_whatever_is_below(
            old in vec(any::<u8>(), 0..200),
            lines in vec(any::<String>(), 0..4),
        ) {
            let [a, b] = ['a', 'b'].map(revision);
            let lines = lines.iter().map(|line| escape(line, LINE_MAX)).collect();
            let entry = Entry { revision: b.clone(), lines };
            for old in [old.clone(), [a.as_str().as_bytes(), b" ", &old].concat()] {
                let new = [entry.text(&old), old.clone()].concat();
                prop_assert_eq!(deployfile::revision(&new), Ok(b.clone()));
                prop_assert_eq!(compare(&old, &new).changed_line, None);
            }
        }
    }

    #[test]
    fn no_line_begins_another_entry() {
        let [a, b] = ['a', 'b'].map(revision);
        for line in [b.to_string(), format!("  {b}"), format!("{b} x")] {
            let entry = Entry {
                revision: a.clone(),
                lines: vec![line],
            };
            let text = entry.text(b"");
            assert_eq!(deployfile::revision(&text), Ok(a.clone()));
            assert_eq!(revisions_below(&text), []);
        }
    }

    #[test]
    fn subjects_of_others_stay_in_their_lines() {
        let b = revision('b').to_string();
        let hostile = ["fix\x1b[2J", "", "a\nb", &b, "x\u{202e}y"];
        let lines = commit_lines(&commits(&hostile, 7), 5);
        let expect = [
            "* fix\\u{1b}[2J".to_owned(),
            "* aaaaaaa".to_owned(),
            "* a\\nb".to_owned(),
            format!("* {b}"),
            "* x\\u{202e}y".to_owned(),
            "* and 2 more".to_owned(),
        ];
        assert_eq!(lines, expect);
        assert_eq!(commit_lines(&commits(&["x", "y"], 2), 0), ["* and 2 more"]);
        assert_eq!(commit_lines(&commits(&[], 0), 5), Vec::<String>::new());
    }

    #[test]
    fn lines_are_taken_from_between_two_entries() {
        let [a, b, c, d] = ['a', 'b', 'c', 'd'].map(revision);
        let content = format!(
            "\n{c} three\r\n\r\n* four\r\n{b}\n  - five\n* \x1b[31m\n{a}\n* one\n{a}\n* zero\n"
        );
        let between = |from: Option<&Revision>, to, most| {
            let lines = lines_between(content.as_bytes(), from, to, most);
            lines.map(|lines| lines.join("|"))
        };
        let all = "* three|* four|  - five|* \\u{1b}[31m";
        assert_eq!(between(Some(&a), &c, 9).as_deref(), Some(all));
        assert_eq!(between(Some(&b), &c, 9).as_deref(), Some("* three|* four"));
        let cut = "* three|* and 3 more";
        assert_eq!(between(Some(&a), &c, 1).as_deref(), Some(cut));
        assert_eq!(between(None, &a, 9).as_deref(), Some("* one|* zero"));
        assert_eq!(between(Some(&d), &c, 9), None);
        assert_eq!(between(Some(&c), &a, 9), None);
        assert_eq!(between(Some(&a), &d, 9), None);
        assert_eq!(lines_between(b"", None, &a, 9), None);
    }

    #[test]
    fn revisions_of_the_history_are_newest_first() {
        let [a, b] = ['a', 'b'].map(revision);
        let content = format!("{b}\n* x\n{a} y\nsee {b}\n{b}\n");
        assert_eq!(revisions_below(content.as_bytes()), [a, b]);
        assert_eq!(revisions_below(b""), []);
    }
}
