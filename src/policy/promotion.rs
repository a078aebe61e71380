//! The rule `promotion`: with the setting `promotes_from`, a revision must have succeeded in
//! another environment, at least `soak` ago.
//!
//! The record of what happened there counts. A rollback to a revision that succeeded here before is
//! always allowed, so that the urgent way back is never blocked.

use super::{Answer, Case, Objection, Pass, Promotion, Stage, TargetFacts, backwards};
use crate::config::EnvironmentSection;
use crate::id::{Environment, Revision};
use crate::status::Status;
use crate::time::{Timestamp, show_ago, show_duration};

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
            "not checked: there is no record of deployments here",
        ));
    }
    if let Some(note) = is_here_already(case, revision, facts) {
        return Ok(Pass::note(note));
    }
    if facts.succeeded_here && is_rollback(case) {
        return Ok(Pass::note(
            "a rollback to a revision that succeeded here before",
        ));
    }
    judge_promotion(
        &section,
        from,
        revision,
        facts.promotion.as_ref(),
        case.facts.now,
    )
}

/// Says that the revision is deployed here, or that it is on the branch and was accepted when it
/// came. `None`: neither is so.
fn is_here_already(
    case: &Case<'_>,
    revision: &Revision,
    facts: &TargetFacts,
) -> Option<&'static str> {
    let is_deployed = facts
        .deployed
        .as_ref()
        .is_some_and(|deployed| deployed.revision == *revision);
    if is_deployed {
        return Some("already deployed here");
    }

    let was_accepted = facts
        .newest
        .as_ref()
        .is_some_and(|newest| newest.revision == *revision);
    (case.facts.stage == Stage::Look && was_accepted).then_some("already accepted here")
}

/// Whether the candidate goes back from something, with a reason.
fn is_rollback(case: &Case<'_>) -> bool {
    backwards::judge(case).is_ok_and(|pass| pass.rolled_back.is_some())
}

/// Judges what the revision did in the environment `from`.
fn judge_promotion(
    section: &EnvironmentSection,
    from: &Environment,
    revision: &Revision,
    promotion: Option<&Promotion>,
    now: Timestamp,
) -> Answer {
    let short = revision.short();
    let deploy_first = format!("deploy it to {from} first");

    match promotion {
        None | Some(Promotion::NeverDeployed) => Err(Objection::new(
            format!("{short} was never deployed to {from}"),
            deploy_first,
        )),
        Some(Promotion::NotSucceeded(id, status @ (Status::Queued | Status::Running))) => {
            let wait = format!("deploy-by-code wait {}", id.0);
            Err(Objection::new(
                format!("{short} is {status} in {from} ({id})"),
                format!("wait until it has succeeded there: {wait}"),
            ))
        }
        Some(Promotion::NotSucceeded(id, status)) => Err(Objection::new(
            format!("{short} did not succeed in {from}: {status} ({id})"),
            deploy_first,
        )),
        Some(Promotion::Succeeded(id, at)) => {
            let ago = now.since(*at);
            let soak = section.soak.unwrap_or_default();
            let shown_ago = show_ago(ago);
            if ago >= soak {
                return Ok(Pass::note(format!(
                    "succeeded in {from} {shown_ago} ({id})"
                )));
            }

            let left = show_duration(soak.saturating_sub(ago));
            let soak = show_duration(soak);
            Err(Objection::new(
                format!(
                    "{short} succeeded in {from} only {shown_ago} ({id}); \
                     it must wait {left} more"
                ),
                format!("the setting \"soak\" requires {soak} in {from}"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, B, ask_deploy, revision};
    use super::super::{Base, Commits, Direction, Facts, Newest, Trailers};
    use super::*;
    use crate::id::DeploymentId;

    const CONFIG: &str = "[environments.production]\npromotes_from = \"staging\"\nsoak = \"1h\"\n\
                          [environments.staging]\n";
    const NEVER_DEPLOYED: &str = "refused: 6037512 was never deployed to staging";

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_ms(minutes * 60_000)
    }

    /// What the rule says 100 minutes after the epoch.
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
        let target = TargetFacts {
            promotion,
            ..TargetFacts::default()
        };
        ask_at(Stage::Before, target)
    }

    #[test]
    fn revision_that_did_not_succeed_elsewhere_is_refused() {
        assert_eq!(ask(None), NEVER_DEPLOYED);
        assert_eq!(ask(Some(Promotion::NeverDeployed)), NEVER_DEPLOYED);

        let table = [
            (Status::Failed, "did not succeed in staging: failed (#41)"),
            (
                Status::Interrupted,
                "did not succeed in staging: interrupted (#41)",
            ),
            (Status::Running, "is running in staging (#41)"),
            (Status::Queued, "is queued in staging (#41)"),
        ];
        for (status, message) in table {
            assert_eq!(
                ask(Some(Promotion::NotSucceeded(DeploymentId(41), status))),
                format!("refused: 6037512 {message}")
            );
        }
    }

    #[test]
    fn revision_must_have_succeeded_long_enough_ago() {
        let succeeded = |minutes| ask(Some(Promotion::Succeeded(DeploymentId(41), at(minutes))));
        assert_eq!(succeeded(40), "succeeded in staging 1 h ago (#41)");
        assert_eq!(
            succeeded(88),
            "refused: 6037512 succeeded in staging only 12 min ago (#41); it must wait 48 min more"
        );

        // Setting the clock back does not shorten the wait.
        assert_eq!(
            succeeded(200),
            "refused: 6037512 succeeded in staging only just now (#41); it must wait 1 h more"
        );
    }

    #[test]
    fn rule_needs_its_setting_and_a_record() {
        let never = || TargetFacts {
            promotion: Some(Promotion::NeverDeployed),
            ..TargetFacts::default()
        };
        let with_record = Facts {
            has_record: true,
            ..Facts::default()
        };

        let other_config = "[environments.staging]\n";
        assert_eq!(ask_deploy(judge, other_config, &with_record, never()), "");
        assert_eq!(
            ask_deploy(judge, CONFIG, &Facts::default(), never()),
            "not checked: there is no record of deployments here"
        );
    }

    #[test]
    fn deployed_revision_may_be_deployed_again() {
        let deployed = Base {
            revision: revision(A),
            direction: Direction::Same,
        };
        let target = TargetFacts {
            deployed: Some(deployed),
            ..TargetFacts::default()
        };
        assert_eq!(ask_at(Stage::Before, target), "already deployed here");
    }

    #[test]
    fn accepted_revision_is_not_judged_again_by_a_look() {
        let target = || TargetFacts {
            newest: Some(Newest {
                id: DeploymentId(1),
                revision: revision(A),
                went_back: None,
            }),
            ..TargetFacts::default()
        };
        assert_eq!(ask_at(Stage::Look, target()), "already accepted here");
        assert_eq!(ask_at(Stage::Before, target()), NEVER_DEPLOYED);
    }

    #[test]
    fn rollback_to_what_succeeded_here_is_always_allowed() {
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
        let ask = |facts| ask_at(Stage::Before, facts);

        assert_eq!(
            ask(back(true, Some("alarms"))),
            "a rollback to a revision that succeeded here before"
        );
        assert_eq!(ask(back(false, Some("alarms"))), NEVER_DEPLOYED);
        assert_eq!(ask(back(true, None)), NEVER_DEPLOYED);
    }
}
