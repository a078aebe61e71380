//! The rule `deploy file`: a deploy file is a regular file of at most 1 MiB, and its first word is
//! a whole commit hash.

use super::first_word::{FirstWord, explain};
use super::{Answer, Case, Objection, Pass};
use crate::change::Node;
use crate::deployfile::ContentError;
use crate::id::RevisionError;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let regular_file = "put a regular file there, with the commit hash to deploy as its first word";

    match &case.candidate.change.new {
        None => Ok(Pass::default()),
        Some(Node::File(Ok(_))) => Ok(Pass::default()),
        Some(Node::File(Err(error))) => {
            let FirstWord { found, hint } = explain(error);
            Err(Objection::new(
                found,
                whole_hash(case, error).unwrap_or(hint),
            ))
        }
        Some(Node::TooLarge(bytes)) => Err(Objection::new(
            format!("the file has {bytes} bytes, more than 1 MiB"),
            "remove the oldest entries from its end",
        )),
        Some(Node::Symlink) => Err(Objection::new(
            "a symbolic link, not a regular file",
            regular_file,
        )),
        Some(Node::Submodule) => Err(Objection::new(
            "a submodule, not a regular file",
            regular_file,
        )),
        Some(Node::Folder) => Err(Objection::new("a folder, not a regular file", regular_file)),
    }
}

/// What to do about an abbreviated hash, if the application's repository has exactly one such
/// commit.
fn whole_hash(case: &Case<'_>, error: &ContentError) -> Option<String> {
    let ContentError::NotARevision {
        error: RevisionError::Abbreviated,
        ..
    } = error
    else {
        return None;
    };
    let whole_hash = case.target_facts()?.whole_hash.as_ref()?;
    Some(format!("write the whole hash: {whole_hash}"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, PATH, added, answer, ask_file, file, refused_if_any, revision};
    use super::super::{Facts, TargetFacts};
    use super::*;

    #[test]
    fn only_a_regular_file_with_a_whole_hash_is_allowed() {
        let table = [
            (file(A), ""),
            (None, ""),
            (file(""), "the file names no revision"),
            (file("main\n"), "line 1: \"main\" is not a commit hash"),
            (
                Some(Node::TooLarge(2_000_000)),
                "the file has 2000000 bytes, more than 1 MiB",
            ),
            (Some(Node::Symlink), "a symbolic link, not a regular file"),
            (Some(Node::Submodule), "a submodule, not a regular file"),
            (Some(Node::Folder), "a folder, not a regular file"),
        ];

        for (node, message) in table {
            let change = added(PATH, node);
            assert_eq!(
                ask_file(judge, "", change.clone()),
                refused_if_any(message),
                "{change:?}"
            );
        }
    }

    #[test]
    fn hint_for_an_abbreviated_hash_has_the_whole_one() {
        let hint = |word: &str, whole_hash| {
            let facts = TargetFacts {
                whole_hash,
                ..TargetFacts::default()
            };
            let changes = vec![added(PATH, file(word))];
            answer(judge, "", changes, &Facts::default(), facts)
                .unwrap_err()
                .hint
        };

        assert_eq!(
            hint("6037512", Some(revision(A))),
            format!("write the whole hash: {A}")
        );
        assert!(hint("6037512", None).starts_with("write the whole hash, 40 or 64"));
    }
}
