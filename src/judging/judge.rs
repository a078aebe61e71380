//! Changes, candidates, facts, decision.

use std::collections::BTreeSet;

use super::applications::Applications;
use super::case::Case;
use super::changes::{Changes, changes};
use super::error::Error;
use super::gather::gather;
use super::reasons::Reasons;
use super::subject::Subject;
use crate::candidate::{Candidate, candidates};
use crate::deploy_repository::DeployRepository;
use crate::plan::{self, Plan};
use crate::policy::Facts;
use crate::store::Reader;

/// A subject as far as the deploy repository itself says: what is asked for, and with which reasons.
#[derive(Debug)]
pub struct Prepared {
    /// What each change asks for.
    pub candidates: Vec<Candidate>,
    /// The paths that the subject itself changes; the other candidates are only judged again.
    pub touched: BTreeSet<Vec<u8>>,
    reasons: Reasons,
}

/// What a subject comes to, and by which facts.
#[derive(Debug)]
pub struct Judged {
    /// What the rules were told.
    pub facts: Facts,
    /// What the rules decided.
    pub plan: Plan,
}

/// Reads what a subject asks for. `record` is what was deployed, where there is a record of it.
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
    let reasons = Reasons::read(deploy, subject, !candidates.is_empty())?;
    Ok(Prepared {
        candidates,
        touched,
        reasons,
    })
}

impl Prepared {
    /// Asks every rule. It reads the record and the application repositories, and no more of the
    /// deploy repository; inside of [`Applications::from_memory`] it waits for nobody.
    ///
    /// # Errors
    /// The state can't be read. What can't be found out about an application is no error, but a
    /// fact about it.
    pub fn judge(
        &self,
        deploy: &DeployRepository,
        subject: &Subject<'_>,
        record: Option<&Reader<'_>>,
        applications: &mut Applications,
    ) -> Result<Judged, Error> {
        let case = Case {
            deploy,
            subject,
            candidates: &self.candidates,
            reasons: &self.reasons,
            record,
        };
        let facts = gather(&case, applications)?;
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
) -> Result<(Prepared, Judged), Error> {
    let prepared = prepare(deploy, subject, record)?;
    let judged = prepared.judge(deploy, subject, record, &mut Applications::default())?;
    Ok((prepared, judged))
}
