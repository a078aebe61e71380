//! A runner from its start to its end.

use std::time::Duration;

use super::error::Error;
use super::patience::Patience;
use super::recover::Recovered;
use super::this_runner::Runner;
use super::{drain, recover};
use crate::deploy_repository::DeployRepository;
use crate::id::Environment;
use crate::publish::Audience;
use crate::store::Store;
use crate::sys::clock::{self, Deadline};
use crate::sys::exec::is_momentary;
use crate::sys::lock::{Lock, try_lock};
use crate::sys::process::{ProcessIdentity, ProcessSpace};
use crate::sys::surroundings::{heed_children, set_umask};
use crate::sys::unseen::Unseen;
use crate::text;

/// Carries out everything that is queued for an environment, unless another runner does so already.
///
/// # Errors
/// It can't go on. What is queued stays queued for the next runner.
pub fn run(
    deploy: &mut DeployRepository,
    store: &mut Store,
    environment: &Environment,
) -> Result<(), Error> {
    set_umask(store.sharing().is_with_group());
    heed_children().map_err(|error| Unseen::new("SIGCHLD", error))?;
    let runner = Runner {
        environment: environment.clone(),
        space: ProcessSpace::own()?,
        identity: ProcessIdentity::own()?,
    };

    // The hook that started this runner left it to the runner to write its events to syslog.
    Audience::of(deploy).tell(store);

    let mut patience = Patience::default();
    loop {
        let Some(lock) = take_lock(store, environment, &mut patience)? else {
            return Ok(());
        };

        deploy.reload_config()?;
        match recover::recover(&runner, deploy, store)? {
            Recovered::All => {
                drain::drain(&runner, deploy, store)?;
                store.tidy_log();
            }
            Recovered::Unseen(why) => {
                explain(store, environment, &why);
                // Another runner, which can see it, may take the lock meanwhile.
                drop(lock);
                wait(&mut patience, Error::Held(why))?;
                continue;
            }
        }
        drop(lock);

        // A hook may have queued more while the lock was held.
        if store.read()?.open_deployments(environment)?.is_empty() {
            return Ok(());
        }
    }
}

/// How long a runner waits for a lock that is taken: a runner that was killed a moment ago holds it
/// until the kernel has ended that runner and the children that it forked.
const DYING: Duration = Duration::from_secs(1);

/// How often it looks meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// Takes the environment's lock; `None`: another runner holds it. It is tried again for a while
/// where the machine is short of something.
fn take_lock(
    store: &mut Store,
    environment: &Environment,
    patience: &mut Patience,
) -> Result<Option<Lock>, Error> {
    let path = store.lock_file(environment);
    let dying = Deadline::after(DYING);
    loop {
        let error = match try_lock(&path, store.sharing()) {
            Ok(None) if !dying.is_over() => {
                clock::sleep(LOOK);
                continue;
            }
            Ok(taken) => return Ok(taken),
            Err(error) => error,
        };
        let may_pass = is_momentary(&error);
        let error = Error::Lock(path.clone(), error);
        if !may_pass {
            return Err(error);
        }
        explain(store, environment, &text::with_causes(&error));
        wait(patience, error)?;
    }
}

/// Records why nothing can begin in an environment for now. Where that can't be recorded, the
/// system log gets it when the runner ends.
fn explain(store: &mut Store, environment: &Environment, why: &str) {
    let _ = store.transaction(|transaction| transaction.set_stuck(environment, Some(why)));
}

/// Waits before the next try, or hands the error back if it was tried often enough.
fn wait(patience: &mut Patience, error: Error) -> Result<(), Error> {
    match patience.next_pause() {
        Some(pause) => {
            clock::sleep(pause);
            Ok(())
        }
        None => Err(error),
    }
}
