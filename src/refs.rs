//! The lines that git writes to a hook's standard input, as githooks(5) describes them:
//! `<old> SP <new> SP <ref> LF`.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, Read as _};

use crate::id::{Revision, RevisionError};
use crate::text;

/// The longest line that is read, in bytes. git itself accepts no ref name that is longer.
const LINE_MAX: u64 = 64 * 1024;

/// One ref that a push updates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// The object that the ref pointed to; `None`: the ref did not exist.
    pub old: Option<Revision>,
    /// The object that the ref is to point to; `None`: the ref is deleted.
    pub new: Option<Revision>,
    /// The full name, for example `refs/heads/main`. It need not be UTF-8.
    pub name: Vec<u8>,
}

/// What a hook read that looks at the names of all refs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Updates {
    /// The updates of the refs that are wanted.
    pub wanted: Vec<RefUpdate>,
    /// The names of all refs that occur more than once, wanted or not. git carries out the first
    /// update of such a ref and gives the hooks the lines of all of them (seen with git 2.39 and a
    /// client that speaks the protocol itself). So no line says what happens to the ref.
    pub twice: BTreeSet<Vec<u8>>,
}

/// Whether two full names are the same, or can't both be refs: to git, a ref is a file, and so it
/// is not the folder of another ref.
#[must_use]
pub fn exclude_each_other(one: &[u8], other: &[u8]) -> bool {
    let is_at_or_below = |name: &[u8], folder: &[u8]| {
        name.strip_prefix(folder)
            .is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'/'))
    };
    is_at_or_below(one, other) || is_at_or_below(other, one)
}

/// A line that the hook's protocol does not have.
fn malformed(line: &[u8]) -> io::Error {
    let line = text::quote(line, 200);
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{line} is not of the form: OLD NEW REF"),
    )
}

/// How long a hash is: SHA-1, SHA-256.
const HASH_LENGTHS: [usize; 2] = [40, 64];

/// Splits a line at its first space. A hash ends where hashes end, so that a push of thousands of
/// refs is not searched byte by byte.
fn split_at_space(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut ends = HASH_LENGTHS.into_iter();
    let end = ends.find(|end| line.get(*end) == Some(&b' ') && !line[..*end].contains(&b' '));
    let end = end.or_else(|| line.iter().position(|byte| *byte == b' '))?;
    Some((&line[..end], &line[end + 1..]))
}

/// A line, taken apart.
struct UpdateLine<'l> {
    old: &'l [u8],
    new: &'l [u8],
    name: &'l [u8],
}

impl<'l> UpdateLine<'l> {
    /// Takes a line apart; `None`: it has another form.
    fn split(line: &'l [u8]) -> Option<Self> {
        let (old, rest) = split_at_space(line)?;
        let (new, name) = split_at_space(rest)?;
        (!name.is_empty()).then_some(Self { old, new, name })
    }

    /// Whether it sets a symbolic ref (`ref:…`), which only the hook reference-transaction is told
    /// (githooks(5)).
    fn is_symbolic(&self) -> bool {
        [self.old, self.new]
            .iter()
            .any(|value| value.starts_with(b"ref:"))
    }

    /// What it says of the ref; `None`: it names something else than objects.
    fn update(&self) -> Option<RefUpdate> {
        // The null hash stands for a ref that does not exist.
        let object = |hash| match Revision::new(hash) {
            Ok(object) => Some(Some(object)),
            Err(RevisionError::Null) => Some(None),
            Err(_) => None,
        };
        Some(RefUpdate {
            old: object(self.old)?,
            new: object(self.new)?,
            name: self.name.to_vec(),
        })
    }
}

/// Reads every update, and keeps those of the refs that `is_wanted` picks by name. A push can
/// update thousands of refs, so nothing of the others is kept or looked at but the name.
///
/// # Errors
/// Reading failed, a line has another form, or it is longer than 64 KiB.
pub fn read(
    mut input: impl BufRead,
    mut is_wanted: impl FnMut(&[u8]) -> bool,
) -> io::Result<Vec<RefUpdate>> {
    let mut wanted = Vec::new();
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        if input
            .by_ref()
            .take(LINE_MAX)
            .read_until(b'\n', &mut buffer)?
            == 0
        {
            return Ok(wanted);
        }

        if buffer.len() as u64 == LINE_MAX && !buffer.ends_with(b"\n") {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a ref update is longer than 64 KiB",
            ));
        }
        let text = buffer.strip_suffix(b"\n").unwrap_or(&buffer);
        if text.is_empty() {
            continue;
        }
        let line = UpdateLine::split(text).ok_or_else(|| malformed(text))?;
        if !line.is_symbolic() && is_wanted(line.name) {
            wanted.push(line.update().ok_or_else(|| malformed(text))?);
        }
    }
}

