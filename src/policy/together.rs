//! The rule `together`: the applications of a group change in the same push. A deploy commit that
//! changes only some of them has the trailer `Deploy-Alone: <reason>`.

use std::collections::BTreeSet;

use super::{Answer, Case, ExceptionKind, Objection, Pass, Stage};
use crate::candidate::Intent;
use crate::id::{Application, Target};
use crate::text;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let Some(target) = &case.candidate.target else {
        return Ok(Pass::default());
    };
    // When nobody pushes, all deploy files are judged at once, and not the changes of one push.
    if case.facts.stage == Stage::Look || !is_change(case) {
        return Ok(Pass::default());
    }
    let others = others_of_its_groups(case, target);
    if others.is_empty() {
        return Ok(Pass::default());
    }

    let missing: Vec<&str> = others
        .iter()
        .filter(|other| !is_changed(case, target, other) && !is_slip(case, other))
        .map(Application::as_str)
        .collect();
    if missing.is_empty() {
        let names: Vec<&str> = others.iter().map(Application::as_str).collect();
        let note = format!("together with {}", names.join(", "));
        return Ok(Pass {
            with: others,
            ..Pass::note(note)
        });
    }

    let reason = case
        .target_facts()
        .and_then(|facts| facts.trailers.alone.as_ref());
    if let Some(reason) = reason {
        let (missing, reason_shown) = (missing.join(", "), text::escape(reason, 200));
        let note = format!("changes without {missing}: {reason_shown}");
        return Ok(Pass::because(ExceptionKind::Alone, reason, note));
    }
    Err(objection(&target.application, &missing))
}

fn objection(application: &Application, missing: &[&str]) -> Objection {
    let (last, others) = missing.split_last().unwrap_or((&"", &[]));
    let (names, unchanged) = if others.is_empty() {
        ((*last).to_owned(), *last)
    } else {
        (format!("{} and {last}", others.join(", ")), "them")
    };

    Objection::new(
        format!(
            "{application} must change together with {names}, \
             but this push does not change {unchanged}"
        ),
        format!(
            "change them in one push; to change {application} alone, give the reason in the \
             deploy commit, with the trailer Deploy-Alone: <reason>"
        ),
    )
}

/// Whether the candidate changes something that other applications could depend on. Deploying again
/// what was accepted before changes nothing.
fn is_change(case: &Case<'_>) -> bool {
    match &case.candidate.intent {
        Intent::Deploy(_) | Intent::Retire => true,
        Intent::Redeploy(revision) => {
            let newest = case.target_facts().and_then(|facts| facts.newest.as_ref());
            case.facts.has_record && newest.is_none_or(|newest| newest.revision != *revision)
        }
        Intent::Nothing | Intent::Unclear => false,
    }
}

/// The other applications of the groups that a target belongs to.
fn others_of_its_groups(case: &Case<'_>, target: &Target) -> BTreeSet<Application> {
    let groups = case.config.environment(&target.environment).together;
    groups
        .into_iter()
        .filter(|group| group.contains(&target.application))
        .flatten()
        .filter(|other| *other != target.application)
        .collect()
}

/// Whether a name in a group is misspelt. Then the rule `configured` refuses, and a reason for
/// changing an application alone would only hide the mistake.
fn is_slip(case: &Case<'_>, other: &Application) -> bool {
    let slips = case.target_facts().map(|facts| facts.slips.as_slice());
    let mut slips = slips.into_iter().flatten();
    slips.any(|(named, _)| named == other)
}

/// Whether the push changes another application in the environment of a target.
fn is_changed(case: &Case<'_>, target: &Target, other: &Application) -> bool {
    let is_other = |of: &Target| of.environment == target.environment && of.application == *other;
    case.all.iter().any(|candidate| {
        candidate.target.as_ref().is_some_and(is_other)
            && !matches!(candidate.intent, Intent::Nothing)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, B, added, ask, changed, file};
    use super::super::{Facts, TargetFacts, Trailers};
    use super::*;
    use crate::change::Change;

    const CONFIG: &str =
        "[environments.production]\ntogether = [[\"app\", \"other\"], [\"x\", \"y\"]]\n";
    const REFUSED: &str =
        "refused: app must change together with other, but this push does not change other";

    fn app() -> Change {
        added("production/app.deploy", file(A))
    }

    fn check(changes: Vec<Change>, alone: Option<&str>, expect: &str) {
        let target = TargetFacts {
            trailers: Trailers {
                alone: alone.map(str::to_owned),
                ..Trailers::default()
            },
            ..TargetFacts::default()
        };
        assert_eq!(
            ask(judge, CONFIG, changes, &Facts::default(), target),
            expect
        );
    }

    #[test]
    fn group_must_change_in_one_push() {
        let other = added("production/other.deploy", file(B));
        let other_environment = added("staging/other.deploy", file(B));

        check(vec![app(), other], None, "together with other");
        check(vec![app()], None, REFUSED);
        check(vec![app(), other_environment], None, REFUSED);
    }

    #[test]
    fn refusal_names_every_application_that_does_not_change() {
        let group = |names: &[&str]| objection(&Application::new("app").unwrap(), names).message;
        assert_eq!(
            group(&["a", "b", "c"]),
            "app must change together with a, b and c, but this push does not change them"
        );
    }

    #[test]
    fn reason_allows_a_change_alone() {
        check(
            vec![app()],
            Some("other is unchanged"),
            "changes without other: other is unchanged",
        );
    }

    #[test]
    fn application_outside_of_a_group_may_change_alone() {
        check(vec![added("staging/app.deploy", file(A))], None, "");
        check(vec![added("production/alone.deploy", file(A))], None, "");
    }

    #[test]
    fn edited_comment_of_the_other_application_does_not_count() {
        let comment = Change {
            old: file(&format!("{B}\n* one\n")),
            ..added("production/other.deploy", file(&format!("{B}\n* two\n")))
        };
        check(vec![app(), comment], None, REFUSED);
    }

    #[test]
    fn redeploy_is_no_change_but_retiring_is_one() {
        let old = format!("{A}\n");
        let redeploy = changed(&old, &format!("{A}\n{old}"));
        check(vec![redeploy], None, "");

        let retire = Change {
            old: file(A),
            ..added("production/app.deploy", None)
        };
        check(vec![retire], None, REFUSED);
    }
}
