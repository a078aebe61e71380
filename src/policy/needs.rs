//! The rule `needs`: what the code itself declares that it needs must be there.
//!
//! A commit that a deployment gains can have the trailer `Deploy-After: <application> <commit>`.
//! Then the named application must be deployed in the same environment, at a revision that contains
//! the named commit. Or the same push deploys such a revision; then that application goes first. A
//! rollback that takes away what another application needs is allowed, with a warning.

use super::{
    Answer, Case, Dependant, ExceptionKind, Need, NeedState, Objection, Pass, TargetFacts,
};
use crate::id::{Application, Revision, Target};
use crate::text;

/// How many unfulfilled needs a message names.
const NAMED_MAX: usize = 5;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let Some((target, revision, facts)) = case.asked() else {
        return Ok(Pass::default());
    };

    let mut pass = Pass {
        note: note(facts),
        ..Pass::default()
    };
    let mut unmet = Vec::new();
    let mut is_unknown = false;
    if let Some(why) = &facts.needs_unknown {
        if facts.trailers.alone.is_none() {
            return Err(unreadable(revision, why));
        }
        unmet.push(text::escape(why, 200));
    }
    for need in &facts.needs {
        is_unknown |= matches!(need.state, NeedState::Unknown(_));
        match need.state {
            NeedState::Deployed(_) => {}
            NeedState::SamePush(_) => pass.first.extend([need.application.clone()]),
            NeedState::TooOld(_) | NeedState::Missing(_) | NeedState::Unknown(_) => {
                unmet.push(describe(need));
            }
        }
    }
    let warning = |dependant| warning(&target.application, dependant);
    pass.warnings = facts.dependants.iter().map(warning).collect();
    pass.warnings
        .extend(facts.dependants_unknown.as_deref().map(unknown_warning));

    if unmet.is_empty() {
        return Ok(pass);
    }
    let Some(reason) = &facts.trailers.alone else {
        return Err(Objection {
            // Once the answer can be had, it is judged again.
            is_fault: is_unknown,
            ..objection(target, revision, unmet)
        });
    };
    let note = format!(
        "deploys without what it needs: {}",
        text::escape(reason, 200)
    );
    let Pass {
        note, exception, ..
    } = Pass::because(ExceptionKind::Alone, reason, note);
    Ok(Pass {
        note,
        exception,
        ..pass
    })
}

