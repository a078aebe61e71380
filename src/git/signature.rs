//! The signature of a commit, and the text that it is about.
//!
//! git keeps the signature in a header of the commit: `gpgsig`, or `gpgsig-sha256` where objects
//! are named by SHA-256. What is signed is the commit without both headers
//! (gitformat-signature(5)).
//!
//! git is forgiving there: it joins several signatures, and takes the headers out wherever they
//! are. Here a commit has one signature, and says the same without it. Otherwise somebody could
//! make another commit that has the signature of this one.

use gix::hash::Kind;
use gix::objs;

use super::commit::CommitObject;
use super::error::Error;
use super::repository::Repository;
use crate::id::Revision;

/// The largest signature that is looked at, in bytes.
const SIGNATURE_MAX: usize = 16 * 1024;

/// The signature of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitSignature {
    /// It has none.
    Missing,
    /// It has something that is not one signature of this commit, for this reason.
    Broken(&'static str),
    /// It has one; whose it is and whether it is valid has to be found out.
    Signed {
        /// What is signed.
        payload: Vec<u8>,
        /// The signature, with its first and last line.
        signature: Vec<u8>,
    },
}

impl Repository {
    /// The signature of a commit.
    ///
    /// # Errors
    /// The commit can't be read.
    pub fn signature(&self, commit: &Revision) -> Result<CommitSignature, Error> {
        let id = self.own_id(commit)?;
        let mut buffer = Vec::new();
        let data = self.find(&id, objs::Kind::Commit, &mut buffer)?;
        Ok(signature(data, id.kind()))
    }
}

/// The signature in the bytes of a commit, in a repository with this kind of hash.
fn signature(data: &[u8], kind: Kind) -> CommitSignature {
    let own: &[u8] = match kind {
        Kind::Sha1 => b"gpgsig ",
        _ => b"gpgsig-sha256 ",
    };
    let header_end = data.windows(2).position(|two| two == b"\n\n");
    let (header, rest) = data.split_at(header_end.map_or(data.len(), |end| end + 1));

    let mut payload = Vec::with_capacity(data.len());
    let mut signature: Option<Vec<u8>> = None;
    // Which kind of header the line belongs to.
    let (mut is_own, mut is_other) = (false, false);
    for line in header.split_inclusive(|byte| *byte == b'\n') {
        if let Some(continued) = line.strip_prefix(b" ") {
            match &mut signature {
                Some(signature) if is_own => signature.extend(continued),
                _ if is_other => {}
                _ => payload.extend(line),
            }
            continue;
        }

        let first = line.strip_prefix(own);
        is_own = first.is_some();
        is_other = !is_own && line.starts_with(b"gpgsig");
        match first {
            Some(_) if signature.is_some() => {
                return CommitSignature::Broken("it has more than one signature");
            }
            Some(first) => signature = Some(first.to_vec()),
            None if is_other => {}
            None => payload.extend(line),
        }
    }
    payload.extend(rest);

    let Some(signature) = signature else {
        return CommitSignature::Missing;
    };
    if signature.trim_ascii().is_empty() {
        return CommitSignature::Broken("its signature is empty");
    }
    if signature.len() > SIGNATURE_MAX {
        return CommitSignature::Broken("its signature is too large");
    }
    let (whole, signed) = (
        CommitObject::parse(data, kind),
        CommitObject::parse(&payload, kind),
    );
    match (whole, signed) {
        (Ok(whole), Ok(signed)) if whole.says_the_same(&signed) => {
            CommitSignature::Signed { payload, signature }
        }
        _ => CommitSignature::Broken("it is another commit than the one that was signed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n";
    const PARENT: &str = "parent 60375125abec57111e2eaeac7081f8f45bdfe28b\n";
    const PEOPLE: &str = "author A <a@x> 5 +0100\ncommitter B <b@x> 7 +0100\n";
    const SIGNATURE: &str = "gpgsig -----BEGIN\n x\n \n -----END\n";

    #[test]
    fn signature_is_taken_out_of_the_commit() {
        let payload = format!("{TREE}{PARENT}{PEOPLE}encoding X\n\nSubject\n\n gpgsig y\n");
        let good = CommitSignature::Signed {
            payload: payload.clone().into_bytes(),
            signature: b"-----BEGIN\nx\n\n-----END\n".to_vec(),
        };
        let at =
            |place: &str, header: &str| payload.replacen(place, &format!("{header}{place}"), 1);
        let other = "gpgsig-sha256 other\n more\n";

        let table = [
            (at("encoding", SIGNATURE), good.clone()),
            (at("encoding", &format!("{other}{SIGNATURE}")), good.clone()),
            (at("encoding", &format!("{SIGNATURE}{other}")), good),
            (payload.clone(), CommitSignature::Missing),
            (at("encoding", other), CommitSignature::Missing),
            (
                at("encoding", &format!("{SIGNATURE}{SIGNATURE}")),
                CommitSignature::Broken("it has more than one signature"),
            ),
            (
                at("encoding", "gpgsig \n"),
                CommitSignature::Broken("its signature is empty"),
            ),
            (
                at("encoding", &format!("gpgsig {}\n", "x".repeat(20_000))),
                CommitSignature::Broken("its signature is too large"),
            ),
        ];
        for (commit, expect) in table {
            assert_eq!(signature(commit.as_bytes(), Kind::Sha1), expect, "{commit}");
        }
    }

    /// git reads the parents up to the first other header. With a signature in front of them, the
    /// commit has no parents, but what was signed has.
    #[test]
    fn signature_of_another_commit_does_not_count() {
        let broken = CommitSignature::Broken("it is another commit than the one that was signed");
        for commit in [
            format!("{TREE}{SIGNATURE}{PARENT}{PEOPLE}\nSubject\n"),
            format!("{TREE}{PARENT}{SIGNATURE}{PARENT}{PEOPLE}\nSubject\n"),
            format!("{SIGNATURE}{TREE}{PARENT}{PEOPLE}\nSubject\n"),
            format!("{TREE}gpgsig-x y\n{PARENT}{PEOPLE}{SIGNATURE}\nSubject\n"),
        ] {
            assert_eq!(signature(commit.as_bytes(), Kind::Sha1), broken, "{commit}");
        }
    }

    #[test]
    fn each_kind_of_hash_has_its_own_header() {
        let tree = format!("tree {}\n", "4b825dc642cb6eb9a060e54bf8d69288".repeat(2));
        let sha1 = format!("{tree}{PEOPLE}{SIGNATURE}\nSubject\n");
        let sha256 = sha1.replace("gpgsig ", "gpgsig-sha256 ");

        let found = |commit: &str| signature(commit.as_bytes(), Kind::Sha256);
        assert_eq!(found(&sha1), CommitSignature::Missing);
        assert!(matches!(found(&sha256), CommitSignature::Signed { .. }));
    }
}
