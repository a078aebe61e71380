//! What a deploy file says: its first word is the revision to deploy. Everything after it is
//! history. Pure.

use std::collections::BTreeSet;
use std::fmt;

use crate::id::{Revision, RevisionError};
use crate::text;

/// The largest deploy file that is read, in bytes.
pub const SIZE_MAX: u64 = 1024 * 1024;

/// The longest summary of an entry, in characters.
const SUMMARY_MAX: usize = 200;

/// How much is kept of a content whose first word is not a revision, in bytes.
const BEGINNING_MAX: usize = 256;

/// The end of a deploy file's name.
pub const EXTENSION: &str = ".deploy";

/// Why a file's content asks for no revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentError {
    /// It has only white space.
    NoRevision,
    /// Its first word is not a whole commit hash.
    NotARevision {
        /// The line of the word, from 1.
        line: usize,
        /// The word, escaped and at most 72 characters long.
        word: String,
        /// What it is instead.
        error: RevisionError,
        /// The beginning of the content, from the word on; at most 256 bytes.
        beginning: Vec<u8>,
    },
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::NotARevision {
            line, word, error, ..
        } = self
        else {
            return write!(f, "the file names no revision");
        };
        write!(f, "line {line}: \"{word}\" is {error}")
    }
}

/// The revision that a deploy file asks for: its first word. Words are separated by ASCII white
/// space.
///
/// # Errors
/// There is no word, or it is not a whole commit hash.
pub fn revision(content: &[u8]) -> Result<Revision, ContentError> {
    let is_space = |b: &u8| b.is_ascii_whitespace() || *b == 0x0b;
    let start = content
        .iter()
        .position(|b| !is_space(b))
        .ok_or(ContentError::NoRevision)?;

    let rest = &content[start..];
    let word = &rest[..rest.iter().position(is_space).unwrap_or(rest.len())];

    Revision::new(word).map_err(|error| ContentError::NotARevision {
        line: 1 + content[..start].iter().filter(|b| **b == b'\n').count(),
        word: text::escape(word, 72),
        error,
        beginning: rest[..rest.len().min(BEGINNING_MAX)].to_vec(),
    })
}

/// The newest entry of a deploy file without its revision: what the first line says behind the
/// revision, and the lines down to the next entry, without empty lines at the beginning and at the
/// end. A line whose first word is a whole commit hash begins an entry.
#[must_use]
pub fn newest_entry(content: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = entry_lines(content).collect();
    let is_empty = |line: &&[u8]| line.trim_ascii().is_empty();
    while lines.last().is_some_and(is_empty) {
        lines.pop();
    }
    let begin = lines.iter().position(|line| !is_empty(line));
    lines.split_off(begin.unwrap_or(0))
}

/// The first line of the newest entry that says something, without the mark of a list in front of
/// it; at most 200 characters. `None`: the entry is only a revision.
#[must_use]
pub fn summary(content: &[u8]) -> Option<String> {
    let unmarked = |line| {
        let line = <[u8]>::trim_ascii(line);
        let marks: [&[u8]; 2] = [b"* ", b"- "];
        let rest = marks.iter().find_map(|mark| line.strip_prefix(*mark));
        rest.map_or(line, <[u8]>::trim_ascii_start)
    };
    let line = entry_lines(content)
        .map(unmarked)
        .find(|line| !line.is_empty())?;
    // No character has more than four bytes.
    let line = &line[..line.len().min(4 * SUMMARY_MAX)];
    Some(text::decode(line, SUMMARY_MAX))
}

/// The lines of the newest entry without its revision, from what stands behind it on.
fn entry_lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    let content = content.trim_ascii_start();
    let end = content.iter().position(u8::is_ascii_whitespace);
    let below = end.map_or(&[][..], |end| &content[end..]);

    below
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_end)
        .enumerate()
        .take_while(|(index, line)| *index == 0 || revision(line).is_err())
        .map(|(_, line)| line)
}

