//! What `rebuild` finds out from the published status.

use super::error::Error;
use crate::deploy_repository::DeployRepository;
use crate::report::PublishedHistory;
use crate::text;

/// What is published at the configured ref; nothing where nothing is.
///
/// # Errors
/// It can't be read.
pub(super) fn published_history(deploy: &DeployRepository) -> Result<PublishedHistory, Error> {
    let repository = &deploy.repository;
    let Some(full_name) = &deploy.config.publish else {
        return Ok(PublishedHistory::default());
    };
    let Some(tip) = repository.branch_tip(full_name)? else {
        return Ok(PublishedHistory::default());
    };

    let [status, log] = ["status.json", "log.json"].map(|name| repository.file(&tip, name));
    let (status, log) = (status?.unwrap_or_default(), log?.unwrap_or_default());
    PublishedHistory::read(&status, &log).map_err(|error| {
        let error = text::escape(error.to_string(), 200);
        Error::refused(
            format!("what is published at {full_name} can't be understood: {error}"),
            "move the ref to an earlier commit, or take publish out of the configuration to do \
             without it",
        )
    })
}
