//! Why a deploy repository can't be used.

use std::fmt;
use std::path::PathBuf;

use crate::config::{Config, Mistake};
use crate::{git, text};

/// A deploy repository can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repository can't be read.
    #[error(transparent)]
    Git(#[from] git::Error),
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// The configuration can't be used. The message has a line for each mistake, with a hint below it.
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