/// How the new content of a deploy file is related to its old content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Whether it asks for a redeploy: it is the old content with a new entry on top that names the
    /// same revision.
    pub is_redeploy: bool,
    /// The last line of the old content that is not below the new entry any more, from 1. `None`:
    /// all of the old content is there, byte for byte. If it had no final newline, one may have
    /// been added.
    pub changed_line: Option<usize>,
    /// If both ask for the same revision and this is no redeploy: a revision that was added below
    /// the first entry.
    pub added_below: Option<Revision>,
}

/// Compares the new content of a deploy file with its old content.
#[must_use]
pub fn compare(old: &[u8], new: &[u8]) -> Comparison {
    let asks_the_same = matches!((revision(old), revision(new)), (Ok(old), Ok(new)) if old == new);
    let entry = entry_above(old, new);
    // An entry above the old content names the first word, unless it has no word at all.
    let is_redeploy = asks_the_same && entry.is_some_and(|entry| revision(entry).is_ok());

    let with_newline = new.strip_suffix(b"\n").filter(|_| !old.ends_with(b"\n"));
    let is_kept = |new: &[u8]| new == old || entry_above(old, new).is_some();
    let is_kept = is_kept(new) || with_newline.is_some_and(is_kept);
    Comparison {
        is_redeploy,
        changed_line: (!is_kept).then(|| last_changed_line(old, new)),
        added_below: (asks_the_same && !is_redeploy)
            .then(|| added_below(old, new))
            .flatten(),
    }
}

/// What `new` has above the whole of `old`, in lines of its own.
fn entry_above<'n>(old: &[u8], new: &'n [u8]) -> Option<&'n [u8]> {
    new.strip_suffix(old).filter(|entry| entry.ends_with(b"\n"))
}

/// The last line of the old content that is not in the new content, counted from the end of both.
/// It is a line number of the old content, from 1.
fn last_changed_line(old: &[u8], new: &[u8]) -> usize {
    fn lines(text: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
        text.strip_suffix(b"\n")
            .unwrap_or(text)
            .split(|b| *b == b'\n')
    }

    let same = lines(old)
        .rev()
        .zip(lines(new).rev())
        .take_while(|(old, new)| old == new)
        .count();
    (lines(old).count() - same).max(1)
}

