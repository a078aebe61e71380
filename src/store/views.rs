//! The history of deployments, and the last one of each application.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use rusqlite::types::Value;
use rusqlite::{params, params_from_iter};

use super::columns::{names, target_at};
use super::error::Error;
use super::reader::Reader;
use super::rows::Deployment;
use crate::id::{Application, DeploymentId, Environment, Revision, Target};
use crate::time::Timestamp;

/// Which deployments of the history are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those of this environment.
    pub environment: Option<Environment>,
    /// Only those of this application. It is only given together with an environment.
    pub application: Option<Application>,
}

impl Filter {
    /// Whether it lets a target through.
    #[must_use]
    pub fn lets_through(&self, target: &Target) -> bool {
        let is_environment = |name: &Environment| *name == target.environment;
        let is_application = |name: &Application| *name == target.application;
        self.environment.as_ref().is_none_or(is_environment)
            && self.application.as_ref().is_none_or(is_application)
    }
}

/// When deployments were queued.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Earlier than this.
    pub until: Option<Timestamp>,
}

/// The numbers of the newest deployments of all applications in all environments. Each step looks
/// the next one up in the index, however many deployments an application has.
const NEWEST: &str = "newest (id) AS (
    SELECT * FROM (SELECT id FROM deployments
        ORDER BY environment DESC, application DESC, id DESC LIMIT 1)
    UNION ALL
    SELECT COALESCE(
        (SELECT id FROM deployments
            WHERE environment = of.environment AND application < of.application
            ORDER BY application DESC, id DESC LIMIT 1),
        (SELECT id FROM deployments WHERE environment < of.environment
            ORDER BY environment DESC, application DESC, id DESC LIMIT 1))
    FROM newest JOIN deployments AS of ON of.id = newest.id
)";

/// The SQL after `FROM deployments` that selects a part of the history, newest first, and its
/// values.
pub(super) fn selection(
    before: Option<DeploymentId>,
    filter: &Filter,
    period: &Period,
    most: u32,
) -> (String, Vec<Value>) {
    let name = |name: &str| Value::from(name.to_owned());
    let environment = filter.environment.as_ref().map(Environment::as_str);
    let application = filter.application.as_ref().map(Application::as_str);
    let conditions = [
        ("environment = ?", environment.map(name)),
        ("application = ?", application.map(name)),
        ("id < ?", Some(before.map_or(i64::MAX, |id| id.0).into())),
        (
            "queued_at_ms >= ?",
            period.since.map(|at| at.as_ms().into()),
        ),
        ("queued_at_ms < ?", period.until.map(|at| at.as_ms().into())),
    ];

    let (mut sql, mut values) = (String::new(), Vec::new());
    for (condition, value) in conditions {
        let Some(value) = value else { continue };
        sql.push_str(if values.is_empty() { "WHERE " } else { " AND " });
        sql.push_str(condition);
        values.push(value);
    }
    sql.push_str(" ORDER BY id DESC LIMIT ?");
    values.push(most.into());
    (sql, values)
}

