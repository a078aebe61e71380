//! What the hooks tell the pusher, in lines that begin with the program's name.

use crate::hook::{Announcement, Verdict};
use crate::id::{Application, DeploymentId, Revision, Target};
use crate::planning::{Queued, QueuedByOther};
use crate::policy::{Approval, Exception};
use crate::report::{not_deployed_lines, refusal_lines};
use crate::status::Status;
use crate::store::Deployment;
use crate::text;

/// The lines of pre-receive.
pub(super) fn verdict(verdict: &Verdict) -> String {
    let refusals = verdict.refusals.iter();
    let mut lines: String = refusals
        .map(|refusal| refusal_lines("deploy-by-code: refused", refusal))
        .collect();

    if let Some(error) = &verdict.failure {
        let message = text::with_causes(error);
        let mut message = message.lines();
        let first = message.next().unwrap_or_default();
        lines.push_str(&format!("deploy-by-code: refused: {first}\n"));
        message.for_each(|line| lines.push_str(&format!("  {line}\n")));
        let hint = error.hint();
        lines.extend(hint.map(|hint| format!("  hint: {hint}\n")));
    }

    for Queued { id, planned } in &verdict.caught_up {
        let (target, to) = (planned.target(), planned.revision().short());
        let line = format!("deploy-by-code: {id} {target} {to} queued, from an earlier push\n");
        lines.push_str(&line);
    }
    for (path, warning) in &verdict.warnings {
        let path = text::escape(path, 200);
        lines.push_str(&format!("deploy-by-code: warning {path}: {warning}\n"));
    }
    lines
}

/// The line that says why a command or a hook waits: the repository of an application is fetched
/// from another host.
pub(super) fn fetching(application: &Application) -> String {
    format!("deploy-by-code: fetching {application}…\n")
}

/// The lines of post-receive.
pub(super) fn announcements(announcements: &[Announcement]) -> String {
    let each = announcements.iter().map(|announcement| match announcement {
        Announcement::Queued(queued) => queued_lines(queued),
        Announcement::QueuedByOther(queued) => queued_by_other_lines(queued),
        Announcement::Retired(target) => {
            format!("deploy-by-code: retired {target} (its deploy file was deleted)\n")
        }
        Announcement::Problem(refusal) => refusal_lines("deploy-by-code: problem", refusal),
        Announcement::MissingBranch(missing) => format!(
            "deploy-by-code: nothing to deploy: {missing}\n  hint: {}\n",
            missing.hint()
        ),
        Announcement::NotDeployed(all) => not_deployed_lines(all, true)
            .iter()
            .map(|line| format!("deploy-by-code: {line}\n"))
            .collect(),
    });
    each.collect()
}

fn queued_lines(queued: &Queued) -> String {
    let Queued { id, planned } = queued;
    let (from, to) = (planned.from(), planned.revision());
    let mut lines = change_line(*id, planned.target(), from, to, planned.is_redeploy());

    lines.push_str(&approval_line(*id, planned.approvals()));
    lines.push_str(&exception_lines(*id, planned.exceptions()));
    lines.push_str(&waits_line(*id, planned.target(), planned.waits()));
    lines
}

fn approval_line(id: DeploymentId, approvals: &[Approval]) -> String {
    let names: Vec<String> = approvals
        .iter()
        .map(|approval| text::escape(&approval.by, 200))
        .collect();
    if names.is_empty() {
        return String::new();
    }
    format!("deploy-by-code: {id} approved by {}\n", names.join(", "))
}

fn exception_lines(id: DeploymentId, exceptions: &[Exception]) -> String {
    let line = |exception: &Exception| {
        let (kind, reason) = (exception.kind.as_str(), exception.shown(200));
        format!("deploy-by-code: {id} {kind}: {reason}\n")
    };
    exceptions.iter().map(line).collect()
}

fn queued_by_other_lines(queued: &QueuedByOther) -> String {
    let QueuedByOther {
        deployment,
        exceptions,
        approvals,
    } = queued;
    let Deployment {
        id,
        target,
        revision,
        previous_revision,
        ..
    } = deployment;
    let again = previous_revision.as_ref() == Some(revision);
    let line = change_line(*id, target, previous_revision.as_ref(), revision, again);
    let line = line + &approval_line(*id, approvals) + &exception_lines(*id, exceptions);

    let reason = deployment.reason.as_deref();
    let waits = reason.filter(|_| deployment.status == Status::Queued);
    line + &waits_line(*id, target, waits)
}

fn change_line(
    id: DeploymentId,
    target: &Target,
    from: Option<&Revision>,
    to: &Revision,
    again: bool,
) -> String {
    let to = to.short();
    let change = match from {
        _ if again => format!("{to} again"),
        Some(from) => format!("{} -> {to}", from.short()),
        None => format!("new -> {to}"),
    };
    format!("deploy-by-code: {id} {target} {change} queued\n")
}

/// The line that says why a deployment does not begin at once; empty where it does.
fn waits_line(id: DeploymentId, target: &Target, waits: Option<&str>) -> String {
    let Some(waits) = waits else {
        return String::new();
    };
    let (environment, waits) = (&target.environment, text::escape(waits, 300));
    format!("deploy-by-code: {id} waits until {environment} is thawed: {waits}\n")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::hook;
    use crate::policy::Refusal;
    use crate::store;

    #[test]
    fn refusals_warnings_and_failures_have_lines_of_their_own() {
        let refusal = Refusal {
            path: b"production/a\n.deploy".to_vec(),
            message: "one\ntwo".to_owned(),
            hint: "write it".to_owned(),
            is_fault: false,
        };
        let judged = Verdict {
            refusals: vec![refusal],
            warnings: vec![(b"production/b.deploy".to_vec(), "look".to_owned())],
            ..Verdict::default()
        };
        assert_eq!(
            verdict(&judged),
            "deploy-by-code: refused production/a\\n.deploy: one\n    two\n  hint: write it\n\
             deploy-by-code: warning production/b.deploy: look\n"
        );

        let missing = store::Error::Missing(PathBuf::from("/srv/state.db"));
        let (message, hint) = (missing.to_string(), missing.hint());
        let failed = Verdict {
            failure: Some(hook::Error::Store(missing)),
            ..Verdict::default()
        };
        let expected = format!("deploy-by-code: refused: {message}\n  hint: {hint}\n");
        assert_eq!(verdict(&failed), expected);
    }
}
