//! Which branches a push may be about, also while the configuration can't be used.

use std::io;

use crate::deploy_repository::{DeployRepository, Error, InstallRecord};
use crate::git::Repository;
use crate::hook::environment::HookEnvironment;

/// Branches that a push may not touch without being judged.
pub(super) enum Concerned {
    /// These, by their full names.
    Branches(Vec<String>),
    /// It is not known which one is meant, so it can be any.
    EveryBranch,
}

/// What is recorded about the installation; `None`: nothing.
///
/// # Errors
/// The repository or the record can't be read.
pub(super) fn recorded(
    environment: &HookEnvironment,
    opened: Result<&DeployRepository, &Error>,
) -> io::Result<Option<InstallRecord>> {
    match opened {
        Ok(deploy) => InstallRecord::read(deploy.repository.path()),
        Err(_) => {
            let repository = Repository::open(&environment.git_dir).map_err(io::Error::other)?;
            InstallRecord::read(repository.path())
        }
    }
}

impl Concerned {
    /// The branch that the configuration names, as far as it can be read, and the one that the
    /// hooks were installed for. While the configuration can't be used, only the second one is
    /// certain: without it, every branch can be meant. So it is if the record can't be read and
    /// only `HEAD` names a branch, because that may have been another one at the installation.
    pub(super) fn by(
        opened: Result<&DeployRepository, &Error>,
        recorded: &io::Result<Option<InstallRecord>>,
    ) -> Self {
        let installed = recorded.as_ref().ok().and_then(Option::as_ref);
        let installed = installed.map(|recorded| recorded.branch.clone());
        let configured = match opened {
            Ok(deploy) if recorded.is_err() && deploy.config.branch.is_none() => {
                return Self::EveryBranch;
            }
            Ok(deploy) => Some(deploy.branch.clone()),
            Err(Error::Config(_) | Error::Git(_)) if installed.is_none() => {
                return Self::EveryBranch;
            }
            Err(Error::Config(error)) => {
                let branch = error.config.branch.as_ref();
                branch.map(|branch| format!("refs/heads/{branch}"))
            }
            Err(Error::Git(_)) => None,
        };
        Self::Branches(configured.into_iter().chain(installed).collect())
    }

    /// Whether a ref is one of these branches, by its full name.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        match self {
            Self::Branches(branches) => branches.iter().any(|branch| branch.as_bytes() == name),
            Self::EveryBranch => name.starts_with(b"refs/heads/"),
        }
    }
}
