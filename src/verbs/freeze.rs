//! `freeze` and `thaw`.

use std::fmt;

use super::error::{Error, Kind};
use super::frozen::frozen;
use super::names::names;
use super::place::Place;
use super::start::start_runner;
use crate::id::Environment;
use crate::identity::Identity;
use crate::policy::Freeze;
use crate::publish::Audience;
use crate::status::Status;
use crate::store::Deployment;
use crate::sys::clock;
use crate::text;
use crate::time::{Timestamp, parse_duration};

/// The longest reason that is kept, in characters.
const REASON_MAX: usize = 500;

/// Why some text can't be the end of a freeze.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotATime {
    /// It is not a time. This is the text, quoted.
    Unreadable(String),
    /// It is in the past.
    Past(Timestamp),
}

impl fmt::Display for NotATime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(text) => write!(
                f,
                "{text} is not a time such as \"2h\", \"2026-12-24\", \"2026-12-24 16:00\" (UTC) \
                 or \"2026-12-24T16:00:00+01:00\""
            ),
            Self::Past(end) => write!(f, "{} UTC is in the past", end.minute()),
        }
    }
}

impl std::error::Error for NotATime {}

/// Reads the end of a freeze: a length of time from now, `2026-12-24` or `2026-12-24 16:00`, both
/// in UTC, or a time in RFC 3339.
///
/// # Errors
/// It is none of these, or it is in the past.
pub fn until(text: &str, now: Timestamp) -> Result<Timestamp, NotATime> {
    let end = match parse_duration(text) {
        Ok(length) => {
            let ms = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
            Some(Timestamp::from_ms(now.as_ms().saturating_add(ms)))
        }
        Err(_) => Timestamp::parse(text),
    };

    match end {
        Some(end) if end > now => Ok(end),
        Some(end) => Err(NotATime::Past(end)),
        None => Err(NotATime::Unreadable(text::quote(text, 60))),
    }
}

/// An environment that was frozen.
#[derive(Debug)]
pub struct Frozen {
    /// The freeze that is in force now.
    pub freeze: Freeze,
    /// What is queued or running there.
    pub open: Vec<Deployment>,
}

/// Freezes an environment.
///
/// # Errors
/// There is no such environment, the reason is empty, the end is not a time, or the state can't be
/// changed.
pub fn freeze(
    place: &Place,
    environment: &Environment,
    reason: &str,
    until_text: Option<&str>,
    by: &Identity,
) -> Result<Frozen, Error> {
    let (deploy, mut store) = place.deploy_and_store()?;
    names(&deploy, &mut store)?.check_environment(environment)?;

    let reason = text::decode(reason.trim().as_bytes(), REASON_MAX);
    if reason.is_empty() {
        return Err(Error::advised(
            Kind::Usage,
            "the reason is empty",
            "say why: --reason \"incident 7\"",
        ));
    }

    let now = clock::now();
    let end = until_text.map(|text| until(text, now)).transpose();
    let end = end.map_err(|error| {
        Error::advised(
            Kind::Usage,
            format!("--until: {error}"),
            "to see an example: deploy-by-code freeze --help",
        )
    })?;

    store.transaction(|transaction| transaction.freeze(environment, &reason, by, end, now))?;
    Audience::of(&deploy).tell(&mut store);

    let open = store.read()?.open_deployments(environment)?;
    Ok(Frozen {
        freeze: Freeze {
            by: Some(by.clone()),
            reason,
            since: Some(now),
            until: end,
        },
        open,
    })
}

/// An environment that was thawed, or would be.
#[derive(Debug)]
pub struct Thawed {
    /// What waits there and can begin after the thaw.
    pub waiting: Vec<Deployment>,
    /// The freeze of the calendar that is still in force.
    pub still: Option<Freeze>,
}

/// Thaws an environment and starts its runner. With `dry_run` it changes nothing.
///
/// # Errors
/// Nobody froze the environment by hand, somebody else thawed it meanwhile, or the state can't be
/// changed.
pub fn thaw(
    place: &Place,
    environment: &Environment,
    dry_run: bool,
    by: &Identity,
) -> Result<Thawed, Error> {
    let (deploy, mut store) = place.deploy_and_store()?;
    let now = clock::now();

    let names = names(&deploy, &mut store)?;
    let record = store.read()?;
    if !record.freezes(now)?.contains_key(environment) {
        names.check_environment(environment)?;
        let by_calendar = frozen(&deploy, &record, &names, now)?.remove(environment);
        return Err(not_frozen_by_hand(environment, by_calendar.as_ref()));
    }

    let mut waiting = record.open_deployments(environment)?;
    waiting.retain(|open| open.status == Status::Queued);
    drop(record);

    if dry_run {
        let still = None;
        return Ok(Thawed { waiting, still });
    }

    if !store.transaction(|transaction| transaction.thaw(environment, by, now))? {
        return Err(Error::refused(
            format!("{environment} is not frozen any more: somebody else has just thawed it"),
            "to see which environments are frozen: deploy-by-code status",
        ));
    }
    Audience::of(&deploy).tell(&mut store);
    start_runner(place, &deploy, environment)?;

    let still = frozen(&deploy, &*store.read()?, &names, now)?.remove(environment);
    Ok(Thawed { waiting, still })
}

/// `thaw` ends only what `freeze` began.
fn not_frozen_by_hand(environment: &Environment, by_calendar: Option<&Freeze>) -> Error {
    match by_calendar {
        Some(freeze) => Error::refused(
            format!("{environment} is {}", freeze.describe()),
            "the calendar is in the configuration: change frozen there",
        ),
        None => Error::refused(
            format!("{environment} is not frozen"),
            "to see which environments are frozen: deploy-by-code status",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_of_a_freeze_is_read_and_must_be_in_the_future() {
        let now = Timestamp::from_ms(0);
        let table = [
            ("2h", Ok("1970-01-01 02:00")),
            ("1970-01-02", Ok("1970-01-02 00:00")),
            ("1970-01-02 16:00", Ok("1970-01-02 16:00")),
            ("1970-01-02T16:00:00+01:00", Ok("1970-01-02 15:00")),
            ("1969-12-31", Err("1969-12-31 00:00 UTC is in the past")),
            ("0s", Err("1970-01-01 00:00 UTC is in the past")),
        ];

        for (text, expect) in table {
            let found = until(text, now).map(Timestamp::minute);
            let found = found.map_err(|error| error.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expect, "{text}");
        }
        assert_eq!(
            until("tomorrow", now),
            Err(NotATime::Unreadable("\"tomorrow\"".to_owned()))
        );
    }
}
