//! A runner from its start to its end.

use super::error::Error;
use super::this_runner::Runner;
use super::{drain, recover};
use crate::deploy_repository::DeployRepository;
use crate::id::Environment;
use crate::publish;
use crate::sys::lock::try_lock;
use crate::sys::process::{ProcessIdentity, boot_id};
use crate::sys::surroundings::set_umask;

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
        let Some(lock) = try_lock(&store.lock_file(environment), store.sharing())? else {
            return Ok(());
        };

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
