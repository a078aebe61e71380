//! What a rule looks at.

use super::facts::{Facts, TargetFacts};
use crate::candidate::Candidate;
use crate::config::Config;
use crate::id::{Revision, Target};

/// What a rule looks at.
pub(super) struct Case<'a> {
    pub(super) config: &'a Config,
    pub(super) candidate: &'a Candidate,
    /// All of the push.
    pub(super) all: &'a [Candidate],
    pub(super) facts: &'a Facts,
}

impl<'a> Case<'a> {
    /// What is asked for, and what is known about it; `None` where no revision is.
    pub(super) fn asked(&self) -> Option<(&'a Target, &'a Revision, &'a TargetFacts)> {
        let (target, revision) = (self.candidate.target.as_ref()?, self.candidate.revision()?);
        Some((target, revision, self.facts.targets.get(target)?))
    }
}
