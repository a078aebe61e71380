//! The revision is a commit of the application's repository. A repository that can't be read refuses: nothing is deployed on a guess.

use super::{Facts, Objection, RevisionFact};
use crate::config::Config;
use crate::plan::Candidate;

pub(super) fn judge(_: &Config, candidate: &Candidate, facts: &Facts) -> Result<(), Objection> {
    let (Some(target), Some(revision)) = (&candidate.target, candidate.revision()) else { return Ok(()) };
    let application = &target.application;
    match facts.revisions.get(target) {
        None | Some(RevisionFact::Commit) => Ok(()),
        Some(RevisionFact::Missing) => Err(Objection::new(
            format!("{} is not in the repository of {application}", revision.short()),
            "push it there first, or correct the hash",
        )),
        Some(RevisionFact::NotACommit(kind)) => Err(Objection::new(
            format!("{} is a {kind} of {application}, not a commit", revision.short()),
            "write the hash of the commit, as git rev-parse NAME^{commit} prints it",
        )),
        Some(RevisionFact::Unreadable(why)) => Err(Objection::new(
            format!("the repository of {application} can't be read: {why}"),
            "ask the server's administrator to mend it; deploy-by-code doctor shows more",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, added, ask, candidate, file};
    use super::*;

    #[test]
    fn facts() {
        let table = [
            (None, ""),
            (Some(RevisionFact::Commit), ""),
            (Some(RevisionFact::Missing), "6037512 is not in the repository of app"),
            (Some(RevisionFact::NotACommit("tree")), "6037512 is a tree of app, not a commit"),
            (Some(RevisionFact::Unreadable("/x: gone".into())), "the repository of app can't be read: /x: gone"),
        ];
        for (fact, expect) in table {
            let change = added("production/app.deploy", file(A));
            let target = candidate(change.clone()).target.unwrap();
            let facts = Facts { revisions: fact.into_iter().map(|fact| (target.clone(), fact)).collect() };
            assert_eq!(ask(judge, "", change, &facts), expect);
        }
    }
}
