//! A rollback holds: what it took away does not come back in the next push of somebody who has not
//! heard of it. A deploy commit that knows says `Deploy-Release: <reason>`, and then the hold is
//! over.

use super::{Answer, Case, ExceptionKind, Hold, Objection, Pass, Stage};
use crate::text;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let Some((_, revision, facts)) = case.asked() else {
        return Ok(Pass::default());
    };
    if !case.facts.has_record {
        return Ok(Pass::note(
            "not judged: there is no record of deployments here",
        ));
    }
    // What merely stands there was released, or taken back, when it came.
    let stands = case.facts.stage == Stage::Look
        && facts
            .newest
            .as_ref()
            .is_some_and(|newest| newest.revision == *revision);
    let contained: Vec<&Hold> = facts
        .holds
        .iter()
        .filter(|hold| hold.is_contained && !stands)
        .collect();
    let Some(Hold {
        by, from, reason, ..
    }) = contained.first()
    else {
        return Ok(Pass::default());
    };
    let from = from.short();
    if let Some(release) = &facts.trailers.release {
        let note = format!(
            "releases {from}, which {by} rolled back: {}",
            text::escape(release, 200)
        );
        let released = contained.iter().map(|hold| hold.from.clone()).collect();
        return Ok(Pass {
            released,
            ..Pass::because(ExceptionKind::Release, release, note)
        });
    }
    let message = format!(
        "contains {from}, which {by} rolled back: {}",
        text::escape(reason, 200)
    );
    let hint = "if what was wrong is mended, say so in the deploy commit, with a trailer: Deploy-Release: <reason>";
    Err(Objection::new(message, hint))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{B, ask_deploy, revision};
    use super::super::{Facts, TargetFacts, Trailers};
    use super::*;
    use crate::id::DeploymentId;

    #[test]
    fn the_hold() {
        let ask = |contained: &[bool], release: Option<&str>| {
            let hold = |is_contained: &bool| Hold {
                by: DeploymentId(7),
                from: revision(B),
                reason: "alarms".into(),
                is_contained: *is_contained,
            };
            let trailers = Trailers {
                release: release.map(str::to_owned),
                ..Trailers::default()
            };
            let holds = contained.iter().map(hold).collect();
            let facts = TargetFacts {
                holds,
                trailers,
                ..TargetFacts::default()
            };
            ask_deploy(
                judge,
                "",
                &Facts {
                    has_record: true,
                    ..Facts::default()
                },
                facts,
            )
        };
        assert_eq!(ask(&[], None), "");
        assert_eq!(ask(&[false], None), "");
        assert_eq!(
            ask(&[false, true], None),
            "refused: contains 0170b60, which #7 rolled back: alarms"
        );
        assert_eq!(
            ask(&[true, false], Some("fixed")),
            "releases 0170b60, which #7 rolled back: fixed"
        );
    }
}
