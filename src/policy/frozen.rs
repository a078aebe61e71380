//! The rule `frozen`: nothing changes in a frozen environment.
//!
//! A push to it is refused, or it is accepted and its deployments wait for the thaw. The people in
//! `override_by` may still deploy, with the trailer `Deploy-Override: <reason>`. Who pushes is
//! known from the git host, or from the signature of the commit with the trailer, and never from a
//! name in a commit.

use super::reviewed::shown;
use super::{Answer, Case, ExceptionKind, Objection, Pass, Stage, Unknown, freeze_of};
use crate::config::{EnvironmentSection, OnFreeze};
use crate::identity::Identity;
use crate::text;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let Some(target) = &case.candidate.target else {
        return Ok(Pass::default());
    };
    let section = case.config.environment(&target.environment);
    let by_hand = case.facts.freezes.get(&target.environment);
    let Some(freeze) = freeze_of(&section, by_hand, case.facts.now) else {
        return Ok(Pass::default());
    };

    let described = freeze.describe();
    let facts = case.target_facts();
    let pusher = facts.and_then(|facts| facts.pusher.as_ref());
    let reason = facts.and_then(|facts| facts.trailers.override_reason.as_ref());

    if case.facts.stage != Stage::Look
        && let Some((by, reason)) = case.signed_override(&section)
    {
        let (name, shown_reason) = (shown(by), text::escape(reason, 200));
        let note = format!("{described}; overridden by {name}: {shown_reason}");
        return Ok(Pass::overridden_by(by, reason, note));
    }

    // What the server can't find out is judged again, and does not wait for the thaw.
    if case.facts.stage != Stage::Look
        && reason.is_some()
        && !may_override(case, &section, pusher)
        && let Some(unknown) = unknown_signer(case, &section)
    {
        let name = &target.environment;
        return Err(Objection::fault(
            format!(
                "{name} is {described}, and nobody knows who signed the Deploy-Override: {}",
                unknown.0
            ),
            "see what the message says, and push again",
        ));
    }

    // Nor does it wait where nobody knows whether there is an override: what waits is not judged
    // again. The caller adds why that is not known.
    if case.facts.stage != Stage::Look
        && reason.is_none()
        && !section.override_by.is_empty()
        && facts.is_some_and(|facts| facts.trailers.unknown.is_some())
    {
        return Err(Objection::fault(
            format!("{} is {described}", target.environment),
            "see what the message says, and push again",
        ));
    }

    match (case.facts.stage, reason) {
        (Stage::Look, _) => Ok(Pass::note(described)),
        (_, Some(reason)) if may_override(case, &section, pusher) => {
            let note = format!("{described}; overridden: {}", text::escape(reason, 200));
            Ok(Pass::because(ExceptionKind::Override, reason, note))
        }
        // `plan` does not know who will push.
        (Stage::Before, Some(reason)) if pusher.is_none() && !section.override_by.is_empty() => {
            let who = override_by(&section);
            let reason = text::escape(reason, 200);
            Ok(Pass::note(format!(
                "{described}; overridden if {who} pushes it: {reason}"
            )))
        }
        // What is on the branch is wanted. It is deployed after the thaw.
        (Stage::After, _) => Ok(waiting(described)),
        (Stage::Before, None) if section.on_freeze == OnFreeze::Hold => Ok(waiting(described)),
        (Stage::Before, reason) => Err(Objection::new(
            format!("{} is {described}", target.environment),
            hint(&section, reason.is_some(), pusher),
        )),
    }
}

/// Whether somebody who pushes is one of the people in `override_by`. The name of a group is
/// nobody's name.
fn may_override(case: &Case<'_>, section: &EnvironmentSection, pusher: Option<&Identity>) -> bool {
    pusher.is_some_and(|pusher| {
        let people = case.config.override_signers(section);
        people.contains(&pusher.name)
    })
}

/// Why nobody knows whether somebody signed an override who may; `None`: that is known.
fn unknown_signer<'a>(case: &Case<'a>, section: &EnvironmentSection) -> Option<&'a Unknown> {
    let review = case.target_facts()?.review.as_ref()?;
    review
        .as_ref()
        .err()
        .filter(|_| !section.override_by.is_empty())
}

/// The people in `override_by`, for a sentence; empty where there are none.
fn override_by(section: &EnvironmentSection) -> String {
    let names: Vec<String> = section
        .override_by
        .iter()
        .map(|name| text::escape(name, 64))
        .collect();
    names.join(" or ")
}

