//! All that a rule gets to see.

use std::collections::BTreeSet;

use super::exception::ExceptionKind;
use super::facts::{Facts, RevisionFact, TargetFacts};
use crate::candidate::Candidate;
use crate::config::Config;
use crate::config::EnvironmentSection;
use crate::id::{Revision, Target};

/// All that a rule gets to see: one candidate, the push that it belongs to, and the facts.
pub(super) struct Case<'a> {
    pub(super) config: &'a Config,
    pub(super) candidate: &'a Candidate,
    /// Every candidate of the push, this one included.
    pub(super) all: &'a [Candidate],
    pub(super) facts: &'a Facts,
}

impl<'a> Case<'a> {
    /// The target, the revision that the candidate asks for, and the facts about the target.
    /// `None`: the candidate asks for no revision.
    pub(super) fn asked(&self) -> Option<(&'a Target, &'a Revision, &'a TargetFacts)> {
        let target = self.candidate.target.as_ref()?;
        let revision = self.candidate.revision()?;
        Some((target, revision, self.facts.targets.get(target)?))
    }

    /// Whether the revision that the candidate asks for is a commit that can be compared with
    /// others, or nobody can look because no repository is configured. If not, the rule
    /// `reachable` refuses it.
    pub(super) fn is_comparable(&self) -> bool {
        let revision = self
            .target_facts()
            .and_then(|facts| facts.revision.as_ref());
        revision.is_none_or(RevisionFact::is_comparable)
    }

    /// Whether a reason of a kind can count here: nobody may override a freeze if `override_by`
    /// names nobody.
    pub(super) fn accepts(&self, kind: ExceptionKind) -> bool {
        let section = |target: &Target| self.config.environment(&target.environment);
        let section = self.candidate.target.as_ref().map(section);
        kind != ExceptionKind::Override
            || section.is_some_and(|section| !section.override_by.is_empty())
    }

    /// A `Deploy-Override` that somebody signed whom `override_by` of the environment names: the
    /// names of that person, and the reason.
    pub(super) fn signed_override(
        &self,
        section: &EnvironmentSection,
    ) -> Option<(&'a BTreeSet<String>, &'a str)> {
        let review = self.target_facts()?.review.as_ref()?.as_ref().ok()?;
        let may_override = self.config.override_signers(section);

        review.file.overrides.iter().find_map(|(commit, reason)| {
            let signer = review.signer(commit)?;
            let is_one = signer.iter().any(|name| may_override.contains(name));
            is_one.then_some((signer, reason.as_str()))
        })
    }

    /// The facts about the candidate's target, if any are known.
    pub(super) fn target_facts(&self) -> Option<&'a TargetFacts> {
        self.facts.targets.get(self.candidate.target.as_ref()?)
    }
}
