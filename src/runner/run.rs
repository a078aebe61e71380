//! A runner from its start to its end.

use super::error::Error;
use super::this_runner::Runner;
use super::{drain, recover};
use crate::deploy_repository::DeployRepository;
use crate::id::Environment;
use crate::publish;
use crate::store::{self, Store};
use crate::sys::lock::try_lock;
use crate::sys::process::{ProcessIdentity, boot_id};
use crate::sys::surroundings::set_umask;

/// Removes the reasons for which no runner could go on before.
fn say_it_goes_on(store: &mut Store, environment: &Environment) -> Result<(), store::Error> {
    // Nothing is written in the usual case.
    if !store.read()?.is_stuck(environment)? {
        return Ok(());
    }
    store.transaction(|transaction| transaction.set_stuck(environment, None))
}

/// Carries out everything that is queued for an environment, unless another runner does so already.
///
/// # Errors
/// It can't go on. What is queued stays queued for the next runner.
pub fn run(deploy: &mut DeployRepository, environment: &Environment) -> Result<(), Error> {
    let runner = Runner {
        environment: environment.clone(),
        identity: ProcessIdentity::own(),
        boot_id: boot_id()?,
    };
    let mut store = deploy.open_store()?;
    set_umask(store.sharing().is_with_group());

    // The hook that started this runner left it to the runner to write its events to syslog.
    publish::to_syslog(&mut store);

    loop {
        let file = store.lock_file(environment);
        let locked = try_lock(&file, store.sharing());
        let Some(lock) = locked.map_err(|error| Error::Lock(file, error))? else {
            return Ok(());
        };
        say_it_goes_on(&mut store, environment)?;

        deploy.reload_config()?;
        recover::recover(&runner, deploy, &mut store)?;
        drain::drain(&runner, deploy, &mut store)?;
        store.checkpoint();
        drop(lock);

        // A hook may have queued more while the lock was held.
        if store.read()?.open_deployments(environment)?.is_empty() {
            return Ok(());
        }
    }
}
