//! What is counted for the figures. The database counts: nothing here reads deployments one by one.

use std::collections::{BTreeMap, HashMap};

use rusqlite::types::FromSql;
use rusqlite::{Params, Row};

use super::columns::{damaged, environment_at, target_at};
use super::error::Error;
use super::reader::Reader;
use crate::id::{Environment, Target};
use crate::status::Status;
use crate::time::Timestamp;

/// How long deployments take is counted up to each of these lengths, in milliseconds.
pub const BOUNDS: [i64; 7] = [
    1_000, 10_000, 60_000, 300_000, 900_000, 1_800_000, 3_600_000,
];

/// What is counted of the deployments of an application in an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeploymentFigures {
    /// How many have ended in each status.
    pub ended: HashMap<Status, u64>,
    /// How many of those that succeeded took at most as long as each of [`BOUNDS`].
    pub took_at_most: [u64; BOUNDS.len()],
    /// How long those that succeeded took together, in milliseconds.
    pub took_ms: u64,
    /// When one succeeded last.
    pub last_success: Option<Timestamp>,
    /// How many of those that succeeded, failed or were interrupted ended in the window.
    pub recent_changes: u64,
}

impl DeploymentFigures {
    /// How many have ended in a status.
    #[must_use]
    pub fn count(&self, status: Status) -> u64 {
        self.ended.get(&status).copied().unwrap_or(0)
    }

    /// How many changed something or tried to: they succeeded, failed or were interrupted.
    #[must_use]
    pub fn changes(&self) -> u64 {
        let statuses = [Status::Succeeded, Status::Failed, Status::Interrupted];
        statuses.map(|status| self.count(status)).iter().sum()
    }
}

/// What is queued in an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueFigures {
    /// How many deployments.
    pub queued: u64,
    /// When the oldest of them was queued.
    pub oldest: Timestamp,
}

/// How many changes of an environment failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChangeFigures {
    /// Of all.
    pub failed: u64,
    /// Of those that ended in the window.
    pub recent: u64,
}

/// Lengths of time in an environment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DurationFigures {
    /// How many there are.
    pub count: u64,
    /// All together, in milliseconds.
    pub sum_ms: u64,
    /// The middle one of those that ended in the window, in milliseconds. Of two middle ones, it is
    /// the shorter.
    pub median_ms: Option<u64>,
}

/// How many notifications somebody did not get.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NotificationFigures {
    /// They were tried and wait to be tried again, perhaps for some of several people, or are to be
    /// sent again.
    pub waiting: u64,
    /// They were refused or given up.
    pub failed: u64,
}

/// The changes that failed, each with when it ended and with the deployment that ended the failure.
/// In the man page: "What the figures mean".
const FAILURES: &str = "failures AS (
    SELECT broken.environment, broken.finished_at_ms, (
        SELECT id FROM deployments AS next
        WHERE next.environment = broken.environment AND next.application = broken.application
            AND next.status = 'succeeded' AND next.finish_order > broken.finish_order
        ORDER BY next.finish_order LIMIT 1
    ) AS restored_by
    FROM deployments AS broken WHERE broken.status IN ('failed', 'interrupted')
    UNION ALL
    SELECT gone.environment, gone.finished_at_ms, back.id
    FROM deployments AS back JOIN deployments AS gone ON gone.id = (
        SELECT id FROM deployments AS before
        WHERE before.environment = back.environment AND before.application = back.application
            AND before.status = 'succeeded' AND before.finish_order < back.finish_order
        ORDER BY before.finish_order DESC LIMIT 1
    )
    WHERE back.status = 'succeeded' AND back.rolled_back IS NOT NULL
        AND back.rolled_back = gone.revision
)";

/// Counts the lengths of time `ms` of the rows in `observed`.
const DURATIONS: &str = "ranked AS (
    SELECT environment, ms, is_recent,
        ROW_NUMBER() OVER (PARTITION BY environment, is_recent ORDER BY ms) AS rank,
        COUNT(*) OVER (PARTITION BY environment, is_recent) AS count
    FROM observed
)
SELECT environment, COUNT(*), SUM(ms),
    MAX(CASE WHEN is_recent AND rank = (count + 1) / 2 THEN ms END)
FROM ranked GROUP BY environment";

