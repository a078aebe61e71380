//! The rule `rollback holds`: what a rollback took away does not come back by accident.
//!
//! Otherwise the next push of somebody who does not know about the rollback would bring it back. A
//! deploy commit that brings it back on purpose has the trailer `Deploy-Release: <reason>`. That
//! ends the hold.

use super::{Answer, Case, ExceptionKind, Hold, Objection, Pass, Stage, Unknown};
use crate::id::Revision;
use crate::text;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let Some((_, revision, facts)) = case.asked() else {
        return Ok(Pass::default());
    };
    if !case.facts.has_record {
        return Ok(Pass::note(
            "not checked: there is no record of deployments here",
        ));
    }

    // A revision that nobody pushes now was judged when it came.
    let was_judged = facts
        .newest
        .as_ref()
        .is_some_and(|newest| newest.revision == *revision);
    if case.facts.stage == Stage::Look && was_judged {
        return Ok(Pass::default());
    }

    let contained = || {
        let holds = facts.holds.iter();
        holds.filter(|hold| hold.is_contained == Ok(true))
    };
    match (contained().next(), &facts.trailers.release) {
        (Some(hold), Some(reason)) => Ok(Pass {
            released: contained().map(|hold| hold.from.clone()).collect(),
            ..release(hold, reason)
        }),
        (Some(hold), None) => Err(objection(revision, hold)),
        // The reason would count, whatever the answer is. But nothing is released on a guess.
        (None, Some(_)) => Ok(Pass::default()),
        (None, None) => {
            let unknown = |hold: &Hold| {
                let why = hold.is_contained.as_ref().err()?;
                Some(unknown(revision, hold, why))
            };
            let unknown = facts.holds.iter().find_map(unknown);
            unknown.map_or_else(|| Ok(Pass::default()), Err)
        }
    }
}

fn unknown(revision: &Revision, hold: &Hold, Unknown(why): &Unknown) -> Objection {
    let (short, from, by) = (revision.short(), hold.from.short(), hold.by);
    Objection::fault(
        format!(
            "it can't be found out whether {short} contains {from}, \
             which the rollback {by} took away: {}",
            text::escape(why, 300)
        ),
        "ask the server's administrator to fix it; deploy-by-code doctor shows more",
    )
}

fn release(hold: &Hold, reason: &str) -> Pass {
    let (from, by) = (hold.from.short(), hold.by);
    let shown = text::escape(reason, 200);
    let note = format!("releases {from}, which the rollback {by} took away: {shown}");
    Pass::because(ExceptionKind::Release, reason, note)
}

fn objection(revision: &Revision, hold: &Hold) -> Objection {
    let (short, from, by) = (revision.short(), hold.from.short(), hold.by);
    let reason = text::escape(&hold.reason, 200);
    Objection::new(
        format!("{short} contains {from}, which the rollback {by} took away: {reason}"),
        "if the problem is fixed, say so in the deploy commit, with the trailer \
         Deploy-Release: <reason>",
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, B, ask_deploy, revision};
    use super::super::{Facts, Newest, TargetFacts, Trailers};
    use super::*;
    use crate::id::DeploymentId;

    /// The facts with one hold for each item, which says whether the new revision contains it.
    fn with_holds(contained: &[bool]) -> TargetFacts {
        let hold = |is_contained: &bool| Hold {
            by: DeploymentId(7),
            from: revision(B),
            reason: "alarms".into(),
            is_contained: Ok(*is_contained),
        };
        TargetFacts {
            holds: contained.iter().map(hold).collect(),
            ..TargetFacts::default()
        }
    }

    fn ask(stage: Stage, target: TargetFacts) -> String {
        let facts = Facts {
            has_record: true,
            stage,
            ..Facts::default()
        };
        ask_deploy(judge, "", &facts, target)
    }

    #[test]
    fn revision_that_contains_a_held_one_is_refused() {
        assert_eq!(ask(Stage::Before, with_holds(&[])), "");
        assert_eq!(ask(Stage::Before, with_holds(&[false])), "");
        assert_eq!(
            ask(Stage::Before, with_holds(&[false, true])),
            "refused: 6037512 contains 0170b60, which the rollback #7 took away: alarms"
        );
    }

    #[test]
    fn reason_releases_the_hold() {
        let facts = TargetFacts {
            trailers: Trailers {
                release: Some("fixed".into()),
                ..Trailers::default()
            },
            ..with_holds(&[true, false])
        };
        assert_eq!(
            ask(Stage::Before, facts),
            "releases 0170b60, which the rollback #7 took away: fixed"
        );
    }

    #[test]
    fn hold_that_cannot_be_compared_refuses_as_a_fault_and_is_not_released() {
        let mut facts = with_holds(&[false, false]);
        facts.holds[1].is_contained = Err(Unknown("no answer".into()));
        assert_eq!(
            ask(Stage::Before, facts.clone()),
            "refused: it can't be found out whether 6037512 contains 0170b60, \
             which the rollback #7 took away: no answer"
        );

        facts.trailers.release = Some("fixed".into());
        assert_eq!(ask(Stage::Before, facts.clone()), "");
        facts.holds[0].is_contained = Ok(true);
        let released = "releases 0170b60, which the rollback #7 took away: fixed";
        assert_eq!(ask(Stage::Before, facts), released);
    }

    #[test]
    fn accepted_revision_is_not_judged_again_by_a_look() {
        let facts = || TargetFacts {
            newest: Some(Newest {
                id: DeploymentId(8),
                revision: revision(A),
                went_back: None,
            }),
            ..with_holds(&[true])
        };
        assert_eq!(ask(Stage::Look, facts()), "");
        assert!(ask(Stage::Before, facts()).starts_with("refused: "));
        assert!(ask(Stage::Look, with_holds(&[true])).starts_with("refused: "));
    }
}
