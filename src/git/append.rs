//! Adding commits to a ref that this program alone writes.
//!
//! Protocol: git-fast-import(1) reads all commits from one stream, whose end says that it is whole.
//! It writes the objects first. Then it moves the ref in one step, from the commit that the first
//! new one follows. If the ref is elsewhere by then, or the process dies before, the ref stays as
//! it was, and `git gc` removes what was written for nothing. The objects are on disk before the
//! ref names them, also after a power cut.
//!
//! A git that is killed while it moves the ref leaves its lock, which git itself never removes. No
//! call of git takes longer than a limit, so a lock that is older than [`LOCK_AGE_MAX`] belongs to
//! nobody and is removed. If its owner is alive after all, the ref still gets one of two values
//! that are whole.
//!
//! It does not promise that the ref is still there afterwards: who may write to the repository can
//! move it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::command::feed;
use super::error::Error;
use super::look::at;
use super::repository::Repository;
use crate::id::Revision;
use crate::sys::clock;
use crate::sys::file::in_memory;
use crate::text::is_deceptive;
use crate::time::Timestamp;

/// The longest name of a person in a commit, in characters.
const NAME_MAX: usize = 64;

/// How old the lock of the ref becomes before it counts as left behind: twice as old as any call of
/// git can become.
const LOCK_AGE_MAX: Duration = Duration::from_secs(120);

/// A commit to be made.
#[derive(Debug)]
pub struct NewCommit {
    /// Who did what it is about; `None`: nobody is known.
    pub author: Option<String>,
    /// When that was.
    pub at: Timestamp,
    /// The message.
    pub message: String,
    /// All its files, by their paths; `None`: those of the commit before.
    pub files: Option<Vec<(String, String)>>,
}

impl Repository {
    /// Adds commits to the ref of a full name. `tip` is where the ref is; `None`: it does not
    /// exist. `committer` is `Name <address>`. Returns the last of the new commits.
    ///
    /// # Errors
    /// git can't write, or the ref is elsewhere; or the ref is a symbolic one, which would move
    /// another. Then nothing has changed.
    pub fn append(
        &self,
        full_name: &str,
        tip: Option<&Revision>,
        commits: &[NewCommit],
        committer: &str,
    ) -> Result<(), Error> {
        if self.leads_to(full_name.as_bytes())? != full_name.as_bytes() {
            let message = format!("{full_name} is a symbolic ref, so nothing is written there");
            return Err(self.error(message));
        }

        self.remove_old_lock(full_name)?;
        let stream = stream(full_name, tip, commits, committer);
        let stream = in_memory(&stream).map_err(|error| self.error(error))?;
        let arguments = ["fast-import", "--quiet", "--done", "--date-format=raw"];
        feed(self.path(), &arguments, stream)
    }

    /// Removes the lock that a killed git left of a ref. In a reftable, all refs share one lock,
    /// which is not touched.
    fn remove_old_lock(&self, full_name: &str) -> Result<(), Error> {
        let lock = self.path().join(format!("{full_name}.lock"));
        let Some(found) = at(&lock, fs::symlink_metadata)? else {
            return Ok(());
        };
        let modified = Timestamp::from_ms(found.mtime() * 1000);
        if clock::now().since(modified) > LOCK_AGE_MAX {
            at(&lock, fs::remove_file)?;
        }
        Ok(())
    }

    /// The message of a commit, as text.
    ///
    /// # Errors
    /// The commit can't be read.
    pub fn commit_message(&self, commit: &Revision) -> Result<String, Error> {
        let id = self.own_id(commit)?;
        let mut buffer = Vec::new();
        let message = self.commit(&id, &mut buffer)?.message;
        Ok(String::from_utf8_lossy(message).into_owned())
    }
}

/// What git-fast-import(1) reads.
fn stream(
    full_name: &str,
    tip: Option<&Revision>,
    commits: &[NewCommit],
    committer: &str,
) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut from = tip;
    for commit in commits {
        let seconds = (commit.at.as_ms() / 1000).max(0);
        let author = commit.author.as_deref().and_then(person);
        let author = author.unwrap_or_else(|| committer.to_owned());
        let head = format!(
            "commit {full_name}\nauthor {author} {seconds} +0000\n\
             committer {committer} {seconds} +0000\n"
        );
        stream.extend(head.as_bytes());
        push_data(&mut stream, &commit.message);
        // Every commit of the stream but the first follows the one before it.
        if let Some(from) = from.take() {
            stream.extend(format!("from {from}\n").as_bytes());
        }

        if let Some(files) = &commit.files {
            stream.extend(b"deleteall\n");
            for (path, content) in files {
                stream.extend(format!("M 100644 inline {path}\n").as_bytes());
                push_data(&mut stream, content);
            }
        }
    }
    stream.extend(b"done\n");
    stream
}

/// A text with its length in front of it, so that nothing in the text can end it.
fn push_data(stream: &mut Vec<u8>, text: &str) {
    stream.extend(format!("data {}\n{text}\n", text.len()).as_bytes());
}

/// A person as a commit names one, without an address; `None`: nothing is left of the name.
fn person(name: &str) -> Option<String> {
    let is_plain = |c: &char| !is_deceptive(*c) && !"<>\\\"".contains(*c);
    let name: String = name.chars().filter(is_plain).take(NAME_MAX).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| format!("{name} <>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_stays_inside_of_its_line() {
        let long = "x".repeat(100);
        let table = [
            ("alice", Some("alice <>".to_owned())),
            (
                "a <b@c> 1 +0000\nfrom x",
                Some("a b@c 1 +0000from x <>".to_owned()),
            ),
            ("\u{202e}\n", None),
            ("", None),
            (&long, Some(format!("{} <>", &long[..64]))),
        ];
        for (name, expect) in table {
            assert_eq!(person(name), expect, "{name:?}");
        }
    }

    #[test]
    fn text_can_not_end_itself() {
        let commit = |message: &str, files| NewCommit {
            author: None,
            at: Timestamp::from_ms(5_999),
            message: message.to_owned(),
            files,
        };
        let files = vec![("a/b.md".to_owned(), "x\ndone\n".to_owned())];
        let commits = [commit("one\ndata 3", None), commit("two", Some(files))];
        let tip = Revision::new("6".repeat(40)).unwrap();
        let found = stream("refs/x/y", Some(&tip), &commits, "me <me@here>");
        let expect = format!(
            "commit refs/x/y\nauthor me <me@here> 5 +0000\ncommitter me <me@here> 5 +0000\n\
             data 10\none\ndata 3\nfrom {tip}\n\
             commit refs/x/y\nauthor me <me@here> 5 +0000\ncommitter me <me@here> 5 +0000\n\
             data 3\ntwo\ndeleteall\nM 100644 inline a/b.md\ndata 7\nx\ndone\n\ndone\n"
        );
        assert_eq!(String::from_utf8(found).unwrap(), expect);
    }
}
