//! What people are told while the tip of the deploy branch can't be read.

use crate::git;
use crate::id::Revision;
use crate::policy::Refusal;

/// The problem of a deploy branch whose tip is damaged: it is no commit, or an object of it is
/// missing or can't be parsed. `planned` is the commit up to which the branch was planned. What was
/// planned stays as it is, and a push that repairs the branch is accepted.
#[must_use]
pub fn unreadable_tip(
    branch: &str,
    tip: &Revision,
    planned: Option<&Revision>,
    error: &git::Error,
) -> Refusal {
    let hint = match planned {
        // The branch is where it has to be, and only objects are missing.
        Some(planned) if planned == tip => format!(
            "everything up to there is planned, so push the next commit; if git refuses it because \
             objects are missing, bring them back on the server, from a clone that has them: git \
             fetch CLONE {branch}"
        ),
        Some(planned) => format!(
            "set the branch back on the server: git update-ref {branch} {planned} (everything up \
             to there is planned); or push a commit that contains it, with git push --force, which \
             git refuses while it misses the tip itself"
        ),
        None => "push a commit whose deploy files can be read, with git push --force".to_owned(),
    };
    Refusal {
        path: branch.as_bytes().to_vec(),
        message: format!("the tip {tip} can't be read, so nothing new is deployed: {error}"),
        hint,
        // Once the branch is repaired, it is planned.
        is_fault: true,
    }
}
