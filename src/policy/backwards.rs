//! The rule `backwards`: the new revision must contain what is deployed, what the deploy file asked
//! for before, and what is under way.
//!
//! So nothing that was deployed is taken away again by accident. That accident is the reason why
//! this program exists. A deploy commit that goes back on purpose has the trailer
//! `Deploy-Rollback: <reason>`.

use super::{Answer, Base, Case, Direction, ExceptionKind, Objection, Pass, Stage, TargetFacts};
use crate::candidate::Intent;
use crate::id::Revision;
use crate::text;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let Some((_, revision, facts)) = case.asked() else {
        return Ok(Pass::default());
    };
    let Some((base, role)) = base_that_would_be_lost(facts) else {
        return Ok(pass_forward(revision, facts));
    };

    let Some((kind, reason)) = reason_to_go_back(case, revision, facts) else {
        return objection(revision, base, role).map_or_else(|| Ok(Pass::default()), Err);
    };
    let reason_shown = text::escape(reason, 200);
    let note = format!("a rollback from {}: {reason_shown}", base.revision.short());
    Ok(Pass {
        rolled_back: Some(base.revision.clone()),
        ..Pass::because(kind, reason, note)
    })
}

/// The first revision that the new one should contain and does not contain, and a clause that says
/// which revision this is.
fn base_that_would_be_lost(facts: &TargetFacts) -> Option<(&Base, &'static str)> {
    let bases = [
        (&facts.wanted, "which the deploy file asked for before"),
        (&facts.deployed, "which is deployed"),
        (&facts.under_way, "which is under way"),
    ];
    let (base, role) = bases
        .into_iter()
        .filter_map(|(base, role)| Some((base.as_ref()?, role)))
        .find(|(base, _)| !matches!(base.direction, Direction::Same | Direction::Ahead))?;

    // What the file asked for before is usually what is deployed. That matters more to the reader.
    let is_deployed = facts
        .deployed
        .as_ref()
        .is_some_and(|deployed| deployed.revision == base.revision);
    Some((
        base,
        if is_deployed {
            "which is deployed"
        } else {
            role
        },
    ))
}

/// The answer where nothing would be lost.
fn pass_forward(revision: &Revision, facts: &TargetFacts) -> Pass {
    // Without a repository nobody can tell whether it goes back. The reason is recorded all the
    // same.
    if let (None, Some(reason)) = (&facts.revision, &facts.trailers.rollback) {
        let note = format!("a rollback, not checked: {}", text::escape(reason, 200));
        return Pass::because(ExceptionKind::Rollback, reason, note);
    }

    let note = |base: &Base| match base.direction {
        Direction::Same => format!("the same revision as before, {}", base.revision.short()),
        _ => format!("{} contains {}", revision.short(), base.revision.short()),
    };
    Pass {
        note: facts.deployed.as_ref().or(facts.wanted.as_ref()).map(note),
        ..Pass::default()
    }
}

/// The reason for going back: the one in the deploy commit, or the one by which the same revision
/// came before.
fn reason_to_go_back<'a>(
    case: &Case<'a>,
    revision: &Revision,
    facts: &'a TargetFacts,
) -> Option<(ExceptionKind, &'a str)> {
    if let Some(reason) = &facts.trailers.rollback {
        return Some((ExceptionKind::Rollback, reason));
    }

    // A redeploy keeps the reason by which the revision came, and so does a revision that nobody
    // pushes now.
    let asks_for_something_new =
        matches!(case.candidate.intent, Intent::Deploy(_)) && case.facts.stage != Stage::Look;
    let newest = facts.newest.as_ref()?;
    if asks_for_something_new || newest.revision != *revision {
        return None;
    }
    let exception = newest.went_back.as_ref()?;
    Some((exception.kind, &exception.reason))
}

