//! What may begin now: rollouts one after the other, in a rollout `after` first, `parallel` at a
//! time. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{Application, DeploymentId, RolloutId};
use crate::order::After;
use crate::status::Status;
use crate::store::Deployment;

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Begin(DeploymentId),
    Skip(DeploymentId, String),
    /// Something has to end first.
    Wait,
    /// The environment is frozen, and all that is left waits for the thaw.
    Thaw,
    /// Nothing is open.
    Leave,
}

/// What runs side by side: deployments of one rollout, its rollbacks before the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    rollout: RolloutId,
    is_rollback: bool,
}

impl Turn {
    pub(super) fn of(deployment: &Deployment) -> Self {
        Self {
            rollout: deployment.rollout,
            is_rollback: deployment.rolled_back.is_some(),
        }
    }
}

/// Judges the open deployments of one rollout, in their order, or the first of them, pure.
/// `before`: the newest of each application that one of them waits for. `running`: those that have
/// a thread; the first moments of a thread pass before its deployment is `running` on record.
pub(super) fn decide(
    members: &[Deployment],
    is_all: bool,
    after: &After,
    before: &BTreeMap<Application, Deployment>,
    running: &BTreeSet<DeploymentId>,
) -> Step {
    let is_queued =
        |member: &&Deployment| member.status == Status::Queued && !running.contains(&member.id);
    let queued: Vec<&Deployment> = members.iter().filter(is_queued).collect();
    for deployment in &queued {
        let own = &deployment.target.application;
        // A rollout can hold two of one application, where a waiting one moved into it; they go one
        // after the other.
        if members
            .iter()
            .any(|other| other.target.application == *own && other.id < deployment.id)
        {
            continue;
        }
        let before: Vec<&Deployment> = after
            .get(own)
            .into_iter()
            .flatten()
            .filter_map(|name| before.get(name))
            .collect();
        let failed = before
            .iter()
            .find(|before| before.status.has_ended() && before.status != Status::Succeeded);
        if let Some(failed) = failed {
            let reason = format!(
                "{} {} {}",
                failed.id, failed.target.application, failed.status
            );
            return Step::Skip(deployment.id, reason);
        }
        if before
            .iter()
            .all(|before| before.status == Status::Succeeded)
        {
            return Step::Begin(deployment.id);
        }
    }
    match queued.first() {
        // Everybody waits for somebody who waits: the configuration got a cycle after the hook
        // looked.
        Some(first) if is_all && running.is_empty() => {
            Step::Skip(first.id, "after makes a cycle".to_owned())
        }
        None if members.is_empty() => Step::Leave,
        _ => Step::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Environment, Revision, Target};
    use crate::time::Timestamp;

    fn app(name: &str) -> Application {
        Application::new(name).unwrap()
    }

    fn member(id: i64, name: &str, status: Status) -> Deployment {
        Deployment {
            id: DeploymentId(id),
            rollout: RolloutId(1),
            target: Target {
                environment: Environment::new("e").unwrap(),
                application: app(name),
            },
            revision: Revision::new("1".repeat(40)).unwrap(),
            previous_revision: None,
            status,
            reason: None,
            deploy_commit: None,
            pusher: None,
            author: None,
            retry_of: None,
            superseded_by: None,
            queued_at: Timestamp::from_ms(0),
            started_at: None,
            finished_at: None,
            exit_status: None,
            run: None,
            cancelled_by: None,
            released_by: None,
            rolled_back: None,
            overrides_freeze: false,
        }
    }

    /// What is done next with `open`, with those of the ids `running`, after the `others` of the
    /// same rollout.
    fn check(open: &[Deployment], others: &[Deployment], running: &[i64], expect: Step) {
        let after: After = [(app("a"), BTreeSet::from([app("b"), app("elsewhere")]))].into();
        let before = open
            .iter()
            .chain(others)
            .map(|member| (member.target.application.clone(), member.clone()))
            .collect();
        let running = running.iter().copied().map(DeploymentId).collect();
        assert_eq!(
            decide(open, true, &after, &before, &running),
            expect,
            "{open:?} {others:?}"
        );
    }

    #[test]
    fn steps() {
        use Status::*;
        let begin = |id| Step::Begin(DeploymentId(id));
        let skip = |id, why: &str| Step::Skip(DeploymentId(id), why.to_owned());
        check(
            &[member(1, "a", Queued), member(2, "b", Queued)],
            &[],
            &[],
            begin(2),
        );
        check(
            &[member(1, "a", Queued), member(2, "b", Queued)],
            &[],
            &[2],
            Step::Wait,
        );
        check(
            &[member(1, "a", Queued), member(2, "b", Running)],
            &[],
            &[2],
            Step::Wait,
        );
        check(
            &[member(1, "a", Queued)],
            &[member(2, "b", Succeeded)],
            &[],
            begin(1),
        );
        check(
            &[member(1, "a", Queued)],
            &[member(2, "b", Failed)],
            &[],
            skip(1, "#2 b failed"),
        );
        check(
            &[member(1, "a", Queued)],
            &[member(2, "b", Skipped)],
            &[],
            skip(1, "#2 b skipped"),
        );
        check(&[member(1, "a", Queued)], &[], &[], begin(1));
        check(
            &[member(1, "c", Queued), member(2, "d", Queued)],
            &[],
            &[1],
            begin(2),
        );
        check(
            &[
                member(1, "c", Running),
                member(2, "c", Queued),
                member(3, "d", Queued),
            ],
            &[],
            &[1],
            begin(3),
        );
        check(&[member(1, "c", Running)], &[], &[1], Step::Wait);
        check(&[], &[], &[], Step::Leave);
    }

    #[test]
    fn a_cycle_that_came_later_ends() {
        let cycle: After = [
            (app("a"), BTreeSet::from([app("b")])),
            (app("b"), BTreeSet::from([app("a")])),
        ]
        .into();
        let open = [
            member(1, "a", Status::Queued),
            member(2, "b", Status::Queued),
        ];
        let before = open
            .iter()
            .map(|member| (member.target.application.clone(), member.clone()))
            .collect();
        let step = |is_all| decide(&open, is_all, &cycle, &before, &BTreeSet::new());
        assert_eq!(
            step(true),
            Step::Skip(DeploymentId(1), "after makes a cycle".to_owned())
        );
        // Whether these wait for one that is not among the first of the rollout is not known yet.
        assert_eq!(step(false), Step::Wait);
    }
}
