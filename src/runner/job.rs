//! Everything that one deployment needs, and what is recorded of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::Error;
use super::this_runner::Runner;
use crate::config::Settings;
use crate::deploy_repository::DeployRepository;
use crate::id::Revision;
use crate::publish;
use crate::store::{self, Deployment, Outcome, Run, Stale, Store};
use crate::sys::clock::{self, Deadline};

/// How many times it is tried again to record an end, where the state can't be changed.
const RECORD_TRIES: usize = 30;

/// How long to wait before it is tried again to record an end.
const RECORD_PAUSE: Duration = Duration::from_secs(1);

/// Everything that one deployment needs. Its thread owns it.
pub(super) struct Job {
    pub(super) store: Store,
    pub(super) deployment: Deployment,
    pub(super) settings: Settings,
    /// The application's repository, where one is configured.
    pub(super) repository: Option<PathBuf>,
    pub(super) run: Run,
    /// The revision that is deployed now.
    pub(super) previous: Option<Revision>,
    /// When the deployment has to be over; `None`: it has not begun to do anything.
    pub(super) timeout: Option<Deadline>,
    /// Whether this job, and no other, made the deployment `running`.
    pub(super) has_begun: bool,
}

impl Job {
    /// Collects what a deployment needs from the configuration as it is now.
    ///
    /// # Errors
    /// The state can't be read.
    pub(super) fn new(
        runner: &Runner,
        deploy: &DeployRepository,
        folder: &Path,
        deployment: Deployment,
    ) -> Result<Self, Error> {
        let mut store = Store::open(folder)?;
        let previous = store.read()?.deployed(&deployment.target)?;

        Ok(Self {
            store,
            settings: deploy.config.settings(&deployment.target),
            repository: deploy.application_repository(&deployment.target),
            run: Run {
                boot_id: runner.boot_id.clone(),
                runner: runner.identity,
                leader: None,
                cgroup: None,
            },
            previous: previous.map(|deployed| deployed.revision),
            deployment,
            timeout: None,
            has_begun: false,
        })
    }

    /// Makes the queued deployment `running`. [`Stale`]: another process was faster, and it is not
    /// this job's to carry out.
    ///
    /// # Errors
    /// The state can't be changed.
    pub(super) fn begin(&mut self) -> Result<Result<(), Stale>, store::Error> {
        let (id, run, previous) = (self.deployment.id, &self.run, self.previous.as_ref());
        let begun = self
            .store
            .transaction(|transaction| transaction.begin(id, run, previous, clock::now()))?;

        if begun.is_ok() {
            self.has_begun = true;
            publish::to_syslog(&mut self.store);
        }
        Ok(begun)
    }

    /// Makes the deployment `running` with the command's first process on record. [`Stale`]: as for
    /// [`Job::begin`].
    ///
    /// # Errors
    /// The state can't be changed.
    pub(super) fn begin_with_leader(&mut self) -> Result<Result<(), Stale>, store::Error> {
        if !self.has_begun {
            return self.begin();
        }
        let (id, run) = (self.deployment.id, &self.run);
        self.store
            .transaction(|transaction| transaction.set_leader(id, run))
    }

    /// The name of the user who asked for the deployment to end, if anybody did.
    ///
    /// # Errors
    /// The state can't be read.
    pub(super) fn cancelled_by(&mut self) -> Result<Option<String>, store::Error> {
        let deployment = self.store.read()?.deployment(self.deployment.id)?;
        let by = deployment.and_then(|deployment| deployment.cancelled_by);
        Ok(by.map(|by| by.name))
    }

    /// Records the end. It is tried again for a while, because a full disk may have room again in a
    /// moment, and an end without a record counts as unknown.
    ///
    /// # Errors
    /// The state can't be changed, even after that while.
    pub(super) fn record(&mut self, outcome: &Outcome) -> Result<(), store::Error> {
        let id = self.deployment.id;
        let mut tries = 0;
        loop {
            let done = self
                .store
                .transaction(|transaction| transaction.finish(id, outcome, clock::now()));
            match done {
                // If an end is recorded already, another process did that, with the record as it is
                // now.
                Ok(Ok(()) | Err(Stale)) => {
                    publish::to_syslog(&mut self.store);
                    return Ok(());
                }
                Err(_) if tries < RECORD_TRIES => clock::sleep(RECORD_PAUSE),
                Err(error) => return Err(error),
            }
            tries += 1;
        }
    }
}
