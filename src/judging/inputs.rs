//! All that is there before facts are gathered.

use std::collections::BTreeSet;

use super::range_facts::RangeFacts;
use super::subject::Subject;
use crate::candidate::Candidate;
use crate::deploy_repository::DeployRepository;
use crate::store::Reader;

/// All that is there before facts are gathered.
pub(super) struct Inputs<'a> {
    pub(super) deploy: &'a DeployRepository,
    pub(super) subject: &'a Subject<'a>,
    pub(super) candidates: &'a [Candidate],
    /// The paths that the subject itself changes. The other candidates are only judged again.
    pub(super) touched: &'a BTreeSet<Vec<u8>>,
    pub(super) range_facts: &'a RangeFacts,
    /// The record of deployments, if there is one.
    pub(super) record: Option<&'a Reader<'a>>,
}
