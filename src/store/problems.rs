//! Deploy files on the deploy branch that can't be deployed.

use rusqlite::{Row, params};

use super::columns::{identity_at, revision_at, text};
use super::error::Error;
use super::reader::Reader;
use super::transaction::Transaction;
use crate::event::Event;
use crate::id::Revision;
use crate::identity::Identity;
use crate::policy::Refusal;
use crate::time::Timestamp;

/// Something on the deploy branch that can't be deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The path, what is wrong with it, and what to do.
    pub refusal: Refusal,
    /// When it was found.
    pub found_at: Timestamp,
}

/// Something that could not be deployed because of a fault of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The deploy file's path.
    pub path: Vec<u8>,
    /// Where the branch was before the change.
    pub since: Option<Revision>,
    /// Who pushed the change.
    pub pusher: Option<Identity>,
}

/// Reads `path, message, hint, is_fault`.
fn refusal(row: &Row<'_>) -> rusqlite::Result<Refusal> {
    Ok(Refusal {
        path: row.get(0)?,
        message: row.get(1)?,
        hint: row.get(2)?,
        is_fault: row.get(3)?,
    })
}

impl Reader<'_> {
    /// All problems, in the order of their paths.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn problems(&self) -> Result<Vec<Problem>, Error> {
        let sql = "SELECT path, message, hint, is_fault, found_at_ms FROM problems ORDER BY path";
        self.query(sql, [], |row| {
            Ok(Problem {
                refusal: refusal(row)?,
                found_at: Timestamp::from_ms(row.get(4)?),
            })
        })
    }

    /// The problems that were found at exactly this commit of the deploy branch.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn problems_of(&self, commit: &Revision) -> Result<Vec<Refusal>, Error> {
        let sql = "SELECT path, message, hint, is_fault FROM problems
             WHERE commit_id = ? ORDER BY path";
        self.query(sql, [commit.as_str()], refusal)
    }

    /// The problems that are faults of the server.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn faults(&self) -> Result<Vec<Fault>, Error> {
        let sql = "SELECT path, since_commit, pusher, pusher_known_by FROM problems
             WHERE is_fault = 1";
        self.query(sql, [], |row| {
            Ok(Fault {
                path: row.get(0)?,
                since: revision_at(row, 1)?,
                pusher: identity_at(row, 2, 3)?,
            })
        })
    }
}

impl Transaction<'_> {
    /// Records a problem, in place of what was recorded for its path. Returns whether it is news:
    /// the same problem was not recorded yet, or the range touches the path. `since` is where the
    /// branch was before the change. Of a fault that is known from before it is kept, and so is who
    /// pushed the change. If somebody else changes the path too, nobody has pushed all of it, so
    /// that a reason in the commits of one person makes no use of a right of the other.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn set_problem(
        &self,
        refusal: &Refusal,
        (since, commit): (Option<&Revision>, Option<&Revision>),
        pusher: Option<&Identity>,
        is_touched: bool,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let same = "SELECT 1 FROM problems WHERE path = ? AND message = ?";
        let is_known = self.has(same, params![refusal.path, refusal.message])?;
        self.execute(
            "INSERT INTO problems (path, message, hint, commit_id, found_at_ms, is_fault,
                 since_commit, pusher, pusher_known_by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT DO UPDATE SET message = excluded.message, hint = excluded.hint,
                 commit_id = excluded.commit_id, found_at_ms = excluded.found_at_ms,
                 is_fault = excluded.is_fault,
                 pusher = CASE
                     WHEN NOT is_fault THEN excluded.pusher
                     WHEN ?10 AND pusher IS NOT excluded.pusher THEN NULL
                     ELSE pusher END,
                 pusher_known_by = CASE
                     WHEN NOT is_fault THEN excluded.pusher_known_by
                     WHEN ?10 AND pusher IS NOT excluded.pusher THEN NULL
                     ELSE pusher_known_by END,
                 since_commit =
                     CASE WHEN is_fault THEN since_commit ELSE excluded.since_commit END",
            params![
                refusal.path,
                refusal.message,
                refusal.hint,
                text(commit),
                now.as_ms(),
                refusal.is_fault,
                text(since),
                pusher.map(|pusher| &pusher.name),
                pusher.map(|pusher| pusher.evidence.as_str()),
                is_touched
            ],
        )?;

        let is_news = is_touched || !is_known;
        if is_news {
            let event = Event::Problem {
                path: String::from_utf8_lossy(&refusal.path).into_owned(),
                message: refusal.message.clone(),
            };
            self.record(&event, now)?;
        }
        Ok(is_news)
    }

    /// Records who pushed what could not be deployed because of faults of the server, where other
    /// processes planned exactly the range of that push before its pusher was known.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn claim_faults(
        &self,
        (since, commit): (Option<&Revision>, Option<&Revision>),
        pusher: &Identity,
    ) -> Result<(), Error> {
        self.execute(
            "UPDATE problems SET pusher = ?, pusher_known_by = ?
             WHERE is_fault = 1 AND pusher IS NULL AND since_commit IS ? AND commit_id IS ?",
            params![
                pusher.name,
                pusher.evidence.as_str(),
                text(since),
                text(commit)
            ],
        )?;
        Ok(())
    }

    /// Records that there is no problem with a path any more.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn clear_problem(&self, path: &[u8]) -> Result<(), Error> {
        self.execute("DELETE FROM problems WHERE path = ?", [path])?;
        Ok(())
    }
}
