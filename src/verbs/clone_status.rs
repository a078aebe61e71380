//! The published status, as a clone has it.

use super::error::{Error, Kind};
use crate::clone::DeployClone;
use crate::report::StatusFile;
use crate::text::escape;

/// What is deployed where, by the published status; `None`: nothing is published.
///
/// # Errors
/// It can't be read or understood.
pub fn clone_status(deploy: &DeployClone) -> Result<Option<StatusFile<'static>>, Error> {
    let Some(commit) = &deploy.status else {
        return Ok(None);
    };
    let content = deploy.published_file("status.json")?.unwrap_or_default();
    StatusFile::read(&content).map(Some).map_err(|error| {
        Error::advised(
            Kind::State,
            format!(
                "status.json at {} ({}) can't be understood: {}",
                escape(&deploy.status_ref, 200),
                commit.short(),
                escape(error.to_string(), 200)
            ),
            "ask who looks after the server; if the status is published at another ref: \
             --status-ref REF",
        )
    })
}
