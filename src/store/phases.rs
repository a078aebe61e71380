//! The phases of a deployment, with their times.
//!
//! A phase is recorded before anything of it begins, in the transaction that records its first
//! process. It ends when the next one begins or when the deployment ends. So no phase costs a
//! transaction of its own, and after a crash it is known which one was under way.

use rusqlite::{Row, params};

use super::columns::{damaged, status_at, time_at};
use super::error::Error;
use super::reader::Reader;
use super::transaction::Transaction;
use crate::id::DeploymentId;
use crate::phase::Phase;
use crate::status::Status;
use crate::time::Timestamp;

/// A phase as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedPhase {
    /// Which one it is.
    pub phase: Phase,
    /// `running`, or how it ended.
    pub status: Status,
    /// Why it ended like this.
    pub reason: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// How a phase ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseEnd {
    /// Its status.
    pub status: Status,
    /// Why, if there is something to say.
    pub reason: Option<String>,
}

impl PhaseEnd {
    /// The end of a phase that did what it was asked for.
    #[must_use]
    pub fn succeeded() -> Self {
        Self {
            status: Status::Succeeded,
            reason: None,
        }
    }
}

/// Reads `phase, status, reason, started_at_ms, finished_at_ms`.
pub(super) fn phase(row: &Row<'_>) -> rusqlite::Result<RecordedPhase> {
    let phase = row.get_ref(0)?.as_str()?;
    Ok(RecordedPhase {
        phase: phase.parse().map_err(|_| damaged(0, "phase"))?,
        status: status_at(row, 1)?,
        reason: row.get(2)?,
        started_at: Timestamp::from_ms(row.get(3)?),
        finished_at: time_at(row, 4)?,
    })
}

impl Reader<'_> {
    /// The phases of a deployment, in the order in which they began.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn phases(&self, id: DeploymentId) -> Result<Vec<RecordedPhase>, Error> {
        let sql = "SELECT phase, status, reason, started_at_ms, finished_at_ms FROM phases
             WHERE deployment = ? ORDER BY number";
        self.query(sql, [id.0], phase)
    }
}

impl Transaction<'_> {
    /// Records that a phase of a running deployment begins.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn begin_phase(&self, id: DeploymentId, phase: Phase, now: Timestamp) -> Result<(), Error> {
        self.execute(
            "INSERT INTO phases (deployment, number, phase, status, started_at_ms)
             VALUES (?1, (SELECT COALESCE(MAX(number), 0) + 1 FROM phases WHERE deployment = ?1),
                 ?2, 'running', ?3)",
            params![id.0, phase.as_str(), now.as_ms()],
        )?;
        Ok(())
    }

    /// Records how the phase ended that is under way, if one is.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn end_phase(&self, id: DeploymentId, end: &PhaseEnd, now: Timestamp) -> Result<(), Error> {
        self.execute(
            "UPDATE phases SET status = ?, reason = ?, finished_at_ms = ?
             WHERE deployment = ? AND finished_at_ms IS NULL",
            params![end.status.as_str(), end.reason, now.as_ms(), id.0],
        )?;
        Ok(())
    }
}
