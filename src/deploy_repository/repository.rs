//! A deploy repository, opened with its configuration.

use std::io;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Error};
use super::install_record::InstallRecord;
use super::load::{check_not_missing, check_publish, is_searched, load, unreadable};
use crate::config::{ApplicationRepository, Config, Mistake};
use crate::git::{self, Mirror, Quarantine, Repository};
use crate::id::Target;
use crate::store::{self, Store, Transaction};
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
        let (found, config) = load(&repository, config_file)?;
        if config_file.is_none() {
            check_not_missing(&repository, found.as_deref(), &config)?;
        }
        let deploy = Self::new(repository, config, found)?;
        check_publish(
            &deploy.config,
            &deploy.branch,
            deploy.config_file.as_deref(),
        )?;
        Ok(deploy)
    }

    /// Like [`DeployRepository::open`], but the configuration file that was there at the last
    /// install may be missing: for `install`, which records anew what is meant, and for `rebuild`,
    /// because `install` makes no state that is lost.
    ///
    /// # Errors
    /// As for [`DeployRepository::open`].
    pub fn open_to_install(git_dir: &Path, config_file: Option<&Path>) -> Result<Self, Error> {
        let repository = Repository::open(git_dir)?;
        let (found, config) = load(&repository, config_file)?;
        let deploy = Self::new(repository, config, found)?;
        check_publish(
            &deploy.config,
            &deploy.branch,
            deploy.config_file.as_deref(),
        )?;
        Ok(deploy)
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

    /// Whether a ref is the deploy branch, by its full name.
    #[must_use]
    pub fn is_branch(&self, name: &[u8]) -> bool {
        name == self.branch.as_bytes()
    }

    /// Reads the configuration again, for a process that lives long.
    ///
    /// # Errors
    /// The configuration can't be used; the one from before stays.
    pub fn reload_config(&mut self) -> Result<(), ConfigError> {
        let (_, config) = load(&self.repository, self.config_file.as_deref())?;
        check_publish(&config, &self.branch, self.config_file.as_deref())?;
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

    /// Checks that the deploy branch and the state are those that the hooks were installed for.
    /// Otherwise a push could be accepted that nobody plans, or be judged without the record.
    ///
    /// # Errors
    /// They are others, or `recorded` is an error: it is not known what was installed.
    pub fn check_as_installed(
        &self,
        recorded: io::Result<Option<InstallRecord>>,
    ) -> Result<(), ConfigError> {
        let file = InstallRecord::file(self.repository.path());
        let Some(recorded) = recorded.map_err(|error| unreadable(&file, &error))? else {
            return Ok(());
        };

        let mut problems = Vec::new();
        if recorded.branch != self.branch {
            let what = "the deploy branch";
            problems.push(Mistake::not_as_installed(
                what,
                &self.branch,
                &recorded.branch,
            ));
        }
        if recorded.state_dir != self.config.state_dir {
            let shown = |folder: &Option<PathBuf>| match folder {
                Some(folder) => folder.to_string_lossy().into_owned(),
                None => "in the repository".to_owned(),
            };
            problems.push(Mistake::not_as_installed(
                "state_dir",
                &shown(&self.config.state_dir),
                &shown(&recorded.state_dir),
            ));
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(ConfigError {
            file: self.config_file.clone().unwrap_or(file),
            problems,
            config: Box::new(self.config.clone()),
        })
    }

    /// The state directory.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.state_dir_of(self.config.state_dir.as_deref())
    }

    /// The state directory that a configuration names, or the one in the repository if it names
    /// none.
    fn state_dir_of(&self, configured: Option<&Path>) -> PathBuf {
        let own = || self.repository.path().join("deploy-by-code");
        configured.map_or_else(own, Path::to_owned)
    }

    /// The folder in which hooks leave files that tell systemd to start a runner.
    #[must_use]
    pub fn wake_folder(&self) -> PathBuf {
        self.state_dir().join("wake")
    }

    /// Opens the state.
    ///
    /// # Errors
    /// There is none, or it can't be opened, or this user may not change it.
    pub fn open_store(&self) -> Result<Store, store::Error> {
        self.open_by(Store::open)
    }

    /// Opens the state for a user who may perhaps only read it.
    ///
    /// # Errors
    /// There is none, or it can't be opened.
    pub fn open_store_to_look(&self) -> Result<Store, store::Error> {
        self.open_by(Store::open_to_look)
    }

    /// Opens the state only to read it: nothing is written, and no file is made.
    ///
    /// # Errors
    /// There is none, or it can't be opened like this.
    pub fn open_store_read_only(&self) -> Result<Store, store::Error> {
        self.open_by(Store::open_read_only)
    }

    /// Opens the state as it is, which may be that of an older version.
    ///
    /// # Errors
    /// There is none, or it can't be opened.
    pub fn open_store_as_it_is(&self) -> Result<Store, store::Error> {
        self.open_by(Store::open_as_it_is)
    }

    /// Opens the state; `None`: nothing was installed here, and no hook has made a state yet.
    ///
    /// # Errors
    /// As for [`DeployRepository::open_store`].
    pub fn find_store(&self) -> Result<Option<Store>, store::Error> {
        none_if_missing(self.open_store())
    }

    /// Opens the state for a user who may perhaps only read it; `None`: nothing was installed here,
    /// and no hook has made a state yet.
    /// With a configuration that is checked before it is used, the state is still where it was.
    ///
    /// # Errors
    /// As for [`DeployRepository::open_store_to_look`].
    pub fn find_store_to_look(&self) -> Result<Option<Store>, store::Error> {
        match none_if_missing(self.open_store_to_look()) {
            Err(store::Error::Elsewhere { earlier, .. }) => Store::open_to_look(&earlier).map(Some),
            found => found,
        }
    }

    /// Opens the state in one of the ways that there are. A database that is missing where
    /// something was installed, or where deployments were carried out, is lost: without its record,
    /// some rules would let everything pass. A state that was elsewhere at the last install is not
    /// forgotten either. Otherwise there is none yet.
    fn open_by(
        &self,
        open: impl Fn(&Path) -> Result<Store, store::Error>,
    ) -> Result<Store, store::Error> {
        let folder = self.state_dir();
        let file = match open(&folder) {
            Err(store::Error::Missing(file) | store::Error::Lost(file)) => file,
            opened => return opened,
        };

        let was_installed = match InstallRecord::read(self.repository.path()) {
            Ok(Some(recorded)) if recorded.state_dir != self.config.state_dir => {
                let earlier = self.state_dir_of(recorded.state_dir.as_deref());
                return Err(store::Error::Elsewhere { file, earlier });
            }
            Ok(recorded) => recorded.is_some(),
            // A record that can't be read is one.
            Err(_) => true,
        };
        if !was_installed && !Store::was_in_use(&folder)? {
            return Err(store::Error::Missing(file));
        }
        match open(&folder) {
            Err(store::Error::Missing(file)) => Err(store::Error::Lost(file)),
            // Another process may have made it since the first look.
            opened => opened,
        }
    }

    /// Opens the state. Where nothing was installed, it is made in the repository, because the
    /// hooks may have been linked by hand. A state that the configuration puts elsewhere is only
    /// made by `install`.
    ///
    /// # Errors
    /// As for [`DeployRepository::create_store`].
    pub fn open_or_create_store(&self) -> Result<Store, store::Error> {
        match self.open_store() {
            Err(store::Error::Missing(_)) if self.config.state_dir.is_none() => {
                self.create_store(|_| Ok(()))
            }
            opened => opened,
        }
    }

    /// Makes the state, shared as the repository is, and does the first work in it in one step. If
    /// another process was faster, its state is opened.
    ///
    /// # Errors
    /// It can't be made or opened, or git gives no answer to how the repository is shared.
    pub fn create_store(
        &self,
        first: impl FnOnce(&Transaction<'_>) -> Result<(), store::Error>,
    ) -> Result<Store, store::Error> {
        let folder = self.state_dir();
        let shared = git::config_value(self.repository.path(), "core.sharedRepository");
        let shared =
            shared.map_err(|error| store::Error::Io(folder.clone(), io::Error::other(error)))?;
        Store::create(&folder, Sharing::from_git(shared.as_deref()), first)
    }

    /// The folder of the application repository that a target's revisions come from; `None`: none
    /// is configured. Of one on another host, it is the mirror, which need not be there.
    #[must_use]
    pub fn application_repository(&self, target: &Target) -> Option<PathBuf> {
        self.application_place(target).map(|(folder, _)| folder)
    }

    /// The same, and the mirror; `None`: the repository is not on another host.
    #[must_use]
    pub fn application_place(&self, target: &Target) -> Option<(PathBuf, Option<Mirror>)> {
        let setting = self.config.repository(target)?;
        Some(match setting.fill(&folder_values(target)) {
            Some(ApplicationRepository::Folder(folder)) => (folder, None),
            Some(ApplicationRepository::Url(url)) => {
                let mirror = Mirror::new(&self.state_dir(), url);
                (mirror.folder(), Some(mirror))
            }
            // Names can't bring this about. Nothing is there, so nothing is deployed from it.
            None => (Mirror::all(&self.state_dir()).join("invalid"), None),
        })
    }

    /// The folder of its revisions that a target is deployed from; `None`: it is all of them.
    #[must_use]
    pub fn subdirectory(&self, target: &Target) -> Option<String> {
        let template = self.config.subdirectory(target)?;
        Some(template.fill(&folder_values(target))).filter(|folder| !folder.is_empty())
    }
}

fn none_if_missing(opened: Result<Store, store::Error>) -> Result<Option<Store>, store::Error> {
    match opened {
        Err(store::Error::Missing(_)) => Ok(None),
        opened => opened.map(Some),
    }
}

/// The values that the settings `checkout`, `repository` and `subdirectory` may name as `{name}`.
#[must_use]
pub fn folder_values(target: &Target) -> [(&'static str, &str); 2] {
    [
        ("environment", target.environment.as_str()),
        ("application", target.application.as_str()),
    ]
}