/// Why the new revision is refused; `None`: it contains the base.
fn objection(revision: &Revision, base: &Base, role: &str) -> Option<Objection> {
    let (new, old) = (revision.short(), base.revision.short());
    let on_purpose = "if this is intended, give the reason in the deploy commit, with the trailer \
                      Deploy-Rollback: <reason>";

    Some(match &base.direction {
        Direction::Same | Direction::Ahead => return None,
        Direction::Behind(lost) => {
            let count = lost.count_in_sentence();
            let lines = lost.lines();
            Objection::new(
                format!("{new} would go back {count} from {old}, {role}, and would lose:{lines}"),
                on_purpose,
            )
        }
        Direction::Diverged { gained, lost } => {
            let message = format!(
                "{new} has diverged from {old}, {role}: it would gain {} and lose {}:{}",
                gained.count_in_sentence(),
                lost.count_in_words(),
                lost.lines()
            );
            Objection::new(
                message,
                format!("merge {old} into the new revision first; {on_purpose}"),
            )
        }
        Direction::FromRemoved => Objection::fault(
            format!(
                "{new} can't be compared with {old}, {role}: \
                 {old} is not in the repository any more"
            ),
            format!("push {old} there again, so that the two can be compared; {on_purpose}"),
        ),
        Direction::Unknown(why) => Objection::fault(
            format!(
                "{new} can't be compared with {old}, {role}: {}",
                text::escape(why, 300)
            ),
            "ask the server's administrator to fix it; deploy-by-code doctor shows more",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        A, B, PATH, added, answer, ask, ask_deploy, changed, file, revision,
    };
    use super::super::{Commit, Commits, CommitsInFolder, Exception, Facts, Newest, Trailers};
    use super::*;
    use crate::id::DeploymentId;
    use crate::time::Timestamp;

    fn commits(count: u64, subjects: &[&str]) -> Commits {
        let commit = |subject: &&str| Commit {
            id: revision(B),
            author: "A".into(),
            committed_at: Timestamp::default(),
            subject: (*subject).to_owned(),
        };
        Commits {
            count,
            in_folder: None,
            newest: subjects.iter().map(commit).collect(),
        }
    }

    fn base(direction: Direction) -> Option<Base> {
        Some(Base {
            revision: revision(B),
            direction,
        })
    }

    fn ask_bases(wanted: Option<Base>, deployed: Option<Base>) -> String {
        let facts = TargetFacts {
            wanted,
            deployed,
            ..TargetFacts::default()
        };
        ask_deploy(judge, "", &Facts::default(), facts)
    }

    #[test]
    fn forward_needs_no_reason() {
        let ahead = || base(Direction::Ahead);
        assert_eq!(ask_bases(None, None), "");
        assert_eq!(ask_bases(ahead(), ahead()), "6037512 contains 0170b60");
        assert_eq!(
            ask_bases(base(Direction::Same), None),
            "the same revision as before, 0170b60"
        );
    }

    #[test]
    fn going_back_is_refused_and_names_what_would_be_lost() {
        let subjects = ["one", "two\x1b[31m", "three", "four", "five", "six"];
        let behind = || base(Direction::Behind(commits(37, &subjects)));
        let refused = |role| {
            format!(
                "refused: 6037512 would go back 37 commits from 0170b60, {role}, \
                 and would lose:\n\
                 0170b60 one\n\
                 0170b60 two\\u{{1b}}[31m\n\
                 0170b60 three\n\
                 0170b60 four\n\
                 0170b60 five\n\
                 … and 32 more"
            )
        };

        assert_eq!(ask_bases(behind(), behind()), refused("which is deployed"));
        assert_eq!(
            ask_bases(behind(), None),
            refused("which the deploy file asked for before")
        );
        assert_eq!(
            ask_bases(base(Direction::Ahead), behind()),
            refused("which is deployed")
        );
    }

    #[test]
    fn diverging_is_refused_and_names_what_would_be_lost() {
        let diverged = Direction::Diverged {
            gained: commits(2, &["new"]),
            lost: commits(1, &["old"]),
        };
        assert_eq!(
            ask_bases(None, base(diverged)),
            "refused: 6037512 has diverged from 0170b60, which is deployed: \
             it would gain 2 commits and lose 1 commit:\n0170b60 old"
        );
    }

    #[test]
    fn commits_of_the_folder_that_is_deployed_are_counted_too() {
        let in_folder = |commits: Commits, count| Commits {
            in_folder: Some(CommitsInFolder {
                folder: "web".to_owned(),
                count,
            }),
            ..commits
        };
        let behind = Direction::Behind(in_folder(commits(12, &["x"]), 3));
        assert_eq!(
            ask_bases(None, base(behind)),
            "refused: 6037512 would go back 12 commits, 3 of them in web, from 0170b60, which is \
             deployed, and would lose:\n0170b60 x\n… and 2 more"
        );
        let diverged = Direction::Diverged {
            gained: in_folder(commits(2, &[]), 1),
            lost: in_folder(commits(2, &[]), 0),
        };
        assert_eq!(
            ask_bases(None, base(diverged)),
            "refused: 6037512 has diverged from 0170b60, which is deployed: it would gain 2 \
             commits, 1 of them in web, and lose 2 commits, none of them in web:\nnothing in web"
        );
    }

    #[test]
    fn unknown_direction_is_refused_as_a_fault() {
        let ask = |direction| {
            let facts = TargetFacts {
                deployed: base(direction),
                ..TargetFacts::default()
            };
            let changes = vec![added(PATH, file(A))];
            answer(judge, "", changes, &Facts::default(), facts).unwrap_err()
        };
        let compared = "6037512 can't be compared with 0170b60, which is deployed: ";

        let unknown = ask(Direction::Unknown("no answer".into()));
        assert_eq!(unknown.message, format!("{compared}no answer"));
        assert!(unknown.is_fault && !unknown.hint.contains("Deploy-"));

        let removed = ask(Direction::FromRemoved);
        let gone = "0170b60 is not in the repository any more";
        assert_eq!(removed.message, format!("{compared}{gone}"));
        assert!(removed.is_fault && removed.hint.contains("Deploy-Rollback"));
    }

    #[test]
    fn rollback_with_a_reason_is_allowed_and_keeps_the_reason() {
        let facts = TargetFacts {
            wanted: base(Direction::Behind(commits(1, &["x"]))),
            trailers: Trailers {
                rollback: Some("alarms".into()),
                ..Trailers::default()
            },
            ..TargetFacts::default()
        };
        let changes = vec![added(PATH, file(A))];
        let pass = answer(judge, "", changes, &Facts::default(), facts).unwrap();

        assert_eq!(pass.rolled_back, Some(revision(B)));
        let exception = Exception::new(ExceptionKind::Rollback, "alarms");
        assert_eq!(pass.exception, Some(exception));
        assert_eq!(
            pass.note.as_deref(),
            Some("a rollback from 0170b60: alarms")
        );
    }

    /// The facts after a rollback to [`A`], with the reason that it had.
    fn after_rollback(reason: Option<&str>) -> TargetFacts {
        let exception = |reason: &str| Exception::new(ExceptionKind::Rollback, reason.to_owned());
        TargetFacts {
            deployed: base(Direction::Behind(commits(1, &["x"]))),
            newest: Some(Newest {
                id: DeploymentId(7),
                revision: revision(A),
                went_back: reason.map(exception),
            }),
            ..TargetFacts::default()
        }
    }

    #[test]
    fn redeploy_keeps_the_reason_of_its_rollback() {
        let ask_again = |reason| {
            let old = format!("{A}\n");
            let again = changed(&old, &format!("{A}\n{old}"));
            ask(
                judge,
                "",
                vec![again],
                &Facts::default(),
                after_rollback(reason),
            )
        };

        assert_eq!(ask_again(Some("alarms")), "a rollback from 0170b60: alarms");
        assert!(ask_again(None).starts_with("refused: "));
    }

    #[test]
    fn new_file_needs_a_new_reason_but_a_standing_one_does_not() {
        let ask_at = |stage| {
            let facts = Facts {
                stage,
                ..Facts::default()
            };
            ask_deploy(judge, "", &facts, after_rollback(Some("alarms")))
        };
        assert!(ask_at(Stage::Before).starts_with("refused: "));
        assert_eq!(ask_at(Stage::Look), "a rollback from 0170b60: alarms");
    }

    #[test]
    fn revision_under_way_must_be_contained_too() {
        let facts = TargetFacts {
            under_way: base(Direction::Behind(commits(1, &["x"]))),
            ..TargetFacts::default()
        };
        assert_eq!(
            ask_deploy(judge, "", &Facts::default(), facts),
            "refused: 6037512 would go back 1 commit from 0170b60, which is under way, \
             and would lose:\n0170b60 x"
        );
    }
}
