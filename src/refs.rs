//! The lines that git writes to a hook's standard input, as githooks(5) describes them:
//! `<old> SP <new> SP <ref> LF`.

use std::io::{self, BufRead, Read as _};

use crate::id::{Revision, RevisionError};

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

/// Reads one update; `None`: the line has another form. The hook reference-transaction also gets
/// `ref:…` for a symbolic ref.
fn parse_line(line: &[u8]) -> Option<RefUpdate> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let mut parts = line.splitn(3, |b| *b == b' ');

    // The null hash stands for a ref that does not exist.
    let mut object = || match Revision::new(parts.next()?) {
        Ok(object) => Some(Some(object)),
        Err(RevisionError::Null) => Some(None),
        Err(_) => None,
    };
    let (old, new) = (object()?, object()?);
    let name = parts.next()?.to_vec();
    Some(RefUpdate { old, new, name })
}

/// Reads every update, and keeps those of the refs that `is_wanted` picks by name. A push can
/// update thousands of refs; only what is kept costs memory.
///
/// # Errors
/// Reading failed, or a line is longer than 64 KiB.
pub fn read(
    mut input: impl BufRead,
    mut is_wanted: impl FnMut(&[u8]) -> bool,
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
        kept.extend(parse_line(&line).filter(|update| is_wanted(&update.name)));
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
    fn line_of_another_form_is_skipped() {
        for text in [
            "",
            "\n",
            "x y z\n",
            &format!("{A} {A}\n"),
            &format!("ref:refs/heads/a {A} HEAD\n"),
        ] {
            assert_eq!(read_all(text), [], "{text:?}");
        }
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
