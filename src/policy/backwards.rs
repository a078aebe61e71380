//! What is deployed, and what was wanted last, must be part of what comes: nothing that was
//! deployed is taken away again by accident. This is the incident that the product exists for. A
//! deploy commit that means it says `Deploy-Rollback: <reason>`.

use super::{Answer, Base, Case, Commits, Direction, ExceptionKind, Objection, Pass, Stage};
use crate::candidate::Intent;
use crate::text;

/// How many of the commits that would be lost are named.
const NAMED_MAX: usize = 5;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let Some((_, revision, facts)) = case.asked() else {
        return Ok(Pass::default());
    };
    let bases = [
        (&facts.wanted, "which was wanted last"),
        (&facts.deployed, "which is deployed"),
        (&facts.under_way, "which is under way"),
    ];
    let known = bases
        .into_iter()
        .filter_map(|(base, which)| Some((base.as_ref()?, which)));
    let goes_back =
        |(base, _): &(&Base, &str)| !matches!(base.direction, Direction::Same | Direction::Ahead);
    let Some((base, which)) = known.clone().find(goes_back) else {
        let note = |base: &Base| match base.direction {
            Direction::Same => format!("the same as {}", base.revision.short()),
            _ => format!("contains {}", base.revision.short()),
        };
        // Without a repository nobody can tell; what the commit says goes on record all the same.
        if let (None, Some(reason)) = (&facts.revision, &facts.trailers.rollback) {
            let note = format!("a rollback, not judged: {}", text::escape(reason, 200));
            return Ok(Pass::because(ExceptionKind::Rollback, reason, note));
        }
        return Ok(Pass {
            note: facts.deployed.as_ref().or(facts.wanted.as_ref()).map(note),
            ..Pass::default()
        });
    };
    let is_deployed = facts
        .deployed
        .as_ref()
        .is_some_and(|deployed| deployed.revision == base.revision);
    let which = if is_deployed {
        "which is deployed"
    } else {
        which
    };
    // The same again, and what merely stands there, keep the reason by which they came.
    let is_new =
        matches!(case.candidate.intent, Intent::Deploy(_)) && case.facts.stage != Stage::Look;
    let earlier = facts
        .newest
        .as_ref()
        .filter(|newest| !is_new && newest.revision == *revision);
    let given = facts
        .trailers
        .rollback
        .as_ref()
        .map(|reason| (ExceptionKind::Rollback, reason));
    let earlier = earlier
        .and_then(|newest| newest.went_back.as_ref())
        .map(|went| (went.kind, &went.reason));
    if let Some((kind, reason)) = given.or(earlier) {
        let note = format!(
            "a rollback from {}: {}",
            base.revision.short(),
            text::escape(reason, 200)
        );
        return Ok(Pass {
            rolled_back: Some(base.revision.clone()),
            ..Pass::because(kind, reason, note)
        });
    }
    let short = base.revision.short();
    let mean_it =
        "if that is meant, say why in the deploy commit, with a trailer: Deploy-Rollback: <reason>";
    Err(match &base.direction {
        Direction::Behind(lost) => Objection::new(
            format!(
                "would go back {} from {short}, {which}, and lose:{}",
                count(lost),
                named(lost)
            ),
            mean_it,
        ),
        Direction::Diverged { gained, lost } => Objection::new(
            format!(
                "has diverged from {short}, {which}: it would gain {} and lose {}:{}",
                count(gained),
                count(lost),
                named(lost)
            ),
            format!("merge {short} into it first; {mean_it}"),
        ),
        Direction::Unknown(why) => Objection::fault(
            format!(
                "can't be compared with {short}, {which}: {}",
                text::escape(why, 300)
            ),
            mean_it,
        ),
        Direction::Same | Direction::Ahead => return Ok(Pass::default()),
    })
}

fn count(commits: &Commits) -> String {
    if commits.count == 1 {
        "1 commit".to_owned()
    } else {
        format!("{} commits", commits.count)
    }
}

