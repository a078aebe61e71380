//! What still runs of a state that was made anew or put back from a backup.

use std::path::Path;

use super::error::{Error, Kind};
use crate::id::DeploymentId;
use crate::runner::left_running;
use crate::status::Status;
use crate::store::{self, LeftRunning, Reader, Transaction};
use crate::time::Timestamp;

/// The deployments of this state that still run, whatever its database says.
///
/// # Errors
/// It can't be seen whether any runs, or one has a number above the highest that is known.
pub(super) fn look_for_left(
    folder: &Path,
    highest: DeploymentId,
) -> Result<Vec<LeftRunning>, Error> {
    let left = left_running(folder).map_err(|unseen| {
        Error::advised(
            Kind::State,
            format!("it can't be seen whether a command of this state still runs: {unseen}"),
            "make sure that no command runs any more and that this user may look at processes, \
             and run this again",
        )
    })?;
    match left.last().filter(|last| last.id > highest) {
        None => Ok(left),
        Some(LeftRunning { id, target, .. }) => Err(Error::refused(
            format!("{id} {target} still runs, and neither the database nor a log has this number"),
            format!(
                "to let the numbers continue above it: deploy-by-code rebuild --above {}",
                id.0
            ),
        )),
    }
}

/// Those of the deployments that still run which the state does not know as begun.
pub(super) fn not_on_record(
    left: Vec<LeftRunning>,
    record: &Reader<'_>,
) -> Result<Vec<LeftRunning>, store::Error> {
    let mut unknown = Vec::new();
    for left in left {
        let recorded = record.deployment(left.id)?;
        if recorded.is_none_or(|recorded| recorded.status == Status::Queued) {
            unknown.push(left);
        }
    }
    Ok(unknown)
}

/// Lets deployments that still run hold their environments.
pub(super) fn hold_all(
    transaction: &Transaction<'_>,
    left: &[LeftRunning],
    now: Timestamp,
) -> Result<(), store::Error> {
    left.iter()
        .try_for_each(|left| transaction.record_left_running(left, now))
}
