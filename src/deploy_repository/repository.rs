//! A deploy repository, opened with its configuration.

use std::io;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Error};
use super::install_record::InstallRecord;
use super::load::{is_searched, load};
use crate::config::Config;
use crate::git::{self, Quarantine, Repository};
use crate::id::Target;
use crate::store::{self, Store};
use crate::sys::sharing::Sharing;

/// A deploy repository, opened with its configuration.
pub struct DeployRepository {
    /// The repository.
    pub repository: Repository,
    /// Its configuration, without mistakes.
    pub config: Config,
    /// The file that the configuration was read from; `None`: there is no such file.
    pub config_file: Option<PathBuf>,
    /// The deploy branch's full name.
    pub branch: String,
}

impl DeployRepository {
    /// Opens a repository by its git folder. The configuration is that of the file that is named;
    /// where none is named, of the first that exists of the repository's own and the machine's.
    ///
    /// # Errors
    /// The repository can't be read, or the configuration can't be used.
    pub fn open(git_dir: &Path, config_file: Option<&Path>) -> Result<Self, Error> {
        Self::open_in_quarantine(git_dir, config_file, Quarantine::default())
    }

    /// Like [`DeployRepository::open`], but looks for objects in a push's quarantine first.
    ///
    /// # Errors
    /// As for [`DeployRepository::open`].
    pub fn open_in_quarantine(
        git_dir: &Path,
        config_file: Option<&Path>,
        quarantine: Quarantine,
    ) -> Result<Self, Error> {
        let repository = Repository::open_in_quarantine(git_dir, quarantine)?;
        let (config_file, config) = load(&repository, config_file)?;
        Ok(Self::new(repository, config, config_file)?)
    }

    /// Like [`DeployRepository::open`], but only for looking at what is recorded: a configuration
    /// with mistakes is used as far as it could be read, and its error is returned too. Nothing is
    /// ever deployed by such a configuration.
    ///
    /// # Errors
    /// The repository can't be read.
    pub fn open_to_look(
        git_dir: &Path,
        config_file: Option<&Path>,
    ) -> Result<(Self, Option<ConfigError>), Error> {
        let error = match Self::open(git_dir, config_file) {
            Ok(deploy) => return Ok((deploy, None)),
            Err(Error::Config(error)) => error,
            Err(error) => return Err(error),
        };

        let repository = Repository::open(git_dir)?;
        let config = (*error.config).clone();
        let deploy = Self::new(repository, config, Some(error.file.clone()))?;
        Ok((deploy, Some(error)))
    }

    fn new(
        repository: Repository,
        config: Config,
        config_file: Option<PathBuf>,
    ) -> Result<Self, git::Error> {
        let branch = match &config.branch {
            Some(branch) => format!("refs/heads/{branch}"),
            None => repository.head_branch()?,
        };
        Ok(Self {
            repository,
            config,
            config_file,
            branch,
        })
    }

    /// Reads the configuration again, for a process that lives long.
    ///
    /// # Errors
    /// The configuration can't be used; the one from before stays.
    pub fn reload_config(&mut self) -> Result<(), ConfigError> {
        let (_, config) = load(&self.repository, self.config_file.as_deref())?;
        self.config = config;
        Ok(())
    }

    /// What an install with the present configuration records.
    #[must_use]
    pub fn install_record(&self) -> InstallRecord {
        let file = self.config_file.as_ref();
        let file = file.filter(|file| is_searched(&self.repository, file));
        let in_repository = |file: &PathBuf| {
            let inside = file.strip_prefix(self.repository.path());
            inside.unwrap_or(file).to_owned()
        };

        InstallRecord {
            branch: self.branch.clone(),
            state_dir: self.config.state_dir.clone(),
            configuration: file.map(in_repository),
        }
    }

    /// The state directory.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        let own = || self.repository.path().join("deploy-by-code");
        self.config.state_dir.clone().unwrap_or_else(own)
    }

    /// The folder in which hooks leave files that tell systemd to start a runner.
    #[must_use]
    pub fn wake_folder(&self) -> PathBuf {
        self.state_dir().join("wake")
    }

    /// Opens the state.
    ///
    /// # Errors
    /// There is none, or it can't be opened.
    pub fn open_store(&self) -> Result<Store, store::Error> {
        Store::open(&self.state_dir())
    }

    /// Opens the state; `None`: there is none.
    ///
    /// # Errors
    /// It can't be opened.
    pub fn find_store(&self) -> Result<Option<Store>, store::Error> {
        match self.open_store() {
            Err(store::Error::Missing(_)) => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Opens the state. Where it is missing in the repository, it is made, because the hooks may
    /// have been linked by hand. A state that the configuration puts elsewhere is only made by
    /// `install`: it can be missing because its file system is not mounted, and with a new state
    /// the history would be forgotten.
    ///
    /// # Errors
    /// As for [`DeployRepository::create_store`].
    pub fn open_or_create_store(&self) -> Result<Store, store::Error> {
        if self.config.state_dir.is_some() {
            self.open_store()
        } else {
            self.create_store()
        }
    }

    /// Opens the state, and makes it where it is missing, shared as the repository is.
    ///
    /// # Errors
    /// It can't be made or opened, or git gives no answer to how the repository is shared.
    pub fn create_store(&self) -> Result<Store, store::Error> {
        if let Some(store) = self.find_store()? {
            return Ok(store);
        }

        let folder = self.state_dir();
        let shared = git::config_value(self.repository.path(), "core.sharedRepository");
        let shared =
            shared.map_err(|error| store::Error::Io(folder.clone(), io::Error::other(error)))?;
        Store::create(&folder, Sharing::from_git(shared.as_deref()))
    }

    /// The application repository that a target's revisions come from; `None`: none is configured.
    #[must_use]
    pub fn application_repository(&self, target: &Target) -> Option<PathBuf> {
        let template = self.config.settings(target).repository?;
        Some(PathBuf::from(template.fill(&folder_values(target))))
    }
}

/// The values that the settings `checkout` and `repository` may name as `{name}`.
#[must_use]
pub fn folder_values(target: &Target) -> [(&'static str, &str); 2] {
    [
        ("environment", target.environment.as_str()),
        ("application", target.application.as_str()),
    ]
}
