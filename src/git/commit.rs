//! What a commit object says.
//!
//! It is read as git reads it, which is more forgiving than its format: a server accepts commits
//! without a valid author or committer, as long as `receive.fsckObjects` is off. What a decision
//! depends on is still strict: a tree or a parent that can't be read is an error.

use std::fmt;

use gix::hash::{Kind, ObjectId, oid};

use super::error::Error;
use super::repository::Repository;
use crate::id::Revision;

/// The largest commit object that is read, in bytes. A commit with so much text, or with so many
/// parents, was not made by people who work together.
const SIZE_MAX: usize = 4 * 1024 * 1024;

/// A commit object.
#[derive(Debug)]
pub(super) struct CommitObject<'d> {
    pub(super) tree: ObjectId,
    pub(super) parents: Vec<ObjectId>,
    /// `Name <address>`, as it stands there; empty where the commit names no author.
    pub(super) author: &'d [u8],
    /// When it was committed, in seconds since 1970, by its own word; 0 where it does not say, as
    /// in git. It may only decide about an order that does not matter.
    pub(super) committed_at: i64,
    /// The encoding of the message, where the commit names one.
    pub(super) encoding: Option<&'d [u8]>,
    /// The message. It can have bytes behind a NUL, which no tool shows.
    pub(super) message: &'d [u8],
}

/// A commit object that can't be understood: what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BrokenCommit {
    /// It has more than [`SIZE_MAX`] bytes.
    TooLarge,
    /// It names no tree, or has a line for a tree or a parent that holds no hash.
    Header,
}

impl fmt::Display for BrokenCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "it has more than {SIZE_MAX} bytes"),
            Self::Header => f.write_str("its lines \"tree\" and \"parent\" can't be read"),
        }
    }
}

impl Repository {
    /// Reads a commit.
    ///
    /// # Errors
    /// It can't be read, or it can't be understood; the error says which commit it is.
    pub(super) fn commit<'b>(
        &self,
        id: &oid,
        buffer: &'b mut Vec<u8>,
    ) -> Result<CommitObject<'b>, Error> {
        self.parse_commit(id, self.find(id, gix::objs::Kind::Commit, buffer)?)
    }

    /// Reads a commit that is probably not asked for again.
    ///
    /// # Errors
    /// As for [`Repository::commit`].
    pub(super) fn commit_once<'b>(
        &self,
        id: &oid,
        buffer: &'b mut Vec<u8>,
    ) -> Result<CommitObject<'b>, Error> {
        self.parse_commit(id, self.find_once(id, gix::objs::Kind::Commit, buffer)?)
    }

    fn parse_commit<'d>(&self, id: &oid, data: &'d [u8]) -> Result<CommitObject<'d>, Error> {
        CommitObject::parse(data, id.kind())
            .map_err(|why| self.unacceptable(format!("commit {id} can't be understood: {why}")))
    }

    /// The parents of a commit, in their order.
    ///
    /// # Errors
    /// The commit can't be read.
    pub fn parents(&self, commit: &Revision) -> Result<Vec<Revision>, Error> {
        let mut buffer = Vec::new();
        let object = self.commit(&self.own_id(commit)?, &mut buffer)?;
        object.parents.iter().map(|id| self.revision(id)).collect()
    }

    /// The error of something in this repository that is more or other than what is accepted.
    pub(super) fn unacceptable(&self, what: impl AsRef<str>) -> Error {
        Error::about_content(self.path(), what.as_ref())
    }

    /// An id as the hash of a commit.
    ///
    /// # Errors
    /// It is the null hash.
    pub(super) fn revision(&self, id: &oid) -> Result<Revision, Error> {
        Revision::new(id.to_string()).map_err(|why| self.error(format!("{id} is {why}")))
    }
}

impl<'d> CommitObject<'d> {
    /// Reads the bytes of a commit object, in a repository with this kind of hash.
    ///
    /// # Errors
    /// It is too large, or its tree or a parent can't be read.
    pub(super) fn parse(data: &'d [u8], kind: Kind) -> Result<Self, BrokenCommit> {
        if data.len() > SIZE_MAX {
            return Err(BrokenCommit::TooLarge);
        }

        let (header, message) = split(data);
        let mut lines = header.split(|byte| *byte == b'\n').peekable();
        let id = |hex: &[u8]| {
            let id = ObjectId::from_hex(hex).ok().filter(|id| id.kind() == kind);
            id.ok_or(BrokenCommit::Header)
        };
        let tree = lines.next().and_then(|line| line.strip_prefix(b"tree "));
        let tree = id(tree.ok_or(BrokenCommit::Header)?)?;
        let mut parents = Vec::new();
        while let Some(hex) = lines.peek().and_then(|line| line.strip_prefix(b"parent ")) {
            parents.push(id(hex)?);
            lines.next();
        }

        let rest: Vec<&[u8]> = lines.collect();
        let field = |name: &[u8]| rest.iter().find_map(|line| line.strip_prefix(name));
        Ok(Self {
            tree,
            parents,
            author: person(field(b"author ").unwrap_or_default()).0,
            committed_at: seconds(person(field(b"committer ").unwrap_or_default()).1),
            encoding: field(b"encoding "),
            message,
        })
    }
}

