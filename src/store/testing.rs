//! Deployments as they are recorded, and for the tests of this module a state with some of them.

use super::{Deployment, Enqueued, Error, Outcome, Run, Source, Stale, Store, Transaction};
use crate::candidate::candidates;
use crate::change::{Change, Depth, Node};
use crate::config::Config;
use crate::id::{Application, DeploymentId, Environment, EventId, Revision, RolloutId, Target};
use crate::identity::{Evidence, Identity};
use crate::plan::{self, Retirement};
use crate::policy::{Facts, TargetFacts};
use crate::status::Status;
use crate::sys::process::{ProcessIdentity, ProcessSpace};
use crate::sys::sharing::Sharing;
use crate::time::Timestamp;

pub(super) fn now() -> Timestamp {
    Timestamp::from_ms(1_000)
}

pub(super) fn revision(digit: char) -> Revision {
    Revision::new(digit.to_string().repeat(40)).unwrap()
}

pub(super) fn target(application: &str) -> Target {
    Target {
        environment: Environment::new("production").unwrap(),
        application: Application::new(application).unwrap(),
    }
}

pub(super) fn retirement(application: &str) -> Retirement {
    Retirement {
        path: format!("production/{application}.deploy").into_bytes(),
        target: target(application),
        exceptions: Vec::new(),
        approvals: Vec::new(),
    }
}

pub(super) fn alice() -> Identity {
    Identity::new("alice", Evidence::SshKey)
}

/// A deployment as it is recorded that has nothing but what each one has.
pub(crate) fn recorded(id: i64, application: &str, status: Status) -> Deployment {
    Deployment {
        id: DeploymentId(id),
        rollout: RolloutId(1),
        target: target(application),
        revision: revision('6'),
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
        summary: None,
    }
}

/// A deployment that was planned. Only the planner can make one.
pub(super) fn planned(application: &str, digit: char) -> plan::PlannedDeployment {
    let (config, _) = Config::parse("[defaults]\ncommand = [\"x\"]\n", &|_| None);
    let change = Change {
        path: format!("production/{application}.deploy").into_bytes(),
        depth: Depth::Right,
        old: None,
        new: Some(Node::File(Ok(revision(digit)))),
        comparison: None,
        summary: None,
        twin: None,
    };
    let facts = Facts {
        targets: [(target(application), TargetFacts::default())].into(),
        ..Facts::default()
    };
    plan::decide(&config, &candidates(vec![change]), &facts)
        .deployments
        .remove(0)
}

pub(super) fn source() -> Source {
    Source {
        deploy_commit: revision('c'),
        author: "A <a@example.org>".to_owned(),
        pusher: None,
    }
}

/// A state in a folder of its own.
pub(super) struct TestState {
    pub(super) store: Store,
    pub(super) _folder: tempfile::TempDir,
}

impl TestState {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            store: Store::create(folder.path(), Sharing::PRIVATE, |_| Ok(())).unwrap(),
            _folder: folder,
        }
    }

    pub(super) fn change<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> T {
        self.store.transaction(work).unwrap()
    }

    pub(super) fn enqueue(&mut self, application: &str, digit: char) -> Enqueued {
        self.change(|t| {
            let rollout = t.begin_rollout(None, Some(&revision('c')), now())?;
            t.enqueue(rollout, &planned(application, digit), &source(), now())
        })
    }

    pub(super) fn begin(&mut self, id: DeploymentId, at: Timestamp) -> Result<(), Stale> {
        self.begin_after(id, None, at)
    }

    /// Begins a deployment while another revision is deployed.
    pub(super) fn begin_after(
        &mut self,
        id: DeploymentId,
        previous: Option<&Revision>,
        at: Timestamp,
    ) -> Result<(), Stale> {
        let run = Run {
            space: ProcessSpace {
                boot_id: "b".to_owned(),
                namespaces: None,
            },
            runner: ProcessIdentity {
                pid: 1,
                start_ticks: 2,
            },
            leader: None,
            cgroup: None,
            checkout: None,
        };
        self.change(|t| t.begin(id, &run, previous, at))
    }

    pub(super) fn succeed(&mut self, id: DeploymentId, at: Timestamp) -> Result<(), Stale> {
        let succeeded = Outcome {
            status: Status::Succeeded,
            reason: None,
            exit_status: Some(0),
        };
        self.change(|t| t.finish(id, &succeeded, at))
    }

    pub(super) fn deployment(&mut self, id: DeploymentId) -> Deployment {
        let record = self.store.read().unwrap();
        record.deployment(id).unwrap().unwrap()
    }

    pub(super) fn deployed(&mut self, application: &str) -> Revision {
        let record = self.store.read().unwrap();
        let deployed = record.deployed(&target(application)).unwrap();
        deployed.unwrap().revision
    }

    /// The kinds of all events, in their order.
    pub(super) fn events(&mut self) -> Vec<&'static str> {
        let record = self.store.read().unwrap();
        let events = record.events_after(EventId(0), 1000).unwrap();
        events
            .iter()
            .map(|event| event.event.kind().as_str())
            .collect()
    }
}
