//! The runner: carries out what is queued for one environment, and leaves.
//!
//! Protocol: it takes the environment's kernel lock or leaves at once, because another runner holds
//! it. It works until nothing waits, lets go of the lock, and looks once more: whoever enqueued
//! while it held the lock committed before its own runner tried the lock, so the last look sees it.
//! A runner that died left its lock to the next one, which first finds out what became of the dead
//! one's deployments.
//!
//! It does not promise to begin anything by itself: hooks, `reconcile`, the boot unit and the timer
//! start it.

mod checkout;
mod execute;
mod log;
mod recover;
mod schedule;

use std::fmt;
use std::io;

use crate::deploy_repository::{ConfigError, DeployRepository};
use crate::event::Event;
use crate::id::Environment;
use crate::status::Status;
use crate::store::{self, Deployment, Outcome, Store};
use crate::sys::lock::try_lock;
use crate::sys::process::{Identity, boot_id};
use crate::sys::surroundings::set_umask;
use crate::sys::{clock, syslog};

/// A runner can't go on. What is queued stays queued.
#[derive(Debug)]
pub enum Error {
    /// The state can't be read or changed.
    Store(store::Error),
    /// The lock can't be taken.
    Io(io::Error),
    /// The configuration can't be used.
    Config(ConfigError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::Config(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

/// One runner's constants.
struct Runner {
    environment: Environment,
    identity: Identity,
    boot_id: String,
}

/// Carries out everything that is queued for an environment.
///
/// # Errors
/// It can't go on; what is queued stays queued for the next runner.
pub fn run(deploy: &mut DeployRepository, environment: &Environment) -> Result<(), Error> {
    let runner = Runner {
        environment: environment.clone(),
        identity: Identity::own(),
        boot_id: boot_id()?,
    };
    let mut store = deploy.open_store()?;
    set_umask(store.sharing());
    loop {
        let Some(lock) = try_lock(&store.lock_file(environment), store.sharing())? else {
            return Ok(());
        };
        deploy.reload_config()?;
        recover::recover(&runner, deploy, &mut store)?;
        schedule::drain(&runner, deploy, &mut store)?;
        store.checkpoint();
        drop(lock);
        if store.read().open_deployments(environment)?.is_empty() {
            return Ok(());
        }
    }
}

/// Records an end and tells syslog, if nobody was faster.
fn finish(
    store: &mut Store,
    deployment: &Deployment,
    outcome: &Outcome,
) -> Result<(), store::Error> {
    if store
        .transaction(|transaction| transaction.finish(deployment.id, outcome, clock::now()))?
        .is_ok()
    {
        tell(deployment, outcome.status, outcome.reason.as_deref());
    }
    Ok(())
}

fn tell(deployment: &Deployment, status: Status, reason: Option<&str>) {
    syslog::log([Event::Became {
        id: deployment.id,
        target: &deployment.target,
        revision: &deployment.revision,
        status,
        reason,
    }]);
}
