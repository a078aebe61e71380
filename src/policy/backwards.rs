//! What is deployed, and what was wanted last, must be part of what comes: nothing that was deployed is taken away again by accident. This is the
//! incident that the product exists for. A deploy commit that means it says `Deploy-Rollback: <reason>`.

use super::{Answer, Base, Case, Commits, Direction, ExceptionKind, Objection, Pass};
use crate::text;

/// How many of the commits that would be lost are named.
const NAMED_MAX: usize = 5;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let Some((_, revision, facts)) = case.asked() else { return Ok(Pass::default()) };
    // What waits or failed was judged against what is deployed when it was planned.
    let was_judged = facts.newest.as_ref().is_some_and(|newest| newest.revision == *revision);
    let deployed = facts.deployed.as_ref().filter(|_| !was_judged);
    let is_forward = |base: &&Base| matches!(base.direction, Direction::Same | Direction::Ahead);
    let wanted_goes_back = facts.wanted.as_ref().filter(|base| !is_forward(base));
    let deployed_goes_back = deployed.filter(|base| !is_forward(base));
    let Some(base) = wanted_goes_back.or(deployed_goes_back) else {
        let note = |base: &Base| match base.direction {
            Direction::Same => format!("the same as {}", base.revision.short()),
            _ => format!("contains {}", base.revision.short()),
        };
        return Ok(Pass { note: facts.deployed.as_ref().or(facts.wanted.as_ref()).map(note), ..Pass::default() });
    };
    let is_both = wanted_goes_back.is_some() && deployed_goes_back.is_some_and(|other| other.revision == base.revision);
    let which = match (wanted_goes_back, is_both) {
        (Some(_), true) => "which is deployed",
        (Some(_), false) => "which was wanted last",
        (None, _) => "which is deployed",
    };
    if let Some(reason) = &facts.trailers.rollback {
        let note = format!("a rollback from {}: {}", base.revision.short(), text::escape(reason, 200));
        let rolled_back = Some(base.revision.clone());
        return Ok(Pass { rolled_back, ..Pass::because(ExceptionKind::Rollback, reason, note) });
    }
    let short = base.revision.short();
    let mean_it = "if that is meant, say why in the deploy commit, with a trailer: Deploy-Rollback: <reason>";
    Err(match &base.direction {
        Direction::Behind(lost) => Objection::new(
            format!("would go back {} from {short}, {which}, and lose:{}", count(lost), named(lost)),
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
        Direction::Unknown(why) => {
            Objection::fault(format!("can't be compared with {short}, {which}: {}", text::escape(why, 300)), mean_it)
        }
        Direction::Same | Direction::Ahead => return Ok(Pass::default()),
    })
}

fn count(commits: &Commits) -> String {
    if commits.count == 1 { "1 commit".to_owned() } else { format!("{} commits", commits.count) }
}

/// A line for each of the newest commits, and one for the rest.
fn named(commits: &Commits) -> String {
    let lines = commits.newest.iter().take(NAMED_MAX);
    let mut text: String =
        lines.map(|commit| format!("\n{} {}", commit.id.short(), text::escape(&commit.subject, 80))).collect();
    let more = commits.count.saturating_sub(commits.newest.len().min(NAMED_MAX) as u64);
    if more > 0 {
        text.push_str(&format!("\n… and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, B, PATH, added, answer, ask_deploy, file, revision};
    use super::super::{Commit, Facts, Newest, TargetFacts, Trailers};
    use super::*;
    use crate::id::DeploymentId;
    use crate::time::Timestamp;

    fn commits(count: u64, subjects: &[&str]) -> Commits {
        let commit = |subject: &&str| Commit {
            id: revision(B),
            author: "A".into(),
            committed_at: Timestamp::default(),
            subject: (*subject).to_owned(),
        };
        Commits { count, newest: subjects.iter().map(commit).collect() }
    }

    fn base(direction: Direction) -> Option<Base> {
        Some(Base { revision: revision(B), direction })
    }

    fn ask(wanted: Option<Base>, deployed: Option<Base>) -> String {
        let facts = TargetFacts { wanted, deployed, ..TargetFacts::default() };
        ask_deploy(judge, "", &Facts::default(), facts)
    }

    #[test]
    fn forward_is_free() {
        assert_eq!(ask(None, None), "");
        assert_eq!(ask(base(Direction::Ahead), base(Direction::Ahead)), "contains 0170b60");
        assert_eq!(ask(base(Direction::Same), None), "the same as 0170b60");
    }

    #[test]
    fn back_is_refused_and_says_what_would_be_lost() {
        let behind = || base(Direction::Behind(commits(37, &["one", "two\x1b[31m", "three", "four", "five", "six"])));
        let lost =
            "and lose:\n0170b60 one\n0170b60 two\\u{1b}[31m\n0170b60 three\n0170b60 four\n0170b60 five\n… and 32 more";
        let back = |which| format!("refused: would go back 37 commits from 0170b60, {which}, {lost}");
        assert_eq!(ask(behind(), behind()), back("which is deployed"));
        assert_eq!(ask(behind(), None), back("which was wanted last"));
        assert_eq!(ask(base(Direction::Ahead), behind()), back("which is deployed"));
        let diverged = Direction::Diverged { gained: commits(2, &["new"]), lost: commits(1, &["old"]) };
        assert_eq!(
            ask(None, base(diverged)),
            "refused: has diverged from 0170b60, which is deployed: it would gain 2 commits and lose 1 commit:\n0170b60 old"
        );
        assert_eq!(
            ask(None, base(Direction::Unknown("it is gone".into()))),
            "refused: can't be compared with 0170b60, which is deployed: it is gone"
        );
    }

    #[test]
    fn a_reason_allows_it_and_is_kept() {
        let trailers = Trailers { rollback: Some("alarms".into()), ..Trailers::default() };
        let facts =
            TargetFacts { wanted: base(Direction::Behind(commits(1, &["x"]))), trailers, ..TargetFacts::default() };
        let pass = answer(judge, "", vec![added(PATH, file(A))], &Facts::default(), facts).unwrap();
        assert_eq!(pass.rolled_back, Some(revision(B)));
        assert_eq!(
            pass.exception.map(|exception| (exception.kind, exception.reason)),
            Some((ExceptionKind::Rollback, "alarms".into()))
        );
        assert_eq!(pass.note.as_deref(), Some("a rollback from 0170b60: alarms"));
    }

    #[test]
    fn what_was_judged_when_it_was_planned_is_not_judged_again() {
        let newest = Some(Newest { id: DeploymentId(7), revision: revision(A), rollback: None });
        let facts =
            TargetFacts { deployed: base(Direction::Behind(commits(1, &["x"]))), newest, ..TargetFacts::default() };
        assert_eq!(ask_deploy(judge, "", &Facts::default(), facts), "contains 0170b60");
    }
}