fn waiting(described: String) -> Pass {
    Pass {
        waits: Some(described.clone()),
        ..Pass::note(described)
    }
}

/// What somebody can do whose push is refused. `has_reason`: the deploy commit has the trailer
/// `Deploy-Override`.
fn hint(section: &EnvironmentSection, has_reason: bool, pusher: Option<&Identity>) -> String {
    let who = override_by(section);
    match (has_reason, who.is_empty()) {
        (false, true) => "wait for the thaw".to_owned(),
        (false, false) => format!(
            "wait for the thaw, or ask {who} to push this, with the trailer \
             Deploy-Override: <reason> in the deploy commit"
        ),
        (true, true) => {
            "wait for the thaw; Deploy-Override has no effect, because override_by names nobody"
                .to_owned()
        }
        (true, false) => {
            let pusher = pusher.map_or_else(
                || "somebody unknown".to_owned(),
                |pusher| text::escape(&pusher.name, 64),
            );
            format!(
                "ask {who} to push this; it is pushed by {pusher}, \
                 whose Deploy-Override has no effect"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, PATH, added, answer, ask_deploy, file};
    use super::super::{Facts, Freeze, TargetFacts, Trailers};
    use super::*;
    use crate::id::Environment;
    use crate::identity::Evidence;
    use crate::time::Timestamp;

    const FROZEN: &str = "frozen by bob at 1970-01-01 00:00 UTC: incident 7";
    const ALICE: &str = "[environments.production]\noverride_by = [\"alice\"]\n";

    /// The facts at 00:01, when production is frozen by hand.
    fn facts(stage: Stage, until: Option<i64>) -> Facts {
        let freeze = Freeze {
            by: Some(Identity::new("bob", Evidence::Unix)),
            reason: "incident 7".into(),
            since: Some(Timestamp::from_ms(0)),
            until: until.map(Timestamp::from_ms),
        };
        Facts {
            stage,
            now: Timestamp::from_ms(60_000),
            freezes: [(Environment::new("production").unwrap(), freeze)].into(),
            ..Facts::default()
        }
    }

    /// The facts about a change that somebody pushed, with or without `Deploy-Override`.
    fn pushed(by: &str, reason: Option<&str>) -> TargetFacts {
        TargetFacts {
            pusher: Some(Identity::new(by, Evidence::Http)),
            trailers: Trailers {
                override_reason: reason.map(str::to_owned),
                ..Trailers::default()
            },
            ..TargetFacts::default()
        }
    }

    /// What the rule says of a push by somebody, with or without `Deploy-Override`.
    fn ask_push(config: &str, pusher: &str, reason: Option<&str>) -> String {
        let facts = facts(Stage::Before, None);
        ask_deploy(judge, config, &facts, pushed(pusher, reason))
    }

    #[test]
    fn frozen_environment_refuses_until_its_freeze_ends() {
        let ask = |until| {
            let facts = facts(Stage::Before, until);
            ask_deploy(judge, "", &facts, pushed("alice", None))
        };
        let refused = format!("refused: production is {FROZEN}");

        assert_eq!(ask(None), refused);
        assert_eq!(
            ask(Some(90_000)),
            format!("{refused}, until 1970-01-01 00:01 UTC")
        );
        assert_eq!(ask(Some(60_000)), "");
    }

    #[test]
    fn override_counts_only_from_people_in_override_by() {
        let refused = format!("refused: production is {FROZEN}");

        assert_eq!(ask_push("", "alice", Some("fire")), refused);
        assert_eq!(ask_push(ALICE, "bob", Some("fire")), refused);
        assert_eq!(ask_push(ALICE, "alice", None), refused);
        assert_eq!(
            ask_push(ALICE, "alice", Some("fire")),
            format!("{FROZEN}; overridden: fire")
        );
    }

    #[test]
    fn name_of_a_group_is_nobodys_name() {
        let config = "[people]\ngroups = { ops = [\"alice@x\"] }\n\
                      [environments.production]\noverride_by = [\"ops\"]\n";

        assert_eq!(
            ask_push(config, "ops", Some("fire")),
            format!("refused: production is {FROZEN}")
        );
        assert_eq!(
            ask_push(config, "alice@x", Some("fire")),
            format!("{FROZEN}; overridden: fire")
        );
    }

    #[test]
    fn plan_says_who_would_have_to_push_an_override() {
        let nobody = TargetFacts {
            pusher: None,
            ..pushed("", Some("fire"))
        };
        assert_eq!(
            ask_deploy(judge, ALICE, &facts(Stage::Before, None), nobody),
            format!("{FROZEN}; overridden if alice pushes it: fire")
        );
    }

    #[test]
    fn override_whose_signer_is_not_known_does_not_wait_for_the_thaw() {
        let ask = |stage, pusher: &str, config| {
            let known = TargetFacts {
                review: Some(Err(Unknown("no file of keys".to_owned()))),
                ..pushed(pusher, Some("fire"))
            };
            ask_deploy(judge, config, &facts(stage, None), known)
        };
        for stage in [Stage::Before, Stage::After] {
            assert_eq!(
                ask(stage, "bob", ALICE),
                format!(
                    "refused: production is {FROZEN}, and nobody knows who signed the \
                     Deploy-Override: no file of keys"
                )
            );
            assert_eq!(
                ask(stage, "alice", ALICE),
                format!("{FROZEN}; overridden: fire")
            );
        }
        assert_eq!(ask(Stage::Look, "bob", ALICE), FROZEN);
        assert_eq!(
            ask(Stage::Before, "bob", ""),
            format!("refused: production is {FROZEN}")
        );
    }

    #[test]
    fn override_that_can_not_be_looked_for_does_not_wait_for_the_thaw() {
        let ask = |stage, config| {
            let mut known = pushed("alice", None);
            known.trailers.unknown = Some("too many open files".to_owned());
            let changes = vec![added(PATH, file(A))];
            answer(judge, config, changes, &facts(stage, None), known)
        };
        let hold = format!("{ALICE}on_freeze = \"hold\"\n");
        for (stage, config) in [(Stage::After, ALICE), (Stage::Before, &hold)] {
            let objection = ask(stage, config).unwrap_err();
            assert!(objection.is_fault, "{objection:?}");
        }

        // Where nobody may override it, it waits.
        assert!(ask(Stage::After, "").unwrap().waits.is_some());
        assert!(ask(Stage::Look, ALICE).unwrap().waits.is_none());
    }

    #[test]
    fn looking_at_a_frozen_environment_refuses_nothing() {
        let facts = facts(Stage::Look, None);
        assert_eq!(ask_deploy(judge, "", &facts, pushed("alice", None)), FROZEN);
    }

    #[test]
    fn hint_says_who_may_override() {
        let hint = |config, pusher, reason| {
            let facts = facts(Stage::Before, None);
            let changes = vec![added(PATH, file(A))];
            answer(judge, config, changes, &facts, pushed(pusher, reason))
                .unwrap_err()
                .hint
        };

        assert_eq!(hint("", "bob", None), "wait for the thaw");
        assert_eq!(
            hint(ALICE, "bob", None),
            "wait for the thaw, or ask alice to push this, with the trailer \
             Deploy-Override: <reason> in the deploy commit"
        );
        assert_eq!(
            hint(ALICE, "b\nob", Some("fire")),
            "ask alice to push this; it is pushed by b\\nob, whose Deploy-Override has no effect"
        );
    }

    #[test]
    fn held_push_waits_for_the_thaw() {
        let pass = |config, stage| {
            let facts = facts(stage, None);
            let changes = vec![added(PATH, file(A))];
            answer(judge, config, changes, &facts, pushed("carol", None))
        };
        let waits = |answer: Answer| answer.unwrap().waits;
        let hold = "[environments.production]\non_freeze = \"hold\"\n";

        assert_eq!(waits(pass(hold, Stage::Before)).as_deref(), Some(FROZEN));
        assert!(pass("", Stage::Before).is_err());

        // What is on the branch already waits, whatever pre-receive would have said.
        assert_eq!(waits(pass("", Stage::After)).as_deref(), Some(FROZEN));
    }

    #[test]
    fn calendar_freezes_only_its_own_environment() {
        let config = "[environments.production]\nfrozen = [\"1970-01-01 .. 1970-01-02\"]\n";
        let facts = Facts {
            now: Timestamp::from_ms(60_000),
            ..Facts::default()
        };
        let ask = |config: &str| ask_deploy(judge, config, &facts, pushed("carol", None));

        assert_eq!(
            ask(config),
            "refused: production is frozen by the calendar, \"1970-01-01 .. 1970-01-02\", \
             until 1970-01-03 00:00 UTC"
        );
        assert_eq!(ask(&config.replace("production", "staging")), "");
    }
}