/// How many needs there are, and whether all of them were looked for.
fn note(facts: &TargetFacts) -> Option<String> {
    let count = facts.needs.len();
    let declared = match count {
        0 => None,
        1 => Some("the gained commits declare 1 need".to_owned()),
        count => Some(format!("the gained commits declare {count} needs")),
    };

    let notes: Vec<String> = declared
        .into_iter()
        .chain(facts.needs_bound.clone())
        .collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

fn warning(application: &Application, dependant: &Dependant) -> String {
    format!(
        "this would remove commit {} of {application}, which {} (deployed at {}) needs",
        dependant.commit.short(),
        dependant.application,
        dependant.deployed.short(),
    )
}

fn unknown_warning(why: &str) -> String {
    let why = text::escape(why, 200);
    format!("it can't be found out whether another application needs what this would remove: {why}")
}

/// Why a need is not fulfilled, in one line.
fn describe(need: &Need) -> String {
    let by = need.declared_by.short();
    let application = &need.application;
    let commit = match Revision::new(need.commit.clone()) {
        Ok(commit) => commit.short().to_owned(),
        Err(_) => text::escape(&need.commit, 64),
    };

    let needs = format!("{by} needs commit {commit} of {application}");
    match &need.state {
        NeedState::TooOld(revision) => {
            let pushed = revision.short();
            format!("{needs}, but this push deploys {pushed}, which does not contain it")
        }
        NeedState::Missing(Some(deployed)) => {
            let deployed = deployed.short();
            format!("{needs}, but {deployed} is deployed, which does not contain it")
        }
        NeedState::Missing(None) => format!("{needs}, but {application} is not deployed there"),
        NeedState::Unknown(why) => {
            let why = text::escape(why, 200);
            format!("{needs}, but this can't be checked: {why}")
        }
        NeedState::Deployed(_) | NeedState::SamePush(_) => needs,
    }
}

/// The objection where nobody knows what a revision needs.
fn unreadable(revision: &Revision, why: &str) -> Objection {
    Objection::fault(
        format!(
            "the commits that {} would add can't be read, so what they need is unknown: {}",
            revision.short(),
            text::escape(why, 200)
        ),
        "ask the server's administrator to fix it; deploy-by-code doctor shows more",
    )
}

fn objection(target: &Target, revision: &Revision, mut unmet: Vec<String>) -> Objection {
    let more = unmet.len().saturating_sub(NAMED_MAX);
    unmet.truncate(NAMED_MAX);
    if more > 0 {
        unmet.push(format!("… and {more} more"));
    }

    let (short, environment) = (revision.short(), &target.environment);
    Objection::new(
        format!(
            "{short} needs commits that are not deployed in {environment}:\n{}",
            unmet.join("\n")
        ),
        format!(
            "deploy them to {environment} first or in the same push; to deploy {short} without \
             them, give the reason in the deploy commit, with the trailer Deploy-Alone: <reason>"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, B, PATH, added, answer, file, revision};
    use super::super::{Facts, Trailers};
    use super::*;

    fn need(application: &str, state: NeedState) -> Need {
        Need {
            declared_by: revision(A),
            application: Application::new(application).unwrap(),
            commit: B.to_owned(),
            state,
        }
    }

    fn judge_facts(facts: TargetFacts) -> Answer {
        let changes = vec![added(PATH, file(A))];
        answer(judge, "", changes, &Facts::default(), facts)
    }

    fn judge_needs(needs: Vec<Need>, alone: Option<&str>) -> Answer {
        judge_facts(TargetFacts {
            needs,
            trailers: Trailers {
                alone: alone.map(str::to_owned),
                ..Trailers::default()
            },
            ..TargetFacts::default()
        })
    }

    fn unmet() -> Vec<Need> {
        vec![
            need("db", NeedState::Missing(Some(revision(A)))),
            need("cache", NeedState::TooOld(revision(A))),
            need("web", NeedState::Missing(None)),
            need("x", NeedState::Unknown("/x: gone\n".into())),
        ]
    }

    #[test]
    fn fulfilled_needs_are_counted() {
        assert_eq!(judge_needs(vec![], None), Ok(Pass::default()));

        let deployed = need("db", NeedState::Deployed(revision(B)));
        let pass = judge_needs(vec![deployed], None).unwrap();
        assert_eq!(
            pass.note.as_deref(),
            Some("the gained commits declare 1 need")
        );
        assert!(pass.first.is_empty());
    }

    #[test]
    fn need_that_the_same_push_fulfills_goes_first() {
        let same_push = need("db", NeedState::SamePush(revision(B)));
        let pass = judge_needs(vec![same_push], None).unwrap();
        assert_eq!(pass.first, [Application::new("db").unwrap()].into());
    }

    #[test]
    fn unfulfilled_needs_are_refused_each_with_its_cause() {
        assert_eq!(
            judge_needs(unmet(), None).unwrap_err().message,
            "6037512 needs commits that are not deployed in production:\n\
             6037512 needs commit 0170b60 of db, but 6037512 is deployed, \
             which does not contain it\n\
             6037512 needs commit 0170b60 of cache, but this push deploys 6037512, \
             which does not contain it\n\
             6037512 needs commit 0170b60 of web, but web is not deployed there\n\
             6037512 needs commit 0170b60 of x, but this can't be checked: /x: gone\\n"
        );
    }

    #[test]
    fn unknown_needs_are_judged_again_later() {
        let is_fault = |needs| judge_needs(needs, None).unwrap_err().is_fault;
        assert!(is_fault(unmet()));
        assert!(!is_fault(vec![need("web", NeedState::Missing(None))]));

        let unreadable = |alone: Option<&str>| {
            judge_facts(TargetFacts {
                needs_unknown: Some("/x: gone\n".into()),
                trailers: Trailers {
                    alone: alone.map(str::to_owned),
                    ..Trailers::default()
                },
                ..TargetFacts::default()
            })
        };
        let refused = unreadable(None).unwrap_err();
        assert!(refused.is_fault);
        assert_eq!(
            refused.message,
            "the commits that 6037512 would add can't be read, so what they need is unknown: \
             /x: gone\\n"
        );
        let exception = unreadable(Some("not used yet")).unwrap().exception.unwrap();
        assert_eq!(exception.kind, ExceptionKind::Alone);
    }

    #[test]
    fn unfulfilled_needs_beyond_five_are_only_counted() {
        let missing = need("db", NeedState::Missing(None));
        let message = judge_needs(vec![missing; 8], None).unwrap_err().message;
        assert!(message.ends_with("\n… and 3 more"), "{message}");
    }

    #[test]
    fn unfulfilled_needs_are_allowed_with_a_reason() {
        let pass = judge_needs(unmet(), Some("not used yet")).unwrap();
        assert_eq!(
            pass.note.as_deref(),
            Some("deploys without what it needs: not used yet")
        );
        assert_eq!(
            pass.exception.map(|exception| exception.kind),
            Some(ExceptionKind::Alone)
        );
    }

    #[test]
    fn rollback_of_what_another_application_needs_warns() {
        let dependant = Dependant {
            application: Application::new("web").unwrap(),
            deployed: revision(A),
            commit: revision(B),
        };
        let pass = judge_facts(TargetFacts {
            dependants: vec![dependant],
            ..TargetFacts::default()
        });
        assert_eq!(
            pass.unwrap().warnings,
            ["this would remove commit 0170b60 of app, which web (deployed at 6037512) needs"]
        );
    }
}
