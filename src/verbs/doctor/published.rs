//! The published status: whether what happened is there.

use std::time::Duration;

use super::super::published_lag::{Lag, published_lag};
use super::finding::Finding;
use super::installation::Installation;
use crate::id::EventId;
use crate::publish::STATUS;
use crate::store::{self, Store};
use crate::sys::clock;
use crate::text;

/// How old the newest event becomes before it should be published.
const SOON: Duration = Duration::from_secs(60);

/// Whether the published status tells of the newest event, and if not, why.
pub(super) fn status(installation: &Installation<'_>, store: &mut Store) -> Finding {
    let Some(full_name) = &installation.deploy.config.publish else {
        return Finding::ok("the status is not published");
    };
    let lag = match published_lag(installation.deploy, store) {
        Ok(lag) => lag,
        Err(error) => {
            let found = format!("the status at {full_name}: {}", text::with_causes(&error));
            return Finding::problem(text::escape(found, 500), "let this user read it");
        }
    };
    let why = match last_failure(store) {
        Ok(why) => why,
        Err(error) => return Finding::problem(error.to_string(), error.hint()),
    };

    match (lag, why) {
        (None, _) => Finding::ok(format!("the status is published at {full_name}")),
        (Some(lag), None) if clock::now().since(lag.newest.at) < SOON => Finding::ok(format!(
            "the status is published at {full_name}; the newest event is not a minute old"
        )),
        (Some(lag), why) => {
            let why = why.map_or_else(String::new, |why| format!(": {}", text::escape(why, 300)));
            let fix = installation.run("reconcile");
            Finding::problem(
                format!("{}{why}", behind(full_name, &lag)),
                format!("fix what the message says; the timer tries again, or {fix}"),
            )
        }
    }
}

/// What the last try said that did not work; `None`: none is on record, or nobody has to know.
fn last_failure(store: &mut Store) -> Result<Option<String>, store::Error> {
    let record = store.read()?;
    let last = match record.next_waiting(STATUS)? {
        Some(waiting) => Some(waiting),
        None => record.failed_notifications(STATUS, None)?.1,
    };
    Ok(last.and_then(|last| last.answer))
}

/// How what is published is behind the record.
fn behind(full_name: &str, lag: &Lag) -> String {
    if lag.is_of_configuration {
        return format!("{full_name} does not have what the configuration says by now");
    }
    let published = match (lag.published.event, &lag.published.tip) {
        (Some(EventId(event)), _) if lag.published.is_ahead() => {
            format!("{full_name} tells of event {event}, which is not in the record")
        }
        (Some(EventId(event)), _) => format!("{full_name} tells of event {event}"),
        (None, Some(_)) => format!("{full_name} tells of no event of this state"),
        (None, None) => format!("{full_name} does not exist"),
    };
    let newest = &lag.newest;
    let (id, kind, at) = (newest.id.0, newest.event.kind(), newest.at);
    format!("{published}, and the newest is event {id} ({kind}, {at})")
}
