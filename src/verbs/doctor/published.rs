//! The published status: whether what happened is there.

use super::finding::Finding;
use super::installation::Installation;
use crate::publish::STATUS;
use crate::store::Store;
use crate::text;

/// Whether the last event that could not be published waits for another try.
pub(super) fn status(installation: &Installation<'_>, store: &mut Store) -> Finding {
    let Some(full_name) = &installation.deploy.config.publish else {
        return Finding::ok("the status is not published");
    };
    let waiting = store.read().and_then(|record| record.next_waiting(STATUS));
    match waiting {
        Ok(None) => Finding::ok(format!("the status is published at {full_name}")),
        Ok(Some(waiting)) => {
            let answer = text::escape(waiting.answer.unwrap_or_default(), 300);
            Finding::problem(
                format!("the status can't be published at {full_name}: {answer}"),
                "fix what the message says; it is tried again by itself, every 10 minutes at most",
            )
        }
        Err(error) => Finding::problem(error.to_string(), error.hint()),
    }
}
