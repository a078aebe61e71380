//! What the code itself declares that it needs: `Deploy-After: <application> <commit>` in a commit
//! that a deployment gains. The named application must, in the same environment, be deployed at a
//! revision with that commit, or be brought there by the same push, and then it goes first. A
//! rollback that takes away what somebody needs is allowed, with a warning.

use super::{Answer, Case, ExceptionKind, Need, NeedState, Objection, Pass};
use crate::text;

/// How many unmet needs are named.
const NAMED_MAX: usize = 5;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let Some((target, _, facts)) = case.asked() else {
        return Ok(Pass::default());
    };
    let mut pass = Pass::default();
    let mut unmet = Vec::new();
    for need in &facts.needs {
        match need.state {
            NeedState::Deployed(_) => {}
            NeedState::SamePush(_) => pass.first.extend([need.application.clone()]),
            NeedState::TooOld(_) | NeedState::Missing(_) | NeedState::Unknown(_) => {
                unmet.push(describe(need))
            }
        }
    }
    for dependant in &facts.dependants {
        pass.warnings.push(format!(
            "{}, deployed at {}, needs commit {} of {}, which would be lost",
            dependant.application,
            dependant.deployed.short(),
            dependant.commit.short(),
            target.application
        ));
    }
    let mut notes = Vec::new();
    if !facts.needs.is_empty() {
        notes.push(format!(
            "{} declared by the commits gained",
            facts.needs.len()
        ));
    }
    notes.extend(facts.needs_bound.clone());
    pass.note = (!notes.is_empty()).then(|| notes.join("; "));
    if unmet.is_empty() {
        return Ok(pass);
    }
    if let Some(reason) = &facts.trailers.alone {
        let note = format!("without what it needs: {}", text::escape(reason, 200));
        let Pass {
            note, exception, ..
        } = Pass::because(ExceptionKind::Alone, reason, note);
        return Ok(Pass {
            note,
            exception,
            ..pass
        });
    }
    let more = unmet.len().saturating_sub(NAMED_MAX);
    unmet.truncate(NAMED_MAX);
    if more > 0 {
        unmet.push(format!("… and {more} more"));
    }
    let hint = format!(
        "deploy that to {} first or in the same push, or say why not in the deploy commit, with a trailer: Deploy-Alone: <reason>",
        target.environment
    );
    Err(Objection::new(
        format!("needs what is not there:\n{}", unmet.join("\n")),
        hint,
    ))
}

fn describe(need: &Need) -> String {
    let by = need.declared_by.short();
    let (application, commit) = (
        &need.application,
        text::escape(need.commit.get(..7).unwrap_or(&need.commit), 64),
    );
    let there = match &need.state {
        NeedState::TooOld(revision) => format!(
            "this push brings {}, which does not contain it",
            revision.short()
        ),
        NeedState::Missing(Some(deployed)) => format!(
            "{} is deployed, which does not contain it",
            deployed.short()
        ),
        NeedState::Missing(None) => format!("{application} was never deployed there"),
        NeedState::Unknown(why) => text::escape(why, 200),
        NeedState::Deployed(_) | NeedState::SamePush(_) => String::new(),
    };
    format!("{by} needs {application} {commit}: {there}")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, B, PATH, added, answer, file, revision};
    use super::super::{Dependant, Facts, TargetFacts, Trailers};
    use super::*;
    use crate::id::Application;

    fn need(application: &str, state: NeedState) -> Need {
        let application = Application::new(application).unwrap();
        Need {
            declared_by: revision(A),
            application,
            commit: B.to_owned(),
            state,
        }
    }

    fn judged(needs: Vec<Need>, alone: Option<&str>) -> Answer {
        let trailers = Trailers {
            alone: alone.map(str::to_owned),
            ..Trailers::default()
        };
        let facts = TargetFacts {
            needs,
            trailers,
            ..TargetFacts::default()
        };
        answer(
            judge,
            "",
            vec![added(PATH, file(A))],
            &Facts::default(),
            facts,
        )
    }

    #[test]
    fn what_is_needed() {
        assert_eq!(judged(vec![], None), Ok(Pass::default()));
        let met = judged(vec![need("db", NeedState::Deployed(revision(B)))], None).unwrap();
        assert_eq!(
            (met.note.as_deref(), met.first.len()),
            (Some("1 declared by the commits gained"), 0)
        );
        let same = judged(vec![need("db", NeedState::SamePush(revision(B)))], None).unwrap();
        assert_eq!(
            same.first
                .iter()
                .map(Application::as_str)
                .collect::<Vec<_>>(),
            ["db"]
        );
        let unmet = || {
            vec![
                need("db", NeedState::Missing(Some(revision(A)))),
                need("web", NeedState::Missing(None)),
                need("x", NeedState::Unknown("/x: gone\n".into())),
            ]
        };
        assert_eq!(
            judged(unmet(), None).unwrap_err().message,
            "needs what is not there:\n6037512 needs db 0170b60: 6037512 is deployed, which does not contain it\n\
             6037512 needs web 0170b60: web was never deployed there\n6037512 needs x 0170b60: /x: gone\\n"
        );
        let alone = judged(unmet(), Some("not used yet")).unwrap();
        assert_eq!(
            alone.note.as_deref(),
            Some("without what it needs: not used yet")
        );
        let many = judged(
            (0..8)
                .map(|_| need("db", NeedState::Missing(None)))
                .collect(),
            None,
        )
        .unwrap_err();
        assert!(many.message.ends_with("\n… and 3 more"), "{}", many.message);
    }

    #[test]
    fn a_rollback_across_what_others_need_warns() {
        let dependant = Dependant {
            application: Application::new("web").unwrap(),
            deployed: revision(A),
            commit: revision(B),
        };
        let facts = TargetFacts {
            dependants: vec![dependant],
            ..TargetFacts::default()
        };
        let pass = answer(
            judge,
            "",
            vec![added(PATH, file(A))],
            &Facts::default(),
            facts,
        )
        .unwrap();
        assert_eq!(
            pass.warnings,
            ["web, deployed at 6037512, needs commit 0170b60 of app, which would be lost"]
        );
    }
}
