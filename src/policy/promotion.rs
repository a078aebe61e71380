//! `promotes_from` and `soak`: a revision must have succeeded in another environment, that long
//! ago, by the record of what happened there. A rollback to what succeeded here before always
//! passes: the urgent way back is never blocked.

use super::{Answer, Case, Objection, Pass, Promotion, Stage, backwards};
use crate::status::Status;
use crate::time::{show_ago, show_duration};

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let Some((target, revision, facts)) = case.asked() else {
        return Ok(Pass::default());
    };
    let section = case.config.environment(&target.environment);
    let Some(from) = &section.promotes_from else {
        return Ok(Pass::default());
    };
    if !case.facts.has_record {
        return Ok(Pass::note(
            "not judged: there is no record of deployments here",
        ));
    }
    let is_deployed = facts
        .deployed
        .as_ref()
        .is_some_and(|deployed| deployed.revision == *revision);
    let was_judged = facts
        .newest
        .as_ref()
        .is_some_and(|newest| newest.revision == *revision);
    if is_deployed || case.facts.stage == Stage::Look && was_judged {
        return Ok(Pass::note("is here already"));
    }
    if facts.succeeded_here && is_rollback(case) {
        return Ok(Pass::note("a rollback to what succeeded here before"));
    }
    let short = revision.short();
    let first = format!("deploy it to {from} first");
    match &facts.promotion {
        None | Some(Promotion::Never) => Err(Objection::new(
            format!("{short} was never deployed to {from}"),
            first,
        )),
        Some(Promotion::Was(id, status @ (Status::Queued | Status::Running))) => {
            Err(Objection::new(
                format!("{short} is {status} in {from} ({id})"),
                format!(
                    "wait until it has succeeded there: deploy-by-code wait {}",
                    id.0
                ),
            ))
        }
        Some(Promotion::Was(id, status)) => Err(Objection::new(
            format!("{short} did not succeed in {from}: {status} ({id})"),
            first,
        )),
        Some(Promotion::Succeeded(id, at)) => {
            let ago = case.facts.now.since(*at);
            let soak = section.soak.unwrap_or_default();
            let succeeded = format!("succeeded in {from} {} ({id})", show_ago(ago));
            if ago >= soak {
                return Ok(Pass::note(succeeded));
            }
            let left = show_duration(soak.saturating_sub(ago));
            Err(Objection::new(
                format!("{short} {succeeded}: {left} to go"),
                format!("it has to soak there for {}", show_duration(soak)),
            ))
        }
    }
}

/// Whether what is asked for goes back from something. Promotion does not stand in its way.
fn is_rollback(case: &Case<'_>) -> bool {
    backwards::judge(case).is_ok_and(|pass| pass.rolled_back.is_some())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, B, ask_deploy, revision};
    use super::super::{Base, Commits, Direction, Facts, Newest, TargetFacts, Trailers};
    use super::*;
    use crate::id::DeploymentId;
    use crate::time::Timestamp;

    const CONFIG: &str = "[environments.production]\npromotes_from = \"staging\"\nsoak = \"1h\"\n[environments.staging]\n";

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_ms(minutes * 60_000)
    }

    fn ask_at(stage: Stage, target: TargetFacts) -> String {
        let facts = Facts {
            now: at(100),
            has_record: true,
            stage,
            ..Facts::default()
        };
        ask_deploy(judge, CONFIG, &facts, target)
    }

    fn ask(promotion: Option<Promotion>) -> String {
        ask_at(
            Stage::Before,
            TargetFacts {
                promotion,
                ..TargetFacts::default()
            },
        )
    }

    #[test]
    fn what_it_did_there() {
        let id = DeploymentId(41);
        assert_eq!(
            ask(Some(Promotion::Never)),
            "refused: 6037512 was never deployed to staging"
        );
        assert_eq!(ask(None), "refused: 6037512 was never deployed to staging");
        let was = |status| ask(Some(Promotion::Was(id, status)));
        assert_eq!(
            was(Status::Failed),
            "refused: 6037512 did not succeed in staging: failed (#41)"
        );
        assert_eq!(
            was(Status::Interrupted),
            "refused: 6037512 did not succeed in staging: interrupted (#41)"
        );
        assert_eq!(
            was(Status::Running),
            "refused: 6037512 is running in staging (#41)"
        );
        assert_eq!(
            was(Status::Queued),
            "refused: 6037512 is queued in staging (#41)"
        );
        let succeeded = |minutes| ask(Some(Promotion::Succeeded(id, at(minutes))));
        assert_eq!(
            succeeded(88),
            "refused: 6037512 succeeded in staging 12 min ago (#41): 48 min to go"
        );
        assert_eq!(succeeded(40), "succeeded in staging 1 h ago (#41)");
        // A clock that was set back makes nobody wait less.
        assert_eq!(
            succeeded(200),
            "refused: 6037512 succeeded in staging just now (#41): 1 h to go"
        );
    }

    #[test]
    fn elsewhere_and_without_a_record_it_is_not_judged() {
        let never = || TargetFacts {
            promotion: Some(Promotion::Never),
            ..TargetFacts::default()
        };
        let facts = Facts {
            has_record: true,
            ..Facts::default()
        };
        assert_eq!(
            ask_deploy(judge, "[environments.staging]\n", &facts, never()),
            ""
        );
        let note = "not judged: there is no record of deployments here";
        assert_eq!(ask_deploy(judge, CONFIG, &Facts::default(), never()), note);
    }

    #[test]
    fn what_is_here_already_stays() {
        let deployed = Some(Base {
            revision: revision(A),
            direction: Direction::Same,
        });
        assert_eq!(
            ask_at(
                Stage::Before,
                TargetFacts {
                    deployed,
                    ..TargetFacts::default()
                }
            ),
            "is here already"
        );
        let newest = || {
            Some(Newest {
                id: DeploymentId(1),
                revision: revision(A),
                went_back: None,
            })
        };
        let target = || TargetFacts {
            newest: newest(),
            ..TargetFacts::default()
        };
        assert_eq!(ask_at(Stage::Look, target()), "is here already");
        assert_eq!(
            ask_at(Stage::Before, target()),
            "refused: 6037512 was never deployed to staging"
        );
    }

    #[test]
    fn the_urgent_way_back_is_never_blocked() {
        let back = |succeeded_here, reason: Option<&str>| TargetFacts {
            deployed: Some(Base {
                revision: revision(B),
                direction: Direction::Behind(Commits::default()),
            }),
            trailers: Trailers {
                rollback: reason.map(str::to_owned),
                ..Trailers::default()
            },
            succeeded_here,
            ..TargetFacts::default()
        };
        let refused = "refused: 6037512 was never deployed to staging";
        assert_eq!(
            ask_at(Stage::Before, back(true, Some("alarms"))),
            "a rollback to what succeeded here before"
        );
        assert_eq!(ask_at(Stage::Before, back(false, Some("alarms"))), refused);
        assert_eq!(ask_at(Stage::Before, back(true, None)), refused);
    }
}
