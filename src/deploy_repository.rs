//! A deploy repository with its configuration: what every command and hook starts from.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::config::{Config, Mistake};
use crate::git::{self, Quarantine, Repository};
use crate::id::Target;
use crate::store::{self, Store};
use crate::sys::clock;
use crate::sys::open;
use crate::sys::sharing::Sharing;
use crate::text;

/// The largest configuration file that is read, in bytes.
const CONFIG_MAX: u64 = 1024 * 1024;

/// The configuration file in a deploy repository.
const OWN_CONFIG: &str = "deploy-by-code.toml";

/// The configuration file of the machine.
const MACHINE_CONFIG: &str = "/etc/deploy-by-code/config.toml";

/// The configuration can't be used.
#[derive(Debug)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Everything that is wrong with it.
    pub problems: Vec<Mistake>,
    /// What could be read of it.
    pub config: Box<Config>,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = text::escape(self.file.as_os_str().as_encoded_bytes(), 200);
        write!(f, "the configuration can't be used")?;
        for problem in &self.problems {
            let space = if problem.line == 0 { " " } else { "" };
            write!(f, "\n{file}:{space}{problem}")?;
            if let Some(hint) = problem.hint() {
                write!(f, "\n  hint: {hint}")?;
            }
        }
        Ok(())
    }
}

/// A deploy repository can't be used.
#[derive(Debug)]
pub enum Error {
    /// The repository can't be read.
    Git(git::Error),
    /// The configuration can't be used.
    Config(ConfigError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Git(error) => error.fmt(f),
            Self::Config(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<git::Error> for Error {
    fn from(error: git::Error) -> Self {
        Self::Git(error)
    }
}

/// A deploy repository, opened.
pub struct DeployRepository {
    /// The repository.
    pub repository: Repository,
    /// Its configuration, without problems.
    pub config: Config,
    /// The file that the configuration was read from; `None`: there is none.
    pub config_file: Option<PathBuf>,
    /// The deploy branch's full name.
    pub branch: String,
}

impl DeployRepository {
    /// Opens a repository by its git folder, with the configuration of the first file that exists:
    /// the one that is named, the repository's own, the machine's.
    ///
    /// # Errors
    /// The repository can't be read or the configuration not be used.
    pub fn open(git_dir: &Path, config_file: Option<&Path>) -> Result<Self, Error> {
        Self::open_in_quarantine(git_dir, config_file, Quarantine::default())
    }

    /// [`DeployRepository::open`], and reads objects from a push's quarantine first.
    ///
    /// # Errors
    /// As for [`DeployRepository::open`].
    pub fn open_in_quarantine(
        git_dir: &Path,
        config_file: Option<&Path>,
        quarantine: Quarantine,
    ) -> Result<Self, Error> {
        let repository = Repository::open_in_quarantine(git_dir, quarantine)?;
        let (config_file, config) = load(&repository, config_file).map_err(Error::Config)?;
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

    /// For looking at what is recorded: [`DeployRepository::open`], but a configuration with
    /// problems is used as far as it could be read, and the problems are returned beside it.
    /// Nothing is ever deployed by it.
    ///
    /// # Errors
    /// The repository can't be read.
    pub fn open_to_look(
        git_dir: &Path,
        config_file: Option<&Path>,
    ) -> Result<(Self, Option<ConfigError>), Error> {
        match Self::open(git_dir, config_file) {
            Err(Error::Config(error)) => {
                let repository = Repository::open(git_dir)?;
                let branch = match &error.config.branch {
                    Some(branch) => format!("refs/heads/{branch}"),
                    None => repository.head_branch()?,
                };
                let config_file = Some(error.file.clone());
                Ok((
                    Self {
                        repository,
                        config: (*error.config).clone(),
                        config_file,
                        branch,
                    },
                    Some(error),
                ))
            }
            opened => opened.map(|deploy| (deploy, None)),
        }
    }

    /// Reads the configuration again, for a process that lives long.
    ///
    /// # Errors
    /// The configuration can't be used.
    pub fn reload_config(&mut self) -> Result<(), ConfigError> {
        let (_, config) = load(&self.repository, self.config_file.as_deref())?;
        self.config = config;
        Ok(())
    }

    /// The state directory.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.config
            .state_dir
            .clone()
            .unwrap_or_else(|| self.repository.path().join("deploy-by-code"))
    }

    /// Where hooks leave word for systemd that a runner is needed.
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

    /// Opens the state, where there is one.
    ///
    /// # Errors
    /// It can't be opened.
    pub fn find_store(&self) -> Result<Option<Store>, store::Error> {
        match self.open_store() {
            Err(store::Error::Missing(_)) => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Opens the state, making it in the repository where it is missing: the hooks may have been
    /// linked by hand. One that the configuration puts elsewhere is made by `install` alone: that
    /// it is missing can mean that its file system is not mounted, and history would be forgotten.
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

    /// Opens the state, making it where it is missing, shared as the repository is.
    ///
    /// # Errors
    /// It can't be made or opened, or git not be asked how the repository is shared.
    pub fn create_store(&self) -> Result<Store, store::Error> {
        let folder = self.state_dir();
        match Store::open(&folder) {
            Err(store::Error::Missing(_)) => {}
            other => return other,
        }
        let shared = git::config_value(self.repository.path(), "core.sharedRepository");
        let shared =
            shared.map_err(|error| store::Error::Io(folder.clone(), io::Error::other(error)))?;
        Store::create(&folder, Sharing::from_git(shared.as_deref()))
    }

    /// The application repository that a target's revisions come from, where one is configured.
    #[must_use]
    pub fn application_repository(&self, target: &Target) -> Option<PathBuf> {
        let template = self.config.settings(target).repository?;
        Some(PathBuf::from(template.fill(&folder_values(target))))
    }
}

/// What `checkout` and `repository` may name.
#[must_use]
pub fn folder_values(target: &Target) -> [(&'static str, &str); 2] {
    [
        ("environment", target.environment.as_str()),
        ("application", target.application.as_str()),
    ]
}

fn load(
    repository: &Repository,
    named: Option<&Path>,
) -> Result<(Option<PathBuf>, Config), ConfigError> {
    let own = repository.path().join(OWN_CONFIG);
    let candidates: Vec<&Path> = match named {
        Some(file) => vec![file],
        None => vec![&own, Path::new(MACHINE_CONFIG)],
    };
    for file in candidates {
        let text = match read(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => continue,
            Err(error) => {
                return Err(ConfigError {
                    file: file.to_owned(),
                    problems: vec![Mistake::unreadable(&error)],
                    config: Box::default(),
                });
            }
        };
        let (config, problems) = Config::parse(&text, &clock::zone);
        return if problems.is_empty() {
            Ok((Some(file.to_owned()), config))
        } else {
            Err(ConfigError {
                file: file.to_owned(),
                problems,
                config: Box::new(config),
            })
        };
    }
    Ok((None, Config::default()))
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    // A pipe in its place would be waited for.
    let opened = open::without_waiting(file)?;
    if !opened.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    opened.take(CONFIG_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > CONFIG_MAX {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}
