//! Whether a runner works on an environment, and starting one where none does.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::error::Error;
use super::place::Place;
use super::start::{start_runner, start_runner_of_push};
use crate::deploy_repository::{self, DeployRepository};
use crate::id::Environment;
use crate::runner::has_runner;
use crate::store::Reader;
use crate::sys::clock::Deadline;
use crate::sys::lock::is_taken;
use crate::time::show_duration;

/// How long nobody asks whether a runner works, and how long until the next runner is started where
/// none does.
const MISSING: Duration = Duration::from_secs(5);

/// How long nobody may work, though runners were started, until nobody is expected any more.
const NOBODY: Duration = Duration::from_secs(10);

/// How often to look meanwhile.
const LOOK: Duration = Duration::from_millis(500);

/// Why an environment that needs a runner has none, as far as that is known.
#[derive(Debug, thiserror::Error)]
pub enum NoRunner {
    /// The deploy repository or its configuration can't be used.
    #[error("{0}\nwhat is queued waits until this is fixed")]
    Unusable(deploy_repository::Error),
    /// The runner's process can't be started, or this user may not start one.
    #[error("no runner carries it out, and none can be started from here")]
    NotStarted(#[source] Error),
    /// At each look for some time, the lock of the environment was free.
    #[error(
        "no runner works on {environment}: its lock was free for {}",
        show_duration(NOBODY)
    )]
    Nobody {
        /// Where nobody works.
        environment: Environment,
    },
    /// The lock of the environment can't be looked at, so nobody knows whether a runner works.
    #[error("whether a runner works on {environment} can't be seen: {}", lock.display())]
    Unseen {
        /// Where somebody may work.
        environment: Environment,
        /// Its lock.
        lock: PathBuf,
        /// Why it can't be looked at.
        source: io::Error,
    },
}

impl NoRunner {
    /// What to do, where the message does not say it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Unusable(_) => None,
            Self::NotStarted(error) => error.hint(),
            Self::Nobody { .. } => Some(
                "to find the cause, on the server: deploy-by-code doctor; then: \
                 deploy-by-code reconcile",
            ),
            Self::Unseen { .. } => Some("ask somebody who may write to the state directory"),
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

impl Starter {
    /// Starts a runner by the configuration as it is now. A runner that finds the lock taken ends
    /// again.
    fn start(&self, deploy: &DeployRepository, environment: &Environment) -> Result<(), NoRunner> {
        let config_file = deploy.config_file.as_deref();
        let deploy = DeployRepository::open(deploy.repository.path(), config_file)
            .map_err(NoRunner::Unusable)?;
        let started = match self {
            Self::Push => start_runner_of_push(&deploy, environment),
            Self::Person(place) => start_runner(place, &deploy, environment),
        };
        started.map_err(NoRunner::NotStarted)
    }
}

/// Looks again and again whether a runner works on an environment where something has not ended. A
/// runner can have died, ended because of the configuration, or never have started.
pub(super) struct RunnerWatch {
    next_look: Deadline,
    /// `None`: a runner works, or nobody knows.
    absence: Option<Absence>,
    told_why: bool,
    told_unseen: bool,
}

/// Each look since some time has found that nobody works.
struct Absence {
    next_start: Deadline,
    end: Deadline,
    told: bool,
}

impl Default for RunnerWatch {
    fn default() -> Self {
        Self {
            next_look: Deadline::after(MISSING),
            absence: None,
            told_why: false,
            told_unseen: false,
        }
    }
}

impl RunnerWatch {
    /// Whether nobody works, and nobody is expected to.
    pub(super) fn is_deserted(&self) -> bool {
        self.absence.as_ref().is_some_and(|absence| absence.told)
    }

    /// Looks whether a runner works, and starts one where none does. Returns what there is to say
    /// about it, each thing once.
    pub(super) fn look(
        &mut self,
        starter: &Starter,
        deploy: &DeployRepository,
        record: &Reader<'_>,
        environment: &Environment,
    ) -> Option<NoRunner> {
        if !self.next_look.is_over() {
            return None;
        }
        self.next_look = Deadline::after(LOOK);

        // What its own process number shows to be alive needs no lock to be looked at. If the state
        // can't be read now, nothing is known.
        if has_runner(record, environment).unwrap_or(true) {
            self.absence = None;
            return None;
        }
        let lock = record.lock_file(environment);
        match is_taken(&lock) {
            Ok(true) => {
                self.absence = None;
                None
            }
            Ok(false) => self.is_absent(starter, deploy, environment),
            Err(source) => {
                self.absence = None;
                let is_news = !std::mem::replace(&mut self.told_unseen, true);
                is_news.then(|| NoRunner::Unseen {
                    environment: environment.clone(),
                    lock,
                    source,
                })
            }
        }
    }

    /// Starts a runner from time to time while nobody works.
    fn is_absent(
        &mut self,
        starter: &Starter,
        deploy: &DeployRepository,
        environment: &Environment,
    ) -> Option<NoRunner> {
        let absence = self.absence.get_or_insert_with(|| Absence {
            next_start: Deadline::after(Duration::ZERO),
            end: Deadline::after(NOBODY),
            told: false,
        });
        if absence.end.is_over() && !std::mem::replace(&mut absence.told, true) {
            let environment = environment.clone();
            return Some(NoRunner::Nobody { environment });
        }
        if !absence.next_start.is_over() {
            return None;
        }

        absence.next_start = Deadline::after(MISSING);
        let why = starter.start(deploy, environment).err()?;
        (!std::mem::replace(&mut self.told_why, true)).then_some(why)
    }
}
