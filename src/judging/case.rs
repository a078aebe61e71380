//! What the gathering of facts starts from.

use super::reasons::Reasons;
use super::subject::Subject;
use crate::candidate::Candidate;
use crate::deploy_repository::DeployRepository;
use crate::store::Reader;

/// All that the gathering of facts starts from.
pub(super) struct Case<'a> {
    pub(super) deploy: &'a DeployRepository,
    pub(super) subject: &'a Subject<'a>,
    pub(super) candidates: &'a [Candidate],
    pub(super) reasons: &'a Reasons,
    pub(super) record: Option<&'a Reader<'a>>,
}
