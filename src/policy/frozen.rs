//! Nothing changes in a frozen environment: a push to it is refused, or taken and kept waiting,
//! until the thaw. Whom `override_by` names may deploy all the same with `Deploy-Override:
//! <reason>`; who that is, the host says, never a name in a commit.

use super::{Answer, Case, ExceptionKind, Objection, Pass, Stage, freeze_of};
use crate::config::OnFreeze;
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
    let given = case
        .facts
        .targets
        .get(target)
        .and_then(|facts| facts.trailers.override_reason.as_ref());
    let may = case
        .facts
        .pusher
        .as_ref()
        .is_some_and(|pusher| section.override_by.contains(&pusher.name));
    match (given, case.facts.stage) {
        (_, Stage::Look) => return Ok(Pass::note(described)),
        (Some(reason), _) if may => {
            let note = format!("{described}; overridden: {}", text::escape(reason, 200));
            return Ok(Pass::because(ExceptionKind::Override, reason, note));
        }
        // A plan does not know who will push.
        (Some(reason), Stage::Before)
            if case.facts.pusher.is_none() && !section.override_by.is_empty() =>
        {
            let who: Vec<String> = section
                .override_by
                .iter()
                .map(|name| text::escape(name, 64))
                .collect();
            let reason = text::escape(reason, 200);
            return Ok(Pass::note(format!(
                "{described}; overridden if {} pushes it: {reason}",
                who.join(" or ")
            )));
        }
        // What is on the branch is wanted: it goes on after the thaw.
        (_, Stage::After) => return Ok(waiting(described)),
        (None, Stage::Before) if section.on_freeze == OnFreeze::Hold => {
            return Ok(waiting(described));
        }
        _ => {}
    }
    let who: Vec<String> = section
        .override_by
        .iter()
        .map(|name| text::escape(name, 64))
        .collect();
    let hint = match (given, who.is_empty()) {
        (None, true) => "wait for the thaw".to_owned(),
        (None, false) => format!(
            "wait for the thaw, or ask {} to push it with a trailer in the deploy commit: Deploy-Override: <reason>",
            who.join(" or ")
        ),
        (Some(_), true) => {
            "wait for the thaw; override_by names nobody whose Deploy-Override would be honoured"
                .to_owned()
        }
        (Some(_), false) => {
            let pusher = case.facts.pusher.as_ref().map_or_else(
                || "somebody unknown".to_owned(),
                |pusher| text::escape(&pusher.name, 64),
            );
            format!(
                "Deploy-Override is honoured from {} only, and this is pushed by {pusher}",
                who.join(" or ")
            )
        }
    };
    Err(Objection::new(
        format!("{} is {described}", target.environment),
        hint,
    ))
}

fn waiting(described: String) -> Pass {
    Pass {
        waits: Some(described.clone()),
        ..Pass::note(described)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, PATH, added, answer, ask_deploy, file};
    use super::super::{Facts, Freeze, TargetFacts, Trailers};
    use super::*;
    use crate::id::Environment;
    use crate::identity::{Evidence, Identity};
    use crate::time::Timestamp;

    fn facts(stage: Stage, pusher: &str, until: Option<i64>) -> Facts {
        let freeze = Freeze {
            by: Some(Identity::new("bob", Evidence::Unix)),
            reason: "incident 7".into(),
            since: Some(Timestamp::from_ms(0)),
            until: until.map(Timestamp::from_ms),
        };
        let freezes = [(Environment::new("production").unwrap(), freeze)].into();
        Facts {
            stage,
            now: Timestamp::from_ms(60_000),
            pusher: Some(Identity::new(pusher, Evidence::Http)),
            freezes,
            ..Facts::default()
        }
    }

    fn over(reason: Option<&str>) -> TargetFacts {
        let trailers = Trailers {
            override_reason: reason.map(str::to_owned),
            ..Trailers::default()
        };
        TargetFacts {
            trailers,
            ..TargetFacts::default()
        }
    }

    const FROZEN: &str = "frozen by bob at 1970-01-01 00:00 UTC: incident 7";
    const ALICE: &str = "[environments.production]\noverride_by = [\"alice\"]\n";

    #[test]
    fn by_hand() {
        let ask = |config, pusher, until, reason| {
            ask_deploy(
                judge,
                config,
                &facts(Stage::Before, pusher, until),
                over(reason),
            )
        };
        let refused = format!("refused: production is {FROZEN}");
        assert_eq!(ask("", "alice", None, None), refused);
        assert_eq!(ask("", "alice", Some(60_000), None), "");
        assert_eq!(
            ask("", "alice", Some(90_000), None),
            format!("{refused}, until 1970-01-01 00:01 UTC")
        );
        assert_eq!(ask("", "alice", None, Some("fire")), refused);
        assert_eq!(ask(ALICE, "bob", None, Some("fire")), refused);
        assert_eq!(ask(ALICE, "alice", None, None), refused);
        assert_eq!(
            ask(ALICE, "alice", None, Some("fire")),
            format!("{FROZEN}; overridden: fire")
        );
        assert_eq!(
            ask_deploy(judge, "", &facts(Stage::Look, "alice", None), over(None)),
            FROZEN
        );
        let nobody = Facts {
            pusher: None,
            ..facts(Stage::Before, "", None)
        };
        let note = ask_deploy(judge, ALICE, &nobody, over(Some("fire")));
        assert_eq!(
            note,
            format!("{FROZEN}; overridden if alice pushes it: fire")
        );
    }

    #[test]
    fn hints() {
        let hint = |config, pusher, reason| {
            let changes = vec![added(PATH, file(A))];
            answer(
                judge,
                config,
                changes,
                &facts(Stage::Before, pusher, None),
                over(reason),
            )
            .unwrap_err()
            .hint
        };
        assert_eq!(hint("", "bob", None), "wait for the thaw");
        assert_eq!(
            hint(ALICE, "bob", None),
            "wait for the thaw, or ask alice to push it with a trailer in the deploy commit: Deploy-Override: <reason>"
        );
        assert_eq!(
            hint(ALICE, "b\nob", Some("fire")),
            "Deploy-Override is honoured from alice only, and this is pushed by b\\nob"
        );
    }

    #[test]
    fn what_is_held_waits() {
        let pass = |config, stage| {
            answer(
                judge,
                config,
                vec![added(PATH, file(A))],
                &facts(stage, "carol", None),
                over(None),
            )
        };
        let hold = "[environments.production]\non_freeze = \"hold\"\n";
        assert_eq!(
            pass(hold, Stage::Before).unwrap().waits.as_deref(),
            Some(FROZEN)
        );
        // On the branch already: it waits, whatever pre-receive would have said.
        assert_eq!(
            pass("", Stage::After).unwrap().waits.as_deref(),
            Some(FROZEN)
        );
        assert!(pass("", Stage::Before).is_err());
    }

    #[test]
    fn by_the_calendar() {
        let config = "[environments.production]\nfrozen = [\"1970-01-01 .. 1970-01-02\"]\n";
        let facts = Facts {
            now: Timestamp::from_ms(60_000),
            ..Facts::default()
        };
        assert_eq!(
            ask_deploy(judge, config, &facts, over(None)),
            "refused: production is frozen by the calendar, \"1970-01-01 .. 1970-01-02\", until 1970-01-03 00:00 UTC"
        );
        assert_eq!(
            ask_deploy(
                judge,
                &config.replace("production", "staging"),
                &facts,
                over(None)
            ),
            ""
        );
    }
}