impl CommitObject<'_> {
    /// Whether another commit object has the same tree, parents, people, date and message.
    pub(super) fn says_the_same(&self, other: &CommitObject<'_>) -> bool {
        (self.tree, &self.parents, self.author, self.committed_at)
            == (other.tree, &other.parents, other.author, other.committed_at)
            && (self.encoding, self.message) == (other.encoding, other.message)
    }
}

/// The header and the message. git takes a commit for text that ends at the first NUL. So where
/// there is a NUL in the header, it finds no message.
fn split(data: &[u8]) -> (&[u8], &[u8]) {
    let blank = data.windows(2).position(|two| two == b"\n\n");
    let nul = data.iter().position(|byte| *byte == 0);
    match (blank, nul) {
        (Some(blank), Some(nul)) if nul < blank => (&data[..blank], &[]),
        (Some(blank), _) => (&data[..blank], &data[blank + 2..]),
        (None, _) => (data, &[]),
    }
}

/// `Name <address>` and what comes after it, from `Name <address> 1700000000 +0100`.
fn person(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().rposition(|byte| *byte == b'>') {
        Some(end) => (line[..=end].trim_ascii(), &line[end + 1..]),
        None => (line.trim_ascii(), &[]),
    }
}

fn seconds(date: &[u8]) -> i64 {
    let digits = date.trim_ascii().split(|byte| *byte == b' ').next();
    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n";
    const PARENT: &str = "parent 60375125abec57111e2eaeac7081f8f45bdfe28b\n";

    fn parse(text: &str) -> Result<CommitObject<'_>, BrokenCommit> {
        CommitObject::parse(text.as_bytes(), Kind::Sha1)
    }

    #[test]
    fn persons_and_dates_are_read_forgivingly() {
        let table = [
            (
                "author A <a@x> 5 +0100\ncommitter B <b@x> 7 +0100\n",
                "A <a@x>",
                7,
            ),
            ("author A <a@x> 5 +0000\n", "A <a@x>", 0),
            ("author A\ncommitter B <b@x> -9 +9999\n", "A", -9),
            ("committer B <b@x>\n", "", 0),
            ("committer B <b> <c> 99999999999999999999 +0\n", "", 0),
            (
                "author A > <a> 1 +0\ncommitter > 3093527980800 x\n",
                "A > <a>",
                3_093_527_980_800,
            ),
            ("", "", 0),
        ];
        for (persons, author, date) in table {
            let text = format!("{TREE}{PARENT}{PARENT}{persons}encoding X\n\nSubject\n");
            let commit = parse(&text).unwrap();

            assert_eq!(commit.parents.len(), 2);
            assert_eq!(String::from_utf8_lossy(commit.author), author, "{text:?}");
            assert_eq!(commit.committed_at, date, "{text:?}");
            assert_eq!(commit.encoding, Some(b"X".as_slice()));
            assert_eq!(commit.message, b"Subject\n");
        }
    }

    #[test]
    fn tree_and_parents_are_read_strictly() {
        for text in [
            "",
            "parent 60375125abec57111e2eaeac7081f8f45bdfe28b\n\nx",
            "tree 4b825dc\n\nx",
            &format!("{TREE}parent 6037512\n\nx"),
            &format!("{TREE}{PARENT}parent \n\nx"),
            &format!("{TREE}parent {:064x}\n\nx", 1),
        ] {
            assert_eq!(parse(text).unwrap_err(), BrokenCommit::Header, "{text:?}");
        }

        let large = format!("{TREE}\n{}", "x".repeat(SIZE_MAX));
        assert_eq!(parse(&large).unwrap_err(), BrokenCommit::TooLarge);
    }

    #[test]
    fn message_behind_a_nul_in_the_header_is_none() {
        for (text, message) in [
            (format!("{TREE}x\0\n\nA"), ""),
            (format!("{TREE}\nA\0B"), "A\0B"),
            (TREE.to_owned(), ""),
        ] {
            let commit = parse(&text).unwrap();
            assert_eq!(commit.message, message.as_bytes(), "{text:?}");
        }
    }
}
