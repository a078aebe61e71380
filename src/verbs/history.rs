//! `log`: the history of deployments, whole or in pieces.

use std::collections::BTreeSet;

use super::error::{Error, Kind};
use crate::deploy_repository::DeployRepository;
use crate::id::DeploymentId;
use crate::report::DeploymentRow;
use crate::store::{Deployment, Filter, LoggedDeployment, Period, Reader, Store, with_log};
use crate::text;
use crate::time::{Timestamp, parse_duration};

/// How many deployments one piece has.
const PIECE: u32 = 1000;

/// Reads the beginning and the end of a period: a length of time before `now` such as `2d` or
/// `2d ago`, `2026-12-24` or `2026-12-24 16:00`, both in UTC, or a time in RFC 3339.
///
/// # Errors
/// One of them is none of these, or nothing can be between them.
pub fn period(since: Option<&str>, until: Option<&str>, now: Timestamp) -> Result<Period, Error> {
    let read = |option: &str, text: Option<&str>| {
        let moment = text.map(|text| moment(text, now).ok_or_else(|| not_a_time(option, text)));
        moment.transpose()
    };
    let period = Period {
        since: read("--since", since)?,
        until: read("--until", until)?,
    };

    if let (Some(since), Some(until)) = (period.since, period.until)
        && since >= until
    {
        return Err(Error::advised(
            Kind::Usage,
            format!("--since {since} is not earlier than --until {until}"),
            "give the earlier time with --since",
        ));
    }
    Ok(period)
}

/// A point in time; `None`: the text is none.
fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    let length = text.strip_suffix("ago").unwrap_or(text);
    match parse_duration(length.trim_end()) {
        Ok(length) => Some(now.before(length)),
        Err(_) => Timestamp::parse(text),
    }
}

fn not_a_time(option: &str, text: &str) -> Error {
    let message = format!(
        "{option}: {} is not a time such as \"2d\", \"2d ago\", \"2026-12-24\", \
         \"2026-12-24 16:00\" (UTC) or \"2026-12-24T16:00:00+01:00\"",
        text::quote(text, 60)
    );
    let hint = "to see an example: deploy-by-code log --help";
    Error::advised(Kind::Usage, message, hint)
}

/// A history of any length in pieces, newest first. Each piece is as the record was at one moment.
/// Between the pieces nothing is open, so a reader who takes very long keeps nobody from tidying up
/// the database.
pub struct History<'s> {
    deploy: &'s DeployRepository,
    store: &'s mut Store,
    filter: Filter,
    period: Period,
    /// How many deployments are still wanted.
    left: u32,
    /// The last deployment that was handed over.
    last: Option<DeploymentId>,
    /// Those that had a log when the history was begun, where many are asked for.
    logs: Option<BTreeSet<DeploymentId>>,
}

impl<'s> History<'s> {
    /// At most `most` deployments that a filter lets through and that were queued in a period.
    #[must_use]
    pub fn new(
        deploy: &'s DeployRepository,
        store: &'s mut Store,
        filter: Filter,
        period: Period,
        most: u32,
    ) -> Self {
        Self {
            deploy,
            store,
            filter,
            period,
            left: most,
            last: None,
            logs: None,
        }
    }

    /// The next piece, for people; empty at the end.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn next_piece(&mut self) -> Result<Vec<LoggedDeployment>, Error> {
        self.piece(
            |record, before, filter, period, most| {
                Ok(record.logged_before(before, filter, period, most)?)
            },
            |deployment| deployment.id,
        )
    }

    /// The next piece, for programs; empty at the end.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn next_rows(&mut self) -> Result<Vec<DeploymentRow>, Error> {
        let deploy = self.deploy;
        if self.left > PIECE && self.logs.is_none() {
            // One look for all. If the folder can't be read, each log is looked for.
            self.logs = with_log(self.store.folder()).ok().flatten();
        }
        let logs = self.logs.take();
        let has_log = |record: &Reader<'_>, deployment: &Deployment| match &logs {
            // What has not ended may have got its log since then.
            Some(logs) if deployment.status.has_ended() => logs.contains(&deployment.id),
            _ => record.log_file(deployment.id).exists(),
        };

        let rows = self.piece(
            |record, before, filter, period, most| {
                let piece = record.history_with_details(before, filter, period, most)?;
                let rows = piece.into_iter().map(|(deployment, details)| {
                    let has_log = has_log(record, &deployment);
                    DeploymentRow::with_details(deploy, deployment, details, has_log, record)
                });
                Ok(rows.collect::<Result<_, _>>()?)
            },
            |row| row.id,
        );
        self.logs = logs;
        rows
    }

    /// Reads the next piece, and notes where it ends.
    fn piece<T>(
        &mut self,
        read: impl FnOnce(
            &Reader<'_>,
            Option<DeploymentId>,
            &Filter,
            &Period,
            u32,
        ) -> Result<Vec<T>, Error>,
        id: impl Fn(&T) -> DeploymentId,
    ) -> Result<Vec<T>, Error> {
        let most = self.left.min(PIECE);
        if most == 0 {
            return Ok(Vec::new());
        }
        let record = self.store.read()?;
        let piece = read(&record, self.last, &self.filter, &self.period, most)?;
        self.last = piece.last().map(id);
        // One that has fewer is the last.
        let is_full = u32::try_from(piece.len()) == Ok(most);
        self.left = if is_full { self.left - most } else { 0 };
        Ok(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    #[test]
    fn period_is_read() {
        let now = Timestamp::from_ms(NOW);
        let table = [
            ("2h", Some(NOW - 7_200_000)),
            ("2h ago", Some(NOW - 7_200_000)),
            ("1970-01-01", Some(0)),
            ("1970-01-01 00:01", Some(60_000)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("ago", None),
            ("-2h", None),
            ("yesterday", None),
            ("", None),
        ];
        for (text, expect) in table {
            let found = period(Some(text), None, now).map(|period| period.since);
            let found = found.ok().flatten().map(Timestamp::as_ms);
            assert_eq!(found, expect, "{text:?}");
        }
    }

    #[test]
    fn period_in_which_nothing_can_be_is_refused() {
        let now = Timestamp::from_ms(NOW);
        for (since, until, is_fine) in
            [("2h", "1h", true), ("1h", "1h", false), ("1h", "2h", false)]
        {
            let found = period(Some(since), Some(until), now);
            assert_eq!(found.is_ok(), is_fine, "{since} {until}");
        }
    }
}
