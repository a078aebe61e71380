//! The rule `reachable`: the revision is a commit of the application's repository, in the history
//! of a ref that `allowed_refs` names.
//!
//! A repository that can't be read, or whose history is incomplete, refuses: nothing is deployed on
//! a guess.

use super::{Answer, Case, Objection, Pass, RevisionFact};
use crate::text;

/// How many refs a message names.
const NAMED_MAX: usize = 5;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let Some((target, revision, facts)) = case.asked() else {
        return Ok(Pass::default());
    };
    let (application, short) = (&target.application, revision.short());

    match &facts.revision {
        None => Ok(Pass::note("not checked: no repository is configured")),
        Some(RevisionFact::On(name)) => Ok(Pass::note(format!("on {}", text::escape(name, 80)))),
        Some(RevisionFact::Elsewhere(others)) => {
            let allowed = case.config.settings(target).allowed_refs;
            Err(Objection::new(
                format!("{short} is {} of {application}", on_none_of(&allowed)),
                format!("merge it there first{}", only_on(others.as_deref())),
            ))
        }
        Some(RevisionFact::NoAllowedRef(others)) => {
            let allowed = case.config.settings(target).allowed_refs;
            Err(Objection::new(
                format!(
                    "{short} can't be on an allowed ref: {} in the repository of {application}",
                    none_exists(&allowed)
                ),
                format!(
                    "ask the server's administrator whether allowed_refs names the branch from \
                     which {application} is deployed{}",
                    only_on(others.as_deref())
                ),
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
                "the repository of {application} is shallow: \
                 its history is incomplete, so {short} can't be checked"
            ),
            "ask the server's administrator to complete it: git fetch --unshallow",
        )),
        Some(RevisionFact::Unreadable(why)) => Err(Objection::fault(
            format!("the repository of {application} can't be read: {why}"),
            "ask the server's administrator to fix it; deploy-by-code doctor shows more",
        )),
    }
}

fn on_none_of(allowed: &[String]) -> String {
    match allowed {
        [] => "on no allowed ref".to_owned(),
        [one] => format!("not on {}", text::escape(one, 80)),
        several => format!("on none of {}", list(several)),
    }
}

fn none_exists(allowed: &[String]) -> String {
    match allowed {
        [one] => format!("there is no {}", text::escape(one, 80)),
        several => format!("there is none of {}", list(several)),
    }
}

/// A clause that says where the commit is.
fn only_on(others: Option<&[String]>) -> String {
    match others {
        None => String::new(),
        Some([]) => "; it is on no branch or tag".to_owned(),
        Some(others) => format!("; it is only on {}", list(others)),
    }
}

fn list(names: &[String]) -> String {
    let mut shown: Vec<String> = names
        .iter()
        .take(NAMED_MAX)
        .map(|name| text::escape(name, 80))
        .collect();
    if names.len() > NAMED_MAX {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, PATH, added, answer, ask_deploy, file};
    use super::super::{Facts, TargetFacts};
    use super::*;

    fn facts(revision: Option<RevisionFact>) -> TargetFacts {
        TargetFacts {
            revision,
            ..TargetFacts::default()
        }
    }

    #[test]
    fn only_a_commit_on_an_allowed_ref_is_allowed() {
        use RevisionFact::*;
        let table = [
            (None, "not checked: no repository is configured"),
            (Some(On("refs/heads/main".into())), "on refs/heads/main"),
            (
                Some(Elsewhere(Some(vec![]))),
                "refused: 6037512 is not on refs/heads/main of app",
            ),
            (
                Some(NoAllowedRef(Some(vec!["refs/heads/master".into()]))),
                "refused: 6037512 can't be on an allowed ref: \
                 there is no refs/heads/main in the repository of app",
            ),
            (
                Some(Missing),
                "refused: 6037512 is not in the repository of app",
            ),
            (
                Some(NotACommit("tree")),
                "refused: 6037512 is a tree of app, not a commit",
            ),
            (
                Some(Unreadable("/x: gone".into())),
                "refused: the repository of app can't be read: /x: gone",
            ),
            (
                Some(Shallow),
                "refused: the repository of app is shallow: \
                 its history is incomplete, so 6037512 can't be checked",
            ),
        ];
        for (revision, expect) in table {
            assert_eq!(
                ask_deploy(judge, "", &Facts::default(), facts(revision)),
                expect
            );
        }
    }

    #[test]
    fn refusal_names_the_allowed_refs() {
        let table = [
            (
                "\"refs/heads/main\", \"refs/tags/v*\"",
                "refused: 6037512 is on none of refs/heads/main, refs/tags/v* of app",
            ),
            ("", "refused: 6037512 is on no allowed ref of app"),
        ];
        for (allowed, expect) in table {
            let config = format!("[defaults]\nallowed_refs = [{allowed}]\n");
            let facts = facts(Some(RevisionFact::Elsewhere(Some(vec![]))));
            assert_eq!(ask_deploy(judge, &config, &Facts::default(), facts), expect);
        }
    }

    #[test]
    fn hint_names_some_refs_that_have_the_commit() {
        let hint = |names: Option<&[&str]>| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            let names = names.map(owned);
            let facts = facts(Some(RevisionFact::Elsewhere(names)));
            let changes = vec![added(PATH, file(A))];
            answer(judge, "", changes, &Facts::default(), facts)
                .unwrap_err()
                .hint
        };
        let table: &[(&[&str], &str)] = &[
            (&["refs/heads/old-fixes"], "only on refs/heads/old-fixes"),
            (&[], "on no branch or tag"),
            (&["a", "b", "c", "d", "e", "f"], "only on a, b, c, d, e, …"),
            (&["refs/heads/\x1b[2J"], "only on refs/heads/\\u{1b}[2J"),
        ];
        for (names, place) in table {
            let hint = hint(Some(names));
            assert_eq!(hint, format!("merge it there first; it is {place}"));
        }
        assert_eq!(hint(None), "merge it there first");
    }
}
