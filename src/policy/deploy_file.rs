//! A deploy file is a regular file of at most 1 MiB whose first word is a whole commit hash.

use super::{Answer, Case, Objection, Pass};
use crate::change::Node;
use crate::deployfile::{self, ContentError};
use crate::id::RevisionError;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let a_file = "put a regular file there, with the commit hash to deploy as its first word";
    match &case.candidate.change.new {
        None => Ok(Pass::default()),
        Some(Node::File(content)) => match deployfile::revision(content) {
            Ok(_) => Ok(Pass::default()),
            Err(error) => Err(Objection::new(error.to_string(), hint(case, &error))),
        },
        Some(Node::TooLarge(bytes)) => Err(Objection::new(
            format!("the file has {bytes} bytes, more than 1 MiB"),
            "cut the oldest entries off its end",
        )),
        Some(Node::Symlink) => Err(Objection::new(
            "a symbolic link, not a regular file",
            a_file,
        )),
        Some(Node::Submodule) => Err(Objection::new("a submodule, not a regular file", a_file)),
        Some(Node::Folder) => Err(Objection::new("a folder, not a regular file", a_file)),
    }
}

/// For an abbreviated hash the whole one, where the application's repository knows it.
fn hint(case: &Case<'_>, error: &ContentError) -> String {
    let target = case
        .candidate
        .target
        .as_ref()
        .and_then(|target| case.facts.targets.get(target));
    match (error, target.and_then(|facts| facts.whole_hash.as_ref())) {
        (
            ContentError::NotARevision {
                error: RevisionError::Abbreviated,
                ..
            },
            Some(whole),
        ) => {
            format!("write the whole hash: {whole}")
        }
        _ => error.hint().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, PATH, added, answer, ask_file, file, revision};
    use super::super::{Facts, TargetFacts};
    use super::*;

    #[test]
    fn files() {
        let table = [
            (file(A), ""),
            (None, ""),
            (file(""), "the file names no revision"),
            (file("main\n"), "line 1: \"main\" is no commit hash"),
            (
                Some(Node::TooLarge(2_000_000)),
                "the file has 2000000 bytes, more than 1 MiB",
            ),
            (Some(Node::Symlink), "a symbolic link, not a regular file"),
            (Some(Node::Submodule), "a submodule, not a regular file"),
            (Some(Node::Folder), "a folder, not a regular file"),
        ];
        for (node, expect) in table {
            let change = added("production/app.deploy", node);
            let expect = if expect.is_empty() {
                String::new()
            } else {
                format!("refused: {expect}")
            };
            assert_eq!(ask_file(judge, "", change.clone()), expect, "{change:?}");
        }
    }

    #[test]
    fn an_abbreviated_hash_is_answered_with_the_whole_one() {
        let hint = |word: &str, whole_hash| {
            let facts = TargetFacts {
                whole_hash,
                ..TargetFacts::default()
            };
            answer(
                judge,
                "",
                vec![added(PATH, file(word))],
                &Facts::default(),
                facts,
            )
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