/// A line for each of the newest commits, and one for the rest.
fn named(commits: &Commits) -> String {
    let lines = commits.newest.iter().take(NAMED_MAX);
    let mut text: String = lines
        .map(|commit| {
            format!(
                "\n{} {}",
                commit.id.short(),
                text::escape(&commit.subject, 80)
            )
        })
        .collect();
    let more = commits
        .count
        .saturating_sub(commits.newest.len().min(NAMED_MAX) as u64);
    if more > 0 {
        text.push_str(&format!("\n… and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, B, PATH, added, answer, ask, ask_deploy, file, revision};
    use super::super::{Commit, Exception, Facts, Newest, TargetFacts, Trailers};
    use super::*;
    use crate::change::Change;
    use crate::id::DeploymentId;
    use crate::time::Timestamp;

    fn commits(count: u64, subjects: &[&str]) -> Commits {
        let commit = |subject: &&str| Commit {
            id: revision(B),
            author: "A".into(),
            committed_at: Timestamp::default(),
            subject: (*subject).to_owned(),
        };
        Commits {
            count,
            newest: subjects.iter().map(commit).collect(),
        }
    }

    fn base(direction: Direction) -> Option<Base> {
        Some(Base {
            revision: revision(B),
            direction,
        })
    }

    fn ask_bases(wanted: Option<Base>, deployed: Option<Base>) -> String {
        let facts = TargetFacts {
            wanted,
            deployed,
            ..TargetFacts::default()
        };
        ask_deploy(judge, "", &Facts::default(), facts)
    }

    #[test]
    fn forward_is_free() {
        assert_eq!(ask_bases(None, None), "");
        assert_eq!(
            ask_bases(base(Direction::Ahead), base(Direction::Ahead)),
            "contains 0170b60"
        );
        assert_eq!(
            ask_bases(base(Direction::Same), None),
            "the same as 0170b60"
        );
    }

    #[test]
    fn back_is_refused_and_says_what_would_be_lost() {
        let behind = || {
            base(Direction::Behind(commits(
                37,
                &["one", "two\x1b[31m", "three", "four", "five", "six"],
            )))
        };
        let lost = "and lose:\n0170b60 one\n0170b60 two\\u{1b}[31m\n0170b60 three\n0170b60 four\n0170b60 five\n… and 32 more";
        let back =
            |which| format!("refused: would go back 37 commits from 0170b60, {which}, {lost}");
        assert_eq!(ask_bases(behind(), behind()), back("which is deployed"));
        assert_eq!(ask_bases(behind(), None), back("which was wanted last"));
        assert_eq!(
            ask_bases(base(Direction::Ahead), behind()),
            back("which is deployed")
        );
        let diverged = Direction::Diverged {
            gained: commits(2, &["new"]),
            lost: commits(1, &["old"]),
        };
        assert_eq!(
            ask_bases(None, base(diverged)),
            "refused: has diverged from 0170b60, which is deployed: it would gain 2 commits and lose 1 commit:\n0170b60 old"
        );
        assert_eq!(
            ask_bases(None, base(Direction::Unknown("it is gone".into()))),
            "refused: can't be compared with 0170b60, which is deployed: it is gone"
        );
    }

    #[test]
    fn a_reason_allows_it_and_is_kept() {
        let trailers = Trailers {
            rollback: Some("alarms".into()),
            ..Trailers::default()
        };
        let facts = TargetFacts {
            wanted: base(Direction::Behind(commits(1, &["x"]))),
            trailers,
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
        assert_eq!(pass.rolled_back, Some(revision(B)));
        assert_eq!(
            pass.exception
                .map(|exception| (exception.kind, exception.reason)),
            Some((ExceptionKind::Rollback, "alarms".into()))
        );
        assert_eq!(
            pass.note.as_deref(),
            Some("a rollback from 0170b60: alarms")
        );
    }

    #[test]
    fn the_same_again_keeps_its_reason() {
        let facts = |went_back: Option<&str>| {
            let exception = |reason: &str| Exception {
                kind: ExceptionKind::Rollback,
                reason: reason.to_owned(),
            };
            let newest = Newest {
                id: DeploymentId(7),
                revision: revision(A),
                went_back: went_back.map(exception),
            };
            let deployed = base(Direction::Behind(commits(1, &["x"])));
            TargetFacts {
                deployed,
                newest: Some(newest),
                ..TargetFacts::default()
            }
        };
        let again = || {
            let old = format!("{A}\n");
            vec![Change {
                old: file(&old),
                ..added(PATH, file(&format!("{A}\n{old}")))
            }]
        };
        let ask_again = |went_back| ask(judge, "", again(), &Facts::default(), facts(went_back));
        assert_eq!(ask_again(Some("alarms")), "a rollback from 0170b60: alarms");
        assert!(ask_again(None).starts_with("refused: would go back"));
        // A file that comes back asks anew; what merely stands there does not.
        let new = |stage| {
            ask_deploy(
                judge,
                "",
                &Facts {
                    stage,
                    ..Facts::default()
                },
                facts(Some("alarms")),
            )
        };
        assert!(new(Stage::Before).starts_with("refused: would go back"));
        assert_eq!(new(Stage::Look), "a rollback from 0170b60: alarms");
    }

    #[test]
    fn what_is_under_way_counts_too() {
        let under_way = base(Direction::Behind(commits(1, &["x"])));
        let facts = TargetFacts {
            under_way,
            ..TargetFacts::default()
        };
        let said = ask_deploy(judge, "", &Facts::default(), facts);
        assert_eq!(
            said,
            "refused: would go back 1 commit from 0170b60, which is under way, and lose:\n0170b60 x"
        );
    }
}
