//! The rule `reachable`: the revision is a commit of the application's repository, in the history
//! of a ref that `allowed_refs` names.
//!
//! A repository that can't be read, or whose history is incomplete, refuses: nothing is deployed on
//! a guess.
//!
//! A repository on another host is judged by its mirror. If that could not be fetched, what is
//! known is enough to allow, and never to refuse for good: the host may have what is missing.

use super::{Answer, Case, MirrorFact, Objection, Pass, RevisionFact};
use crate::id::Application;
use crate::text;
use crate::time::{show_ago, show_duration};

/// How many refs a message names.
const NAMED_MAX: usize = 5;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let Some((target, revision, facts)) = case.asked() else {
        return Ok(Pass::default());
    };
    let (application, short) = (&target.application, revision.short());
    let known = judge_known(case);

    let Some(mirror) = &facts.mirror else {
        return known;
    };
    match (&mirror.failure, &facts.revision) {
        (None, Some(RevisionFact::Unreadable(_))) => known.map_err(|objection| Objection {
            hint: format!(
                "ask the server's administrator to look at the mirror {0}; if it is damaged, it is \
                 made anew once it is removed: rm -r {0}",
                mirror.folder
            ),
            ..objection
        }),
        (None, _) | (_, Some(RevisionFact::NotACommit(_))) => known,
        (Some(why), _) => by_what_was_known(known, mirror, why, application, short),
    }
}

/// The answer where the mirror could not be fetched.
fn by_what_was_known(
    known: Answer,
    mirror: &MirrorFact,
    why: &str,
    application: &Application,
    short: &str,
) -> Answer {
    let url = &mirror.url;
    match (known, mirror.fetched_ago) {
        (Ok(pass), Some(ago)) => {
            let ago = show_ago(ago);
            let warning = format!(
                "could not fetch {application} from {url}: {why}; judged by what was known {ago}"
            );
            let note = pass.note.as_ref();
            let note = note.map(|note| format!("{note}, as known {ago}"));
            Ok(Pass {
                note,
                warnings: vec![warning],
                ..pass
            })
        }
        (Err(objection), Some(ago)) => Err(Objection::fault(
            format!(
                "{}, and {application} can't be fetched from {url}: {why}; what is known of it is \
                 {} old",
                objection.message,
                show_duration(ago)
            ),
            "push again when the host can be reached; if it can, ask the server's administrator to \
             run: deploy-by-code check",
        )),
        (_, None) => Err(Objection::fault(
            format!("{short} can't be checked: {application} can't be fetched from {url}: {why}"),
            "ask the server's administrator to run deploy-by-code check, which shows whether it \
             can be fetched, and has more time for the first fetch than a push has",
        )),
    }
}

/// The answer by what is known of the repository.
fn judge_known(case: &Case<'_>) -> Answer {
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
    use std::time::Duration;

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
    fn mirror_that_could_not_be_fetched_allows_what_is_known_and_refuses_nothing_for_good() {
        use RevisionFact::*;
        let ago = Some(Duration::from_secs(300));
        let table = [
            (
                On("refs/heads/main".into()),
                ago,
                "on refs/heads/main, as known 5 min ago",
            ),
            (
                Missing,
                ago,
                "refused: 6037512 is not in the repository of app, and app can't be fetched from \
                 https://a/b: down; what is known of it is 5 min old",
            ),
            (
                Elsewhere(Some(vec![])),
                ago,
                "refused: 6037512 is not on refs/heads/main of app, and app can't be fetched from \
                 https://a/b: down; what is known of it is 5 min old",
            ),
            (
                Unreadable("/x: gone".into()),
                None,
                "refused: 6037512 can't be checked: app can't be fetched from https://a/b: down",
            ),
            (
                NotACommit("tree"),
                ago,
                "refused: 6037512 is a tree of app, not a commit",
            ),
        ];
        for (revision, fetched_ago, expect) in table {
            let facts = TargetFacts {
                mirror: Some(MirrorFact {
                    url: "https://a/b".to_owned(),
                    folder: "/m".to_owned(),
                    fetched_ago,
                    failure: Some("down".to_owned()),
                }),
                ..facts(Some(revision.clone()))
            };
            let changes = || vec![added(PATH, file(A))];
            let said = answer(judge, "", changes(), &Facts::default(), facts);
            match &said {
                Err(objection) => {
                    assert_eq!(objection.is_fault, revision != NotACommit("tree"));
                }
                Ok(pass) => {
                    let expect = "could not fetch app from https://a/b: down; judged by what was \
                                  known 5 min ago";
                    assert_eq!(pass.warnings, [expect]);
                }
            }
            let said = match said {
                Ok(pass) => pass.note.unwrap_or_default(),
                Err(objection) => format!("refused: {}", objection.message),
            };
            assert_eq!(said, expect);
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
