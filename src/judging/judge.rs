//! The pipeline: changes, candidates, facts, decision.

use std::collections::{BTreeMap, BTreeSet};

use super::application_repositories::ApplicationRepositories;
use super::changes::{Changes, changes};
use super::error::Error;
use super::gather::gather;
use super::inputs::Inputs;
use super::range_facts::RangeFacts;
use super::subject::Subject;
use super::wanted::wanted;
use crate::candidate::{Candidate, candidates};
use crate::deploy_repository::DeployRepository;
use crate::id::{Revision, Target};
use crate::plan::{self, Plan};
use crate::policy::Facts;
use crate::store::Reader;

/// What the deploy repository says about a subject: what is asked for, and with which reasons.
#[derive(Debug)]
pub struct Prepared {
    /// What each change asks for.
    pub candidates: Vec<Candidate>,
    /// The paths that the subject itself changes. The other candidates are only judged again.
    pub touched: BTreeSet<Vec<u8>>,
    wanted_now: BTreeMap<Target, Revision>,
    range_facts: RangeFacts,
}

/// The decision about a subject, and the facts behind it.
#[derive(Debug)]
pub struct Judged {
    /// What the rules knew.
    pub facts: Facts,
    /// What the rules decided.
    pub plan: Plan,
}

/// Reads what a subject asks for. `record` is the record of deployments, if there is one.
///
/// # Errors
/// The deploy repository or the state can't be read.
pub fn prepare(
    deploy: &DeployRepository,
    subject: &Subject<'_>,
    record: Option<&Reader<'_>>,
) -> Result<Prepared, Error> {
    let Changes { all, touched } = changes(deploy, subject, record)?;
    let candidates = candidates(all);
    let range_facts = RangeFacts::read(deploy, subject, &candidates, &touched);
    Ok(Prepared {
        candidates,
        touched,
        wanted_now: wanted_now(deploy, subject, record)?,
        range_facts,
    })
}

/// For a look at a commit that is not the tip of the branch: what the tip asks for.
fn wanted_now(
    deploy: &DeployRepository,
    subject: &Subject<'_>,
    record: Option<&Reader<'_>>,
) -> Result<BTreeMap<Target, Revision>, Error> {
    let &Subject::Branch { commit, tip } = subject else {
        return Ok(BTreeMap::new());
    };
    if commit == tip {
        return Ok(BTreeMap::new());
    }
    match (wanted(deploy, tip), record) {
        // A damaged tip asks for nothing. What was planned last still counts.
        (Err(error), Some(record)) if error.is_damage() => Ok(record.last_planned()?),
        (wanted, _) => Ok(wanted?),
    }
}

impl Prepared {
    /// Asks every rule. This reads the record and the application repositories, and nothing more of
    /// the deploy repository. Inside of [`ApplicationRepositories::from_memory`] it waits for no
    /// repository.
    ///
    /// # Errors
    /// The state can't be read, or an answer is not in memory. If something about an application
    /// can't be found out, this is a fact and not an error.
    pub fn judge(
        &self,
        deploy: &DeployRepository,
        subject: &Subject<'_>,
        record: Option<&Reader<'_>>,
        repositories: &mut ApplicationRepositories<'_>,
    ) -> Result<Judged, Error> {
        let inputs = Inputs {
            deploy,
            subject,
            candidates: &self.candidates,
            touched: &self.touched,
            wanted_now: &self.wanted_now,
            range_facts: &self.range_facts,
            record,
        };
        let facts = gather(&inputs, repositories)?;
        let plan = plan::decide(&deploy.config, &self.candidates, &facts);
        Ok(Judged { facts, plan })
    }
}

/// Reads what a subject asks for, and asks every rule.
///
/// # Errors
/// The deploy repository or the state can't be read.
pub fn judge(
    deploy: &DeployRepository,
    subject: &Subject<'_>,
    record: Option<&Reader<'_>>,
    repositories: &mut ApplicationRepositories<'_>,
) -> Result<(Prepared, Judged), Error> {
    let prepared = prepare(deploy, subject, record)?;
    let judged = prepared.judge(deploy, subject, record, repositories)?;
    Ok((prepared, judged))
}
