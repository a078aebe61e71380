//! What is recorded along with deployments, for many of them at once.

use std::collections::HashMap;
use std::ops::ControlFlow;

use rusqlite::{Row, params_from_iter};

use super::columns::hash_at;
use super::error::Error;
use super::phases::{RecordedPhase, phase};
use super::reader::Reader;
use super::rows::Deployment;
use super::safeguards::exception;
use super::views::{Filter, Period, selection};
use crate::id::DeploymentId;
use crate::policy::{Approval, Exception};

/// What is recorded along with a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// The exceptions from rules that were made for it.
    pub exceptions: Vec<Exception>,
    /// Who approved it.
    pub approvals: Vec<Approval>,
    /// The phases that it came to, in their order.
    pub phases: Vec<RecordedPhase>,
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
            phases: self.phases(id)?,
        })
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
        let deployments = self.history_before(before, filter, period, most)?;
        let (rest, values) = selection(before, filter, period, most);
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

        let with_details = deployments.into_iter().map(|deployment| {
            let details = details.remove(&deployment.id).unwrap_or_default();
            (deployment, details)
        });
        Ok(with_details.collect())
    }
}

/// Adds a row to the details of the deployment that it belongs to.
type AddTo = fn(&mut Details, &Row<'_>) -> rusqlite::Result<()>;
