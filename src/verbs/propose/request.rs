//! What a person asks for.

use std::path::PathBuf;

use super::super::error::{Error, Kind};
use crate::clone::Chosen;
use crate::id::{Application, Environment};
use crate::message::trailers;

/// What a person asks for.
#[derive(Debug, Clone)]
pub struct ProposeRequest {
    /// The clone.
    pub chosen: Chosen,
    /// The environment.
    pub environment: Environment,
    /// One application of it; `None`: all that have a deploy file there.
    pub application: Option<Application>,
    /// The revision, as git knows it in the application's clone.
    pub revision: Option<String>,
    /// Take what is deployed, or else wanted, in this environment.
    pub from: Option<Environment>,
    /// Go back, for this reason.
    pub rollback: Option<String>,
    /// Deploy once more what the file asks for.
    pub is_redeploy: bool,
    /// The environment or the application may be new, though its name is near another one.
    pub is_new: bool,
    /// How many commits the entry names.
    pub lines_max: usize,
    /// A folder of the application's clone.
    pub application_repository: Option<PathBuf>,
}

impl ProposeRequest {
    /// Checks what can be checked without looking at anything.
    ///
    /// # Errors
    /// The reason for a rollback would not count as one.
    pub(super) fn check(&self) -> Result<(), Error> {
        let Some(reason) = &self.rollback else {
            return Ok(());
        };
        let message = format!("Title\n\nDeploy-Rollback: {reason}\n");
        let declared = trailers(message.as_bytes(), None).counted;
        if matches!(declared.as_slice(), [only] if only.value == *reason) {
            return Ok(());
        }
        Err(Error::advised(
            Kind::Usage,
            "this is no reason for a rollback",
            "write one line with at least one word, at most 500 characters: \
             --rollback \"alarms since noon\"",
        ))
    }
}