impl Reader<'_> {
    /// The newest deployments that a filter lets through, newest first, at most `most`.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn history(&self, filter: &Filter, most: u32) -> Result<Vec<Deployment>, Error> {
        self.history_before(None, filter, &Period::default(), most)
    }

    /// The same for those that were queued in a period and have a lower number than `before`. No
    /// index has the times, because each index makes the hook slower. So at most all deployments
    /// of the filter are looked at.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn history_before(
        &self,
        before: Option<DeploymentId>,
        filter: &Filter,
        period: &Period,
        most: u32,
    ) -> Result<Vec<Deployment>, Error> {
        let (rest, values) = selection(before, filter, period, most);
        self.select(&rest, params_from_iter(values))
    }

    /// The newest deployments of some applications together that have a lower number than `before`,
    /// newest first, at most `most`. Each step looks the next one of one application up in the
    /// index, so it does not matter how many deployments others have between them.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn history_of(
        &self,
        targets: impl IntoIterator<Item = Target>,
        before: Option<DeploymentId>,
        most: usize,
    ) -> Result<Vec<Deployment>, Error> {
        let mut next = BinaryHeap::new();
        for target in targets {
            let id = self.number_before(&target, before)?;
            next.extend(id.map(|id| (id, target)));
        }
        let mut found = Vec::new();
        while found.len() < most
            && let Some((id, target)) = next.pop()
        {
            found.extend(self.deployment(id)?);
            let id = self.number_before(&target, Some(id))?;
            next.extend(id.map(|id| (id, target)));
        }
        Ok(found)
    }

    /// The number of the newest deployment of an application in an environment that is lower than
    /// another one.
    fn number_before(
        &self,
        target: &Target,
        before: Option<DeploymentId>,
    ) -> Result<Option<DeploymentId>, Error> {
        let [environment, application] = names(target);
        let sql = "SELECT id FROM deployments
             WHERE environment = ? AND application = ? AND id < ? ORDER BY id DESC LIMIT 1";
        let before = before.map_or(i64::MAX, |id| id.0);
        self.first(sql, params![environment, application, before], |row| {
            Ok(DeploymentId(row.get(0)?))
        })
    }

    /// The deployments that have ended, those that ended last first, at most `most`.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn ended(&self, most: u32) -> Result<Vec<Deployment>, Error> {
        self.select(
            "WHERE finish_order IS NOT NULL ORDER BY finish_order DESC LIMIT ?",
            [most],
        )
    }

    /// The newest deployment of each application in each environment.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn newest(&self) -> Result<BTreeMap<Target, Deployment>, Error> {
        let rows = self.select(
            &format!("WHERE id IN (WITH RECURSIVE {NEWEST} SELECT id FROM newest)"),
            [],
        )?;
        let by_target = rows
            .into_iter()
            .map(|deployment| (deployment.target.clone(), deployment));
        Ok(by_target.collect())
    }

    /// Each application in each environment that a deployment was recorded of.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn deployed_targets(&self) -> Result<Vec<Target>, Error> {
        let sql = format!(
            "WITH RECURSIVE {NEWEST} SELECT environment, application FROM deployments
             WHERE id IN newest"
        );
        self.query(&sql, [], |row| target_at(row, 0))
    }

    /// The revision that was last planned for each application in each environment, but for retired
    /// ones. It is what the deploy branch said at the cursor, as far as a deployment was recorded:
    /// for when that commit is gone.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn last_planned(&self) -> Result<BTreeMap<Target, Revision>, Error> {
        let rows = self.select(
            &format!(
                "WHERE id IN (WITH RECURSIVE {NEWEST}
                     SELECT (SELECT id FROM deployments
                         WHERE environment = of.environment AND application = of.application
                             AND retry_of IS NULL
                         ORDER BY id DESC LIMIT 1)
                     FROM newest JOIN deployments AS of ON of.id = newest.id)"
            ),
            [],
        )?;
        let retired = self.retirements()?;
        let retired: BTreeSet<Target> = retired.into_iter().map(|retired| retired.target).collect();

        let wanted = rows
            .into_iter()
            .filter(|deployment| !retired.contains(&deployment.target));
        Ok(wanted
            .map(|deployment| (deployment.target, deployment.revision))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{TestState, target};

    #[test]
    fn history_of_some_applications_leaves_out_the_others() {
        let mut state = TestState::new();
        for digit in ['1', '2', '3'] {
            for application in ["a", "b", "c"] {
                state.enqueue(application, digit);
            }
        }
        let record = state.store.read().unwrap();
        let numbers = |names: &[&str], before: Option<i64>, most| -> Vec<i64> {
            let targets = names.iter().map(|name| target(name));
            let found = record.history_of(targets, before.map(DeploymentId), most);
            found.unwrap().into_iter().map(|one| one.id.0).collect()
        };
        assert_eq!(numbers(&["a", "c"], None, 10), [9, 7, 6, 4, 3, 1]);
        assert_eq!(numbers(&["c", "a"], None, 3), [9, 7, 6]);
        assert_eq!(numbers(&["a", "c"], Some(7), 3), [6, 4, 3]);
        assert_eq!(numbers(&["b"], Some(2), 3), [0; 0]);
        assert_eq!(numbers(&["unknown"], None, 3), [0; 0]);
        assert_eq!(numbers(&[], None, 3), [0; 0]);
    }
}
