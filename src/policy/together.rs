//! `together`: applications that belong together change in the same push, or the deploy commit says
//! why not: `Deploy-Alone: <reason>`.

use std::collections::BTreeSet;

use super::{Answer, Case, ExceptionKind, Objection, Pass, Stage};
use crate::candidate::Intent;
use crate::id::Application;
use crate::text;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let candidate = case.candidate;
    let Some(target) = &candidate.target else {
        return Ok(Pass::default());
    };
    // Deploying again what was accepted before changes nothing that the others could depend on; and
    // a look is at all files at once.
    let newest = case
        .facts
        .targets
        .get(target)
        .and_then(|facts| facts.newest.as_ref());
    let is_change = match &candidate.intent {
        Intent::Deploy(_) | Intent::Retire => true,
        Intent::Redeploy(revision) => {
            case.facts.has_record && newest.is_none_or(|newest| newest.revision != *revision)
        }
        Intent::Nothing | Intent::Unclear => false,
    };
    if !is_change || case.facts.stage == Stage::Look {
        return Ok(Pass::default());
    }
    let groups = case.config.environment(&target.environment).together;
    let own = groups
        .iter()
        .filter(|group| group.contains(&target.application));
    let others: BTreeSet<&Application> = own
        .flatten()
        .filter(|other| **other != target.application)
        .collect();
    if others.is_empty() {
        return Ok(Pass::default());
    }
    let changes = |other: &&&Application| {
        case.all.iter().any(|candidate| {
            let of_it = |of: &crate::id::Target| {
                of.environment == target.environment && of.application == ***other
            };
            candidate.target.as_ref().is_some_and(of_it)
                && !matches!(candidate.intent, Intent::Nothing)
        })
    };
    let missing: Vec<&str> = others
        .iter()
        .filter(|other| !changes(other))
        .map(|other| other.as_str())
        .collect();
    if missing.is_empty() {
        let with: BTreeSet<Application> = others.into_iter().cloned().collect();
        let names: Vec<&str> = with.iter().map(Application::as_str).collect();
        return Ok(Pass {
            with: with.clone(),
            ..Pass::note(format!("together with {}", names.join(", ")))
        });
    }
    let missing = missing.join(", ");
    let given = case
        .facts
        .targets
        .get(target)
        .and_then(|facts| facts.trailers.alone.as_ref());
    if let Some(reason) = given {
        let note = format!("without {missing}: {}", text::escape(reason, 200));
        return Ok(Pass::because(ExceptionKind::Alone, reason, note));
    }
    Err(Objection::new(
        format!("belongs together with {missing}, which does not change in the same push"),
        "change them in one push, or say why not in the deploy commit, with a trailer: Deploy-Alone: <reason>",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, B, added, ask, file};
    use super::super::{Facts, TargetFacts, Trailers};
    use super::*;
    use crate::change::Change;

    const CONFIG: &str =
        "[environments.production]\ntogether = [[\"app\", \"other\"], [\"x\", \"y\"]]\n";

    fn check(changes: Vec<Change>, alone: Option<&str>, expect: &str) {
        let trailers = Trailers {
            alone: alone.map(str::to_owned),
            ..Trailers::default()
        };
        let target = TargetFacts {
            trailers,
            ..TargetFacts::default()
        };
        assert_eq!(
            ask(judge, CONFIG, changes, &Facts::default(), target),
            expect
        );
    }

    #[test]
    fn groups() {
        let app = || added("production/app.deploy", file(A));
        let other = || added("production/other.deploy", file(B));
        let refused =
            "refused: belongs together with other, which does not change in the same push";
        check(vec![app(), other()], None, "together with other");
        check(vec![app()], None, refused);
        check(
            vec![app(), added("staging/other.deploy", file(B))],
            None,
            refused,
        );
        check(
            vec![app()],
            Some("other is unchanged"),
            "without other: other is unchanged",
        );
        check(vec![added("staging/app.deploy", file(A))], None, "");
        check(vec![added("production/alone.deploy", file(A))], None, "");
        let comment = Change {
            old: file(&format!("{B}\n* one\n")),
            ..added("production/other.deploy", file(&format!("{B}\n* two\n")))
        };
        check(vec![app(), comment], None, refused);
        let again = format!("{A}\n");
        let redeploy = Change {
            old: file(&again),
            ..added("production/app.deploy", file(&format!("{A}\n{again}")))
        };
        check(vec![redeploy], None, "");
        let retire = Change {
            old: file(A),
            ..added("production/app.deploy", None)
        };
        check(vec![retire], None, refused);
    }
}
