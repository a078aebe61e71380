//! What every command starts from.

use std::cell::OnceCell;
use std::env;
use std::path::PathBuf;

use super::error::Error;
use super::output::{self, Output};
use crate::deploy_repository::DeployRepository;
use crate::hook::environment;
use crate::identity::Identity;
use crate::store::Store;
use crate::sys::user::User;
use crate::verbs::{self, Acts, Place};

/// Where a command works, who typed it, and where it prints.
pub(super) struct Context {
    pub(super) place: Place,
    pub(super) output: Output,
    person: OnceCell<Identity>,
}

impl Context {
    /// Finds the repository: the one that was named, or else the one of `GIT_DIR`, or else the one
    /// at or above the current folder.
    pub(super) fn find(named: Option<PathBuf>, config: Option<PathBuf>) -> Result<Self, Error> {
        let git_dir = env::var_os("GIT_DIR").map(PathBuf::from);
        Ok(Self {
            place: Place::find(named, git_dir, config)?,
            output: Output::new(),
            person: OnceCell::new(),
        })
    }

    /// Root becomes the repository's owner.
    pub(super) fn become_owner(&self, acts: Acts) -> Result<(), Error> {
        if User::is_root() {
            // This has to be found out while this process is still root.
            self.person();
        }
        Ok(verbs::become_owner(&self.place, acts)?)
    }

    /// The person who typed the command.
    pub(super) fn person(&self) -> &Identity {
        self.person.get_or_init(environment::person)
    }

    /// The deploy repository, for a command that also has to work while the configuration is
    /// broken.
    pub(super) fn deploy_to_look(&self) -> Result<DeployRepository, Error> {
        Ok(self.look_at_configuration()?.0)
    }

    /// The same, and whether the configuration can be used.
    fn look_at_configuration(&self) -> Result<(DeployRepository, bool), Error> {
        let (deploy, problems) = self.place.deploy_to_look()?;
        if let Some(problems) = &problems {
            output::complain(
                &format!("warning: {problems}"),
                Some("nothing is deployed until this is fixed"),
            );
        }
        Ok((deploy, problems.is_none()))
    }

    /// The deploy repository and its state, for a command that only reads. What is recorded can
    /// also be shown while the configuration is broken.
    pub(super) fn look(&self) -> Result<(DeployRepository, Store), Error> {
        let (deploy, store, _) = self.look_at_all()?;
        Ok((deploy, store))
    }

    /// The same, and whether the configuration can be used.
    pub(super) fn look_at_all(&self) -> Result<(DeployRepository, Store, bool), Error> {
        let (deploy, is_usable) = self.look_at_configuration()?;
        let store = deploy.open_store_to_look()?;
        Ok((deploy, store, is_usable))
    }
}
