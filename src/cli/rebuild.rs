//! `rebuild`: says what was kept, what was recovered and what is lost.

use std::collections::BTreeSet;

use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use crate::id::{DeploymentId, Environment, Revision};
use crate::store::LeftRunning;
use crate::text;
use crate::verbs::{self, NewState, Rebuilt};

/// What the new state does not have. The lines are for the administrator, who decides by them what
/// to look at.
const LOST: &str = "\
not recovered: who deployed what and when, what was queued or running, what was retired, what a
  rollback holds back, the reasons of exceptions, freezes, problems with deploy files
  syslog has a line for each of these events";

/// What the new state does not have where the status was published.
const NOT_PUBLISHED: &str = "\
not recovered: what happened after the last publication, earlier deployments, what was queued or
  running, what a rollback holds back, freezes, problems with deploy files
  syslog has a line for each of these events";

/// What a state that is older than its logs does not have.
const LOST_SINCE: &str = "\
not recovered: what was recorded after this state was saved, such as freezes and rollbacks; what
  was deployed since then is planned again, and waits for the thaw";

/// What to do next.
const NEXT: &str = "\
next: compare what really runs with what the deploy files ask for: deploy-by-code status
  to deploy a revision again, put its entry on top of its deploy file once more
  for each environment, when it is as it should be: deploy-by-code thaw ENV";

/// `rebuild [--above ID] [--dry-run]`.
pub(super) fn rebuild(
    context: &Context,
    above: Option<DeploymentId>,
    dry_run: bool,
) -> Result<Exit, Error> {
    let rebuilt = verbs::rebuild(&context.place, above, dry_run, context.person())?;
    let output = &context.output;

    if dry_run {
        output.line("this is what rebuild would do; nothing was changed")?;
    }
    let new = match &rebuilt {
        Rebuilt::State(new) => new,
        Rebuilt::Numbers(numbers) => {
            let found =
                "found: the state is older than its last deployment, and otherwise not damaged";
            output.line(found)?;
            let next = DeploymentId(numbers.highest.0.saturating_add(1));
            output.line(&format!("recovered: the next deployment is {next}"))?;
            for line in frozen_lines(&numbers.frozen).chain(held_lines(&numbers.left)) {
                output.line(&line)?;
            }
            output.line(LOST_SINCE)?;
            output.line(NEXT)?;
            return Ok(Exit::Done);
        }
    };
    for line in account(new) {
        output.line(&line)?;
    }
    output.line(if new.restored > 0 {
        NOT_PUBLISHED
    } else {
        LOST
    })?;
    output.line(NEXT)?;
    Ok(Exit::Done)
}

/// What was found and what the new state begins with.
fn account(new: &NewState) -> Vec<String> {
    let NewState {
        damage,
        kept,
        branch,
        cursor,
        highest,
        logs,
        restored,
        frozen,
        left,
    } = new;
    let branch = text::escape(branch, 200);
    let tip = cursor.as_ref().map_or("nothing", Revision::short);
    let next = DeploymentId(highest.0.saturating_add(1));

    let mut lines = vec![format!("found: {damage}")];
    if let Some(kept) = kept {
        let kept = text::escape(kept.as_os_str().as_encoded_bytes(), 300);
        lines.push(format!("kept: {kept}, with what SQLite had beside it"));
    }
    lines.push(format!(
        "recovered: {branch} counts as planned up to {tip}, so nothing is deployed now"
    ));
    lines.push(format!(
        "recovered: the next deployment is {next}; logs of {logs} earlier ones are still there"
    ));
    if *restored > 0 {
        lines.push(format!(
            "recovered: {restored} deployments that have ended, and what is deployed and retired, \
             as the published status says"
        ));
    }
    lines.extend(frozen_lines(frozen));
    lines.extend(held_lines(left));
    lines
}

fn frozen_lines(frozen: &BTreeSet<Environment>) -> impl Iterator<Item = String> {
    let line = |environment| format!("frozen: {environment}, until somebody thaws it");
    frozen.iter().map(line)
}

fn held_lines(left: &[LeftRunning]) -> impl Iterator<Item = String> {
    let line = |left: &LeftRunning| {
        let LeftRunning { id, target, .. } = left;
        let environment = &target.environment;
        let hint = format!("to stop waiting for it: deploy-by-code release {environment}");
        format!("held: {environment}, because {id} {target} still runs\n  {hint}")
    };
    left.iter().map(line)
}
