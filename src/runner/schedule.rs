//! What may begin now. Rollouts go one after the other, and in a rollout the order is that of
//! `after`. Nothing here does input or output.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{Application, DeploymentId, RolloutId};
use crate::order::After;
use crate::status::Status;
use crate::store::Deployment;

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NextStep {
    /// Start this deployment.
    Begin(DeploymentId),
    /// Record that this deployment is skipped, for this reason.
    Skip(DeploymentId, String),
    /// Wait until something has ended.
    Wait,
    /// Wait for the thaw: the environment is frozen, and so is everything that is left.
    Thaw,
    /// End: nothing is queued or running.
    Leave,
}

/// Deployments that may run side by side: the rollbacks of one rollout, or its other deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    rollout: RolloutId,
    is_rollback: bool,
}

impl Turn {
    /// The turn that a deployment belongs to.
    pub(super) fn of(deployment: &Deployment) -> Self {
        Self {
            rollout: deployment.rollout,
            is_rollback: deployment.rolled_back.is_some(),
        }
    }
}

/// What to do next with the open deployments of one rollout. `members` has them in their order, or
/// only the first of them where not `is_all`. `before` has the newest deployment of each
/// application that another one goes after. `running` has the deployments that have a thread: for a
/// short time after its thread starts, a deployment is not yet `running` on record.
pub(super) fn decide(
    members: &[Deployment],
    is_all: bool,
    after: &After,
    before: &BTreeMap<Application, Deployment>,
    running: &BTreeSet<DeploymentId>,
) -> NextStep {
    let is_queued =
        |member: &&Deployment| member.status == Status::Queued && !running.contains(&member.id);
    let queued: Vec<&Deployment> = members.iter().filter(is_queued).collect();

    for deployment in &queued {
        // A rollout has two deployments of one application where a waiting one was moved into it.
        // They go one after the other.
        let own = &deployment.target.application;
        let is_earlier =
            |other: &Deployment| other.target.application == *own && other.id < deployment.id;
        if members.iter().any(is_earlier) {
            continue;
        }

        let names = after.get(own).into_iter().flatten();
        let before: Vec<&Deployment> = names.filter_map(|name| before.get(name)).collect();
        let has_failed =
            |before: &Deployment| before.status.has_ended() && before.status != Status::Succeeded;
        if let Some(failed) = before.iter().find(|before| has_failed(before)) {
            let application = &failed.target.application;
            let reason = format!("{} {application} {}", failed.id, failed.status);
            return NextStep::Skip(deployment.id, reason);
        }

        let has_succeeded = |before: &&Deployment| before.status == Status::Succeeded;
        if before.iter().all(has_succeeded) {
            return NextStep::Begin(deployment.id);
        }
    }

    match queued.first() {
        // Each of them waits for another one that waits. The hook refuses such an order, so it was
        // configured after the hook had looked.
        Some(first) if is_all && running.is_empty() => {
            NextStep::Skip(first.id, "after makes a cycle".to_owned())
        }
        None if members.is_empty() => NextStep::Leave,
        _ => NextStep::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::recorded;

    fn app(name: &str) -> Application {
        Application::new(name).unwrap()
    }

    /// Asserts what is done next with the deployments `open`, of which `running` have a thread, and
    /// with the `others` of the same rollout, which have ended. The application a goes after b.
    #[track_caller]
    fn check(open: &[Deployment], others: &[Deployment], running: &[i64], expect: NextStep) {
        let after: After = [(app("a"), BTreeSet::from([app("b"), app("elsewhere")]))].into();
        let before = open
            .iter()
            .chain(others)
            .map(|member| (member.target.application.clone(), member.clone()))
            .collect();
        let running = running.iter().copied().map(DeploymentId).collect();

        let step = decide(open, true, &after, &before, &running);
        assert_eq!(step, expect, "for {open:?} and {others:?}");
    }

    fn begin(id: i64) -> NextStep {
        NextStep::Begin(DeploymentId(id))
    }

    fn skip(id: i64, why: &str) -> NextStep {
        NextStep::Skip(DeploymentId(id), why.to_owned())
    }

    #[test]
    fn queued_begins_when_what_goes_before_it_has_succeeded() {
        use Status::*;
        let a = || recorded(1, "a", Queued);
        let b = |status| recorded(2, "b", status);

        check(&[a(), b(Queued)], &[], &[], begin(2));
        check(&[a(), b(Queued)], &[], &[2], NextStep::Wait);
        check(&[a(), b(Running)], &[], &[2], NextStep::Wait);
        check(&[a()], &[b(Succeeded)], &[], begin(1));
        check(&[a()], &[], &[], begin(1));
    }

    #[test]
    fn queued_is_skipped_when_what_goes_before_it_has_failed() {
        use Status::*;
        let a = || recorded(1, "a", Queued);

        check(
            &[a()],
            &[recorded(2, "b", Failed)],
            &[],
            skip(1, "#2 b failed"),
        );
        check(
            &[a()],
            &[recorded(2, "b", Skipped)],
            &[],
            skip(1, "#2 b skipped"),
        );
    }

    #[test]
    fn queued_begins_beside_other_applications_but_not_its_own() {
        use Status::*;
        let c = |status| recorded(1, "c", status);

        check(&[c(Queued), recorded(2, "d", Queued)], &[], &[1], begin(2));
        check(
            &[c(Running), recorded(2, "c", Queued)],
            &[],
            &[1],
            NextStep::Wait,
        );
        let rest = [recorded(2, "c", Queued), recorded(3, "d", Queued)];
        let all = [&[c(Running)], rest.as_slice()].concat();
        check(&all, &[], &[1], begin(3));
    }

    #[test]
    fn nothing_queued_means_to_wait_for_the_rest_or_to_leave() {
        check(
            &[recorded(1, "c", Status::Running)],
            &[],
            &[1],
            NextStep::Wait,
        );
        check(&[], &[], &[], NextStep::Leave);
    }

    #[test]
    fn cycle_that_was_configured_later_is_skipped() {
        let cycle: After = [
            (app("a"), BTreeSet::from([app("b")])),
            (app("b"), BTreeSet::from([app("a")])),
        ]
        .into();
        let open = [
            recorded(1, "a", Status::Queued),
            recorded(2, "b", Status::Queued),
        ];
        let before = open
            .iter()
            .map(|member| (member.target.application.clone(), member.clone()))
            .collect();

        let step = |is_all| decide(&open, is_all, &cycle, &before, &BTreeSet::new());
        assert_eq!(step(true), skip(1, "after makes a cycle"));
        // These may wait for a deployment of the rollout that is not among its first ones.
        assert_eq!(step(false), NextStep::Wait);
    }
}
