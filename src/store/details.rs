//! What is recorded along with deployments, for many of them at once.

use std::collections::HashMap;
use std::ops::ControlFlow;

use rusqlite::{Row, params_from_iter};

use super::columns::{hash_at, notes_at, revision_at};
use super::error::Error;
use super::phases::{RecordedPhase, phase};
use super::reader::Reader;
use super::rows::Deployment;
use super::safeguards::exception;
use super::views::{Filter, Period, selection};
use crate::id::{DeploymentId, Revision};
use crate::policy::{Approval, Exception, Note};

/// What is recorded along with a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// The exceptions from rules that were made for it.
    pub exceptions: Vec<Exception>,
    /// Who approved it.
    pub approvals: Vec<Approval>,
    /// What the rules said that allowed it.
    pub notes: Vec<Note>,
    /// The phases that it came to, in their order.
    pub phases: Vec<RecordedPhase>,
}

/// What is recorded of an application in an environment, along with its newest deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewestDetails {
    /// The revision of the deployment that succeeded last: what is deployed.
    pub deployed: Option<Revision>,
    /// The exceptions from rules that were made for the newest deployment.
    pub exceptions: Vec<Exception>,
    /// Who approved it.
    pub approvals: Vec<Approval>,
    /// As [`Reader::holds`].
    pub holds: Vec<(DeploymentId, Revision, String)>,
}

impl Reader<'_> {
    /// What is recorded along with one deployment.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn details(&self, id: DeploymentId) -> Result<Details, Error> {
        Ok(Details {
            exceptions: self.exceptions(id)?,
            approvals: self.approvals(id)?,
            notes: self.notes(id)?,
            phases: self.phases(id)?,
        })
    }

    /// What the rules said that allowed a deployment.
    fn notes(&self, id: DeploymentId) -> Result<Vec<Note>, Error> {
        let sql = "SELECT notes FROM deployments WHERE id = ?";
        let notes = self.first(sql, [id.0], |row| notes_at(row, 0))?;
        Ok(notes.unwrap_or_default())
    }

    /// As [`Reader::history_before`], each with what is recorded along with it. These are four
    /// statements, however many deployments there are.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn history_with_details(
        &self,
        before: Option<DeploymentId>,
        filter: &Filter,
        period: &Period,
        most: u32,
    ) -> Result<Vec<(Deployment, Details)>, Error> {
        let (rest, values) = selection(before, filter, period, most);
        let deployments = self.select_with_notes(&rest, params_from_iter(&values))?;
        let mut details: HashMap<DeploymentId, Details> = HashMap::new();
        let mut each = |columns: &str, table: &str, order: &str, add: AddTo| {
            let sql = format!(
                "SELECT {columns}, deployment FROM {table}
                 WHERE deployment IN (SELECT id FROM deployments {rest})
                 ORDER BY deployment, {order}"
            );
            let last = columns.split(',').count();
            self.walk(&sql, params_from_iter(&values), |row| {
                let id = DeploymentId(row.get(last)?);
                add(details.entry(id).or_default(), row)?;
                Ok(ControlFlow::Continue(()))
            })
        };

        each(
            "kind, reason, signed_by",
            "exceptions",
            "kind",
            |to, row| {
                to.exceptions.push(exception(row)?);
                Ok(())
            },
        )?;
        each(
            "approved_by, commit_id",
            "approvals",
            "approved_by",
            |to, row| {
                let (by, commit) = (row.get(0)?, hash_at(row, 1)?);
                to.approvals.push(Approval { by, commit });
                Ok(())
            },
        )?;
        let columns = "phase, status, reason, started_at_ms, finished_at_ms";
        each(columns, "phases", "number", |to, row| {
            to.phases.push(phase(row)?);
            Ok(())
        })?;

        let with_details = deployments.into_iter().map(|(deployment, notes)| {
            let details = details.remove(&deployment.id).unwrap_or_default();
            (deployment, Details { notes, ..details })
        });
        Ok(with_details.collect())
    }

    /// What is recorded of some applications, each by the number of its newest deployment. These
    /// are four statements, however many applications there are.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn newest_details(
        &self,
        newest: impl Iterator<Item = DeploymentId>,
    ) -> Result<HashMap<DeploymentId, NewestDetails>, Error> {
        let numbers: Vec<String> = newest.map(|id| id.0.to_string()).collect();
        let numbers = format!("[{}]", numbers.join(","));
        let mut found: HashMap<DeploymentId, NewestDetails> = HashMap::new();

        // CROSS JOIN: first the numbers, and then the few rows of each, without a list of them.
        let sql = "SELECT of.id, (SELECT revision FROM deployments
                 WHERE environment = of.environment AND application = of.application
                     AND status = 'succeeded'
                 ORDER BY finish_order DESC LIMIT 1)
             FROM json_each(?) AS number CROSS JOIN deployments AS of ON of.id = number.value";
        self.walk(sql, [&numbers], |row| {
            let to = found.entry(DeploymentId(row.get(0)?)).or_default();
            to.deployed = revision_at(row, 1)?;
            Ok(ControlFlow::Continue(()))
        })?;
        let sql = "SELECT kind, reason, signed_by, deployment
             FROM json_each(?) AS number CROSS JOIN exceptions ON deployment = number.value
             ORDER BY kind";
        self.walk(sql, [&numbers], |row| {
            let to = found.entry(DeploymentId(row.get(3)?)).or_default();
            to.exceptions.push(exception(row)?);
            Ok(ControlFlow::Continue(()))
        })?;
        let sql = "SELECT deployment, approved_by, commit_id
             FROM json_each(?) AS number CROSS JOIN approvals ON deployment = number.value
             ORDER BY approved_by";
        self.walk(sql, [&numbers], |row| {
            let to = found.entry(DeploymentId(row.get(0)?)).or_default();
            let (by, commit) = (row.get(1)?, hash_at(row, 2)?);
            to.approvals.push(Approval { by, commit });
            Ok(ControlFlow::Continue(()))
        })?;
        let sql = "SELECT of.id, holds.deployment, holds.revision, holds.reason
             FROM json_each(?) AS number CROSS JOIN deployments AS of ON of.id = number.value
             CROSS JOIN holds
                 ON holds.environment = of.environment AND holds.application = of.application
             ORDER BY holds.deployment DESC";
        self.walk(sql, [&numbers], |row| {
            let to = found.entry(DeploymentId(row.get(0)?)).or_default();
            let (by, revision) = (DeploymentId(row.get(1)?), hash_at(row, 2)?);
            to.holds.push((by, revision, row.get(3)?));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }
}

/// Adds a row to the details of the deployment that it belongs to.
type AddTo = fn(&mut Details, &Row<'_>) -> rusqlite::Result<()>;