/// [`read`], and notes which refs occur more than once. This costs eight bytes of memory for each
/// ref of the push.
///
/// # Errors
/// As for [`read`].
pub fn read_all_names(
    input: impl BufRead,
    mut is_wanted: impl FnMut(&[u8]) -> bool,
) -> io::Result<Updates> {
    let mut twice = BTreeSet::new();
    // Names are told apart by a hash with a secret key, which nobody can make collide.
    let (hasher, mut seen) = (RandomState::new(), HashSet::new());
    let wanted = read(input, |name| {
        if !seen.insert(hasher.hash_one(name)) {
            twice.insert(name.to_owned());
        }
        is_wanted(name)
    })?;
    Ok(Updates { wanted, twice })
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "60375125abec57111e2eaeac7081f8f45bdfe28b";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    fn read_all(text: &str) -> Vec<RefUpdate> {
        read(text.as_bytes(), |_| true).unwrap()
    }

    #[test]
    fn ref_is_not_the_folder_of_another_ref() {
        let table = [
            ("refs/heads/a", "refs/heads/a", true),
            ("refs/heads/a", "refs/heads/a/b", true),
            ("refs/heads/a/b/c", "refs/heads/a", true),
            ("refs/heads/a", "refs/heads/ab", false),
            ("refs/heads/a", "refs/tags/a", false),
        ];
        for (one, other, expect) in table {
            let found = exclude_each_other(one.as_bytes(), other.as_bytes());
            assert_eq!(found, expect, "{one} {other}");
        }
    }

    #[test]
    fn line_updates_creates_or_deletes_a_ref() {
        let a = || Some(Revision::new(A).unwrap());
        let check = |line: &str, old, new| {
            let name = b"refs/heads/main".to_vec();
            assert_eq!(read_all(line), [RefUpdate { old, new, name }], "{line:?}");
        };
        let zero64 = "0".repeat(64);

        check(&format!("{A} {A} refs/heads/main\n"), a(), a());
        check(&format!("{ZERO} {A} refs/heads/main"), None, a());
        check(&format!("{A} {ZERO} refs/heads/main\n"), a(), None);
        check(&format!("{zero64} {zero64} refs/heads/main\n"), None, None);
    }

    #[test]
    fn line_without_a_hash_for_a_ref_is_skipped() {
        for text in [
            "",
            "\n",
            &format!("ref:refs/heads/a {A} HEAD\n"),
            &format!("{ZERO} ref:refs/heads/a HEAD\n"),
        ] {
            assert_eq!(read_all(text), [], "{text:?}");
        }
    }

    #[test]
    fn line_of_another_form_is_an_error_that_shows_it() {
        for text in [
            "x y z\n",
            &format!("{A} {A}\n"),
            &format!("{A} {A} \n"),
            &format!("{A} main refs/heads/main\n"),
            &format!("{} {A} refs/heads/main\n", &A[..39]),
            &format!("{A} {A} refs/heads/main\n{A}\n"),
        ] {
            let error = read(text.as_bytes(), |_| true).unwrap_err().to_string();
            assert!(
                error.ends_with(" is not of the form: OLD NEW REF"),
                "{error}"
            );
        }
    }

    #[test]
    fn ref_that_occurs_twice_is_named_whether_it_is_wanted_or_not() {
        let lines = |names: &[&str]| -> String {
            let line = |name: &&str| format!("{A} {A} {name}\n");
            names.iter().map(line).collect()
        };
        let twice = |names: &[&str]| {
            let updates = read_all_names(lines(names).as_bytes(), |name| name == b"a").unwrap();
            let twice = updates.twice.into_iter();
            twice
                .map(|name| String::from_utf8(name).unwrap())
                .collect::<Vec<_>>()
        };

        assert_eq!(twice(&["a", "b", "a b"]), [""; 0]);
        assert_eq!(twice(&["a", "b", "a"]), ["a"]);
        assert_eq!(twice(&["b", "b", "b", "a", "c", "c"]), ["b", "c"]);
    }

    #[test]
    fn name_of_a_ref_may_have_spaces() {
        let updates = read_all(&format!("{A} {A} refs/heads/a b\n"));
        assert_eq!(updates[0].name, b"refs/heads/a b");
    }

    #[test]
    fn endless_line_is_an_error() {
        assert!(read(&vec![b'a'; 70_000][..], |_| true).is_err());
    }

    #[test]
    fn only_wanted_refs_are_kept() {
        let text = format!("{A} {A} refs/heads/main\n{A} {A} refs/tags/main\n");
        let updates = read(text.as_bytes(), |name| name == b"refs/heads/main").unwrap();
        assert_eq!(updates.len(), 1);
    }
}
