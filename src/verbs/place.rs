//! Where a verb works: a repository, and the configuration file that was named for it.

use std::env;
use std::path::{Path, PathBuf};

use super::error::{Error, Kind};
use crate::deploy_repository::{ConfigError, DeployRepository};
use crate::git::find_repository;
use crate::store::Store;
use crate::text;

/// What to do where no repository is found.
const NAME_IT: &str = "name it: deploy-by-code -C /path/to/repository.git …";

/// Where a verb works.
#[derive(Debug, Clone)]
pub struct Place {
    /// The repository's git folder.
    pub git_dir: PathBuf,
    /// The configuration file that was named; `None`: the repository's or the machine's.
    pub config: Option<PathBuf>,
}

impl Place {
    /// The repository that was named, or else the one of `git_dir` (the variable `GIT_DIR`), or
    /// else the one at or above the current folder.
    ///
    /// # Errors
    /// There is no repository.
    pub fn find(
        named: Option<PathBuf>,
        git_dir: Option<PathBuf>,
        config: Option<PathBuf>,
    ) -> Result<Self, Error> {
        let git_dir = match (named, git_dir) {
            (Some(named), _) => find_repository(&named)?.ok_or_else(|| missing(&named))?,
            (None, Some(git_dir)) => git_dir,
            (None, None) => {
                let error = Error::system("the current folder can't be found", NAME_IT);
                let current = env::current_dir().map_err(error)?;
                find_repository(&current)?.ok_or_else(|| missing(&current))?
            }
        };

        Ok(Self { git_dir, config })
    }

    /// The deploy repository.
    ///
    /// # Errors
    /// It or its configuration can't be used.
    pub fn deploy(&self) -> Result<DeployRepository, Error> {
        Ok(DeployRepository::open(
            &self.git_dir,
            self.config.as_deref(),
        )?)
    }

    /// The deploy repository, for `install` and `rebuild`.
    ///
    /// # Errors
    /// It or its configuration can't be used.
    pub fn deploy_to_install(&self) -> Result<DeployRepository, Error> {
        Ok(DeployRepository::open_to_install(
            &self.git_dir,
            self.config.as_deref(),
        )?)
    }

    /// The deploy repository and its state.
    ///
    /// # Errors
    /// One of them can't be used.
    pub fn deploy_and_store(&self) -> Result<(DeployRepository, Store), Error> {
        let deploy = self.deploy()?;
        let store = deploy.open_store()?;
        Ok((deploy, store))
    }

    /// The deploy repository, for showing what is recorded. This also works while the configuration
    /// is broken: what is wrong with it is returned too.
    ///
    /// # Errors
    /// The repository can't be read.
    pub fn deploy_to_look(&self) -> Result<(DeployRepository, Option<ConfigError>), Error> {
        Ok(DeployRepository::open_to_look(
            &self.git_dir,
            self.config.as_deref(),
        )?)
    }
}

fn missing(place: &Path) -> Error {
    let place = text::escape(place.as_os_str().as_encoded_bytes(), 200);
    Error::advised(
        Kind::State,
        format!("{place}: there is no git repository here"),
        NAME_IT,
    )
}

/// Whether a folder is itself a repository or a work tree, and not only inside of one.
///
/// # Errors
/// It can't be found out.
pub fn is_repository(folder: &Path) -> Result<bool, Error> {
    let is_inside = |found: PathBuf| {
        folder
            .canonicalize()
            .is_ok_and(|folder| found.starts_with(folder))
    };
    let found = find_repository(folder)?;
    Ok(found.is_some_and(is_inside) || folder.join(".git").exists())
}
