//! `logs -f`, `wait` and the push options: watching deployments until they end.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::Error;
use crate::deploy_repository::DeployRepository;
use crate::id::{DeploymentId, Environment};
use crate::report::Tail;
use crate::runner::has_runner;
use crate::store::{Deployment, Reader, Store};
use crate::sys::clock::Deadline;
use crate::wake;

/// How long something may wait without a runner before one is started, and how long until the next
/// try.
const RUNNER_MISSING: Duration = Duration::from_secs(5);

/// A deployment by its number.
///
/// # Errors
/// There is none, or the state can't be read.
pub fn find(record: &Reader<'_>, id: DeploymentId) -> Result<Deployment, Error> {
    record.deployment(id)?.ok_or_else(|| {
        Error::refused(
            format!("there is no deployment {id}"),
            "deploy-by-code log shows what there is",
        )
    })
}

/// What is watched of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Its output, and how it ends.
    Output,
    /// How it ends.
    End,
}

/// Something new about deployments that are watched.
#[derive(Debug)]
pub enum News {
    /// A deployment wrote something: a piece of bounded size, not cut at lines.
    Output(Deployment, Vec<u8>),
    /// A deployment has ended, and all its output was told.
    Ended(Deployment),
    /// What is waited for can't go on now, for this reason. This is told once.
    NoRunner(String),
}

/// Deployments on their way to their end.
pub struct Following {
    deploy: DeployRepository,
    store: Store,
    watch: Watch,
    open: Vec<(DeploymentId, Tail)>,
    runners: BTreeMap<Environment, RunnerCheck>,
}

impl Following {
    /// Begins to watch some deployments.
    #[must_use]
    pub fn new(deploy: DeployRepository, store: Store, ids: &[DeploymentId], watch: Watch) -> Self {
        let tail = |id: &DeploymentId| (*id, Tail::new(store.log_file(*id)));
        Self {
            deploy,
            open: ids.iter().map(tail).collect(),
            store,
            watch,
            runners: BTreeMap::new(),
        }
    }

    /// Whether all of them have ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.open.is_empty()
    }

    /// What is new since the last look; nothing: look again a moment later.
    ///
    /// # Errors
    /// The state or a log can't be read, or there is no such deployment.
    pub fn look(&mut self) -> Result<Vec<News>, Error> {
        let mut news = Vec::new();
        let mut left = Vec::new();

        for (id, mut tail) in std::mem::take(&mut self.open) {
            // The status before the output: what was written before the end is read then.
            let deployment = find(&*self.store.read()?, id)?;
            let bytes = match self.watch {
                Watch::Output => tail.read()?,
                Watch::End => Vec::new(),
            };

            if !bytes.is_empty() {
                news.push(News::Output(deployment, bytes));
                left.push((id, tail));
            } else if deployment.status.has_ended() {
                news.push(News::Ended(deployment));
            } else {
                let environment = deployment.target.environment;
                news.extend(self.look_after(environment).map(News::NoRunner));
                left.push((id, tail));
            }
        }
        self.open = left;
        Ok(news)
    }

    /// Sees to it that what is waited for is carried out. Says what is in the way of that.
    fn look_after(&mut self, environment: Environment) -> Option<String> {
        let check = self.runners.entry(environment.clone()).or_default();
        if !check.next.is_over() {
            return None;
        }
        check.next = Deadline::after(RUNNER_MISSING);

        // A state that can't be read now can be read at the next look.
        let record = self.store.read().ok()?;
        if has_runner(&record, &environment).unwrap_or(true) {
            return None;
        }
        let why = start_runner(&self.deploy, &environment)?;
        (!std::mem::replace(&mut check.has_told, true)).then_some(why)
    }
}

/// When it is looked next whether a runner is at work: it can have died, or left because of the
/// configuration.
struct RunnerCheck {
    next: Deadline,
    has_told: bool,
}

impl Default for RunnerCheck {
    fn default() -> Self {
        Self {
            next: Deadline::after(RUNNER_MISSING),
            has_told: false,
        }
    }
}

/// Starts a runner; one that finds the lock taken leaves again. Says why none can be started.
fn start_runner(deploy: &DeployRepository, environment: &Environment) -> Option<String> {
    let config_file = deploy.config_file.as_deref();
    let deploy = match DeployRepository::open(deploy.repository.path(), config_file) {
        Ok(deploy) => deploy,
        Err(error) => return Some(format!("{error}\nwhat is queued waits until this is fixed")),
    };
    let error = wake::runner(&deploy, environment).err()?;
    Some(format!("no runner can be started: {error}"))
}