impl Reader<'_> {
    /// The deployments of each application in each environment that have ended. The window begins
    /// at `since`.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn deployment_figures(
        &self,
        since: Timestamp,
    ) -> Result<BTreeMap<Target, DeploymentFigures>, Error> {
        let at_most = BOUNDS.map(|ms| format!(", SUM(finished_at_ms - started_at_ms <= {ms})"));
        // All rows are read. With the index of the names, each would have to be looked for.
        let sql = format!(
            "SELECT environment, application, status, COUNT(*), MAX(finished_at_ms),
                 SUM(finished_at_ms >= ?), SUM(MAX(finished_at_ms - started_at_ms, 0)) {}
             FROM deployments NOT INDEXED WHERE finished_at_ms IS NOT NULL
             GROUP BY environment, application, status",
            at_most.concat()
        );

        let mut figures: BTreeMap<Target, DeploymentFigures> = BTreeMap::new();
        self.query(&sql, [since.as_ms()], |row| {
            let word: String = row.get(2)?;
            let status: Status = word.parse().map_err(|_| damaged(2, "status"))?;
            let of_target = figures.entry(target_at(row, 0)?).or_default();

            of_target.ended.insert(status, number(row, 3)?);
            if matches!(
                status,
                Status::Succeeded | Status::Failed | Status::Interrupted
            ) {
                of_target.recent_changes += number(row, 5)?;
            }
            if status == Status::Succeeded {
                of_target.last_success = Some(Timestamp::from_ms(row.get(4)?));
                of_target.took_ms = number(row, 6)?;
                for (index, count) in of_target.took_at_most.iter_mut().enumerate() {
                    *count = number(row, 7 + index)?;
                }
            }
            Ok(())
        })?;
        Ok(figures)
    }

    /// What is queued, in each environment in which anything is.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn queue_figures(&self) -> Result<BTreeMap<Environment, QueueFigures>, Error> {
        let sql = "SELECT environment, COUNT(*), MIN(queued_at_ms) FROM deployments
             WHERE status = 'queued' GROUP BY environment";
        self.by_environment(sql, [], |row| {
            Ok(QueueFigures {
                queued: number(row, 1)?,
                oldest: Timestamp::from_ms(row.get(2)?),
            })
        })
    }

    /// How many changes failed in each environment. The window begins at `since`.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn change_failures(
        &self,
        since: Timestamp,
    ) -> Result<BTreeMap<Environment, ChangeFigures>, Error> {
        let sql = format!(
            "WITH {FAILURES} SELECT environment, COUNT(*), SUM(finished_at_ms >= ?)
             FROM failures GROUP BY environment"
        );
        self.by_environment(&sql, [since.as_ms()], |row| {
            Ok(ChangeFigures {
                failed: number(row, 1)?,
                recent: number(row, 2)?,
            })
        })
    }

    /// How long it took in each environment until an application that had failed was restored. The
    /// window begins at `since`.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn times_to_restore(
        &self,
        since: Timestamp,
    ) -> Result<BTreeMap<Environment, DurationFigures>, Error> {
        let sql = format!(
            "WITH {FAILURES}, ended AS (
                 SELECT restored_by, MIN(finished_at_ms) AS began_at_ms FROM failures
                 WHERE restored_by IS NOT NULL GROUP BY restored_by
             ), observed AS (
                 SELECT environment, MAX(finished_at_ms - began_at_ms, 0) AS ms,
                     finished_at_ms >= ? AS is_recent
                 FROM ended JOIN deployments ON id = restored_by
             ), {DURATIONS}"
        );
        self.durations(&sql, since)
    }

    /// How long it took in each environment until commits were deployed. The window begins at
    /// `since`.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn lead_times(
        &self,
        since: Timestamp,
    ) -> Result<BTreeMap<Environment, DurationFigures>, Error> {
        let sql = format!(
            "WITH observed AS (
                 SELECT environment, MAX(finished_at_ms - committed_at_ms, 0) AS ms,
                     finished_at_ms >= ? AS is_recent
                 FROM deployments WHERE committed_at_ms IS NOT NULL
             ), {DURATIONS}"
        );
        self.durations(&sql, since)
    }

    #[cfg_attr(test, track_caller)]
    fn durations(
        &self,
        sql: &str,
        since: Timestamp,
    ) -> Result<BTreeMap<Environment, DurationFigures>, Error> {
        self.by_environment(sql, [since.as_ms()], |row| {
            let median: Option<i64> = row.get(3)?;
            Ok(DurationFigures {
                count: number(row, 1)?,
                sum_ms: number(row, 2)?,
                median_ms: median.and_then(|ms| u64::try_from(ms).ok()),
            })
        })
    }

    /// The notifications that wait or have failed, of everybody who has such ones.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn notification_figures(&self) -> Result<BTreeMap<String, NotificationFigures>, Error> {
        let count = |condition: &str| {
            let sql = format!(
                "SELECT target, COUNT(*) FROM notifications WHERE {condition} GROUP BY target"
            );
            self.query(&sql, [], |row| Ok((row.get(0)?, number(row, 1)?)))
        };

        let mut figures: BTreeMap<String, NotificationFigures> = BTreeMap::new();
        // One after the other, because there is an index of each.
        for condition in ["status = 'waiting'", "status = 'partial'"] {
            for (target, waiting) in count(condition)? {
                figures.entry(target).or_default().waiting += waiting;
            }
        }
        for (target, failed) in count("status IN ('refused', 'given-up')")? {
            figures.entry(target).or_default().failed = failed;
        }
        Ok(figures)
    }

    /// The rows of a query whose first column is the name of an environment.
    #[cfg_attr(test, track_caller)]
    fn by_environment<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<BTreeMap<Environment, T>, Error> {
        let rows = self.query(sql, parameters, |row| {
            Ok((environment_at(row, 0)?, read(row)?))
        })?;
        Ok(rows.into_iter().collect())
    }
}

/// A number that is not negative. A sum of nothing is 0.
fn number(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    let number: i64 = Option::column_result(row.get_ref(index)?)?.unwrap_or(0);
    u64::try_from(number).map_err(|_| damaged(index, "count"))
}
