//! The published status, as a clone has it.

use super::error::{Error, Kind};
use crate::clone::DeployClone;
use crate::report::{PublishedDeployment, StatusFile};
use crate::text::escape;

/// What is deployed where, by the published status; `None`: nothing is published.
///
/// # Errors
/// It can't be read or understood.
pub fn clone_status(deploy: &DeployClone) -> Result<Option<StatusFile<'static>>, Error> {
    read(deploy, "status.json", StatusFile::read)
}

/// The deployments that ended last, newest first, as they are published; `None`: nothing is.
///
/// # Errors
/// They can't be read or understood.
pub(super) fn clone_log(deploy: &DeployClone) -> Result<Option<Vec<PublishedDeployment>>, Error> {
    read(deploy, "log.json", |content| {
        serde_json::from_slice(content)
    })
}

/// A file of what is published; `None`: nothing is published.
fn read<T>(
    deploy: &DeployClone,
    name: &str,
    parse: fn(&[u8]) -> Result<T, serde_json::Error>,
) -> Result<Option<T>, Error> {
    let Some(commit) = &deploy.status else {
        return Ok(None);
    };
    let content = deploy.published_file(name)?.unwrap_or_default();
    parse(&content).map(Some).map_err(|error| {
        Error::advised(
            Kind::State,
            format!(
                "{name} at {} ({}) can't be understood: {}",
                escape(&deploy.status_ref, 200),
                commit.short(),
                escape(error.to_string(), 200)
            ),
            "ask who looks after the server; if the status is published at another ref: \
             --status-ref REF",
        )
    })
}
