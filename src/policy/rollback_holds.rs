//! A rollback holds: while the newest deployment is one, what it took away does not come back in the next push of somebody who has not heard of it.
//! A deploy commit that knows says `Deploy-Release: <reason>`.

use super::{Answer, Case, ExceptionKind, Objection, Pass};
use crate::text;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let Some((_, revision, facts)) = case.asked() else { return Ok(Pass::default()) };
    let Some(newest) = facts.newest.as_ref().filter(|newest| newest.revision != *revision) else {
        return Ok(Pass::default());
    };
    let Some(rollback) = newest.rollback.as_ref().filter(|rollback| rollback.is_contained) else {
        return Ok(Pass::default());
    };
    let (from, id) = (rollback.from.short(), newest.id);
    if let Some(reason) = &facts.trailers.release {
        let note = format!("releases {from}, which {id} rolled back: {}", text::escape(reason, 200));
        return Ok(Pass::because(ExceptionKind::Release, reason, note));
    }
    let message = format!("contains {from}, which {id} rolled back: {}", text::escape(&rollback.reason, 200));
    let hint = "if what was wrong is mended, say so in the deploy commit, with a trailer: Deploy-Release: <reason>";
    Err(Objection::new(message, hint))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, B, ask_deploy, revision};
    use super::super::{Facts, Newest, Rollback, TargetFacts, Trailers};
    use super::*;
    use crate::id::DeploymentId;

    #[test]
    fn the_hold() {
        let ask = |newest: &str, contained: Option<bool>, release: Option<&str>| {
            let rollback =
                contained.map(|is_contained| Rollback { from: revision(B), reason: "alarms".into(), is_contained });
            let newest = Some(Newest { id: DeploymentId(7), revision: revision(newest), rollback });
            let trailers = Trailers { release: release.map(str::to_owned), ..Trailers::default() };
            let facts = TargetFacts { newest, trailers, ..TargetFacts::default() };
            ask_deploy(judge, "", &Facts::default(), facts)
        };
        assert_eq!(ask(B, None, None), "");
        assert_eq!(ask(B, Some(false), None), "");
        assert_eq!(ask(A, Some(true), None), "");
        assert_eq!(ask(B, Some(true), None), "refused: contains 0170b60, which #7 rolled back: alarms");
        assert_eq!(ask(B, Some(true), Some("fixed")), "releases 0170b60, which #7 rolled back: fixed");
    }
}
