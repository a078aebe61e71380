//! Loading the configuration: which file it is, and reading it.

use std::io;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use crate::config::{Config, Mistake};
use crate::git::Repository;
use crate::sys::{clock, open};

/// The largest configuration file that is read, in bytes.
const CONFIG_MAX: u64 = 1024 * 1024;

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
        let text = open::read_text(file, CONFIG_MAX).map_err(|error| unreadable(file, &error))?;
        return parse(file, &text);
    }

    let own = repository.path().join(OWN_CONFIG);
    for file in [&own, Path::new(MACHINE_CONFIG)] {
        match open::read_text(file, CONFIG_MAX) {
            Ok(text) => return parse(file, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(file, &error)),
        }
    }
    Ok((None, Config::default()))
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
fn unreadable(file: &Path, error: &io::Error) -> ConfigError {
    ConfigError {
        file: file.to_owned(),
        problems: vec![Mistake::unreadable(error)],
        config: Box::default(),
    }
}
