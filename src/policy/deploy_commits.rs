//! The rule `deploy commits`: the commits that change a deploy file can be read.
//!
//! They can give reasons (`Deploy-Rollback` and others) that other rules ask for. Without them, no
//! other rule has all of its facts. So if this rule objects, none of them is asked.

use super::{Answer, Case, Objection, Pass};
use crate::text;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let unknown = case
        .target_facts()
        .and_then(|facts| facts.reasons_unknown.as_ref());
    let Some(why) = unknown else {
        return Ok(Pass::default());
    };
    Err(Objection::fault(
        format!(
            "the commits that change this file can't be read, so the reasons that they give are \
             unknown: {}",
            text::escape(why, 300)
        ),
        "git fsck shows what is wrong with a commit; write it anew, or ask the server's \
         administrator to fix the repository",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, PATH, added, answer, file};
    use super::super::{Facts, TargetFacts};
    use super::*;

    fn ask(reasons_unknown: Option<&str>) -> Answer {
        let facts = TargetFacts {
            reasons_unknown: reasons_unknown.map(str::to_owned),
            ..TargetFacts::default()
        };
        let changes = vec![added(PATH, file(A))];
        answer(judge, "", changes, &Facts::default(), facts)
    }

    #[test]
    fn commits_that_cannot_be_read_are_a_fault() {
        assert_eq!(ask(None), Ok(Pass::default()));

        let objection = ask(Some("object 1 is missing\x1b")).unwrap_err();
        assert!(objection.is_fault);
        assert!(
            objection
                .message
                .ends_with("unknown: object 1 is missing\\u{1b}"),
            "{objection:?}"
        );
        assert!(!objection.hint.contains("Deploy-"), "{objection:?}");
    }
}
