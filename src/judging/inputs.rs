//! All that is there before facts are gathered.

use std::collections::{BTreeMap, BTreeSet};

use super::range_facts::RangeFacts;
use super::subject::Subject;
use crate::candidate::Candidate;
use crate::deploy_repository::DeployRepository;
use crate::id::{Revision, Target};
use crate::store::Reader;

/// All that is there before facts are gathered.
pub(super) struct Inputs<'a> {
    pub(super) deploy: &'a DeployRepository,
    pub(super) subject: &'a Subject<'a>,
    pub(super) candidates: &'a [Candidate],
    /// The paths that the subject itself changes. The other candidates are only judged again.
    pub(super) touched: &'a BTreeSet<Vec<u8>>,
    /// For a look at a commit that is not the tip of the branch: what the tip asks for.
    pub(super) wanted_now: &'a BTreeMap<Target, Revision>,
    pub(super) range_facts: &'a RangeFacts,
    /// The record of deployments, if there is one.
    pub(super) record: Option<&'a Reader<'a>>,
}
