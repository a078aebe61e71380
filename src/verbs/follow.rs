//! `logs -f`, `wait` and the push options: watching deployments until they end.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::Duration;

use super::error::Error;
use super::find::find;
use super::place::Place;
use super::start::{start_runner, start_runner_of_push};
use crate::deploy_repository::{self, DeployRepository};
use crate::id::{DeploymentId, Environment};
use crate::report::Tail;
use crate::runner::has_runner;
use crate::store::{Deployment, Store};
use crate::sys::clock::Deadline;

/// How long a deployment may wait without a runner before one is started, and how long until the
/// next try.
const RUNNER_MISSING: Duration = Duration::from_secs(5);

/// How much output one look hands over before the other deployments wait for the next look, in
/// bytes.
const OUTPUT_MAX: usize = 256 * 1024;

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
    /// A deployment wrote something: a piece of bounded size that can end inside of a line.
    Output(Deployment, Vec<u8>),
    /// A deployment can't go on now, for a reason that is recorded with it. Each reason comes once.
    Waits(Deployment),
    /// A deployment has ended, and all its output was handed over.
    Ended(Deployment),
    /// The deployments of an environment can't continue now. This comes once for an environment.
    NoRunner(NoRunner),
}

/// Why an environment that needs a runner has none.
#[derive(Debug, thiserror::Error)]
pub enum NoRunner {
    /// The deploy repository or its configuration can't be used.
    #[error("{0}\nwhat is queued waits until this is fixed")]
    Unusable(deploy_repository::Error),
    /// The runner's process can't be started, or this user may not start one.
    #[error("no runner carries it out, and none can be started from here")]
    NotStarted(#[source] Error),
}

impl NoRunner {
    /// What to do, where the message does not say it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::NotStarted(error) => error.hint(),
            Self::Unusable(_) => None,
        }
    }
}

/// By which right runners are started for what is followed.
#[derive(Debug)]
pub enum Starter {
    /// The push of this user, which git has let in.
    Push,
    /// The right of the person who typed a command about this place.
    Person(Place),
}

/// Deployments that are watched until they have ended.
pub struct Following {
    starter: Starter,
    deploy: DeployRepository,
    store: Store,
    watch: Watch,
    open: VecDeque<Followed>,
    runners: BTreeMap<Environment, RunnerCheck>,
}

impl Following {
    /// Begins to watch some deployments.
    #[must_use]
    pub fn new(
        starter: Starter,
        deploy: DeployRepository,
        store: Store,
        ids: &[DeploymentId],
        watch: Watch,
    ) -> Self {
        let follow = |id: &DeploymentId| Followed {
            id: *id,
            tail: Tail::new(store.log_file(*id)),
            told: None,
        };
        Self {
            starter,
            deploy,
            open: ids.iter().map(follow).collect(),
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

    /// Those that have not ended.
    pub fn open(&self) -> impl Iterator<Item = DeploymentId> {
        self.open.iter().map(|followed| followed.id)
    }

    /// What is new since the last call. If nothing is, the caller calls again a moment later.
    ///
    /// # Errors
    /// The state or a log can't be read, or there is no such deployment.
    pub fn look(&mut self) -> Result<Vec<News>, Error> {
        let mut news = Vec::new();
        let mut room = OUTPUT_MAX;

        for _ in 0..self.open.len() {
            let Some(mut followed) = self.open.pop_front() else {
                break;
            };
            let id = followed.id;
            // The status is read before the output. So when the deployment has ended, all that it
            // wrote before its end is read.
            let deployment = find(&*self.store.read()?, id)?;
            let bytes = match self.watch {
                Watch::Output => followed.tail.read().map_err(unreadable_log(id))?,
                Watch::End => Vec::new(),
            };

            if !bytes.is_empty() {
                room = room.saturating_sub(bytes.len());
                news.push(News::Output(deployment, bytes));
                self.open.push_back(followed);
                if room == 0 {
                    break;
                }
            } else if deployment.status.has_ended() {
                news.push(News::Ended(deployment));
            } else {
                let environment = deployment.target.environment.clone();
                if followed.has_new_reason(&deployment) {
                    news.push(News::Waits(deployment));
                }
                news.extend(self.ensure_runner(environment).map(News::NoRunner));
                self.open.push_back(followed);
            }
        }
        Ok(news)
    }

    /// Starts a runner where none is alive. Returns what is in the way, but only once.
    fn ensure_runner(&mut self, environment: Environment) -> Option<NoRunner> {
        let check = self.runners.entry(environment.clone()).or_default();
        if !check.next.is_over() {
            return None;
        }
        check.next = Deadline::after(RUNNER_MISSING);

        // If the state can't be read now, the next look tries again.
        let record = self.store.read().ok()?;
        if has_runner(&record, &environment).unwrap_or(true) {
            return None;
        }
        let why = start(&self.starter, &self.deploy, &environment).err()?;
        (!std::mem::replace(&mut check.was_told, true)).then_some(why)
    }
}

/// A deployment that is watched.
struct Followed {
    id: DeploymentId,
    tail: Tail,
    /// The reason to wait that was handed over last.
    told: Option<String>,
}

impl Followed {
    /// Whether the deployment waits for a reason that was not handed over yet.
    fn has_new_reason(&mut self, deployment: &Deployment) -> bool {
        if deployment.reason.is_none() || deployment.reason == self.told {
            return false;
        }
        self.told.clone_from(&deployment.reason);
        true
    }
}

/// Makes an error of what went wrong when the log of a deployment was read.
pub fn unreadable_log(id: DeploymentId) -> impl FnOnce(io::Error) -> Error {
    Error::system(
        format!("the log of {id} can't be read"),
        "make sure that this user can read the state directory",
    )
}

/// When to check next whether a runner is alive. It can have died, or ended because of the
/// configuration.
struct RunnerCheck {
    next: Deadline,
    was_told: bool,
}

impl Default for RunnerCheck {
    fn default() -> Self {
        Self {
            next: Deadline::after(RUNNER_MISSING),
            was_told: false,
        }
    }
}

/// Starts a runner by the configuration as it is now. A runner that finds the lock taken ends
/// again.
fn start(
    starter: &Starter,
    deploy: &DeployRepository,
    environment: &Environment,
) -> Result<(), NoRunner> {
    let config_file = deploy.config_file.as_deref();
    let deploy = DeployRepository::open(deploy.repository.path(), config_file)
        .map_err(NoRunner::Unusable)?;
    let started = match starter {
        Starter::Push => start_runner_of_push(&deploy, environment),
        Starter::Person(place) => start_runner(place, &deploy, environment),
    };
    started.map_err(NoRunner::NotStarted)
}
