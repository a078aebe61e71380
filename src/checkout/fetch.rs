//! The step of a deployment that fetches the mirror of the application's repository.

use std::io::{self, BufRead};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::order::{StepOrder, read_line};
use crate::config::RepositoryUrl;
use crate::git::{FetchError, FetchProgress, Mirror};
use crate::sys::clock::Deadline;
use crate::time::Timestamp;

/// What the step has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchOrder {
    /// The state directory, which has the mirror.
    pub state: PathBuf,
    /// The URL of the repository.
    pub url: RepositoryUrl,
    /// Nothing is done if it was fetched at this time or later, in milliseconds since 1970.
    pub since_ms: i64,
    /// How long it may take.
    pub limit: Duration,
}

impl FetchOrder {
    /// Reads an order's line.
    ///
    /// # Errors
    /// The line can't be read, or is no order.
    pub fn read(input: impl BufRead) -> io::Result<Self> {
        Ok(serde_json::from_slice(&read_line(input)?)?)
    }

    /// Fetches the mirror. `say` gets told how far a long fetch is.
    ///
    /// # Errors
    /// It can't be fetched.
    pub fn fetch(self, say: &mut dyn FnMut(&str)) -> Result<(), FetchError> {
        let mirror = Mirror::new(&self.state, self.url);
        let mut progress = FetchProgress::default();
        let since = Timestamp::from_ms(self.since_ms);
        let limit = (self.limit, Deadline::after(self.limit));
        mirror.fetch(since, limit, &mut |written| {
            if let Some(line) = progress.hear(written) {
                say(&line);
            }
        })
    }
}

impl StepOrder for FetchOrder {
    fn line(&self) -> io::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    /// It runs as the runner, which authenticates as the hooks do.
    fn user(&self) -> Option<&str> {
        None
    }
}
