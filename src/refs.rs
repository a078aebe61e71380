//! The lines that git writes to a hook's standard input (githooks(5)): `<old> SP <new> SP <ref>
//! LF`.

use std::io::{self, BufRead, Read as _};

use crate::id::{Revision, RevisionError};

/// The longest line that is read; git itself takes no ref name above this.
const LINE_MAX: u64 = 64 * 1024;

/// One ref that a push updates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// Where the ref was; `None`: it did not exist.
    pub old: Option<Revision>,
    /// Where the ref goes; `None`: it is deleted.
    pub new: Option<Revision>,
    /// The full name, `refs/heads/main`, as bytes: git does not insist on UTF-8.
    pub name: Vec<u8>,
}

/// Reads one update, or `None` from a line of another form (the reference-transaction hook also
/// gets `ref:…` for a symbolic ref).
fn parse_line(line: &[u8]) -> Option<RefUpdate> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let mut parts = line.splitn(3, |b| *b == b' ');
    let mut id = || match Revision::new(parts.next()?) {
        Ok(id) => Some(Some(id)),
        Err(RevisionError::Null) => Some(None),
        Err(_) => None,
    };
    let (old, new) = (id()?, id()?);
    let name = parts.next()?.to_vec();
    Some(RefUpdate { old, new, name })
}

/// Reads every update and keeps those that `wanted` asks for. A push may update thousands of refs;
/// only what is kept costs memory.
///
/// # Errors
/// Reading failed, or a line is longer than git can write.
pub fn read(
    mut input: impl BufRead,
    mut wanted: impl FnMut(&[u8]) -> bool,
) -> io::Result<Vec<RefUpdate>> {
    let mut kept = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(kept);
        }
        if line.len() as u64 == LINE_MAX && !line.ends_with(b"\n") {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a ref update is longer than 64 KiB",
            ));
        }
        kept.extend(parse_line(&line).filter(|update| wanted(&update.name)));
    }
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
    fn updates_creations_deletions() {
        let rev = || Some(Revision::new(A).unwrap());
        let update = |old, new| {
            vec![RefUpdate {
                old,
                new,
                name: b"refs/heads/main".to_vec(),
            }]
        };
        assert_eq!(
            read_all(&format!("{A} {A} refs/heads/main\n")),
            update(rev(), rev())
        );
        assert_eq!(
            read_all(&format!("{ZERO} {A} refs/heads/main")),
            update(None, rev())
        );
        assert_eq!(
            read_all(&format!("{A} {ZERO} refs/heads/main\n")),
            update(rev(), None)
        );
        let z64 = "0".repeat(64);
        assert_eq!(
            read_all(&format!("{z64} {z64} refs/heads/main\n")),
            update(None, None)
        );
    }

    #[test]
    fn other_lines_are_passed_over() {
        for text in [
            "",
            "\n",
            "x y z\n",
            &format!("{A} {A}\n"),
            &format!("ref:refs/heads/a {A} HEAD\n"),
        ] {
            assert_eq!(read_all(text), vec![], "{text:?}");
        }
        assert_eq!(
            read_all(&format!("{A} {A} refs/heads/a b\n"))[0].name,
            b"refs/heads/a b"
        );
    }

    #[test]
    fn an_endless_line_is_an_error() {
        assert!(read(&vec![b'a'; 70_000][..], |_| true).is_err());
    }

    #[test]
    fn only_what_is_wanted_is_kept() {
        let text = format!("{A} {A} refs/heads/main\n{A} {A} refs/tags/main\n");
        assert_eq!(
            read(text.as_bytes(), |name| name == b"refs/heads/main")
                .unwrap()
                .len(),
            1
        );
    }
}