/// A revision at the beginning of a line of `new` that begins no line of `old`, though the first
/// word is the same: somebody may have put a new entry below the others.
fn added_below(old: &[u8], new: &[u8]) -> Option<Revision> {
    let lines = |content| <[u8]>::split(content, |b| *b == b'\n');
    let entries = |content| lines(content).filter_map(|line| revision(line).ok());
    let before: BTreeSet<Revision> = entries(old).collect();
    let added = entries(new).find(|entry| !before.contains(entry));
    added.filter(|added| revision(new).as_ref() != Ok(added))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_entry_ends_where_the_next_begins() {
        let [a, b] = ["a", "b"].map(|digit| digit.repeat(40));
        let quoted = format!(" x|see {b}");
        let table = [
            (String::new(), ""),
            (a.clone(), ""),
            (format!("{a}\n"), ""),
            (format!("{a} fix alarms\n"), " fix alarms"),
            (format!("{a}\n* one\n* two\n{b}\n* three\n"), "* one|* two"),
            (format!("\n\n{a}\r\n\r\n  * one\r\n\n{b}"), "  * one"),
            (format!("{a}\n{b}\nold"), ""),
            (format!("{a} x\nsee {b}\n  {b}\nold"), &quoted),
        ];
        for (content, expect) in table {
            let lines = newest_entry(content.as_bytes());
            let lines = lines.into_iter().map(String::from_utf8_lossy);
            let found = lines.collect::<Vec<_>>().join("|");
            assert_eq!(found, expect, "{content:?}");
        }
    }

    #[test]
    fn summary_is_the_first_line_that_says_something() {
        let [a, b] = ["a", "b"].map(|digit| digit.repeat(40));
        let long = "é".repeat(SUMMARY_MAX + 1);
        let cut = "é".repeat(SUMMARY_MAX);
        let table = [
            (String::new(), None),
            (a.clone(), None),
            (format!("{a}\n\n{b}\n* old\n"), None),
            (format!("{a}\n*\u{20}\n-\n"), Some("*")),
            (format!("{a} fix alarms\n"), Some("fix alarms")),
            (format!("{a}\r\n\r\n  * one\r\n* two"), Some("one")),
            (format!("{a}\n-  one"), Some("one")),
            (format!("{a}\n**one**"), Some("**one**")),
            (format!("{a} \x1b[31m"), Some("\x1b[31m")),
            (format!("{a}\n{long}"), Some(cut.as_str())),
        ];
        for (content, expect) in table {
            let found = summary(content.as_bytes());
            assert_eq!(found.as_deref(), expect, "{content:?}");
        }
        let bytes = [a.as_bytes(), b" \xff\n"].concat();
        assert_eq!(summary(&bytes).as_deref(), Some("\\xff"));
    }

    const A: &str = "60375125abec57111e2eaeac7081f8f45bdfe28b";
    const B: &str = "0170b60b6c2dee5034650c36dd8b708c57fe87a3";

    #[test]
    fn first_word_is_the_revision() {
        for content in [
            A.to_owned(),
            format!("{A}\n* Deploy alarms\n{B}\n"),
            format!("\n\n  {A} * why\n"),
            format!("\t\u{b}\u{c}{A}\r\nrest"),
            A.to_uppercase(),
        ] {
            assert_eq!(
                revision(content.as_bytes()),
                Ok(Revision::new(A).unwrap()),
                "{content:?}"
            );
        }

        let mut binary = format!("{A}\n").into_bytes();
        binary.extend([0, 255, 27]);
        assert!(revision(&binary).is_ok());
    }

    #[test]
    fn other_first_word_is_refused_with_its_line() {
        let table = [
            ("", "the file names no revision"),
            (" \n\t\n", "the file names no revision"),
            (
                "6037512\n",
                "line 1: \"6037512\" is an abbreviated commit hash",
            ),
            ("\n\nmain\n", "line 3: \"main\" is not a commit hash"),
            ("* Deploy\n", "line 1: \"*\" is not a commit hash"),
            ("\x1b[2Jx", "line 1: \"\\u{1b}[2Jx\" is not a commit hash"),
        ];

        for (content, expect) in table {
            assert_eq!(
                revision(content.as_bytes()).unwrap_err().to_string(),
                expect,
                "{content:?}"
            );
        }

        let joined = format!("{A},{B}");
        assert!(revision(joined.as_bytes()).is_err());
    }

    #[test]
    fn entry_below_the_others_is_found() {
        let old = format!("{A}\n* first\n");
        let table = [
            (format!("{old}{B}\n* second\n"), Some(B)),
            (format!("{A}\n{B}\n* first\n"), Some(B)),
            (format!("{B}\n{old}"), None),
            (format!("{old}* see {B}\n"), None),
            (format!("{A}\n* first\n{A}\n"), None),
            (old.clone(), None),
        ];
        for (new, expect) in table {
            let found = added_below(old.as_bytes(), new.as_bytes());
            assert_eq!(found.as_ref().map(Revision::as_str), expect, "{new:?}");
        }
    }

    #[test]
    fn redeploy_is_a_new_entry_for_the_same_revision() {
        let old = format!("{A}\n* first\n");
        let table = [
            (format!("{A}\n* again\n{old}"), true),
            (format!("{A} again\n{old}"), true),
            (format!("{}\n{old}", A.to_uppercase()), true),
            (old.clone(), false),
            (format!("\n{old}"), false),
            (format!("{B}\n{old}"), false),
            (format!("{A}\n* edited comment\n"), false),
            (format!("{A}{old}"), false),
        ];

        for (new, expect) in table {
            assert_eq!(
                compare(old.as_bytes(), new.as_bytes()).is_redeploy,
                expect,
                "{new:?}"
            );
        }
    }
}
