//! What every command starts from.

use std::cell::OnceCell;
use std::env;
use std::path::PathBuf;

use super::output::{self, Output};
use crate::deploy_repository::DeployRepository;
use crate::hook::environment;
use crate::identity::Identity;
use crate::store::Store;
use crate::sys::user::User;
use crate::verbs::{self, Acts, Place};

/// Where a command works, for whom, and where it prints.
pub(super) struct Context {
    pub(super) place: Place,
    pub(super) output: Output,
    person: OnceCell<Identity>,
}

impl Context {
    /// Of a repository that is named, of `GIT_DIR`, or of the one above the current folder.
    pub(super) fn find(
        named: Option<PathBuf>,
        config: Option<PathBuf>,
    ) -> Result<Self, verbs::Error> {
        let git_dir = env::var_os("GIT_DIR").map(PathBuf::from);
        Ok(Self {
            place: Place::find(named, git_dir, config)?,
            output: Output::new(),
            person: OnceCell::new(),
        })
    }

    /// Root becomes the repository's owner.
    pub(super) fn become_owner(&self, acts: Acts) -> Result<(), verbs::Error> {
        if User::is_root() {
            // Asked before root becomes somebody else.
            self.person();
        }
        verbs::become_owner(&self.place, acts)
    }

    /// Who types this.
    pub(super) fn person(&self) -> &Identity {
        self.person.get_or_init(environment::person)
    }

    /// For what has to go also while the configuration is broken.
    pub(super) fn deploy_to_look(&self) -> Result<DeployRepository, verbs::Error> {
        let (deploy, problems) = self.place.deploy_to_look()?;
        if let Some(problems) = problems {
            output::complain(
                &format!("warning: {problems}"),
                Some("nothing is deployed until this is mended"),
            );
        }
        Ok(deploy)
    }

    /// For commands that only look: what is recorded can be seen also while the configuration is
    /// broken.
    pub(super) fn look(&self) -> Result<(DeployRepository, Store), verbs::Error> {
        let deploy = self.deploy_to_look()?;
        let store = deploy.open_store()?;
        Ok((deploy, store))
    }
}
