//! Loading the configuration: which file it is, and reading it.

use std::io;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::install_record::InstallRecord;
use super::text_file::read;
use crate::config::{Config, Mistake};
use crate::git::Repository;
use crate::refs::exclude_each_other;
use crate::sys::clock;

/// The configuration file in a deploy repository.
const OWN_CONFIG: &str = "deploy-by-code.toml";

/// The configuration file of the machine.
const MACHINE_CONFIG: &str = "/etc/deploy-by-code/config.toml";

/// Loads the configuration from the file that is named; where none is named, from the first that
/// exists of the repository's own and the machine's. Returns that file with it; `None`: neither
/// exists, and the configuration is the default.
///
/// # Errors
/// The file can't be read, or has mistakes.
pub(super) fn load(
    repository: &Repository,
    named: Option<&Path>,
) -> Result<(Option<PathBuf>, Config), ConfigError> {
    if let Some(file) = named {
        let text = read(file).map_err(|error| unreadable(file, &error))?;
        return parse(file, &text);
    }

    for file in searched(repository) {
        match read(&file) {
            Ok(text) => return parse(&file, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(&file, &error)),
        }
    }
    Ok((None, Config::default()))
}

/// The files that are searched where none is named, the first that counts first.
fn searched(repository: &Repository) -> [PathBuf; 2] {
    [
        repository.path().join(OWN_CONFIG),
        PathBuf::from(MACHINE_CONFIG),
    ]
}

/// Whether hooks find a configuration file, for which it need not be named.
pub(super) fn is_searched(repository: &Repository, file: &Path) -> bool {
    searched(repository).iter().any(|searched| searched == file)
}

/// Checks that the file which was found counts at least as much as the one that was there when the
/// hooks were installed. Otherwise that one was removed, and what it protected would be open.
///
/// # Errors
/// The file of the installation is missing, or it can't be read which one that was.
pub(super) fn check_not_missing(
    repository: &Repository,
    found: Option<&Path>,
    config: &Config,
) -> Result<(), ConfigError> {
    let [own, _] = searched(repository);
    if found == Some(&own) {
        return Ok(());
    }

    let record = InstallRecord::file(repository.path());
    let recorded = InstallRecord::read(repository.path());
    let recorded = recorded.map_err(|error| unreadable(&record, &error))?;
    let configuration = recorded.and_then(|recorded| recorded.configuration);
    match configuration.map(|file| repository.path().join(file)) {
        Some(file) if found != Some(&file) => Err(ConfigError {
            file,
            problems: vec![Mistake::missing()],
            config: Box::new(config.clone()),
        }),
        _ => Ok(()),
    }
}

/// Checks that the status is not published at the deploy branch, which need not be named in the
/// configuration.
///
/// # Errors
/// It is.
pub(super) fn check_publish(
    config: &Config,
    branch: &str,
    file: Option<&Path>,
) -> Result<(), ConfigError> {
    let (Some(publish), Some(file)) = (&config.publish, file) else {
        return Ok(());
    };
    if !exclude_each_other(publish.as_bytes(), branch.as_bytes()) {
        return Ok(());
    }
    Err(ConfigError {
        file: file.to_owned(),
        problems: vec![Mistake::publishes_at_branch(publish, branch)],
        config: Box::new(config.clone()),
    })
}

/// The configuration in the text of a file.
fn parse(file: &Path, text: &str) -> Result<(Option<PathBuf>, Config), ConfigError> {
    let (config, problems) = Config::parse(text, &clock::zone);
    if problems.is_empty() {
        return Ok((Some(file.to_owned()), config));
    }
    Err(ConfigError {
        file: file.to_owned(),
        problems,
        config: Box::new(config),
    })
}

/// The error of a file that can't be read.
pub(super) fn unreadable(file: &Path, error: &io::Error) -> ConfigError {
    ConfigError {
        file: file.to_owned(),
        problems: vec![Mistake::unreadable(error)],
        config: Box::default(),
    }
}
