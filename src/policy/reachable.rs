//! The revision is a commit of the application's repository, in the history of one of its
//! `allowed_refs`. A repository that can't be read, or whose history is cut off, refuses: nothing
//! is deployed on a guess.

use super::{Answer, Case, Objection, Pass, RevisionFact};
use crate::text;

/// How many refs are named.
const REFS_MAX: usize = 5;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let Some((target, revision, facts)) = case.asked() else {
        return Ok(Pass::default());
    };
    let (application, short) = (&target.application, revision.short());
    let doctor = "ask the server's administrator to mend it; deploy-by-code doctor shows more";
    match &facts.revision {
        None => Ok(Pass::note("not judged: no repository is configured")),
        Some(RevisionFact::On(name)) => Ok(Pass::note(format!("on {}", text::escape(name, 80)))),
        Some(RevisionFact::Elsewhere(others)) => {
            let allowed = case.config.settings(target).allowed_refs;
            let found = format!("{short} is {} of {application}", on_none(&allowed));
            Err(Objection::new(
                found,
                format!("merge it there first; it is {}", only_on(others)),
            ))
        }
        Some(RevisionFact::Missing) => Err(Objection::fault(
            format!("{short} is not in the repository of {application}"),
            "push it there first, or correct the hash",
        )),
        Some(RevisionFact::NotACommit(kind)) => Err(Objection::new(
            format!("{short} is a {kind} of {application}, not a commit"),
            "write the hash of the commit, as git rev-parse NAME^{commit} prints it",
        )),
        Some(RevisionFact::Shallow) => Err(Objection::fault(
            format!(
                "the repository of {application} is shallow: its history is cut off and can't be judged"
            ),
            "ask the server's administrator to complete it: git fetch --unshallow",
        )),
        Some(RevisionFact::Unreadable(why)) => Err(Objection::fault(
            format!("the repository of {application} can't be read: {why}"),
            doctor,
        )),
    }
}

fn list(names: &[String]) -> String {
    let mut shown: Vec<String> = names
        .iter()
        .take(REFS_MAX)
        .map(|name| text::escape(name, 80))
        .collect();
    if names.len() > REFS_MAX {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

fn on_none(allowed: &[String]) -> String {
    match allowed {
        [] => "on no allowed ref".to_owned(),
        [one] => format!("not on {}", text::escape(one, 80)),
        several => format!("on none of {}", list(several)),
    }
}

fn only_on(others: &[String]) -> String {
    if others.is_empty() {
        "on no branch or tag".to_owned()
    } else {
        format!("only on {}", list(others))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, PATH, added, answer, ask_deploy, file};
    use super::super::{Facts, TargetFacts};
    use super::*;

    fn facts(fact: Option<RevisionFact>) -> TargetFacts {
        TargetFacts {
            revision: fact,
            ..TargetFacts::default()
        }
    }

    #[test]
    fn what_the_repository_says() {
        use RevisionFact::*;
        let tags = "[defaults]\nallowed_refs = [\"refs/heads/main\", \"refs/tags/v*\"]\n";
        let table = [
            ("", None, "not judged: no repository is configured"),
            ("", Some(On("refs/heads/main".into())), "on refs/heads/main"),
            (
                "",
                Some(Elsewhere(vec![])),
                "refused: 6037512 is not on refs/heads/main of app",
            ),
            (
                tags,
                Some(Elsewhere(vec![])),
                "refused: 6037512 is on none of refs/heads/main, refs/tags/v* of app",
            ),
            (
                "[defaults]\nallowed_refs = []\n",
                Some(Elsewhere(vec![])),
                "refused: 6037512 is on no allowed ref of app",
            ),
            (
                "",
                Some(Missing),
                "refused: 6037512 is not in the repository of app",
            ),
            (
                "",
                Some(NotACommit("tree")),
                "refused: 6037512 is a tree of app, not a commit",
            ),
            (
                "",
                Some(Unreadable("/x: gone".into())),
                "refused: the repository of app can't be read: /x: gone",
            ),
            (
                "",
                Some(Shallow),
                "refused: the repository of app is shallow: its history is cut off and can't be judged",
            ),
        ];
        for (config, fact, expect) in table {
            assert_eq!(
                ask_deploy(judge, config, &Facts::default(), facts(fact)),
                expect
            );
        }
    }

    #[test]
    fn where_it_is_instead_is_said_and_bounded() {
        let hint = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            let facts = facts(Some(RevisionFact::Elsewhere(names)));
            answer(
                judge,
                "",
                vec![added(PATH, file(A))],
                &Facts::default(),
                facts,
            )
            .unwrap_err()
            .hint
        };
        assert_eq!(
            hint(&["refs/heads/old-fixes"]),
            "merge it there first; it is only on refs/heads/old-fixes"
        );
        assert_eq!(hint(&[]), "merge it there first; it is on no branch or tag");
        assert_eq!(
            hint(&["a", "b", "c", "d", "e", "f"]),
            "merge it there first; it is only on a, b, c, d, e, …"
        );
        assert_eq!(
            hint(&["refs/heads/\x1b[2J"]),
            "merge it there first; it is only on refs/heads/\\u{1b}[2J"
        );
    }
}
